/* judge.h - compares every answer of the plugin with what the oracle reads at that moment.
 *
 * Its three functions are hooks of the simulated broker. It keeps what the registry cannot tell:
 * what each connection was let in with, which credentials were used, who was ever let in.
 */
#ifndef DEVREG_TESTS_JUDGE_H
#define DEVREG_TESTS_JUDGE_H

#include "tests/plugin/oracle.h"
#include "tests/plugin/sim.h"

enum { CREDENTIAL_IDS = 4096 };

/* What a connection was let in with. */
struct seat {
    bool let_in;
    uint64_t generation;
    uint32_t credential;
    bool replaced; /* another credential was used that ended this one then */
    bool websockets;
    const char *password;
    int asked; /* last, MOSQ_ACL_*; 0 for nothing */
    char topic[WORLD_TOPIC_MAX];
};

/* Credentials of a generation that were used: some end others. */
struct used {
    uint64_t generation;
    bool credential[CREDENTIAL_IDS];
};

struct judge {
    struct registry *registry;   /* lent */
    struct sim_login login;      /* the latest: set it before sim_connect */
    const char *(*latest)(void); /* what happened last, for the report of a failure */
    struct seat seats[SIM_CLIENTS];
    struct used used[WORLD_DEVICES];
    bool accepted[WORLD_DEVICES]; /* names that were ever let in, in this run of the broker */
    size_t logins, checks, allowed;
};

extern struct judge judge;

/* Another run of the broker begins. */
void judge_restart(void);

/* These fail the test where the answer is wrong. */
void judge_logged_in(struct mosquitto *client, bool again, int answer);
void judge_checked(struct mosquitto *client, int access, const char *topic, int answer);

/* Before TICK: whoever is connected by now is in. */
void judge_before_tick(void);
/* That client is in for sure: its credential counts as used. */
void judge_prove(const struct mosquitto *client);

/* Is it connected, though what it was let in with has ended? */
bool judge_ended(const struct mosquitto *client);

void judge_fail(const struct mosquitto *client, const char *what, const char *topic, int expected,
                int answer);

#endif
