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
 * Work is budgeted: over it a password is refused at once, unseen, so that guessing cannot take a
 * core. Half of the budget and a quarter of the places are for who asks from where the device was
 * accepted last, so that guessing elsewhere cannot keep it out.
 *
 * Where there is no password to compare with, the work is the same (a question with no credential),
 * so that the time tells nobody which names are there: 2.1 answers after a hash of a decoy. On 2.0
 * no answer waits for the worker, so there it is only woken, and only where it runs anyway.
 *
 * 2.1 completes a delayed CONNECT by its client id alone: the answer to one connection would let in
 * another that came after it with the same id. So when a second one comes, the first is refused,
 * and whoever comes again finds the answer. 2.1.2 itself refuses a second one while the first
 * waits, and asks nobody: so a client id waits once in PASSWORD_WAIT_MS, or a stranger could hold
 * it all the time. What comes in between is answered as on 2.0.
 */
#ifndef DEVREG_PLUGIN_PASSWORDS_H
#define DEVREG_PLUGIN_PASSWORDS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "plugin/guesses.h"
#include "registry/device.h"

enum {
    PASSWORD_MAX = 128, /* bytes; a longer one is wrong */
    PASSWORD_JOBS = 16,
    PASSWORD_HOME_JOBS = 4, /* of them for who is at home */
    PASSWORD_ANSWERS = 4096,
    PASSWORD_WAITED = 1024, /* client ids that waited lately, */
    PASSWORD_WAIT_MS = 10000,
    PASSWORD_BUDGET_MS = 2000,       /* of work that may be saved up */
    PASSWORD_BUDGET_RATE = 4,        /* ms of wall time that earn 1 ms of work */
    PASSWORD_HOME_MS = 1000,         /* the last of it is for who is at home */
    PASSWORD_PLACE_US = 3000,        /* the most that one check in place may take */
    PASSWORD_PLACE_BUDGET_US = 6000, /* of checks in place that may be saved up: what one turn of
                                        the broker's loop may be held up for, */
    PASSWORD_PLACE_RATE = 20         /* and what a ms of wall time earns */
};

/* UNSEEN: nobody looked at it, and nobody will. */
enum password_answer { PASSWORD_WRONG = 0, PASSWORD_RIGHT, PASSWORD_LATER, PASSWORD_UNSEEN };

/* Is `password` the one behind `credential`, a live password of the device of that name and
 * generation? */
struct password_question {
    const char *name;
    uint64_t generation;
    const struct credential *credential; /* NULL: there is none, which is to take as long */
    const char *password;
    const char *client_id; /* of a connection that can wait for the answer; NULL for none */
    const void *pointer;   /* its */
    struct guesser asker;
};

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
    struct guesser asker;
    bool refuse; /* another connection came with that client id */
};

/* What the worker found. */
struct password_found {
    const char *client_id; /* as in the question */
    const void *pointer;
    struct guesser asker;
    bool right;
    bool refuse; /* right or not: another connection came with that client id */
};

struct passwords {
    bool running;
    pthread_t thread;
    sem_t wake;
    atomic_bool stop;
    struct password_job jobs[PASSWORD_JOBS];
    uint8_t key[CRYPTO_KEY_SIZE];
    struct credential decoy; /* an Argon2id hash of nothing that anybody knows */
    struct password_slot {
        struct password_digest digest;
        enum password_answer answer; /* WRONG in an empty slot too: its digest fits nothing */
    } * answers;                     /* PASSWORD_ANSWERS of them, by the digest's first bytes */
    struct password_waited {
        uint64_t client_hash;
        int64_t at;
    } waited[PASSWORD_WAITED]; /* by the hash */
    int64_t budget_ms, budget_at;
    int64_t cost_ms; /* what the last check took */
    int64_t place_us, place_at;
    int64_t round_ns;      /* what a round of PBKDF2 takes; 0: not measured yet */
    uint32_t place_rounds; /* of the last check in place */
};

/* {0} in; no thread is started before the first password. */
void passwords_open(struct passwords *passwords);
/* Waits for the check that is under way, and wipes everything. */
void passwords_close(struct passwords *passwords);

/* The answer. With PASSWORD_LATER passwords_tick will tell it. `now` of a clock that never goes
 * back, in ms. */
enum password_answer passwords_ask(struct passwords *passwords,
                                   const struct password_question *question, int64_t now);

/* The same as far as it is remembered: else PASSWORD_UNSEEN. */
enum password_answer passwords_recall(struct passwords *passwords,
                                      const struct password_question *question);

/* May a connection with the client id of that (keyed) hash wait? And it does. */
bool passwords_may_wait(const struct passwords *passwords, uint64_t client_hash, int64_t now);
void passwords_waited(struct passwords *passwords, uint64_t client_hash, int64_t now);

/* A connection came with that client id: one that waits under it will be refused. True where there
 * was one. */
bool passwords_interrupt(struct passwords *passwords, const char *client_id);

/* Takes in what the worker found, and calls `done` for each. What it lends is gone afterwards. */
void passwords_tick(struct passwords *passwords,
                    void (*done)(void *context, const struct password_found *found), void *context);

#endif
