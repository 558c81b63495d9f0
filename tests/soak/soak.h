/* soak.h - a fleet that lives through its hours in minutes, and an oracle that knows what it may
 * do.
 *
 *   fleet.c    devices: connect, subscribe, publish, leave, are taken over, try a wrong key
 *   admin.c    several `devreg` at once: rotate, disable, revoke, remove, add, deny
 *   broker.c   the broker's memory, files and longest turn
 *   soak.c     the clock, and what is said at the end
 *
 * The oracle: each question to the broker (CONNECT, SUBSCRIBE, PUBLISH, and that a connection goes
 * on) is asked with an answer in mind. MUST and MUST_NOT are what the last acknowledged change
 * says; a change of the device that begins before the answer is there makes it MAY. From the moment
 * that `devreg` has returned it is MUST_NOT, or MUST, again.
 *
 * A message is published to the device's own tree, which it subscribes to: that it comes back is
 * the answer. A PINGREQ behind each question tells when to stop waiting.
 */
#ifndef DEVREG_TESTS_SOAK_H
#define DEVREG_TESTS_SOAK_H

#include <sys/types.h>

#include "registry/key.h"
#include "tests/broker/scene.h"
#include "tests/broker/swarm.h"
#include "tests/support/rng.h"

enum { UNIT_ID = 24, JOBS = 4, DOWN_MAX = 200, BUSY_MAX = 64, LINK_ROOM = 1024 };

enum expect { MAY, MUST, MUST_NOT };
enum op { OP_NONE, OP_OPEN, OP_SUBSCRIBE, OP_PUBLISH };
enum phase { UNIT_ENABLED, UNIT_DISABLED, UNIT_REVOKED, UNIT_ABSENT };

/* One of a device's two connections: the second is there to take the first over. */
struct conn {
    struct link link;
    struct unit *unit;
    enum op op; /* what was asked and is not answered yet */
    enum expect expect;
    bool yes; /* it was answered so */
    bool subscribed;
    bool leaves;      /* it is taken over, or is about to be */
    unsigned epoch;   /* of the device, when CONNECT was sent */
    int64_t ended_by; /* what let it in has ended: it has to be closed soon. 0: not so */
    unsigned asked;   /* numbers its messages */
};

struct unit {
    char id[UNIT_ID];
    char key[KEY_TEXT_SIZE + 1], old_key[KEY_TEXT_SIZE + 1];
    struct conn conns[2];
    size_t active;
    enum phase phase;
    bool muted;     /* it may not publish */
    bool changing;  /* a `devreg` is at it */
    bool down;      /* it is in soak.down */
    unsigned epoch; /* rises with each change that ends its connections */
};

struct job {
    pid_t pid;
    int out, err;
    struct unit *unit;
    int verb;
};

enum { TURN_BUCKETS = 5 };

/* What was seen of the broker. */
struct watch_broker {
    struct link link; /* asks and asks: how much of its CPU is between question and answer? */
    uint64_t asked_at, longest;
    size_t turns, over[TURN_BUCKETS];
    size_t memory_count;
    uint64_t memory[4096]; /* bytes of its own, one for each sample */
    size_t files, threads;
};

struct soak {
    struct scene *scene;
    struct swarm swarm;
    struct rng rng;
    struct unit *units, clock; /* `clock` is the one who asks */
    size_t unit_count;
    struct conn *busy[BUSY_MAX];
    size_t busy_count;
    struct unit *down[DOWN_MAX]; /* not enabled, or muted */
    size_t down_count;
    struct job jobs[JOBS];
    struct unit *role_unit; /* whose name is in a rule of the role that all hold */
    bool role_changing;
    struct watch_broker watch;
    bool plain; /* the broker has no plugin, and allows everything */
    bool filling;
    size_t messages, connects, refused, denied, takeovers, changes, kills;
};

extern struct soak s;

_Noreturn void soak_wrong(const struct unit *unit, const char *what);

/* ---- fleet.c */
void fleet_open(const char *keys_file);
void fleet_close(void);
/* One event of that kind for some device; false where none is ready for it. */
bool fleet_message(void);
bool fleet_reconnect(void);
bool fleet_wrong_key(void);
/* Connects who is not connected, and may be. False where everybody is. */
bool fleet_connect_next(void);
/* Looks at what was answered. */
void fleet_turn(void);
/* The connections of the device end now, by a change that was acknowledged. */
void fleet_ended(struct unit *unit);
/* A change begins: what is asked already may be answered either way. */
void fleet_unsure(struct unit *unit);
/* Asks what was just forbidden, or allowed again. */
void fleet_ask(struct unit *unit);
bool fleet_rests(const struct unit *unit);
size_t fleet_online(void);
bool fleet_at_rest(void);

/* ---- admin.c */
bool admin_begin(void);
void admin_turn(void);
bool admin_busy(void);

/* ---- broker.c */
void watch_open(void);
void watch_close(void);
void watch_turn(void);
void watch_sample(void);
/* Prints what was seen. False where its memory grew, or its turns are long. */
bool watch_judge(void);

#endif
