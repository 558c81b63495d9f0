/* writer.h - the one thread that writes the presence store.
 *
 *   broker's thread --submit--> [ todo ] --> writer: one transaction for all that waits, one sync
 *   broker's thread <-collect-- [ done ] <--
 *
 * Both lists are lock-free stacks with one taker, so the broker's thread never waits for a disk or
 * a lock. The longer a sync takes, the more the next transaction holds. Jobs come back in the order
 * in which they were submitted, each with the result of its transaction.
 */
#ifndef DEVREG_PLUGIN_WRITER_H
#define DEVREG_PLUGIN_WRITER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "registry/presence_store.h"

enum job_kind {
    JOB_PUT,    /* store the record */
    JOB_DELETE, /* forget the device; `existed` tells whether there was a record */
    JOB_TOPIC,  /* note the record, a text, as the topic in use */
};

/* Made by the submitter with malloc; whoever collects it frees it, with pack_free for `record`. */
struct job {
    struct job *next;
    enum job_kind kind;
    enum err result;
    bool existed;
    bool sessions;      /* JOB_PUT: the record names sessions, or the one before did */
    struct pack record; /* JOB_PUT: as presence_encode made it */
    void *payload;      /* the submitter's, as `payload_size` is: to be published when it is done */
    size_t payload_size;
    char device[DEVICE_ID_MAX + 1];
};

struct writer {
    struct store *store; /* lent */
    bool runs;           /* is there a thread? */
    pthread_t thread;
    sem_t wake;
    _Atomic(struct job *) todo, done;
    atomic_bool stop;
};

/* Nothing else may begin a write scope on `store` from the first job until writer_close. The thread
 * starts with that job: in a process with one thread the C library takes no locks, which makes each
 * message some 5 % cheaper for the broker. */
MUST_CHECK enum err writer_open(struct writer *writer, struct store *store);

/* Hands the job over. False, and it is still the caller's, where the thread cannot be started. */
bool writer_submit(struct writer *writer, struct job *job);

/* All jobs that are done, first submitted first; NULL for none. */
struct job *writer_collect(struct writer *writer);

/* Waits until all that was submitted is written, and ends the thread. Returns what was not
 * collected, as writer_collect does. */
struct job *writer_close(struct writer *writer);

#endif
