#include "tests/plugin/disk.h"

#include <time.h>

#include "plugin/writer.h"

enum { PAUSE_NS = 20000 };

/* First in, first out. */
struct fifo {
    struct job *first, *last;
};

static struct {
    struct writer *writer; /* of the latest job */
    struct fifo held, done;
    bool holds, quiet;
    atomic_bool fails;
    atomic_bool failed; /* something, since that was asked last */
    size_t jobs;
} disk;

/* The linker's names. NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c) */
bool __real_writer_submit(struct writer *writer, struct job *job);
struct job *__real_writer_collect(struct writer *writer);
struct job *__real_writer_close(struct writer *writer);
bool __real_writer_rest(struct writer *writer);
bool __real_writer_made(struct writer *writer, enum err *result);
enum err __real_txn_write(struct txn **txn, struct store *store);
bool __wrap_writer_submit(struct writer *writer, struct job *job);
struct job *__wrap_writer_collect(struct writer *writer);
struct job *__wrap_writer_close(struct writer *writer);
bool __wrap_writer_rest(struct writer *writer);
bool __wrap_writer_made(struct writer *writer, enum err *result);
enum err __wrap_txn_write(struct txn **txn, struct store *store);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c) */

static void push(struct fifo *fifo, struct job *job)
{
    job->next = NULL;
    *(fifo->first ? &fifo->last->next : &fifo->first) = job;
    fifo->last = job;
}

static struct job *pop(struct fifo *fifo)
{
    struct job *job = fifo->first;
    if (job)
        fifo->first = job->next;
    return job;
}

/* Those that are done, in their order. Returns how many. */
static size_t take(struct job *jobs)
{
    size_t count = 0;
    for (struct job *next; jobs; jobs = next, count++) {
        next = jobs->next;
        push(&disk.done, jobs);
    }
    return count;
}

void disk_let_go(void)
{
    for (struct job *job; (job = pop(&disk.held));)
        (void)__real_writer_submit(disk.writer, job);
}

static void await(size_t left)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    while (left) {
        left -= take(__real_writer_collect(disk.writer));
        if (left)
            (void)nanosleep(&pause, NULL);
    }
}

static void write_all(void)
{
    size_t left = 0;
    for (const struct job *job = disk.held.first; job; job = job->next)
        left++;
    disk_let_go();
    await(left);
}

static void go_on(void)
{
    if (!disk.holds)
        write_all();
}

/* Whoever writes the registry does it on another thread. */
enum err __wrap_txn_write(struct txn **txn, struct store *store)
{
    bool writer =
        disk.writer && disk.writer->runs && pthread_equal(pthread_self(), disk.writer->thread);
    if (!writer || !atomic_load(&disk.fails))
        return __real_txn_write(txn, store);
    atomic_store(&disk.failed, true);
    return ERR_FULL;
}

bool __wrap_writer_submit(struct writer *writer, struct job *job)
{
    disk.writer = writer;
    disk.jobs++;
    job->result = ERR_OK;
    if (!disk.holds && !writer->runs) { /* the thread starts, or cannot */
        if (!__real_writer_submit(writer, job))
            return false;
        await(1);
        return true;
    }
    push(&disk.held, job);
    go_on();
    return true;
}

struct job *__wrap_writer_collect(struct writer *writer)
{
    (void)writer;
    struct job *jobs = disk.quiet ? NULL : disk.done.first;
    if (jobs)
        disk.done = (struct fifo){NULL, NULL};
    return jobs;
}

/* A thread that is to end has ended, a store that is to be made is made: here a turn takes no time.
 */
bool __wrap_writer_rest(struct writer *writer)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    while (!__real_writer_rest(writer))
        (void)nanosleep(&pause, NULL);
    return true;
}

bool __wrap_writer_made(struct writer *writer, enum err *result)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    while (!__real_writer_made(writer, result))
        (void)nanosleep(&pause, NULL);
    return true;
}

struct job *__wrap_writer_close(struct writer *writer)
{
    disk.holds = false;
    disk.writer = writer;
    if (disk.held.first)
        go_on();
    (void)take(__real_writer_close(writer));
    disk.writer = NULL; /* another run of the broker has another */
    struct job *jobs = disk.done.first;
    disk.done = (struct fifo){NULL, NULL};
    return jobs;
}

void disk_hold(bool hold)
{
    disk.holds = hold;
    if (disk.held.first)
        go_on();
}

void disk_fail(bool fail)
{
    atomic_store(&disk.fails, fail);
}

bool disk_fails(void)
{
    return atomic_load(&disk.fails);
}

bool disk_has_failed(void)
{
    return atomic_exchange(&disk.failed, false);
}

void disk_keep_quiet(bool quiet)
{
    disk.quiet = quiet;
}

size_t disk_jobs(void)
{
    return disk.jobs;
}
