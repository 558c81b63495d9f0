#include "admin/fit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/json.h"
#include "registry/fit.h"
#include "registry/text.h"

enum { PLUGIN_SIZE_MAX = 64 << 20, PROBLEM_SIZE = 300 };

static bool find_version(char version[static VERSION_TEXT_MAX + 1], const char *bytes, size_t size)
{
    static const char mark[] = FIT_MARK;
    const char *at = memmem(bytes, size, mark, sizeof mark - 1);
    if (!at)
        return false;
    at += sizeof mark - 1;
    size_t length = 0, rest = size - (size_t)(at - bytes);
    while (length < rest && length <= VERSION_TEXT_MAX && at[length] != '\n')
        length++;
    if (length == rest || length > VERSION_TEXT_MAX)
        return false;
    memcpy(version, at, length);
    version[length] = '\0';
    return text_is_plain(version, VERSION_TEXT_MAX);
}

static int read_all(int file, char *bytes, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ssize_t got = read(file, bytes + used, size - used);
        if (got < 0 && errno != EINTR)
            return errno;
        if (got == 0)
            return EINVAL; /* it was cut short meanwhile */
        used += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

int fit_read(char version[static VERSION_TEXT_MAX + 1], const char *path)
{
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return errno;
    int code = fstat(file, &info) != 0 ? errno : 0;
    if (!code && (!S_ISREG(info.st_mode) || info.st_size == 0 || info.st_size > PLUGIN_SIZE_MAX))
        code = EINVAL;
    if (!code) {
        size_t size = (size_t)info.st_size;
        char *bytes = memory_get(size);
        code = read_all(file, bytes, size);
        if (!code && !find_version(version, bytes, size))
            code = EINVAL;
        free(bytes);
    }
    (void)close(file); /* only read from */
    return code;
}

void fit_check(const struct call *call, const char *ran,
               void (*report)(void *context, const char *what, const char *problem), void *context)
{
    char version[VERSION_TEXT_MAX + 1] = DEVREG_VERSION, problem[PROBLEM_SIZE];
    const char *given = call_option(call, OPT_PLUGIN);
    const char *path = given ? given : DEVREG_PLUGIN_PATH;
    int code = fit_read(version, path);
    problem[0] = '\0';
    if (code == EINVAL)
        snprintf(problem, sizeof problem,
                 "is no devreg.so of this time: install the one that came with devreg "
                 "%s",
                 DEVREG_VERSION);
    else if (code && given)
        snprintf(problem, sizeof problem,
                 "cannot be read: %s; name the file of the 'plugin' line in mosquitto.conf",
                 strerror(code));
    else if (!code && strcmp(version, DEVREG_VERSION) != 0)
        snprintf(problem, sizeof problem,
                 "is version %s, and this devreg is %s: install both of one release, then restart "
                 "the broker",
                 version, DEVREG_VERSION);
    if (*problem)
        report(context, path, problem);
    if (!*ran || strcmp(ran, version) == 0)
        return;
    snprintf(problem, sizeof problem,
             "the broker last ran devreg.so %s, and %s is installed: restart it", ran, version);
    report(context, call->presence, problem);
}
