/* test_live.c - a changed rule holds for the next message: when the command has returned, what
 * comes after it is judged by the new rules, with no connection closed. */
#include "scene.h"

enum { FLIPS = 100 };

static void start_with_pump(struct scene *s)
{
    scene_start(s, CONF);
    scene_add(s, "pump-7");
}

static void a_device_rule_holds_for_the_next_publish(void **state)
{
    struct scene *s = *state;
    start_with_pump(s);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    assert_int_equal(client_publish(pump, "a/b", "no", 1), 0x87);
    scene_do(s, "allow pump-7 publish a/b");
    assert_int_equal(client_publish(pump, "a/b", "yes", 1), 0);
    scene_do(s, "deny pump-7 publish a/b");
    assert_int_equal(client_publish(pump, "a/b", "no", 1), 0x87);
    scene_do(s, "unset pump-7 publish a/b");
    assert_int_equal(client_publish(pump, "a/b", "no", 1), 0x87);
    scene_do(s, "allow pump-7 all a/#");
    assert_int_equal(client_publish(pump, "a/b", "yes", 1), 0);
    scene_do(s, "unset pump-7 all a/#");
    assert_int_equal(client_publish(pump, "a/b", "no", 1), 0x87);
}

static void a_role_rule_holds_for_the_next_publish(void **state)
{
    struct scene *s = *state;
    start_with_pump(s);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    scene_do(s, "role add writer");
    scene_do(s, "allow @writer publish w/#");
    assert_int_equal(client_publish(pump, "w/x", "no", 1), 0x87);
    scene_do(s, "set pump-7 --add-role writer");
    assert_int_equal(client_publish(pump, "w/x", "yes", 1), 0);
    scene_do(s, "deny @writer publish w/x");
    assert_int_equal(client_publish(pump, "w/x", "no", 1), 0x87);
    assert_int_equal(client_publish(pump, "w/y", "yes", 1), 0);
    scene_do(s, "unset @writer publish w/x");
    assert_int_equal(client_publish(pump, "w/x", "yes", 1), 0);
    scene_do(s, "set pump-7 --remove-role writer");
    assert_int_equal(client_publish(pump, "w/x", "no", 1), 0x87);
    scene_do(s, "role remove writer");
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "yes", 1), 0);
}

static void a_role_rule_changes_all_who_hold_the_role(void **state)
{
    struct scene *s = *state;
    start_with_pump(s);
    scene_add(s, "lamp-1");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    struct client *lamp = scene_accept(s, LOGIN(.user = "lamp-1", .version = 5));
    assert_int_equal(client_publish(pump, "common/x", "no", 1), 0x87);
    assert_int_equal(client_publish(lamp, "common/x", "no", 1), 0x87);
    scene_do(s, "allow @device publish common/#");
    assert_int_equal(client_publish(pump, "common/x", "yes", 1), 0);
    assert_int_equal(client_publish(lamp, "common/x", "yes", 1), 0);
    scene_do(s, "deny lamp-1 publish common/#");
    assert_int_equal(client_publish(pump, "common/x", "yes", 1), 0);
    assert_int_equal(client_publish(lamp, "common/x", "no", 1), 0x87);
}

static void an_attribute_holds_for_the_next_publish(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7 --set site=kiel");
    scene_do(s, "allow pump-7 publish site/%%{site}/x");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    assert_int_equal(client_publish(pump, "site/kiel/x", "yes", 1), 0);
    scene_do(s, "set pump-7 --set site=bonn");
    assert_int_equal(client_publish(pump, "site/kiel/x", "no", 1), 0x87);
    assert_int_equal(client_publish(pump, "site/bonn/x", "yes", 1), 0);
    scene_do(s, "set pump-7 --unset site");
    assert_int_equal(client_publish(pump, "site/bonn/x", "no", 1), 0x87);
}

static void a_rule_holds_for_the_next_delivery(void **state)
{
    struct scene *s = *state;
    start_with_pump(s);
    scene_add(s, "hall");
    scene_do(s, "allow pump-7 publish a/#");
    scene_do(s, "allow hall subscribe a/#");
    struct client *pump = scene_device(s, "pump-7"), *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "a/#", 1), 1);
    assert_int_equal(client_publish(pump, "a/b", "first", 1), 0);
    client_expect(hall, "a/b", "first");
    scene_do(s, "deny hall subscribe a/b");
    assert_int_equal(client_publish(pump, "a/b", "hidden", 1), 0);
    scene_do(s, "unset hall subscribe a/b");
    assert_int_equal(client_publish(pump, "a/b", "second", 1), 0);
    client_expect(hall, "a/b", "second");
    scene_do(s, "unset hall subscribe a/#");
    assert_int_equal(client_publish(pump, "a/b", "hidden", 1), 0);
    scene_do(s, "allow hall subscribe a/b");
    assert_int_equal(client_publish(pump, "a/b", "third", 1), 0);
    client_expect(hall, "a/b", "third");
}

static void a_rule_holds_for_the_next_subscription(void **state)
{
    struct scene *s = *state;
    start_with_pump(s);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    assert_int_equal(client_subscribe(pump, "a/b", 0), 0x87);
    scene_do(s, "allow pump-7 subscribe a/+");
    assert_int_equal(client_subscribe(pump, "a/b", 0), 0);
    scene_do(s, "deny pump-7 subscribe a/#");
    assert_int_equal(client_subscribe(pump, "a/b", 0), 0x87);
}

static void a_hundred_flips_of_a_rule_are_each_heeded_by_the_next_publish(void **state)
{
    struct scene *s = *state;
    start_with_pump(s);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    for (int i = 0; i < FLIPS; i++) {
        scene_do(s, "%s pump-7 publish a/b", i % 2 == 0 ? "allow" : "deny");
        assert_int_equal(client_publish(pump, "a/b", "?", 1), i % 2 == 0 ? 0 : 0x87);
    }
}

static void a_hundred_flips_of_a_role_are_each_heeded_by_the_next_delivery(void **state)
{
    struct scene *s = *state;
    char payload[16];
    start_with_pump(s);
    scene_add(s, "hall");
    scene_do(s, "allow pump-7 publish a/#");
    scene_do(s, "allow @device subscribe a/#");
    struct client *pump = scene_device(s, "pump-7"), *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "a/#", 1), 1);
    for (int i = 0; i < FLIPS; i++) {
        check(snprintf(payload, sizeof payload, "%d", i) > 0);
        scene_do(s, "%s @device subscribe a/b", i % 2 == 0 ? "deny" : "allow");
        assert_int_equal(client_publish(pump, "a/b", payload, 1), 0);
        if (i % 2 != 0)
            client_expect(hall, "a/b", payload);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_device_rule_holds_for_the_next_publish),
        SCENE_TEST(a_role_rule_holds_for_the_next_publish),
        SCENE_TEST(a_role_rule_changes_all_who_hold_the_role),
        SCENE_TEST(an_attribute_holds_for_the_next_publish),
        SCENE_TEST(a_rule_holds_for_the_next_delivery),
        SCENE_TEST(a_rule_holds_for_the_next_subscription),
        SCENE_TEST(a_hundred_flips_of_a_rule_are_each_heeded_by_the_next_publish),
        SCENE_TEST(a_hundred_flips_of_a_role_are_each_heeded_by_the_next_delivery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
