/* test_changes.c - changes that the plugin meets in a heap: it does not read them one by one any
 * more, and still misses none. */
#include "scene.h"

enum { HEAP = 1050 /* more than the plugin reads one by one: DESIGN.md, section 2 */ };

/* Both online, the broker stopped. */
static void start_and_pause(struct scene *s, struct client **pump, struct client **lamp)
{
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    *lamp = scene_accept(s, LOGIN(.user = "lamp-1", .version = 5));
    assert_int_equal(client_publish(*pump, "devices/pump-7/x", "1", 1), 0);
    assert_int_equal(client_publish(*lamp, "devices/lamp-1/x", "1", 1), 0);
    broker_pause(&s->broker);
}

static void pile_up(struct scene *s)
{
    for (int i = 0; i < HEAP; i++)
        scene_do(s, "set lamp-1 --note %d", i);
}

static void expect_cut_off(struct scene *s, struct client *pump, struct client *lamp)
{
    client_send(pump, "devices/lamp-1/y", "no", 0);
    client_expect_gone(pump);
    scene_refuse(s, LOGIN(.user = "pump-7"));
    assert_int_equal(client_publish(lamp, "devices/lamp-1/x", "2", 1), 0);
    assert_int_equal(client_publish(lamp, "devices/pump-7/x", "2", 1), 0x87);
    client_expect_alive(lamp);
}

static void a_device_disabled_under_a_thousand_changes_is_cut_off(void **state)
{
    struct scene *s = *state;
    struct client *pump, *lamp;
    scene_start(s, CONF);
    start_and_pause(s, &pump, &lamp);
    scene_do(s, "disable pump-7");
    pile_up(s);
    broker_resume(&s->broker);
    expect_cut_off(s, pump, lamp);
}

static void a_device_removed_under_a_thousand_changes_is_cut_off(void **state)
{
    struct scene *s = *state;
    struct client *pump, *lamp;
    scene_start(s, CONF);
    start_and_pause(s, &pump, &lamp);
    pile_up(s);
    scene_do(s, "remove pump-7");
    broker_resume(&s->broker);
    expect_cut_off(s, pump, lamp);
}

static void a_rule_changed_under_a_thousand_changes_holds(void **state)
{
    struct scene *s = *state;
    struct client *pump, *lamp;
    scene_start(s, CONF);
    start_and_pause(s, &pump, &lamp);
    scene_do(s, "deny pump-7 publish devices/pump-7/x");
    scene_do(s, "allow @device publish common/#");
    pile_up(s);
    broker_resume(&s->broker);
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "no", 1), 0x87);
    assert_int_equal(client_publish(pump, "common/x", "yes", 1), 0);
    assert_int_equal(client_publish(lamp, "common/x", "yes", 1), 0);
    assert_int_equal(client_publish(lamp, "devices/lamp-1/x", "yes", 1), 0);
}

/* Writes what exports a registry with the device bulk-1 alone. */
static void prepare_import(struct scene *s)
{
    scene_make_registry(s);
    scene_do(s, "add bulk-1 --no-key");
    scene_do(s, "export");
    s->answer.out[s->answer.out_size - 1] = '\0'; /* the last line's end */
    scene_write(s, "export", s->answer.out, 0600);
    scene_do(s, "remove bulk-1");
}

static void a_change_beside_a_bulk_change_is_not_missed(void **state)
{
    struct scene *s = *state;
    struct client *pump, *lamp;
    prepare_import(s);
    scene_start(s, CONF);
    start_and_pause(s, &pump, &lamp);
    scene_do(s, "disable pump-7");
    scene_do(s, "import %s/export", s->dir);
    broker_resume(&s->broker);
    expect_cut_off(s, pump, lamp);
    scene_do(s, "enable pump-7");
    client_expect_alive(scene_device(s, "pump-7"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_device_disabled_under_a_thousand_changes_is_cut_off),
        SCENE_TEST(a_device_removed_under_a_thousand_changes_is_cut_off),
        SCENE_TEST(a_rule_changed_under_a_thousand_changes_holds),
        SCENE_TEST(a_change_beside_a_bulk_change_is_not_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
