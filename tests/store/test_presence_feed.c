/* test_presence_feed.c - what happened to devices, piece by piece, for whoever follows. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "registry/presence_feed.h"
#include "tests/support/arbitrary.h"
#include "tests/support/presence_fixture.h"

static struct feed_item any_item(struct rng *rng)
{
    struct feed_item item = {.kind = (enum feed_kind)rng_below(rng, FEED_KINDS),
                             .reason = (enum reason)rng_below(rng, REASON_COUNT),
                             .conn = any_number(rng),
                             .time = any_time(rng)};
    any_name(rng, item.device, DEVICE_ID_MAX);
    return item;
}

static bool item_same(const struct feed_item *a, const struct feed_item *b)
{
    return strcmp(a->device, b->device) == 0 && a->kind == b->kind && a->reason == b->reason &&
           a->conn == b->conn && a->time == b->time;
}

static const struct presence_counts no_counts;

/* Writes a piece of one item. */
static void put_one_item(struct fixture *fixture, uint64_t number, const char *device,
                         uint64_t conn)
{
    struct feed_item item = {.kind = FEED_ONLINE, .conn = conn, .time = 1000};
    struct pack pack = {0};
    strcpy(item.device, device);
    feed_item_add(&pack, &item);
    feed_put(fixture->txn, number, &no_counts, &pack);
    pack_free(&pack);
}

static uint64_t last_of(struct fixture *fixture)
{
    uint64_t last = 99;
    assert_int_equal(feed_last(fixture->txn, &last), ERR_OK);
    return last;
}

/* The piece behind `after` has this number and holds that one item. */
static void assert_one_item(struct fixture *fixture, uint64_t after, uint64_t number, uint64_t conn)
{
    struct feed_item item;
    struct bytes items;
    uint64_t got;
    assert_int_equal(feed_next(fixture->txn, after, &got, &items), ERR_OK);
    assert_int_equal(got, number);
    assert_true(feed_item_next(&items, &item));
    assert_true(item.conn == conn);
    assert_false(feed_item_next(&items, &item));
}

static void begin_again(struct fixture *fixture)
{
    assert_int_equal(txn_commit(fixture->txn), ERR_OK);
    assert_int_equal(txn_write(&fixture->txn, fixture->store), ERR_OK);
}

static void a_feed_without_pieces_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct bytes items;
    uint64_t number;
    assert_int_equal(last_of(fixture), 0);
    assert_int_equal(feed_next(fixture->txn, 0, &number, &items), ERR_NOT_FOUND);
}

static void items_come_back_as_they_were_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct rng rng = rng_start("items_come_back_as_they_were_and_in_order");
    struct feed_item put[200], got;
    struct pack pack = {0};
    struct bytes items;
    uint64_t number;
    for (size_t i = 0; i < COUNT(put); i++) {
        put[i] = any_item(&rng);
        feed_item_add(&pack, &put[i]);
    }
    feed_put(fixture->txn, 1, &no_counts, &pack);
    pack_free(&pack);
    begin_again(fixture);
    assert_int_equal(feed_next(fixture->txn, 0, &number, &items), ERR_OK);
    for (size_t i = 0; i < COUNT(put); i++) {
        assert_true(feed_item_next(&items, &got));
        assert_true(item_same(&put[i], &got));
    }
    assert_false(feed_item_next(&items, &got));
    assert_int_equal(items.size, 0);
}

static void the_longest_id_and_the_largest_numbers_fit(void **state)
{
    (void)state;
    struct feed_item item = {.kind = FEED_KINDS - 1,
                             .reason = REASON_COUNT - 1,
                             .conn = UINT64_MAX,
                             .time = ((int64_t)1 << 48) - 1};
    struct feed_item got;
    struct pack pack = {0};
    memset(item.device, 'x', DEVICE_ID_MAX);
    feed_item_add(&pack, &item);
    struct bytes items = {pack.data, pack.size};
    assert_true(feed_item_next(&items, &got));
    assert_true(item_same(&item, &got));
    pack_free(&pack);
}

static void pieces_are_numbered_from_one_on(void **state)
{
    struct fixture *fixture = *state;
    struct bytes items;
    uint64_t number;
    for (uint64_t i = 1; i <= 300; i++) { /* past the first byte of a number */
        put_one_item(fixture, i, "a", 7 * i);
        assert_int_equal(last_of(fixture), i);
    }
    for (uint64_t i = 1; i <= 300; i++)
        assert_one_item(fixture, i - 1, i, 7 * i);
    assert_int_equal(feed_next(fixture->txn, 300, &number, &items), ERR_NOT_FOUND);
}

static void a_piece_of_no_items_is_one_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    const struct presence_counts counts = {3, 2, 1};
    const struct pack nothing = {0};
    struct presence_counts got;
    struct feed_item item;
    struct bytes items;
    uint64_t number;
    feed_put(fixture->txn, 1, &counts, &nothing);
    assert_int_equal(feed_next(fixture->txn, 0, &number, &items), ERR_OK);
    assert_int_equal(number, 1);
    assert_false(feed_item_next(&items, &item));
    assert_int_equal(presence_counts_get(fixture->txn, &got), ERR_OK);
    assert_int_equal(got.seen, 3);
}

static void assert_counts(struct fixture *fixture, uint64_t seen, uint64_t online, uint64_t seq)
{
    struct presence_counts got = {7, 7, 7};
    assert_int_equal(presence_counts_get(fixture->txn, &got), ERR_OK);
    assert_true(got.seen == seen);
    assert_true(got.online == online);
    assert_true(got.seq == seq);
}

static void the_counts_are_those_of_the_newest_piece(void **state)
{
    struct fixture *fixture = *state;
    static const struct presence_counts all[] = {
        {1, 0, 5}, {127, 128, 129}, {UINT64_MAX, UINT64_MAX, UINT64_MAX}, {0, 0, 0}};
    const struct pack nothing = {0};
    assert_counts(fixture, 0, 0, 0);
    for (size_t i = 0; i < COUNT(all); i++) {
        feed_put(fixture->txn, i + 1, &all[i], &nothing);
        assert_counts(fixture, all[i].seen, all[i].online, all[i].seq);
    }
}

static void counts_are_found_by_a_walk_too(void **state)
{
    struct fixture *fixture = *state;
    struct presence record = {.connections = 1, .seq = 20};
    struct presence_counts got = {7, 7, 7};
    assert_int_equal(presence_counts_find(fixture->txn, &got), ERR_OK);
    assert_int_equal(got.seen + got.online + got.seq, 0);
    presence_put(fixture->txn, "seen", &record, NULL);
    record.online = true;
    record.seq = 30;
    presence_put(fixture->txn, "online", &record, NULL);
    record = (struct presence){.failures = {3, 1}, .seq = 10};
    presence_put(fixture->txn, "refused", &record, NULL);
    put_raw(fixture, text_bytes("pdamaged"), "\1nonsense");
    put_raw(fixture, (struct bytes){(const uint8_t *)"pno\0name", 8}, "");
    assert_int_equal(presence_counts_find(fixture->txn, &got), ERR_OK);
    assert_int_equal(got.seen, 2);
    assert_int_equal(got.online, 1);
    assert_int_equal(got.seq, 30);
}

/* The newest piece has this key. */
static const struct bytes first_piece = {(const uint8_t *)"w\0\0\0\0\0\0\0\1", 9};

static void a_piece_that_is_cut_or_too_long_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    static const char *const damaged[] = {"", "\5", "\5\3\1", "\5\3\1\2a", "\5\3\1\1aa"};
    struct presence_counts got = {7, 7, 7};
    struct bytes items;
    uint64_t number = 0;
    for (size_t i = 0; i < COUNT(damaged); i++) {
        put_raw(fixture, first_piece, damaged[i]);
        assert_int_equal(presence_counts_get(fixture->txn, &got), ERR_DAMAGED);
        assert_int_equal(got.seen, 7);
        assert_int_equal(feed_next(fixture->txn, 0, &number, &items), ERR_DAMAGED);
        assert_int_equal(number, 1);
    }
}

static void the_latest_pieces_are_kept_and_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct bytes items;
    uint64_t number = 0, count = 0;
    for (uint64_t i = 1; i <= FEED_KEPT; i++)
        put_one_item(fixture, i, "a", i);
    assert_one_item(fixture, 0, 1, 1);
    put_one_item(fixture, FEED_KEPT + 1, "a", FEED_KEPT + 1);
    assert_one_item(fixture, 0, 2, 2);
    for (uint64_t i = FEED_KEPT + 2; i <= FEED_KEPT + 5; i++)
        put_one_item(fixture, i, "a", i);
    assert_one_item(fixture, 0, 6, 6); /* which is how a follower learns what he missed */
    assert_one_item(fixture, 3, 6, 6);
    while (feed_next(fixture->txn, number, &number, &items) == ERR_OK)
        count++;
    assert_int_equal(count, FEED_KEPT);
    assert_int_equal(number, FEED_KEPT + 5);
}

static void a_piece_without_memory_fails_the_scope(void **state)
{
    struct fixture *fixture = *state;
    const struct pack failed = {.failed = true};
    feed_put(fixture->txn, 1, &no_counts, &failed);
    assert_int_equal(txn_commit(fixture->txn), ERR_NO_MEMORY);
    assert_int_equal(txn_write(&fixture->txn, fixture->store), ERR_OK);
}

/* What an item may be cut to is no item. */
static void an_item_that_is_cut_is_none(void **state)
{
    struct rng rng = rng_start("an_item_that_is_cut_is_none");
    struct feed_item item = any_item(&rng);
    struct pack pack = {0};
    (void)state;
    feed_item_add(&pack, &item);
    for (size_t size = 0; size < pack.size; size++) {
        struct bytes items = {pack.data, size};
        assert_false(feed_item_next(&items, &item));
    }
    pack_free(&pack);
}

static void an_item_of_no_known_kind_is_none(void **state)
{
    const struct feed_item items[] = {{.device = "a", .kind = FEED_KINDS},
                                      {.device = "a", .reason = REASON_COUNT}};
    (void)state;
    for (size_t i = 0; i < COUNT(items); i++) {
        struct pack pack = {0};
        struct feed_item got;
        feed_item_add(&pack, &items[i]);
        struct bytes bytes = {pack.data, pack.size};
        assert_false(feed_item_next(&bytes, &got));
        pack_free(&pack);
    }
}

static void a_key_that_is_no_number_ends_a_walk(void **state)
{
    struct fixture *fixture = *state;
    struct bytes items;
    uint64_t number = 5;
    put_raw(fixture, text_bytes("wxy"), "a key too short");
    assert_int_equal(feed_next(fixture->txn, 0, &number, &items), ERR_BROKEN);
    assert_int_equal(feed_last(fixture->txn, &number), ERR_BROKEN);
}

/* Turns each `text` in the store's file into something else. */
static void spoil(struct fixture *fixture, const char *text)
{
    char path[TEMPDIR_MAX];
    struct stat info;
    int fd = open(path_join(path, fixture->dir.path, "data.mdb"), O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    size_t size = (size_t)info.st_size;
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    size_t found = 0;
    for (char *at = bytes; (at = memmem(at, size - (size_t)(at - bytes), text, strlen(text)));) {
        *at ^= 1;
        found++;
    }
    assert_true(found > 0);
    assert_int_equal(munmap(bytes, size), 0);
    assert_int_equal(close(fd), 0);
}

static void a_damaged_piece_is_numbered_and_walked_over(void **state)
{
    struct fixture *fixture = *state;
    struct bytes items;
    uint64_t number;
    put_one_item(fixture, 1, "sound", 1);
    put_one_item(fixture, 2, "to-be-spoiled", 2);
    put_one_item(fixture, 3, "sound", 3);
    put_one_item(fixture, 4, "to-be-spoiled", 4);
    begin_again(fixture);
    spoil(fixture, "to-be-spoiled");
    assert_one_item(fixture, 0, 1, 1);
    assert_int_equal(feed_next(fixture->txn, 1, &number, &items), ERR_DAMAGED);
    assert_int_equal(number, 2);
    assert_one_item(fixture, 2, 3, 3);
    assert_int_equal(last_of(fixture), 4);
    put_one_item(fixture, 5, "sound", 5);
    assert_one_item(fixture, 4, 5, 5);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_feed_without_pieces_says_so),
        test(items_come_back_as_they_were_and_in_order),
        test(the_longest_id_and_the_largest_numbers_fit),
        test(pieces_are_numbered_from_one_on),
        test(a_piece_of_no_items_is_one_all_the_same),
        test(the_counts_are_those_of_the_newest_piece),
        test(counts_are_found_by_a_walk_too),
        test(a_piece_that_is_cut_or_too_long_is_damaged),
        test(the_latest_pieces_are_kept_and_no_more),
        test(a_piece_without_memory_fails_the_scope),
        test(an_item_that_is_cut_is_none),
        test(an_item_of_no_known_kind_is_none),
        test(a_key_that_is_no_number_ends_a_walk),
        test(a_damaged_piece_is_numbered_and_walked_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
