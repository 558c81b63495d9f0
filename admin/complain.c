#include "admin/complain.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/key.h"
#include "registry/text.h"

enum status complain(struct call *call, enum status status, const char *format, ...)
{
    va_list values;
    if (*call->complaint)
        return status;
    va_start(values, format);
    vsnprintf(call->complaint, sizeof call->complaint, format, values);
    va_end(values);
    key_hide(call->complaint); /* a key may have been typed in the wrong place */
    return status;
}

/* Who may write there, for the advice. */
static const char *owner_of(const char *dir)
{
    struct stat info;
    const struct passwd *user = stat(dir, &info) == 0 ? getpwuid(info.st_uid) : NULL;
    return user && user->pw_uid != 0 ? user->pw_name : "root";
}

static const char *const advice[ERR_COUNT] = {
    [ERR_TOO_MANY] = "remove some first",
    [ERR_FULL] = "make room on the disk, then try again",
    [ERR_BUSY] = "try again when the other devreg is done",
    [ERR_DAMAGED] = "restore a backup, or import an export into a new one",
    [ERR_BROKEN] = "restore a backup, or import an export into a new one",
    [ERR_OTHER_STORE] = "name the registry's own directory",
    [ERR_TOO_NEW] = "upgrade this devreg",
    [ERR_FILESYSTEM] = "keep it on a local disk",
    [ERR_OTHER_PID_NS] = "run devreg in the broker's container, as with 'docker exec'",
    [ERR_NO_MEMORY] = "free some memory, then try again",
    [ERR_RANDOM] = "see the system's log",
    [ERR_IO] = "see the system's log; the disk may be failing",
};

const char *err_remedy(enum err e)
{
    return (unsigned)e < ERR_COUNT && advice[e] ? advice[e] : "see 'devreg check'";
}

const char *permission_remedy(void)
{
    return geteuid() == 0 ? "let its owner, as whom root works there, get to it: see the modes of "
                            "the directories above"
                          : "run it as root, as with sudo";
}

const char *file_remedy(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EEXIST:
        return "name another file";
    case EACCES:
    case EPERM:
        return "run it as somebody who may use that file";
    case EROFS:
        return "name a file on a disk that can be written to";
    case ENOSPC:
    case EDQUOT:
        return "make room on the disk, then try again";
    case EFBIG:
        return "raise the limit on the size of files ('ulimit -f'), then try again";
    case EPIPE:
        return "nobody reads it: have it read to its end, or name a file";
    case EBADF:
        return "stdout is closed: open it, or name a file";
    default:
        return "see the system's log";
    }
}

enum status complain_file(struct call *call, const char *path, int code)
{
    bool misnamed = code == ENOENT || code == ENOTDIR || code == EISDIR || code == ENAMETOOLONG ||
                    code == ELOOP;
    return complain(call, misnamed ? STATUS_MISUSE : STATUS_FAILED, SHOWN ": %s; %s", path,
                    strerror(code), file_remedy(code));
}

enum status complain_err(struct call *call, enum err e)
{
    const char *dir = call->dir;
    bool elsewhere = strcmp(dir, REGISTRY_DIR) != 0;
    if (e == ERR_OK)
        return STATUS_DONE;
    if (e == ERR_NO_REGISTRY)
        return complain(call, STATUS_FAILED,
                        "no registry in " SHOWN ": create it with 'devreg%s%s init'", dir,
                        elsewhere ? " -r " : "", elsewhere ? dir : "");
    if (e == ERR_REPLACED)
        return complain(call, STATUS_NO,
                        "the registry in " SHOWN ": %s, so nothing was changed: run it again", dir,
                        err_text(e));
    if (e == ERR_PERMISSION && geteuid() != 0)
        return complain(call, STATUS_FAILED,
                        "the registry in " SHOWN ": %s; run it as %s, as with sudo", dir,
                        err_text(e), owner_of(dir));
    if (e == ERR_PERMISSION)
        return complain(call, STATUS_FAILED, "the registry in " SHOWN ": %s; %s", dir, err_text(e),
                        permission_remedy());
    return complain(call, STATUS_FAILED, "the registry in " SHOWN ": %s; %s", dir, err_text(e),
                    err_remedy(e));
}

enum status check_device_id(struct call *call, const char *id)
{
    if (device_id_valid(id))
        return STATUS_DONE;
    if (key_well_formed(id)) /* and it is not shown again */
        return complain(call, STATUS_MISUSE,
                        "that is a key and no device id: give the id, and keep the key secret");
    if (id[0] == '@')
        return complain(call, STATUS_MISUSE,
                        "'" SHOWN "' is a role: name a device, or see 'devreg role --help'", id);
    return complain(call, STATUS_MISUSE,
                    "'" SHOWN "' cannot be a device id: it has 1 to %d characters of "
                    "A-Z a-z 0-9 . _ : @ - and begins with a letter or digit",
                    id, DEVICE_ID_MAX);
}

enum status check_role_name(struct call *call, const char *name)
{
    if (role_name_valid(name))
        return STATUS_DONE;
    return complain(call, STATUS_MISUSE,
                    "'" SHOWN "' cannot be a role's name: it has 1 to %d characters of "
                    "A-Z a-z 0-9 . _ : - and begins with a letter or digit",
                    name, ROLE_NAME_MAX);
}

enum status complain_no_device(struct call *call, const char *id)
{
    char twin[DEVICE_ID_MAX + 1];
    if (registry_find_twin(call->registry, id, twin) == ERR_OK)
        return complain(call, STATUS_NO, SHOWN ": there is no such device; did you mean %s?", id,
                        twin);
    return complain(call, STATUS_NO, SHOWN ": there is no such device; see 'devreg list'", id);
}

enum status complain_no_role(struct call *call, const char *name)
{
    return complain(call, STATUS_NO,
                    "@" SHOWN ": there is no such role; see 'devreg role list', or make it with "
                    "'devreg role add " SHOWN "'",
                    name, name);
}

enum status complain_damaged(struct call *call)
{
    return complain(call, STATUS_FAILED,
                    "some records are damaged: the list lacks them; see 'devreg check'");
}

enum status complain_revoked(struct call *call, const char *id)
{
    return complain(call, STATUS_NO,
                    "%s: it is revoked for good: to begin afresh 'devreg remove %s', then "
                    "'devreg add %s'",
                    id, id, id);
}

PRINTF_LIKE(2, 0)
static void say(const char *before, const char *format, va_list values)
{
    char line[COMPLAINT_MAX + 1], escaped[4 * COMPLAINT_MAX + 1];
    vsnprintf(line, sizeof line, format, values);
    fprintf(stderr, "%s%s\n", before, text_escape(escaped, sizeof escaped, line));
}

void tell(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say("", format, values);
    va_end(values);
}

void warn(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say("devreg: warning: ", format, values);
    va_end(values);
}

void tell_person(const char *format, ...)
{
    va_list values;
    if (!isatty(STDERR_FILENO))
        return;
    va_start(values, format);
    say("", format, values);
    va_end(values);
}
