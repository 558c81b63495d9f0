/* terminal_session.h - devreg on a pseudo terminal of its own, and a registry for it. */
#ifndef DEVREG_TESTS_TERMINAL_SESSION_H
#define DEVREG_TESTS_TERMINAL_SESSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/cli/tty.h"

static char directory[] = "/tmp/devreg-terminal.XXXXXX";

/* `arguments` ends with NULL. */
static inline void session_start(struct tty *session, char *const *arguments)
{
    if (tty_fork(session, 0, 0)) {
        execv(DEVREG, arguments);
        _exit(127);
    }
}

/* Waits until `text` was said `times` times. */
static inline void session_await(struct tty *session, const char *text, int times)
{
    int64_t deadline = tty_now() + TTY_DEADLINE_MS;
    for (;;) {
        int found = 0;
        for (const char *at = session->said; (at = strstr(at, text)); at++)
            found++;
        if (found >= times)
            return;
        if (!tty_read(session, deadline))
            fail_msg("it ended before it said '%s': %s", text, session->said);
    }
}

static inline void session_type(struct tty *session, const char *text)
{
    assert_int_equal(write(session->terminal, text, strlen(text)), strlen(text));
}

static inline void assert_exit(int status, int expected)
{
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

#define RUN(session, ...)                                                                          \
    session_start(session, (char *[]){(char *)"devreg", (char *)"-r", directory, __VA_ARGS__, NULL})
#define WORD(text) ((char *)text)

/* A path in the directory of this test. */
static inline char *path_of(char path[static 100], const char *name)
{
    snprintf(path, 100, "%s/%s", directory, name);
    return path;
}

static inline int make_registry(void **state)
{
    struct tty session;
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    RUN(&session, WORD("init"));
    return tty_wait(&session);
}

static inline int remove_registry(void **state)
{
    char command[sizeof directory + 20];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

#endif
