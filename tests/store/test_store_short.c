/* test_store_short.c - a file that ends before its last pages do: whole where these are free, since
 * LMDB never wrote what a transaction took and gave back; else cut short, and damaged. */
#include "tests/support/cmocka_all.h"

#include "registry/lost_pages.h"
#include "tests/support/rng.h"
#include "tests/support/store_fixture.h"

enum { PAGE = 4096, LARGE = 3 * PAGE, LARGEST = 60 * PAGE, SMALL = 900, ROUNDS = 150, KEYS = 500 };

struct short_store {
    struct tempdir dir;
    char data[TEMPDIR_MAX];
    struct store *store;
};

static const uint8_t zeros[LARGEST];

static int begin(void **state)
{
    struct short_store *s = test_calloc(1, sizeof *s);
    *state = s;
    tempdir_make(&s->dir);
    path_join(s->data, s->dir.path, "data.mdb");
    return create_here(s->dir.path, STORE_PRESENCE) ||
           store_open(&s->store, s->dir.path, STORE_PRESENCE, STORE_WRITE);
}

static int end(void **state)
{
    struct short_store *s = *state;
    store_close(s->store);
    tempdir_remove(&s->dir);
    test_free(s);
    return 0;
}

/* How many bytes the file lacks. */
static size_t lacks(const struct short_store *s)
{
    struct stat info;
    uint64_t used, limit;
    store_size(s->store, &used, &limit);
    assert_int_equal(stat(s->data, &info), 0);
    return (uint64_t)info.st_size < used ? (size_t)(used - (uint64_t)info.st_size) : 0;
}

/* Records of many pages, put and deleted in one scope, until one finds no room among the free pages
 * but at the file's end, and the scope needs none behind it. */
static void give_back(struct short_store *s)
{
    struct txn *txn;
    for (size_t size = LARGE; size < LARGEST && lacks(s) == 0; size += PAGE) {
        assert_int_equal(put_one(s->store, "dpump-7", "a record"), ERR_OK);
        assert_int_equal(txn_write(&txn, s->store), ERR_OK);
        txn_put(txn, text_bytes("dlarge"), (struct bytes){zeros, size});
        txn_delete(txn, text_bytes("dlarge"));
        assert_int_equal(txn_commit(txn), ERR_OK);
    }
    assert_true(lacks(s) > 0);
}

static void open_again(struct short_store *s, enum store_mode mode)
{
    store_close(s->store);
    s->store = NULL;
    assert_int_equal(store_open(&s->store, s->dir.path, STORE_PRESENCE, mode), ERR_OK);
    assert_int_equal(look_up(s->store, "dpump-7", "a record"), ERR_OK);
}

static void pages_that_were_given_back_need_not_be_there(void **state)
{
    struct short_store *s = *state;
    give_back(s);
    open_again(s, STORE_READ);
    open_again(s, STORE_WRITE);
    assert_int_equal(put_one(s->store, "dlarger", "and it goes on"), ERR_OK);
    open_again(s, STORE_WRITE);
}

/* As a broker does it, which would otherwise open it again and again. */
static void who_looks_at_it_again_finds_it_in_place(void **state)
{
    struct short_store *s = *state;
    lost_pages_catch();
    store_close(s->store);
    assert_int_equal(store_open(&s->store, s->dir.path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    give_back(s);
    assert_true(store_in_place(s->store));
    assert_true(store_in_place(s->store));
    assert_int_equal(look_up(s->store, "dpump-7", "a record"), ERR_OK);
    assert_int_equal(put_one(s->store, "dpump-8", "it goes on"), ERR_OK);
    assert_true(store_in_place(s->store));
    assert_int_equal(truncate(s->data, 3L * PAGE), 0); /* of what is in use, too */
    assert_false(store_in_place(s->store));
    assert_int_equal(look_up(s->store, "dpump-7", "a record"), ERR_BROKEN);
    lost_pages_release();
}

/* The pages that others then write there are seen. */
static void what_is_written_there_later_is_seen(void **state)
{
    struct short_store *s = *state;
    struct bytes found;
    struct txn *txn;
    give_back(s);
    open_again(s, STORE_WRITE);
    for (int i = 0; i < 8; i++) {
        char key[16];
        snprintf(key, sizeof key, "dlarge-%d", i);
        assert_int_equal(txn_write(&txn, s->store), ERR_OK);
        txn_put(txn, text_bytes(key), (struct bytes){zeros, LARGEST});
        assert_int_equal(txn_commit(txn), ERR_OK);
        assert_int_equal(txn_reader(&txn, s->store), ERR_OK);
        assert_int_equal(txn_renew(txn), ERR_OK);
        assert_int_equal(txn_get(txn, text_bytes(key), &found), ERR_OK);
        txn_close(txn);
    }
    assert_int_equal(lacks(s), 0);
}

/* Cut further it is damaged, or has all that it had: the pages before may be free as well. */
static void a_file_that_lacks_more_is_damaged_or_whole(void **state)
{
    struct short_store *s = *state;
    struct stat info;
    enum err e = ERR_OK;
    give_back(s);
    store_close(s->store);
    s->store = NULL;
    assert_int_equal(stat(s->data, &info), 0);
    for (off_t size = info.st_size - 1; size >= 2 * (off_t)PAGE; size -= PAGE / 2) {
        assert_int_equal(truncate(s->data, size), 0);
        e = store_open(&s->store, s->dir.path, STORE_PRESENCE, STORE_READ);
        assert_true(e == ERR_OK || e == ERR_DAMAGED);
        if (e)
            continue;
        assert_int_equal(look_up(s->store, "dpump-7", "a record"), ERR_OK);
        store_close(s->store);
        s->store = NULL;
    }
    assert_int_equal(e, ERR_DAMAGED);
}

/* One scope of a random play. */
static void change_some(struct short_store *s, struct rng *rng)
{
    unsigned deletes = (unsigned)rng_below(rng, 100);
    struct txn *txn;
    assert_int_equal(txn_write(&txn, s->store), ERR_OK);
    for (size_t i = 1 + rng_below(rng, 100); i > 0; i--) {
        char key[16];
        snprintf(key, sizeof key, "d%zu", rng_below(rng, KEYS));
        if (rng_percent(rng, deletes))
            txn_delete(txn, text_bytes(key));
        else
            txn_put(txn, text_bytes(key),
                    (struct bytes){zeros, rng_below(rng, rng_percent(rng, 5) ? LARGE : SMALL)});
    }
    assert_int_equal(txn_commit(txn), ERR_OK);
}

static void any_store_that_was_committed_opens(void **state)
{
    struct short_store *s = *state;
    struct rng rng = rng_start("test_store_short");
    for (int i = 0; i < ROUNDS; i++) {
        change_some(s, &rng);
        store_close(s->store);
        s->store = NULL;
        assert_int_equal(store_open(&s->store, s->dir.path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_that_were_given_back_need_not_be_there, begin, end),
        cmocka_unit_test_setup_teardown(who_looks_at_it_again_finds_it_in_place, begin, end),
        cmocka_unit_test_setup_teardown(what_is_written_there_later_is_seen, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_lacks_more_is_damaged_or_whole, begin, end),
        cmocka_unit_test_setup_teardown(any_store_that_was_committed_opens, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
