/* test_registry_log.c - the old end of the change log, and entries that cannot be read. */
#include <stdio.h>

#include "tests/support/registry_fixture.h"
#include "tests/support/store_fixture.h"

enum { ENTRIES = 20, STEP = 1000 };

/* Entries 2 to ENTRIES, each a step later than the one before; the first is init's. */
static void fill(struct registry *registry)
{
    for (int64_t i = 2; i <= ENTRIES; i++) {
        write_begin(registry, NOW + i * STEP);
        registry_log(registry, LOG_SET, LOG_DEVICE, "a", "");
        write_end(registry);
    }
}

static void damage(struct registry *registry, uint8_t seq)
{
    const uint8_t key[] = {'l', 0, 0, 0, 0, 0, 0, 0, seq};
    struct txn *txn;
    assert_int_equal(txn_write(&txn, registry_store(registry)), ERR_OK);
    txn_put(txn, (struct bytes){key, sizeof key}, text_bytes("\x01nonsense"));
    assert_int_equal(txn_commit(txn), ERR_OK);
}

static struct log_old old_of(struct registry *registry, int64_t before, uint64_t keep)
{
    struct log_old old = {.count = 99};
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_log_old(registry, before, keep, &old), ERR_OK);
    registry_end(registry);
    return old;
}

static void assert_old(struct log_old old, uint64_t count, uint64_t last, int64_t until)
{
    assert_int_equal(old.count, count);
    assert_int_equal(old.last, last);
    assert_int_equal(old.until, until);
}

static void what_is_old_is_told_by_time_and_by_number(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    fill(registry);
    assert_old(old_of(registry, 0, UINT64_MAX), 0, 0, 0);
    assert_old(old_of(registry, NOW + 5 * STEP, UINT64_MAX), 4, 4, NOW + 4 * STEP);
    assert_old(old_of(registry, NOW + 5 * STEP + 1, UINT64_MAX), 5, 5, NOW + 5 * STEP);
    assert_old(old_of(registry, INT64_MAX, UINT64_MAX), ENTRIES, ENTRIES, NOW + ENTRIES * STEP);
    assert_old(old_of(registry, 0, 0), ENTRIES, ENTRIES, NOW + ENTRIES * STEP);
    assert_old(old_of(registry, 0, 3), ENTRIES - 3, ENTRIES - 3, NOW + (ENTRIES - 3) * STEP);
    assert_old(old_of(registry, 0, ENTRIES), 0, 0, 0);
    assert_old(old_of(registry, NOW + 5 * STEP, 3), ENTRIES - 3, ENTRIES - 3,
               NOW + (ENTRIES - 3) * STEP);
}

/* The clock was put back: what comes behind it stays, so that the log has no gap. */
static void an_entry_that_is_not_old_ends_it(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    write_begin(registry, NOW + 9 * STEP);
    registry_log(registry, LOG_SET, LOG_DEVICE, "a", "");
    write_end(registry);
    fill(registry);
    assert_old(old_of(registry, NOW + 5 * STEP, UINT64_MAX), 1, 1, NOW - 1000);
}

static void what_is_damaged_is_as_old_as_what_follows(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    fill(registry);
    damage(registry, 1);
    damage(registry, 2);
    damage(registry, 6);
    assert_old(old_of(registry, NOW + 4 * STEP, UINT64_MAX), 3, 3, NOW + 3 * STEP);
    assert_old(old_of(registry, NOW + 6 * STEP, UINT64_MAX), 5, 5, NOW + 5 * STEP);
    assert_old(old_of(registry, NOW + 8 * STEP, UINT64_MAX), 7, 7, NOW + 7 * STEP);
    damage(registry, ENTRIES);
    assert_old(old_of(registry, INT64_MAX, UINT64_MAX), ENTRIES - 1, ENTRIES - 1,
               NOW + (ENTRIES - 1) * STEP);
    assert_old(old_of(registry, 0, 0), ENTRIES, ENTRIES, NOW + (ENTRIES - 1) * STEP);
}

static void a_log_is_cut_at_its_old_end_only(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct log_entry entry = {.seq = 0};
    struct registry_check result;
    fill(registry);
    damage(registry, 3);
    write_begin(registry, NOW + 99 * STEP);
    registry_log(registry, LOG_TRIM, LOG_NOTHING, "", "7 entries");
    registry_log_cut(registry, 7);
    write_end(registry);
    assert_int_equal(registry_read(registry), ERR_OK);
    for (uint64_t seq = 8; seq <= ENTRIES + 1; seq++) {
        assert_int_equal(registry_next_entry(registry, entry.seq, &entry), ERR_OK);
        assert_int_equal(entry.seq, seq);
    }
    assert_true(entry.verb == LOG_TRIM && entry.kind == LOG_NOTHING);
    assert_int_equal(registry_next_entry(registry, entry.seq, &entry), ERR_NOT_FOUND);
    assert_int_equal(registry_check(registry, &result, NULL, NULL), ERR_OK);
    assert_int_equal(result.findings, 0);
    registry_end(registry);
}

static void a_walk_goes_on_behind_a_damaged_entry(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct log_entry entry;
    fill(registry);
    damage(registry, 5);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_next_entry(registry, 4, &entry), ERR_DAMAGED);
    assert_int_equal(entry.seq, 5);
    assert_int_equal(registry_next_entry(registry, entry.seq, &entry), ERR_OK);
    assert_int_equal(entry.seq, 6);
    registry_end(registry);
}

/* What can be no entry is in nobody's way. */
static void a_key_that_is_no_number_is_passed_over(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct log_entry entry = {.seq = 0};
    struct txn *txn;
    fill(registry);
    assert_int_equal(txn_write(&txn, registry_store(registry)), ERR_OK);
    txn_put(txn, text_bytes("l"), text_bytes("short"));
    txn_put(txn, (struct bytes){(const uint8_t *)"l\0\0\0\0\0\0\0\5long", 13}, text_bytes("long"));
    assert_int_equal(txn_commit(txn), ERR_OK);
    assert_int_equal(registry_read(registry), ERR_OK);
    for (uint64_t seq = 1; seq <= ENTRIES; seq++) {
        assert_int_equal(registry_next_entry(registry, entry.seq, &entry), ERR_OK);
        assert_int_equal(entry.seq, seq);
    }
    registry_end(registry);
    write_begin(registry, NOW);
    registry_log_cut(registry, ENTRIES - 1);
    write_end(registry);
    assert_old(old_of(registry, 0, 0), 1, ENTRIES, NOW + ENTRIES * STEP);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_old_is_told_by_time_and_by_number),
        test(an_entry_that_is_not_old_ends_it),
        test(what_is_damaged_is_as_old_as_what_follows),
        test(a_log_is_cut_at_its_old_end_only),
        test(a_walk_goes_on_behind_a_damaged_entry),
        test(a_key_that_is_no_number_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
