/* test_reload.c - SIGHUP is routine: the nightly rotation of the log sends it. Mosquitto then asks
 * for every session again, also for those that are away. */
#include <signal.h>

#include "scene.h"
#include "watch.h"

enum { RELOADS = 5 };

static void a_reload_disconnects_nobody(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_TCP CONF_WEBSOCKETS CONF);
    scene_add(s, "pump-7");
    struct client *v4 = scene_device(s, "pump-7");
    struct client *v5 = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    struct client *tcp = scene_accept(s, LOGIN(.user = "pump-7", .port = s->broker.tcp_port));
    struct websocket *ws = scene_websocket(s, LOGIN(.user = "pump-7"));
    assert_int_equal(websocket_subscribe(ws, "devices/pump-7/#"), 0);
    assert_int_equal(client_subscribe(v4, "devices/pump-7/#", 1), 1);
    for (int i = 0; i < RELOADS; i++) {
        broker_reload(&s->broker);
        client_expect_alive(v4);
        client_expect_alive(v5);
        assert_int_equal(client_publish(tcp, "devices/pump-7/x", "still here", 1), 0);
        client_expect(v4, "devices/pump-7/x", "still here");
        websocket_expect(ws, "devices/pump-7/x", "still here");
    }
    client_expect_alive(scene_device(s, "pump-7"));
}

static void a_reload_changes_no_presence(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_PERSISTENCE CONF);
    scene_add(s, "online-1");
    scene_add(s, "away-1");
    scene_add(s, "marker");
    struct client *watch = watch_open(s, "online-1");
    assert_int_equal(client_subscribe(watch, "devreg/presence/away-1", 1), 1);
    assert_int_equal(client_subscribe(watch, "devreg/presence/marker", 1), 1);
    struct client *online = scene_device(s, "online-1");
    (void)watch_online(watch);
    struct client *away =
        scene_accept(s, LOGIN(.user = "away-1", .id = "away", .persistent = true));
    (void)watch_online(watch);
    client_disconnect(away);
    (void)watch_offline(watch, NULL);
    for (int i = 0; i < RELOADS; i++) {
        broker_reload(&s->broker);
        struct client *marker = scene_device(s, "marker");
        assert_string_equal(watch_online(watch).device, "marker");
        client_disconnect(marker);
        assert_string_equal(watch_offline(watch, NULL).device, "marker");
    }
    client_expect_alive(online);
    check(scene_accept(s, LOGIN(.user = "away-1", .id = "away", .persistent = true))
              ->session_present);
}

static void a_device_that_a_reload_meets_first_is_told_as_disabled(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_WEBSOCKETS CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    struct client *watch_pump = watch_open(s, "pump-7"), *watch_lamp = watch_open(s, "lamp-1");
    (void)scene_device(s, "pump-7");
    (void)scene_websocket(s, LOGIN(.user = "lamp-1", .id = "web"));
    (void)watch_online(watch_pump);
    (void)watch_online(watch_lamp);
    broker_pause(&s->broker);
    scene_do(s, "disable pump-7");
    scene_do(s, "disable lamp-1");
    check(kill(s->broker.pid, SIGHUP) == 0);
    broker_resume(&s->broker);
    (void)watch_offline(watch_pump, "disabled");
    (void)watch_offline(watch_lamp, "disabled");
}

static void a_reload_lets_no_disabled_device_in(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_PERSISTENCE CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    struct client *lamp = scene_device(s, "lamp-1");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true));
    client_disconnect(pump);
    scene_do(s, "disable pump-7");
    for (int i = 0; i < RELOADS; i++) {
        broker_reload(&s->broker);
        scene_refuse(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true));
        scene_refuse(s, LOGIN(.user = "pump-7"));
        client_expect_alive(lamp);
    }
    scene_do(s, "enable pump-7");
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true)));
}

static void a_reload_of_sessions_restored_from_the_disk_harms_nothing(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_PERSISTENCE CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    for (int version = 4; version <= 5; version++) {
        client_disconnect(scene_accept(
            s, LOGIN(.user = "pump-7", .id = "p", .persistent = true, .version = version)));
        client_disconnect(scene_accept(
            s, LOGIN(.user = "lamp-1", .id = "l", .persistent = true, .version = version)));
        broker_restart(&s->broker);
        scene_do(s, "disable lamp-1");
        for (int i = 0; i < RELOADS; i++)
            broker_reload(&s->broker);
        check(scene_accept(
                  s, LOGIN(.user = "pump-7", .id = "p", .persistent = true, .version = version))
                  ->session_present);
        scene_refuse(s, LOGIN(.user = "lamp-1", .id = "l", .version = version));
        scene_do(s, "enable lamp-1");
    }
}

/* Its session ends a second after its connection: the broker walks over it after the reload. */
static void a_reload_with_a_session_about_to_expire_harms_nothing(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    struct client *pump =
        scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true, .version = 5));
    client_disconnect(pump);
    scene_do(s, "disable pump-7");
    for (int i = 0; i < RELOADS; i++)
        broker_reload(&s->broker);
    scene_do(s, "enable pump-7");
    for (int i = 0; i < RELOADS; i++) {
        client_disconnect(
            scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true, .version = 5)));
        broker_reload(&s->broker);
    }
    client_expect_alive(scene_device(s, "pump-7"));
}

static void a_key_that_ended_stays_ended_over_a_reload(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    const char *old = scene_rotate(s, "pump-7 --grace 0");
    broker_reload(&s->broker);
    scene_refuse(s, LOGIN(.user = "pump-7", .key = old));
    client_expect_alive(scene_device(s, "pump-7"));
}

static void an_unknown_stranger_is_refused_after_a_reload(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    struct client *pump = scene_device(s, "pump-7");
    for (int i = 0; i < RELOADS; i++) {
        broker_reload(&s->broker);
        scene_refuse(s, LOGIN(.user = "pump-7", .key = "devreg_wrong"));
        scene_refuse(s, LOGIN(.user = "nobody", .key = "devreg_wrong"));
    }
    client_expect_alive(pump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_reload_disconnects_nobody),
        SCENE_TEST(a_reload_changes_no_presence),
        SCENE_TEST(a_device_that_a_reload_meets_first_is_told_as_disabled),
        SCENE_TEST(a_reload_lets_no_disabled_device_in),
        SCENE_TEST(a_reload_of_sessions_restored_from_the_disk_harms_nothing),
        SCENE_TEST(a_reload_with_a_session_about_to_expire_harms_nothing),
        SCENE_TEST(a_key_that_ended_stays_ended_over_a_reload),
        SCENE_TEST(an_unknown_stranger_is_refused_after_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
