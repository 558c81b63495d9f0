#include "plugin/token_bucket.h"

enum { MINUTE_MS = 60000 };

bool token_bucket_take(struct token_bucket *bucket, uint64_t a_minute, uint64_t burst, int64_t now)
{
    const uint64_t one = MINUTE_MS, full = burst * one;
    const uint64_t passed = now > bucket->at ? (uint64_t)(now - bucket->at) : 0;
    if (!bucket->begun || passed > full / a_minute)
        bucket->credit = full; /* so the product below stays small */
    else
        bucket->credit += passed * a_minute;
    if (bucket->credit > full)
        bucket->credit = full;
    if (now > bucket->at || !bucket->begun)
        bucket->at = now;
    bucket->begun = true;
    if (bucket->credit < one)
        return false;
    bucket->credit -= one;
    return true;
}
