/* token_bucket.h - a token bucket: so many a minute, and so many of them at once.
 *
 * In whole numbers, and without losing a part of a token: `credit` counts in MINUTE_MS parts of
 * one, of which each millisecond brings `a_minute`. So over any time the bucket lets through at
 * most what the rate says and the burst besides, and all of that if it is never full.
 */
#ifndef DEVREG_PLUGIN_TOKEN_BUCKET_H
#define DEVREG_PLUGIN_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* {0} is one that is full at its first use, whenever that is. */
struct token_bucket {
    uint64_t credit;
    int64_t at; /* ms of a clock that never goes back: when `credit` was that */
    bool begun;
};

/* Takes one token, if there is one. Rate and burst, from 1 on and less than 2^32, may be others
 * than last time: what was saved stays, up to the burst. */
bool token_bucket_take(struct token_bucket *bucket, uint64_t a_minute, uint64_t burst, int64_t now);

#endif
