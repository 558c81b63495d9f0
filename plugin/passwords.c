#include "plugin/passwords.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/password_hash.h"
#include "registry/text.h"

enum { FIRST_COST_MS = 50, MEASURED_ROUNDS = 50, MEASUREMENTS = 3 };

void passwords_open(struct passwords *passwords)
{
    crypto_random(passwords->key, sizeof passwords->key);
    passwords->budget_ms = PASSWORD_BUDGET_MS;
    passwords->cost_ms = FIRST_COST_MS;
    passwords->place_us = PASSWORD_PLACE_BUDGET_US;
}

static int64_t clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void work(struct password_job *job)
{
    int64_t begin = clock_ns();
    job->right = password_hash_verify(job->hash, job->password);
    job->took_ms = (clock_ns() - begin) / 1000000;
    crypto_wipe(job->password, sizeof job->password);
    atomic_store(&job->state, PASSWORD_DONE);
}

static void *run(void *context)
{
    struct passwords *passwords = context;
    for (;;) {
        while (sem_wait(&passwords->wake) != 0 && errno == EINTR)
            ;
        for (size_t i = 0; i < PASSWORD_JOBS; i++) {
            if (atomic_load(&passwords->stop))
                return NULL;
            if (atomic_load(&passwords->jobs[i].state) == PASSWORD_QUEUED)
                work(&passwords->jobs[i]);
        }
    }
}

static bool start(struct passwords *passwords)
{
    sigset_t all, before;
    if (passwords->running)
        return true;
    if (sem_init(&passwords->wake, 0, 0) != 0)
        return false;
    /* Signals are the broker's: its own thread has to see them. */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    passwords->running = pthread_create(&passwords->thread, NULL, run, passwords) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!passwords->running)
        (void)sem_destroy(&passwords->wake);
    return passwords->running;
}

void passwords_close(struct passwords *passwords)
{
    if (passwords->running) {
        atomic_store(&passwords->stop, true);
        (void)sem_post(&passwords->wake);
        (void)pthread_join(passwords->thread, NULL);
        (void)sem_destroy(&passwords->wake);
    }
    for (size_t i = 0; i < PASSWORD_JOBS; i++)
        free(passwords->jobs[i].waiting);
    if (passwords->answers)
        crypto_wipe(passwords->answers, PASSWORD_ANSWERS * sizeof *passwords->answers);
    free(passwords->answers);
    crypto_wipe(passwords, sizeof *passwords);
}

static struct password_digest digest_of(const struct passwords *passwords,
                                        const struct device *device,
                                        const struct credential *credential, const char *password)
{
    struct password_digest digest = {{0}};
    const uint64_t numbers[] = {strlen(device->id), device->generation, credential->id,
                                credential->secret_size};
    const struct crypto_part parts[] = {{numbers, sizeof numbers},
                                        {device->id, strlen(device->id)},
                                        {credential->secret, credential->secret_size},
                                        {password, strlen(password)}};
    crypto_keyed_hash(digest.bytes, passwords->key, parts, sizeof parts / sizeof *parts);
    return digest;
}

static bool same(const struct password_digest *a, const struct password_digest *b)
{
    return crypto_equal(a->bytes, b->bytes, sizeof a->bytes);
}

static struct password_slot *slot_of(const struct passwords *passwords,
                                     const struct password_digest *digest)
{
    size_t at = (digest->bytes[0] | (size_t)digest->bytes[1] << 8) % PASSWORD_ANSWERS;
    return &passwords->answers[at];
}

/* The best of some, since others may have had the processor meanwhile. */
static int64_t measure_round(void)
{
    static const uint8_t salt[12];
    uint8_t hash[CRYPTO_SHA512_SIZE];
    int64_t best = INT64_MAX;
    for (int i = 0; i < MEASUREMENTS; i++) {
        int64_t begin = clock_ns();
        crypto_pbkdf2_sha512(hash, "measure", salt, sizeof salt, MEASURED_ROUNDS);
        int64_t took = clock_ns() - begin;
        best = took < best ? took : best;
    }
    return best / MEASURED_ROUNDS + 1;
}

/* What a check of the hash takes in us, if it may be made in place at all. */
static bool is_cheap(struct passwords *passwords, const char *text, int64_t *us)
{
    struct password_hash hash;
    if (password_hash_parse(&hash, text) || hash.scheme == SCHEME_ARGON2ID)
        return false;
    if (!passwords->round_ns)
        passwords->round_ns = measure_round();
    *us = 1 + (int64_t)hash.rounds * passwords->round_ns / 1000;
    return *us <= PASSWORD_PLACE_US;
}

static bool place_spend(struct passwords *passwords, int64_t us, int64_t now)
{
    int64_t earned = (now - passwords->place_at) * PASSWORD_PLACE_RATE;
    bool full = earned < 0 || earned > PASSWORD_PLACE_BUDGET_US - passwords->place_us;
    passwords->place_us = full ? PASSWORD_PLACE_BUDGET_US : passwords->place_us + earned;
    passwords->place_at = now;
    if (passwords->place_us < us)
        return false;
    passwords->place_us -= us;
    return true;
}

/* Checks here and now what is cheap enough. PASSWORD_LATER for what is not. */
static enum password_answer check_in_place(struct passwords *passwords,
                                           const struct credential *credential,
                                           const char *password,
                                           const struct password_digest *digest, int64_t now)
{
    const char *hash = (const char *)credential->secret; /* with its NUL: see credential.h */
    int64_t us;
    if (!is_cheap(passwords, hash, &us) || !place_spend(passwords, us, now))
        return PASSWORD_LATER;
    bool right = password_hash_verify(hash, password);
    enum password_answer answer = right ? PASSWORD_RIGHT : PASSWORD_WRONG;
    *slot_of(passwords, digest) = (struct password_slot){*digest, answer};
    return answer;
}

/* A job that is on its way for the digest, or else a free one, or NULL. */
static struct password_job *job_for(struct passwords *passwords,
                                    const struct password_digest *digest)
{
    struct password_job *free_job = NULL;
    for (size_t i = 0; i < PASSWORD_JOBS; i++) {
        struct password_job *job = &passwords->jobs[i];
        if (atomic_load(&job->state) == PASSWORD_FREE)
            free_job = job;
        else if (same(&job->digest, digest))
            return job;
    }
    return free_job;
}

/* Takes the cost of one more check out of the budget. */
static bool budget_spend(struct passwords *passwords, int64_t now)
{
    int64_t earned = (now - passwords->budget_at) / PASSWORD_BUDGET_RATE;
    if (passwords->budget_at == 0 || earned > PASSWORD_BUDGET_MS)
        earned = PASSWORD_BUDGET_MS;
    if (earned > 0) {
        passwords->budget_at = now;
        passwords->budget_ms += earned;
    }
    if (passwords->budget_ms > PASSWORD_BUDGET_MS)
        passwords->budget_ms = PASSWORD_BUDGET_MS;
    if (passwords->budget_ms < passwords->cost_ms)
        return false;
    passwords->budget_ms -= passwords->cost_ms;
    return true;
}

static bool job_queue(struct passwords *passwords, struct password_job *job,
                      const struct password_digest *digest, const struct credential *credential,
                      const char *password, int64_t now)
{
    if (!start(passwords) || !budget_spend(passwords, now))
        return false;
    job->digest = *digest;
    memcpy(job->hash, credential->secret, credential->secret_size);
    job->hash[credential->secret_size] = '\0';
    (void)text_copy(job->password, PASSWORD_MAX, password);
    job->refuse = false;
    job->reckoned_ms = passwords->cost_ms;
    atomic_store(&job->state, PASSWORD_QUEUED);
    (void)sem_post(&passwords->wake); /* fails only past 2^31 posts that nobody took */
    return true;
}

enum password_answer passwords_ask(struct passwords *passwords, const struct device *device,
                                   const struct credential *credential, const char *password,
                                   const char *client_id, const void *pointer, int64_t now)
{
    if (strnlen(password, PASSWORD_MAX + 1) > PASSWORD_MAX)
        return PASSWORD_WRONG;
    if (!passwords->answers)
        passwords->answers = calloc(PASSWORD_ANSWERS, sizeof *passwords->answers);
    if (!passwords->answers)
        return PASSWORD_WRONG;
    struct password_digest digest = digest_of(passwords, device, credential, password);
    const struct password_slot *slot = slot_of(passwords, &digest);
    if (same(&slot->digest, &digest))
        return slot->answer;
    enum password_answer answer = check_in_place(passwords, credential, password, &digest, now);
    if (answer != PASSWORD_LATER)
        return answer;
    struct password_job *job = job_for(passwords, &digest);
    if (!job)
        return PASSWORD_WRONG;
    bool queued = atomic_load(&job->state) != PASSWORD_FREE;
    if (queued)
        return client_id ? PASSWORD_WRONG : PASSWORD_LATER; /* one waits for an answer, not two */
    job->waiting = client_id ? strdup(client_id) : NULL;
    job->pointer = pointer;
    bool good = (!client_id || job->waiting) &&
                job_queue(passwords, job, &digest, credential, password, now);
    if (good)
        return PASSWORD_LATER;
    free(job->waiting);
    job->waiting = NULL;
    return PASSWORD_WRONG;
}

bool passwords_interrupt(struct passwords *passwords, const char *client_id)
{
    bool any = false;
    for (size_t i = 0; passwords->running && i < PASSWORD_JOBS; i++) {
        struct password_job *job = &passwords->jobs[i];
        if (!job->waiting || strcmp(job->waiting, client_id) != 0)
            continue;
        job->refuse = true;
        any = true;
    }
    return any;
}

/* What was reckoned is set right. A check that takes longer than all that may be saved up is still
 * made now and then. */
static void cost_learn(struct passwords *passwords, const struct password_job *job)
{
    int64_t took = job->took_ms > 0 ? job->took_ms : 1;
    if (took > PASSWORD_BUDGET_MS)
        took = PASSWORD_BUDGET_MS;
    passwords->budget_ms += job->reckoned_ms - took;
    passwords->cost_ms = took;
}

void passwords_tick(struct passwords *passwords,
                    void (*done)(void *context, const char *client_id, const void *pointer,
                                 bool right),
                    void *context)
{
    for (size_t i = 0; passwords->running && i < PASSWORD_JOBS; i++) {
        struct password_job *job = &passwords->jobs[i];
        if (atomic_load(&job->state) != PASSWORD_DONE)
            continue;
        *slot_of(passwords, &job->digest) =
            (struct password_slot){job->digest, job->right ? PASSWORD_RIGHT : PASSWORD_WRONG};
        cost_learn(passwords, job);
        char *waiting = job->waiting;
        bool right = job->right && !job->refuse;
        const void *pointer = job->pointer;
        job->waiting = NULL;
        atomic_store(&job->state, PASSWORD_FREE);
        if (waiting)
            done(context, waiting, pointer, right);
        free(waiting);
    }
}
