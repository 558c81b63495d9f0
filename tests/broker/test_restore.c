/* test_restore.c - another registry lies in the place of the one that the broker has open: it may
 * not go on deciding by what is no longer the registry. And a log that was trimmed before the
 * broker read it. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"
#include "scene.h"
#include "watch.h"

enum { RESTORES = 20, FAILED = 3 };

static void registry_path(struct scene *s, char path[static BROKER_PATH_MAX], const char *name)
{
    check(path_join(path, BROKER_PATH_MAX, s->registry, name));
}

static void backup(struct scene *s)
{
    scene_do(s, "backup %s/backup", s->dir);
}

static void restore(struct scene *s)
{
    scene_do(s, "restore --force %s/backup", s->dir);
}

static void expect_publish(struct client *client, const char *topic, int code)
{
    assert_int_equal(client_publish(client, topic, "x", 1), code);
}

static void after_a_restore_the_restored_registry_decides(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "stays");
    scene_add(s, "off");
    scene_do(s, "disable off");
    scene_add(s, "rotated");
    backup(s);
    scene_do(s, "enable off");
    scene_add(s, "later");
    scene_do(s, "allow stays publish later/#");
    const char *old = scene_rotate(s, "rotated --grace 0");
    struct client *stays = scene_accept(s, LOGIN(.user = "stays", .version = 5));
    struct client *off = scene_accept(s, LOGIN(.user = "off", .version = 5));
    struct client *later = scene_accept(s, LOGIN(.user = "later", .version = 5));
    struct client *rotated = scene_accept(s, LOGIN(.user = "rotated", .version = 5));
    expect_publish(stays, "later/x", 0);
    expect_publish(off, "devices/off/x", 0);
    restore(s);
    check(strstr(s->answer.err, "goes by it now") != NULL);
    scene_refuse(s, LOGIN(.user = "off"));
    scene_refuse(s, LOGIN(.user = "rotated"));
    check(scene_knock(s, LOGIN(.user = "later")) == REFUSED_V3);
    client_expect_gone(off);
    client_expect_gone(later);
    client_expect_gone(rotated);
    expect_publish(stays, "later/x", 0x87);
    expect_publish(stays, "devices/stays/x", 0);
    client_expect_alive(scene_accept(s, LOGIN(.user = "rotated", .key = old)));
    scene_add(s, "anew"); /* what comes after is followed, too */
    client_expect_alive(scene_device(s, "anew"));
    scene_do(s, "disable stays");
    client_expect_gone(stays);
}

/* The very next publish, each time, is decided by the registry that was just restored. */
static void no_restore_is_followed_late(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_do(s, "backup %s/without", s->dir);
    scene_do(s, "allow pump-7 publish extra/#");
    scene_do(s, "backup %s/with", s->dir);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    for (int i = 0; i < RESTORES; i++) {
        scene_do(s, "restore --force %s/without", s->dir);
        expect_publish(pump, "extra/x", 0x87);
        scene_do(s, "restore --force %s/with", s->dir);
        expect_publish(pump, "extra/x", 0);
    }
    broker_log_wait(&s->broker, "the registry was replaced", 1); /* it says no more than fits */
}

static void a_device_that_the_restored_registry_lacks_is_told_removed(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    struct client *watch = watch_open(s, "pump-7");
    backup(s);
    scene_add(s, "pump-7");
    struct client *pump = scene_device(s, "pump-7");
    (void)watch_online(watch);
    restore(s);
    client_expect_gone(pump);
    struct sighting last = watch_next(watch);
    while (!last.cleared)
        last = watch_next(watch);
    watch_until_none(s, "pump-7");
}

static void refuse_soon(struct scene *s, const char *device)
{
    bool held;
    WAIT_UNTIL(held, scene_knock(s, LOGIN(.user = device)) == REFUSED_V3);
    check(held);
}

static void accept_soon(struct scene *s, const char *device)
{
    bool held;
    WAIT_UNTIL(held, scene_knock(s, LOGIN(.user = device)) == ACCEPTED);
    check(held);
}

/* Nobody could tell the broker: the old file cannot be opened any more. */
static void a_registry_that_was_lost_denies_until_it_is_restored(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX];
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    scene_do(s, "disable lamp-1");
    backup(s);
    scene_do(s, "enable lamp-1");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    registry_path(s, path, "/data.mdb");
    check(unlink(path) == 0);
    refuse_soon(s, "pump-7");
    broker_log_wait(&s->broker, "cannot be opened", 1);
    expect_publish(pump, "devices/pump-7/x", 0x87);
    scene_do(s, "restore %s/backup", s->dir);
    accept_soon(s, "pump-7");
    expect_publish(pump, "devices/pump-7/x", 0);
    scene_refuse(s, LOGIN(.user = "lamp-1"));
}

/* As an administrator may do it by hand, whole directories at once. */
static void a_registry_that_was_moved_into_place_is_followed(void **state)
{
    struct scene *s = *state;
    char away[BROKER_PATH_MAX];
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    struct client *pump = scene_device(s, "pump-7");
    check(path_join(away, sizeof away, s->dir, "/away"));
    check(rename(s->registry, away) == 0);
    refuse_soon(s, "pump-7");
    scene_do(s, "init");
    scene_do(s, "add marker --no-key");
    client_expect_gone(pump);
    scene_refuse(s, LOGIN(.user = "pump-7"));
}

/* A restore that was killed between its two renames, or somebody who removed it, leaves it so. */
static void a_broker_whose_lock_file_was_replaced_finds_out(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX];
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    struct client *pump = scene_device(s, "pump-7");
    registry_path(s, path, "/lock.mdb");
    check(unlink(path) == 0);
    scene_do(s, "disable pump-7");
    client_expect_gone(pump);
    scene_refuse(s, LOGIN(.user = "pump-7"));
}

static void a_broker_that_does_not_follow_is_named(void **state)
{
    struct scene *s = *state;
    char pid[32];
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_do(s, "disable pump-7");
    backup(s);
    scene_do(s, "enable pump-7");
    struct client *pump = scene_device(s, "pump-7");
    broker_pause(&s->broker);
    assert_int_equal(scene_try(s, "restore --force %s/backup", s->dir), FAILED);
    snprintf(pid, sizeof pid, "process %ld (", (long)s->broker.pid);
    check(strstr(s->answer.err, pid) != NULL);
    check(strstr(s->answer.err, "restarted") != NULL);
    client_send(pump, "devices/pump-7/x", "no", 0);
    broker_resume(&s->broker);
    client_expect_gone(pump);
    scene_refuse(s, LOGIN(.user = "pump-7"));
}

/* 2.0.11 makes no ticks then: it finds out with what its clients do, and the restore may say that
 * it has not yet. */
static void a_broker_without_ticks_follows_with_the_next_callback(void **state)
{
    struct scene *s = *state;
    scene_start(s, "per_listener_settings true\n" CONF_SOCKET CONF_PLUGIN CONF_TCP CONF_PLUGIN);
    scene_add(s, "pump-7");
    backup(s);
    scene_add(s, "later");
    scene_do(s, "allow pump-7 publish later/#");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    (void)scene_accept(s, LOGIN(.user = "later"));
    expect_publish(pump, "later/x", 0);
    int status = scene_try(s, "restore --force %s/backup", s->dir);
    check(status == 0 || status == FAILED);
    expect_publish(pump, "later/x", 0x87);
    expect_publish(pump, "devices/pump-7/x", 0);
    scene_refuse(s, LOGIN(.user = "later"));
}

static void a_revoke_that_was_trimmed_from_the_log_unread_holds(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    struct client *lamp = scene_accept(s, LOGIN(.user = "lamp-1", .version = 5));
    client_expect_alive(pump);
    client_expect_alive(lamp);
    broker_pause(&s->broker);
    scene_do(s, "revoke pump-7");
    scene_do(s, "log trim --keep 0");
    client_send(pump, "devices/pump-7/x", "no", 0);
    broker_resume(&s->broker);
    client_expect_gone(pump);
    scene_refuse(s, LOGIN(.user = "pump-7"));
    expect_publish(lamp, "devices/lamp-1/x", 0);
}

static void a_trim_disturbs_nobody(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    for (int i = 0; i < RESTORES; i++) {
        scene_do(s, "set pump-7 --note %d", i);
        scene_do(s, "log trim --keep 1");
        expect_publish(pump, "devices/pump-7/x", 0);
    }
    scene_do(s, "disable pump-7");
    client_expect_gone(pump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(after_a_restore_the_restored_registry_decides),
        SCENE_TEST(no_restore_is_followed_late),
        SCENE_TEST(a_device_that_the_restored_registry_lacks_is_told_removed),
        SCENE_TEST(a_registry_that_was_lost_denies_until_it_is_restored),
        SCENE_TEST(a_registry_that_was_moved_into_place_is_followed),
        SCENE_TEST(a_broker_whose_lock_file_was_replaced_finds_out),
        SCENE_TEST(a_broker_that_does_not_follow_is_named),
        SCENE_TEST(a_broker_without_ticks_follows_with_the_next_callback),
        SCENE_TEST(a_revoke_that_was_trimmed_from_the_log_unread_holds),
        SCENE_TEST(a_trim_disturbs_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
