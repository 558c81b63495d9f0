#include "guard.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static int to_guard = -1;

static void guard_note(pid_t guarded[static GUARDED_MAX], pid_t told)
{
    for (int i = 0; i < GUARDED_MAX; i++) {
        if (guarded[i] == (told > 0 ? 0 : -told)) {
            guarded[i] = told > 0 ? told : 0;
            return;
        }
    }
}

/* A pid to watch, or the negative one of whom to forget. */
static _Noreturn void guard_run(int from)
{
    pid_t guarded[GUARDED_MAX] = {0}, told;
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    while (read(from, &told, sizeof told) == (ssize_t)sizeof told)
        guard_note(guarded, told);
    for (int i = 0; i < GUARDED_MAX; i++)
        if (guarded[i] > 0)
            (void)kill(guarded[i], SIGKILL);
    _exit(0);
}

static int guard_start(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[1]);
        guard_run(ends[0]);
    }
    (void)close(ends[0]);
    return pid > 0 ? ends[1] : -1;
}

void guard_begin(void)
{
    if (to_guard < 0)
        to_guard = guard_start();
}

static void guard_tell(pid_t told)
{
    guard_begin();
    if (to_guard >= 0 && write(to_guard, &told, sizeof told) != (ssize_t)sizeof told)
        to_guard = -1;
}

void guard_watch(pid_t pid)
{
    guard_tell(pid);
}

void guard_forget(pid_t pid)
{
    guard_tell(-pid);
}
