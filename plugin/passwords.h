/* passwords.h - people's passwords, and imported ones, checked without anybody waiting for them.
 *
 * Argon2id takes 30 ms and more on purpose, and the broker has one thread. So one worker thread
 * checks, and the broker's thread only looks up what it found:
 *
 *   CONNECT --> found before?  yes, no: the answer                    (0.3 us)
 *                              cheap:   checked here and now          (up to 3 ms)
 *                              else:    hand it to the worker, "later"
 *
 * Cheap is what Mosquitto's password files hold, some hundred rounds of a fast hash: a fleet that
 * comes back finds its answers at once. That has a small budget of its own; over it the worker is
 * asked. What a round takes on this machine is measured.
 *
 *   later, Mosquitto 2.0:   this CONNECT is refused; the client's next try finds the answer
 *   later, Mosquitto 2.1:   the connection waits for the answer (AUTH_DELAYED)
 *
 * Answers are kept under a keyed hash of device, credential and password, with a key that lives and
 * dies with the process. A changed password is another credential, so no old answer fits it.
 *
 * Work is budgeted: over it a password is refused at once, so that guessing cannot take a core.
 *
 * 2.1 completes a delayed CONNECT by its client id alone: the answer to one connection would let in
 * another that came after it with the same id. So when a second one comes, the first is refused,
 * and whoever comes again finds the answer.
 */
#ifndef DEVREG_PLUGIN_PASSWORDS_H
#define DEVREG_PLUGIN_PASSWORDS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "registry/device.h"

enum {
    PASSWORD_MAX = 128, /* bytes; a longer one is wrong */
    PASSWORD_JOBS = 16,
    PASSWORD_ANSWERS = 4096,
    PASSWORD_BUDGET_MS = 2000,        /* of work that may be saved up */
    PASSWORD_BUDGET_RATE = 4,         /* ms of wall time that earn 1 ms of work */
    PASSWORD_PLACE_US = 3000,         /* the most that one check in place may take */
    PASSWORD_PLACE_BUDGET_US = 20000, /* of checks in place that may be saved up, */
    PASSWORD_PLACE_RATE = 20          /* and what a ms of wall time earns */
};

enum password_answer { PASSWORD_WRONG = 0, PASSWORD_RIGHT, PASSWORD_LATER };

struct password_digest {
    uint8_t bytes[CRYPTO_HASH_SIZE];
};

enum password_job_state { PASSWORD_FREE = 0, PASSWORD_QUEUED, PASSWORD_DONE };

/* One password on its way. The worker has it while it is PASSWORD_QUEUED, the broker's thread else.
 */
struct password_job {
    _Atomic(enum password_job_state) state;
    struct password_digest digest;
    char hash[CREDENTIAL_SECRET_MAX + 1];
    char password[PASSWORD_MAX + 1];
    bool right;
    int64_t reckoned_ms, took_ms;
    char *waiting; /* client id of a connection that waits for the answer; NULL for none */
    const void *pointer;
    bool refuse; /* another connection came with that client id */
};

struct passwords {
    bool running;
    pthread_t thread;
    sem_t wake;
    atomic_bool stop;
    struct password_job jobs[PASSWORD_JOBS];
    uint8_t key[CRYPTO_KEY_SIZE];
    struct password_slot {
        struct password_digest digest;
        enum password_answer answer; /* WRONG in an empty slot too: its digest fits nothing */
    } * answers;                     /* PASSWORD_ANSWERS of them, by the digest's first bytes */
    int64_t budget_ms, budget_at;
    int64_t cost_ms; /* what the last check took */
    int64_t place_us, place_at;
    int64_t round_ns; /* what a round of PBKDF2 takes; 0: not measured yet */
};

/* {0} in; no thread is started before the first password. */
void passwords_open(struct passwords *passwords);
/* Waits for the check that is under way, and wipes everything. */
void passwords_close(struct passwords *passwords);

/* Is `password` the one behind `credential`, the live password of `device`? With PASSWORD_LATER,
 * and `client_id` not NULL, passwords_tick will name that client id and pointer. `now` of a clock
 * that never goes back, in ms. */
enum password_answer passwords_ask(struct passwords *passwords, const struct device *device,
                                   const struct credential *credential, const char *password,
                                   const char *client_id, const void *pointer, int64_t now);

/* A connection came with that client id: one that waits under it will be refused. True where there
 * was one. */
bool passwords_interrupt(struct passwords *passwords, const char *client_id);

/* Takes in what the worker found, and calls `done` for each connection that waited. */
void passwords_tick(struct passwords *passwords,
                    void (*done)(void *context, const char *client_id, const void *pointer,
                                 bool right),
                    void *context);

#endif
