/* errors.h - what a device did and was not let do, told to the device itself: plugin_opt_errors on.
 *
 *   devreg/errors/<device>      QoS 0, not retained
 *   {"v":1,"device":"pump-7","kind":"messages","topic":"a/b","count":12,"ts":1700000000000}
 *
 * MQTT 3.1.1 acknowledges a publish that was dropped like any other, so nothing else tells it. Any
 * device may read its own topic (access.h), nobody may publish there, and a delivery that is denied
 * is never told: so no message makes another.
 *
 *   errors_note --> fresh  --- next turn, ERRORS_A_TURN at the most ---> told
 *                   resting <------------------------------------------- count = 0
 *                     | ERRORS_REST_MS later: told again if `count` rose meanwhile, or else freed
 *
 * So a device is told of each kind at once, and then once in ERRORS_REST_MS how often and what
 * last, whatever it does. Entries are ERRORS_MAX at the most; more is not told.
 */
#ifndef DEVREG_PLUGIN_ERRORS_H
#define DEVREG_PLUGIN_ERRORS_H

#include "plugin/table.h"
#include "registry/limits.h"

enum { ERRORS_MAX = 4096, ERRORS_A_TURN = 50, ERRORS_REST_MS = 10000 };

/* A limit that was met, as enum limit has it, or: */
enum { ERROR_PUBLISH_DENIED = LIMIT_COUNT, ERROR_SUBSCRIBE_DENIED, ERROR_KINDS };

struct error_entry;

struct errors {
    bool on;
    struct table entries;
    struct error_list {
        struct error_entry *first, *last;
    } fresh, resting; /* these in the order of their time */
};

void errors_open(struct errors *errors, bool on);
void errors_close(struct errors *errors);

/* Notes one. `topic` NULL for a CONNECT, of which `client_id` is told instead. `now` in ms since
 * 1970. Does nothing where errors are off. */
void errors_note(struct errors *errors, const char *device, unsigned kind, const char *topic,
                 const char *client_id, int64_t now);

/* Tells what is due. `now`: ms of a clock that never goes back. */
void errors_tell(struct errors *errors, int64_t now);

#endif
