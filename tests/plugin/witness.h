/* witness.h - sees what the simulated broker does, and tells the model of presence.
 *
 *   sim.h's hooks  ->  seats: who is connected, and was let in with what  ->  model_accept,
 * model_end messages                                           ->  model_seen
 *
 * The history lies in memory that outlives the process: a run of the broker is one, and may be
 * ended by SIGKILL.
 */
#ifndef DEVREG_TESTS_WITNESS_H
#define DEVREG_TESTS_WITNESS_H

#include "tests/plugin/fleet.h"
#include "tests/plugin/sim.h"
#include "tests/support/presence_model.h"

enum { TRACE_LINES = 300, TRACE_LINE_MAX = 200, WITNESS_CLIENTS = 3 };

/* With what the broker runs. */
struct setting {
    bool presence, plain;
    unsigned delay; /* s */
    char pattern[64];
};

struct history {
    struct rng rng;
    int64_t wall, steady;
    struct setting setting;
    struct model_rules rules;
    struct fleet fleet;
    struct model_device models[FLEET_DEVICES];
    bool dies; /* the SIGKILL that comes is meant */
    size_t steps, runs, kills, rests, messages, accepted;
    size_t trace_count;
    char trace[TRACE_LINES][TRACE_LINE_MAX];
};

/* What happened, for the report of a failure. */
void trace(struct history *history, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trace_print(const struct history *history);

/* A run of the broker begins. */
void witness_begin(struct history *history);

/* The hooks. */
void witness_logged_in(struct mosquitto *client, bool again, int answer);
void witness_checked(struct mosquitto *client, int access, const char *topic, int answer);
void witness_before_tick(void);
void witness_ended(struct mosquitto *client, int reason);
void witness_kicked(struct mosquitto *client);
void witness_published(const char *topic, const char *payload);

/* "d3", "d3.1", ...: one of the client ids of the device. */
void witness_client_id(char id[static SIM_TEXT_MAX], size_t device, size_t client);
/* The latest login came with that credential; before sim_connect. */
void witness_login(uint32_t credential);
/* The client is in: after a sim_connect of 2.1 that let it in. */
void witness_in(const struct mosquitto *client);
/* devreg has changed a device, or time has gone on: connections may have to go. */
void witness_changed(void);
/* The SIGKILL comes when so many messages more were published; 0 for never. */
void witness_kill_after(size_t messages);
_Noreturn void witness_kill(struct history *history);

/* At any time: what is counted is what is recorded. */
void witness_check_counts(const char *dir);

/* At rest: what the model holds is settled, and compared with what stands in the broker and in the
 * presence store in `dir`. */
void witness_check(const char *dir);

#endif
