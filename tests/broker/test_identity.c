/* test_identity.c - a listener that takes the user name from a PSK identity: Mosquitto asks no
 * plugin about such a login, so whoever comes in there as a device is denied everything and closed.
 * On 2.0 nothing tells of such a client before it does something. */
#include "scene.h"
#include "watch.h"

#define PSK           "00112233445566778899aabbccddeeff"
#define CONF_IDENTITY CONF_TCP "psk_hint test\npsk_file @DIR@/psk\nuse_identity_as_username true\n"

static void start_with_hall(struct scene *s)
{
    scene_write(s, "psk", "pump-7:" PSK, 0644);
    scene_start(s, CONF CONF_IDENTITY);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe devices/#");
}

static void nobody_becomes_a_device_by_an_identity(void **state)
{
    struct scene *s = *state;
    start_with_hall(s);
    struct client *hall = scene_device(s, "hall"), *watch = watch_open(s, "pump-7");
    assert_int_equal(client_subscribe(hall, "devices/#", 1), 1);
    struct client *pump = scene_connect(
        s, LOGIN(.user = "pump-7", .psk = PSK, .port = s->broker.tcp_port, .version = 5));
    if (pump->connack == ACCEPTED) {
        client_send(pump, "devices/pump-7/x", "no", 1);
        client_expect_gone(pump);
    }
    client_expect_none(watch);
    client_disconnect(scene_device(s, "hall"));
    assert_int_equal(client_publish(hall, "devices/hall/marker", "1", 1), 0);
    client_expect(hall, "devices/hall/marker", "1");
}

static void a_device_with_its_key_goes_on_beside_such_a_listener(void **state)
{
    struct scene *s = *state;
    start_with_hall(s);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "mine"));
    struct client *thief = scene_connect(
        s, LOGIN(.user = "pump-7", .psk = PSK, .port = s->broker.tcp_port, .id = "other"));
    if (thief->connack == ACCEPTED) {
        client_send(thief, "devices/pump-7/x", "no", 1);
        client_expect_gone(thief);
    }
    client_expect_alive(pump);
    assert_int_equal(client_subscribe(pump, "devices/pump-7/#", 1), 1);
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "1", 1), 0);
    client_expect(pump, "devices/pump-7/x", "1");
}

static void a_session_is_not_inherited_by_an_identity(void **state)
{
    struct scene *s = *state;
    start_with_hall(s);
    struct client *pump =
        scene_accept(s, LOGIN(.user = "pump-7", .id = "mine", .persistent = true));
    assert_int_equal(client_subscribe(pump, "devices/pump-7/#", 1), 1);
    client_disconnect(pump);
    struct client *other = scene_accept(s, LOGIN(.user = "pump-7", .id = "other"));
    struct client *thief =
        scene_connect(s, LOGIN(.user = "pump-7", .psk = PSK, .port = s->broker.tcp_port,
                               .id = "mine", .persistent = true));
    assert_int_equal(client_publish(other, "devices/pump-7/x", "for the owner", 1), 0);
    if (thief->connack == ACCEPTED) {
        client_send(thief, "devices/pump-7/x", "no", 1);
        client_expect_gone(thief);
    }
    assert_null(thief->messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(nobody_becomes_a_device_by_an_identity),
        SCENE_TEST(a_device_with_its_key_goes_on_beside_such_a_listener),
        SCENE_TEST(a_session_is_not_inherited_by_an_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
