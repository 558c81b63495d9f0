/* test_event_buckets.c - ten at once and one a second, whatever others do. */
#include "plugin/event_buckets.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/rng.h"

enum { SECOND = 1000, START = 12345, DEVICES = 2000, QUIET_EVENTS = 4, BUSY_EVENTS = 500 };

/* Of two sets: neighbours, and the same owner. */
static const uint64_t pump = UINT64_C(0x0123456700000007), lamp = UINT64_C(0x0123456700000008);

static struct rng rng;

static unsigned take_all(struct event_buckets *buckets, uint64_t hash, int64_t now)
{
    unsigned taken = 0;
    uint32_t dropped;
    while (event_buckets_take(buckets, hash, now, &dropped))
        taken++;
    return taken;
}

/* Another one of that set. */
static uint64_t in_set_of(uint64_t hash, uint32_t owner)
{
    return (uint64_t)owner << 32 | (uint32_t)hash;
}

static void there_are_ten_at_once_and_then_one_a_second(void **state)
{
    struct event_buckets buckets = {0};
    (void)state;
    assert_int_equal(take_all(&buckets, pump, START), EVENT_BURST);
    assert_int_equal(take_all(&buckets, pump, START + SECOND - 1), 0);
    for (int64_t second = 1; second <= 100; second++)
        assert_int_equal(take_all(&buckets, pump, START + second * SECOND), 1);
    assert_int_equal(take_all(&buckets, pump, START + 103 * SECOND), 3);
    assert_int_equal(take_all(&buckets, pump, START + 1000 * SECOND), EVENT_BURST);
    event_buckets_close(&buckets);
}

static void the_next_one_tells_how_many_were_not_there(void **state)
{
    struct event_buckets buckets = {0};
    uint32_t dropped = 1;
    (void)state;
    assert_true(event_buckets_take(&buckets, pump, START, &dropped));
    assert_int_equal(dropped, 0);
    (void)take_all(&buckets, pump, START);
    (void)take_all(&buckets, pump, START);
    assert_true(event_buckets_take(&buckets, pump, START + SECOND, &dropped));
    assert_int_equal(dropped, 2);
    assert_true(event_buckets_take(&buckets, pump, START + 2 * SECOND, &dropped));
    assert_int_equal(dropped, 0);
    event_buckets_close(&buckets);
}

static void the_buckets_of_one_device_are_each_their_own(void **state)
{
    struct event_buckets buckets = {0};
    (void)state;
    assert_int_equal(take_all(&buckets, pump, START), EVENT_BURST);
    assert_int_equal(take_all(&buckets, lamp, START), EVENT_BURST);
    event_buckets_close(&buckets);
}

/* Half of them have hundreds each second, and the others four in all: those lose none. */
static void a_quiet_device_loses_no_event_to_a_busy_one(void **state)
{
    struct event_buckets buckets = {0};
    uint64_t hashes[DEVICES];
    uint32_t dropped;
    (void)state;
    for (size_t i = 0; i < DEVICES; i++)
        hashes[i] = rng_next(&rng);
    for (int64_t second = 0; second < QUIET_EVENTS; second++) {
        for (int event = 0; event < BUSY_EVENTS; event++)
            for (size_t i = 0; i < DEVICES; i += 2)
                (void)event_buckets_take(&buckets, hashes[i], START + second * SECOND, &dropped);
        for (size_t i = 1; i < DEVICES; i += 2)
            assert_true(event_buckets_take(&buckets, hashes[i], START + second * SECOND, &dropped));
    }
    event_buckets_close(&buckets);
}

static void what_is_full_again_makes_room_and_what_is_in_use_does_not(void **state)
{
    struct event_buckets buckets = {0};
    uint32_t dropped;
    (void)state;
    for (uint32_t owner = 1; owner <= EVENT_WAYS; owner++)
        assert_int_equal(take_all(&buckets, in_set_of(pump, owner), START + owner), EVENT_BURST);
    /* All are in use: one more has what one of them has left. */
    assert_false(event_buckets_take(&buckets, in_set_of(pump, 100), START + 20, &dropped));
    /* The first is full again, and then the second. */
    const int64_t full = START + 1 + EVENT_BURST * SECOND;
    assert_int_equal(take_all(&buckets, in_set_of(pump, 100), full), EVENT_BURST);
    assert_int_equal(take_all(&buckets, in_set_of(pump, 2), full), EVENT_BURST - 1);
    event_buckets_close(&buckets);
}

static void what_is_still_to_be_told_goes_last(void **state)
{
    struct event_buckets buckets = {0};
    const int64_t later = START + 100 * SECOND;
    uint32_t dropped;
    (void)state;
    for (uint32_t owner = 1; owner <= EVENT_WAYS; owner++)
        for (int event = 0; event < EVENT_BURST + (owner == 1); event++)
            (void)event_buckets_take(&buckets, in_set_of(pump, owner), START + owner, &dropped);
    for (uint32_t owner = 101; owner < 100 + EVENT_WAYS; owner++)
        assert_true(event_buckets_take(&buckets, in_set_of(pump, owner), later, &dropped));
    assert_true(event_buckets_take(&buckets, in_set_of(pump, 1), later, &dropped));
    assert_int_equal(dropped, 1);
    event_buckets_close(&buckets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_ten_at_once_and_then_one_a_second),
        cmocka_unit_test(the_next_one_tells_how_many_were_not_there),
        cmocka_unit_test(the_buckets_of_one_device_are_each_their_own),
        cmocka_unit_test(a_quiet_device_loses_no_event_to_a_busy_one),
        cmocka_unit_test(what_is_full_again_makes_room_and_what_is_in_use_does_not),
        cmocka_unit_test(what_is_still_to_be_told_goes_last),
    };
    rng = rng_start("test_event_buckets");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
