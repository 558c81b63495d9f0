/* fleet.h - devices with histories of their own, and the models that say what is true of them.
 *
 * An actor is a device: its place in the registry, its connections, and what was seen of it. What
 * it does is told to its model when it is begun, so that a SIGKILL may come at any moment. Where
 * the broker decides in which order things happen there is a model for each order, and what is seen
 * ends those that are wrong: one has to be left.
 */
#ifndef DEVREG_TESTS_FLEET_H
#define DEVREG_TESTS_FLEET_H

#include "registry/key.h"
#include "registry/presence_store.h"
#include "registry/registry.h"
#include "swarm.h"
#include "tests/support/presence_model.h"
#include "tests/support/rng.h"

enum {
    SLOTS = 3,       /* client ids of a device */
    MODELS_MAX = 16, /* of an actor */
    STEPS_KEPT = 24,
    STEP_TEXT = 100,
    TOPIC_ROOM = 64,
    PAYLOAD_ROOM = 1024,
    PLACES_MAX = 8 /* topics of a device, over all patterns and attributes */
};

/* A topic where the device's message stands, or stood since the broker's start. */
struct place {
    char topic[TOPIC_ROOM];
    char payload[PAYLOAD_ROOM]; /* what a subscriber has; "" for nothing */
    bool plain;                 /* it is "online" or "offline" */
    bool answered;              /* it stood in the answer to the new subscription */
    struct model_message says;
};

/* What is to become of a link. */
enum want { WANT_NOTHING, WANT_IN, WANT_REFUSED, WANT_END };

/* One client id: a connection, and another for the time in which it is taken over. */
struct slot {
    struct actor *actor;
    char client_id[16];
    struct link links[2];
    enum want want[2];
    size_t at;           /* the newest of them */
    bool in;             /* it is, or is to be, accepted */
    uint32_t credential; /* that it was made with */
};

enum phase { PHASE_ABSENT, PHASE_ENABLED, PHASE_DISABLED, PHASE_REVOKED, PHASE_EXPIRED };

struct actor {
    char id[16];
    const struct model_rules *rules; /* lent */
    enum phase phase;
    uint64_t generation;
    char key[KEY_TEXT_SIZE + 1];
    uint32_t credential; /* of that key */
    struct slot slots[SLOTS];
    size_t model_count;
    struct model_device *models[MODELS_MAX];
    char why[MODEL_LINE_MAX + 1]; /* where none of them is right: what the last one had to say */
    bool parked;                  /* waits for what takes its time: no step until then */
    int64_t parked_until;         /* wall clock; and not before this */
    struct model_device *waiting; /* of these models the one for which it has not come yet */
    bool flickered; /* only the record tells whether it was in, once the broker is past that */
    bool settled;   /* compared, and nothing has happened since */
    size_t left;    /* steps of its history */
    /* Events of this run of the broker; `unsure` whether all are of this generation. */
    struct {
        size_t connects, ends, all;
        bool unsure;
    } told;
    size_t site; /* its attribute: which one of them */
    size_t place_count;
    struct place places[PLACES_MAX];
    int64_t online_at; /* when its step was drawn, if it was online then and at rest; else 0 */
    bool listed;       /* by `devreg list` */
    /* What was recorded when the broker ended last, until it is at rest again. */
    bool was_down, was_recorded;
    struct presence recorded;
    size_t step_count;
    char steps[STEPS_KEPT][STEP_TEXT];
};

struct fleet {
    struct registry *registry;
    struct rng *rng;
    struct model_rules rules;
};

void actor_init(struct fleet *fleet, struct actor *actor, size_t number);
void actor_clear(struct swarm *swarm, struct actor *actor);
__attribute__((format(printf, 2, 3))) void actor_note(struct actor *actor, const char *format, ...);

/* ---- what its models are told */

void actor_accept(struct actor *actor, size_t slot, const struct mqtt_login *login);
void actor_end(struct actor *actor, size_t slot, enum model_end end);
/* Those of its connections end, in any order. */
void actor_end_all(struct actor *actor, enum model_end end, bool (*which)(const struct slot *slot));
/* It ended, or is taken over by what comes next, before that is known. */
void actor_lost_perhaps(struct actor *actor, size_t slot);
/* The same, at a time that nobody knows: what is seen tells whether it has happened. */
void actor_end_perhaps(struct actor *actor, size_t slot, enum model_end end);
void actor_end_all_perhaps(struct actor *actor, enum model_end end,
                           bool (*which)(const struct slot *slot));
/* What it was parked for has happened. */
void actor_waited(struct actor *actor);
/* The broker was killed, and this is recorded; NULL for nothing. False, and `why`, where that
 * cannot be. */
bool actor_killed(struct actor *actor, const struct presence *record);
/* It was stopped; `early`, with what happened since the last rest known to it or not. */
bool actor_stopped(struct actor *actor, const struct presence *record, bool early);
/* And what was recorded is lost. */
void actor_forgotten(struct actor *actor);
/* The broker is gone, and its clients with it. */
void actor_drop_links(struct swarm *swarm, struct actor *actor);
/* It is no device any more. */
void actor_removed(struct actor *actor);
/* It was let in and gone at once, or never was in. */
void actor_flicker(struct actor *actor, size_t slot, const struct mqtt_login *login);
void actor_broker(struct actor *actor, void (*what)(struct model_device *model));

/* What was seen, with each model that is left. False, and `why`, where none is. With presence off
 * `record` is not looked at. */
bool actor_seen(struct actor *actor, const struct model_message *message);
bool actor_agrees(struct actor *actor, const struct model_message *standing,
                  const struct model_message *record);

/* The topic of its message under a pattern with %u and %{site}. */
void fleet_topic(char topic[static TOPIC_ROOM], const char *pattern, const char *device,
                 size_t site);
/* Its place of that topic, a new one if need be. */
struct place *actor_place(struct actor *actor, const char *topic);

/* ---- the registry */

void fleet_add(struct fleet *fleet, struct actor *actor);
void fleet_remove(struct fleet *fleet, struct actor *actor);
/* LOG_DISABLE, LOG_ENABLE, LOG_REVOKE. */
void fleet_set_state(struct fleet *fleet, struct actor *actor, enum log_verb verb);
void fleet_expire(struct fleet *fleet, struct actor *actor, int64_t at); /* 0 for never */
/* A new key. The old ones end then, 0 for at once, or with the first use of the new one. */
void fleet_rotate(struct fleet *fleet, struct actor *actor, int64_t ends, bool until_used);
void fleet_note(struct fleet *fleet, struct actor *actor);
/* Another value of the attribute, or none. */
void fleet_move(struct fleet *fleet, struct actor *actor);

#endif
