/* test_retained.c - retained messages: who is shown them, and whose are shown. */
#include "scene.h"

/* Said to be the default, and not so in any of the three brokers. */
#define CONF_SOURCE "check_retain_source true\n"

/* pump-7 has retained "on" on devices/pump-7/state; hall may see it. */
static void start_with_retained(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe devices/#");
    struct client *pump = scene_device(s, "pump-7");
    assert_int_equal(client_retain(pump, "devices/pump-7/state", "on"), 0);
    client_disconnect(pump);
}

static void expect_retained(struct scene *s)
{
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devices/#", 1), 1);
    struct message *message = client_next(hall);
    assert_string_equal(message->topic, "devices/pump-7/state");
    check(message->retained);
    message_free(message);
    client_expect_none(hall);
}

static void expect_nothing_retained(struct scene *s)
{
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devices/#", 1), 1);
    client_expect_none(hall);
}

static void a_retained_message_is_delivered_to_whom_a_rule_allows_it(void **state)
{
    struct scene *s = *state;
    start_with_retained(s, CONF CONF_SOURCE);
    expect_retained(s);
    scene_do(s, "deny hall subscribe devices/+/state");
    expect_nothing_retained(s);
    scene_do(s, "unset hall subscribe devices/+/state");
    expect_retained(s);
}

static void a_forbidden_retained_publish_leaves_nothing(void **state)
{
    struct scene *s = *state;
    start_with_retained(s, CONF CONF_SOURCE);
    scene_add(s, "lamp-1");
    struct client *lamp = scene_device(s, "lamp-1");
    assert_int_equal(client_retain(lamp, "devices/pump-7/other", "forged"), 0);
    assert_int_equal(client_retain(lamp, "devices/pump-7/state", ""), 0);
    expect_retained(s);
}

static void what_a_revoked_device_retained_is_hidden(void **state)
{
    struct scene *s = *state;
    start_with_retained(s, CONF CONF_SOURCE);
    scene_do(s, "revoke pump-7");
    expect_nothing_retained(s);
}

static void what_a_removed_device_retained_is_hidden(void **state)
{
    struct scene *s = *state;
    start_with_retained(s, CONF CONF_SOURCE);
    scene_do(s, "remove pump-7");
    expect_nothing_retained(s);
}

static void what_a_disabled_device_retained_is_hidden_until_it_is_enabled(void **state)
{
    struct scene *s = *state;
    start_with_retained(s, CONF CONF_SOURCE);
    scene_do(s, "disable pump-7");
    expect_nothing_retained(s);
    scene_do(s, "enable pump-7");
    expect_retained(s);
}

static void what_a_device_retained_is_hidden_when_it_may_no_longer_publish_it(void **state)
{
    struct scene *s = *state;
    start_with_retained(s, CONF CONF_SOURCE);
    scene_do(s, "deny pump-7 publish devices/pump-7/state");
    expect_nothing_retained(s);
}

static void the_broker_keeps_retained_messages_and_their_source_over_a_restart(void **state)
{
    struct scene *s = *state;
    start_with_retained(s, CONF_PERSISTENCE CONF CONF_SOURCE);
    broker_restart(&s->broker);
    expect_retained(s);
    scene_do(s, "disable pump-7");
    expect_nothing_retained(s);
    broker_restart(&s->broker);
    expect_nothing_retained(s);
    scene_do(s, "enable pump-7");
    expect_retained(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_retained_message_is_delivered_to_whom_a_rule_allows_it),
        SCENE_TEST(a_forbidden_retained_publish_leaves_nothing),
        SCENE_TEST(what_a_revoked_device_retained_is_hidden),
        SCENE_TEST(what_a_removed_device_retained_is_hidden),
        SCENE_TEST(what_a_disabled_device_retained_is_hidden_until_it_is_enabled),
        SCENE_TEST(what_a_device_retained_is_hidden_when_it_may_no_longer_publish_it),
        SCENE_TEST(the_broker_keeps_retained_messages_and_their_source_over_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
