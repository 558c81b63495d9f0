/* test_beside.c - devreg beside a password_file, an acl_file and anonymous clients. */
#include "accounts.h"
#include "scene.h"
#include "watch.h"

static void a_user_of_the_password_file_goes_on_as_before(void **state)
{
    struct scene *s = *state;
    accounts_write(s, "");
    scene_start(s, CONF CONF_ACCOUNTS);
    struct client *hans = scene_accept(s, LOGIN(HANS, .version = 5));
    assert_int_equal(client_subscribe(hans, "hans/#", 1), 1);
    assert_int_equal(client_publish(hans, "hans/x", "mine", 1), 0);
    client_expect(hans, "hans/x", "mine");
    assert_int_equal(client_publish(hans, "devices/pump-7/x", "no", 1), 0x87);
    scene_refuse(s, LOGIN(.user = "hans", .key = "wrong"));
    scene_refuse(s, LOGIN(.user = "hans", .key = NO_KEY));
    scene_refuse(s, LOGIN(.user = "greta", .key = "wrong"));
}

static void a_device_beside_a_password_file_has_its_own_rules_alone(void **state)
{
    struct scene *s = *state;
    accounts_write(s, "user pump-7\ntopic readwrite forbidden/#\n");
    scene_start(s, CONF CONF_ACCOUNTS);
    scene_add(s, "pump-7");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "yes", 1), 0);
    assert_int_equal(client_publish(pump, "forbidden/x", "no", 1), 0x87);
    assert_int_equal(client_subscribe(pump, "forbidden/#", 1), 0x87);
}

static void the_password_file_does_not_let_a_device_in(void **state)
{
    struct scene *s = *state;
    accounts_write(s, "");
    scene_start(s, CONF CONF_ACCOUNTS);
    scene_add(s, "pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7", .key = "pass-of-hans"));
    scene_do(s, "disable pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7", .key = "pass-of-hans"));
    scene_do(s, "revoke pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7", .key = "pass-of-hans"));
}

static void the_option_unknown_deny_keeps_all_but_devices_out(void **state)
{
    struct scene *s = *state;
    accounts_write(s, "");
    scene_start(s, CONF "plugin_opt_unknown deny\n" CONF_ACCOUNTS);
    scene_add(s, "pump-7");
    scene_refuse(s, LOGIN(HANS));
    scene_refuse(s, LOGIN(HANS, .version = 5));
    client_expect_alive(scene_device(s, "pump-7"));
}

static void a_user_of_the_password_file_does_not_write_where_devreg_does(void **state)
{
    struct scene *s = *state;
    accounts_write(s, "topic readwrite #\ntopic readwrite devreg/#\n");
    scene_start(s, CONF CONF_ACCOUNTS);
    scene_add(s, "pump-7");
    struct client *watch = watch_open(s, "pump-7");
    struct client *hans = scene_accept(s, LOGIN(HANS, .version = 5));
    assert_int_equal(client_publish(hans, "devreg/presence/pump-7", "forged", 1), 0x87);
    assert_int_equal(client_publish(hans, "devreg/x", "forged", 1), 0x87);
    client_drop(scene_accept(
        s, LOGIN(HANS, .id = "w", .will_topic = "devreg/presence/pump-7", .will = "forged")));
    (void)scene_device(s, "pump-7");
    (void)watch_online(watch);
    assert_int_equal(client_publish(hans, "anything/else", "fine", 1), 0);
}

static void a_user_of_the_password_file_hears_what_the_acl_file_allows(void **state)
{
    struct scene *s = *state;
    accounts_write(s, "topic read devices/#\n");
    scene_start(s, CONF CONF_ACCOUNTS);
    scene_add(s, "pump-7");
    struct client *hans = scene_accept(s, LOGIN(HANS));
    assert_int_equal(client_subscribe(hans, "devices/#", 1), 1);
    struct client *pump = scene_device(s, "pump-7");
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "hello", 1), 0);
    client_expect(hans, "devices/pump-7/x", "hello");
}

static void a_user_who_becomes_a_device_is_judged_as_one(void **state)
{
    struct scene *s = *state;
    accounts_write(s, "");
    scene_start(s, CONF CONF_ACCOUNTS);
    struct client *hans = scene_accept(s, LOGIN(HANS, .version = 5));
    assert_int_equal(client_publish(hans, "hans/x", "as a user", 1), 0);
    scene_do(s, "add hans --no-key");
    scene_refuse(s, LOGIN(HANS));
    assert_int_equal(client_publish(hans, "hans/x", "as a device", 1), 0x87);
}

static void a_removed_device_is_not_judged_by_the_acl_file_while_it_is_connected(void **state)
{
    struct scene *s = *state;
    accounts_write(s, "topic readwrite #\nuser pump-7\ntopic readwrite #\n");
    scene_start(s, CONF CONF_ACCOUNTS);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe devices/#");
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devices/#", 1), 1);
    for (int i = 0; i < 20; i++) {
        struct client *pump = scene_device(s, "pump-7");
        scene_do(s, "remove pump-7");
        client_send(pump, "devices/pump-7/x", "after", 1);
        assert_int_equal(client_publish(hall, "devices/hall/marker", "1", 1), 0);
        client_expect(hall, "devices/hall/marker", "1");
        client_expect_gone(pump);
        scene_add(s, "pump-7");
    }
}

static void an_anonymous_client_is_refused_unless_mosquitto_allows_it(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF "plugin_opt_anonymous_role device\n");
    scene_refuse(s, LOGIN(.id = "guest"));
    scene_refuse(s, LOGIN(.id = "guest", .version = 5));
}

static void an_anonymous_client_may_do_nothing_without_a_role(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF "allow_anonymous true\n");
    struct client *guest = scene_accept(s, LOGIN(.id = "guest", .version = 5));
    assert_int_equal(client_publish(guest, "a/b", "no", 1), 0x87);
    assert_int_equal(client_publish(guest, "devices/guest/x", "no", 1), 0x87);
    assert_int_equal(client_subscribe(guest, "#", 1), 0x87);
    assert_int_equal(client_subscribe(guest, "$SYS/#", 1), 0x87);
}

static void an_anonymous_client_has_the_rules_of_its_role(void **state)
{
    struct scene *s = *state;
    scene_make_registry(s);
    scene_do(s, "role add guest");
    scene_do(s, "allow @guest subscribe public/#");
    scene_do(s, "allow @guest publish guests/%%c/#");
    scene_do(s, "allow @guest publish devreg/#");
    scene_start(s, CONF "plugin_opt_anonymous_role guest\nallow_anonymous true\n");
    struct client *guest = scene_accept(s, LOGIN(.id = "guest-1", .version = 5));
    assert_int_equal(client_subscribe(guest, "public/#", 1), 1);
    assert_int_equal(client_publish(guest, "guests/guest-1/hello", "yes", 1), 0);
    assert_int_equal(client_publish(guest, "guests/guest-2/hello", "no", 1), 0x87);
    assert_int_equal(client_publish(guest, "public/x", "no", 1), 0x87);
    assert_int_equal(client_publish(guest, "devreg/presence/x", "no", 1), 0x87);
    scene_do(s, "allow @guest publish public/#");
    assert_int_equal(client_publish(guest, "public/x", "now it may", 1), 0);
    client_expect(guest, "public/x", "now it may");
    scene_do(s, "deny @guest subscribe public/x");
    assert_int_equal(client_publish(guest, "public/x", "unheard", 1), 0);
    assert_int_equal(client_publish(guest, "public/y", "heard", 1), 0);
    client_expect(guest, "public/y", "heard");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_user_of_the_password_file_goes_on_as_before),
        SCENE_TEST(a_device_beside_a_password_file_has_its_own_rules_alone),
        SCENE_TEST(the_password_file_does_not_let_a_device_in),
        SCENE_TEST(the_option_unknown_deny_keeps_all_but_devices_out),
        SCENE_TEST(a_user_of_the_password_file_does_not_write_where_devreg_does),
        SCENE_TEST(a_user_of_the_password_file_hears_what_the_acl_file_allows),
        SCENE_TEST(a_user_who_becomes_a_device_is_judged_as_one),
        SCENE_TEST(a_removed_device_is_not_judged_by_the_acl_file_while_it_is_connected),
        SCENE_TEST(an_anonymous_client_is_refused_unless_mosquitto_allows_it),
        SCENE_TEST(an_anonymous_client_may_do_nothing_without_a_role),
        SCENE_TEST(an_anonymous_client_has_the_rules_of_its_role),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
