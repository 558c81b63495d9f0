/* test_revoke.c - a device that is cut off while it is connected. */
#include "deadline.h"
#include "scene.h"
#include "watch.h"

enum { KICKED_V5 = 0x98 /* DISCONNECT: administrative action */ };

/* `hall` hears all that pump-7 says. */
static struct client *start_with_hall(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe devices/#");
    scene_do(s, "allow hall publish devices/pump-7/#");
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devices/#", 1), 1);
    return hall;
}

/* Runs `command` and sees pump-7 cut off: closed, silent, kept out, and no will. */
static void cut_off(struct scene *s, const char *command, const char *reason)
{
    struct client *hall = start_with_hall(s, CONF_TCP CONF);
    struct client *watch = watch_open(s, "pump-7");
    struct client *v5 = scene_accept(s, LOGIN(.user = "pump-7", .id = "one", .version = 5,
                                              .will_topic = "devices/pump-7/will", .will = "no"));
    struct client *tcp =
        scene_accept(s, LOGIN(.user = "pump-7", .id = "two", .will_topic = "devices/pump-7/will",
                              .will = "no", .port = s->broker.tcp_port));
    assert_int_equal(client_subscribe(tcp, "devices/pump-7/#", 1), 1);
    (void)watch_online(watch);
    scene_do(s, "%s", command);
    client_expect_gone(v5);
    client_expect_gone(tcp);
    assert_int_equal(v5->gone_reason, KICKED_V5);
    scene_refuse(s, LOGIN(.user = "pump-7"));
    (void)watch_offline(watch, reason);
    assert_int_equal(client_publish(hall, "devices/hall/marker", "1", 1), 0);
    client_expect(hall, "devices/hall/marker", "1");
}

static void a_revoked_device_is_cut_off(void **state)
{
    cut_off(*state, "revoke pump-7", "revoked");
}

static void a_disabled_device_is_cut_off(void **state)
{
    struct scene *s = *state;
    cut_off(s, "disable pump-7 --reason stolen", "disabled");
    scene_do(s, "enable pump-7");
    client_expect_alive(scene_device(s, "pump-7"));
}

static void an_expired_device_is_cut_off(void **state)
{
    cut_off(*state, "set pump-7 --expires 1s", "expired");
}

static void a_removed_device_is_cut_off(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5,
                                                .will_topic = "devices/pump-7/will", .will = "no"));
    scene_do(s, "remove pump-7");
    client_expect_gone(pump);
    assert_int_equal(pump->gone_reason, KICKED_V5);
    scene_refuse(s, LOGIN(.user = "pump-7"));
    assert_int_equal(client_publish(hall, "devices/hall/marker", "1", 1), 0);
    client_expect(hall, "devices/hall/marker", "1");
}

static void a_device_on_websockets_is_cut_off(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF_WEBSOCKETS CONF);
    struct client *watch = watch_open(s, "pump-7");
    struct websocket *ws = scene_websocket(
        s, LOGIN(.user = "pump-7", .will_topic = "devices/pump-7/will", .will = "no"));
    (void)watch_online(watch);
    scene_do(s, "revoke pump-7");
    websocket_publish(ws, "devices/pump-7/x", "no");
    websocket_expect_gone(ws);
    (void)watch_offline(watch, "revoked");
    assert_int_equal(client_publish(hall, "devices/hall/marker", "1", 1), 0);
    client_expect(hall, "devices/hall/marker", "1");
}

static void the_others_stay_connected(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF);
    scene_add(s, "pump-77");
    struct client *other = scene_device(s, "pump-77"), *pump = scene_device(s, "pump-7");
    scene_do(s, "revoke pump-7");
    client_expect_gone(pump);
    client_expect_alive(other);
    client_expect_alive(hall);
    assert_int_equal(client_publish(other, "devices/pump-77/x", "1", 1), 0);
    client_expect(hall, "devices/pump-77/x", "1");
}

/* The publish races with the closing, and must not win. */
static void what_a_disabled_device_publishes_is_dropped_from_that_moment(void **state)
{
    enum { ROUNDS = 100 };
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF);
    for (int i = 0; i < ROUNDS; i++) {
        struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "pump-7"));
        assert_int_equal(client_publish(pump, "devices/pump-7/x", "before", 1), 0);
        client_expect(hall, "devices/pump-7/x", "before");
        scene_do(s, "disable pump-7");
        client_send(pump, "devices/pump-7/x", "after", i % 3);
        assert_int_equal(client_publish(hall, "devices/hall/marker", "1", 1), 0);
        client_expect(hall, "devices/hall/marker", "1");
        scene_do(s, "enable pump-7");
    }
}

static void what_a_revoked_device_publishes_is_dropped_from_that_moment(void **state)
{
    enum { ROUNDS = 35 };
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF);
    char device[16], topic[48];
    for (int i = 0; i < ROUNDS; i++) {
        check(snprintf(device, sizeof device, "lamp-%d", i) > 0);
        check(snprintf(topic, sizeof topic, "devices/%s/x", device) > 0);
        scene_add(s, device);
        struct client *lamp = scene_device(s, device);
        scene_do(s, "revoke %s", device);
        client_send(lamp, topic, "after", i % 3);
        assert_int_equal(client_publish(hall, "devices/hall/marker", "1", 1), 0);
        client_expect(hall, "devices/hall/marker", "1");
        client_expect_gone(lamp);
    }
}

static void nothing_is_delivered_to_a_disabled_device(void **state)
{
    enum { ROUNDS = 15 };
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF);
    client_unsubscribe(hall, "devices/#");
    for (int i = 0; i < ROUNDS; i++) {
        struct client *pump = scene_device(s, "pump-7");
        assert_int_equal(client_subscribe(pump, "devices/pump-7/#", 1), 1);
        scene_do(s, "disable pump-7");
        assert_int_equal(client_publish(hall, "devices/pump-7/cmd", "secret", i % 3), 0);
        client_expect_gone(pump);
        assert_null(pump->messages);
        scene_do(s, "enable pump-7");
    }
}

static void many_devices_are_cut_off_together(void **state)
{
    enum { LAMPS = 30 };
    struct scene *s = *state;
    struct client *lamps[LAMPS];
    char device[16];
    scene_start(s, CONF);
    for (int i = 0; i < LAMPS; i++) {
        check(snprintf(device, sizeof device, "lamp-%d", i) > 0);
        scene_add(s, device);
        lamps[i] = scene_device(s, device);
    }
    for (int i = 0; i < LAMPS; i++)
        scene_do(s, "disable lamp-%d", i);
    for (int i = 0; i < LAMPS; i++)
        client_expect_gone(lamps[i]);
}

static void both_keys_work_while_a_rotation_lasts(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    struct client *before = scene_device(s, "pump-7");
    const char *old = scene_rotate(s, "pump-7 --grace 1h");
    struct client *with_new = scene_device(s, "pump-7");
    struct client *with_old = scene_accept(s, LOGIN(.user = "pump-7", .key = old));
    client_expect_alive(before);
    client_expect_alive(with_old);
    client_expect_alive(with_new);
}

static void the_end_of_a_rotation_closes_what_the_old_key_opened(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    const char *old = scene_rotate(s, "pump-7 --grace 2s");
    struct client *with_old = scene_accept(s, LOGIN(.user = "pump-7", .key = old, .version = 5));
    struct client *with_new = scene_device(s, "pump-7");
    client_expect_gone(with_old);
    assert_int_equal(with_old->gone_reason, KICKED_V5);
    scene_refuse(s, LOGIN(.user = "pump-7", .key = old));
    client_expect_alive(with_new);
    client_expect_alive(scene_device(s, "pump-7"));
}

static void a_rotation_without_grace_ends_the_old_key_at_once(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    struct client *with_old = scene_device(s, "pump-7");
    const char *old = scene_rotate(s, "pump-7 --grace 0");
    scene_refuse(s, LOGIN(.user = "pump-7", .key = old));
    client_expect_gone(with_old);
    client_expect_alive(scene_device(s, "pump-7"));
}

static void a_rotation_until_used_ends_with_the_first_use_of_the_new_key(void **state)
{
    struct scene *s = *state;
    bool refused;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    const char *old = scene_rotate(s, "pump-7 --grace 1h --until-used");
    struct client *with_old = scene_accept(s, LOGIN(.user = "pump-7", .key = old));
    client_expect_alive(with_old);
    struct client *with_new = scene_device(s, "pump-7");
    client_expect_gone(with_old);
    WAIT_UNTIL(refused, scene_knock(s, LOGIN(.user = "pump-7", .key = old)) != ACCEPTED);
    check(refused);
    client_expect_alive(with_new);
    broker_restart(&s->broker);
    scene_refuse(s, LOGIN(.user = "pump-7", .key = old));
    client_expect_alive(scene_device(s, "pump-7"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_revoked_device_is_cut_off),
        SCENE_TEST(a_disabled_device_is_cut_off),
        SCENE_TEST(an_expired_device_is_cut_off),
        SCENE_TEST(a_removed_device_is_cut_off),
        SCENE_TEST(a_device_on_websockets_is_cut_off),
        SCENE_TEST(the_others_stay_connected),
        SCENE_TEST(what_a_disabled_device_publishes_is_dropped_from_that_moment),
        SCENE_TEST(what_a_revoked_device_publishes_is_dropped_from_that_moment),
        SCENE_TEST(nothing_is_delivered_to_a_disabled_device),
        SCENE_TEST(many_devices_are_cut_off_together),
        SCENE_TEST(both_keys_work_while_a_rotation_lasts),
        SCENE_TEST(the_end_of_a_rotation_closes_what_the_old_key_opened),
        SCENE_TEST(a_rotation_without_grace_ends_the_old_key_at_once),
        SCENE_TEST(a_rotation_until_used_ends_with_the_first_use_of_the_new_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
