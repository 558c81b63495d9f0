/* test_faults_presence.c - what may happen to the presence store's files under a running broker:
 * devices come and go all the same, and once the thing is mended what is recorded is right, without
 * a restart. */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"
#include "files.h"
#include "registry/store.h"
#include "scene.h"
#include "watch.h"

/* A broker with `pump-7`, which is connected, and `lamp-1`, which was. */
struct play {
    struct scene *s;
    struct client *pump, *watch;
    char dir[BROKER_PATH_MAX], data[BROKER_PATH_MAX], away[BROKER_PATH_MAX];
};

static bool records(struct scene *s, const char *device, const char *state)
{
    return scene_try(s, "show %s --json", device) == 0 && strstr(s->answer.out, state) != NULL;
}

static void expect_recorded_soon(struct scene *s, const char *device, bool online)
{
    bool recorded;
    const char *state = online ? "\"state\":\"online\"" : "\"state\":\"offline\"";
    WAIT_UNTIL(recorded, records(s, device, state));
    if (!recorded) {
        broker_show_log(&s->broker);
        print_message("%s\n", s->answer.out);
    }
    check(recorded);
}

static void begin(struct play *play, struct scene *s, const char *config)
{
    play->s = s;
    check(path_join(play->dir, sizeof play->dir, s->registry, "/presence"));
    check(path_join(play->data, sizeof play->data, play->dir, "/data.mdb"));
    check(path_join(play->away, sizeof play->away, s->dir, "/away"));
    scene_start(s, config);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    play->watch = watch_open(s, "lamp-1");
    struct client *lamp = scene_device(s, "lamp-1");
    (void)watch_until(play->watch, true);
    client_disconnect(lamp);
    (void)watch_until(play->watch, false);
    play->pump = scene_device(s, "pump-7");
    expect_recorded_soon(s, "pump-7", true);
    expect_recorded_soon(s, "lamp-1", false);
}

/* What is connected is recorded, and so is what comes and goes from now on, and it is told. */
static void expect_followed_soon(struct play *play)
{
    struct scene *s = play->s;
    expect_recorded_soon(s, "pump-7", true);
    struct client *lamp = scene_device(s, "lamp-1");
    (void)watch_until(play->watch, true);
    expect_recorded_soon(s, "lamp-1", true);
    client_disconnect(lamp);
    (void)watch_until(play->watch, false);
    expect_recorded_soon(s, "lamp-1", false);
    client_expect_alive(play->pump);
}

static void expect_right_soon(struct play *play)
{
    expect_followed_soon(play);
    scene_do(play->s, "check");
}

static void expect_said(struct play *play, const char *text)
{
    broker_log_wait(&play->s->broker, text, 1);
    assert_int_equal(broker_log_count(&play->s->broker, text), 1);
}

static void a_presence_store_that_is_deleted_is_made_anew(void **state)
{
    struct play play;
    begin(&play, *state, CONF);
    check(unlink(play.data) == 0);
    expect_said(&play, "is another one than before");
    expect_right_soon(&play);
    broker_restart(&play.s->broker);
    play.pump = scene_device(play.s, "pump-7");
    expect_recorded_soon(play.s, "pump-7", true);
}

/* What was open serves on: nothing is lost. */
static void a_presence_store_that_is_moved_away_and_back_is_the_same(void **state)
{
    struct play play;
    begin(&play, *state, CONF);
    check(rename(play.dir, play.away) == 0);
    expect_said(&play, "there is no such directory");
    struct client *lamp = scene_device(play.s, "lamp-1");
    (void)watch_until(play.watch, true);
    check(rename(play.away, play.dir) == 0);
    expect_recorded_soon(play.s, "lamp-1", true);
    expect_said(&play, "again");
    client_disconnect(lamp);
    expect_right_soon(&play);
}

/* All of the registry goes, and another one comes with a presence store of its own. */
static void the_presence_store_of_another_registry_is_used(void **state)
{
    struct play play;
    struct scene *s = *state;
    begin(&play, s, CONF);
    check(rename(s->registry, play.away) == 0);
    scene_do(s, "init");
    client_expect_gone(play.pump);
    expect_said(&play, "is another one than before");
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    scene_add(s, "watcher");
    scene_do(s, "allow watcher subscribe devreg/#");
    play.watch = watch_open(s, "lamp-1");
    play.pump = scene_device(s, "pump-7");
    expect_right_soon(&play);
}

static void a_presence_store_that_is_damaged_in_place_begins_anew(void **state)
{
    static const enum damage all[] = {CUT_TO_NOTHING, CUT_TO_A_PAGE, CUT_ITS_ROOT_OFF, ZEROED,
                                      NOISE};
    struct play play;
    begin(&play, *state, CONF);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        file_damage(play.data, all[i]);
        broker_log_wait(&play.s->broker, "lies aside as", i + 1);
        expect_right_soon(&play);
    }
}

/* An empty one, with that one's owner and mode. */
static void file_make(const char *path, const struct stat *as)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    check(fd >= 0 && fchown(fd, as->st_uid, as->st_gid) == 0 && fchmod(fd, as->st_mode) == 0);
    check(close(fd) == 0);
}

/* ---- while devices come and go all the time, so that the writer's thread meets it first */

enum { CHURNING = 4, ROUNDS = 3, MANY = 24, PAGE = 4096, LEAF = 2, FLAGS_AT = 10 };

static void churn_begin(struct play *play, const char *config)
{
    begin(play, play->s, config);
    for (int i = 0; i < CHURNING; i++) {
        char device[16];
        check(snprintf(device, sizeof device, "churn-%d", i) > 0);
        scene_add(play->s, device);
    }
}

/* Each device comes and goes, or is refused, but answered. */
static void churn(struct play *play)
{
    for (int i = 0; i < CHURNING; i++) {
        char device[16];
        check(snprintf(device, sizeof device, "churn-%d", i) > 0);
        (void)scene_knock(play->s, LOGIN(.user = device));
    }
}

static size_t times_said(struct play *play)
{
    static const char *const texts[] = {"lies aside as", "is another one than before",
                                        "was opened again"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        count += broker_log_count(&play->s->broker, texts[i]);
    return count;
}

static bool churn_until_said(struct play *play, size_t more_than)
{
    churn(play);
    return times_said(play) > more_than;
}

static void churn_on_until_said(struct play *play, size_t more_than)
{
    bool said;
    WAIT_UNTIL(said, churn_until_said(play, more_than));
    if (!said)
        broker_show_log(&play->s->broker);
    check(said);
}

static void damage_in_churn(struct play *play, const char *file, enum damage damage)
{
    for (int i = 0; i < ROUNDS; i++) {
        const size_t before = times_said(play);
        for (int j = 0; j <= i; j++)
            churn(play);
        if (damage == CUT_TO_NOTHING)
            check(truncate(file, 0) == 0);
        else
            file_damage(file, damage);
        churn_on_until_said(play, before);
        expect_followed_soon(play);
    }
}

static void devices_that_come_and_go_outlive_a_presence_store_that_is_cut(void **state)
{
    static const enum damage all[] = {CUT_TO_NOTHING, CUT_TO_A_PAGE, CUT_ITS_ROOT_OFF, ZEROED};
    struct play play = {.s = *state};
    churn_begin(&play, CONF);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        damage_in_churn(&play, play.data, all[i]);
    expect_right_soon(&play);
}

/* The lock that the writer holds lies in it. */
static void devices_that_come_and_go_outlive_a_lock_file_that_is_cut(void **state)
{
    struct play play = {.s = *state};
    char lock[BROKER_PATH_MAX];
    churn_begin(&play, CONF);
    check(path_join(lock, sizeof lock, play.dir, "/lock.mdb"));
    damage_in_churn(&play, lock, CUT_TO_NOTHING);
    expect_right_soon(&play);
}

/* `cp` of what it was a while ago, or, if nothing was recorded since, of the same. */
static void devices_that_come_and_go_outlive_a_presence_store_that_is_written_over(void **state)
{
    struct play play = {.s = *state};
    churn_begin(&play, CONF);
    for (int i = 0; i < 2 * ROUNDS; i++) {
        size_t size;
        uint8_t *early = file_load(play.data, &size);
        for (int j = 0; j <= i; j++)
            churn(&play);
        file_store(play.data, early, size);
        for (int j = 0; j < 2 * ROUNDS; j++)
            churn(&play);
        expect_followed_soon(&play);
    }
}

/* ---- pages of rubbish, where the rest is whole */

/* In place, and never cut. */
static void pages_zero(const char *file, bool (*is_wanted)(const uint8_t *page))
{
    static const uint8_t zeros[PAGE];
    size_t size;
    uint8_t *bytes = file_load(file, &size);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    check(fd >= 0);
    for (size_t at = 2L * PAGE; at + PAGE <= size; at += PAGE) {
        if (is_wanted(bytes + at))
            check(pwrite(fd, zeros, PAGE, (off_t)at) == PAGE);
    }
    check(close(fd) == 0);
    free(bytes);
}

static bool is_any(const uint8_t *page)
{
    (void)page;
    return true;
}

static bool is_of_the_lamp(const uint8_t *page)
{
    return (page[FLAGS_AT] & LEAF) && memmem(page, PAGE, "lamp-1", strlen("lamp-1")) != NULL;
}

/* Who owns which client id cannot be read any more: once somebody has a session, nobody is let in
 * before that is known. */
static void expect_let_in_soon(struct play *play)
{
    bool let_in;
    struct broker *broker = &play->s->broker;
    WAIT_UNTIL(let_in, scene_knock(play->s, LOGIN(.user = "lamp-1")) == ACCEPTED &&
                           broker_log_count(broker, "lies aside as") > 0);
    if (!let_in)
        broker_show_log(broker);
    check(let_in);
    assert_int_equal(broker_log_count(broker, "registry_unreadable"), 0);
    assert_int_equal(broker_log_count(broker, "lies aside as"), 1);
}

static void bad_pages_of_the_presence_store_lock_nobody_out(void **state)
{
    struct play play;
    struct scene *s = *state;
    begin(&play, s, CONF);
    (void)scene_accept(s, LOGIN(.user = "pump-7", .id = "kept", .persistent = true));
    expect_recorded_soon(s, "pump-7", true);
    pages_zero(play.data, is_any);
    expect_let_in_soon(&play);
    expect_right_soon(&play);
}

/* The store can be opened all the same, and looks sound until that page is read. */
static void a_bad_page_that_shows_late_is_not_met_for_ever(void **state)
{
    struct play play;
    struct scene *s = *state;
    begin(&play, s, CONF);
    (void)scene_accept(s, LOGIN(.user = "pump-7", .id = "kept", .persistent = true));
    for (int i = 0; i < MANY; i++) { /* so that the records need more than a page */
        char device[128];
        check(snprintf(device, sizeof device, "%0100d-%d", 0, i) > 0);
        scene_add(s, device);
        (void)scene_knock(s, LOGIN(.user = device));
        expect_recorded_soon(s, device, false);
    }
    pages_zero(play.data, is_of_the_lamp);
    expect_let_in_soon(&play);
    expect_right_soon(&play);
}

/* Whatever lies there keeps its name. */
static void what_was_put_aside_is_never_written_over(void **state)
{
    enum { SECONDS = 120 };
    struct play play;
    struct stat as, info;
    char path[BROKER_PATH_MAX];
    const long long now = (long long)time(NULL);
    begin(&play, *state, CONF);
    check(stat(play.data, &as) == 0);
    for (int i = 0; i < SECONDS; i++) {
        check(snprintf(path, sizeof path, "%s.damaged-%lld", play.data, now + i) > 0);
        file_make(path, &as);
    }
    file_damage(play.data, METAS);
    check(truncate(play.data, PAGE) == 0);
    expect_said(&play, "lies aside as");
    for (int i = 0; i < SECONDS; i++) {
        check(snprintf(path, sizeof path, "%s.damaged-%lld", play.data, now + i) > 0);
        check(stat(path, &info) == 0 && info.st_size == 0);
        check(unlink(path) == 0);
    }
    expect_right_soon(&play);
}

static void a_presence_store_of_a_later_devreg_is_not_written(void **state)
{
    struct play play;
    struct stat before, after;
    size_t size;
    begin(&play, *state, CONF);
    check(stat(play.data, &before) == 0);
    uint8_t *bytes = file_load(play.data, &size);
    check(rename(play.data, play.away) == 0);
    file_make(play.data, &before);
    file_store(play.data, bytes, size);
    store_make_newer(play.data);
    check(stat(play.data, &before) == 0);
    expect_said(&play, "newer");
    client_expect_alive(play.pump);
    check(stat(play.data, &after) == 0);
    check(before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
          before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    check(rename(play.away, play.data) == 0);
    expect_right_soon(&play);
}

/* ---- a disk that is full: a small one of its own, in a mount namespace of the test's */

static bool disk_mount(const char *dir)
{
    struct stat as;
    char options[96];
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0)
        return false;
    check(stat(dir, &as) == 0);
    check(snprintf(options, sizeof options, "size=1m,mode=%o,uid=%u,gid=%u",
                   (unsigned)as.st_mode & 0777, as.st_uid, as.st_gid) > 0);
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", dir, "tmpfs", 0, options) == 0;
}

/* Leaves nothing free. */
static void disk_fill(const char *file)
{
    static const char zeros[4096];
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    check(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    check(close(fd) == 0);
}

/* A reader of the store, for whom LMDB keeps each page that is given up: so each write takes new
 * ones. */
static struct txn *reader_begin(struct store **store, const char *dir)
{
    struct txn *reader;
    check(store_open(store, dir, STORE_PRESENCE, STORE_READ) == ERR_OK);
    check(txn_reader(&reader, *store) == ERR_OK && txn_renew(reader) == ERR_OK);
    return reader;
}

static void reader_end(struct txn *reader, struct store *store)
{
    txn_reset(reader);
    txn_close(reader);
    store_close(store);
}

/* Who comes and goes meanwhile is let in, and told once there is room. */
static void presence_waits_for_room_on_a_full_disk(void **state)
{
    struct play play;
    struct scene *s = *state;
    char ballast[BROKER_PATH_MAX], small[BROKER_PATH_MAX];
    check(path_join(small, sizeof small, s->registry, "/presence"));
    check(path_join(ballast, sizeof ballast, small, "/ballast"));
    scene_make_registry(s);
    if (!disk_mount(small))
        skip();
    begin(&play, s, CONF);
    struct store *kept;
    struct txn *reader = reader_begin(&kept, small);
    disk_fill(ballast);
    bool full;
    WAIT_UNTIL(full, scene_knock(s, LOGIN(.user = "lamp-1")) == ACCEPTED &&
                         broker_log_count(&s->broker, "cannot record presence") > 0);
    check(full);
    struct client *lamp = scene_device(s, "lamp-1");
    client_expect_alive(play.pump);
    client_sync(lamp);
    assert_int_equal(broker_log_count(&s->broker, "cannot record presence"), 1);
    reader_end(reader, kept);
    check(unlink(ballast) == 0);
    (void)watch_until(play.watch, true);
    expect_recorded_soon(s, "lamp-1", true);
    client_disconnect(lamp);
    expect_right_soon(&play);
    broker_stop(&s->broker);
    check(umount(small) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_presence_store_that_is_deleted_is_made_anew),
        SCENE_TEST(a_presence_store_that_is_moved_away_and_back_is_the_same),
        SCENE_TEST(the_presence_store_of_another_registry_is_used),
        SCENE_TEST(a_presence_store_that_is_damaged_in_place_begins_anew),
        SCENE_TEST(devices_that_come_and_go_outlive_a_presence_store_that_is_cut),
        SCENE_TEST(devices_that_come_and_go_outlive_a_lock_file_that_is_cut),
        SCENE_TEST(devices_that_come_and_go_outlive_a_presence_store_that_is_written_over),
        SCENE_TEST(bad_pages_of_the_presence_store_lock_nobody_out),
        SCENE_TEST(a_bad_page_that_shows_late_is_not_met_for_ever),
        SCENE_TEST(what_was_put_aside_is_never_written_over),
        SCENE_TEST(a_presence_store_of_a_later_devreg_is_not_written),
        SCENE_TEST(presence_waits_for_room_on_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
