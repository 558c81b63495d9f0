/* limits.h - what a device may send at most (registry/limits.h), and what it has sent.
 *
 * One limiter serves all connections of a device, and stays while its record is read again, so
 * that no change, and no second connection, fills its bucket. Only a device with limits has one:
 * for any other a check costs one load and a branch.
 *
 * What is over a limit is dropped and never cut off: a device that is told to go away comes back
 * and sends the same. A will is a publish as any other. What the broker asks again of its own
 * accord, a retained message's source, a session's subscriptions, is not the device's doing.
 */
#ifndef DEVREG_PLUGIN_LIMITS_H
#define DEVREG_PLUGIN_LIMITS_H

#include "plugin/refusals.h"
#include "plugin/token_bucket.h"
#include "registry/error.h"
#include "registry/limits.h"

struct cached_device;
struct connection;
struct mosquitto_evt_acl_check;
struct plugin;

struct limiter {
    struct limits own; /* what the device itself says */
    struct limits all; /* what holds */
    struct token_bucket bucket;
};

/* What the device says of itself, just read. False for want of memory: then nothing has changed. */
bool limiter_set_own(struct cached_device *device, const struct limits *own);
/* Merges that with what its roles say, which are all fresh. False as above. */
bool limiter_merge(struct cached_device *device);
void limiter_free(struct cached_device *device);

/* The device, which has a limiter, publishes or subscribes as the rules allow. May it? Else that is
 * counted and told. */
bool limits_pass(struct plugin *plugin, const struct cached_device *device,
                 const struct connection *connection, const struct mosquitto_evt_acl_check *event);

/* Is one more connection of the device, with that client id, too many? One with the same is taken
 * over, and does not count. REFUSED_NOT, REFUSED_CONNECTIONS, which is told, or REFUSED_FAULT where
 * the limits cannot be read. In a read scope, or just after cache_find. */
enum refusal limits_refuse(struct plugin *plugin, struct cached_device *device,
                           const char *client_id);

#endif
