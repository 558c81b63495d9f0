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

enum { DIRECTORY_MAX = 1000 };

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

static enum status take_directory(struct call *call)
{
    const char *given = call_option(call, OPT_REGISTRY);
    const char *variable = getenv("DEVREG_REGISTRY");
    call->dir = given ? given : variable && *variable ? variable : REGISTRY_DIR;
    if (*call->dir && text_is_plain(call->dir, DIRECTORY_MAX))
        return STATUS_DONE;
    return complain(call, STATUS_MISUSE,
                    "the registry's directory '" SHOWN "': it has 1 to %d bytes of UTF-8 without "
                    "control characters",
                    call->dir, DIRECTORY_MAX);
}

static enum status run_command(struct call *call)
{
    enum status status = take_directory(call);
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
        status = complain(&call, STATUS_FAILED, "the system's random source failed");
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
