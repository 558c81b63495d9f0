/* devreg apply beside others, and where it is ended: all of the file holds, or nothing of it.
 *
 * A test that holds the write scope stops a devreg that has compared the file with the registry and
 * is about to change it. */
#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "registry/registry.h"
#include "tests/support/rng.h"
#include "tests/support/tempdir.h"

enum { NOW = 5000, FEW = 50, MANY = 5000, KILLS = 25, DEADLINE_MS = 60000, SAID_MAX = 65535 };

static struct rng rng;

struct fixture {
    struct tempdir dir;
    char path[TEMPDIR_MAX], fleet[TEMPDIR_MAX], out[TEMPDIR_MAX], err[TEMPDIR_MAX];
    struct registry *registry;
};

static int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    *state = fixture;
    tempdir_make(&fixture->dir);
    path_join(fixture->path, fixture->dir.path, "registry");
    path_join(fixture->fleet, fixture->dir.path, "fleet");
    path_join(fixture->out, fixture->dir.path, "out");
    path_join(fixture->err, fixture->dir.path, "err");
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

static pid_t apply_start(const struct fixture *fixture)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    int out = open(fixture->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int err = open(fixture->err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out < 0 || err < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
        _exit(126);
    execl(DEVREG, "devreg", "-r", fixture->path, "apply", fixture->fleet, "--prune", "--yes",
          (char *)NULL);
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

static void assert_said(const char *path, const char *text)
{
    static char said[SAID_MAX + 1];
    FILE *file = fopen(path, "r");
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

/* Does the process sleep? It does nothing that sleeps but to wait for the write scope. */
static bool sleeps(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_true(size > 0);
    const char *state = strrchr(text, ')');
    assert_non_null(state);
    return strncmp(state, ") S", 3) == 0 && strstr(text, "(devreg)");
}

/* Until it has compared, and waits for the scope that the test holds. */
static void await_waiting(pid_t pid)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    for (int times = 0; times < 20;) {
        times = sleeps(pid) ? times + 1 : 0;
        assert_true(now_ms() < deadline);
        (void)poll(NULL, 0, 1);
    }
}

/* Devices d0 to d(count - 1), with that note. */
static void write_fleet(const struct fixture *fixture, size_t count, const char *note)
{
    FILE *file = fopen(fixture->fleet, "w");
    assert_non_null(file);
    assert_true(fputs("{\"devreg_export\":1,\"end\":true}\n{\"role\":\"device\"}\n", file) >= 0);
    for (size_t i = 0; i < count; i++)
        assert_true(fprintf(file, "{\"device\":\"d%zu\",\"note\":\"%s\"}\n", i, note) > 0);
    assert_true(fputs("{\"devreg_export\":\"end\"}\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* How many devices there are, and how many have the note. */
static size_t count_devices(struct registry *registry, const char *note, size_t *noted)
{
    char after[DEVICE_ID_MAX + 1] = "";
    struct device device;
    size_t count = 0;
    *noted = 0;
    assert_int_equal(registry_read(registry), ERR_OK);
    while (registry_next_device(registry, after, &device) == ERR_OK) {
        strcpy(after, device.id);
        *noted += strcmp(device.note, note) == 0;
        device_clear(&device);
        count++;
    }
    registry_end(registry);
    return count;
}

static void assert_fleet(const struct fixture *fixture, size_t expected, const char *note)
{
    size_t noted, count = count_devices(fixture->registry, note, &noted);
    assert_int_equal(count, expected);
    assert_int_equal(noted, expected);
}

/* In the open write scope. */
static void set_note(struct registry *registry, const char *id, const char *note)
{
    struct device device;
    assert_int_equal(registry_get_device(registry, id, &device), ERR_OK);
    strcpy(device.note, note);
    assert_int_equal(registry_put_device(registry, &device), ERR_OK);
    device_clear(&device);
}

static void add_device(struct registry *registry, const char *id)
{
    struct device device;
    device_init(&device, id);
    assert_int_equal(registry_add_device(registry, &device), ERR_OK);
    device_clear(&device);
}

static void write_scope(const struct fixture *fixture)
{
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_OK);
}

static void apply(const struct fixture *fixture, size_t count, const char *note)
{
    write_fleet(fixture, count, note);
    assert_exit(apply_start(fixture), 0);
    assert_fleet(fixture, count, note);
}

/* One that it has found to be as it should be, one that is new, one that is gone. */
static void what_changed_meanwhile_is_seen(void **state)
{
    const struct fixture *fixture = *state;
    apply(fixture, FEW, "first");
    write_fleet(fixture, FEW + 1, "first");
    write_scope(fixture);
    pid_t pid = apply_start(fixture);
    await_waiting(pid);
    set_note(fixture->registry, "d7", "of somebody else");
    add_device(fixture->registry, "stranger");
    assert_int_equal(registry_remove_device(fixture->registry, "d9"), ERR_OK);
    assert_int_equal(registry_commit(fixture->registry), ERR_OK);
    assert_exit(pid, 0);
    assert_fleet(fixture, FEW + 1, "first");
    assert_said(fixture->out, "~\td7\tnote\n");
    assert_said(fixture->out, "-\tstranger\t");
    assert_said(fixture->out, "+\td9\t");
    assert_said(fixture->out, "+\td50\t");
    assert_said(fixture->err, "Devices: 2 added, 1 changed, 1 removed, 48 unchanged;");
}

static void a_device_that_was_revoked_meanwhile_stays_so(void **state)
{
    const struct fixture *fixture = *state;
    struct device device;
    apply(fixture, FEW, "first");
    write_fleet(fixture, FEW, "second");
    write_scope(fixture);
    pid_t pid = apply_start(fixture);
    await_waiting(pid);
    assert_int_equal(registry_get_device(fixture->registry, "d7", &device), ERR_OK);
    device.state = DEVICE_REVOKED;
    assert_int_equal(registry_put_device(fixture->registry, &device), ERR_OK);
    device_clear(&device);
    assert_int_equal(registry_commit(fixture->registry), ERR_OK);
    assert_exit(pid, 1);
    assert_said(fixture->err, "fleet:10: d7: it is revoked for good");
    assert_fleet(fixture, FEW, "first");
}

/* Others never stop: it comes to an end all the same. */
static void it_ends_though_the_registry_changes_all_the_time(void **state)
{
    const struct fixture *fixture = *state;
    int status = 0;
    pid_t ended = 0;
    apply(fixture, FEW, "first");
    write_fleet(fixture, FEW, "second");
    write_scope(fixture);
    pid_t pid = apply_start(fixture);
    await_waiting(pid);
    int64_t deadline = now_ms() + DEADLINE_MS;
    for (size_t i = 0; !ended; i++) {
        struct device device;
        if (registry_get_device(fixture->registry, "d7", &device) == ERR_OK) {
            device_clear(&device);
            set_note(fixture->registry, "d7", i % 2 ? "odd" : "even");
        }
        assert_int_equal(registry_commit(fixture->registry), ERR_OK);
        ended = waitpid(pid, &status, WNOHANG);
        assert_true(now_ms() < deadline);
        write_scope(fixture);
    }
    registry_end(fixture->registry);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    size_t noted, count = count_devices(fixture->registry, "second", &noted);
    assert_int_equal(count, FEW);
    assert_true(noted >= FEW - 1); /* d7 may have been changed behind it */
}

/* As `devreg import` does with an export that has hashes. */
static void a_registry_that_was_replaced_meanwhile_is_left_alone(void **state)
{
    const struct fixture *fixture = *state;
    const uint8_t secret[CRYPTO_KEY_SIZE] = {7};
    size_t noted;
    write_fleet(fixture, FEW, "first");
    write_scope(fixture);
    pid_t pid = apply_start(fixture);
    await_waiting(pid);
    assert_int_equal(registry_replace_secret(fixture->registry, secret), ERR_OK);
    assert_int_equal(registry_commit(fixture->registry), ERR_OK);
    assert_exit(pid, 1);
    assert_said(fixture->err, "so nothing was changed: run it again");
    assert_int_equal(count_devices(fixture->registry, "first", &noted), 0);
    assert_exit(apply_start(fixture), 0);
    assert_fleet(fixture, FEW, "first");
}

static void killed_before_it_stores_it_changes_nothing(void **state)
{
    const struct fixture *fixture = *state;
    apply(fixture, FEW, "first");
    write_fleet(fixture, FEW / 2, "second");
    write_scope(fixture);
    pid_t pid = apply_start(fixture);
    await_waiting(pid);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(WIFSIGNALED(wait_for(pid)));
    registry_end(fixture->registry);
    assert_fleet(fixture, FEW, "first");
    assert_exit(apply_start(fixture), 0);
    assert_fleet(fixture, FEW / 2, "second");
}

static void no_finding(void *context, const char *what, const char *problem)
{
    (void)context;
    fail_msg("%s: %s", what, problem);
}

static void assert_sound(struct registry *registry)
{
    struct registry_check check = {0};
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_check(registry, &check, no_finding, NULL), ERR_OK);
    registry_end(registry);
    assert_int_equal(check.findings, 0);
}

/* At any moment: the time that a whole run takes is divided by chance. */
static void killed_anywhere_it_has_changed_all_or_nothing(void **state)
{
    const struct fixture *fixture = *state;
    char notes[2][16] = {"first", ""};
    size_t now = 0, done = 0;
    apply(fixture, MANY, notes[now]);
    snprintf(notes[1], sizeof notes[1], "second");
    write_fleet(fixture, MANY, notes[1]);
    int64_t begun = now_ms();
    assert_exit(apply_start(fixture), 0);
    int64_t whole = now_ms() - begun;
    now = 1;
    for (int round = 0; round < KILLS; round++) {
        size_t noted, next = 1 - now;
        write_fleet(fixture, MANY, notes[next]);
        pid_t pid = apply_start(fixture);
        (void)poll(NULL, 0, (int)rng_below(&rng, (size_t)whole + 1));
        assert_int_equal(kill(pid, SIGKILL), 0);
        (void)wait_for(pid);
        assert_int_equal(count_devices(fixture->registry, notes[next], &noted), MANY);
        if (noted != 0 && noted != MANY)
            fail_msg("%zu of %d", noted, MANY);
        now = noted ? next : now;
        done += noted != 0;
        assert_sound(fixture->registry);
    }
    printf("%zu of %d were done before they were killed\n", done, KILLS);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        test(what_changed_meanwhile_is_seen),
        test(a_device_that_was_revoked_meanwhile_stays_so),
        test(it_ends_though_the_registry_changes_all_the_time),
        test(a_registry_that_was_replaced_meanwhile_is_left_alone),
        test(killed_before_it_stores_it_changes_nothing),
        test(killed_anywhere_it_has_changed_all_or_nothing),
    };
    rng = rng_start("test_apply");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
