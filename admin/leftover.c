#include "admin/leftover.h"

#include <signal.h>
#include <stddef.h>

#include "admin/json.h"

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { ENDING = sizeof ending / sizeof *ending };

/* A handler has nowhere else to look. */
static const char *volatile left_path;
static void (*volatile left_remove)(const char *path);

static void remove_and_end(int number)
{
    left_remove(left_path);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

void leftover_hold(bool hold)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ENDING; i++)
        sigaddset(&set, ending[i]);
    (void)sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL); /* fails for a bad `how` only */
}

static void handle(void (*handler)(int))
{
    for (size_t i = 0; i < ENDING; i++) {
        if (signal(ending[i], handler) == SIG_IGN)
            (void)signal(ending[i], SIG_IGN);
    }
}

static void drop(void)
{
    left_remove(left_path);
}

void leftover_begin(const char *path, void (*remove)(const char *path))
{
    left_path = path;
    left_remove = remove;
    handle(remove_and_end);
    memory_out_first(drop);
}

void leftover_end(void)
{
    handle(SIG_DFL);
    memory_out_first(NULL);
}
