/* test_full.c - a disk, a map and a table of readers that are full.
 *
 * The disk is a small tmpfs, in a name space of its own; where there is none to be had the test is
 * passed over. The map is made small by fault.h, since a full one has 16 GiB. */
#include "tests/support/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registry/registry.h"
#include "tests/fault/fault.h"
#include "tests/fault/world.h"
#include "tests/support/registry_fixture.h"

enum {
    SMALL_MAP = 256 << 10,
    LARGE_MAP = 16 << 20,
    SMALL_TABLE = 4,
    CHUNK = 4096,
    MANY = 4000,
    PASSED_OVER = 77
};

/* Runs in a child, with a disk of its own in the empty directory `disk`. */
struct on_disk {
    char disk[TEMPDIR_MAX], registry[TEMPDIR_MAX], path[TEMPDIR_MAX];
};

static bool write_text(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool done = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    return close(file) == 0 && done;
}

/* As root in a name space, who may mount there. */
static bool disk_begin(struct on_disk *on, const char *dir, const char *options)
{
    char map[100];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    path_join(on->disk, dir, "disk");
    path_join(on->registry, on->disk, "registry");
    path_join(on->path, on->disk, "filler");
    if (mkdir(on->disk, 0700) != 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    (void)snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
    if (!write_text("/proc/self/uid_map", map) || !write_text("/proc/self/setgroups", "deny"))
        return false;
    (void)snprintf(map, sizeof map, "0 %u 1", (unsigned)gid);
    return write_text("/proc/self/gid_map", map) &&
           mount("none", on->disk, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

/* Takes all that is left of it. */
static void disk_fill(const struct on_disk *on)
{
    static const char chunk[CHUNK];
    int file = open(on->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0)
        abort();
    while (write(file, chunk, sizeof chunk) == CHUNK)
        continue;
    if (errno != ENOSPC || close(file) != 0)
        abort();
}

/* What is no assertion of cmocka's, in a child. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);          \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void defaults(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < COUNT(signals); i++)
        (void)signal(signals[i], SIG_DFL); /* cmocka would go on with the next test */
}

static void on_small_disk(void (*play)(const struct on_disk *on), const char *options)
{
    struct tempdir dir;
    int status;
    tempdir_make(&dir);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct on_disk on;
        defaults();
        if (!disk_begin(&on, dir.path, options))
            _exit(PASSED_OVER);
        if (chdir(dir.path) != 0)
            _exit(PASSED_OVER);
        play(&on);
        exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    tempdir_remove(&dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == PASSED_OVER)
        skip();
    assert_int_equal(status, 0);
}

static void registry_make(const struct on_disk *on)
{
    MUST(registry_create(on->registry, geteuid(), getegid(), "maker", NOW) == ERR_OK);
}

static enum err open_and_close(const struct on_disk *on, enum store_mode mode)
{
    struct registry *registry;
    enum err e = registry_open(&registry, on->registry, mode);
    if (!e)
        registry_close(registry);
    return e;
}

static void read_on_a_full_disk(const struct on_disk *on)
{
    registry_make(on);
    disk_fill(on);
    MUST(open_and_close(on, STORE_READ) == ERR_OK);
    MUST(open_and_close(on, STORE_WRITE) == ERR_OK);
}

static void a_registry_on_a_full_disk_can_be_read(void **state)
{
    (void)state;
    on_small_disk(read_on_a_full_disk, "size=400k");
}

/* An older devreg left the lock file with holes, or somebody removed it. */
static void holes_on_a_full_disk(const struct on_disk *on)
{
    char lock[TEMPDIR_MAX];
    registry_make(on);
    path_join(lock, on->registry, "lock.mdb");
    MUST(truncate(lock, 0) == 0);
    disk_fill(on);
    MUST(open_and_close(on, STORE_READ) == ERR_FULL);
    MUST(truncate(lock, 1 << 14) == 0); /* which is nothing but a hole */
    MUST(open_and_close(on, STORE_READ) == ERR_FULL);
    MUST(open_and_close(on, STORE_WRITE) == ERR_FULL);
    MUST(unlink(on->path) == 0);
    MUST(open_and_close(on, STORE_READ) == ERR_OK);
    disk_fill(on);
    MUST(open_and_close(on, STORE_WRITE) == ERR_OK);
}

static void a_lock_file_with_holes_on_a_full_disk_is_an_error_and_kills_nobody(void **state)
{
    (void)state;
    on_small_disk(holes_on_a_full_disk, "size=400k");
}

/* Runs devreg in `place` and returns its exit status. What it says is there in a file. */
static int devreg(const char *place, const char *registry, const char *arguments)
{
    char command[3 * TEMPDIR_MAX];
    int size = snprintf(command, sizeof command, "cd %s && " DEVREG " -r %s %s >out 2>err", place,
                        registry, arguments);
    int status = size > 0 && (size_t)size < sizeof command ? system(command) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool said(const char *place, const char *what)
{
    char path[TEMPDIR_MAX];
    struct blob text = {.data = NULL};
    blob_read(&text, path_join(path, place, "err"));
    bool found = strstr(text.data, what) != NULL;
    if (!found)
        (void)fprintf(stderr, "it said: %s\n", text.data);
    blob_free(&text);
    return found;
}

static void add_on_a_full_disk(const struct on_disk *on)
{
    struct blob before = {.data = NULL}, after = {.data = NULL};
    FILE *file = fopen("devices.csv", "w");
    MUST(file && fputs("device\n", file) >= 0);
    for (int i = 0; i < MANY; i++)
        MUST(fprintf(file, "pump-%d\n", i) > 0);
    MUST(fclose(file) == 0);
    registry_make(on);
    world_dump(&before, on->disk);
    MUST(devreg(".", "disk/registry", "add --from devices.csv --no-key") == 3);
    MUST(said(".", "full; make room on the disk"));
    world_dump(&after, on->disk);
    MUST(blob_same(&before, &after));
    MUST(devreg(".", "disk/registry", "add one --no-key") == 0);
    MUST(mount("none", on->disk, "tmpfs", MS_REMOUNT, "size=16m") == 0);
    MUST(devreg(".", "disk/registry", "add --from devices.csv --no-key") == 0);
    blob_free(&before);
    blob_free(&after);
}

static void a_disk_that_fills_up_while_many_are_added_leaves_the_registry_as_it_was(void **state)
{
    (void)state;
    on_small_disk(add_on_a_full_disk, "size=300k");
}

static enum err add_device(struct registry *registry, int number)
{
    char id[32];
    struct device device;
    (void)snprintf(id, sizeof id, "pump-%05d", number);
    enum err e = registry_write(registry, "tester", NOW);
    if (e)
        return e;
    device_init(&device, id);
    e = registry_add_device(registry, &device);
    device_clear(&device);
    if (e) {
        registry_end(registry);
        return e;
    }
    return registry_commit(registry);
}

static uint64_t count_devices(struct registry *registry)
{
    uint64_t count = UINT64_MAX;
    if (registry_read(registry) != ERR_OK)
        return count;
    if (registry_device_count(registry, &count) != ERR_OK)
        count = UINT64_MAX;
    registry_end(registry);
    return count;
}

static int begin_small(void **state)
{
    fault_set_map_size(SMALL_MAP);
    return begin(state);
}

static int end_small(void **state)
{
    fault_set_map_size(0);
    fault_set_readers(0);
    return end(state);
}

static void a_full_map_refuses_and_what_was_there_stays(void **state)
{
    struct fixture *fixture = *state;
    int count = 0;
    enum err e;
    while (!(e = add_device(fixture->registry, count)))
        count++;
    assert_int_equal(e, ERR_FULL);
    assert_true(count > 100);
    assert_int_equal(count_devices(fixture->registry), count);
    registry_close(fixture->registry);
    fault_set_map_size(LARGE_MAP);
    assert_int_equal(registry_open(&fixture->registry, fixture->path, STORE_WRITE), ERR_OK);
    assert_int_equal(count_devices(fixture->registry), count);
    assert_int_equal(add_device(fixture->registry, count), ERR_OK);
}

/* Another process, that does its work when it is told to. */
struct other {
    pid_t pid;
    int go, done;
};

static void other_ready(int done)
{
    MUST(write(done, "", 1) == 1);
}

static void other_wait(int go)
{
    char word;
    MUST(read(go, &word, 1) == 1);
}

static struct other other_begin(const char *path, void (*play)(const char *path, int go, int done))
{
    struct other other;
    int go[2], done[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(pipe2(done, O_CLOEXEC), 0);
    (void)fflush(NULL);
    other.pid = fork();
    assert_true(other.pid >= 0);
    if (other.pid == 0) {
        defaults();
        (void)close(go[1]);
        (void)close(done[0]);
        play(path, go[0], done[1]);
        _exit(0);
    }
    (void)close(go[0]);
    (void)close(done[1]);
    other.go = go[1];
    other.done = done[0];
    return other;
}

static void other_go(const struct other *other)
{
    assert_int_equal(write(other->go, "", 1), 1);
}

static void other_await(const struct other *other)
{
    char word;
    assert_int_equal(read(other->done, &word, 1), 1);
}

static void other_end(const struct other *other)
{
    int status;
    assert_int_equal(waitpid(other->pid, &status, 0), other->pid);
    assert_int_equal(status, 0);
    (void)close(other->go);
    (void)close(other->done);
}

/* With the map as it was, in the middle of a scope while it is outgrown. */
static void use_small_map(const char *path, int go, int done)
{
    struct registry *registry;
    struct device device;
    uint64_t count;
    MUST(registry_open(&registry, path, STORE_WRITE) == ERR_OK);
    MUST(registry_read(registry) == ERR_OK);
    other_ready(done);
    other_wait(go);
    MUST(registry_device_count(registry, &count) == ERR_OK && count == 0);
    registry_end(registry);
    MUST(count_devices(registry) == MANY);
    MUST(registry_read(registry) == ERR_OK);
    MUST(registry_get_device(registry, "pump-03999", &device) == ERR_OK);
    device_clear(&device);
    registry_end(registry);
    MUST(add_device(registry, MANY) == ERR_OK);
    registry_close(registry);
}

/* The same, where a write scope is the first to meet it. */
static void write_small_map(const char *path, int go, int done)
{
    struct registry *registry;
    MUST(registry_open(&registry, path, STORE_WRITE) == ERR_OK);
    other_ready(done);
    other_wait(go);
    MUST(add_device(registry, MANY + 1) == ERR_OK);
    registry_close(registry);
}

static void outgrow(struct fixture *fixture)
{
    struct registry_bulk *bulk;
    fault_set_map_size(LARGE_MAP);
    assert_int_equal(registry_open(&fixture->registry, fixture->path, STORE_WRITE), ERR_OK);
    write_begin(fixture->registry, NOW);
    assert_int_equal(registry_bulk_begin(&bulk, fixture->registry, NULL), ERR_OK);
    for (int i = 0; i < MANY; i++) {
        char id[32];
        struct device device;
        (void)snprintf(id, sizeof id, "pump-%05d", i);
        device_init(&device, id);
        assert_int_equal(registry_bulk_add(bulk, &device), ERR_OK);
        device_clear(&device);
    }
    assert_int_equal(registry_bulk_end(bulk), ERR_OK);
    write_end(fixture->registry);
}

static void a_map_that_another_process_outgrows_is_grown_on_the_way(void **state)
{
    struct fixture *fixture = *state;
    registry_close(fixture->registry);
    fixture->registry = NULL;
    struct other reader = other_begin(fixture->path, use_small_map);
    other_await(&reader);
    struct other writer = other_begin(fixture->path, write_small_map);
    other_await(&writer);
    outgrow(fixture);
    other_go(&reader);
    other_end(&reader);
    other_go(&writer);
    other_end(&writer);
    assert_int_equal(count_devices(fixture->registry), MANY + 2);
}

static int begin_few_readers(void **state)
{
    fault_set_readers(SMALL_TABLE);
    return begin(state);
}

static void hold_a_place(const char *path, int go, int done)
{
    struct registry *registry;
    enum err e = registry_open(&registry, path, STORE_READ);
    if (!e)
        e = registry_read(registry);
    MUST(e == ERR_OK);
    other_ready(done);
    other_wait(go);
    _exit(0);
}

/* The fixture's own reader has one of them. The dead give theirs back. */
static void a_full_table_of_readers_is_busy_until_one_dies(void **state)
{
    struct fixture *fixture = *state;
    struct other others[SMALL_TABLE - 1];
    char lock[TEMPDIR_MAX];
    int status;
    registry_close(fixture->registry); /* children may not have it */
    assert_int_equal(truncate(path_join(lock, fixture->path, "lock.mdb"), 0), 0);
    for (size_t i = 0; i < COUNT(others); i++) {
        others[i] = other_begin(fixture->path, hold_a_place);
        other_await(&others[i]);
    }
    assert_int_equal(registry_open(&fixture->registry, fixture->path, STORE_WRITE), ERR_OK);
    assert_int_equal(add_device(fixture->registry, 1), ERR_OK); /* writers need no place */
    assert_int_equal(devreg(fixture->dir.path, "registry", "list"), 3);
    assert_true(said(fixture->dir.path, "busy"));
    assert_int_equal(kill(others[0].pid, SIGKILL), 0);
    assert_int_equal(waitpid(others[0].pid, &status, 0), others[0].pid);
    assert_int_equal(devreg(fixture->dir.path, "registry", "list"), 0);
    for (size_t i = 1; i < COUNT(others); i++) {
        other_go(&others[i]);
        other_end(&others[i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_registry_on_a_full_disk_can_be_read),
        cmocka_unit_test(a_lock_file_with_holes_on_a_full_disk_is_an_error_and_kills_nobody),
        cmocka_unit_test(a_disk_that_fills_up_while_many_are_added_leaves_the_registry_as_it_was),
        cmocka_unit_test_setup_teardown(a_full_map_refuses_and_what_was_there_stays, begin_small,
                                        end_small),
        cmocka_unit_test_setup_teardown(a_map_that_another_process_outgrows_is_grown_on_the_way,
                                        begin_small, end_small),
        cmocka_unit_test_setup_teardown(a_full_table_of_readers_is_busy_until_one_dies,
                                        begin_few_readers, end_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
