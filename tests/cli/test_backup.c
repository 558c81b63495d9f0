/* devreg backup and restore beside others, and killed wherever that may be. */
#include "tests/support/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "registry/registry.h"
#include "tests/support/rng.h"
#include "tests/support/tempdir.h"

enum {
    NOW = 5000,
    BACKUPS = 25,
    WRITERS = 2,
    DEVICES = 4000,
    KILLS = 40,
    KILL_WITHIN_US = 60000,
    DEADLINE_MS = 60000
};

struct fixture {
    struct tempdir dir;
    char path[TEMPDIR_MAX], copy[TEMPDIR_MAX], said[TEMPDIR_MAX];
};

static int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    *state = fixture;
    tempdir_make(&fixture->dir);
    path_join(fixture->path, fixture->dir.path, "registry");
    path_join(fixture->copy, fixture->dir.path, "copy");
    path_join(fixture->said, fixture->dir.path, "said");
    return registry_create(fixture->path, geteuid(), getegid(), "maker", NOW) ? -1 : 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

static pid_t start(const struct fixture *fixture, const char *verb, const char *option)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    int said = open(fixture->said, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (said < 0 || dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
        _exit(126);
    execl(DEVREG, "devreg", "-r", fixture->path, verb, fixture->copy, option, (char *)NULL);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void show(const struct fixture *fixture)
{
    char line[400];
    FILE *file = fopen(fixture->said, "r");
    while (file && fgets(line, sizeof line, file))
        print_message("%s", line);
    if (file)
        (void)fclose(file);
}

static void run(const struct fixture *fixture, const char *verb, const char *option)
{
    if (wait_for(start(fixture, verb, option)) != 0) {
        show(fixture);
        fail_msg("devreg %s failed", verb);
    }
}

static struct registry *open_registry(const struct fixture *fixture)
{
    struct registry *registry;
    assert_int_equal(registry_open(&registry, fixture->path, STORE_WRITE), ERR_OK);
    return registry;
}

static bool put(struct registry *registry, const char *id, const char *note)
{
    struct device device;
    if (registry_get_device(registry, id, &device) != ERR_OK)
        return false;
    snprintf(device.note, sizeof device.note, "%s", note);
    enum err e = registry_put_device(registry, &device);
    device_clear(&device);
    registry_log(registry, LOG_SET, LOG_DEVICE, id, "");
    return e == ERR_OK;
}

static void add(struct registry *registry, const char *id)
{
    struct device device;
    device_init(&device, id);
    assert_int_equal(device_add_role(&device, DEFAULT_ROLE), ERR_OK);
    assert_int_equal(registry_add_device(registry, &device), ERR_OK);
    device_clear(&device);
}

/* In each of its commits two devices get the same note, and another comes or goes. */
static bool write_pair(struct registry *registry, unsigned writer, unsigned number)
{
    char note[32], guest[32];
    struct device device;
    snprintf(note, sizeof note, "%u of %u", number, writer);
    snprintf(guest, sizeof guest, "guest-%u", writer);
    if (registry_write(registry, "writer", NOW + number) != ERR_OK)
        return false;
    bool fine = put(registry, "left", note) && put(registry, "right", note);
    device_init(&device, guest);
    enum err e = number % 2 ? registry_add_device(registry, &device)
                            : registry_remove_device(registry, guest);
    device_clear(&device);
    return fine && e == ERR_OK && registry_commit(registry) == ERR_OK;
}

static pid_t start_writer(const struct fixture *fixture, unsigned writer)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    struct registry *registry;
    if (registry_open(&registry, fixture->path, STORE_WRITE))
        _exit(1);
    for (unsigned number = 1; write_pair(registry, writer, number); number++)
        ;
    _exit(1);
}

static void read_note(struct registry *registry, const char *id, char note[static NOTE_MAX + 1])
{
    struct device device;
    assert_int_equal(registry_get_device(registry, id, &device), ERR_OK);
    snprintf(note, NOTE_MAX + 1, "%s", device.note);
    device_clear(&device);
}

static void report(void *context, const char *what, const char *problem)
{
    (void)context;
    print_message("%s: %s\n", what, problem);
}

/* Every record is sound, and both notes are of one commit. */
static void assert_sound(struct registry *registry)
{
    struct registry_check result;
    char left[NOTE_MAX + 1], right[NOTE_MAX + 1];
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_check(registry, &result, report, NULL), ERR_OK);
    assert_int_equal(result.findings, 0);
    read_note(registry, "left", left);
    read_note(registry, "right", right);
    assert_string_equal(left, right);
    registry_end(registry);
}

static uint64_t newest(struct registry *registry)
{
    uint64_t entry;
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_last_entry(registry, &entry), ERR_OK);
    registry_end(registry);
    return entry;
}

static void a_backup_of_what_changes_at_full_speed_is_of_one_moment(void **state)
{
    struct fixture *fixture = *state;
    struct registry *registry = open_registry(fixture), *copy;
    pid_t writers[WRITERS];
    uint64_t entry = 0;
    assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
    add(registry, "left");
    add(registry, "right");
    assert_int_equal(registry_commit(registry), ERR_OK);
    registry_close(registry);
    for (unsigned i = 0; i < WRITERS; i++)
        writers[i] = start_writer(fixture, i);
    for (int i = 0; i < BACKUPS; i++) {
        run(fixture, "backup", "--json");
        assert_int_equal(registry_open_copy(&copy, fixture->copy), ERR_OK);
        assert_sound(copy);
        uint64_t now = newest(copy);
        assert_true(now >= entry); /* never older than the one before */
        entry = now;
        registry_close(copy);
        assert_int_equal(unlink(fixture->copy), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(kill(writers[i], SIGKILL), 0);
        (void)wait_for(writers[i]);
    }
    assert_true(entry > 4); /* they wrote */
}

/* A registry whose devices' notes say which one it is, and a copy of another. */
static void make_both(const struct fixture *fixture)
{
    struct registry *registry = open_registry(fixture);
    char id[32];
    assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
    add(registry, "left");
    add(registry, "right");
    for (int i = 0; i < DEVICES; i++) {
        snprintf(id, sizeof id, "d-%d", i);
        add(registry, id);
    }
    assert_true(put(registry, "left", "of the copy") && put(registry, "right", "of the copy"));
    assert_int_equal(registry_commit(registry), ERR_OK);
    run(fixture, "backup", "--json");
    assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
    assert_true(put(registry, "left", "of before") && put(registry, "right", "of before"));
    assert_int_equal(registry_commit(registry), ERR_OK);
    registry_close(registry);
}

static void pause_us(size_t us)
{
    const struct timespec pause = {0, (long)us * 1000};
    (void)nanosleep(&pause, NULL);
}

/* Removes what is left of programs that were killed; how many. */
static unsigned drop_left(const char *dir)
{
    char path[TEMPDIR_MAX];
    unsigned left = 0;
    DIR *entries = opendir(dir);
    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries));) {
        if (strncmp(entry->d_name, ".new-", 5) != 0 && !strstr(entry->d_name, ".part"))
            continue;
        left++;
        tree_remove(path_join(path, dir, entry->d_name));
        (void)unlink(path);
    }
    (void)closedir(entries);
    return left;
}

static void a_backup_that_is_killed_leaves_nothing_or_all(void **state)
{
    struct fixture *fixture = *state;
    struct rng rng = rng_start("a_backup_that_is_killed_leaves_nothing_or_all");
    unsigned whole = 0;
    make_both(fixture);
    assert_int_equal(unlink(fixture->copy), 0);
    for (int i = 0; i < KILLS; i++) {
        struct registry *copy;
        pid_t pid = start(fixture, "backup", "--json");
        pause_us(rng_below(&rng, KILL_WITHIN_US));
        (void)kill(pid, i % 2 ? SIGKILL : SIGTERM);
        (void)wait_for(pid);
        assert_int_equal(drop_left(fixture->dir.path), 0);
        if (access(fixture->copy, F_OK) != 0)
            continue;
        whole++;
        assert_int_equal(registry_open_copy(&copy, fixture->copy), ERR_OK);
        assert_sound(copy);
        registry_close(copy);
        assert_int_equal(unlink(fixture->copy), 0);
    }
    print_message("%u of %d came to their end\n", whole, KILLS);
}

static void a_restore_that_is_killed_leaves_the_one_or_the_other(void **state)
{
    struct fixture *fixture = *state;
    struct rng rng = rng_start("a_restore_that_is_killed_leaves_the_one_or_the_other");
    unsigned restored = 0, left = 0;
    make_both(fixture);
    for (int i = 0; i < KILLS; i++) {
        char note[NOTE_MAX + 1];
        bool hard = i % 2;
        pid_t pid = start(fixture, "restore", "--force");
        pause_us(rng_below(&rng, KILL_WITHIN_US));
        (void)kill(pid, hard ? SIGKILL : SIGINT);
        (void)wait_for(pid);
        unsigned now = drop_left(fixture->path);
        assert_true(hard || now == 0);
        left += now;
        struct registry *registry = open_registry(fixture);
        assert_sound(registry);
        assert_int_equal(registry_read(registry), ERR_OK);
        read_note(registry, "left", note);
        registry_end(registry);
        restored += strcmp(note, "of the copy") == 0;
        assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
        assert_true(put(registry, "left", "of before") && put(registry, "right", "of before"));
        assert_int_equal(registry_commit(registry), ERR_OK);
        registry_close(registry);
    }
    print_message("%u of %d were restored, %u left a folder\n", restored, KILLS, left);
}

static int64_t steady_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool has_said(const struct fixture *fixture, const char *text)
{
    char said[20000];
    FILE *file = fopen(fixture->said, "r");
    size_t size = file ? fread(said, 1, sizeof said - 1, file) : 0;
    if (file)
        (void)fclose(file);
    said[size] = '\0';
    return strstr(said, text);
}

static void await_said(const struct fixture *fixture, const char *text)
{
    const int64_t deadline = steady_ms() + DEADLINE_MS;
    while (!has_said(fixture, text)) {
        if (steady_ms() > deadline) {
            show(fixture);
            fail_msg("'%s' was not said", text);
        }
        pause_us(2000);
    }
}

/* It lets go of the old one, too: else the restore would say that somebody does not. */
static void a_watch_goes_on_with_the_restored_registry(void **state)
{
    struct fixture *fixture = *state;
    struct registry *registry = open_registry(fixture);
    registry_close(registry);
    run(fixture, "backup", "--json");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int said = open(fixture->said, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (said < 0 || dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
            _exit(126);
        execl(DEVREG, "devreg", "-r", fixture->path, "watch", "--json", (char *)NULL);
        _exit(127);
    }
    await_said(fixture, "Watching 0 devices");
    run(fixture, "restore", "--force");
    await_said(fixture, "goes by it now");
    await_said(fixture, "\"event\":\"restore\"");
    registry = open_registry(fixture);
    assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
    add(registry, "later");
    registry_log(registry, LOG_ADD, LOG_DEVICE, "later", "");
    assert_int_equal(registry_commit(registry), ERR_OK);
    registry_close(registry);
    await_said(fixture, "\"device\":\"later\"");
    assert_false(has_said(fixture, "missed"));
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(wait_for(pid), 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_backup_of_what_changes_at_full_speed_is_of_one_moment),
        test(a_backup_that_is_killed_leaves_nothing_or_all),
        test(a_restore_that_is_killed_leaves_the_one_or_the_other),
        test(a_watch_goes_on_with_the_restored_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
