/* test_store_lost.c - a store whose files are cut or written over while a write scope is open, or
 * in whose structure LMDB finds what it takes for impossible. */
#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "registry/lost_pages.h"
#include "registry/store_dir.h"
#include "tests/support/store_fixture.h"

enum { PAGE = 4096, RECORDS = 200, ROOT_AT = 128, LAST_PAGE_AT = 136, COMMIT_AT = 144 };

struct lost_store {
    struct tempdir dir;
    char data[TEMPDIR_MAX], lock[TEMPDIR_MAX];
    struct store *store;
};

static const char text[100] = "a record that is long enough for a page to hold but a few of them";

static void record_name(char key[static 16], int number)
{
    (void)snprintf(key, 16, "d%03d", number);
}

static int begin(void **state)
{
    struct lost_store *s = test_calloc(1, sizeof *s);
    struct txn *txn;
    *state = s;
    tempdir_make(&s->dir);
    path_join(s->data, s->dir.path, "data.mdb");
    path_join(s->lock, s->dir.path, "lock.mdb");
    if (create_here(s->dir.path, STORE_PRESENCE) ||
        store_open(&s->store, s->dir.path, STORE_PRESENCE, STORE_WRITE) ||
        txn_write(&txn, s->store))
        return -1;
    for (int i = 0; i < RECORDS; i++) {
        char key[16];
        record_name(key, i);
        txn_put(txn, text_bytes(key), text_bytes(text));
    }
    return txn_commit(txn) ? -1 : 0;
}

static int end(void **state)
{
    struct lost_store *s = *state;
    store_close(s->store);
    tempdir_remove(&s->dir);
    test_free(s);
    return 0;
}

/* As a broker has it open. Not before the test begins, since cmocka catches the signal, too. */
static struct lost_store *watched(void **state)
{
    struct lost_store *s = *state;
    lost_pages_catch();
    store_close(s->store);
    s->store = NULL;
    assert_int_equal(store_open(&s->store, s->dir.path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    return s;
}

static enum err open_again(struct lost_store *s)
{
    return store_reopen(&s->store, s->dir.path, STORE_PRESENCE, STORE_WRITE);
}

static void expect_writable(struct lost_store *s)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(put_one(s->store, "dlater", text), ERR_OK);
    assert_int_equal(look_up(s->store, "dlater", text), ERR_OK);
    assert_int_equal(look_up(s->store, "d000", text), ERR_OK);
    assert_true(store_in_place(s->store));
}

/* ---- lock.mdb, in which the lock is that the write scope holds */

/* What takes the place of a mapping that was given back, so that who still writes there finds out.
 */
static void take_the_room(void)
{
    for (size_t pages = 1; pages <= 16; pages *= 2)
        (void)mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void a_lock_file_that_is_cut_while_one_writes_is_no_trap_for_later(void **state)
{
    struct lost_store *s = watched(state);
    struct txn *txn;
    assert_int_equal(txn_write(&txn, s->store), ERR_OK);
    txn_put(txn, text_bytes("dlater"), text_bytes(text));
    assert_int_equal(truncate(s->lock, 0), 0);
    assert_int_equal(txn_commit(txn), ERR_BROKEN);
    assert_false(store_in_place(s->store));
    assert_int_equal(put_one(s->store, "dlater", text), ERR_BROKEN);
    store_close(s->store);
    take_the_room();
    assert_int_equal(store_open(&s->store, s->dir.path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    expect_writable(s);
    lost_pages_release();
}

static void a_lock_file_that_is_cut_before_one_writes_is_noticed(void **state)
{
    struct lost_store *s = watched(state);
    assert_int_equal(truncate(s->lock, 0), 0);
    assert_int_equal(put_one(s->store, "dlater", text), ERR_BROKEN);
    assert_false(store_in_place(s->store));
    assert_int_equal(open_again(s), ERR_OK);
    expect_writable(s);
    lost_pages_release();
}

/* ---- data.mdb is cut, or written over */

static void a_file_that_is_cut_while_one_writes_is_no_success(void **state)
{
    struct lost_store *s = watched(state);
    struct txn *txn;
    assert_int_equal(txn_write(&txn, s->store), ERR_OK);
    txn_put(txn, text_bytes("dlater"), text_bytes(text));
    assert_int_equal(truncate(s->data, 0), 0);
    assert_int_equal(txn_commit(txn), ERR_BROKEN);
    assert_false(store_in_place(s->store));
    assert_int_equal(open_again(s), ERR_DAMAGED);
    assert_null(s->store);
    lost_pages_release();
}

/* All that it reads it has just written: no page is missing where that could be seen. */
static void a_new_file_that_is_cut_while_one_writes_is_no_success(void **state)
{
    struct lost_store *s = watched(state);
    struct txn *txn;
    store_close(s->store);
    s->store = NULL;
    assert_true(unlink(s->data) == 0 && unlink(s->lock) == 0);
    assert_int_equal(create_here(s->dir.path, STORE_PRESENCE), ERR_OK);
    assert_int_equal(store_open(&s->store, s->dir.path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    assert_int_equal(txn_write(&txn, s->store), ERR_OK);
    txn_put(txn, text_bytes("dlater"), text_bytes(text));
    assert_int_equal(truncate(s->data, 0), 0);
    assert_int_equal(txn_commit(txn), ERR_BROKEN);
    assert_false(store_in_place(s->store));
    assert_int_equal(open_again(s), ERR_DAMAGED);
    assert_null(s->store);
    lost_pages_release();
}

static void a_file_that_is_cut_before_one_writes_is_noticed(void **state)
{
    struct lost_store *s = watched(state);
    assert_int_equal(truncate(s->data, 0), 0);
    assert_int_equal(put_one(s->store, "dlater", text), ERR_BROKEN);
    assert_false(store_in_place(s->store));
    assert_int_equal(open_again(s), ERR_DAMAGED);
    assert_null(s->store);
    lost_pages_release();
}

static size_t number_at(int fd, off_t at)
{
    size_t number;
    assert_int_equal(pread(fd, &number, sizeof number, at), sizeof number);
    return number;
}

static void number_put(int fd, off_t at, size_t number)
{
    assert_int_equal(pwrite(fd, &number, sizeof number, at), sizeof number);
}

/* Which of the two pages tells the last commit? */
static off_t last_meta(int fd)
{
    return number_at(fd, PAGE + COMMIT_AT) > number_at(fd, COMMIT_AT) ? PAGE : 0;
}

/* Another thread may just read what it would map anew. The file is larger than what is mapped, as
 * far as it says, and there: nothing else is wrong with it. */
static void who_writes_does_not_map_the_file_anew(void **state)
{
    struct lost_store *s = watched(state);
    uint64_t used, limit;
    int fd = open(s->data, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    store_size(s->store, &used, &limit);
    number_put(fd, last_meta(fd) + LAST_PAGE_AT, (size_t)(limit / PAGE) + 1);
    assert_int_equal(ftruncate(fd, (off_t)(limit + 16UL * PAGE)), 0);
    assert_int_equal(put_one(s->store, "dlater", text), ERR_BROKEN);
    assert_false(store_in_place(s->store));
    assert_int_equal(close(fd), 0);
    lost_pages_release();
}

/* ---- what LMDB takes for impossible: its assertions end the process */

/* The root as a branch page without a branch: flags and the end of its list. */
enum { FLAGS_AT = 10, LIST_END_AT = 12, BRANCH = 1, NO_LIST = 16 };

struct root {
    int fd;
    off_t at;
    uint16_t before[2];
};

static struct root root_find(const struct lost_store *s)
{
    struct root root = {.fd = open(s->data, O_RDWR | O_CLOEXEC)};
    assert_true(root.fd >= 0);
    root.at = (off_t)number_at(root.fd, last_meta(root.fd) + ROOT_AT) * PAGE + FLAGS_AT;
    assert_int_equal(pread(root.fd, root.before, sizeof root.before, root.at), sizeof root.before);
    return root;
}

static void root_spoil(const struct root *root)
{
    const uint16_t impossible[2] = {BRANCH, NO_LIST};
    assert_int_equal(pwrite(root->fd, impossible, sizeof impossible, root->at), sizeof impossible);
}

static void root_mend(const struct root *root)
{
    assert_int_equal(pwrite(root->fd, root->before, sizeof root->before, root->at),
                     sizeof root->before);
    assert_int_equal(close(root->fd), 0);
}

static void put(struct txn *txn)
{
    txn_put(txn, text_bytes("dlater"), text_bytes(text));
}

static void insert(struct txn *txn)
{
    assert_int_equal(txn_insert(txn, text_bytes("dlater"), text_bytes(text)), ERR_BROKEN);
}

static void delete_one(struct txn *txn)
{
    txn_delete(txn, text_bytes("d000"));
}

static void get(struct txn *txn)
{
    struct bytes found;
    assert_int_equal(txn_get(txn, text_bytes("d000"), &found), ERR_BROKEN);
}

static void walk(struct txn *txn)
{
    struct bytes key, found;
    assert_int_equal(txn_next(txn, 'd', (struct bytes){NULL, 0}, &key, &found), ERR_BROKEN);
}

struct writing {
    struct lost_store *s;
    const struct root *root;
    void (*meet)(struct txn *txn);
    enum err begun, ended, again;
};

/* Meets it, and ends the scope. */
static void *write_on_it(void *context)
{
    struct writing *w = context;
    struct txn *txn;
    w->begun = txn_write(&txn, w->s->store);
    if (w->begun)
        return NULL;
    root_spoil(w->root);
    w->meet(txn);
    put(txn);
    delete_one(txn);
    get(txn);
    walk(txn);
    w->ended = txn_commit(txn);
    w->again = put_one(w->s->store, "dlater", text);
    return NULL;
}

static void expect_left(struct lost_store *s, void (*meet)(struct txn *txn))
{
    const struct root root = root_find(s);
    struct writing w = {.s = s, .root = &root, .meet = meet};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_on_it, &w), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(w.begun, ERR_OK);
    assert_int_equal(w.ended, ERR_BROKEN);
    assert_int_equal(w.again, ERR_BROKEN);
    assert_false(store_in_place(s->store));
    assert_int_equal(look_up(s->store, "d000", text), ERR_BROKEN);
    root_mend(&root);
    assert_int_equal(open_again(s), ERR_OK);
    expect_writable(s);
}

static void a_structure_that_is_impossible_ends_a_write_and_not_the_process(void **state)
{
    struct lost_store *s = watched(state);
    void (*const all[])(struct txn *) = {put, insert, delete_one, get, walk};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        expect_left(s, all[i]);
    lost_pages_release();
}

/* Who alone has it open makes its locks anew. Where others have it open, too, the lock that was
 * held comes back with the end of the thread. */
static void its_lock_ends_with_the_thread_also_where_others_have_it_open(void **state)
{
    struct lost_store *s = watched(state);
    int opened[2], done[2];
    char byte;
    assert_true(pipe(opened) == 0 && pipe(done) == 0);
    const pid_t child = fork();
    if (child == 0) {
        /* Its parent's store it leaves alone. */
        char path[TEMPDIR_MAX];
        const int fd = open(path_join(path, s->dir.path, "lock.mdb"), O_RDWR | O_CLOEXEC);
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
        const bool held = fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0; /* as LMDB does it */
        (void)close(done[1]);
        (void)!write(opened[1], held ? "y" : "n", 1);
        (void)!read(done[0], &byte, 1);
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(read(opened[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    expect_left(s, put);
    assert_int_equal(close(done[1]), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(close(done[0]) == 0 && close(opened[0]) == 0 && close(opened[1]) == 0);
    lost_pages_release();
}

/* As the devreg program does, which watches nothing. */
static void who_does_not_watch_it_gets_an_error_all_the_same(void **state)
{
    expect_left(*state, put);
}

/* ---- the directory */

static struct {
    bool fails;
} let_go;

/* The linker's names. NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c) */
enum err __real_store_dir_end(struct store_dir *place, enum err e);
enum err __wrap_store_dir_end(struct store_dir *place, enum err e);
enum err __wrap_store_dir_end(struct store_dir *place, enum err e)
{
    e = __real_store_dir_end(place, e);
    return let_go.fails && !e ? ERR_PERMISSION : e;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c) */

static void after_an_error_no_store_is_open(void **state)
{
    struct lost_store *s = watched(state);
    let_go.fails = true;
    const enum err e = open_again(s);
    let_go.fails = false;
    assert_int_equal(e, ERR_PERMISSION);
    assert_null(s->store);
    assert_int_equal(store_open(&s->store, s->dir.path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    expect_writable(s);
    lost_pages_release();
}

static enum err look_who_it_is(struct txn *txn, void *context)
{
    (void)txn;
    *(uid_t *)context = geteuid();
    return ERR_OK;
}

/* Another thread of a broker serves meanwhile. */
static void root_works_as_the_owner_and_stays_root(void **state)
{
    enum { OWNER = 12345 };
    const struct store_files files = {OWNER, OWNER, 0640, 0660};
    struct lost_store *s = watched(state);
    char dir[TEMPDIR_MAX], data[TEMPDIR_MAX];
    struct stat info;
    uid_t meanwhile = OWNER;
    if (geteuid() != 0)
        skip();
    path_join(dir, s->dir.path, "theirs");
    path_join(data, dir, "data.mdb");
    assert_int_equal(chmod(s->dir.path, 0755), 0);
    assert_true(mkdir(dir, 0750) == 0 && chown(dir, OWNER, OWNER) == 0);
    assert_int_equal(store_create(dir, STORE_PRESENCE, &files, look_who_it_is, &meanwhile), ERR_OK);
    assert_int_equal(meanwhile, 0);
    assert_int_equal(stat(data, &info), 0);
    assert_true(info.st_uid == OWNER && info.st_gid == OWNER);
    assert_true(geteuid() == 0);
    lost_pages_release();
}

#define LOST_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOST_TEST(a_lock_file_that_is_cut_while_one_writes_is_no_trap_for_later),
        LOST_TEST(a_lock_file_that_is_cut_before_one_writes_is_noticed),
        LOST_TEST(a_file_that_is_cut_while_one_writes_is_no_success),
        LOST_TEST(a_new_file_that_is_cut_while_one_writes_is_no_success),
        LOST_TEST(a_file_that_is_cut_before_one_writes_is_noticed),
        LOST_TEST(who_writes_does_not_map_the_file_anew),
        LOST_TEST(a_structure_that_is_impossible_ends_a_write_and_not_the_process),
        LOST_TEST(its_lock_ends_with_the_thread_also_where_others_have_it_open),
        LOST_TEST(who_does_not_watch_it_gets_an_error_all_the_same),
        LOST_TEST(after_an_error_no_store_is_open),
        LOST_TEST(root_works_as_the_owner_and_stays_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
