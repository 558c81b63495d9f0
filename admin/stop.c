#include "admin/stop.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* A handler has nowhere else to look. */
static volatile sig_atomic_t came, at_once;

static void note_signal(int number)
{
    (void)number;
    if (at_once)
        _exit(0);
    came = 1;
}

void stop_catch(void)
{
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction action;
        if (sigaction(signals[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN)
            continue; /* as in the background of a shell without job control */
        action = (struct sigaction){.sa_handler = note_signal, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        (void)sigaction(signals[i], &action, NULL);
    }
}

void stop_at_once(bool now)
{
    at_once = now;
    if (now && came)
        _exit(0);
}

enum stop stop_wait(int ms)
{
    struct pollfd out = {.fd = STDOUT_FILENO}; /* asks for nothing but its end */
    if (came)
        return STOP_SIGNAL;
    /* A signal between these lines is seen after the pause, which is short. */
    int ready = poll(&out, 1, ms);
    if (came)
        return STOP_SIGNAL;
    return ready > 0 && (out.revents & (POLLERR | POLLHUP)) ? STOP_UNREAD : STOP_NOT;
}
