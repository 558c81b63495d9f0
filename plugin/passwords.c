#include "plugin/passwords.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/password_hash.h"
#include "registry/text.h"

enum { FIRST_COST_MS = 50, MEASURED_ROUNDS = 50, MEASUREMENTS = 3 };

/* The strings that crypto_password_hash makes, of random letters. */
static void decoy_make(struct credential *decoy)
{
    static const char form[] = "$argon2id$v=19$m=19456,t=2,p=1$"
                               "SSSSSSSSSSSSSSSSSSSSSA$HHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHA";
    *decoy = (struct credential){.kind = CREDENTIAL_PASSWORD, .secret_size = sizeof form - 1};
    for (size_t i = 0; form[i]; i++) {
        bool any = form[i] == 'S' || form[i] == 'H';
        char letter = (char)('a' + (char)crypto_random_below(26));
        decoy->secret[i] = (uint8_t)(any ? letter : form[i]);
    }
}

void passwords_open(struct passwords *passwords)
{
    crypto_random(passwords->key, sizeof passwords->key);
    decoy_make(&passwords->decoy);
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

static const struct credential *credential_of(const struct passwords *passwords,
                                              const struct password_question *question)
{
    return question->credential ? question->credential : &passwords->decoy;
}

static struct password_digest digest_of(const struct passwords *passwords,
                                        const struct password_question *question)
{
    struct password_digest digest = {{0}};
    const struct credential *credential = credential_of(passwords, question);
    const uint64_t numbers[] = {strlen(question->name), question->generation, credential->id,
                                credential->secret_size};
    const struct crypto_part parts[] = {{numbers, sizeof numbers},
                                        {question->name, strlen(question->name)},
                                        {credential->secret, credential->secret_size},
                                        {question->password, strlen(question->password)}};
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
    if (*us > PASSWORD_PLACE_US)
        return false;
    passwords->place_rounds = hash.rounds;
    return true;
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

/* The work of a cheap check where there is no password: what the last one took. False where there
 * was none, or it is over the budget. */
static bool pretend_in_place(struct passwords *passwords, const char *password, int64_t now)
{
    static const uint8_t salt[12];
    uint8_t hash[CRYPTO_SHA512_SIZE];
    uint32_t rounds = passwords->place_rounds;
    if (!rounds || !place_spend(passwords, 1 + rounds * passwords->round_ns / 1000, now))
        return false;
    crypto_pbkdf2_sha512(hash, password, salt, sizeof salt, rounds);
    return true;
}

/* Checks here and now what is cheap enough. PASSWORD_LATER for what is not. */
static enum password_answer check_in_place(struct passwords *passwords,
                                           const struct password_question *question,
                                           const struct password_digest *digest, int64_t now)
{
    enum password_answer answer = PASSWORD_WRONG;
    int64_t us;
    if (question->credential) {
        const char *hash = (const char *)question->credential->secret; /* with its NUL */
        if (!is_cheap(passwords, hash, &us) || !place_spend(passwords, us, now))
            return PASSWORD_LATER;
        if (password_hash_verify(hash, question->password))
            answer = PASSWORD_RIGHT;
    } else if (!pretend_in_place(passwords, question->password, now)) {
        return PASSWORD_LATER;
    }
    *slot_of(passwords, digest) = (struct password_slot){*digest, answer};
    return answer;
}

/* A job that is on its way for the digest, or else a free one, or NULL. */
static struct password_job *job_for(struct passwords *passwords,
                                    const struct password_digest *digest, bool home)
{
    struct password_job *free_job = NULL;
    size_t free_jobs = 0;
    for (size_t i = 0; i < PASSWORD_JOBS; i++) {
        struct password_job *job = &passwords->jobs[i];
        if (atomic_load(&job->state) == PASSWORD_FREE) {
            free_job = job;
            free_jobs++;
        } else if (same(&job->digest, digest)) {
            return job;
        }
    }
    return home || free_jobs > PASSWORD_HOME_JOBS ? free_job : NULL;
}

/* Takes the cost of one more check out of the budget. A check that costs nearly all of it is made
 * when it is full. */
static bool budget_spend(struct passwords *passwords, bool home, int64_t now)
{
    int64_t earned = (now - passwords->budget_at) / PASSWORD_BUDGET_RATE;
    int64_t needed = passwords->cost_ms + (home ? 0 : PASSWORD_HOME_MS);
    if (passwords->budget_at == 0 || earned > PASSWORD_BUDGET_MS)
        earned = PASSWORD_BUDGET_MS;
    if (earned > 0) {
        passwords->budget_at = now;
        passwords->budget_ms += earned;
    }
    if (passwords->budget_ms > PASSWORD_BUDGET_MS)
        passwords->budget_ms = PASSWORD_BUDGET_MS;
    if (passwords->budget_ms < (needed < PASSWORD_BUDGET_MS ? needed : PASSWORD_BUDGET_MS))
        return false;
    passwords->budget_ms -= passwords->cost_ms;
    return true;
}

/* Nobody waits for what a decoy's hash is: then there is none, and the worker is done at once. */
static bool job_queue(struct passwords *passwords, struct password_job *job,
                      const struct password_digest *digest,
                      const struct password_question *question, int64_t now)
{
    const struct credential *credential = credential_of(passwords, question);
    bool hashes = question->credential || question->client_id;
    if (!start(passwords) || !budget_spend(passwords, question->asker.home, now))
        return false;
    job->digest = *digest;
    memcpy(job->hash, credential->secret, hashes ? credential->secret_size : 0);
    job->hash[hashes ? credential->secret_size : 0] = '\0';
    (void)text_copy(job->password, PASSWORD_MAX, question->password);
    job->refuse = false;
    job->asker = question->asker;
    job->pointer = question->pointer;
    job->reckoned_ms = passwords->cost_ms;
    atomic_store(&job->state, PASSWORD_QUEUED);
    (void)sem_post(&passwords->wake); /* fails only past 2^31 posts that nobody took */
    return true;
}

static enum password_answer hand_over(struct passwords *passwords,
                                      const struct password_digest *digest,
                                      const struct password_question *question, int64_t now)
{
    const char *client_id = question->client_id;
    struct password_job *job = job_for(passwords, digest, question->asker.home);
    if (!job)
        return PASSWORD_UNSEEN;
    bool queued = atomic_load(&job->state) != PASSWORD_FREE;
    if (queued)
        return client_id ? PASSWORD_UNSEEN : PASSWORD_LATER; /* one waits for an answer, not two */
    job->waiting = client_id ? strdup(client_id) : NULL;
    if ((!client_id || job->waiting) && job_queue(passwords, job, digest, question, now))
        return PASSWORD_LATER;
    free(job->waiting);
    job->waiting = NULL;
    return PASSWORD_UNSEEN;
}

/* The digest, and what is remembered of it. */
static enum password_answer recall(struct passwords *passwords,
                                   const struct password_question *question,
                                   struct password_digest *digest)
{
    if (strnlen(question->password, PASSWORD_MAX + 1) > PASSWORD_MAX)
        return PASSWORD_WRONG;
    if (!passwords->answers)
        passwords->answers = calloc(PASSWORD_ANSWERS, sizeof *passwords->answers);
    if (!passwords->answers)
        return PASSWORD_UNSEEN;
    *digest = digest_of(passwords, question);
    const struct password_slot *slot = slot_of(passwords, digest);
    return same(&slot->digest, digest) ? slot->answer : PASSWORD_LATER;
}

enum password_answer passwords_recall(struct passwords *passwords,
                                      const struct password_question *question)
{
    struct password_digest digest;
    enum password_answer answer = recall(passwords, question, &digest);
    return answer == PASSWORD_LATER ? PASSWORD_UNSEEN : answer;
}

enum password_answer passwords_ask(struct passwords *passwords,
                                   const struct password_question *question, int64_t now)
{
    struct password_digest digest;
    enum password_answer answer = recall(passwords, question, &digest);
    if (answer != PASSWORD_LATER)
        return answer;
    answer = check_in_place(passwords, question, &digest, now);
    if (answer == PASSWORD_RIGHT)
        return answer;
    struct password_question rest = *question;
    if (answer == PASSWORD_WRONG) /* it takes as long as what the worker finds */
        rest.credential = NULL;
    bool known = answer == PASSWORD_WRONG || (!rest.credential && !passwords->running);
    if (known && !rest.client_id)
        return PASSWORD_WRONG;
    answer = hand_over(passwords, &digest, &rest, now);
    return known && answer == PASSWORD_UNSEEN ? PASSWORD_WRONG : answer;
}

bool passwords_may_wait(const struct passwords *passwords, uint64_t client_hash, int64_t now)
{
    const struct password_waited *waited = &passwords->waited[client_hash % PASSWORD_WAITED];
    return waited->client_hash != client_hash || now - waited->at >= PASSWORD_WAIT_MS;
}

void passwords_waited(struct passwords *passwords, uint64_t client_hash, int64_t now)
{
    passwords->waited[client_hash % PASSWORD_WAITED] = (struct password_waited){client_hash, now};
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
 * made now and then. A decoy without a hash tells nothing about the next check. */
static void cost_learn(struct passwords *passwords, const struct password_job *job)
{
    int64_t took = job->took_ms > 0 ? job->took_ms : 1;
    if (took > PASSWORD_BUDGET_MS)
        took = PASSWORD_BUDGET_MS;
    passwords->budget_ms += job->reckoned_ms - took;
    if (job->hash[0])
        passwords->cost_ms = took;
}

void passwords_tick(struct passwords *passwords,
                    void (*done)(void *context, const struct password_found *found), void *context)
{
    for (size_t i = 0; passwords->running && i < PASSWORD_JOBS; i++) {
        struct password_job *job = &passwords->jobs[i];
        if (atomic_load(&job->state) != PASSWORD_DONE)
            continue;
        *slot_of(passwords, &job->digest) =
            (struct password_slot){job->digest, job->right ? PASSWORD_RIGHT : PASSWORD_WRONG};
        cost_learn(passwords, job);
        char *waiting = job->waiting;
        const struct password_found found = {waiting, job->pointer, job->asker, job->right,
                                             job->refuse};
        job->waiting = NULL;
        atomic_store(&job->state, PASSWORD_FREE);
        done(context, &found);
        free(waiting);
    }
}
