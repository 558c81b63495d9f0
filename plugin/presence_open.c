#include "plugin/presence_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "plugin/clock.h"
#include "plugin/message.h"
#include "plugin/mosq.h"
#include "plugin/presence_entry.h"
#include "plugin/presence_jobs.h"
#include "plugin/presence_walk.h"

/* Never over another file: of two in one second the later has a number. */
static bool move_aside(const char *from, char *to, size_t size)
{
    enum { MOST = 1000 };
    const size_t length = strlen(to);
    int number = 0;
    while (linkat(AT_FDCWD, from, AT_FDCWD, to, 0) != 0) {
        if (errno != EEXIST || ++number == MOST)
            return false;
        snprintf(to + length, size - length, "-%d", number);
    }
    return unlink(from) == 0;
}

/* Puts a damaged store out of the way, where a person may look at it. */
static enum err put_aside(struct presences *presences)
{
    const char *dir = presences->options->presence_store;
    char from[OPTION_PATH_MAX + 32], to[OPTION_PATH_MAX + 64];
    snprintf(from, sizeof from, "%s/data.mdb", dir);
    snprintf(to, sizeof to, "%s/data.mdb.damaged-%lld", dir, (long long)time(NULL));
    if (!move_aside(from, to, sizeof to))
        return ERR_DAMAGED;
    presences->broken = false;
    presences->aside = true;
    journal_add(presences->journal, MOSQ_LOG_ERR,
                "the presence store was damaged: it lies aside as %s, and last-seen times begin "
                "anew",
                to);
    return ERR_OK;
}

/* Nothing but that it is new. */
static enum err begin_anew(struct txn *txn, void *context)
{
    (void)context;
    store_begins_anew(txn);
    return ERR_OK;
}

/* `context`: the options. Whose the directory is, his are the files, also where root makes them. */
static enum err store_make(void *context)
{
    const struct options *options = context;
    struct stat dir;
    struct store_files files = {geteuid(), getegid(), 0640, 0660};
    if (files.uid == 0 && stat(options->presence_store, &dir) == 0 && dir.st_uid != 0) {
        files.uid = dir.st_uid;
        files.gid = dir.st_gid;
    }
    return store_create(options->presence_store, STORE_PRESENCE, &files, begin_anew, NULL);
}

static enum err store_open_or_make(struct presences *presences)
{
    const char *dir = presences->options->presence_store;
    enum err e = store_open(&presences->store, dir, STORE_PRESENCE, STORE_WRITE);
    if (e != ERR_NO_REGISTRY)
        return e;
    e = store_make((void *)presences->options);
    return e ? e : store_open(&presences->store, dir, STORE_PRESENCE, STORE_WRITE);
}

/* Notes the pattern and the version of this run. In place of a job, since the broker serves nobody
 * yet. */
static enum err run_begin(struct presences *presences, struct patterns *patterns, const char *text)
{
    struct txn *txn;
    enum err e = txn_write(&txn, presences->store);
    if (e)
        return e;
    patterns_use(patterns, text);
    patterns_put(txn, patterns);
    ran_version_put(txn, DEVREG_VERSION);
    return txn_commit(txn);
}

/* What the last run left: its patterns, its version, and more. In an open scope. */
static enum err look_back(struct presences *presences, struct patterns *patterns,
                          bool *other_version)
{
    char version[VERSION_TEXT_MAX + 1];
    *other_version = ran_version_get(presences->reader, version) != ERR_OK ||
                     strcmp(version, DEVREG_VERSION) != 0;
    presences->owners = owners_exist(presences->reader);
    presences->walk.anew = store_is_anew(presences->reader);
    return patterns_get(presences->reader, patterns);
}

/* The pattern of this run. */
static const char *pattern_of(const struct presences *presences)
{
    return presences->options->presence ? presences->options->presence_topic : "";
}

/* Is there nothing to note of this run? */
static bool is_noted(const struct presences *presences, const struct patterns *patterns)
{
    const struct pattern *last = patterns_current(patterns);
    return last && strcmp(last->text, pattern_of(presences)) == 0;
}

/* The store is open, and `patterns` are what it holds. */
static void run_begun(struct presences *presences, const struct patterns *patterns)
{
    presences->place = patterns_current(patterns)->number;
    presences->unwalked = patterns->count > 1;
    presences->aside = false;
    if (presences->writer.counts.seq > presences->highest_seq)
        presences->highest_seq = presences->writer.counts.seq;
    presence_walk_begin(presences);
}

static enum err begin_first(struct presences *presences)
{
    struct patterns patterns;
    bool other_version;
    enum err e = presence_read(presences);
    if (e)
        return e;
    e = look_back(presences, &patterns, &other_version);
    if (!e)
        e = writer_open(&presences->writer, presences->store, presences->reader);
    txn_reset(presences->reader); /* who opens it sees what is wrong */
    if (!e && (other_version || !is_noted(presences, &patterns)))
        e = run_begin(presences, &patterns, pattern_of(presences));
    if (e)
        return e;
    if (!*pattern_of(presences))
        (void)message_clear(SUMMARY_TOPIC); /* of an earlier run */
    run_begun(presences, &patterns);
    return ERR_OK;
}

static void store_end(struct presences *presences)
{
    txn_close(presences->reader);
    store_close(presences->store);
    presences->reader = NULL;
    presences->store = NULL;
}

static enum err try_open(struct presences *presences)
{
    enum err e = store_open_or_make(presences);
    if (!e)
        e = txn_reader(&presences->reader, presences->store);
    if (!e)
        e = begin_first(presences);
    if (e)
        store_end(presences);
    return e;
}

enum err presence_open(struct presences *presences)
{
    enum err e = try_open(presences);
    if (e != ERR_DAMAGED && e != ERR_BROKEN)
        return e;
    e = put_aside(presences);
    return e ? e : try_open(presences);
}

/* ---- another store, while the broker runs */

/* One line for each kind of trouble. */
static void say(struct presences *presences, enum err e)
{
    if (e == presences->away)
        return;
    presences->away = e;
    journal_add(presences->journal, MOSQ_LOG_ERR,
                "the presence store in %s was moved, replaced or damaged, and what lies there now "
                "cannot be used: %s; %s",
                presences->options->presence_store,
                e == ERR_NO_REGISTRY ? "there is no such directory" : err_text(e),
                presences->store
                    ? "what was open is used until a restart: put a store there, or make the "
                      "directory and give it to the broker's user"
                    : "nothing is recorded or published, and client ids that may be another "
                      "device's are refused: run 'devreg check'");
}

/* Has the writer make a store where there is none. What is open stays so meanwhile. */
static void make(struct presences *presences)
{
    presences->making = writer_make(&presences->writer, store_make, (void *)presences->options);
    if (!presences->making)
        say(presences, ERR_NO_MEMORY);
}

static bool look_at_file(const struct presences *presences, struct stat *info)
{
    char path[OPTION_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/data.mdb", presences->options->presence_store);
    return lstat(path, info) == 0;
}

static bool is_missing(const struct presences *presences)
{
    struct stat info;
    return !look_at_file(presences, &info) && (errno == ENOENT || errno == ENOTDIR);
}

/* A job that the old store did not take: what it says is in the entry, too, or in the walk's way.
 */
static void drop_failed(struct presences *presences)
{
    for (struct job *job = presences->failed, *next; job; job = next) {
        next = job->next;
        presence_job_drop(presences, job);
    }
    presences->failed = NULL;
    presences->failing = false;
}

/* All that is known is ahead of a store that is another one: it is recorded there, and published
 * again, wherever that one thinks that it stands. */
static void entries_begin_again(struct presences *presences)
{
    for (struct table_node *n = table_next(&presences->entries, NULL), *next; n; n = next) {
        struct presence_entry *entry = AROUND(n, struct presence_entry, node);
        next = table_next(&presences->entries, n);
        free(entry->topic);
        entry->topic = NULL;
        entry->record.place = 0;
        entry->changed = true;
        entry->damaged = false;
        entry->again = entry->record.connections > 0;
        if (entry->forgotten)
            entry_settle(presences, entry);
        else
            entry_is_dirty(presences, entry);
    }
}

/* Reads what the store that was just opened holds, and goes on with it. */
static enum err begin_again(struct presences *presences)
{
    struct patterns patterns;
    bool other_version;
    const bool owners = presences->owners;
    enum err e = presence_read(presences);
    if (e)
        return e;
    e = look_back(presences, &patterns, &other_version);
    if (!e)
        e = writer_turn_to(&presences->writer, presences->store, presences->reader);
    txn_reset(presences->reader);
    presences->owners |= owners; /* who has a session now has one there, too, in a moment */
    if (e)
        return e;
    patterns_use(&patterns, pattern_of(presences));
    if (!presence_submit_begin(presences, &patterns))
        return ERR_NO_MEMORY;
    run_begun(presences, &patterns);
    return ERR_OK;
}

/* LMDB keeps its locks for each process and file, so the old one is closed before. ERR_BUSY where
 * it is not, since somebody is just opening or closing it. */
static enum err reopen(struct presences *presences)
{
    txn_close(presences->reader);
    presences->reader = NULL;
    enum err e = store_reopen(&presences->store, presences->options->presence_store, STORE_PRESENCE,
                              STORE_WRITE);
    enum err begun = presences->store ? txn_reader(&presences->reader, presences->store) : e;
    if (!begun && !e)
        begun = begin_again(presences);
    if (begun && presences->store)
        store_distrust(presences->store); /* to close it, nobody waits for the directory's lock */
    if (begun)
        store_end(presences);
    return e ? e : begun;
}

/* Was it damaged again, a little after it was opened again for that? */
static bool is_hopeless(const struct presences *presences)
{
    return presences->broken && presences->opened_again_at &&
           clock_steady() - presences->opened_again_at < PRESENCE_BROKEN_AGAIN_MS;
}

/* It could not be put aside: has somebody mended it, or put another one there, since? */
static bool is_another_file(struct presences *presences)
{
    const struct stat before = presences->hopeless;
    struct stat *now = &presences->hopeless;
    if (!look_at_file(presences, now) || presences->store)
        return false;
    return before.st_ino != now->st_ino || before.st_mtim.tv_sec != now->st_mtim.tv_sec ||
           before.st_mtim.tv_nsec != now->st_mtim.tv_nsec;
}

/* Says that another one is used, or the same. */
static void say_turned(struct presences *presences)
{
    const char *dir = presences->options->presence_store;
    if (presences->broken)
        journal_add(presences->journal, MOSQ_LOG_WARNING,
                    "the presence store in %s was damaged, or written over: it was opened again",
                    dir);
    else
        journal_add(presences->journal, MOSQ_LOG_WARNING,
                    "the presence store in %s is another one than before: it is used from now on",
                    dir);
    if (presences->broken)
        presences->opened_again_at = clock_steady();
    presences->broken = false;
}

/* False where it is to be tried again at the next tick. */
static bool turn_to(struct presences *presences)
{
    if (is_hopeless(presences) && !is_another_file(presences)) {
        if (put_aside(presences) == ERR_OK)
            return false; /* and so nothing lies there: see presence_look */
        store_end(presences);
        say(presences, ERR_BROKEN);
        return true;
    }
    enum err e = reopen(presences);
    if (e == ERR_BUSY && presences->store)
        return false;
    if ((e == ERR_DAMAGED || e == ERR_BROKEN) && put_aside(presences) == ERR_OK)
        return false;
    if (e) {
        say(presences, e);
        presences->turning = false; /* again when it is looked at next */
        return true;
    }
    presences->away = ERR_OK;
    say_turned(presences);
    drop_failed(presences);
    entries_begin_again(presences);
    if (presences->turned)
        presences->turned(presences->context);
    return true;
}

/* It was moved back, if anybody was told that it is not there. */
static void note_in_place(struct presences *presences)
{
    if (presences->away)
        journal_add(presences->journal, MOSQ_LOG_NOTICE, "the presence store lies in %s again",
                    presences->options->presence_store);
    presences->away = ERR_OK;
}

/* The writer may be making a store: is it done? */
static bool note_made(struct presences *presences)
{
    enum err made;
    if (!presences->making)
        return true;
    if (!writer_made(&presences->writer, &made))
        return false;
    presences->making = false;
    if (made)
        say(presences, made);
    else
        presences->looked_at -= PRESENCE_LOOK_MS; /* it is used at once */
    return true;
}

void presence_doubt(struct presences *presences, enum err e)
{
    if (e != ERR_BROKEN || !presences->store || presences->aside)
        return;
    store_distrust(presences->store);
    presences->broken = presences->turning = true;
}

bool presence_look(struct presences *presences, int64_t steady)
{
    if (!note_made(presences))
        return presences->store != NULL;
    if (!presences->turning && steady - presences->looked_at < PRESENCE_LOOK_MS)
        return presences->store != NULL;
    presences->looked_at = steady;
    presences->turning = false;
    if (presences->store && store_in_place(presences->store)) {
        note_in_place(presences);
    } else if (is_missing(presences)) {
        make(presences);
    } else if (presences->in_flight || !writer_rest(&presences->writer)) {
        presences->turning = true; /* once the writer is done with the old one */
        return false;
    } else if (!turn_to(presences)) {
        presences->looked_at -= PRESENCE_LOOK_MS;
    }
    return presences->store != NULL;
}
