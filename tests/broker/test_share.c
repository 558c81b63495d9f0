/* test_share.c - shared subscriptions: "$share/<group>/<filter>" is judged as <filter>. */
#include "scene.h"

static void start_with_pump_and_hall(struct scene *s)
{
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow pump-7 publish a/#");
    scene_do(s, "allow hall subscribe a/+");
}

static void a_shared_subscription_is_judged_as_its_filter(void **state)
{
    struct scene *s = *state;
    start_with_pump_and_hall(s);
    struct client *hall = scene_accept(s, LOGIN(.user = "hall", .version = 5));
    struct client *v4 = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "$share/g/a/#", 1), 0x87);
    assert_int_equal(client_subscribe(hall, "$share/g/#", 1), 0x87);
    assert_int_equal(client_subscribe(hall, "$share/g/b/c", 1), 0x87);
    assert_int_equal(client_subscribe(hall, "$share/a/+", 1), 0x87);
    assert_int_equal(client_subscribe(v4, "$share/g/#", 1), SUBACK_FAILED);
    assert_int_equal(client_subscribe(hall, "$share/g/a/+", 1), 1);
    assert_int_equal(client_subscribe(v4, "$share/g2/a/b", 1), 1);
    struct client *pump = scene_device(s, "pump-7");
    assert_int_equal(client_publish(pump, "a/b/c", "too deep", 1), 0);
    assert_int_equal(client_publish(pump, "a/b", "shared", 1), 0);
    client_expect(hall, "a/b", "shared");
    client_expect(v4, "a/b", "shared");
}

static void what_a_deny_cuts_out_is_not_delivered_through_a_share(void **state)
{
    struct scene *s = *state;
    start_with_pump_and_hall(s);
    scene_do(s, "deny hall subscribe a/secret");
    struct client *hall = scene_device(s, "hall"), *pump = scene_device(s, "pump-7");
    assert_int_equal(client_subscribe(hall, "$share/g/a/secret", 1), SUBACK_FAILED);
    assert_int_equal(client_subscribe(hall, "$share/g/a/+", 1), 1);
    assert_int_equal(client_publish(pump, "a/secret", "no", 1), 0);
    assert_int_equal(client_publish(pump, "a/open", "yes", 1), 0);
    client_expect(hall, "a/open", "yes");
}

/* 2.0.11 asks the plugin about some of these and later brokers end the connection: either way
 * nobody is subscribed. */
static void a_malformed_share_subscribes_nobody(void **state)
{
    static const char *const filters[] = {"$share",      "$share/",      "$share/g", "$share/g/",
                                          "$share//a/+", "$share/+/a/+", "$share/#"};
    struct scene *s = *state;
    start_with_pump_and_hall(s);
    scene_do(s, "allow hall subscribe #");
    struct client *pump = scene_device(s, "pump-7");
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        struct client *hall = scene_accept(s, LOGIN(.user = "hall", .version = 5));
        int answer = client_subscribe(hall, filters[i], 0);
        if (answer != UNANSWERED && answer < 0x80)
            fail_msg("%s is granted with %d", filters[i], answer);
    }
    assert_int_equal(client_publish(pump, "a/b", "still there", 1), 0);
    client_expect_alive(scene_device(s, "hall"));
}

static void a_member_that_is_cut_off_leaves_its_share(void **state)
{
    struct scene *s = *state;
    start_with_pump_and_hall(s);
    scene_add(s, "hall-2");
    scene_do(s, "allow hall-2 subscribe a/+");
    struct client *first = scene_device(s, "hall"), *second = scene_device(s, "hall-2");
    struct client *pump = scene_device(s, "pump-7");
    assert_int_equal(client_subscribe(first, "$share/g/a/+", 1), 1);
    assert_int_equal(client_subscribe(second, "$share/g/a/+", 1), 1);
    scene_do(s, "revoke hall");
    client_expect_gone(first);
    client_sync(pump); /* 2.1 clears up after a closed connection in its next turn */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(client_publish(pump, "a/b", "for the other", 1), 0);
        client_expect(second, "a/b", "for the other");
    }
    assert_null(first->messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_shared_subscription_is_judged_as_its_filter),
        SCENE_TEST(what_a_deny_cuts_out_is_not_delivered_through_a_share),
        SCENE_TEST(a_malformed_share_subscribes_nobody),
        SCENE_TEST(a_member_that_is_cut_off_leaves_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
