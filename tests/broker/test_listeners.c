/* test_listeners.c - several listeners, with one plugin line for all or one for each. */
#include "scene.h"
#include "watch.h"

#define CONF_PER_LISTENER                                                                          \
    "per_listener_settings true\n" CONF_SOCKET CONF_PLUGIN CONF_TCP CONF_PLUGIN

static void one_plugin_line_serves_all_listeners(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_PLUGIN CONF_SOCKET CONF_TCP CONF_WEBSOCKETS);
    scene_add(s, "pump-7");
    struct client *socket = scene_device(s, "pump-7");
    struct client *tcp = scene_accept(s, LOGIN(.user = "pump-7", .port = s->broker.tcp_port));
    struct websocket *ws = scene_websocket(s, LOGIN(.user = "pump-7"));
    assert_int_equal(client_subscribe(tcp, "devices/pump-7/#", 1), 1);
    assert_int_equal(websocket_subscribe(ws, "devices/pump-7/#"), 0);
    assert_int_equal(websocket_subscribe(ws, "devices/#"), SUBACK_FAILED);
    assert_int_equal(client_publish(socket, "devices/pump-7/x", "1", 1), 0);
    client_expect(tcp, "devices/pump-7/x", "1");
    websocket_expect(ws, "devices/pump-7/x", "1");
    websocket_publish(ws, "devices/other/x", "forbidden");
    websocket_publish(ws, "devices/pump-7/x", "2");
    client_expect(tcp, "devices/pump-7/x", "2");
    scene_do(s, "disable pump-7");
    client_expect_gone(socket);
    client_expect_gone(tcp);
    websocket_expect_gone(ws);
}

static void a_plugin_line_under_each_listener_is_one_registry(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_SOCKET CONF_PLUGIN CONF_TCP CONF_PLUGIN);
    scene_add(s, "pump-7");
    struct client *watch = watch_open(s, "pump-7");
    struct client *tcp = scene_accept(s, LOGIN(.user = "pump-7", .port = s->broker.tcp_port));
    (void)watch_online(watch);
    client_disconnect(tcp);
    (void)watch_offline(watch, NULL);
    client_expect_none(watch);
    scene_refuse(s, LOGIN(.user = "pump-7", .key = "wrong"));
}

static void listeners_of_their_own_settings_each_ask_their_plugin(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_PER_LISTENER);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    struct client *tcp =
        scene_accept(s, LOGIN(.user = "pump-7", .port = s->broker.tcp_port, .version = 5));
    scene_refuse(s, LOGIN(.user = "pump-7", .key = scene_key(s, "lamp-1")));
    scene_refuse(
        s, LOGIN(.user = "pump-7", .key = scene_key(s, "lamp-1"), .port = s->broker.tcp_port));
    assert_int_equal(client_subscribe(tcp, "devices/pump-7/#", 1), 1);
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "1", 1), 0);
    client_expect(tcp, "devices/pump-7/x", "1");
    assert_int_equal(client_publish(pump, "other/x", "no", 1), 0x87);
    assert_int_equal(client_publish(tcp, "other/x", "no", 1), 0x87);
    scene_do(s, "deny pump-7 publish devices/pump-7/x");
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "no", 1), 0x87);
    assert_int_equal(client_publish(tcp, "devices/pump-7/x", "no", 1), 0x87);
}

/* 2.0.11 gives a plugin no tick then, so nothing closes the connections: they are dead all the
 * same. */
static void a_device_is_cut_off_on_every_listener_of_its_own_settings(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_PER_LISTENER);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    struct client *socket = scene_device(s, "pump-7");
    struct client *tcp = scene_accept(s, LOGIN(.user = "pump-7", .port = s->broker.tcp_port));
    scene_do(s, "allow lamp-1 subscribe devices/#");
    struct client *lamp = scene_device(s, "lamp-1");
    assert_int_equal(client_subscribe(lamp, "devices/#", 1), 1);
    scene_do(s, "revoke pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7"));
    scene_refuse(s, LOGIN(.user = "pump-7", .port = s->broker.tcp_port));
    client_send(socket, "devices/pump-7/x", "no", 0);
    client_send(tcp, "devices/pump-7/x", "no", 0);
    assert_int_equal(client_publish(lamp, "devices/lamp-1/x", "yes", 1), 0);
    client_expect(lamp, "devices/lamp-1/x", "yes");
    if (broker_version() > 20011) {
        client_expect_gone(socket);
        client_expect_gone(tcp);
    }
}

static void a_take_over_across_listeners_is_guarded(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_PER_LISTENER);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "mine"));
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine", .port = s->broker.tcp_port));
    client_expect_alive(pump);
    client_expect_alive(
        scene_accept(s, LOGIN(.user = "pump-7", .id = "mine", .port = s->broker.tcp_port)));
    client_expect_gone(pump);
}

static void a_reload_with_settings_for_each_listener_disconnects_nobody(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_PER_LISTENER);
    scene_add(s, "pump-7");
    struct client *socket = scene_device(s, "pump-7");
    struct client *tcp = scene_accept(s, LOGIN(.user = "pump-7", .port = s->broker.tcp_port));
    client_disconnect(scene_accept(s, LOGIN(.user = "pump-7", .id = "away", .persistent = true)));
    for (int i = 0; i < 3; i++) {
        broker_reload(&s->broker);
        client_expect_alive(socket);
        client_expect_alive(tcp);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(one_plugin_line_serves_all_listeners),
        SCENE_TEST(a_plugin_line_under_each_listener_is_one_registry),
        SCENE_TEST(listeners_of_their_own_settings_each_ask_their_plugin),
        SCENE_TEST(a_device_is_cut_off_on_every_listener_of_its_own_settings),
        SCENE_TEST(a_take_over_across_listeners_is_guarded),
        SCENE_TEST(a_reload_with_settings_for_each_listener_disconnects_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
