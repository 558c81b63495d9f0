/* play.h - one play of prop_presence.c: the devices, the broker, and what a subscriber sees.
 *
 *   play.c        the subscriber, the broker's starts and ends, reports
 *   play_rest.c   waits until all is told and recorded, and compares
 */
#ifndef DEVREG_TESTS_PLAY_H
#define DEVREG_TESTS_PLAY_H

#include "scene.h"
#include "steps.h"

enum {
    PATIENCE_MS = 30000,
    WATCH_ROOM = 1 << 18,
    WATCH_KEEPALIVE = 900,
    DELAY_S = 1,
    DELAY_MS = 1500 /* and it is over */
};

/* The rest of the configuration, as it is drawn for each run of the broker. */
struct setting {
    bool persistence, no_retain_source, limited, delay, off, plain, events;
    const char *pattern; /* of topics */
};

/* devreg/summary; {0} for none. */
struct summary {
    bool there;
    size_t online, offline, never_seen, total;
};

struct play {
    struct scene *scene;
    struct rng rng;
    uint64_t seed;
    struct fleet fleet;
    struct swarm swarm;
    struct store *store;
    struct txn *reader;
    size_t actor_count;
    struct actor *actors;
    struct steps steps;
    struct setting setting;
    struct link watcher, sentinel;
    size_t round, rounds_since_start;
    size_t events;  /* of this round: what the clients did and what was seen */
    size_t kill_at; /* after so many; SIZE_MAX for not in this round */
    uint16_t subscription;
    bool subscribed;
    bool sentinel_online, sentinel_told;
    char sentinel_topic[TOPIC_ROOM];
    struct summary summary;
    bool lost;  /* the presence store, since the last run, and the broker shows what it showed */
    bool stale; /* and after a SIGKILL mosquitto.db would have what that run cleared */
    size_t runs, kills, losses;
};
extern struct play p;

/* What the swarm tells. */
void play_heard(struct swarm *swarm, struct link *link, const struct mqtt_packet *packet);
void play_ended(struct swarm *swarm, struct link *link, enum link_state before);

/* Draws the configuration of the next run. */
void play_configure(void);
/* The broker starts, and the subscriber is there. */
void play_start(void);
/* It ends, and its clients with it; what is recorded then has to be what the models allow. `early`
 * for not at rest. */
void play_go_down(bool kill, bool early);

/* The device of that id; NULL for others. */
struct actor *play_actor(const char *device);
/* What is recorded of it. False for nothing. */
bool play_record(const struct actor *actor, struct presence *record);
/* Subscribes anew, and waits until all that stands there has come. */
void play_subscribe(void);
/* Says all that is known of it, and fails the test. */
_Noreturn void play_report(const struct actor *actor, const char *what);

/* Has the moment for the SIGKILL come? */
bool play_is_killed(void);
/* Waits until all is told and recorded, and compares it. False where the SIGKILL comes first. */
bool play_rest(void);

#endif
