/* crash_kill.c - a writer is killed at random moments; what it was told is done stays done.
 *
 * The child makes the changes that the seed says, one commit each, and writes a byte to a pipe
 * after each commit. The parent kills it after some of them, makes the same changes to a model, as
 * many as the log has, and compares: no acknowledged change may be missing, at most one more may be
 * there, and nothing may be half done. */
#include "tests/support/cmocka_all.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/model.h"
#include "tests/support/tempdir.h"

enum { ROUNDS = 100, CHANGES_MAX = 4, COMMITS_MAX = 25, DEADLINE_MS = 20000, START = 1000 };

static struct rng rng;
static struct model model;

/* Some changes in one scope, committed; the same for the same state of `changes`. */
static bool commit_next(struct registry *registry, struct rng *changes, int64_t now)
{
    if (registry_write(registry, MODEL_WHO, now))
        return false;
    for (size_t count = 1 + rng_below(changes, CHANGES_MAX); count > 0; count--) {
        struct change change = change_draw(changes, now);
        (void)registry_apply(registry, &change);
    }
    return registry_commit(registry) == ERR_OK;
}

static void model_next(struct rng *changes, int64_t now)
{
    for (size_t count = 1 + rng_below(changes, CHANGES_MAX); count > 0; count--) {
        struct change change = change_draw(changes, now);
        (void)model_apply(&model, &change);
    }
}

static void write_until_killed(const char *path, struct rng changes, int out)
{
    struct registry *registry;
    if (registry_open(&registry, path, STORE_WRITE))
        _exit(1);
    for (int64_t now = START + 1;; now++) {
        if (!commit_next(registry, &changes, now) || write(out, "", 1) != 1)
            _exit(1);
    }
}

/* Waits for `wanted` acknowledgements and a random moment more; returns all that came. */
static size_t kill_after(pid_t child, int from, size_t wanted)
{
    size_t acknowledged = 0;
    char bytes[256];
    struct pollfd wait = {.fd = from, .events = POLLIN};
    while (acknowledged < wanted && poll(&wait, 1, DEADLINE_MS) == 1 && read(from, bytes, 1) == 1)
        acknowledged++;
    for (volatile size_t spin = rng_below(&rng, 200000); spin > 0; spin--)
        ;
    assert_int_equal(kill(child, SIGKILL), 0);
    for (ssize_t more; (more = read(from, bytes, sizeof bytes)) > 0;)
        acknowledged += (size_t)more;
    assert_true(acknowledged >= wanted);
    return acknowledged;
}

/* Runs the writer and kills it. Returns the number of commits that it saw done. */
static size_t writer_run(const char *path, const struct rng *changes)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        write_until_killed(path, *changes, ends[1]);
    }
    assert_int_equal(close(ends[1]), 0);
    size_t acknowledged = kill_after(child, ends[0], rng_below(&rng, COMMITS_MAX));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(close(ends[0]), 0);
    return acknowledged;
}

/* Gives the model the acknowledged commits, and the one that was in flight if it is there. */
static void model_replay(struct registry *registry, struct rng changes, size_t acknowledged)
{
    uint64_t last;
    int64_t now = START + 1;
    assert_int_equal(registry_last_entry(registry, &last), ERR_OK);
    model_init(&model, START);
    for (size_t i = 0; i < acknowledged; i++)
        model_next(&changes, now++);
    assert_true(last >= model.log_count);
    if (last > model.log_count)
        model_next(&changes, now);
}

static void assert_kept(const char *path, const struct rng *changes, size_t acknowledged)
{
    struct registry *registry;
    const char *what = "";
    assert_int_equal(registry_open(&registry, path, STORE_WRITE), ERR_OK);
    assert_int_equal(registry_read(registry), ERR_OK);
    model_replay(registry, *changes, acknowledged);
    if (!model_agrees(&model, registry, &what))
        fail_msg("%s differs after %zu acknowledged commits", what, acknowledged);
    registry_end(registry);
    assert_int_equal(registry_write(registry, MODEL_WHO, START), ERR_OK);
    assert_int_equal(registry_commit(registry), ERR_OK);
    registry_close(registry);
    model_clear(&model);
}

static void what_was_acknowledged_outlives_a_killed_writer(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct tempdir dir;
        struct rng changes = {rng_next(&rng)};
        char path[TEMPDIR_MAX];
        tempdir_make(&dir);
        path_join(path, dir.path, "registry");
        assert_int_equal(registry_create(path, geteuid(), getegid(), MODEL_WHO, START), ERR_OK);
        size_t acknowledged = writer_run(path, &changes);
        assert_kept(path, &changes, acknowledged);
        tempdir_remove(&dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_outlives_a_killed_writer),
    };
    rng = rng_start("crash_kill");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
