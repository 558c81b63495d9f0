/* events.h - what happens to devices, as it happens: plugin_opt_events on.
 *
 *   devreg/event/<device>/<kind>      QoS 0, not retained
 *   {"v":1,"device":"pump-7","kind":"denied","ts":1700000000000,"access":"publish","topic":"x"}
 *
 * Each device has three buckets (event_buckets.h): one for refused logins, which strangers can
 * cause, one for duplicate_use, which is not to be lost among the connections that it is about, and
 * one for everything else. An event without a token is left out, and the next one of the bucket
 * says how many were.
 */
#ifndef DEVREG_PLUGIN_EVENTS_H
#define DEVREG_PLUGIN_EVENTS_H

#include "plugin/connections.h"
#include "plugin/event_buckets.h"

struct events {
    bool on;
    uint8_t key[CRYPTO_MAC_KEY_SIZE]; /* of the hash: nobody chooses who shares a bucket */
    struct event_buckets buckets;
};

void events_open(struct events *events, bool on);
void events_close(struct events *events);

/* All of these do nothing where events are off. `now` in ms since 1970. */
void event_connect(struct events *events, const struct connection *connection, int64_t now);
void event_disconnect(struct events *events, const struct connection *connection,
                      enum reason reason, int64_t now);
/* What the connection was let in with has expired. */
void event_expired(struct events *events, const struct connection *connection, int64_t now);
void event_denied(struct events *events, const struct connection *connection, bool publish,
                  const char *topic, int64_t now);
/* It is over the limit of that name; `topic` NULL for a CONNECT. */
void event_limited(struct events *events, const char *device, const char *limit, const char *topic,
                   const char *client_id, int64_t now);
/* `client_id` and `address` are what a stranger may have chosen; `address` may be NULL. */
void event_auth_failed(struct events *events, const char *device, const char *client_id,
                       const char *address, const char *reason, int64_t now);
/* `connection` took its client id from `taken_from`, once too often. `refused`: it is quarantined.
 */
void event_duplicate_use(struct events *events, const struct connection *connection,
                         const char *taken_from, bool refused, int64_t now);
/* What `devreg` did to a device. */
void event_change(struct events *events, const struct log_entry *entry);

#endif
