#include "plugin/writer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

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

static void apply_put(struct txn *txn, const struct job *job)
{
    const struct bytes record = {job->record.data, job->record.size};
    struct presence now, before;
    if (!job->sessions) {
        presence_put_encoded(txn, job->device, record);
        return;
    }
    enum err e = presence_decode(&now, record);
    if (e)
        txn_fail(txn, e);
    /* A damaged one before is replaced, like none. */
    bool had = presence_get(txn, job->device, &before) == ERR_OK;
    if (!e)
        presence_put(txn, job->device, &now, had ? &before : NULL);
}

static void apply_delete(struct txn *txn, struct job *job)
{
    struct presence before;
    enum err e = presence_get(txn, job->device, &before);
    job->existed = e != ERR_NOT_FOUND;
    presence_delete(txn, job->device, e ? NULL : &before);
}

static void apply(struct txn *txn, struct job *job)
{
    switch (job->kind) {
    case JOB_PUT:
        apply_put(txn, job);
        break;
    case JOB_DELETE:
        apply_delete(txn, job);
        break;
    case JOB_TOPIC:
        presence_topic_put(txn, (const char *)job->record.data);
        break;
    }
}

static enum err write_all(struct writer *writer, struct job *jobs)
{
    struct txn *txn;
    enum err e = txn_write(&txn, writer->store);
    if (e)
        return e;
    for (struct job *job = jobs; job; job = job->next)
        apply(txn, job);
    return txn_commit(txn);
}

static void *run(void *context)
{
    struct writer *writer = context;
    for (;;) {
        while (sem_wait(&writer->wake) != 0 && errno == EINTR)
            ;
        bool stop = atomic_load(&writer->stop); /* before the last look at what waits */
        struct job *jobs = take(&writer->todo);
        enum err e = jobs ? write_all(writer, jobs) : ERR_OK;
        for (struct job *job = jobs, *next; job; job = next) {
            next = job->next;
            job->result = e;
            push(&writer->done, job);
        }
        if (stop)
            return NULL;
    }
}

enum err writer_open(struct writer *writer, struct store *store)
{
    *writer = (struct writer){.store = store};
    return sem_init(&writer->wake, 0, 0) == 0 ? ERR_OK : ERR_NO_MEMORY;
}

static bool start(struct writer *writer)
{
    sigset_t all, before;
    /* Signals are the broker's: its own thread has to see them. */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    writer->runs = pthread_create(&writer->thread, NULL, run, writer) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return writer->runs;
}

bool writer_submit(struct writer *writer, struct job *job)
{
    if (!writer->runs && !start(writer))
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
