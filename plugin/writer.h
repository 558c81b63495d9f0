/* writer.h - the one thread that writes the presence store.
 *
 *   broker's thread --submit--> [ todo ] --> writer: one transaction for all that waits, one sync
 *   broker's thread <-collect-- [ done ] <--
 *
 * Both lists are lock-free stacks with one taker, so the broker's thread never waits for a disk or
 * a lock. The longer a sync takes, the more the next transaction holds. Jobs come back in the order
 * in which they were submitted, each with the result of its transaction.
 *
 * The transaction also keeps the counts, and appends to the feed (presence_feed.h) what happened.
 */
#ifndef DEVREG_PLUGIN_WRITER_H
#define DEVREG_PLUGIN_WRITER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "registry/presence_feed.h"
#include "registry/quarantine.h"

struct presence_entry;

enum job_kind {
    JOB_PUT,        /* store the record */
    JOB_DELETE,     /* forget the device; what it had published is to be cleared: `old_topic` */
    JOB_FORGET,     /* forget the cleared topic `topic` */
    JOB_WALKED,     /* all records were walked: old patterns are history */
    JOB_KNOWN,      /* that the store was new is history */
    JOB_BEGIN,      /* note the patterns and the version of this run */
    JOB_QUARANTINE, /* store the record, which is a quarantine's */
    JOB_RELEASE,    /* forget the quarantine of that generation and version */
};

/* Made by the submitter with malloc; whoever collects it ends it with job_free. */
struct job {
    struct job *next;
    enum job_kind kind;
    enum err result;
    /* JOB_PUT */
    bool sessions;         /* the record names sessions; */
    bool seen, online;     /* it is of a device that ever connected, that is online; */
    uint32_t place;        /* the number of the pattern that its message stands under */
    uint8_t feeds;         /* 1 << FEED_...: what happened */
    struct feed_item item; /* its device is the job's; `kind` is not used */
    uint64_t generation, seq;
    uint64_t version;          /* JOB_RELEASE */
    struct pack record;        /* as presence_encode or quarantine_encode made it */
    struct patterns *patterns; /* JOB_BEGIN; else NULL */
    /* The submitter's. */
    struct presence_entry *entry; /* that it is of, which stays until it is done; or NULL */
    void *payload; /* what is to be published when it is done, from the broker's memory */
    size_t payload_size;
    char *topic;     /* where, if the pattern names attributes; else NULL */
    char *old_topic; /* set by the writer: where a message stood that is to be cleared; or NULL */
};

void job_free(struct job *job);

enum making { MAKING_NOTHING, MAKING_WANTED, MAKING_DONE };

struct writer {
    struct store *store; /* lent */
    bool runs;           /* is there a thread? */
    pthread_t thread;
    sem_t wake;
    _Atomic(struct job *) todo, done;
    atomic_bool stop, ended;
    struct presence_counts counts;   /* as of the last piece of the feed */
    uint64_t piece;                  /* its number */
    bool recount;                    /* nobody knows the counts: the next job finds them */
    enum err (*make)(void *context); /* see writer_make */
    void *make_context;
    enum err made;
    _Atomic(enum making) making;
};

/* Nothing else may begin a write scope on `store` from the first job until writer_close. The thread
 * starts with that job: in a process with one thread the C library takes no locks, which makes each
 * message some 5 % cheaper for the broker. `reader` is an open scope. */
MUST_CHECK enum err writer_open(struct writer *writer, struct store *store, struct txn *reader);

/* Ends the thread, which begins again with the next job: with it end the locks that it may have
 * left in a store that was lost. Nothing is submitted that was not collected. False where it has
 * not ended yet: then it is asked again. It does not wait. */
bool writer_rest(struct writer *writer);

/* Goes on with another store, after writer_rest. */
MUST_CHECK enum err writer_turn_to(struct writer *writer, struct store *store, struct txn *reader);

/* Has `make` called on the writer's thread, where a sync does no harm. writer_made tells whether it
 * is done, once, and what it returned. False where the thread cannot be started. */
bool writer_make(struct writer *writer, enum err (*make)(void *context), void *context);
bool writer_made(struct writer *writer, enum err *result);

/* Hands the job over. False, and it is still the caller's, where the thread cannot be started. */
bool writer_submit(struct writer *writer, struct job *job);

/* All jobs that are done, first submitted first; NULL for none. */
struct job *writer_collect(struct writer *writer);

/* Waits until all that was submitted is written, and ends the thread. Returns what was not
 * collected, as writer_collect does. */
struct job *writer_close(struct writer *writer);

#endif
