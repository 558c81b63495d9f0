/* rng.h - random numbers that can be had again: the seed is printed, and DEVREG_SEED sets it.
 *
 * SplitMix64 (Steele, Lea, Flood 2014): one word of state, good enough to choose test inputs.
 */
#ifndef DEVREG_TESTS_RNG_H
#define DEVREG_TESTS_RNG_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* A number below `limit`, which is not 0. */
static inline size_t rng_below(struct rng *rng, size_t limit)
{
    return (size_t)(rng_next(rng) % limit);
}

static inline bool rng_percent(struct rng *rng, unsigned percent)
{
    return rng_below(rng, 100) < percent;
}

/* A generator of its own for the test `name`: the seed is DEVREG_SEED, or else the clock's. */
static inline struct rng rng_start(const char *name)
{
    const char *given = getenv("DEVREG_SEED");
    struct timespec now = {0};
    (void)timespec_get(&now, TIME_UTC);
    struct rng rng = {given ? strtoull(given, NULL, 10)
                            : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec};
    printf("%s: DEVREG_SEED=%" PRIu64 "\n", name, rng.state);
    (void)fflush(stdout);
    return rng;
}

#endif
