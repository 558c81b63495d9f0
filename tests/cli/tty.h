/* tty.h - a program on a pseudo terminal of its own, and all that it has said there. For test
 * programs that include cmocka.h before. */
#ifndef DEVREG_TESTS_TTY_H
#define DEVREG_TESTS_TTY_H

#include <poll.h>
#include <pty.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TTY_DEADLINE_MS = 60000, SAID_MAX = 131071 };

struct tty {
    int terminal;
    pid_t pid;
    size_t length;
    char said[SAID_MAX + 1];
};

static inline int64_t tty_now(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Begins a process on a terminal of that size: true in that process. */
static inline bool tty_fork(struct tty *tty, unsigned short rows, unsigned short columns)
{
    const struct winsize size = {.ws_row = rows, .ws_col = columns};
    *tty = (struct tty){.terminal = -1};
    tty->pid = forkpty(&tty->terminal, NULL, NULL, &size);
    assert_true(tty->pid >= 0);
    return tty->pid == 0;
}

/* Reads what comes, until the deadline. False at the end of the tty. */
static inline bool tty_read(struct tty *tty, int64_t deadline)
{
    struct pollfd poll_on = {.fd = tty->terminal, .events = POLLIN};
    int64_t left = deadline - tty_now();
    int ready = poll(&poll_on, 1, left > 0 ? (int)left : 0);
    if (ready == 0)
        fail_msg("nothing more came, after: %s", tty->said);
    assert_true(tty->length < SAID_MAX);
    ssize_t got = read(tty->terminal, tty->said + tty->length, SAID_MAX - tty->length);
    if (got <= 0) /* EIO: the other side is closed */
        return false;
    tty->length += (size_t)got;
    tty->said[tty->length] = '\0';
    return true;
}

/* Its wait status, after all that it had to say. */
static inline int tty_wait(struct tty *tty)
{
    int status;
    int64_t deadline = tty_now() + TTY_DEADLINE_MS;
    while (tty_read(tty, deadline))
        continue;
    assert_int_equal(waitpid(tty->pid, &status, 0), tty->pid);
    assert_int_equal(close(tty->terminal), 0);
    return status;
}

/* Its exit status, likewise. */
static inline int tty_end(struct tty *tty)
{
    int status = tty_wait(tty);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#endif
