/* presence_model.h - what presence has to say of a device: DESIGN.md section 6 as a small state
 * machine, in plain memory, with no broker, files or clock.
 *
 *   what happens: model_accept, model_end, model_kill, ...  ->  the states that may be told now
 *   what is seen: model_seen, model_check                   ->  NULL, or what is wrong, in a line
 *
 * What happens is recorded and published a little later. So there is a state that holds once all is
 * at rest, and those before it since the last rest, each of which may be what was recorded last
 * when a SIGKILL comes. What was seen was recorded first: it rules out the states before it. After
 * a SIGKILL there may be several states that hold; what is seen next tells which.
 *
 *   states   [ may still be recorded last | hold now ]
 *                                          ^ now
 *
 * A device is plain data without pointers but to the rules, so it may lie in shared memory.
 */
#ifndef DEVREG_TESTS_PRESENCE_MODEL_H
#define DEVREG_TESTS_PRESENCE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/presence.h"

enum {
    MODEL_ID_MAX = 64, /* bytes of a device id, of a client id */
    MODEL_LIVE_MAX = 8,
    MODEL_STATES_MAX = 256,
    MODEL_LINE_MAX = 1000
};

/* What differs from one broker, or set of options, to another. */
struct model_rules {
    bool tells_ends;        /* Mosquitto 2.1: why a connection ended */
    bool delay;             /* plugin_opt_presence_delay is not 0 */
    bool delay_at_any_time; /* nobody says when it is over: what waits may be told at any time */
    bool times;             /* `connected_at` and `since` are looked at too, to the ms */
};

/* How a connection ended. The last ones: devreg closed it, since its device or what it was let in
 * with had ended by then. MODEL_TAKEN_OVER is for a successor that was never in. */
enum model_end {
    MODEL_LEFT,
    MODEL_LOST,
    MODEL_TIMED_OUT,
    MODEL_BROKE_PROTOCOL,
    MODEL_TAKEN_OVER,
    MODEL_UNTOLD, /* in a way that no version tells */
    MODEL_DISABLED,
    MODEL_REVOKED,
    MODEL_EXPIRED, /* the device, or the credential */
    MODEL_ENDS
};

enum model_what { MODEL_NONE, MODEL_ONLINE, MODEL_OFFLINE };

/* A connection as its CONNECT said. `order` and `conn` are the model's. */
struct model_connection {
    char client[MODEL_ID_MAX + 1];
    int protocol; /* 3, 4, 5 */
    bool persistent;
    uint16_t keepalive;
    int64_t time;   /* when it came */
    uint64_t order; /* which one of the device's it was */
    /* It takes the place of one that ended before it was in, or one of several that do: the state
     * may pass to it. The caller's to say. */
    bool crowded;
    bool leaving, may_leave; /* devreg is about to close it, or may be */
    uint64_t conn;           /* its number */
};

/* One thing that may be told of the device. */
struct model_state {
    enum model_what what;
    uint64_t generation;
    unsigned event;       /* so many events led to it */
    uint64_t connections; /* so many were accepted, */
    uint64_t unwatched;   /* or up to so many more, with presence off: settled by model_start */
    struct model_connection about;  /* the connection that it is about */
    struct model_connection latest; /* came back within the delay: it may be about that as well */
    bool held;                      /* there is one */
    bool vague;                     /* of an offline device: any connection and reason */
    bool waits;                     /* it may come back before it is told offline */
    bool provisional;   /* only if the one that takes it over is never in: not to be told before */
    uint64_t current;   /* conn of the live connection that stands for it */
    int64_t left_at;    /* when the last connection that stood for it ended */
    int64_t left_clock; /* the same by the device's clock */
    unsigned reasons;   /* offline: 1u << each one that may be given */
    int64_t since_first, since_last; /* between these */
    size_t live_count;
    struct model_connection live[MODEL_LIVE_MAX];
};

enum {
    MODEL_HAS_GENERATION = 1 << 0,
    MODEL_HAS_SEQ = 1 << 1,
    MODEL_HAS_CONN = 1 << 2,
    MODEL_HAS_CLIENT = 1 << 3,
    MODEL_HAS_PROTOCOL = 1 << 4,
    MODEL_HAS_KEEPALIVE = 1 << 5,
    MODEL_HAS_SESSION = 1 << 6,
    MODEL_HAS_REASON = 1 << 7, /* looked at where it is offline */
    MODEL_HAS_SINCE = 1 << 8,
    MODEL_HAS_CONNECTED_AT = 1 << 9,
    MODEL_HAS_CONNECTIONS = 1 << 10
};

/* A retained message, a record or a row of `devreg list`, as far as it is known: `has` tells which
 * fields are looked at besides `what`. All 0 for no message or a cleared one. */
struct model_message {
    enum model_what what;
    unsigned has;
    uint64_t generation, seq, conn, connections;
    char client[PRESENCE_CLIENT_MAX + 1];
    int protocol;
    uint16_t keepalive;
    bool persistent;
    enum reason reason;
    int64_t since, connected_at;
};

struct model_device {
    const struct model_rules *rules; /* lent */
    char id[MODEL_ID_MAX + 1];
    bool there;  /* in the registry */
    bool lapsed; /* removed since the last rest: what it was may still be told for a moment */
    bool off;    /* the broker runs with presence off */
    uint64_t generation;
    unsigned events;
    int64_t clock; /* the caller's to set, where it calls model_delay_over_since */
    size_t now, count;
    struct model_state states[MODEL_STATES_MAX];
    struct model_message latest; /* of those that had a seq */
    char line[MODEL_LINE_MAX + 1];
};

/* It is not in the registry, and the broker does not run. */
void model_init(struct model_device *device, const char *id, const struct model_rules *rules);

/* The registry. `generation` as it gave it out. */
void model_add(struct model_device *device, uint64_t generation);
void model_remove(struct model_device *device);

/* A connection is in: on 2.0 with the tick after BASIC_AUTH or its first publish or subscription,
 * on 2.1 with CONNECT. One that was live with that client id has been taken over by it: no
 * model_end for that. `generation` is that of the device when it logged in; of an older one nothing
 * is told. */
void model_accept(struct model_device *device, uint64_t generation,
                  const struct model_connection *connection);
/* A connection that was in ended. Nothing happens where there is none, as after model_remove. */
void model_end(struct model_device *device, const char *client, enum model_end end, int64_t time);
/* The same where either may be told: `ends` is 1 << MODEL_LOST | 1 << MODEL_EXPIRED and the like.
 */
void model_end_either(struct model_device *device, const char *client, unsigned ends, int64_t time);

/* It ended, and another that is on its way in may take its place: then nothing has ended.
 * model_accept or model_end follows. */
void model_may_end(struct model_device *device, const char *client, enum model_end end,
                   int64_t time);
/* devreg has found out that it has to close that one, or may have: the state does not pass to it
 * any more. */
void model_leaving(struct model_device *device, const char *client, bool surely);

/* The broker. At a SIGKILL whatever happened since the last rest may be on the disk or not. */
void model_stop(struct model_device *device, int64_t time);
/* SIGTERM while the disk is full: what is recorded then may be there or not. */
void model_stop_unwritten(struct model_device *device, int64_t time);
void model_kill(struct model_device *device);
void model_start(struct model_device *device, bool presence);
/* What was recorded is lost: it begins anew, but seq does not fall. */
void model_forget(struct model_device *device);

/* All that happened has been recorded and published; what a delay still holds has not. */
void model_rest(struct model_device *device);
/* The delay of a device that is away, if it is, may be over by now, or surely is. Without this call
 * it is not. */
void model_delay_over(struct model_device *device, bool surely);
/* The same for what has been away since then, or longer, by the device's clock. */
void model_delay_over_since(struct model_device *device, int64_t clock, bool surely);

/* NULL, or the device's name and what is wrong; lent until the next call. `message` was published
 * just now, with a retained flag that a subscriber sees or not. */
const char *model_seen(struct model_device *device, const struct model_message *message);
/* The same, of what stands on the device's topic, or in its record, at rest. A record stays while
 * presence is off. */
const char *model_check(struct model_device *device, const struct model_message *message);
const char *model_check_record(struct model_device *device, const struct model_message *record);

/* What has to stand there, for people; lent until the next call. */
const char *model_text(struct model_device *device);

/* What has to stand there: of several states that may hold the first. */
const struct model_state *model_expected(const struct model_device *device);

/* Drops one of its states: for presence_seen.c. */
void model_state_drop(struct model_device *device, size_t at);

/* From JSON or, with `plain`, "online" and "offline"; "" or NULL for none. False, and why in
 * `error`, where it is not what DESIGN says. In presence_message.c. */
bool model_message_parse(struct model_message *message, const char *device, bool plain,
                         const char *payload, const char **error);
/* Of a device that never connected: none. */
void model_message_of_record(struct model_message *message, const struct presence *record);

#endif
