#include "admin/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/complain.h"
#include "admin/json.h"
#include "admin/renameat2.h"
#include "admin/secret.h"

static const char part_suffix[] = ".part";

/* The signals that end a program, and what they would leave behind: a handler has nowhere else to
 * look. */
static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { ENDING = sizeof ending / sizeof *ending };
static const char *volatile left_behind;
static volatile int left_file;

/* Is `path` still the file that is open? */
static bool is_same(const char *path, int file)
{
    struct stat named, opened;
    return lstat(path, &named) == 0 && fstat(file, &opened) == 0 && named.st_dev == opened.st_dev &&
           named.st_ino == opened.st_ino;
}

static void remove_left(void)
{
    if (is_same(left_behind, left_file))
        (void)unlink(left_behind);
}

static void remove_and_end(int number)
{
    remove_left();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* One that is ignored, as by nohup, stays so. */
static void catch_ends(const char *part, int file)
{
    left_behind = part;
    left_file = file;
    for (size_t i = 0; i < ENDING; i++) {
        if (signal(ending[i], remove_and_end) == SIG_IGN)
            (void)signal(ending[i], SIG_IGN);
    }
    memory_out_first(remove_left);
}

static void hold_ends(bool hold)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ENDING; i++)
        sigaddset(&set, ending[i]);
    (void)sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL); /* fails for a bad `how` only */
}

/* Lets signals be what they are, or drops one that waits: what is done is told then. */
static void release_ends(void (*handler)(int))
{
    for (size_t i = 0; i < ENDING; i++) {
        if (signal(ending[i], handler) == SIG_IGN)
            (void)signal(ending[i], SIG_IGN);
    }
    hold_ends(false);
}

static char *part_of(const char *path)
{
    size_t size = strlen(path);
    char *part = memory_get(size + sizeof part_suffix);
    memcpy(part, path, size);
    memcpy(part + size, part_suffix, sizeof part_suffix);
    return part;
}

/* The directory that `path` lies in, open; -1 with errno. */
static int directory_open(const char *path)
{
    size_t size = strlen(path) + 1;
    char *copy = memory_get(size);
    memcpy(copy, path, size);
    int directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = errno;
    free(copy);
    errno = code;
    return directory;
}

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* What a devreg that did not come to its end left behind. */
enum left { LEFT_UNCLEAR, LEFT_KEYS, LEFT_EMPTY, LEFT_BUSY, LEFT_FOREIGN };

static bool first_key(const char *text, char id[static DEVICE_ID_MAX + 1],
                      char key[static KEY_TEXT_SIZE + 1])
{
    static const char csv[] = "device,key\n%128[^,\n],%43[0-9A-Za-z_]";
    static const char json[] =
        "{\"device\":\"%128[^\"]\",\"credential\":%*u,\"key\":\"%43[0-9A-Za-z_]";
    return (sscanf(text, csv, id, key) == 2 || sscanf(text, json, id, key) == 2) &&
           key_well_formed(key);
}

/* A key that opens its device tells that all do. One that does not tells nothing: the device may
 * have been removed since, or be in another registry. */
static enum left judge_key(struct call *call, const char *id, const char *key)
{
    struct device device;
    enum err e = registry_read(call->registry);
    if (!e)
        e = registry_get_device(call->registry, id, &device);
    registry_end(call->registry);
    if (e)
        return LEFT_UNCLEAR;
    bool opens = credential_of_key(&device, key, registry_secret(call->registry), call->now);
    device_clear(&device);
    return opens ? LEFT_KEYS : LEFT_UNCLEAR;
}

static enum left judge_file(struct call *call, int file)
{
    char text[2 * DEVICE_ID_MAX + KEY_TEXT_SIZE], id[DEVICE_ID_MAX + 1], key[KEY_TEXT_SIZE + 1];
    if (flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return LEFT_BUSY;
    ssize_t size = read(file, text, sizeof text - 1);
    enum left left = size == 0 ? LEFT_EMPTY : LEFT_UNCLEAR;
    text[size > 0 ? size : 0] = '\0';
    if (first_key(text, id, key))
        left = judge_key(call, id, key);
    crypto_wipe(text, sizeof text);
    crypto_wipe(key, sizeof key);
    return left;
}

static enum left judge_part(struct call *call, const char *part)
{
    struct stat info;
    if (lstat(part, &info) == 0 && !S_ISREG(info.st_mode))
        return LEFT_FOREIGN;
    int file = open(part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return LEFT_UNCLEAR;
    enum left left = judge_file(call, file);
    (void)close(file); /* only read from */
    return left;
}

static enum status check_part(struct call *call, const char *path, const char *part)
{
    if (!is_there(part))
        return STATUS_DONE;
    switch (judge_part(call, part)) {
    case LEFT_KEYS:
        return complain(call, STATUS_NO,
                        SHOWN ": a devreg that was killed left it when its work was done, and it "
                              "holds the devices' keys: rename it to " SHOWN,
                        part, path);
    case LEFT_EMPTY:
        return complain(call, STATUS_NO,
                        SHOWN ": it is empty, and no devreg is at work on it: remove it", part);
    case LEFT_BUSY:
        return complain(call, STATUS_NO,
                        SHOWN ": another devreg is at work on it: name another file for the keys",
                        part);
    case LEFT_FOREIGN:
        return complain(call, STATUS_NO,
                        SHOWN ": it is there, and no file of keys: name another file for the keys",
                        part);
    case LEFT_UNCLEAR:
        break;
    }
    return complain(call, STATUS_NO,
                    SHOWN ": a devreg that was killed left it; if its devices were added to any "
                          "registry, or changed there (see 'devreg log'), it holds their keys: "
                          "rename it to " SHOWN "; else remove it",
                    part, path);
}

static enum status check_directory(struct call *call, const char *path)
{
    int directory = directory_open(path);
    if (directory < 0)
        return complain_file(call, path, errno);
    bool fine = faccessat(directory, ".", W_OK | X_OK, AT_EACCESS) == 0;
    enum status status = fine ? STATUS_DONE : complain_file(call, path, errno);
    (void)close(directory); /* only looked at */
    return status;
}

static enum status complain_there(struct call *call, const char *path)
{
    return complain(call, STATUS_NO,
                    SHOWN ": it is there already, and is not overwritten: name a new file for the "
                          "keys",
                    path);
}

const char *key_file_path(const struct call *call)
{
    const char *path = call_option(call, OPT_KEYS);
    return path && strcmp(path, "-") == 0 ? NULL : path;
}

enum status key_file_check(struct call *call, const char *path)
{
    if (!*path)
        return complain(call, STATUS_MISUSE, "--keys: it needs the name of a new file");
    if (is_there(path))
        return complain_there(call, path);
    char *part = part_of(path);
    enum status status = check_part(call, path, part);
    free(part);
    return status ? status : check_directory(call, path);
}

static void warn_of_readers(void)
{
    struct stat info;
    if (fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0077))
        warn("the keys go to a file that others can read: --keys FILE makes one that they cannot");
}

/* Another devreg may have begun, or ended, since the names were looked at. */
static enum status part_make(struct call *call, struct key_file *out)
{
    out->file = open(out->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int code = errno;
    enum status status = STATUS_DONE;
    if (out->file < 0 && code == EEXIST)
        status = check_part(call, out->path, out->part);
    if (out->file < 0)
        return status ? status : complain_file(call, out->part, code);
    catch_ends(out->part, out->file);
    (void)flock(out->file, LOCK_EX); /* tells others that it is not left behind */
    if (is_there(out->path)) {
        key_file_remove(out);
        status = complain_there(call, out->path);
    }
    return status;
}

static const char *nothing_done(const struct key_file *out)
{
    return out->renewed ? "nothing was changed" : "nothing was added";
}

static const char *all_done(const struct key_file *out)
{
    return out->renewed ? "the devices have new keys" : "the devices were added";
}

enum status key_file_open(struct call *call, struct key_file *out, const char *path, bool renewed)
{
    enum status status = STATUS_DONE;
    out->path = path;
    out->renewed = renewed;
    out->json = call->json;
    out->part = NULL;
    out->kept = false;
    out->code = 0;
    out->used = 0;
    out->file = STDOUT_FILENO;
    if (path) {
        out->part = part_of(path);
        status = part_make(call, out);
    } else {
        warn_of_readers();
    }
    if (!out->json) {
        memcpy(out->buffer, "device,key\n", 11);
        out->used = 11;
    }
    if (status)
        key_file_close(out);
    return status;
}

static bool flush(struct key_file *out)
{
    if (!out->code && !secret_write(out->file, out->buffer, out->used))
        out->code = errno;
    out->used = 0;
    return !out->code;
}

bool key_file_add(struct key_file *out, const char *device, uint32_t credential, const char *key)
{
    enum { RECORD_MAX = DEVICE_ID_MAX + KEY_TEXT_SIZE + 80 };
    if (out->used > sizeof out->buffer - RECORD_MAX && !flush(out))
        return false;
    char *to = out->buffer + out->used;
    int size;
    if (out->json) /* an id and a key need no escapes, neither in JSON nor in CSV */
        size = snprintf(to, RECORD_MAX, "{\"device\":\"%s\",\"credential\":%u,\"key\":\"%s\"}\n",
                        device, (unsigned)credential, key);
    else
        size = snprintf(to, RECORD_MAX, "%s,%s\n", device, key);
    out->used += size > 0 ? (size_t)size : 0;
    return !out->code;
}

/* Its name is on the disk too. */
static int sync_directory(const char *path)
{
    int directory = directory_open(path);
    if (directory < 0)
        return errno;
    int code = fsync(directory) == 0 || errno == EINVAL ? 0 : errno;
    (void)close(directory); /* synced */
    return code;
}

static int sync_all(const struct key_file *out)
{
    if (fsync(out->file) != 0 && (out->path || (errno != EINVAL && errno != EROFS)))
        return errno;
    return out->path ? sync_directory(out->path) : 0;
}

enum status key_file_sync(struct call *call, struct key_file *out)
{
    if (flush(out))
        out->code = sync_all(out);
    if (!out->code)
        return STATUS_DONE;
    if (out->path)
        return complain(call, STATUS_FAILED, SHOWN ": the keys cannot be written: %s; %s; %s",
                        out->path, strerror(out->code), nothing_done(out), file_remedy(out->code));
    return complain(call, STATUS_FAILED,
                    "the keys cannot be written: %s; %s, and keys that were written open nothing; "
                    "%s",
                    strerror(out->code), nothing_done(out), file_remedy(out->code));
}

enum status key_file_hold(struct call *call, const struct key_file *out)
{
    hold_ends(true);
    memory_out_first(NULL); /* from here on its keys may be good */
    if (!out->path || is_same(out->part, out->file))
        return STATUS_DONE;
    return complain(call, STATUS_FAILED,
                    SHOWN ": it was removed or replaced meanwhile, so %s: leave it alone, and run "
                          "it again",
                    out->part, nothing_done(out));
}

/* Never over a file that came meanwhile. */
static int move(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (link(from, to) != 0)
        return errno;
    return unlink(from) == 0 ? 0 : errno;
}

static int copy_to(struct key_file *out, int file)
{
    ssize_t got;
    for (off_t at = 0; (got = pread(out->file, out->buffer, sizeof out->buffer, at)) > 0;
         at += got) {
        if (!secret_write(file, out->buffer, (size_t)got))
            return errno;
    }
    return got < 0 || fsync(file) != 0 ? errno : 0;
}

/* All that is left of path.part is the open file. */
static int write_anew(struct key_file *out)
{
    int file = open(out->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return errno;
    int code = copy_to(out, file);
    (void)close(file); /* synced, or of no use */
    if (code)
        (void)unlink(out->path);
    return code;
}

enum status key_file_keep(struct call *call, struct key_file *out)
{
    out->kept = true;
    if (!out->path)
        return STATUS_DONE;
    bool same = is_same(out->part, out->file);
    int code = same ? move(out->part, out->path) : write_anew(out);
    if (!code) {
        (void)sync_directory(out->path); /* under either name the keys are on the disk */
        return STATUS_DONE;
    }
    if (same && is_same(out->part, out->file))
        return complain(call, STATUS_FAILED,
                        "%s, and their keys are in " SHOWN ": it could not be renamed to " SHOWN
                        ": %s",
                        all_done(out), out->part, out->path, strerror(code));
    return complain(call, STATUS_FAILED,
                    "%s, but " SHOWN " with their keys was removed meanwhile, and " SHOWN
                    " cannot be written: %s; give them keys with 'devreg rotate'",
                    all_done(out), out->part, out->path, strerror(code));
}

void key_file_remove(struct key_file *out)
{
    if (out->path && is_same(out->part, out->file))
        (void)unlink(out->part); /* what stays is named in the next attempt */
}

void key_file_close(struct key_file *out)
{
    release_ends(out->kept ? SIG_IGN : SIG_DFL);
    memory_out_first(NULL);
    if (out->path && out->file >= 0)
        (void)close(out->file); /* synced, or given up */
    crypto_wipe(out->buffer, sizeof out->buffer);
    free(out->part);
    out->part = NULL;
    out->file = -1;
}
