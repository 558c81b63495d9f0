#include "plugin/writer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/mosq.h"

static void push(_Atomic(struct job *) *stack, struct job *job)
{
    job->next = atomic_load(stack);
    while (!atomic_compare_exchange_weak(stack, &job->next, job))
        ;
}

/* Takes the whole stack, and turns it over: first pushed first. */
static struct job *take(_Atomic(struct job *) *stack)
{
    struct job *jobs = atomic_exchange(stack, NULL), *turned = NULL;
    while (jobs) {
        struct job *next = jobs->next;
        jobs->next = turned;
        turned = jobs;
        jobs = next;
    }
    return turned;
}

void job_free(struct job *job)
{
    pack_free(&job->record);
    mosquitto_free(job->payload);
    free(job->patterns);
    free(job->topic);
    free(job->old_topic);
    free(job);
}

/* One transaction: what it adds to the counts and to the feed. */
struct batch {
    struct txn *txn;
    struct presence_counts counts;
    struct pack feed;
    bool recount;
};

static void count(struct batch *batch, uint64_t *value, int change)
{
    batch->recount |= change < 0 && !*value;
    *value += (uint64_t)change;
}

static void feed(struct batch *batch, const struct job *job)
{
    struct feed_item item = job->item;
    for (unsigned kind = 0; kind < FEED_KINDS; kind++) {
        item.kind = (enum feed_kind)kind;
        if (job->feeds & 1u << kind)
            feed_item_add(&batch->feed, &item);
    }
}

/* The message that stood there is to be cleared, now and, since the broker may come back with what
 * it saved before, at the next starts. False where it stays there. */
static bool topic_leave(struct batch *batch, struct job *job, const struct presence *before)
{
    char topic[PRESENCE_TOPIC_MAX + 1];
    enum err e = standing_topic_get(batch->txn, job->item.device, before, topic);
    if (e && e != ERR_NOT_FOUND && e != ERR_DAMAGED)
        txn_fail(batch->txn, e);
    if (e)
        return true;
    if (job->topic && strcmp(job->topic, topic) == 0)
        return false;
    cleared_topic_put(batch->txn, topic, job->item.device, job->item.time);
    job->old_topic = strdup(topic);
    if (!job->old_topic)
        txn_fail(batch->txn, ERR_NO_MEMORY);
    return true;
}

/* Its message may stand elsewhere from now on. */
static void topic_follow(struct batch *batch, struct job *job, const struct presence *before)
{
    bool moved = !before || before->place != job->place;
    bool left = before && (moved || job->topic) && topic_leave(batch, job, before);
    if (moved || left)
        standing_topic_put(batch->txn, job->item.device, job->topic);
}

/* The session owners follow. */
static void put_with_sessions(struct batch *batch, const struct job *job, struct bytes record,
                              const struct presence *before)
{
    struct presence now;
    enum err e = presence_decode(&now, record);
    if (e)
        txn_fail(batch->txn, e);
    else
        presence_put(batch->txn, job->item.device, &now, before);
}

/* Stores the record if the device has none, which most often is all that there is to do. */
static enum err put_first(struct batch *batch, const struct job *job, struct bytes record)
{
    if (job->sessions)
        return ERR_EXISTS; /* or it may: presence_put does not ask */
    return presence_insert_encoded(batch->txn, job->item.device, record);
}

/* By the record that was there before, so that it does not matter which jobs were written and which
 * failed. A damaged one is replaced, like none, and nobody knows how it was counted. */
static void apply_put(struct batch *batch, struct job *job)
{
    const struct bytes record = {job->record.data, job->record.size};
    struct presence before;
    bool first = put_first(batch, job, record) == ERR_OK;
    enum err e = first ? ERR_NOT_FOUND : presence_get(batch->txn, job->item.device, &before);
    bool had = e == ERR_OK;
    batch->recount |= e && e != ERR_NOT_FOUND;
    count(batch, &batch->counts.seen, job->seen - (had && before.connections));
    count(batch, &batch->counts.online, job->online - (had && before.online));
    if (job->sessions || (had && before.session_count))
        put_with_sessions(batch, job, record, had ? &before : NULL);
    else if (!first)
        presence_put_encoded(batch->txn, job->item.device, record);
    if (job->topic || e != ERR_NOT_FOUND)
        topic_follow(batch, job, had ? &before : NULL);
    if (job->seq > batch->counts.seq)
        batch->counts.seq = job->seq;
}

/* The number of the pattern in use; 0 for none. */
static uint32_t place_in_use(const struct batch *batch)
{
    struct patterns patterns;
    bool known = patterns_get(batch->txn, &patterns) == ERR_OK && patterns.count;
    return known ? patterns_current(&patterns)->number : 0;
}

/* A damaged record does not say where its message stands: most likely where messages stand now. */
static void apply_delete(struct batch *batch, struct job *job)
{
    struct presence before;
    enum err e = presence_get(batch->txn, job->item.device, &before);
    if (e == ERR_NOT_FOUND)
        return;
    if (e)
        before = (struct presence){.place = place_in_use(batch)};
    presence_delete(batch->txn, job->item.device, e ? NULL : &before);
    (void)topic_leave(batch, job, &before);
    standing_topic_put(batch->txn, job->item.device, NULL);
    batch->recount |= e != ERR_OK;
    count(batch, &batch->counts.seen, before.connections ? -1 : 0);
    count(batch, &batch->counts.online, before.online ? -1 : 0);
    job->feeds = 1u << FEED_REMOVED;
}

/* What cannot be read is written anew at the next start. */
static void apply_walked(struct batch *batch)
{
    struct patterns patterns;
    if (patterns_get(batch->txn, &patterns) != ERR_OK)
        return;
    patterns_settle(&patterns);
    patterns_put(batch->txn, &patterns);
}

/* Another one may have begun since. */
static void apply_release(struct batch *batch, const struct job *job)
{
    struct quarantine now;
    enum err e = quarantine_get(batch->txn, job->item.device, &now);
    if (e == ERR_DAMAGED || (!e && quarantine_holds(&now, job->generation, job->version)))
        quarantine_delete(batch->txn, job->item.device);
}

static void apply(struct batch *batch, struct job *job)
{
    free(job->old_topic); /* of an earlier try */
    job->old_topic = NULL;
    switch (job->kind) {
    case JOB_PUT:
        apply_put(batch, job);
        break;
    case JOB_DELETE:
        apply_delete(batch, job);
        break;
    case JOB_FORGET:
        cleared_topic_delete(batch->txn, job->topic);
        break;
    case JOB_WALKED:
        apply_walked(batch);
        break;
    case JOB_KNOWN:
        store_is_known(batch->txn);
        break;
    case JOB_BEGIN:
        patterns_put(batch->txn, job->patterns);
        ran_version_put(batch->txn, DEVREG_VERSION);
        break;
    case JOB_QUARANTINE:
        quarantine_put(batch->txn, job->item.device,
                       (struct bytes){job->record.data, job->record.size});
        break;
    case JOB_RELEASE:
        apply_release(batch, job);
        break;
    }
    if (job->feeds)
        feed(batch, job);
}

/* Has it anything to append to the feed, or to its head? */
static bool has_piece(const struct batch *batch, const struct presence_counts *last)
{
    const struct presence_counts *counts = &batch->counts;
    return batch->feed.size || batch->feed.failed || batch->recount || counts->seen != last->seen ||
           counts->online != last->online || counts->seq != last->seq;
}

static enum err write_all(struct writer *writer, struct job *jobs)
{
    struct batch batch = {.counts = writer->counts, .recount = writer->recount};
    enum err e = txn_write(&batch.txn, writer->store);
    if (e)
        return e;
    for (struct job *job = jobs; job; job = job->next)
        apply(&batch, job);
    if (batch.recount) {
        e = presence_counts_find(batch.txn, &batch.counts);
        if (e)
            txn_fail(batch.txn, e);
        batch.counts.seq =
            batch.counts.seq > writer->counts.seq ? batch.counts.seq : writer->counts.seq;
    }
    bool piece = has_piece(&batch, &writer->counts);
    if (piece)
        feed_put(batch.txn, writer->piece + 1, &batch.counts, &batch.feed);
    pack_free(&batch.feed);
    e = txn_commit(batch.txn);
    if (e)
        return e;
    writer->recount = false;
    if (piece) {
        writer->counts = batch.counts;
        writer->piece++;
    }
    return ERR_OK;
}

static void *run(void *context)
{
    struct writer *writer = context;
    for (;;) {
        while (sem_wait(&writer->wake) != 0 && errno == EINTR)
            ;
        bool stop = atomic_load(&writer->stop); /* before the last look at what waits */
        if (atomic_load(&writer->making) == MAKING_WANTED) {
            writer->made = writer->make(writer->make_context);
            atomic_store(&writer->making, MAKING_DONE);
        }
        struct job *jobs = take(&writer->todo);
        enum err e = jobs ? write_all(writer, jobs) : ERR_OK;
        for (struct job *job = jobs, *next; job; job = next) {
            next = job->next;
            job->result = e;
            push(&writer->done, job);
        }
        if (stop) {
            atomic_store(&writer->ended, true);
            return NULL;
        }
    }
}

enum err writer_open(struct writer *writer, struct store *store, struct txn *reader)
{
    *writer = (struct writer){.store = store};
    enum err e = feed_last(reader, &writer->piece);
    if (!e)
        e = presence_counts_get(reader, &writer->counts);
    if (e == ERR_DAMAGED)
        e = presence_counts_find(reader, &writer->counts);
    if (e)
        return e;
    return sem_init(&writer->wake, 0, 0) == 0 ? ERR_OK : ERR_NO_MEMORY;
}

/* The thread sees it with the next job. */
enum err writer_turn_to(struct writer *writer, struct store *store, struct txn *reader)
{
    uint64_t piece;
    struct presence_counts counts = {0};
    enum err e = feed_last(reader, &piece);
    enum err counted = e ? e : presence_counts_get(reader, &counts);
    if (counted && counted != ERR_DAMAGED)
        return counted;
    writer->store = store;
    writer->piece = piece;
    writer->counts = counts;
    writer->recount = counted == ERR_DAMAGED;
    return ERR_OK;
}

static bool start(struct writer *writer)
{
    sigset_t all, before;
    /* Signals are the broker's: its own thread has to see them. But SIGBUS is of the thread that
     * met it, and one that blocks it ends the process: see registry/lost_pages.h. */
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    atomic_store(&writer->stop, false);
    atomic_store(&writer->ended, false);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    writer->runs = pthread_create(&writer->thread, NULL, run, writer) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return writer->runs;
}

bool writer_rest(struct writer *writer)
{
    if (!writer->runs)
        return true;
    if (!atomic_exchange(&writer->stop, true))
        (void)sem_post(&writer->wake);
    if (!atomic_load(&writer->ended))
        return false;
    (void)pthread_join(writer->thread, NULL); /* it has nothing left to do */
    writer->runs = false;
    return true;
}

/* One that was to end, and had nothing to do, gives way to a new one. */
static bool is_ready(struct writer *writer)
{
    if (writer->runs && atomic_load(&writer->stop)) {
        (void)pthread_join(writer->thread, NULL);
        writer->runs = false;
    }
    return writer->runs || start(writer);
}

bool writer_make(struct writer *writer, enum err (*make)(void *context), void *context)
{
    if (!is_ready(writer))
        return false;
    writer->make = make;
    writer->make_context = context;
    atomic_store(&writer->making, MAKING_WANTED);
    (void)sem_post(&writer->wake);
    return true;
}

bool writer_made(struct writer *writer, enum err *result)
{
    if (atomic_load(&writer->making) != MAKING_DONE)
        return false;
    *result = writer->made;
    atomic_store(&writer->making, MAKING_NOTHING);
    return true;
}

bool writer_submit(struct writer *writer, struct job *job)
{
    if (!is_ready(writer))
        return false;
    push(&writer->todo, job);
    (void)sem_post(&writer->wake); /* fails only past 2^31 posts that nobody took */
    return true;
}

struct job *writer_collect(struct writer *writer)
{
    return atomic_load(&writer->done) ? take(&writer->done) : NULL;
}

struct job *writer_close(struct writer *writer)
{
    if (writer->runs) {
        atomic_store(&writer->stop, true);
        (void)sem_post(&writer->wake);
        (void)pthread_join(writer->thread, NULL);
    }
    (void)sem_destroy(&writer->wake);
    return writer_collect(writer);
}
