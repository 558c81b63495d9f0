/* test_acl.c - publish, subscribe and delivery, each allowed and denied. */
#include <stdlib.h>
#include <string.h>

#include "scene.h"

/* pump-7 may publish on a/#, but for a/secret; hall sees all of a/#. */
static void start_with_pump_and_hall(struct scene *s)
{
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow pump-7 publish a/#");
    scene_do(s, "deny pump-7 publish a/secret");
    scene_do(s, "allow hall subscribe a/#");
    scene_do(s, "allow hall subscribe b/#");
}

static void a_forbidden_publish_is_dropped_and_the_client_stays(void **state)
{
    struct scene *s = *state;
    start_with_pump_and_hall(s);
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "a/#", 0), 0);
    assert_int_equal(client_subscribe(hall, "b/#", 0), 0);
    for (int version = 3; version <= 5; version++) {
        struct client *pump =
            scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .version = version));
        for (int qos = 0; qos <= 2; qos++) {
            int refused = version == 5 && qos > 0 ? 0x87 : 0;
            assert_int_equal(client_publish(pump, "a/secret", "no", qos), refused);
            assert_int_equal(client_publish(pump, "b/other", "no", qos), refused);
            assert_int_equal(client_publish(pump, "a/open", "yes", 1), 0);
            client_expect(hall, "a/open", "yes");
        }
        client_expect_alive(pump);
    }
}

static void a_new_device_has_its_own_tree_and_nothing_else(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    assert_int_equal(client_subscribe(pump, "devices/pump-7/#", 1), 1);
    assert_int_equal(client_publish(pump, "devices/pump-7/a/b", "mine", 1), 0);
    client_expect(pump, "devices/pump-7/a/b", "mine");
    assert_int_equal(client_publish(pump, "devices/lamp-1/a", "not mine", 1), 0x87);
    assert_int_equal(client_publish(pump, "devices/pump-77/a", "not mine", 1), 0x87);
    assert_int_equal(client_publish(pump, "other", "not mine", 1), 0x87);
    static const char *const filters[] = {
        "devices/lamp-1/#", "devices/#", "devices/+/a", "#", "+/+/a", "+", "devices/pump-7x/#"};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        assert_int_equal(client_subscribe(pump, filters[i], 0), 0x87);
}

static void a_refused_subscription_says_so(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe a/+");
    struct client *v4 = scene_device(s, "hall");
    struct client *v5 = scene_accept(s, LOGIN(.user = "hall", .version = 5));
    for (int qos = 0; qos <= 2; qos++) {
        assert_int_equal(client_subscribe(v4, "a/+", qos), qos);
        assert_int_equal(client_subscribe(v5, "a/+", qos), qos);
        assert_int_equal(client_subscribe(v4, "b/+", qos), SUBACK_FAILED);
        assert_int_equal(client_subscribe(v5, "b/+", qos), 0x87);
    }
}

static void a_subscription_has_to_be_covered_and_not_just_matched(void **state)
{
    static const char *const covered[] = {"a/+", "a/b", "a/"};
    static const char *const wider[] = {"#", "a/#", "+/+", "+/b", "a/b/c", "a/+/+", "+/#", "a"};
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe a/+");
    struct client *hall = scene_accept(s, LOGIN(.user = "hall", .version = 5));
    for (size_t i = 0; i < sizeof covered / sizeof *covered; i++)
        assert_int_equal(client_subscribe(hall, covered[i], 0), 0);
    for (size_t i = 0; i < sizeof wider / sizeof *wider; i++)
        assert_int_equal(client_subscribe(hall, wider[i], 0), 0x87);
}

static void what_a_deny_cuts_out_of_a_subscription_is_not_delivered(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "hall");
    scene_add(s, "pump-7");
    scene_do(s, "allow hall subscribe a/#");
    scene_do(s, "deny hall subscribe a/+/secret");
    scene_do(s, "allow pump-7 publish a/#");
    struct client *pump = scene_device(s, "pump-7");
    for (int version = 4; version <= 5; version++) {
        struct client *hall = scene_accept(s, LOGIN(.user = "hall", .id = "h", .version = version));
        assert_int_equal(client_subscribe(hall, "a/#", 1), 1);
        assert_int_equal(client_subscribe(hall, "a/x/secret", 1), version == 5 ? 0x87 : 0x80);
        for (int qos = 0; qos <= 2; qos++) {
            assert_int_equal(client_publish(pump, "a/x/secret", "no", qos), 0);
            assert_int_equal(client_publish(pump, "a/x/open", "yes", 1), 0);
            client_expect(hall, "a/x/open", "yes");
        }
    }
}

static void a_deny_wins_whatever_came_first(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_do(s, "role add reader");
    scene_do(s, "deny @reader publish a/b");
    scene_do(s, "set pump-7 --add-role reader");
    scene_do(s, "allow pump-7 publish a/b");
    scene_do(s, "deny pump-7 publish c/#");
    scene_do(s, "allow pump-7 publish c/d");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    assert_int_equal(client_publish(pump, "a/b", "no", 1), 0x87);
    assert_int_equal(client_publish(pump, "c/d", "no", 1), 0x87);
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "yes", 1), 0);
}

static void a_variable_stands_for_its_value_and_never_for_syntax(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7 --set site=kiel");
    scene_add(s, "lamp-1 --set site=+");
    scene_add(s, "bell-2");
    scene_do(s, "allow @device publish site/%%{site}/%%u/up");
    scene_do(s, "allow @device publish by-client/%%c/up");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "c-7", .version = 5));
    assert_int_equal(client_publish(pump, "site/kiel/pump-7/up", "yes", 1), 0);
    assert_int_equal(client_publish(pump, "by-client/c-7/up", "yes", 1), 0);
    assert_int_equal(client_publish(pump, "site/kiel/lamp-1/up", "no", 1), 0x87);
    assert_int_equal(client_publish(pump, "site/bonn/pump-7/up", "no", 1), 0x87);
    assert_int_equal(client_publish(pump, "by-client/c-8/up", "no", 1), 0x87);
    struct client *lamp = scene_accept(s, LOGIN(.user = "lamp-1", .id = "a+b/#", .version = 5));
    assert_int_equal(client_publish(lamp, "site/kiel/lamp-1/up", "no", 1), 0x87);
    assert_int_equal(client_publish(lamp, "by-client/x/up", "no", 1), 0x87);
    struct client *bell = scene_accept(s, LOGIN(.user = "bell-2", .version = 5));
    assert_int_equal(client_publish(bell, "site//bell-2/up", "no", 1), 0x87);
    assert_int_equal(client_publish(bell, "site/%{site}/bell-2/up", "no", 1), 0x87);
}

static void a_client_does_not_slip_from_under_a_deny_by_its_client_id(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_do(s, "allow pump-7 publish by/#");
    scene_do(s, "deny pump-7 publish by/%%c/up");
    struct client *plain = scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .version = 5));
    assert_int_equal(client_publish(plain, "by/p/up", "no", 1), 0x87);
    assert_int_equal(client_publish(plain, "by/q/up", "yes", 1), 0);
    struct client *odd = scene_accept(s, LOGIN(.user = "pump-7", .id = "p/+", .version = 5));
    assert_int_equal(client_publish(odd, "by/p/up", "no", 1), 0x87);
    assert_int_equal(client_publish(odd, "by/p/down", "yes", 1), 0);
}

static void the_dollar_topics_need_a_rule_of_their_own(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "hall");
    scene_do(s, "allow hall all #");
    struct client *hall = scene_accept(s, LOGIN(.user = "hall", .version = 5));
    assert_int_equal(client_subscribe(hall, "#", 0), 0);
    assert_int_equal(client_subscribe(hall, "$SYS/#", 0), 0x87);
    assert_int_equal(client_subscribe(hall, "$SYS/broker/version", 0), 0x87);
    assert_int_equal(client_subscribe(hall, "$CONTROL/#", 0), 0x87);
    assert_int_equal(client_publish(hall, "$SYS/broker/connection/x/state", "1", 1), 0x87);
    assert_int_equal(client_publish(hall, "$CONTROL/dynamic-security/v1", "{}", 1), 0x87);
    assert_int_equal(client_publish(hall, "$mine/x", "no", 1), 0x87);
    scene_do(s, "allow hall subscribe $SYS/broker/version");
    struct client *other = scene_accept(s, LOGIN(.user = "hall", .version = 5));
    assert_int_equal(client_subscribe(other, "$SYS/#", 0), 0x87);
    assert_int_equal(client_subscribe(other, "$SYS/broker/version", 0), 0);
    struct message *message = client_next(other);
    assert_string_equal(message->topic, "$SYS/broker/version");
    message_free(message);
}

static void an_unsubscribe_is_always_allowed(void **state)
{
    struct scene *s = *state;
    start_with_pump_and_hall(s);
    struct client *hall = scene_device(s, "hall"), *pump = scene_device(s, "pump-7");
    assert_int_equal(client_subscribe(hall, "a/#", 0), 0);
    assert_int_equal(client_subscribe(hall, "b/#", 0), 0);
    scene_do(s, "unset hall subscribe a/#");
    client_unsubscribe(hall, "a/#");
    scene_do(s, "allow hall subscribe a/#");
    scene_do(s, "allow pump-7 publish b/c");
    assert_int_equal(client_publish(pump, "a/b", "unsubscribed", 1), 0);
    assert_int_equal(client_publish(pump, "b/c", "subscribed", 1), 0);
    client_expect(hall, "b/c", "subscribed");
}

static void long_and_odd_topics_are_judged_as_any_other(void **state)
{
    enum { LONG = 60000 };
    struct scene *s = *state;
    char *topic = malloc(LONG + 1);
    check(topic != NULL);
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    memset(topic, 'x', LONG);
    topic[LONG] = '\0';
    assert_int_equal(client_publish(pump, topic, "no", 1), 0x87);
    memcpy(topic, "devices/pump-7/", 15);
    assert_int_equal(client_publish(pump, topic, "yes", 1), 0);
    free(topic);
    assert_int_equal(client_publish(pump, "devices/pump-7", "yes", 1), 0);
    assert_int_equal(client_publish(pump, "devices/pump-7/", "yes", 1), 0);
    assert_int_equal(client_publish(pump, "devices/pump-7//", "yes", 1), 0);
    assert_int_equal(client_publish(pump, "/devices/pump-7/x", "no", 1), 0x87);
    assert_int_equal(client_publish(pump, "devices//pump-7/x", "no", 1), 0x87);
    assert_int_equal(client_publish(pump, "/", "no", 1), 0x87);
}

static void every_one_of_many_rules_is_heeded(void **state)
{
    struct scene *s = *state;
    char topic[32];
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    for (int i = 0; i < 50; i++)
        scene_do(s, "%s pump-7 publish r/%d/+", i % 2 == 0 ? "allow" : "deny", i);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    for (int i = 0; i < 50; i++) {
        check(snprintf(topic, sizeof topic, "r/%d/x", i) > 0);
        assert_int_equal(client_publish(pump, topic, "?", 1), i % 2 == 0 ? 0 : 0x87);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_forbidden_publish_is_dropped_and_the_client_stays),
        SCENE_TEST(a_new_device_has_its_own_tree_and_nothing_else),
        SCENE_TEST(a_refused_subscription_says_so),
        SCENE_TEST(a_subscription_has_to_be_covered_and_not_just_matched),
        SCENE_TEST(what_a_deny_cuts_out_of_a_subscription_is_not_delivered),
        SCENE_TEST(a_deny_wins_whatever_came_first),
        SCENE_TEST(a_variable_stands_for_its_value_and_never_for_syntax),
        SCENE_TEST(a_client_does_not_slip_from_under_a_deny_by_its_client_id),
        SCENE_TEST(the_dollar_topics_need_a_rule_of_their_own),
        SCENE_TEST(an_unsubscribe_is_always_allowed),
        SCENE_TEST(long_and_odd_topics_are_judged_as_any_other),
        SCENE_TEST(every_one_of_many_rules_is_heeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
