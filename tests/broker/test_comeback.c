/* test_comeback.c - devices and sessions that come back after a change, as themselves or as others.
 */
#include <stdio.h>

#include "scene.h"
#include "watch.h"

#define CONF_ANONYMOUS "allow_anonymous true\n"

static void start_with_hall(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe devices/#");
    scene_do(s, "allow hall publish devices/#");
}

/* The publish of a device that was removed and added again reaches nobody over its old connection.
 */
static void a_device_that_was_added_again_is_another_one_for_its_old_connection(void **state)
{
    struct scene *s = *state;
    start_with_hall(s, CONF);
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devices/#", 1), 1);
    struct client *pump = scene_accept(
        s, LOGIN(.user = "pump-7", .will_topic = "devices/pump-7/will", .will = "gone"));
    client_sync(pump);
    scene_do(s, "remove pump-7");
    scene_add(s, "pump-7");
    client_send(pump, "devices/pump-7/x", "of the old one", 0);
    client_expect_gone(pump);
    assert_int_equal(client_publish(hall, "devices/marker", "1", 1), 0);
    client_expect(hall, "devices/marker", "1");
    client_expect_alive(scene_device(s, "pump-7"));
}

/* pump-7 has a session "mine" with a subscription. */
static struct client *open_session(struct scene *s)
{
    struct client *pump =
        scene_accept(s, LOGIN(.user = "pump-7", .id = "mine", .persistent = true));
    assert_int_equal(client_subscribe(pump, "devices/pump-7/cmd", 1), 1);
    return pump;
}

/* It comes back to its session and is handed what is sent. */
static void expect_session_works(struct scene *s)
{
    struct client *hall = scene_device(s, "hall");
    struct client *pump =
        scene_accept(s, LOGIN(.user = "pump-7", .id = "mine", .persistent = true));
    check(pump->session_present);
    assert_int_equal(client_publish(hall, "devices/pump-7/cmd", "go", 1), 0);
    client_expect(pump, "devices/pump-7/cmd", "go");
}

static void a_session_keeps_its_subscriptions_over_a_new_key(void **state)
{
    struct scene *s = *state;
    start_with_hall(s, CONF);
    struct client *pump = open_session(s);
    (void)scene_rotate(s, "pump-7 --grace 0");
    client_expect_gone(pump);
    expect_session_works(s);
}

static void a_session_keeps_its_subscriptions_while_its_device_is_disabled(void **state)
{
    struct scene *s = *state;
    start_with_hall(s, CONF);
    struct client *pump = open_session(s);
    scene_do(s, "disable pump-7");
    client_expect_gone(pump);
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "mine", .persistent = true));
    scene_do(s, "enable pump-7");
    expect_session_works(s);
}

/* An offline session of a client without a name, whose id a device got later: SIGHUP asks about it,
 * and 2.0 would corrupt its memory over a denial. */
static void a_reload_leaves_the_offline_session_of_an_anonymous_client_alone(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_ANONYMOUS CONF);
    scene_add(s, "hall");
    client_disconnect(scene_accept(s, LOGIN(.id = "pump-7", .version = 5, .persistent = true)));
    scene_add(s, "pump-7");
    for (int i = 0; i < 3; i++) {
        broker_reload(&s->broker);
        client_expect_alive(scene_device(s, "hall"));
    }
    assert_int_equal(broker_log_count(&s->broker, "client_id_of_another"), 0);
    scene_refuse(s, LOGIN(.id = "pump-7", .version = 5));
}

/* An import brings the secret along that its keys are hashed under. */
static void imported_keys_work_while_the_broker_runs(void **state)
{
    struct scene *s = *state;
    char old[BROKER_PATH_MAX + 8];
    start_with_hall(s, CONF);
    scene_do(s, "export --with-hashes %s/fleet.jsonl", s->dir);
    broker_stop(&s->broker);
    check(snprintf(old, sizeof old, "%s/old", s->dir) > 0);
    assert_int_equal(rename(s->registry, old), 0);
    scene_make_registry(s);
    broker_start(&s->broker);
    scene_refuse(s, LOGIN(.user = "pump-7"));
    scene_do(s, "import %s/fleet.jsonl", s->dir);
    client_expect_alive(scene_device(s, "pump-7"));
}

static void an_import_tells_nothing_of_other_devices(void **state)
{
    struct scene *s = *state;
    start_with_hall(s, CONF);
    client_disconnect(scene_device(s, "pump-7"));
    struct client *watch = watch_open(s, "pump-7");
    (void)watch_until(watch, false);
    scene_write(s, "one.jsonl",
                "{\"devreg_export\":1,\"hashes\":false}\n{\"device\":\"lamp-9\",\"roles\":[]}",
                0600);
    scene_do(s, "import %s/one.jsonl", s->dir);
    client_disconnect(scene_device(s, "pump-7")); /* the next that is told */
    check(watch_next(watch).conn == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_device_that_was_added_again_is_another_one_for_its_old_connection),
        SCENE_TEST(a_session_keeps_its_subscriptions_over_a_new_key),
        SCENE_TEST(a_session_keeps_its_subscriptions_while_its_device_is_disabled),
        SCENE_TEST(a_reload_leaves_the_offline_session_of_an_anonymous_client_alone),
        SCENE_TEST(imported_keys_work_while_the_broker_runs),
        SCENE_TEST(an_import_tells_nothing_of_other_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
