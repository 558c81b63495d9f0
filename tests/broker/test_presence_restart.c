/* test_presence_restart.c - presence that is right after a stop, a crash and a loss of
 * mosquitto.db. */
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "scene.h"
#include "watch.h"

/* pump-7 is online; returns what was told. */
static struct sighting start_online(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "pump-7");
    struct client *watch = watch_open(s, "pump-7");
    (void)scene_device(s, "pump-7");
    return watch_online(watch);
}

static void a_stop_of_the_broker_is_told_at_its_next_start(void **state)
{
    struct scene *s = *state;
    struct sighting on = start_online(s, CONF);
    broker_restart(&s->broker);
    struct sighting off = watch_until(watch_open(s, "pump-7"), false);
    assert_string_equal(off.reason, "server_shutdown");
    check(off.seq > on.seq && off.conn == on.conn);
}

static void a_stop_is_told_of_websockets_too(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_WEBSOCKETS CONF);
    scene_add(s, "pump-7");
    struct client *watch = watch_open(s, "pump-7");
    (void)scene_websocket(s, LOGIN(.user = "pump-7", .id = "web"));
    (void)watch_online(watch);
    broker_restart(&s->broker);
    (void)watch_offline(watch_open(s, "pump-7"), "server_shutdown");
}

static void a_stop_of_a_broker_with_persistence_is_told_at_its_next_start(void **state)
{
    struct scene *s = *state;
    struct sighting on = start_online(s, CONF_PERSISTENCE CONF);
    broker_restart(&s->broker);
    struct sighting off = watch_until(watch_open(s, "pump-7"), false);
    assert_string_equal(off.reason, "server_shutdown");
    check(off.seq > on.seq);
}

static void after_a_crash_who_does_not_come_back_is_told_as_offline(void **state)
{
    struct scene *s = *state;
    struct sighting on = start_online(s, CONF);
    broker_kill(&s->broker);
    broker_start(&s->broker);
    struct sighting off = watch_until(watch_open(s, "pump-7"), false);
    assert_string_equal(off.reason, "broker_restart");
    check(off.seq > on.seq && off.conn == on.conn);
}

static void after_a_crash_an_old_retained_message_is_put_right(void **state)
{
    struct scene *s = *state;
    struct sighting on = start_online(s, CONF_PERSISTENCE CONF);
    broker_save(&s->broker);
    broker_kill(&s->broker);
    broker_start(&s->broker);
    struct sighting off = watch_until(watch_open(s, "pump-7"), false);
    assert_string_equal(off.reason, "broker_restart");
    check(off.seq > on.seq);
}

static void after_a_crash_who_comes_back_is_online_with_a_higher_seq(void **state)
{
    struct scene *s = *state;
    struct sighting on = start_online(s, CONF);
    for (int i = 0; i < 3; i++) {
        broker_kill(&s->broker);
        broker_start(&s->broker);
        struct client *pump = scene_device(s, "pump-7"), *watch = watch_open(s, "pump-7");
        struct sighting seen = watch_until(watch, true);
        while (seen.conn == on.conn)
            seen = watch_until(watch, true);
        check(seen.seq > on.seq && seen.conn > on.conn);
        client_expect_alive(pump);
        on = seen;
    }
}

static bool state_is(struct scene *s, bool online, uint64_t seq)
{
    struct client *watch = watch_open(s, "pump-7");
    client_sync(watch);
    if (watch->messages == NULL)
        return false;
    struct sighting seen = watch_next(watch);
    client_disconnect(watch);
    return seen.retained && !seen.cleared && seen.online == online && seen.seq >= seq;
}

static void the_state_is_told_again_when_the_broker_forgot_it(void **state)
{
    struct scene *s = *state;
    bool told;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    struct client *watch = watch_open(s, "pump-7");
    struct client *pump = scene_device(s, "pump-7");
    (void)watch_online(watch);
    client_disconnect(pump);
    uint64_t seq = watch_offline(watch, watch_reason("client_disconnect")).seq;
    broker_restart(&s->broker);
    WAIT_UNTIL(told, state_is(s, false, seq));
    check(told);
    struct sighting off = watch_offline(watch_open(s, "pump-7"), NULL);
    assert_string_equal(off.reason, watch_reason("client_disconnect"));
}

static void a_broker_that_lost_its_file_is_told_again(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX];
    struct sighting on = start_online(s, CONF_PERSISTENCE CONF);
    broker_stop(&s->broker);
    check(path_join(path, sizeof path, s->dir, "/broker/mosquitto.db"));
    check(unlink(path) == 0);
    broker_start(&s->broker);
    struct sighting off = watch_until(watch_open(s, "pump-7"), false);
    check(off.seq > on.seq);
}

static void seq_rises_over_stops_and_crashes(void **state)
{
    enum { ROUNDS = 6 };
    struct scene *s = *state;
    uint64_t seq = start_online(s, CONF_PERSISTENCE CONF).seq;
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 2 == 0) {
            broker_stop(&s->broker);
        } else {
            broker_kill(&s->broker);
        }
        broker_start(&s->broker);
        struct sighting off = watch_until(watch_open(s, "pump-7"), false);
        check(off.seq > seq);
        struct client *watch = watch_open(s, "pump-7");
        (void)scene_device(s, "pump-7");
        struct sighting on = watch_until(watch, true);
        check(on.seq > off.seq);
        seq = on.seq;
    }
}

static void the_message_of_a_device_removed_while_the_broker_was_down_is_cleared(void **state)
{
    struct scene *s = *state;
    (void)start_online(s, CONF_PERSISTENCE CONF);
    broker_stop(&s->broker);
    scene_do(s, "remove pump-7");
    broker_start(&s->broker);
    watch_until_none(s, "pump-7");
    broker_restart(&s->broker);
    watch_until_none(s, "pump-7");
}

static void a_device_removed_and_added_while_the_broker_was_down_has_no_message(void **state)
{
    struct scene *s = *state;
    struct sighting before = start_online(s, CONF_PERSISTENCE CONF);
    broker_stop(&s->broker);
    scene_do(s, "remove pump-7");
    scene_add(s, "pump-7");
    broker_start(&s->broker);
    watch_until_none(s, "pump-7");
    struct client *watch = watch_open(s, "pump-7");
    (void)scene_device(s, "pump-7");
    struct sighting after = watch_until(watch, true);
    check(after.seq > before.seq && after.generation != before.generation);
}

static bool old_topic_is_empty(struct scene *s)
{
    struct client *watch = watch_open(s, "pump-7");
    assert_int_equal(client_subscribe(watch, "home/pump-7/state", 1), 1);
    client_sync(watch);
    bool moved = watch->messages != NULL && watch->messages->next == NULL;
    if (moved)
        moved = strcmp(watch->messages->topic, "home/pump-7/state") == 0;
    client_disconnect(watch);
    return moved;
}

static void a_changed_topic_leaves_nothing_behind(void **state)
{
    struct scene *s = *state;
    bool moved;
    (void)start_online(s, CONF_PERSISTENCE CONF);
    scene_do(s, "allow watcher subscribe home/#");
    broker_stop(&s->broker);
    broker_configure(&s->broker, CONF_PERSISTENCE CONF "plugin_opt_presence_topic home/%u/state\n");
    broker_start(&s->broker);
    WAIT_UNTIL(moved, old_topic_is_empty(s));
    check(moved);
}

static void last_seen_is_known_without_the_broker(void **state)
{
    struct scene *s = *state;
    (void)start_online(s, CONF);
    scene_do(s, "show pump-7 --json");
    assert_non_null(strstr(s->answer.out, "online"));
    broker_restart(&s->broker);
    (void)watch_until(watch_open(s, "pump-7"), false);
    broker_stop(&s->broker);
    scene_do(s, "show pump-7 --json");
    assert_non_null(strstr(s->answer.out, "server_shutdown"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_stop_of_the_broker_is_told_at_its_next_start),
        SCENE_TEST(a_stop_is_told_of_websockets_too),
        SCENE_TEST(a_stop_of_a_broker_with_persistence_is_told_at_its_next_start),
        SCENE_TEST(after_a_crash_who_does_not_come_back_is_told_as_offline),
        SCENE_TEST(after_a_crash_an_old_retained_message_is_put_right),
        SCENE_TEST(after_a_crash_who_comes_back_is_online_with_a_higher_seq),
        SCENE_TEST(the_state_is_told_again_when_the_broker_forgot_it),
        SCENE_TEST(a_broker_that_lost_its_file_is_told_again),
        SCENE_TEST(seq_rises_over_stops_and_crashes),
        SCENE_TEST(the_message_of_a_device_removed_while_the_broker_was_down_is_cleared),
        SCENE_TEST(a_device_removed_and_added_while_the_broker_was_down_has_no_message),
        SCENE_TEST(a_changed_topic_leaves_nothing_behind),
        SCENE_TEST(last_seen_is_known_without_the_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
