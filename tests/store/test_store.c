/* test_store.c - a store is made, opened, read, written and walked. */
#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/support/store_fixture.h"

struct fixture {
    struct tempdir dir;
    struct store *store;
};

static int begin_empty(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    tempdir_make(&fixture->dir);
    *state = fixture;
    return crypto_init() ? -1 : 0;
}

static int begin(void **state)
{
    if (begin_empty(state))
        return -1;
    struct fixture *fixture = *state;
    if (create_here(fixture->dir.path, STORE_REGISTRY))
        return -1;
    return store_open(&fixture->store, fixture->dir.path, STORE_REGISTRY, STORE_WRITE) ? -1 : 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

static void close_store(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
}

static enum err reopen(struct fixture *fixture, enum store_kind kind, enum store_mode mode)
{
    close_store(fixture);
    return store_open(&fixture->store, fixture->dir.path, kind, mode);
}

/* data.mdb becomes `size` bytes long. */
static void cut_file(const struct fixture *fixture, off_t size)
{
    char path[TEMPDIR_MAX];
    assert_int_equal(truncate(path_join(path, fixture->dir.path, "data.mdb"), size), 0);
}

static void what_was_put_is_there_after_a_reopen(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(look_up(fixture->store, "dkey", "record"), ERR_NOT_FOUND);
    assert_int_equal(put_one(fixture->store, "dkey", "record"), ERR_OK);
    assert_int_equal(look_up(fixture->store, "dkey", "record"), ERR_OK);
    assert_int_equal(put_one(fixture->store, "dkey", "other"), ERR_OK);
    assert_int_equal(put_one(fixture->store, "dempty", ""), ERR_OK);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_OK);
    assert_int_equal(look_up(fixture->store, "dkey", "other"), ERR_OK);
    assert_int_equal(look_up(fixture->store, "dempty", ""), ERR_OK);
    assert_int_equal(look_up(fixture->store, "dke", ""), ERR_NOT_FOUND);
}

static void a_directory_without_a_store_holds_no_registry(void **state)
{
    struct fixture *fixture = *state;
    char path[TEMPDIR_MAX];
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_NO_REGISTRY);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_WRITE), ERR_NO_REGISTRY);
    path_join(path, fixture->dir.path, "data.mdb");
    assert_int_equal(access(path, F_OK), -1);
    path_join(path, fixture->dir.path, "missing");
    assert_int_equal(store_open(&fixture->store, path, STORE_REGISTRY, STORE_WRITE),
                     ERR_NO_REGISTRY);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_file_of_no_bytes_is_damaged_and_stays_so(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    char path[TEMPDIR_MAX];
    close_store(fixture);
    cut_file(fixture, 0);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_DAMAGED);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_WRITE), ERR_DAMAGED);
    assert_int_equal(stat(path_join(path, fixture->dir.path, "data.mdb"), &status), 0);
    assert_int_equal(status.st_size, 0);
}

static void a_file_that_was_cut_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    char path[TEMPDIR_MAX];
    for (int i = 0; i < 50; i++) {
        char key[16], record[600] = {0};
        snprintf(key, sizeof key, "d%d", i);
        memset(record, 'r', sizeof record - 1);
        assert_int_equal(put_one(fixture->store, key, record), ERR_OK);
    }
    close_store(fixture);
    assert_int_equal(stat(path_join(path, fixture->dir.path, "data.mdb"), &status), 0);
    status.st_size -= 4096; /* the last page is free: see test_store_short.c */
    for (off_t size = status.st_size - 1; size > 0; size = size > 4096 ? size - 4096 : size / 2) {
        cut_file(fixture, size);
        assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_DAMAGED);
        assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_WRITE), ERR_DAMAGED);
    }
}

static void a_file_that_is_no_store_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    char path[TEMPDIR_MAX];
    static const char text[16384] = "this is no store";
    int fd = open(path_join(path, fixture->dir.path, "data.mdb"), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    assert_int_equal(close(fd), 0);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_DAMAGED);
}

static void a_store_of_the_other_kind_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(reopen(fixture, STORE_PRESENCE, STORE_READ), ERR_OTHER_STORE);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_OK);
    struct store *again = NULL;
    assert_int_equal(store_open(&again, fixture->dir.path, STORE_PRESENCE, STORE_READ),
                     ERR_OTHER_STORE);
}

/* The meta record, known by its key "m", begins with a text and the format. */
static void a_store_of_a_later_format_is_too_new(void **state)
{
    struct fixture *fixture = *state;
    struct txn *txn;
    struct bytes meta;
    struct pack pack = {0};
    char name[16];
    assert_int_equal(txn_write(&txn, fixture->store), ERR_OK);
    assert_int_equal(txn_get(txn, text_bytes("m"), &meta), ERR_OK);
    struct unpack unpack = unpack_of(meta);
    unpack_text(&unpack, name, sizeof name - 1);
    assert_int_equal(unpack_number(&unpack, UINT64_MAX), STORE_FORMAT);
    pack_text(&pack, name);
    pack_number(&pack, STORE_FORMAT + 1);
    while (unpack.at < unpack.end)
        pack_number(&pack, *unpack.at++ & 0x7f);
    txn_put(txn, text_bytes("m"), (struct bytes){pack.data, pack.size});
    assert_int_equal(txn_commit(txn), ERR_OK);
    pack_free(&pack);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_TOO_NEW);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_WRITE), ERR_TOO_NEW);
}

static void a_store_is_opened_once_in_a_process(void **state)
{
    struct fixture *fixture = *state;
    struct store *again = NULL, *third = NULL;
    char path[TEMPDIR_MAX];
    path_join(path, fixture->dir.path, ".");
    assert_int_equal(store_open(&again, fixture->dir.path, STORE_REGISTRY, STORE_READ), ERR_OK);
    assert_int_equal(store_open(&third, path, STORE_REGISTRY, STORE_WRITE), ERR_OK);
    assert_ptr_equal(again, fixture->store);
    assert_ptr_equal(third, fixture->store);
    store_close(again);
    assert_int_equal(put_one(third, "dk", "v"), ERR_OK);
    close_store(fixture);
    assert_int_equal(look_up(third, "dk", "v"), ERR_OK);
    store_close(third);
    store_close(NULL);
}

static void made_files_have_the_modes_that_were_asked_for(void **state)
{
    struct fixture *fixture = *state;
    struct stat data, lock;
    char path[TEMPDIR_MAX];
    mode_t before = umask(077);
    enum err e = create_here(fixture->dir.path, STORE_REGISTRY);
    (void)umask(before);
    assert_int_equal(e, ERR_OK);
    assert_int_equal(stat(path_join(path, fixture->dir.path, "data.mdb"), &data), 0);
    assert_int_equal(stat(path_join(path, fixture->dir.path, "lock.mdb"), &lock), 0);
    assert_int_equal(data.st_mode & 07777, 0640);
    assert_int_equal(lock.st_mode & 07777, 0660);
    assert_int_equal(data.st_uid, geteuid());
    assert_int_equal(lock.st_gid, getegid());
}

static void a_store_is_not_made_over_another(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put_one(fixture->store, "dk", "v"), ERR_OK);
    assert_int_equal(create_here(fixture->dir.path, STORE_REGISTRY), ERR_EXISTS);
    assert_int_equal(create_here(fixture->dir.path, STORE_PRESENCE), ERR_EXISTS);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_OK);
    assert_int_equal(look_up(fixture->store, "dk", "v"), ERR_OK);
}

static enum err fill_one(struct txn *txn, void *context)
{
    txn_put(txn, text_bytes("dfirst"), text_bytes("1"));
    return *(enum err *)context;
}

static void a_store_whose_first_records_fail_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    const struct store_files files = {geteuid(), getegid(), 0600, 0600};
    enum err answer = ERR_TOO_MANY;
    assert_int_equal(store_create(fixture->dir.path, STORE_REGISTRY, &files, fill_one, &answer),
                     ERR_TOO_MANY);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_NO_REGISTRY);
    answer = ERR_OK;
    assert_int_equal(store_create(fixture->dir.path, STORE_REGISTRY, &files, fill_one, &answer),
                     ERR_OK);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_OK);
    assert_int_equal(look_up(fixture->store, "dfirst", "1"), ERR_OK);
}

static void a_store_may_grow_as_far_as_addresses_reach(void **state)
{
    const struct fixture *fixture = *state;
    uint64_t used, limit;
    store_size(fixture->store, &used, &limit);
    assert_true(limit == (sizeof(void *) == 4 ? UINT64_C(512) << 20 : UINT64_C(16) << 30));
    assert_true(used > 0 && used < limit);
}

static void making_a_store_leaves_only_its_two_files(void **state)
{
    struct fixture *fixture = *state;
    size_t count = 0;
    assert_int_equal(create_here(fixture->dir.path, STORE_REGISTRY), ERR_OK);
    DIR *dir = opendir(fixture->dir.path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    assert_int_equal(closedir(dir), 0);
    assert_int_equal(count, 2);
}

static void a_lock_file_that_somebody_deleted_is_made_again(void **state)
{
    struct fixture *fixture = *state;
    char path[TEMPDIR_MAX];
    struct stat lock;
    assert_int_equal(put_one(fixture->store, "dk", "v"), ERR_OK);
    close_store(fixture);
    assert_int_equal(unlink(path_join(path, fixture->dir.path, "lock.mdb")), 0);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_OK);
    assert_int_equal(look_up(fixture->store, "dk", "v"), ERR_OK);
    assert_int_equal(stat(path, &lock), 0);
    assert_int_equal(lock.st_mode & 07777, 0660);
}

static void a_store_that_is_a_link_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char from[TEMPDIR_MAX], to[TEMPDIR_MAX];
    close_store(fixture);
    path_join(from, fixture->dir.path, "data.mdb");
    path_join(to, fixture->dir.path, "elsewhere");
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(symlink(to, from), 0);
    assert_int_equal(reopen(fixture, STORE_REGISTRY, STORE_READ), ERR_DAMAGED);
}

static void a_failure_in_a_write_scope_undoes_all_of_it(void **state)
{
    struct fixture *fixture = *state;
    struct txn *txn;
    struct bytes found;
    assert_int_equal(txn_write(&txn, fixture->store), ERR_OK);
    txn_put(txn, text_bytes("d1"), text_bytes("before"));
    txn_fail(txn, ERR_TWIN);
    txn_fail(txn, ERR_IO);
    txn_put(txn, text_bytes("d2"), text_bytes("after"));
    txn_delete(txn, text_bytes("d1"));
    assert_int_equal(txn_get(txn, text_bytes("d2"), &found), ERR_NOT_FOUND);
    assert_int_equal(txn_get(txn, text_bytes("d1"), &found), ERR_OK);
    assert_int_equal(txn_commit(txn), ERR_TWIN);
    assert_int_equal(look_up(fixture->store, "d1", "before"), ERR_NOT_FOUND);
    assert_int_equal(look_up(fixture->store, "d2", "after"), ERR_NOT_FOUND);
}

static void a_key_that_does_not_fit_is_a_sticky_failure(void **state)
{
    struct fixture *fixture = *state;
    struct txn *txn;
    char key[STORE_KEY_MAX + 2] = {0};
    struct bytes found;
    memset(key, 'd', STORE_KEY_MAX + 1);
    assert_int_equal(txn_write(&txn, fixture->store), ERR_OK);
    txn_put(txn, text_bytes(key), text_bytes("v"));
    txn_put(txn, text_bytes("d1"), text_bytes("v"));
    assert_int_equal(txn_commit(txn), ERR_INVALID);
    assert_int_equal(look_up(fixture->store, "d1", "v"), ERR_NOT_FOUND);
    assert_int_equal(look_up(fixture->store, key, "v"), ERR_NOT_FOUND);
    assert_int_equal(txn_write(&txn, fixture->store), ERR_OK);
    assert_int_equal(txn_get(txn, (struct bytes){NULL, 0}, &found), ERR_NOT_FOUND);
    txn_put(txn, (struct bytes){NULL, 0}, text_bytes("v"));
    assert_int_equal(txn_commit(txn), ERR_INVALID);
    key[STORE_KEY_MAX] = '\0';
    assert_int_equal(put_one(fixture->store, key, "v"), ERR_OK);
    assert_int_equal(look_up(fixture->store, key, "v"), ERR_OK);
}

static void an_insert_changes_nothing_that_is_there(void **state)
{
    struct store *store = ((struct fixture *)*state)->store;
    struct txn *txn;
    assert_int_equal(put_one(store, "da", "first"), ERR_OK);
    assert_int_equal(txn_write(&txn, store), ERR_OK);
    assert_int_equal(txn_insert(txn, text_bytes("da"), text_bytes("other")), ERR_EXISTS);
    assert_int_equal(txn_insert(txn, text_bytes("db"), text_bytes("second")), ERR_OK);
    assert_int_equal(txn_insert(txn, text_bytes("db"), text_bytes("")), ERR_EXISTS);
    assert_int_equal(txn_commit(txn), ERR_OK);
    assert_int_equal(look_up(store, "da", "first"), ERR_OK);
    assert_int_equal(look_up(store, "db", "second"), ERR_OK);
    assert_int_equal(txn_write(&txn, store), ERR_OK);
    assert_int_equal(txn_insert(txn, text_bytes(""), text_bytes("x")), ERR_INVALID);
    assert_int_equal(txn_insert(txn, text_bytes("dc"), text_bytes("x")), ERR_INVALID);
    assert_int_equal(txn_commit(txn), ERR_INVALID);
}

static void what_was_aborted_never_was(void **state)
{
    struct fixture *fixture = *state;
    struct txn *txn;
    struct bytes found;
    assert_int_equal(put_one(fixture->store, "d1", "old"), ERR_OK);
    assert_int_equal(txn_write(&txn, fixture->store), ERR_OK);
    txn_put(txn, text_bytes("d1"), text_bytes("new"));
    txn_delete(txn, text_bytes("m"));
    assert_int_equal(txn_get(txn, text_bytes("d1"), &found), ERR_OK);
    assert_true(bytes_are(found, "new"));
    txn_abort(txn);
    txn_abort(NULL);
    assert_int_equal(look_up(fixture->store, "d1", "old"), ERR_OK);
}

static void a_deleted_record_is_gone_and_may_be_deleted_again(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put_one(fixture->store, "d1", "v"), ERR_OK);
    for (int i = 0; i < 2; i++) {
        struct txn *txn;
        assert_int_equal(txn_write(&txn, fixture->store), ERR_OK);
        txn_delete(txn, text_bytes("d1"));
        assert_int_equal(txn_commit(txn), ERR_OK);
        assert_int_equal(look_up(fixture->store, "d1", "v"), ERR_NOT_FOUND);
    }
}

/* Puts these keys, each with itself as its record. */
static const char *const walked[] = {"c", "cz", "d", "da", "db", "db1", "dc\xff", "e1", "z", "zz"};

static void put_walked(struct fixture *fixture)
{
    for (size_t i = 0; i < COUNT(walked); i++)
        assert_int_equal(put_one(fixture->store, walked[i], walked[i]), ERR_OK);
}

/* Walks the kind of walked[from] and finds walked[from] to walked[to - 1]. */
static void assert_walk(struct txn *txn, size_t from, size_t to)
{
    uint8_t kind = (uint8_t)walked[from][0];
    struct bytes key = {NULL, 0}, record;
    for (size_t i = from; i < to; i++) {
        assert_int_equal(txn_next(txn, kind, key, &key, &record), ERR_OK);
        assert_true(bytes_are(key, walked[i]) && bytes_are(record, walked[i]));
    }
    assert_int_equal(txn_next(txn, kind, key, &key, &record), ERR_NOT_FOUND);
    assert_int_equal(txn_last(txn, kind, &key, &record), ERR_OK);
    assert_true(bytes_are(key, walked[to - 1]) && bytes_are(record, walked[to - 1]));
}

static void a_walk_visits_one_kind_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct txn *txn;
    struct bytes key, record;
    put_walked(fixture);
    assert_int_equal(txn_reader(&txn, fixture->store), ERR_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(txn_renew(txn), ERR_OK);
        assert_walk(txn, 0, 2);
        assert_walk(txn, 2, 7);
        assert_walk(txn, 7, 8);
        assert_walk(txn, 8, 10);
        assert_int_equal(txn_next(txn, 'b', text_bytes(""), &key, &record), ERR_NOT_FOUND);
        assert_int_equal(txn_last(txn, 'b', &key, &record), ERR_NOT_FOUND);
        assert_int_equal(txn_last(txn, 'f', &key, &record), ERR_NOT_FOUND);
        txn_reset(txn);
    }
    txn_close(txn);
    txn_close(NULL);
}

static void a_walk_begins_behind_any_key_there_or_not(void **state)
{
    struct fixture *fixture = *state;
    struct txn *txn;
    struct bytes key, record;
    put_walked(fixture);
    assert_int_equal(txn_reader(&txn, fixture->store), ERR_OK);
    assert_int_equal(txn_renew(txn), ERR_OK);
    assert_int_equal(txn_next(txn, 'd', text_bytes("daa"), &key, &record), ERR_OK);
    assert_true(bytes_are(key, "db"));
    assert_int_equal(txn_next(txn, 'd', text_bytes("db"), &key, &record), ERR_OK);
    assert_true(bytes_are(key, "db1"));
    assert_int_equal(txn_next(txn, 'd', text_bytes("dd"), &key, &record), ERR_NOT_FOUND);
    txn_close(txn);
}

static void a_walk_in_a_write_scope_sees_its_own_changes(void **state)
{
    struct fixture *fixture = *state;
    struct txn *txn;
    struct bytes key, record;
    put_walked(fixture);
    assert_int_equal(txn_write(&txn, fixture->store), ERR_OK);
    assert_int_equal(txn_next(txn, 'd', text_bytes("db"), &key, &record), ERR_OK);
    txn_delete(txn, text_bytes("db1"));
    txn_put(txn, text_bytes("dbb"), text_bytes("new"));
    assert_int_equal(txn_next(txn, 'd', text_bytes("db"), &key, &record), ERR_OK);
    assert_true(bytes_are(key, "dbb") && bytes_are(record, "new"));
    txn_put(txn, text_bytes("dx"), text_bytes("last"));
    assert_int_equal(txn_last(txn, 'd', &key, &record), ERR_OK);
    assert_true(bytes_are(key, "dx") && bytes_are(record, "last"));
    txn_abort(txn);
}

static void a_reader_sees_one_snapshot_until_it_is_renewed(void **state)
{
    struct fixture *fixture = *state;
    struct txn *reader;
    struct bytes found;
    assert_int_equal(put_one(fixture->store, "d1", "old"), ERR_OK);
    assert_int_equal(txn_reader(&reader, fixture->store), ERR_OK);
    assert_int_equal(txn_renew(reader), ERR_OK);
    uint64_t seen = txn_id(reader);
    assert_true(seen == store_last_commit(fixture->store));
    for (int i = 0; i < 20; i++)
        assert_int_equal(put_one(fixture->store, "d1", i % 2 ? "new" : "newer"), ERR_OK);
    assert_int_equal(txn_get(reader, text_bytes("d1"), &found), ERR_OK);
    assert_true(bytes_are(found, "old"));
    assert_true(txn_id(reader) == seen);
    assert_true(store_last_commit(fixture->store) == seen + 20);
    txn_reset(reader);
    assert_int_equal(txn_renew(reader), ERR_OK);
    assert_true(txn_id(reader) == seen + 20);
    assert_int_equal(txn_get(reader, text_bytes("d1"), &found), ERR_OK);
    assert_true(bytes_are(found, "new"));
    txn_close(reader);
}

static void an_aborted_or_failed_scope_is_no_commit(void **state)
{
    struct fixture *fixture = *state;
    struct txn *txn;
    uint64_t before = store_last_commit(fixture->store);
    assert_int_equal(txn_write(&txn, fixture->store), ERR_OK);
    txn_put(txn, text_bytes("d1"), text_bytes("v"));
    txn_abort(txn);
    assert_int_equal(txn_write(&txn, fixture->store), ERR_OK);
    txn_put(txn, text_bytes("d1"), text_bytes("v"));
    txn_fail(txn, ERR_IO);
    assert_int_equal(txn_commit(txn), ERR_IO);
    assert_true(store_last_commit(fixture->store) == before);
}

static void a_store_grows_with_what_is_put_in(void **state)
{
    struct fixture *fixture = *state;
    static char record[100001];
    uint64_t before, after, limit;
    memset(record, 'r', sizeof record - 1);
    store_size(fixture->store, &before, &limit);
    assert_int_equal(put_one(fixture->store, "dbig", record), ERR_OK);
    assert_int_equal(look_up(fixture->store, "dbig", record), ERR_OK);
    store_size(fixture->store, &after, &limit);
    assert_true(after >= before + 100000 && after < limit);
}

#define test(name)          cmocka_unit_test_setup_teardown(name, begin, end)
#define test_in_empty(name) cmocka_unit_test_setup_teardown(name, begin_empty, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_was_put_is_there_after_a_reopen),
        test_in_empty(a_directory_without_a_store_holds_no_registry),
        test(a_file_of_no_bytes_is_damaged_and_stays_so),
        test(a_file_that_was_cut_is_damaged),
        test_in_empty(a_file_that_is_no_store_is_damaged),
        test(a_store_of_the_other_kind_is_refused),
        test(a_store_of_a_later_format_is_too_new),
        test(a_store_is_opened_once_in_a_process),
        test_in_empty(made_files_have_the_modes_that_were_asked_for),
        test(a_store_is_not_made_over_another),
        test_in_empty(a_store_whose_first_records_fail_is_not_there),
        test(a_store_may_grow_as_far_as_addresses_reach),
        test_in_empty(making_a_store_leaves_only_its_two_files),
        test(a_lock_file_that_somebody_deleted_is_made_again),
        test(a_store_that_is_a_link_is_refused),
        test(a_failure_in_a_write_scope_undoes_all_of_it),
        test(a_key_that_does_not_fit_is_a_sticky_failure),
        test(an_insert_changes_nothing_that_is_there),
        test(what_was_aborted_never_was),
        test(a_deleted_record_is_gone_and_may_be_deleted_again),
        test(a_walk_visits_one_kind_in_order),
        test(a_walk_begins_behind_any_key_there_or_not),
        test(a_walk_in_a_write_scope_sees_its_own_changes),
        test(a_reader_sees_one_snapshot_until_it_is_renewed),
        test(an_aborted_or_failed_scope_is_no_commit),
        test(a_store_grows_with_what_is_put_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
