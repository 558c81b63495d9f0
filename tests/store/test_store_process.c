/* test_store_process.c - one store, several processes: each opens it itself, after the fork. */
#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "tests/support/store_fixture.h"

enum { DEADLINE_MS = 20000, COMMITS = 200 };

/* A child that runs `work` with its ends of two pipes, and the parent's ends. */
struct child {
    pid_t pid;
    int to, from;
};

static struct tempdir dir;

static struct child child_start(bool (*work)(int in, int out))
{
    int down[2], up[2];
    assert_int_equal(pipe(down), 0);
    assert_int_equal(pipe(up), 0);
    struct child child = {fork(), down[1], up[0]};
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        (void)close(down[1]);
        (void)close(up[0]);
        _exit(work(down[0], up[1]) ? 0 : 1);
    }
    assert_int_equal(close(down[0]), 0);
    assert_int_equal(close(up[1]), 0);
    return child;
}

/* The child's next byte; -1 at its end or after the deadline. */
static int child_byte(const struct child *child)
{
    struct pollfd wait = {.fd = child->from, .events = POLLIN};
    unsigned char byte;
    if (poll(&wait, 1, DEADLINE_MS) != 1 || read(child->from, &byte, 1) != 1)
        return -1;
    return byte;
}

static void child_end(const struct child *child)
{
    int status;
    assert_int_equal(close(child->to), 0);
    assert_int_equal(close(child->from), 0);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static bool say(int out, char what)
{
    return write(out, &what, 1) == 1;
}

static bool hear(int in)
{
    char byte;
    return read(in, &byte, 1) == 1;
}

static int begin(void **state)
{
    (void)state;
    tempdir_make(&dir);
    return create_here(dir.path, STORE_REGISTRY) ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

/* In each commit both records get the same number. */
static bool put_pair(struct store *store, int number)
{
    struct txn *txn;
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    if (txn_write(&txn, store))
        return false;
    txn_put(txn, text_bytes("da"), text_bytes(text));
    txn_put(txn, text_bytes("db"), text_bytes(text));
    return txn_commit(txn) == ERR_OK;
}

static bool write_pairs(int in, int out)
{
    struct store *store;
    if (store_open(&store, dir.path, STORE_REGISTRY, STORE_WRITE))
        return false;
    bool fine = put_pair(store, 0) && say(out, 'r') && hear(in);
    for (int i = 1; fine && i <= COMMITS; i++)
        fine = put_pair(store, i);
    store_close(store);
    return fine && say(out, 'd');
}

/* What a fresh snapshot holds: both numbers, which have to be equal. `id`, unless NULL, gets its
 * txn_id. */
static long read_pair_of(struct txn *txn, uint64_t *id)
{
    struct bytes a, b;
    char text[16] = "";
    assert_int_equal(txn_renew(txn), ERR_OK);
    if (id)
        *id = txn_id(txn);
    assert_int_equal(txn_get(txn, text_bytes("da"), &a), ERR_OK);
    assert_int_equal(txn_get(txn, text_bytes("db"), &b), ERR_OK);
    assert_int_equal(a.size, b.size);
    assert_true(a.size < sizeof text);
    assert_memory_equal(a.data, b.data, a.size);
    memcpy(text, a.data, a.size);
    txn_reset(txn);
    return strtol(text, NULL, 10);
}

static long read_pair(struct txn *txn)
{
    return read_pair_of(txn, NULL);
}

/* A reader that is held up between LMDB's two steps may see a commit that is newer than its txn_id,
 * and after it one that fits its own. So what is promised is measured by the txn_id. */
static void a_reader_sees_whole_commits_of_another_process_none_older_than_its_id(void **state)
{
    struct store *store;
    struct txn *txn;
    uint64_t id, last_id = 0;
    (void)state;
    struct child child = child_start(write_pairs);
    assert_int_equal(child_byte(&child), 'r');
    assert_int_equal(store_open(&store, dir.path, STORE_REGISTRY, STORE_READ), ERR_OK);
    assert_int_equal(txn_reader(&txn, store), ERR_OK);
    assert_int_equal(read_pair(txn), 0);
    uint64_t first_commit = store_last_commit(store);
    assert_int_equal(write(child.to, "g", 1), 1);
    struct pollfd done = {.fd = child.from, .events = POLLIN};
    while (poll(&done, 1, 0) == 0) {
        long now = read_pair_of(txn, &id);
        assert_true(id >= last_id && id >= first_commit);
        assert_true((uint64_t)now >= id - first_commit && now <= COMMITS);
        last_id = id;
    }
    assert_int_equal(child_byte(&child), 'd');
    assert_int_equal(read_pair(txn), COMMITS);
    assert_true(store_last_commit(store) == first_commit + COMMITS);
    txn_close(txn);
    store_close(store);
    child_end(&child);
}

static bool open_write_close(int in, int out)
{
    bool fine = hear(in);
    for (int i = 0; fine && i < 60; i++) {
        struct store *store;
        fine = store_open(&store, dir.path, STORE_REGISTRY, STORE_WRITE) == ERR_OK;
        if (fine)
            fine = put_pair(store, i);
        if (fine)
            store_close(store);
    }
    return fine && say(out, 'd');
}

static void processes_that_open_and_close_at_the_same_time_do_not_hurt_each_other(void **state)
{
    struct child children[3];
    (void)state;
    for (size_t i = 0; i < COUNT(children); i++)
        children[i] = child_start(open_write_close);
    for (size_t i = 0; i < COUNT(children); i++)
        assert_int_equal(write(children[i].to, "g", 1), 1);
    for (size_t i = 0; i < COUNT(children); i++)
        assert_int_equal(child_byte(&children[i]), 'd');
    for (size_t i = 0; i < COUNT(children); i++)
        child_end(&children[i]);
}

/* Dies with a snapshot open. */
static bool die_reading(int in, int out)
{
    struct store *store;
    struct txn *txn;
    if (store_open(&store, dir.path, STORE_REGISTRY, STORE_READ) || txn_reader(&txn, store) ||
        txn_renew(txn) || !say(out, 'r') || !hear(in))
        return false;
    (void)raise(SIGKILL);
    return false;
}

static void the_pages_of_a_killed_reader_are_used_again(void **state)
{
    struct store *store;
    uint64_t before, after, limit;
    int status;
    (void)state;
    struct child child = child_start(die_reading);
    assert_int_equal(child_byte(&child), 'r');
    assert_int_equal(store_open(&store, dir.path, STORE_REGISTRY, STORE_WRITE), ERR_OK);
    assert_int_equal(write(child.to, "g", 1), 1);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_true(WIFSIGNALED(status));
    store_check_readers(store);
    for (int i = 0; i < 50; i++)
        assert_true(put_pair(store, i));
    store_size(store, &before, &limit);
    for (int i = 0; i < 300; i++)
        assert_true(put_pair(store, i));
    store_size(store, &after, &limit);
    assert_true(after <= before + 10 * 4096);
    store_close(store);
    assert_int_equal(close(child.to), 0);
    assert_int_equal(close(child.from), 0);
}

/* Dies in the middle of a write scope. */
static bool die_writing(int in, int out)
{
    struct store *store;
    struct txn *txn;
    if (store_open(&store, dir.path, STORE_REGISTRY, STORE_WRITE) || !put_pair(store, 1) ||
        txn_write(&txn, store))
        return false;
    txn_put(txn, text_bytes("da"), text_bytes("2"));
    if (!say(out, 'r') || !hear(in))
        return false;
    (void)raise(SIGKILL);
    return false;
}

static void a_killed_writer_leaves_the_last_commit_and_a_free_lock(void **state)
{
    struct store *store;
    struct txn *txn;
    int status;
    (void)state;
    struct child child = child_start(die_writing);
    assert_int_equal(child_byte(&child), 'r');
    assert_int_equal(store_open(&store, dir.path, STORE_REGISTRY, STORE_WRITE), ERR_OK);
    assert_int_equal(write(child.to, "g", 1), 1);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(txn_reader(&txn, store), ERR_OK);
    assert_int_equal(read_pair(txn), 1);
    assert_true(put_pair(store, 3));
    assert_int_equal(read_pair(txn), 3);
    txn_close(txn);
    store_close(store);
    assert_int_equal(close(child.to), 0);
    assert_int_equal(close(child.from), 0);
}

/* Tries the directory's lock, as another opener would. */
static enum err try_lock(struct txn *txn, void *context)
{
    int fd = open(dir.path, O_RDONLY | O_DIRECTORY);
    (void)txn;
    *(bool *)context = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0;
    return fd >= 0 && close(fd) == 0 ? ERR_OK : ERR_IO;
}

static void a_store_is_made_under_the_lock_of_its_directory(void **state)
{
    const struct store_files files = {geteuid(), getegid(), 0600, 0600};
    bool was_free = true;
    char path[TEMPDIR_MAX];
    (void)state;
    assert_int_equal(unlink(path_join(path, dir.path, "data.mdb")), 0);
    assert_int_equal(store_create(dir.path, STORE_REGISTRY, &files, try_lock, &was_free), ERR_OK);
    assert_false(was_free);
    assert_int_equal(try_lock(NULL, &was_free), ERR_OK);
    assert_true(was_free);
}

/* Opens the store and looks into it now and then, for as long as the parent likes. */
static bool keep_open(int in, int out)
{
    struct store *store;
    if (store_open(&store, dir.path, STORE_REGISTRY, STORE_READ))
        return false;
    bool fine = look_up(store, "da", "0") == ERR_OK && say(out, 'r') && hear(in);
    /* Its file is gone from the directory; what it held is still there to be seen. */
    fine = fine && look_up(store, "da", "0") == ERR_OK;
    store_close(store);
    return fine && say(out, 'd');
}

/* The number of the last commit lies in the lock file: a new store has to have one of its own. */
static void a_store_made_in_the_place_of_one_that_is_still_open_is_sound(void **state)
{
    char from[TEMPDIR_MAX], to[TEMPDIR_MAX];
    struct store *store;
    (void)state;
    for (int commits = 1; commits <= 4; commits++) { /* two pages hold the state in turn */
        assert_int_equal(store_open(&store, dir.path, STORE_REGISTRY, STORE_WRITE), ERR_OK);
        for (int i = 0; i < commits; i++)
            assert_true(put_pair(store, 0));
        store_close(store);
        struct child child = child_start(keep_open);
        assert_int_equal(child_byte(&child), 'r');
        path_join(from, dir.path, "data.mdb");
        path_join(to, dir.path, "data.aside");
        assert_int_equal(rename(from, to), 0);
        assert_int_equal(create_here(dir.path, STORE_REGISTRY), ERR_OK);
        assert_int_equal(store_open(&store, dir.path, STORE_REGISTRY, STORE_WRITE), ERR_OK);
        assert_int_equal(look_up(store, "da", "0"), ERR_NOT_FOUND);
        assert_true(put_pair(store, 7));
        assert_int_equal(look_up(store, "db", "7"), ERR_OK);
        assert_int_equal(write(child.to, "g", 1), 1);
        assert_int_equal(child_byte(&child), 'd');
        child_end(&child);
        assert_int_equal(look_up(store, "db", "7"), ERR_OK);
        store_close(store);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_reader_sees_whole_commits_of_another_process_none_older_than_its_id),
        test(processes_that_open_and_close_at_the_same_time_do_not_hurt_each_other),
        test(the_pages_of_a_killed_reader_are_used_again),
        test(a_store_made_in_the_place_of_one_that_is_still_open_is_sound),
        test(a_store_is_made_under_the_lock_of_its_directory),
        test(a_killed_writer_leaves_the_last_commit_and_a_free_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
