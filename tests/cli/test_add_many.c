/* devreg add --from: the same devices as one by one, and keys that are neither lost nor taken for
 * good, wherever it is ended.
 *
 * A test that holds the write scope stops a devreg where its keys are on the disk and its devices
 * are not in the registry. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry/key.h"
#include "registry/registry.h"
#include "tests/support/tempdir.h"

enum { NOW = 5000, MANY = 10000, FEW = 50, DEADLINE_MS = 60000, SAID_MAX = 4095 };

#define LINE_SIZE (sizeof "pump-00000," - 1 + KEY_TEXT_SIZE + 1)

struct fixture {
    struct tempdir dir;
    char path[TEMPDIR_MAX]; /* the registry's */
    char devices[TEMPDIR_MAX], keys[TEMPDIR_MAX], part[TEMPDIR_MAX], said[TEMPDIR_MAX];
    struct registry *registry;
};

static int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    *state = fixture;
    tempdir_make(&fixture->dir);
    path_join(fixture->path, fixture->dir.path, "registry");
    path_join(fixture->devices, fixture->dir.path, "devices");
    path_join(fixture->keys, fixture->dir.path, "keys");
    path_join(fixture->part, fixture->dir.path, "keys.part");
    path_join(fixture->said, fixture->dir.path, "said");
    if (registry_create(fixture->path, geteuid(), getegid(), "maker", NOW))
        return -1;
    return registry_open(&fixture->registry, fixture->path, STORE_WRITE) ? -1 : 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    registry_close(fixture->registry);
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

/* Begins `devreg add --from devices --keys keys`, which writes all that it says to `said`. */
static pid_t add_start(const struct fixture *fixture)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    int said = open(fixture->said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (said < 0 || dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
        _exit(126);
    execl(DEVREG, "devreg", "-r", fixture->path, "add", "--from", fixture->devices, "--keys",
          fixture->keys, (char *)NULL);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_exit(pid_t pid, int expected)
{
    int status = wait_for(pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static void assert_said(const struct fixture *fixture, const char *text)
{
    char said[SAID_MAX + 1];
    FILE *file = fopen(fixture->said, "r");
    assert_non_null(file);
    said[fread(said, 1, SAID_MAX, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    if (!strstr(said, text))
        fail_msg("not '%s', but: %s", text, said);
}

static int64_t now_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* Waits until all keys are in the file, behind which devreg waits for the write scope. */
static void await_keys(const struct fixture *fixture, size_t count)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    const off_t size = (off_t)(sizeof "device,key" + count * LINE_SIZE);
    struct stat info = {0};
    while (stat(fixture->part, &info) != 0 || info.st_size < size) {
        assert_true(now_ms() < deadline);
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(info.st_size, size);
    assert_int_equal(info.st_mode & 07777, 0600);
}

/* Sites and floors so that neighbours differ; the order is a stride through all of them. */
static size_t number_at(size_t line, size_t count)
{
    return line * 7919 % count;
}

static void write_devices(const struct fixture *fixture, size_t count)
{
    FILE *file = fopen(fixture->devices, "w");
    assert_non_null(file);
    assert_true(fputs("device,role,note,attr.site,attr.floor\n", file) >= 0);
    for (size_t line = 0; line < count; line++) {
        size_t i = number_at(line, count);
        assert_true(fprintf(file, "pump-%05zu,%s,%s,%s,%zu\r\n", i, i % 3 ? "" : "device",
                            i % 5 ? "" : "\"a \"\"note\"\", quoted\"", i % 2 ? "kiel" : "bremen",
                            i % 30) > 0);
    }
    assert_int_equal(fclose(file), 0);
}

static void device_make(struct device *device, size_t i)
{
    char text[20];
    snprintf(text, sizeof text, "pump-%05zu", i);
    device_init(device, text);
    assert_int_equal(device_add_role(device, "device"), ERR_OK);
    if (i % 5 == 0)
        strcpy(device->note, "a \"note\", quoted");
    snprintf(text, sizeof text, "%zu", i % 30);
    assert_int_equal(device_set_attribute(device, "floor", text), ERR_OK);
    assert_int_equal(device_set_attribute(device, "site", i % 2 ? "kiel" : "bremen"), ERR_OK);
}

/* Are they the same but for times and credentials? */
static void assert_like(const struct device *a, const struct device *b)
{
    assert_string_equal(a->id, b->id);
    assert_int_equal(a->state, b->state);
    assert_string_equal(a->note, b->note);
    assert_string_equal(a->client_id, b->client_id);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->expires, b->expires);
    assert_int_equal(a->role_count, b->role_count);
    assert_string_equal(a->roles[0], b->roles[0]);
    assert_int_equal(a->attribute_count, b->attribute_count);
    for (size_t i = 0; i < a->attribute_count; i++) {
        assert_string_equal(a->attributes[i].name, b->attributes[i].name);
        assert_string_equal(a->attributes[i].value, b->attributes[i].value);
    }
    assert_true(rules_equal(&a->rules, &b->rules));
}

static void add_one_by_one(struct registry *registry, size_t count)
{
    assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        struct device device;
        device_make(&device, i);
        assert_int_equal(registry_add_device(registry, &device), ERR_OK);
        device_clear(&device);
    }
    assert_int_equal(registry_commit(registry), ERR_OK);
}

static void assert_same(struct registry *a, struct registry *b, size_t count)
{
    char after[DEVICE_ID_MAX + 1] = "";
    struct device x, y;
    size_t found = 0;
    uint64_t holders = 0;
    assert_int_equal(registry_read(a), ERR_OK);
    assert_int_equal(registry_read(b), ERR_OK);
    for (; registry_next_device(a, after, &x) == ERR_OK; found++) {
        assert_int_equal(registry_next_device(b, after, &y), ERR_OK);
        assert_like(&x, &y);
        strcpy(after, x.id);
        device_clear(&x);
        device_clear(&y);
    }
    assert_int_equal(found, count);
    assert_int_equal(registry_next_device(b, after, &y), ERR_NOT_FOUND);
    assert_int_equal(registry_role_holders(a, "device", &holders), ERR_OK);
    assert_int_equal(holders, count);
    registry_end(a);
    registry_end(b);
}

/* Each line of `path` is the next line's device and a key that opens it. */
static void assert_keys_open(const struct fixture *fixture, const char *path, size_t count)
{
    char line[200], id[40];
    struct registry *registry = fixture->registry;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "device,key\n");
    assert_int_equal(registry_read(registry), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        struct device device;
        assert_non_null(fgets(line, sizeof line, file));
        assert_int_equal(strlen(line), LINE_SIZE);
        line[LINE_SIZE - 1] = '\0';
        snprintf(id, sizeof id, "pump-%05zu", number_at(i, count));
        assert_memory_equal(line, id, strlen(id));
        assert_int_equal(registry_get_device(registry, id, &device), ERR_OK);
        assert_non_null(credential_of_key(&device, line + strlen(id) + 1, registry_secret(registry),
                                          device.created));
        device_clear(&device);
    }
    assert_null(fgets(line, sizeof line, file));
    registry_end(registry);
    assert_int_equal(fclose(file), 0);
}

static size_t count_devices(struct registry *registry)
{
    char after[DEVICE_ID_MAX + 1] = "";
    struct device device;
    size_t count = 0;
    assert_int_equal(registry_read(registry), ERR_OK);
    while (registry_next_device(registry, after, &device) == ERR_OK) {
        strcpy(after, device.id);
        device_clear(&device);
        count++;
    }
    registry_end(registry);
    return count;
}

static void ten_thousand_from_a_file_are_the_same_as_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    char path[TEMPDIR_MAX];
    struct registry *single;
    struct log_entry entry;
    path_join(path, fixture->dir.path, "single");
    assert_int_equal(registry_create(path, geteuid(), getegid(), "maker", NOW), ERR_OK);
    assert_int_equal(registry_open(&single, path, STORE_WRITE), ERR_OK);
    write_devices(fixture, MANY);
    assert_exit(add_start(fixture), 0);
    assert_said(fixture, "Added 10,000 devices in ");
    add_one_by_one(single, MANY);
    assert_same(fixture->registry, single, MANY);
    assert_keys_open(fixture, fixture->keys, MANY);
    assert_false(is_there(fixture->part));
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    assert_int_equal(registry_next_entry(fixture->registry, 1, &entry), ERR_OK);
    assert_int_equal(entry.kind, LOG_BULK);
    assert_string_equal(entry.detail, "10000 devices");
    assert_int_equal(registry_next_entry(fixture->registry, 2, &entry), ERR_NOT_FOUND);
    registry_end(fixture->registry);
    registry_close(single);
}

/* Begins an add and has it wait, with its keys on the disk, for the write scope that is held. */
static pid_t add_until_keys(struct fixture *fixture)
{
    write_devices(fixture, FEW);
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_OK);
    pid_t pid = add_start(fixture);
    await_keys(fixture, FEW);
    return pid;
}

static void killed_before_the_commit_it_leaves_keys_under_another_name(void **state)
{
    struct fixture *fixture = *state;
    pid_t pid = add_until_keys(fixture);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(WIFSIGNALED(wait_for(pid)));
    registry_end(fixture->registry);
    assert_true(is_there(fixture->part));
    assert_false(is_there(fixture->keys));
    assert_int_equal(count_devices(fixture->registry), 0);
    assert_exit(add_start(fixture), 1);
    assert_said(fixture, "if its devices were added to any registry, or changed there (see 'devreg "
                         "log'), it holds their keys: rename it to ");
    assert_int_equal(unlink(fixture->part), 0);
    assert_exit(add_start(fixture), 0);
    assert_keys_open(fixture, fixture->keys, FEW);
}

static void ended_before_the_commit_it_leaves_nothing(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        pid_t pid = add_until_keys(fixture);
        assert_int_equal(kill(pid, signals[i]), 0);
        int status = wait_for(pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[i]);
        registry_end(fixture->registry);
        assert_false(is_there(fixture->part));
        assert_false(is_there(fixture->keys));
        assert_int_equal(count_devices(fixture->registry), 0);
    }
}

static void a_second_one_does_not_take_the_keys_of_the_first_for_left_behind(void **state)
{
    struct fixture *fixture = *state;
    pid_t pid = add_until_keys(fixture);
    assert_exit(add_start(fixture), 1);
    assert_said(fixture, "another devreg is at work on it");
    registry_end(fixture->registry);
    assert_exit(pid, 0);
    assert_keys_open(fixture, fixture->keys, FEW);
}

static void a_file_that_came_meanwhile_is_not_overwritten(void **state)
{
    struct fixture *fixture = *state;
    pid_t pid = add_until_keys(fixture);
    int file = open(fixture->keys, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    registry_end(fixture->registry);
    assert_exit(pid, 3);
    assert_said(fixture, "the devices were added, and their keys are in ");
    assert_keys_open(fixture, fixture->part, FEW);
    struct stat info;
    assert_int_equal(stat(fixture->keys, &info), 0);
    assert_int_equal(info.st_size, 0);
}

/* So it looks after a kill between the commit and the end. */
static void keys_that_are_good_are_told_from_others(void **state)
{
    struct fixture *fixture = *state;
    write_devices(fixture, FEW);
    assert_exit(add_start(fixture), 0);
    assert_int_equal(rename(fixture->keys, fixture->part), 0);
    assert_exit(add_start(fixture), 1);
    assert_said(fixture, "when its work was done, and it holds the devices' keys: rename it to ");
    assert_keys_open(fixture, fixture->part, FEW);
}

/* Nothing is said to be of no use that may be the keys of devices. */
static void keys_are_not_called_useless_because_their_first_device_is_gone(void **state)
{
    struct fixture *fixture = *state;
    char id[DEVICE_ID_MAX + 1];
    write_devices(fixture, FEW);
    assert_exit(add_start(fixture), 0);
    assert_int_equal(rename(fixture->keys, fixture->part), 0);
    snprintf(id, sizeof id, "pump-%05zu", number_at(0, FEW));
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_OK);
    assert_int_equal(registry_remove_device(fixture->registry, id), ERR_OK);
    assert_int_equal(registry_commit(fixture->registry), ERR_OK);
    assert_exit(add_start(fixture), 1);
    assert_said(fixture, "if its devices were added to any registry");
    assert_true(is_there(fixture->part));
}

static void keys_that_vanish_before_the_commit_undo_all(void **state)
{
    struct fixture *fixture = *state;
    pid_t pid = add_until_keys(fixture);
    assert_int_equal(unlink(fixture->part), 0);
    registry_end(fixture->registry);
    assert_exit(pid, 3);
    assert_said(fixture, "it was removed or replaced meanwhile, so nothing was added");
    assert_false(is_there(fixture->keys));
    assert_int_equal(count_devices(fixture->registry), 0);
}

/* As `devreg import` does with an export that has hashes: keys that were hashed before would open
 * nothing. */
static void a_secret_that_was_replaced_meanwhile_undoes_all(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t secret[CRYPTO_KEY_SIZE] = {7};
    pid_t pid = add_until_keys(fixture);
    assert_int_equal(registry_replace_secret(fixture->registry, secret), ERR_OK);
    assert_int_equal(registry_commit(fixture->registry), ERR_OK);
    assert_exit(pid, 1);
    assert_said(fixture, "replaced meanwhile, so nothing was changed: run it again");
    assert_false(is_there(fixture->part));
    assert_false(is_there(fixture->keys));
    assert_int_equal(count_devices(fixture->registry), 0);
    assert_exit(add_start(fixture), 0);
    assert_keys_open(fixture, fixture->keys, FEW);
}

/* All that can be read, from the beginning of the stream to its end. */
static size_t count_lines(int file)
{
    char data[4096];
    size_t lines = 0;
    ssize_t got;
    while ((got = read(file, data, sizeof data)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            lines += data[i] == '\n';
    }
    assert_int_equal(got, 0);
    return lines;
}

/* Waits until the pipe is full: its writer has to wait, or to give up. */
static void await_full(int pipe)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    struct pollfd room = {.fd = pipe, .events = POLLOUT};
    while (poll(&room, 1, 0) == 1) {
        assert_true(now_ms() < deadline);
        (void)poll(NULL, 0, 1);
    }
}

static void a_stdout_that_does_not_wait_loses_no_key(void **state)
{
    struct fixture *fixture = *state;
    int ends[2];
    write_devices(fixture, MANY);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (dup2(ends[1], STDOUT_FILENO) < 0)
            _exit(126);
        execl(DEVREG, "devreg", "-r", fixture->path, "add", "--from", fixture->devices,
              (char *)NULL);
        _exit(127);
    }
    await_full(ends[1]);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(count_lines(ends[0]), MANY + 1);
    assert_int_equal(close(ends[0]), 0);
    assert_exit(pid, 0);
    assert_int_equal(count_devices(fixture->registry), MANY);
}

static void a_device_that_came_meanwhile_undoes_all(void **state)
{
    struct fixture *fixture = *state;
    struct device device;
    pid_t pid = add_until_keys(fixture);
    device_init(&device, "PUMP-00007");
    assert_int_equal(registry_add_device(fixture->registry, &device), ERR_OK);
    device_clear(&device);
    assert_int_equal(registry_commit(fixture->registry), ERR_OK);
    assert_exit(pid, 1);
    assert_said(fixture, "the registry was changed meanwhile (already there): nothing was added");
    assert_false(is_there(fixture->part));
    assert_false(is_there(fixture->keys));
    assert_int_equal(count_devices(fixture->registry), 1);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        test(ten_thousand_from_a_file_are_the_same_as_one_by_one),
        test(killed_before_the_commit_it_leaves_keys_under_another_name),
        test(ended_before_the_commit_it_leaves_nothing),
        test(a_second_one_does_not_take_the_keys_of_the_first_for_left_behind),
        test(a_file_that_came_meanwhile_is_not_overwritten),
        test(keys_that_are_good_are_told_from_others),
        test(a_device_that_came_meanwhile_undoes_all),
        test(keys_are_not_called_useless_because_their_first_device_is_gone),
        test(keys_that_vanish_before_the_commit_undo_all),
        test(a_secret_that_was_replaced_meanwhile_undoes_all),
        test(a_stdout_that_does_not_wait_loses_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
