/* devreg - the admin program: opens the registry as the verb needs it, runs the verb, and says at
 * the end what went wrong. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/command_line.h"
#include "admin/complain.h"
#include "admin/output.h"
#include "admin/secret.h"
#include "registry/text.h"

/* A descriptor 0 to 2 that the caller closed would become that of the next file opened, which is
 * the registry's. It is taken here, and opened the wrong way round: using it still fails. */
static bool take_closed_descriptors(void)
{
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
        int flags = file == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        if (fcntl(file, F_GETFD) < 0 && errno == EBADF && open("/dev/null", flags) != file)
            return false;
    }
    return true;
}

/* Who stands in the change log. */
static void find_who(char who[static LOG_WHO_MAX + 1])
{
    uid_t uid = getuid();
    const struct passwd *user = getpwuid(uid);
    const char *sudo = getenv("SUDO_USER");
    const char *name = uid == 0 && sudo && *sudo ? sudo : user ? user->pw_name : "";
    if (!*name || !text_is_plain(name, LOG_WHO_MAX) || !text_copy(who, LOG_WHO_MAX, name))
        snprintf(who, LOG_WHO_MAX + 1, "%lu", (unsigned long)uid);
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* fails for a bad clock only */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum status open_registry(struct call *call)
{
    if (call->command->need == NEED_NOTHING)
        return STATUS_DONE;
    enum store_mode mode = call->command->need == NEED_WRITE ? STORE_WRITE : STORE_READ;
    enum err e = registry_open(&call->registry, call->dir, mode);
    if (e)
        call->registry = NULL;
    return complain_err(call, e);
}

static void close_registry(struct call *call)
{
    if (call->registry)
        registry_end(call->registry);
    registry_close(call->registry);
    call->registry = NULL;
}

/* The option, or else the variable; NULL where neither names anything. */
static const char *named(const struct call *call, enum option option, const char *variable)
{
    const char *given = call_option(call, option);
    if (given)
        return given;
    given = getenv(variable);
    return given && *given ? given : NULL;
}

static enum status check_directory(struct call *call, const char *whose, const char *dir)
{
    if (*dir && text_is_plain(dir, DIRECTORY_MAX))
        return STATUS_DONE;
    return complain(call, STATUS_MISUSE,
                    "the %s directory '" SHOWN "': it has 1 to %d bytes of UTF-8 without control "
                    "characters",
                    whose, dir, DIRECTORY_MAX);
}

static enum status take_directories(struct call *call)
{
    const char *dir = named(call, OPT_REGISTRY, "DEVREG_REGISTRY");
    const char *presence = named(call, OPT_PRESENCE_STORE, "DEVREG_PRESENCE_STORE");
    call->dir = dir ? dir : REGISTRY_DIR;
    enum status status = check_directory(call, "registry's", call->dir);
    if (!status && presence)
        status = check_directory(call, "presence store's", presence);
    if (!status)
        snprintf(call->presence, sizeof call->presence, "%s%s", presence ? presence : call->dir,
                 presence ? "" : "/" PRESENCE_SUBDIR);
    return status;
}

static enum status run_command(struct call *call)
{
    enum status status = take_directories(call);
    if (!status)
        status = secrets_guard(call); /* the registry's own is in memory from when it is opened */
    if (status)
        return status;
    call->json = call_option(call, OPT_JSON);
    find_who(call->who);
    call->now = now_ms();
    /* Who changes something has to learn that its answer was lost. */
    if (call->command->need == NEED_WRITE)
        (void)signal(SIGPIPE, SIG_IGN);
    status = open_registry(call);
    if (!status)
        status = call->command->run(call);
    close_registry(call);
    return status;
}

int main(int argc, char **argv)
{
    struct call call = {.command = NULL};
    enum status status;
    if (!take_closed_descriptors())
        return STATUS_FAILED;
    json_init();
    if (!arguments_init(&call.arguments, argc))
        memory_out();
    if (crypto_init() != ERR_OK)
        status = complain(&call, STATUS_FAILED,
                          "the system's random source failed: see the "
                          "system's log");
    else
        status = command_line_read(&call, argc, argv);
    if (!status && call.command)
        status = run_command(&call);
    enum status written = output_finish(&call);
    if (*call.complaint)
        tell("devreg: %s", call.complaint);
    arguments_clear(&call.arguments);
    return (int)(written ? written : status);
}
