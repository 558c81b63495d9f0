#include "admin/places.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/complain.h"

#define BROKER_USER "mosquitto"

/* What getpwnam and getpwuid may say of an account that is not there (getpwnam(3)). */
static bool is_no_account(int code)
{
    return code == 0 || code == ENOENT || code == ESRCH || code == EBADF || code == EPERM ||
           code == EWOULDBLOCK;
}

static enum status complain_accounts(struct call *call, int code)
{
    return complain(call, STATUS_FAILED, "the system's accounts cannot be read: %s; %s",
                    strerror(code), file_remedy(code));
}

enum status broker_user_find(struct call *call, const struct passwd **user)
{
    const char *name = call_option(call, OPT_USER);
    errno = 0;
    if (name) {
        *user = getpwnam(name);
        if (!*user && !is_no_account(errno))
            return complain_accounts(call, errno);
        return *user ? STATUS_DONE
                     : complain(call, STATUS_NO,
                                "--user '" SHOWN "': there is no such account; name the one that "
                                "the broker runs as",
                                name);
    }
    *user = geteuid() == 0 ? getpwnam(BROKER_USER) : NULL;
    if (!*user && is_no_account(errno))
        *user = getpwuid(geteuid());
    if (!*user && !is_no_account(errno))
        return complain_accounts(call, errno);
    return *user ? STATUS_DONE
                 : complain(call, STATUS_FAILED, "this user has no account: name one with --user");
}

enum status places_complain(struct call *call, enum err e)
{
    const char *dir = call->dir;
    if (e == ERR_EXISTS)
        return complain(
            call, STATUS_NO,
            SHOWN
            ": a registry is there already, and was not changed; name another directory with -r",
            dir);
    if (e == ERR_INVALID)
        return complain(call, STATUS_NO,
                        SHOWN ": it holds other files: name a directory that is empty or new", dir);
    struct stat info;
    if (e != ERR_PERMISSION && stat(dir, &info) == 0 && !S_ISDIR(info.st_mode))
        return complain(call, STATUS_NO, SHOWN ": it is no directory: name another with -r", dir);
    if (e == ERR_NOT_FOUND || e == ERR_NO_REGISTRY)
        return complain(call, STATUS_FAILED,
                        SHOWN ": the directory above it is not there: make that first", dir);
    if (e == ERR_PERMISSION && geteuid() == 0)
        return complain(call, STATUS_FAILED,
                        SHOWN ": %s: the broker's user has to get there; see the modes of the "
                              "directories above, or name another with -r",
                        dir, err_text(e));
    if (e == ERR_PERMISSION)
        return complain(call, STATUS_FAILED,
                        SHOWN ": %s; run it as root, as with sudo, or name a directory of yours "
                              "with -r",
                        dir, err_text(e));
    return complain_err(call, e);
}

const char *place_absolute(const struct call *call, char buffer[static PLACE_MAX + 1])
{
    char here[2048];
    if (call->dir[0] == '/' || !getcwd(here, sizeof here))
        return call->dir;
    int length = snprintf(buffer, PLACE_MAX + 1, "%s/%s", here, call->dir);
    return length > 0 && length <= PLACE_MAX ? buffer : call->dir;
}

void places_tell_conf(const struct call *call)
{
    char buffer[PLACE_MAX + 1];
    const char *dir = place_absolute(call, buffer);
    tell("Now put this into mosquitto.conf and restart the broker:");
    tell("  plugin " DEVREG_PLUGIN_PATH);
    if (strcmp(dir, REGISTRY_DIR) != 0)
        tell("  plugin_opt_registry %s", dir);
}
