/* test_token_bucket.c - over any time as many as the rate says, and the burst besides. */
#include "plugin/token_bucket.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/rng.h"

enum { MINUTE = 60000, ROUNDS = 300, STEPS = 2000 };

static unsigned take_all(struct token_bucket *bucket, uint64_t rate, uint64_t burst, int64_t now)
{
    unsigned taken = 0;
    while (token_bucket_take(bucket, rate, burst, now))
        taken++;
    return taken;
}

static void a_new_bucket_is_full_whatever_the_clock_says(void **state)
{
    static const int64_t times[] = {0, 1, 5, 1000000, INT64_MAX / 2};
    (void)state;
    for (size_t i = 0; i < COUNT(times); i++) {
        struct token_bucket bucket = {0};
        assert_int_equal(take_all(&bucket, 60, 20, times[i]), 20);
    }
}

static void a_token_comes_when_its_time_is_over_and_not_before(void **state)
{
    struct token_bucket bucket = {0};
    (void)state;
    assert_int_equal(take_all(&bucket, 60, 3, 5000), 3);
    assert_false(token_bucket_take(&bucket, 60, 3, 5999));
    assert_true(token_bucket_take(&bucket, 60, 3, 6000));
    assert_false(token_bucket_take(&bucket, 60, 3, 6000));
}

static void asking_again_and_again_loses_no_part_of_a_token(void **state)
{
    struct token_bucket bucket = {0};
    unsigned taken = 0;
    (void)state;
    (void)take_all(&bucket, 7, 2, 1); /* one in 8571.43 ms */
    for (int64_t now = 2; now <= 10 * MINUTE + 1; now++)
        taken += token_bucket_take(&bucket, 7, 2, now);
    assert_int_equal(taken, 70);
}

static void it_never_holds_more_than_the_burst(void **state)
{
    struct token_bucket bucket = {0};
    (void)state;
    (void)take_all(&bucket, 6000000, 5, 1);
    assert_int_equal(take_all(&bucket, 6000000, 5, 1000000000), 5);
    assert_int_equal(take_all(&bucket, 1, 6000000, INT64_MAX / 2), 6000000);
}

static void another_rate_keeps_what_was_used(void **state)
{
    struct token_bucket bucket = {0};
    (void)state;
    assert_int_equal(take_all(&bucket, 60, 60, 1), 60);
    assert_int_equal(take_all(&bucket, 600, 600, 1), 0); /* not full again */
    assert_int_equal(take_all(&bucket, 600, 600, 101), 1);
    assert_int_equal(take_all(&bucket, 600, 600, 1 + 10 * MINUTE), 600);
    (void)take_all(&bucket, 600, 600, 1 + 11 * MINUTE);
    assert_int_equal(take_all(&bucket, 600, 3, 1 + 12 * MINUTE), 3); /* fewer at once */
}

static void a_clock_that_stands_still_brings_nothing(void **state)
{
    struct token_bucket bucket = {0};
    (void)state;
    assert_int_equal(take_all(&bucket, 60, 2, 1000), 2);
    assert_false(token_bucket_take(&bucket, 60, 2, 1000));
    assert_false(token_bucket_take(&bucket, 60, 2, 10)); /* nor one that goes back */
    assert_false(token_bucket_take(&bucket, 60, 2, 1999));
    assert_true(token_bucket_take(&bucket, 60, 2, 2000));
}

static struct rng rng;

/* The law, for random rates, bursts and moments: burst + rate * time at the most, exactly that many
 * where it is asked often enough. */
static void over_any_time_it_lets_through_what_the_rate_says(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct token_bucket bucket = {0};
        const uint64_t rate = 1 + rng_below(&rng, 6000), burst = 2 + rng_below(&rng, 50);
        const int64_t begin = (int64_t)rng_below(&rng, 1000000);
        uint64_t taken = 0;
        int64_t now = begin;
        for (int step = 0; step < STEPS; step++) {
            now += (int64_t)rng_below(&rng, 40);
            taken += token_bucket_take(&bucket, rate, burst, now);
        }
        const uint64_t most = burst + (uint64_t)(now - begin) * rate / MINUTE;
        if (taken > most)
            fail_msg("%llu of at most %llu", (unsigned long long)taken, (unsigned long long)most);
        /* A step takes up to 40 ms and asks for one, so a slow bucket is empty all the time. */
        if (rate * 40 < MINUTE && taken + 1 < most && most < STEPS / 2)
            fail_msg("%llu where %llu were due", (unsigned long long)taken,
                     (unsigned long long)most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_bucket_is_full_whatever_the_clock_says),
        cmocka_unit_test(a_token_comes_when_its_time_is_over_and_not_before),
        cmocka_unit_test(asking_again_and_again_loses_no_part_of_a_token),
        cmocka_unit_test(it_never_holds_more_than_the_burst),
        cmocka_unit_test(another_rate_keeps_what_was_used),
        cmocka_unit_test(a_clock_that_stands_still_brings_nothing),
        cmocka_unit_test(over_any_time_it_lets_through_what_the_rate_says),
    };
    rng = rng_start("test_token_bucket");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
