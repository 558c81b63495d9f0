/* test_session.c - persistent sessions: what waits in them, and whom it is given to. */
#include "scene.h"

/* pump-7 has a session "p" that listens to cmd/#, and is away; hall may publish there. */
static struct client *start_with_session(struct scene *s, int version)
{
    scene_start(s, CONF_PERSISTENCE CONF);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow pump-7 subscribe cmd/#");
    scene_do(s, "allow hall publish cmd/#");
    struct client *pump =
        scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true, .version = version));
    assert_int_equal(client_subscribe(pump, "cmd/#", 1), 1);
    client_disconnect(pump);
    return scene_device(s, "hall");
}

static struct client *resume(struct scene *s)
{
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true));
    check(pump->session_present);
    return pump;
}

static void queue(struct client *hall, const char *payload)
{
    assert_int_equal(client_publish(hall, "cmd/x", payload, 1), 0);
}

static void what_waited_is_delivered_when_the_device_is_back(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_session(s, 4);
    queue(hall, "1");
    queue(hall, "2");
    struct client *pump = resume(s);
    client_expect(pump, "cmd/x", "1");
    client_expect(pump, "cmd/x", "2");
    queue(hall, "3");
    client_expect(pump, "cmd/x", "3");
}

static void an_mqtt_5_session_is_kept_too(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_session(s, 5);
    queue(hall, "1");
    struct client *pump =
        scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true, .version = 5));
    check(pump->session_present);
    client_expect(pump, "cmd/x", "1");
}

static void what_waited_is_delivered_after_a_restart_of_the_broker(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_session(s, 4);
    queue(hall, "1");
    broker_restart(&s->broker);
    hall = scene_device(s, "hall");
    queue(hall, "2");
    struct client *pump = resume(s);
    client_expect(pump, "cmd/x", "1");
    client_expect(pump, "cmd/x", "2");
}

/* `restart` stands for everything that a broker forgets. */
static void session_denied(struct scene *s, const char *command, bool restart)
{
    struct client *hall = start_with_session(s, 4);
    queue(hall, "before");
    scene_do(s, "%s", command);
    if (restart) {
        broker_restart(&s->broker);
        hall = scene_device(s, "hall");
    }
    queue(hall, "after");
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true));
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true, .version = 5));
}

static void the_session_of_a_revoked_device_cannot_be_resumed(void **state)
{
    session_denied(*state, "revoke pump-7", false);
}

static void the_session_of_a_revoked_device_cannot_be_resumed_after_a_restart(void **state)
{
    session_denied(*state, "revoke pump-7", true);
}

static void nothing_is_queued_for_a_disabled_device(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_session(s, 4);
    scene_do(s, "disable pump-7");
    queue(hall, "while it is disabled");
    broker_restart(&s->broker);
    hall = scene_device(s, "hall");
    queue(hall, "while it is disabled");
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true));
    scene_do(s, "enable pump-7");
    queue(hall, "when it is enabled");
    client_expect(resume(s), "cmd/x", "when it is enabled");
}

static void what_waited_is_not_delivered_where_no_rule_allows_it_any_more(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_session(s, 4);
    assert_int_equal(client_publish(hall, "cmd/secret", "no", 1), 0);
    queue(hall, "yes");
    scene_do(s, "deny pump-7 subscribe cmd/secret");
    client_expect(resume(s), "cmd/x", "yes");
}

static void a_device_that_is_added_again_gets_what_its_own_rules_allow(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_session(s, 4);
    queue(hall, "for the device that was removed");
    scene_do(s, "remove pump-7");
    queue(hall, "for nobody");
    scene_add(s, "pump-7");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true));
    queue(hall, "for nobody either");
    assert_int_equal(client_subscribe(pump, "devices/pump-7/#", 1), 1);
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "its own", 1), 0);
    client_expect(pump, "devices/pump-7/x", "its own");
    client_expect_none(pump);
}

static void the_session_of_a_removed_device_gets_nothing_after_a_restart(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_session(s, 4);
    queue(hall, "for the device that was removed");
    scene_do(s, "remove pump-7");
    broker_restart(&s->broker);
    hall = scene_device(s, "hall");
    queue(hall, "for nobody");
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true));
    scene_add(s, "pump-7");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true));
    assert_int_equal(client_subscribe(pump, "devices/pump-7/#", 1), 1);
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "its own", 1), 0);
    client_expect(pump, "devices/pump-7/x", "its own");
}

static void a_device_cut_off_while_connected_does_not_find_its_messages_later(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_session(s, 4);
    struct client *pump = resume(s);
    scene_do(s, "disable pump-7");
    queue(hall, "while it is disabled");
    client_expect_gone(pump);
    assert_null(pump->messages);
    queue(hall, "while it is disabled");
    scene_do(s, "enable pump-7");
    pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true));
    assert_int_equal(client_subscribe(pump, "cmd/#", 1), 1);
    queue(hall, "when it is enabled");
    client_expect(pump, "cmd/x", "when it is enabled");
}

static void a_session_is_judged_after_a_restart_before_its_device_has_logged_in(void **state)
{
    struct scene *s = *state;
    (void)start_with_session(s, 4);
    broker_restart(&s->broker);
    struct client *hall = scene_device(s, "hall");
    queue(hall, "1");
    scene_do(s, "deny pump-7 subscribe cmd/x");
    queue(hall, "2");
    scene_do(s, "unset pump-7 subscribe cmd/x");
    queue(hall, "3");
    struct client *pump = resume(s);
    client_expect(pump, "cmd/x", "1");
    client_expect(pump, "cmd/x", "3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_waited_is_delivered_when_the_device_is_back),
        SCENE_TEST(an_mqtt_5_session_is_kept_too),
        SCENE_TEST(what_waited_is_delivered_after_a_restart_of_the_broker),
        SCENE_TEST(the_session_of_a_revoked_device_cannot_be_resumed),
        SCENE_TEST(the_session_of_a_revoked_device_cannot_be_resumed_after_a_restart),
        SCENE_TEST(nothing_is_queued_for_a_disabled_device),
        SCENE_TEST(what_waited_is_not_delivered_where_no_rule_allows_it_any_more),
        SCENE_TEST(a_device_that_is_added_again_gets_what_its_own_rules_allow),
        SCENE_TEST(the_session_of_a_removed_device_gets_nothing_after_a_restart),
        SCENE_TEST(a_device_cut_off_while_connected_does_not_find_its_messages_later),
        SCENE_TEST(a_session_is_judged_after_a_restart_before_its_device_has_logged_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
