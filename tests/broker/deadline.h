/* deadline.h - nothing sleeps: a test waits for a condition, and gives up at a deadline. */
#ifndef DEVREG_TESTS_DEADLINE_H
#define DEVREG_TESTS_DEADLINE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { DEADLINE_MS = 60000 };

/* Milliseconds of the monotonic clock. */
static inline int64_t clock_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Milliseconds since 1970. */
static inline int64_t wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One step of waiting: false once `until` has passed. */
static inline bool wait_step(int64_t until)
{
    if (clock_ms() >= until)
        return false;
    (void)poll(NULL, 0, 2);
    return true;
}

/* Asks `condition` again and again; `held` tells how that ended. */
#define WAIT_UNTIL(held, condition)                                                                \
    do {                                                                                           \
        int64_t wait_end = clock_ms() + DEADLINE_MS;                                               \
        while (!((held) = (condition)) && wait_step(wait_end))                                     \
            ;                                                                                      \
    } while (0)

#endif
