/* test_presence.c - who is online, as devreg/presence tells it while the broker runs. */
#include <string.h>

#include "deadline.h"
#include "scene.h"
#include "watch.h"

static struct client *start_watching(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "pump-7");
    return watch_open(s, "pump-7");
}

static void a_connection_is_told_with_all_that_is_known_of_it(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF_TCP CONF);
    struct client *pump =
        scene_accept(s, LOGIN(.user = "pump-7", .id = "client-1", .version = 5, .keepalive = 30,
                              .persistent = true, .port = s->broker.tcp_port));
    struct sighting on = watch_online(watch);
    assert_string_equal(on.device, "pump-7");
    assert_string_equal(on.client, "client-1");
    assert_string_equal(on.address, "127.0.0.1");
    assert_string_equal(on.session, "persistent");
    assert_int_equal(on.protocol, 5);
    assert_int_equal(on.keepalive, 30);
    check(on.seq >= (uint64_t)on.ts - 60000 && on.generation > 0 && on.conn > 0);
    client_disconnect(pump);
    struct sighting off = watch_offline(watch, watch_reason("client_disconnect"));
    check(off.seq > on.seq && off.conn == on.conn && off.generation == on.generation);
    check(off.connected_at == on.since && off.since >= on.since);
    assert_string_equal(off.client, "client-1");
    assert_int_equal(off.protocol, 5);
}

static void a_clean_session_over_mqtt_3_is_told_as_such(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    for (int version = 3; version <= 4; version++) {
        struct client *pump =
            scene_accept(s, LOGIN(.user = "pump-7", .id = "c", .version = version));
        struct sighting on = watch_online(watch);
        assert_string_equal(on.session, "clean");
        assert_int_equal(on.protocol, version);
        assert_int_equal(on.keepalive, LONG_KEEPALIVE);
        client_disconnect(pump);
        (void)watch_offline(watch, watch_reason("client_disconnect"));
    }
}

static void the_state_waits_for_whoever_comes_later(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    struct client *pump = scene_device(s, "pump-7");
    uint64_t seq = watch_online(watch).seq;
    struct sighting on = watch_online(watch_open(s, "pump-7"));
    check(on.retained && on.seq == seq);
    client_drop(pump);
    seq = watch_offline(watch, watch_reason("connection_lost")).seq;
    struct sighting off = watch_offline(watch_open(s, "pump-7"), NULL);
    check(off.retained && off.seq == seq);
}

static void a_device_that_never_connected_has_no_message(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    scene_add(s, "lamp-1");
    assert_int_equal(client_subscribe(watch, "devreg/presence/lamp-1", 1), 1);
    struct client *lamp = scene_device(s, "lamp-1");
    assert_string_equal(watch_online(watch).device, "lamp-1");
    client_disconnect(lamp);
    assert_string_equal(watch_offline(watch, NULL).device, "lamp-1");
    client_expect_none(watch);
}

static void a_refused_connect_tells_nothing(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    scene_add(s, "lamp-1");
    for (int i = 0; i < 10; i++)
        scene_refuse(s, LOGIN(.user = "pump-7", .key = scene_key(s, "lamp-1"), .id = "pump-7"));
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "pump-7"));
    uint64_t conn = watch_online(watch).conn;
    for (int i = 0; i < 10; i++) {
        scene_refuse(s, LOGIN(.user = "pump-7", .key = scene_key(s, "lamp-1"), .id = "pump-7"));
        scene_refuse(s, LOGIN(.user = "lamp-1", .id = "pump-7"));
    }
    client_expect_alive(pump);
    client_disconnect(pump);
    assert_int_equal(watch_offline(watch, watch_reason("client_disconnect")).conn, conn);
    (void)scene_device(s, "pump-7");
    check(watch_online(watch).conn > conn);
}

static void a_device_is_online_until_its_last_connection_ends(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    struct client *first = scene_accept(s, LOGIN(.user = "pump-7", .id = "1"));
    (void)watch_online(watch);
    struct client *second = scene_accept(s, LOGIN(.user = "pump-7", .id = "2"));
    struct client *third = scene_accept(s, LOGIN(.user = "pump-7", .id = "3"));
    client_drop(first);
    client_disconnect(third);
    client_expect_alive(second);
    client_disconnect(second);
    (void)watch_until(watch, false);
    (void)scene_device(s, "pump-7");
    (void)watch_online(watch);
}

static void a_take_over_tells_no_offline(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    struct client *last = scene_accept(s, LOGIN(.user = "pump-7", .id = "1"));
    (void)watch_online(watch);
    for (int i = 0; i < 10; i++) {
        struct client *old = last;
        last = scene_accept(
            s, LOGIN(.user = "pump-7", .id = "1", .persistent = i % 2 == 0, .version = 4 + i % 2));
        client_expect_gone(old);
    }
    client_expect_alive(last);
    client_disconnect(last);
    struct sighting seen = watch_next(watch);
    while (seen.online)
        seen = watch_next(watch);
    assert_string_equal(seen.reason, watch_reason("client_disconnect"));
    client_expect_none(watch);
}

static void a_take_over_over_websockets_tells_no_offline(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF_WEBSOCKETS CONF);
    (void)scene_websocket(s, LOGIN(.user = "pump-7", .id = "1"));
    (void)watch_online(watch);
    struct client *plain = scene_accept(s, LOGIN(.user = "pump-7", .id = "1"));
    websocket_expect_gone(&s->websocket);
    client_expect_alive(plain);
    client_disconnect(plain);
    (void)watch_until(watch, false);
    client_expect_none(watch);
}

static void a_device_on_websockets_is_told(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF_WEBSOCKETS CONF);
    struct websocket *ws = scene_websocket(s, LOGIN(.user = "pump-7", .id = "web"));
    struct sighting on = watch_online(watch);
    assert_string_equal(on.client, "web");
    assert_non_null(strstr(on.address, "127.0.0.1"));
    websocket_close(ws);
    check(watch_offline(watch, watch_reason("connection_lost")).conn == on.conn);
}

static void a_device_that_falls_silent_goes_offline(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF_WEBSOCKETS CONF);
    (void)scene_websocket(s, LOGIN(.user = "pump-7", .keepalive = 1));
    assert_int_equal(watch_online(watch).keepalive, 1);
    (void)watch_offline(watch, watch_reason("keepalive_timeout"));
}

static void seq_rises_with_every_change(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    uint64_t seq = 0, conn = 0;
    for (int i = 0; i < 10; i++) {
        struct client *pump = scene_device(s, "pump-7");
        struct sighting on = watch_online(watch);
        check(on.seq > seq && on.conn > conn);
        client_disconnect(pump);
        struct sighting off = watch_offline(watch, NULL);
        check(off.seq > on.seq && off.conn == on.conn);
        seq = off.seq;
        conn = on.conn;
    }
}

static void no_client_writes_where_devreg_does(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    scene_add(s, "lamp-1");
    scene_do(s, "allow lamp-1 all #");
    scene_do(s, "allow lamp-1 all devreg/#");
    assert_int_equal(client_subscribe(watch, "devreg/#", 1), 1);
    struct client *lamp = scene_accept(s, LOGIN(.user = "lamp-1", .version = 5));
    assert_string_equal(watch_until(watch, true).device, "watcher");
    assert_string_equal(watch_online(watch).device, "lamp-1");
    static const char *const topics[] = {"devreg/presence/pump-7",
                                         "devreg/presence/lamp-1",
                                         "devreg",
                                         "devreg/x",
                                         "devreg/presence/a/b",
                                         "devreg/"};
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        assert_int_equal(client_publish(lamp, topics[i], "forged", 1), 0x87);
        assert_int_equal(client_retain(lamp, topics[i], ""), 0x87);
    }
    (void)scene_device(s, "pump-7");
    assert_string_equal(watch_online(watch).device, "pump-7");
}

static void removing_a_device_clears_its_message(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    struct client *pump = scene_device(s, "pump-7");
    struct sighting first = watch_online(watch);
    scene_do(s, "remove pump-7");
    client_expect_gone(pump);
    struct sighting seen = watch_next(watch);
    if (!seen.cleared) {
        assert_string_equal(seen.reason, "removed");
        seen = watch_next(watch);
    }
    check(seen.cleared);
    watch_until_none(s, "pump-7");
    scene_add(s, "pump-7");
    (void)scene_device(s, "pump-7");
    struct sighting again = watch_online(watch);
    check(again.generation != first.generation && again.seq > first.seq);
}

static void removing_a_device_that_is_away_clears_its_message(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    struct client *pump = scene_device(s, "pump-7");
    (void)watch_online(watch);
    client_disconnect(pump);
    (void)watch_offline(watch, NULL);
    scene_do(s, "remove pump-7");
    check(watch_next(watch).cleared);
    watch_until_none(s, "pump-7");
}

/* A device that is disabled is closed at a turn of the plugin: two of these, and everything that
 * was to be told has been. */
static void wait_for_turns(struct scene *s)
{
    for (int i = 0; i < 2; i++) {
        struct client *lamp = scene_device(s, "lamp-1");
        scene_do(s, "disable lamp-1");
        client_expect_gone(lamp);
        scene_do(s, "enable lamp-1");
    }
}

static void presence_off_tells_nothing_and_the_guard_stays(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF "plugin_opt_presence off\n");
    scene_add(s, "lamp-1");
    scene_do(s, "allow lamp-1 publish devreg/#");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "mine"));
    wait_for_turns(s);
    client_disconnect(pump);
    wait_for_turns(s);
    client_expect_none(watch);
    pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "mine", .persistent = true));
    struct client *lamp = scene_accept(s, LOGIN(.user = "lamp-1", .version = 5));
    assert_int_equal(client_publish(lamp, "devreg/presence/pump-7", "forged", 1), 0x87);
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine"));
    client_disconnect(pump);
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine"));
    client_expect_none(watch);
}

static void the_plain_format_is_one_word(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF "plugin_opt_presence_format plain\n");
    struct client *pump = scene_device(s, "pump-7");
    client_expect(watch, "devreg/presence/pump-7", "online");
    client_expect(watch_open(s, "pump-7"), "devreg/presence/pump-7", "online");
    client_disconnect(pump);
    client_expect(watch, "devreg/presence/pump-7", "offline");
}

static void the_topic_can_be_chosen(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(
        s, CONF "plugin_opt_presence_topic home/%u/state\nplugin_opt_presence_format plain\n");
    scene_do(s, "allow watcher subscribe home/#");
    scene_do(s, "allow pump-7 publish #");
    assert_int_equal(client_subscribe(watch, "home/pump-7/#", 1), 1);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    client_expect(watch, "home/pump-7/state", "online");
    assert_int_equal(client_publish(pump, "home/pump-7/state", "offline", 1), 0x87);
    assert_int_equal(client_publish(pump, "home/lamp-1/state", "offline", 1), 0x87);
    assert_int_equal(client_publish(pump, "devreg/presence/pump-7", "offline", 1), 0x87);
    assert_int_equal(client_publish(pump, "home/pump-7/other", "allowed", 1), 0);
    client_expect(watch, "home/pump-7/other", "allowed");
}

static void a_take_over_beside_another_connection_keeps_the_state(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    (void)scene_accept(s, LOGIN(.user = "pump-7", .id = "b"));
    assert_int_equal(watch_online(watch).conn, 1);
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .id = "c")));
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .id = "b")));
    struct sighting on = watch_online(watch);
    assert_string_equal(on.client, "b");
    assert_int_equal(on.conn, 3);
    client_sync(watch);
    client_expect_none(watch);
}

static void a_delay_hides_who_comes_back_in_time(void **state)
{
    enum { DELAY_MS = 1000, ROUNDS = 5 };
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF "plugin_opt_presence_delay 1\n");
    struct client *pump = scene_device(s, "pump-7");
    struct sighting on = watch_online(watch);
    for (int i = 0; i < ROUNDS; i++) {
        client_disconnect(pump);
        pump = scene_device(s, "pump-7");
    }
    client_expect_alive(pump);
    int64_t left = clock_ms();
    client_disconnect(pump);
    struct sighting off = watch_next(watch);
    while (off.online)
        off = watch_next(watch);
    check(clock_ms() - left >= DELAY_MS / 2 && off.seq > on.seq);
    client_expect_none(watch);
}

static void who_may_not_see_presence_does_not(void **state)
{
    struct scene *s = *state;
    struct client *watch = start_watching(s, CONF);
    scene_add(s, "lamp-1");
    scene_do(s, "allow lamp-1 subscribe devreg/#");
    scene_do(s, "deny lamp-1 subscribe devreg/presence/pump-7");
    struct client *lamp = scene_device(s, "lamp-1");
    assert_int_equal(client_subscribe(lamp, "devreg/presence/pump-7", 1), SUBACK_FAILED);
    assert_int_equal(client_subscribe(lamp, "devreg/#", 1), 1);
    struct client *pump = scene_device(s, "pump-7");
    (void)watch_online(watch);
    client_disconnect(pump);
    (void)watch_offline(watch, NULL);
    client_sync(lamp);
    for (struct message *m = lamp->messages; m != NULL; m = m->next)
        assert_string_not_equal(m->topic, "devreg/presence/pump-7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_connection_is_told_with_all_that_is_known_of_it),
        SCENE_TEST(a_clean_session_over_mqtt_3_is_told_as_such),
        SCENE_TEST(the_state_waits_for_whoever_comes_later),
        SCENE_TEST(a_device_that_never_connected_has_no_message),
        SCENE_TEST(a_refused_connect_tells_nothing),
        SCENE_TEST(a_device_is_online_until_its_last_connection_ends),
        SCENE_TEST(a_take_over_tells_no_offline),
        SCENE_TEST(a_take_over_over_websockets_tells_no_offline),
        SCENE_TEST(a_device_on_websockets_is_told),
        SCENE_TEST(a_device_that_falls_silent_goes_offline),
        SCENE_TEST(seq_rises_with_every_change),
        SCENE_TEST(no_client_writes_where_devreg_does),
        SCENE_TEST(removing_a_device_clears_its_message),
        SCENE_TEST(removing_a_device_that_is_away_clears_its_message),
        SCENE_TEST(presence_off_tells_nothing_and_the_guard_stays),
        SCENE_TEST(the_plain_format_is_one_word),
        SCENE_TEST(the_topic_can_be_chosen),
        SCENE_TEST(a_take_over_beside_another_connection_keeps_the_state),
        SCENE_TEST(a_delay_hides_who_comes_back_in_time),
        SCENE_TEST(who_may_not_see_presence_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
