/* test_registry_replace.c - a copy of a registry, and what happens to whoever has one open in whose
 * place another is put. */
#include "tests/support/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registry/presence_store.h"
#include "registry/registry_replace.h"
#include "tests/support/newer_store.h"
#include "tests/support/store_fixture.h"

enum { NOW = 5000 };

struct fixture {
    struct tempdir dir;
    char path[TEMPDIR_MAX], data[TEMPDIR_MAX], presence[TEMPDIR_MAX], copy[TEMPDIR_MAX];
    struct registry *registry;
};

static int begin(void **state)
{
    static struct fixture only; /* not on the heap: a child that ends is asked for what it lost */
    struct fixture *fixture = &only;
    memset(fixture, 0, sizeof *fixture);
    *state = fixture;
    tempdir_make(&fixture->dir);
    path_join(fixture->path, fixture->dir.path, "registry");
    path_join(fixture->data, fixture->path, "data.mdb");
    path_join(fixture->presence, fixture->path, PRESENCE_SUBDIR);
    path_join(fixture->copy, fixture->dir.path, "copy");
    if (registry_create(fixture->path, geteuid(), getegid(), "maker", NOW))
        return -1;
    return registry_open(&fixture->registry, fixture->path, STORE_WRITE) ? -1 : 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    registry_close(fixture->registry);
    tempdir_remove(&fixture->dir);
    return 0;
}

static void add(struct registry *registry, const char *id)
{
    struct device device;
    device_init(&device, id);
    assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
    assert_non_null(device_new_credential(&device, CREDENTIAL_KEY, NOW));
    assert_int_equal(registry_add_device(registry, &device), ERR_OK);
    registry_log(registry, LOG_ADD, LOG_DEVICE, id, "");
    assert_int_equal(registry_commit(registry), ERR_OK);
    device_clear(&device);
}

static bool has(struct registry *registry, const char *id)
{
    enum err e;
    assert_int_equal(registry_read(registry), ERR_OK);
    bool there = registry_has_device(registry, id, &e);
    registry_end(registry);
    return there;
}

static void make_copy(const struct fixture *fixture)
{
    int file = open(fixture->copy, O_WRONLY | O_CREAT | O_EXCL, 0600), code = -1;
    assert_true(file >= 0);
    assert_int_equal(store_copy(registry_store(fixture->registry), file, &code), ERR_OK);
    assert_int_equal(code, 0);
    assert_int_equal(close(file), 0);
}

static uint8_t *load(const char *path, size_t *size)
{
    struct stat info;
    int file = open(path, O_RDONLY);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &info), 0);
    *size = (size_t)info.st_size;
    uint8_t *bytes = test_malloc(*size);
    assert_int_equal(read(file, bytes, *size), info.st_size);
    assert_int_equal(close(file), 0);
    return bytes;
}

static void save(int file, uint8_t *bytes, size_t size)
{
    assert_int_equal(write(file, bytes, size), (ssize_t)size);
    test_free(bytes);
}

/* Puts the copy in place, and says what came of it; it is ended by the caller. */
static enum err replace(struct fixture *fixture, struct replacement *replacement)
{
    const struct store_files files = {geteuid(), getegid(), 0640, 0660};
    const struct replacement_note note = {"tester", "copy", NOW + 1};
    size_t size;
    uint8_t *bytes = load(fixture->copy, &size);
    assert_int_equal(replacement_begin(replacement, fixture->path), ERR_OK);
    save(replacement->file, bytes, size);
    assert_int_equal(replacement_open(replacement), ERR_OK);
    return replacement_finish(replacement, &files, fixture->presence, &note);
}

static void replace_all(struct fixture *fixture)
{
    struct replacement replacement;
    assert_int_equal(replace(fixture, &replacement), ERR_OK);
    replacement_end(&replacement);
}

/* Nothing lies in the registry's directory but what belongs there. */
static void assert_tidy(const struct fixture *fixture)
{
    char path[TEMPDIR_MAX];
    DIR *dir = opendir(fixture->path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (strncmp(entry->d_name, ".new-", 5) == 0)
            fail_msg("%s was left", path_join(path, fixture->path, entry->d_name));
    }
    assert_int_equal(closedir(dir), 0);
}

static void a_copy_holds_what_was_committed(void **state)
{
    struct fixture *fixture = *state;
    struct registry *copy;
    struct registry_check result;
    add(fixture->registry, "a");
    make_copy(fixture);
    add(fixture->registry, "b");
    assert_int_equal(registry_open_copy(&copy, fixture->copy), ERR_OK);
    assert_true(has(copy, "a"));
    assert_false(has(copy, "b"));
    assert_int_equal(registry_read(copy), ERR_OK);
    assert_int_equal(registry_check(copy, &result, NULL, NULL), ERR_OK);
    registry_end(copy);
    assert_int_equal(result.findings, 0);
    assert_memory_equal(registry_secret(copy), registry_secret(fixture->registry), CRYPTO_KEY_SIZE);
    registry_close(copy);
}

static void a_copy_that_cannot_be_written_says_why(void **state)
{
    struct fixture *fixture = *state;
    int file = open("/dev/full", O_WRONLY), code = 0;
    assert_true(file >= 0);
    assert_int_equal(store_copy(registry_store(fixture->registry), file, &code), ERR_FULL);
    assert_int_equal(code, ENOSPC);
    assert_int_equal(close(file), 0);
}

static void what_is_no_copy_is_not_opened(void **state)
{
    struct fixture *fixture = *state;
    struct registry *copy;
    char presence[TEMPDIR_MAX];
    size_t size;
    make_copy(fixture);
    assert_int_equal(registry_open_copy(&copy, "/nowhere/copy"), ERR_NO_REGISTRY);
    assert_int_equal(registry_open_copy(&copy, fixture->path), ERR_DAMAGED);
    assert_int_equal(registry_open_copy(&copy, path_join(presence, fixture->presence, "data.mdb")),
                     ERR_OTHER_STORE);
    uint8_t *bytes = load(fixture->copy, &size);
    assert_true(newer_store(bytes, size));
    int file = open(fixture->copy, O_WRONLY);
    save(file, bytes, size);
    assert_int_equal(close(file), 0);
    assert_int_equal(registry_open_copy(&copy, fixture->copy), ERR_TOO_NEW);
    assert_int_equal(truncate(fixture->copy, (off_t)size - 1), 0);
    assert_int_equal(registry_open_copy(&copy, fixture->copy), ERR_DAMAGED);
}

/* Another process replaces it while this one has it open. It has to be there before: no store
 * outlives a fork. */
static void replace_elsewhere(struct fixture *fixture)
{
    int go[2], status;
    char byte = 'x';
    registry_close(fixture->registry);
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (read(go[0], &byte, 1) == 1)
            replace_all(fixture);
        _exit(0);
    }
    assert_int_equal(registry_open(&fixture->registry, fixture->path, STORE_WRITE), ERR_OK);
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(close(go[0]), 0);
    assert_int_equal(close(go[1]), 0);
}

static void who_has_it_open_finds_out_and_reopens(void **state)
{
    struct fixture *fixture = *state;
    struct log_entry entry;
    uint64_t last;
    add(fixture->registry, "a");
    make_copy(fixture);
    add(fixture->registry, "b");
    uint64_t commit = registry_last_commit(fixture->registry);
    assert_true(registry_in_place(fixture->registry));
    replace_elsewhere(fixture);
    assert_false(registry_in_place(fixture->registry));
    assert_true(registry_last_commit(fixture->registry) > commit); /* it was told */
    assert_true(has(fixture->registry, "b"));                      /* what was */
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_REPLACED);
    assert_int_equal(registry_reopen(fixture->registry), ERR_OK);
    assert_true(registry_in_place(fixture->registry));
    assert_true(has(fixture->registry, "a"));
    assert_false(has(fixture->registry, "b"));
    add(fixture->registry, "c");
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    assert_int_equal(registry_last_entry(fixture->registry, &last), ERR_OK);
    assert_int_equal(registry_next_entry(fixture->registry, last - 2, &entry), ERR_OK);
    assert_true(entry.verb == LOG_RESTORE && entry.kind == LOG_BULK && entry.time == NOW + 1);
    assert_string_equal(entry.detail, "copy");
    registry_end(fixture->registry);
    assert_tidy(fixture);
}

/* Whoever holds the directory may be `devreg restore`, which waits until nobody has the old one
 * open: to let go of it and deny meanwhile would last longer than the command. */
static void who_cannot_reopen_yet_keeps_what_is_open(void **state)
{
    struct fixture *fixture = *state;
    add(fixture->registry, "pump-7");
    int fd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(registry_reopen(fixture->registry), ERR_BUSY);
    assert_true(registry_in_place(fixture->registry));
    assert_true(has(fixture->registry, "pump-7"));
    assert_int_equal(close(fd), 0);
    assert_int_equal(registry_reopen(fixture->registry), ERR_OK);
    add(fixture->registry, "pump-8");
}

static void what_was_committed_to_a_registry_that_is_gone_is_no_success(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_OK);
    assert_int_equal(unlink(fixture->data), 0); /* nobody asked for the lock */
    registry_log(fixture->registry, LOG_SET, LOG_BULK, "", "");
    assert_int_equal(registry_commit(fixture->registry), ERR_REPLACED);
    assert_int_equal(registry_reopen(fixture->registry), ERR_NO_REGISTRY);
    assert_int_equal(registry_read(fixture->registry), ERR_REPLACED);
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_REPLACED);
    assert_false(registry_in_place(fixture->registry));
    assert_int_equal(registry_last_commit(fixture->registry), 0);
}

static void a_replaced_lock_file_is_noticed_and_a_missing_one_is_not(void **state)
{
    struct fixture *fixture = *state;
    struct registry *other;
    char lock[TEMPDIR_MAX];
    path_join(lock, fixture->path, "lock.mdb");
    assert_int_equal(unlink(lock), 0);
    assert_true(registry_in_place(fixture->registry));
    assert_int_equal(close(open(lock, O_CREAT | O_EXCL | O_RDWR, 0660)), 0);
    assert_false(registry_in_place(fixture->registry));
    assert_int_equal(registry_reopen(fixture->registry), ERR_OK);
    assert_int_equal(registry_open(&other, fixture->path, STORE_READ), ERR_OK);
    assert_true(registry_in_place(other));
    registry_close(other);
}

/* A process of its own that has the registry open until it is told to end. */
static pid_t hold_open(const struct fixture *fixture, int *end_it)
{
    int to[2], from[2];
    char byte = 'x';
    assert_true(pipe(to) == 0 && pipe(from) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct registry *registry;
        (void)close(to[1]);
        if (registry_open(&registry, fixture->path, STORE_READ) || write(from[1], &byte, 1) != 1)
            _exit(1);
        _exit(read(to[0], &byte, 1) == 1 ? 0 : 1);
    }
    assert_int_equal(close(to[0]), 0);
    assert_int_equal(close(from[1]), 0);
    assert_int_equal(read(from[0], &byte, 1), 1);
    assert_int_equal(close(from[0]), 0);
    *end_it = to[1];
    return pid;
}

static void who_still_has_the_old_one_open_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct replacement replacement;
    int end_it, status;
    pid_t named = -1;
    make_copy(fixture);
    registry_close(fixture->registry);
    fixture->registry = NULL;
    pid_t pid = hold_open(fixture, &end_it);
    assert_int_equal(replace(fixture, &replacement), ERR_OK);
    assert_true(replacement_held(&replacement, &named));
    assert_int_equal(named, pid);
    assert_int_equal(write(end_it, "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_false(replacement_held(&replacement, &named));
    replacement_end(&replacement);
    assert_int_equal(close(end_it), 0);
}

static void one_that_cannot_be_opened_is_replaced_too(void **state)
{
    struct fixture *fixture = *state;
    size_t size;
    add(fixture->registry, "a");
    make_copy(fixture);
    registry_close(fixture->registry);
    fixture->registry = NULL;
    uint8_t *bytes = load(fixture->data, &size);
    assert_true(newer_store(bytes, size));
    int file = open(fixture->data, O_WRONLY);
    save(file, bytes, size);
    assert_int_equal(close(file), 0);
    assert_int_equal(registry_open(&fixture->registry, fixture->path, STORE_READ), ERR_TOO_NEW);
    fixture->registry = NULL;
    replace_all(fixture);
    assert_int_equal(truncate(fixture->data, 4096), 0);
    replace_all(fixture);
    assert_int_equal(unlink(fixture->data), 0);
    replace_all(fixture);
    assert_int_equal(registry_open(&fixture->registry, fixture->path, STORE_WRITE), ERR_OK);
    assert_true(has(fixture->registry, "a"));
    assert_tidy(fixture);
}

static void a_store_of_another_kind_is_not_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct replacement replacement;
    struct store *store;
    make_copy(fixture);
    snprintf(fixture->path, sizeof fixture->path, "%s", fixture->presence);
    assert_int_equal(replace(fixture, &replacement), ERR_OTHER_STORE);
    replacement_end(&replacement);
    assert_tidy(fixture);
    assert_int_equal(store_open(&store, fixture->presence, STORE_PRESENCE, STORE_READ), ERR_OK);
    store_close(store);
}

static void note(const struct fixture *fixture, const char *device, const struct presence *presence)
{
    struct store *store;
    struct txn *txn;
    assert_int_equal(store_open(&store, fixture->presence, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    assert_int_equal(txn_write(&txn, store), ERR_OK);
    presence_put(txn, device, presence, NULL);
    assert_int_equal(txn_commit(txn), ERR_OK);
    store_close(store);
}

static void get(struct fixture *fixture, const char *id, struct device *device)
{
    assert_int_equal(registry_reopen(fixture->registry), ERR_OK);
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    assert_int_equal(registry_get_device(fixture->registry, id, device), ERR_OK);
    registry_end(fixture->registry);
}

/* Else the plugin would take the next key for one that was used long ago. */
static void numbers_that_were_given_out_are_not_given_out_again(void **state)
{
    struct fixture *fixture = *state;
    struct device device;
    add(fixture->registry, "a"); /* generation 1, its next credential is the second */
    add(fixture->registry, "b");
    make_copy(fixture);
    add(fixture->registry, "c");
    add(fixture->registry, "d");
    const struct presence used = {.generation = 1, .used_count = 2, .used = {{1, NOW}, {5, NOW}}};
    const struct presence older = {.generation = 7, .used_count = 1, .used = {{9, NOW}}};
    note(fixture, "a", &used);
    note(fixture, "b", &older);
    note(fixture, "gone", &older);
    replace_all(fixture);
    get(fixture, "a", &device);
    assert_int_equal(device.next_credential, 6);
    assert_int_equal(device.version, 1);
    device_clear(&device);
    get(fixture, "b", &device);
    assert_int_equal(device.next_credential, 2);
    device_clear(&device);
    add(fixture->registry, "new");
    get(fixture, "new", &device);
    assert_int_equal(device.generation, 8);
    device_clear(&device);
}

static void generations_of_the_registry_in_its_place_count_too(void **state)
{
    struct fixture *fixture = *state;
    struct device device;
    make_copy(fixture);
    add(fixture->registry, "c");
    add(fixture->registry, "d");
    replace_all(fixture);
    assert_int_equal(registry_reopen(fixture->registry), ERR_OK);
    add(fixture->registry, "new");
    get(fixture, "new", &device);
    assert_int_equal(device.generation, 3);
    device_clear(&device);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_copy_holds_what_was_committed),
        test(a_copy_that_cannot_be_written_says_why),
        test(what_is_no_copy_is_not_opened),
        test(who_has_it_open_finds_out_and_reopens),
        test(who_cannot_reopen_yet_keeps_what_is_open),
        test(what_was_committed_to_a_registry_that_is_gone_is_no_success),
        test(a_replaced_lock_file_is_noticed_and_a_missing_one_is_not),
        test(who_still_has_the_old_one_open_is_named),
        test(one_that_cannot_be_opened_is_replaced_too),
        test(a_store_of_another_kind_is_not_replaced),
        test(numbers_that_were_given_out_are_not_given_out_again),
        test(generations_of_the_registry_in_its_place_count_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
