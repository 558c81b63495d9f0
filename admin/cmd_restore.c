/* devreg restore: a backup becomes the registry.
 *
 *   copy FILE beside -> read every record of the copy -> rename it into place -> wait until whoever
 *   had the old registry open, a running broker above all, has let go of it
 *
 * registry_replace.h says how they find out.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/backup.h"
#include "admin/change.h"
#include "admin/complain.h"
#include "admin/leftover.h"
#include "admin/places.h"
#include "admin/progress.h"
#include "admin/secret.h"
#include "admin/when.h"
#include "registry/registry_replace.h"
#include "registry/store_dir.h"

enum { PATH_SIZE = 4096, CHUNK = 1 << 16, WAIT_MS = 5000, LOOK_MS = 20, PROGRAM_NAME_MAX = 31 };

struct restore {
    struct call *call;
    const char *path; /* the backup's; "stdin" for that */
    int file;
    off_t size; /* 0 where it is not known */
    struct store_files files;
    bool fresh;    /* no broker was ever there */
    bool replaces; /* a registry, or something else, lies in its place */
    struct replacement replacement;
    struct backup_facts facts;
    struct progress progress;
    bool was_held; /* somebody had the old registry open, and let go of it */
};

/* What lies in the registry's place keeps its owner and group. */
static enum status look_at_place(struct restore *restore)
{
    struct call *call = restore->call;
    char path[PATH_SIZE];
    struct stat info, backup;
    snprintf(path, sizeof path, "%s/data.mdb", call->dir);
    restore->replaces = lstat(path, &info) == 0;
    if (!restore->replaces)
        return errno == ENOENT || errno == ENOTDIR ? STATUS_DONE
                                                   : complain_err(call, err_from_errno(errno));
    restore->files = (struct store_files){info.st_uid, info.st_gid, 0640, 0660};
    if (fstat(restore->file, &backup) == 0 && backup.st_dev == info.st_dev &&
        backup.st_ino == info.st_ino)
        return complain(call, STATUS_MISUSE,
                        SHOWN ": it is the registry itself: name a file that 'devreg backup' wrote",
                        restore->path);
    if (!call_option(call, OPT_FORCE))
        return complain(call, STATUS_NO,
                        SHOWN ": a registry is there already: 'devreg backup' keeps it, and "
                              "'devreg restore --force' then replaces it",
                        call->dir);
    return STATUS_DONE;
}

/* The broker of a registry that was lost is whom the presence store belongs to. */
static enum status find_broker(struct restore *restore, uid_t *uid, gid_t *gid)
{
    struct call *call = restore->call;
    const struct passwd *user;
    struct stat info;
    bool known = stat(call->presence, &info) == 0;
    restore->fresh = !restore->replaces && !known;
    if (known && !call_option(call, OPT_USER)) {
        *uid = info.st_uid;
        *gid = info.st_gid;
        return STATUS_DONE;
    }
    enum status status = broker_user_find(call, &user);
    if (status)
        return status;
    *uid = user->pw_uid;
    *gid = user->pw_gid;
    return STATUS_DONE;
}

/* Where nothing is, what `devreg init` makes. */
static enum status make_place(struct restore *restore)
{
    struct call *call = restore->call;
    struct stat info;
    uid_t uid;
    gid_t gid;
    if (restore->replaces && !call_option(call, OPT_USER))
        return STATUS_DONE;
    enum status status = find_broker(restore, &uid, &gid);
    if (status)
        return status;
    restore->files.gid = gid;
    if (restore->replaces)
        return STATUS_DONE;
    enum err e = registry_make_places(call->dir, uid, gid);
    if (e)
        return places_complain(call, e);
    bool known =
        stat(call->dir, &info) == 0; /* in a directory that is not root's, root is its owner */
    restore->files = (struct store_files){known ? info.st_uid : geteuid(), gid, 0640, 0660};
    return STATUS_DONE;
}

static enum status open_backup(struct restore *restore)
{
    struct stat info;
    const char *path = call_word(restore->call, 0);
    bool piped = strcmp(path, "-") == 0;
    restore->path = piped ? "stdin" : path;
    restore->file = piped ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (restore->file < 0 || fstat(restore->file, &info) != 0)
        return complain_file(restore->call, restore->path, errno);
    if (S_ISDIR(info.st_mode))
        return complain_file(restore->call, restore->path, EISDIR);
    restore->size = S_ISREG(info.st_mode) ? info.st_size : 0;
    return STATUS_DONE;
}

static enum status complain_written(struct call *call, int code)
{
    return complain(call, STATUS_FAILED, SHOWN ": %s; nothing was changed; %s", call->dir,
                    strerror(code), file_remedy(code));
}

static enum status copy_all(struct restore *restore)
{
    struct call *call = restore->call;
    char *chunk = memory_get(CHUNK);
    enum status status = STATUS_DONE;
    uint64_t done = 0;
    ssize_t got = 0;
    progress_step(&restore->progress, STEP_COPY, (uint64_t)restore->size);
    do {
        got = read(restore->file, chunk, CHUNK);
        if (got < 0 && errno != EINTR)
            status = complain_file(call, restore->path, errno);
        else if (got > 0 && !secret_write(restore->replacement.file, chunk, (size_t)got))
            status = complain_written(call, errno);
        done += got > 0 ? (uint64_t)got : 0;
        progress_show(&restore->progress, done, 0);
    } while (!status && got != 0);
    crypto_wipe(chunk, CHUNK);
    free(chunk);
    return status;
}

/* Is it sound enough? What is damaged denies, so a person may want it all the same. */
static enum status judge(struct restore *restore)
{
    const struct backup_facts *facts = &restore->facts;
    if (!facts->counts.findings || call_option(restore->call, OPT_ACCEPT_DAMAGE))
        return STATUS_DONE;
    return complain(restore->call, STATUS_NO,
                    SHOWN ": it is damaged (%s%s): name another backup, or use --accept-damage: "
                          "what is damaged denies, until it is removed",
                    restore->path, facts->finding, facts->counts.findings > 1 ? ", and more" : "");
}

static enum status open_and_judge(struct restore *restore)
{
    struct replacement *replacement = &restore->replacement;
    progress_step(&restore->progress, STEP_VERIFY, 0);
    enum err e = replacement_open(replacement);
    if (!e)
        e = backup_examine(replacement->copy, &restore->facts);
    enum status status = backup_complain(restore->call, restore->path, e);
    return status ? status : judge(restore);
}

/* "backup-0101.mdb, 12 devices as of 2027-01-01T03:00:00Z" */
static void describe(const struct restore *restore, char detail[static LOG_DETAIL_MAX + 1])
{
    char time[WHEN_TEXT_MAX + 1];
    const char *name = strrchr(restore->path, '/');
    when_format(time, restore->facts.changed);
    snprintf(detail, LOG_DETAIL_MAX + 1, "%.120s, %llu device%s as of %s",
             name ? name + 1 : restore->path, (unsigned long long)restore->facts.counts.devices,
             plural(restore->facts.counts.devices), time);
}

static enum status put_in_place(struct restore *restore)
{
    struct call *call = restore->call;
    char detail[LOG_DETAIL_MAX + 1];
    const struct replacement_note note = {call->who, detail, call->now};
    describe(restore, detail);
    change_hold_stops(true); /* who holds the write scope may not be stopped */
    enum err e = replacement_finish(&restore->replacement, &restore->files, call->presence, &note);
    change_hold_stops(false);
    if (!e)
        change_made(call);
    if (e == ERR_OTHER_STORE)
        return complain(call, STATUS_NO,
                        SHOWN ": it holds a store of presence: name the registry's own directory",
                        call->dir);
    return complain_err(call, e);
}

/* The name of a running program, "" where it is not known. */
static void find_program(pid_t pid, char name[static PROGRAM_NAME_MAX + 1])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    FILE *file = pid ? fopen(path, "re") : NULL;
    name[0] = '\0';
    if (!file)
        return;
    if (!fgets(name, PROGRAM_NAME_MAX + 1, file))
        name[0] = '\0';
    name[strcspn(name, "\n")] = '\0';
    (void)fclose(file); /* only read from */
}

static int64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails for a bad clock only */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until nobody decides by the registry that was replaced. */
static enum status await_followers(struct restore *restore)
{
    const struct timespec pause = {0, LOOK_MS * 1000000L};
    const int64_t deadline = clock_ms() + WAIT_MS;
    char name[PROGRAM_NAME_MAX + 1];
    pid_t pid;
    while (replacement_held(&restore->replacement, &pid)) {
        if (clock_ms() >= deadline) {
            find_program(pid, name);
            return complain(restore->call, STATUS_FAILED,
                            "the registry is restored, but process %ld (%s) still has the one "
                            "before open: a broker has to be restarted, or it goes on as before",
                            (long)pid, *name ? name : "unknown");
        }
        restore->was_held = true;
        (void)nanosleep(&pause, NULL);
    }
    return STATUS_DONE;
}

static void answer(const struct restore *restore, bool done)
{
    const struct call *call = restore->call;
    const struct backup_facts *facts = &restore->facts;
    char devices[COUNT_TEXT_MAX + 1], time[WHEN_TEXT_MAX + 1];
    if (call->json) {
        cJSON *object = cJSON_CreateObject();
        json_text(object, "registry", call->dir);
        (void)cJSON_AddBoolToObject(object, "restored", done);
        backup_add_facts(object, facts);
        json_number(object, "findings", facts->counts.findings);
        json_print(stdout, object);
        cJSON_Delete(object);
        return;
    }
    count_format(devices, facts->counts.devices);
    when_format(time, facts->changed);
    if (!done)
        tell(SHOWN ": %s device%s as of %s; nothing was changed.", restore->path, devices,
             plural(facts->counts.devices), time);
    else
        tell("Restored " SHOWN ": %s device%s as of %s.%s", call->dir, devices,
             plural(facts->counts.devices), time,
             restore->was_held ? " Who had it open goes by it now." : "");
}

static enum status restore_beside(struct restore *restore)
{
    struct call *call = restore->call;
    leftover_hold(true);
    enum err e = replacement_begin(&restore->replacement, call->dir);
    if (!e)
        leftover_begin(restore->replacement.part, store_dir_empty_part);
    leftover_hold(false);
    if (e) {
        replacement_end(&restore->replacement);
        return complain_err(call, e);
    }
    enum status status = copy_all(restore);
    if (!status)
        status = open_and_judge(restore);
    progress_clear(&restore->progress);
    if (!status)
        status = put_in_place(restore);
    if (!status) {
        status = await_followers(restore);
        if (!status && !restore->replacement.synced)
            status =
                complain(call, STATUS_FAILED,
                         "the registry is restored, but it might not outlive a power cut: the "
                         "directory could not be synced; see the system's log, and run 'sync'");
        answer(restore, true);
        if (restore->fresh && !call->json)
            places_tell_conf(call);
    }
    replacement_end(&restore->replacement);
    leftover_end();
    return status;
}

/* The file is read where it lies. */
static enum status restore_dry(struct restore *restore)
{
    struct call *call = restore->call;
    struct registry *copy = NULL;
    if (restore->file == STDIN_FILENO)
        return complain(call, STATUS_MISUSE, "--dry-run: it needs a FILE, not stdin");
    progress_step(&restore->progress, STEP_VERIFY, 0);
    enum err e = registry_open_copy(&copy, restore->path);
    if (!e)
        e = backup_examine(copy, &restore->facts);
    registry_close(copy);
    progress_clear(&restore->progress);
    enum status status = backup_complain(call, restore->path, e);
    if (!status)
        status = judge(restore);
    if (!status)
        answer(restore, false);
    return status;
}

static enum status run(struct restore *restore)
{
    enum status status = open_backup(restore);
    if (status)
        return status;
    if (call_option(restore->call, OPT_DRY_RUN))
        return restore_dry(restore);
    status = look_at_place(restore);
    if (!status)
        status = make_place(restore);
    return status ? status : restore_beside(restore);
}

enum status cmd_restore(struct call *call)
{
    struct restore restore = {.call = call, .file = -1};
    (void)signal(SIGPIPE, SIG_IGN); /* who restores has to learn that the answer was lost */
    (void)signal(SIGXFSZ, SIG_IGN); /* EFBIG says it as well */
    progress_begin(&restore.progress, true);
    enum status status = run(&restore);
    progress_end(&restore.progress);
    if (restore.file > STDERR_FILENO)
        (void)close(restore.file); /* only read from */
    return status;
}
