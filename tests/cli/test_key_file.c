/* The file of keys: whatever happens to it meanwhile, keys of devices that were added are kept, and
 * nothing is said of a file that is not there. */
#include "tests/support/cmocka_all.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/key_file.h"
#include "tests/support/tempdir.h"

struct fixture {
    struct tempdir dir;
    char path[TEMPDIR_MAX], part[TEMPDIR_MAX], aside[TEMPDIR_MAX];
    struct call call;
    struct key_file keys;
};

static const char text[] = "device,key\npump-7,devreg_ABCDEFGHIJKLMNOPQRSTUVWXYZabcd35xnja\n";

/* Up to the commit. */
static int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    struct key_file *keys = &fixture->keys;
    *state = fixture;
    tempdir_make(&fixture->dir);
    path_join(fixture->path, fixture->dir.path, "keys");
    path_join(fixture->part, fixture->dir.path, "keys.part");
    path_join(fixture->aside, fixture->dir.path, "aside");
    if (key_file_open(&fixture->call, keys, fixture->path, false) ||
        !key_file_add(keys, "pump-7", 1, "devreg_ABCDEFGHIJKLMNOPQRSTUVWXYZabcd35xnja"))
        return -1;
    return key_file_sync(&fixture->call, keys) ? -1 : 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_holds(const char *path, const char *expected)
{
    char found[sizeof text + 1];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    found[fread(found, 1, sizeof found - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_string_equal(found, expected);
}

static void the_part_becomes_the_file(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(key_file_hold(&fixture->call, &fixture->keys), STATUS_DONE);
    assert_int_equal(key_file_keep(&fixture->call, &fixture->keys), STATUS_DONE);
    key_file_close(&fixture->keys);
    assert_holds(fixture->path, text);
    assert_false(is_there(fixture->part));
}

static void no_commit_follows_where_the_part_was_removed(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(unlink(fixture->part), 0);
    assert_int_equal(key_file_hold(&fixture->call, &fixture->keys), STATUS_FAILED);
    assert_non_null(strstr(fixture->call.complaint, "removed or replaced meanwhile"));
    key_file_remove(&fixture->keys);
    key_file_close(&fixture->keys);
}

static void a_file_that_replaced_the_part_stays(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(rename(fixture->part, fixture->aside), 0);
    write_file(fixture->part, "mine\n");
    assert_int_equal(key_file_hold(&fixture->call, &fixture->keys), STATUS_FAILED);
    key_file_remove(&fixture->keys);
    key_file_close(&fixture->keys);
    assert_holds(fixture->part, "mine\n");
}

static void keys_are_written_anew_where_the_part_was_removed_during_the_commit(void **state)
{
    struct fixture *fixture = *state;
    struct stat info;
    assert_int_equal(key_file_hold(&fixture->call, &fixture->keys), STATUS_DONE);
    assert_int_equal(unlink(fixture->part), 0);
    assert_int_equal(key_file_keep(&fixture->call, &fixture->keys), STATUS_DONE);
    key_file_close(&fixture->keys);
    assert_holds(fixture->path, text);
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
}

static void keys_are_never_taken_from_a_file_that_replaced_the_part(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(key_file_hold(&fixture->call, &fixture->keys), STATUS_DONE);
    assert_int_equal(unlink(fixture->part), 0);
    write_file(fixture->part, "mine\n");
    assert_int_equal(key_file_keep(&fixture->call, &fixture->keys), STATUS_DONE);
    key_file_close(&fixture->keys);
    assert_holds(fixture->path, text);
    assert_holds(fixture->part, "mine\n");
}

static void keys_that_are_lost_are_said_to_be(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(key_file_hold(&fixture->call, &fixture->keys), STATUS_DONE);
    assert_int_equal(unlink(fixture->part), 0);
    write_file(fixture->path, "mine\n");
    assert_int_equal(key_file_keep(&fixture->call, &fixture->keys), STATUS_FAILED);
    key_file_close(&fixture->keys);
    assert_null(strstr(fixture->call.complaint, "their keys are in"));
    assert_non_null(strstr(fixture->call.complaint, "was removed meanwhile"));
    assert_holds(fixture->path, "mine\n");
}

/* Another devreg with the same --keys was faster, between the look at the name and the file. */
static void a_file_that_came_since_the_first_look_is_seen_before_keys_are_made(void **state)
{
    struct fixture *fixture = *state;
    struct key_file *second = test_calloc(1, sizeof *second);
    struct call call = {.complaint = ""};
    key_file_remove(&fixture->keys);
    key_file_close(&fixture->keys);
    write_file(fixture->path, "theirs\n");
    assert_int_equal(key_file_open(&call, second, fixture->path, false), STATUS_NO);
    assert_non_null(strstr(call.complaint, "it is there already"));
    assert_false(is_there(fixture->part));
    assert_holds(fixture->path, "theirs\n");
    test_free(second);
}

static void a_part_that_came_since_the_first_look_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct key_file *second = test_calloc(1, sizeof *second);
    struct call call = {.complaint = ""};
    assert_int_equal(key_file_open(&call, second, fixture->path, false), STATUS_NO);
    assert_non_null(strstr(call.complaint, "keys.part: another devreg is at work on it"));
    assert_true(is_there(fixture->part));
    key_file_remove(&fixture->keys);
    key_file_close(&fixture->keys);
    test_free(second);
}

/* Over the commit, with keys on stdout. Exit status 0 is that it was not ended. */
static void hold_on_stdout(struct fixture *fixture, bool keep)
{
    struct key_file *keys = &fixture->keys;
    (void)signal(SIGTERM, SIG_DFL); /* of tests before, it is ignored */
    if (!freopen("/dev/null", "w", stdout) ||
        key_file_open(&fixture->call, keys, NULL, false) != STATUS_DONE ||
        key_file_hold(&fixture->call, keys) != STATUS_DONE)
        _exit(2);
    if (raise(SIGTERM) != 0 || (keep && key_file_keep(&fixture->call, keys) != STATUS_DONE))
        _exit(3);
    key_file_close(keys);
    _exit(0);
}

static int status_of_hold(struct fixture *fixture, bool keep)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        hold_on_stdout(fixture, keep);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void a_signal_waits_for_the_commit_where_keys_went_to_stdout_too(void **state)
{
    struct fixture *fixture = *state;
    key_file_remove(&fixture->keys);
    key_file_close(&fixture->keys);
    assert_int_equal(status_of_hold(fixture, true), 0);
    int status = status_of_hold(fixture, false);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        test(the_part_becomes_the_file),
        test(no_commit_follows_where_the_part_was_removed),
        test(a_file_that_replaced_the_part_stays),
        test(keys_are_written_anew_where_the_part_was_removed_during_the_commit),
        test(keys_are_never_taken_from_a_file_that_replaced_the_part),
        test(keys_that_are_lost_are_said_to_be),
        test(a_file_that_came_since_the_first_look_is_seen_before_keys_are_made),
        test(a_part_that_came_since_the_first_look_is_named),
        test(a_signal_waits_for_the_commit_where_keys_went_to_stdout_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
