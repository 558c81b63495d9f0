/* terminal_session.h - devreg on a pseudo terminal of its own, and a registry for it. */
#ifndef DEVREG_TESTS_TERMINAL_SESSION_H
#define DEVREG_TESTS_TERMINAL_SESSION_H

#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_MS = 60000, SAID_MAX = 131071 };

/* A devreg on a terminal of its own, and all that it has said there. */
struct session {
    int terminal;
    pid_t pid;
    size_t length;
    char said[SAID_MAX + 1];
};

static char directory[] = "/tmp/devreg-terminal.XXXXXX";

/* `arguments` ends with NULL. */
static inline void session_start(struct session *session, char *const *arguments)
{
    *session = (struct session){.terminal = -1};
    session->pid = forkpty(&session->terminal, NULL, NULL, NULL);
    assert_true(session->pid >= 0);
    if (session->pid == 0) {
        execv(DEVREG, arguments);
        _exit(127);
    }
}

static inline int64_t now_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads what comes, until the deadline. False at the end of the session. */
static inline bool session_read(struct session *session, int64_t deadline)
{
    struct pollfd poll_on = {.fd = session->terminal, .events = POLLIN};
    int64_t left = deadline - now_ms();
    int ready = poll(&poll_on, 1, left > 0 ? (int)left : 0);
    if (ready == 0)
        fail_msg("nothing more came, after: %s", session->said);
    assert_true(session->length < SAID_MAX);
    ssize_t got =
        read(session->terminal, session->said + session->length, SAID_MAX - session->length);
    if (got <= 0) /* EIO: the other side is closed */
        return false;
    session->length += (size_t)got;
    session->said[session->length] = '\0';
    return true;
}

/* Waits until `text` was said `times` times. */
static inline void session_await(struct session *session, const char *text, int times)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    for (;;) {
        int found = 0;
        for (const char *at = session->said; (at = strstr(at, text)); at++)
            found++;
        if (found >= times)
            return;
        if (!session_read(session, deadline))
            fail_msg("it ended before it said '%s': %s", text, session->said);
    }
}

static inline void session_type(struct session *session, const char *text)
{
    assert_int_equal(write(session->terminal, text, strlen(text)), strlen(text));
}

/* Its wait status. */
static inline int session_end(struct session *session)
{
    int status;
    int64_t deadline = now_ms() + DEADLINE_MS;
    while (session_read(session, deadline))
        continue;
    assert_int_equal(waitpid(session->pid, &status, 0), session->pid);
    assert_int_equal(close(session->terminal), 0);
    return status;
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
    struct session session;
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    RUN(&session, WORD("init"));
    return session_end(&session);
}

static inline int remove_registry(void **state)
{
    char command[sizeof directory + 20];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

#endif
