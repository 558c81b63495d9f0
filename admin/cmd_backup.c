/* devreg backup: a copy of the registry as of one moment, while everything runs.
 *
 * LMDB writes the pages of one snapshot, so nobody waits for it and it waits for nobody. The copy
 * is then read to its end, every record: a backup that cannot be restored is found out now.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/backup.h"
#include "admin/complain.h"
#include "admin/new_file.h"
#include "admin/progress.h"

enum { LOOK_MS = 100 };

/* LMDB says nothing while it copies, so another thread looks how long the file is by now. */
struct watcher {
    struct progress progress;
    int file;
    pthread_t thread;
    sem_t done;
    bool runs;
};

static struct timespec soon(void)
{
    struct timespec time = {0};
    (void)clock_gettime(CLOCK_REALTIME, &time); /* fails for a bad clock only */
    time.tv_nsec += LOOK_MS * 1000000L;
    if (time.tv_nsec >= 1000000000L) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000L;
    }
    return time;
}

static void *look_on(void *context)
{
    struct watcher *watcher = context;
    struct timespec until = soon();
    while (sem_timedwait(&watcher->done, &until) != 0) {
        struct stat info;
        if (errno == ETIMEDOUT && fstat(watcher->file, &info) == 0)
            progress_draw(&watcher->progress, (uint64_t)info.st_size, 0);
        until = soon();
    }
    return NULL;
}

/* Without a terminal, or a thread, nothing is shown. */
static void watcher_begin(struct watcher *watcher, int file, uint64_t total)
{
    *watcher = (struct watcher){.file = file};
    progress_begin(&watcher->progress, true);
    progress_step(&watcher->progress, STEP_COPY, total);
    watcher->runs = watcher->progress.terminal >= 0 && sem_init(&watcher->done, 0, 0) == 0 &&
                    pthread_create(&watcher->thread, NULL, look_on, watcher) == 0;
}

static void watcher_stop(struct watcher *watcher)
{
    if (watcher->runs) {
        (void)sem_post(&watcher->done);
        (void)pthread_join(watcher->thread, NULL);
    }
    watcher->runs = false;
}

/* What the copy needs at the most. */
static uint64_t pages_in_use(struct call *call)
{
    uint64_t used, limit;
    store_size(registry_store(call->registry), &used, &limit);
    return used;
}

/* `path` is NULL for stdout. */
static enum status complain_copy(struct call *call, const char *path, enum err e, int code)
{
    if (code && !path)
        return complain_file(call, "stdout", code);
    if (code)
        return complain(call, STATUS_FAILED, SHOWN ": %s; nothing was kept; %s", path,
                        strerror(code), file_remedy(code));
    if (e == ERR_BROKEN)
        return complain(call, STATUS_FAILED,
                        "the registry in " SHOWN ": %s, so nothing was kept: 'devreg export "
                        "--with-hashes FILE' keeps what can still be read; see 'devreg check'",
                        call->dir, err_text(e));
    return complain_err(call, e);
}

/* Every record is read, since LMDB copies what is damaged as it is. */
static enum status verify(struct call *call, const char *path, const char *name,
                          struct backup_facts *facts)
{
    struct registry *copy = NULL;
    enum err e = registry_open_copy(&copy, name);
    if (!e)
        e = backup_examine(copy, facts);
    registry_close(copy);
    if (e)
        return complain(call, STATUS_FAILED,
                        SHOWN ": what was written cannot be read back: %s; nothing was kept; see "
                              "'devreg check'",
                        path, err_text(e));
    return STATUS_DONE;
}

static enum status complain_findings(struct call *call, const char *path,
                                     const struct backup_facts *facts)
{
    if (!facts->counts.findings)
        return STATUS_DONE;
    return complain(call, STATUS_FAILED,
                    SHOWN ": it is written, and as damaged as the registry (%s): keep the backups "
                          "before it, and see 'devreg check'",
                    path, facts->finding);
}

static void answer(const struct call *call, const char *path, off_t bytes,
                   const struct backup_facts *facts)
{
    char devices[COUNT_TEXT_MAX + 1], size[COUNT_TEXT_MAX + 1];
    if (!call->json) {
        tell_person("%s: %s device%s, %s bytes, every record read back. It holds the registry's "
                    "secret: keep it safe.",
                    path, count_format(devices, facts->counts.devices),
                    plural(facts->counts.devices), count_format(size, (uint64_t)bytes));
        return;
    }
    cJSON *object = cJSON_CreateObject();
    json_text(object, "file", path);
    json_number(object, "bytes", (uint64_t)bytes);
    backup_add_facts(object, facts);
    json_print(stdout, object);
    cJSON_Delete(object);
}

static enum status write_and_verify(struct call *call, struct new_file *out,
                                    struct backup_facts *facts)
{
    struct watcher watcher;
    int code = 0;
    watcher_begin(&watcher, out->file, pages_in_use(call));
    enum err e = store_copy(registry_store(call->registry), out->file, &code);
    watcher_stop(&watcher);
    store_forget_pages(registry_store(call->registry)); /* the copy is read next */
    enum status status = e ? complain_copy(call, out->path, e, code) : STATUS_DONE;
    if (!status) {
        progress_step(&watcher.progress, STEP_VERIFY, 0);
        status = verify(call, out->path, new_file_name(out), facts);
    }
    progress_end(&watcher.progress);
    return status;
}

static enum status backup_to_file(struct call *call, const char *path)
{
    struct new_file out;
    struct backup_facts facts = {.changed = 0};
    struct stat info = {.st_size = 0};
    int code = new_file_open(&out, path);
    if (code == EEXIST)
        return complain(call, STATUS_NO,
                        SHOWN ": it is there already, and is not overwritten: name a new file",
                        path);
    if (code)
        return complain_file(call, path, code);
    enum status status = write_and_verify(call, &out, &facts);
    if (!status) {
        (void)fstat(out.file, &info);
        code = new_file_keep(&out);
        status = code ? complain_copy(call, path, ERR_OK, code) : STATUS_DONE;
    }
    new_file_end(&out);
    if (!status)
        status = complain_findings(call, path, &facts);
    if (!status)
        answer(call, path, info.st_size, &facts);
    return status;
}

/* What went down a pipe cannot be read back, so the registry is read before. */
static enum status backup_to_stdout(struct call *call)
{
    struct backup_facts facts;
    int code = 0;
    if (isatty(STDOUT_FILENO))
        return complain(call, STATUS_MISUSE,
                        "a backup does not belong on a screen: name a FILE, or hand it to another "
                        "program");
    if (call->json)
        return complain(call, STATUS_MISUSE, "--json: stdout takes the backup here: name a FILE");
    enum err e = backup_examine(call->registry, &facts);
    if (!e) {
        e = store_copy(registry_store(call->registry), STDOUT_FILENO, &code);
        if (e)
            return complain_copy(call, NULL, e, code);
        return complain_findings(call, "stdout", &facts);
    }
    return complain_copy(call, NULL, e, 0);
}

enum status cmd_backup(struct call *call)
{
    const char *path = call_word(call, 0);
    (void)signal(SIGXFSZ, SIG_IGN); /* EFBIG says it as well, and leaves nothing behind */
    return strcmp(path, "-") == 0 ? backup_to_stdout(call) : backup_to_file(call, path);
}
