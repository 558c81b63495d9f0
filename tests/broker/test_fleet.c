/* test_fleet.c - export, import and apply beside a broker that runs: who is cut off, who stays. */
#include <stdio.h>
#include <string.h>

#include "deadline.h"
#include "scene.h"
#include "watch.h"

enum { HEAP = 450 /* more than apply names one by one: admin/apply_store.c */, TEXT_MAX = 1 << 20 };

static char text[TEXT_MAX + 1];

/* What `devreg export` says is in `text`. */
static void export_text(struct scene *s)
{
    scene_do(s, "export");
    check(s->answer.out_size <= TEXT_MAX);
    memcpy(text, s->answer.out, s->answer.out_size);
    text[s->answer.out_size] = '\0';
}

/* Where the device's line begins. */
static char *line_of(const char *device)
{
    char begins[200];
    check(snprintf(begins, sizeof begins, "{\"device\":\"%s\"", device) > 0);
    char *line = strstr(text, begins);
    check(line != NULL);
    return line;
}

/* In the line at `at` the first `from` becomes `to`. */
static void replace(char *at, const char *from, const char *to)
{
    char *found = strstr(at, from);
    check(found && found < strchr(at, '\n') && strlen(text) + strlen(to) <= TEXT_MAX);
    memmove(found + strlen(to), found + strlen(from), strlen(found + strlen(from)) + 1);
    memcpy(found, to, strlen(to));
}

static void drop_line(const char *device)
{
    char *line = line_of(device), *next = strchr(line, '\n') + 1;
    memmove(line, next, strlen(next) + 1);
}

static void apply_text(struct scene *s)
{
    scene_write(s, "fleet", text, 0600);
    scene_do(s, "apply %s/fleet --prune --yes", s->dir);
}

/* HEAP devices more, which nobody uses. */
static void add_heap(struct scene *s)
{
    scene_make_registry(s);
    scene_do(s, "add --count %d --prefix heap- --no-key", HEAP);
}

static void change_heap(void)
{
    char device[32];
    for (int i = 1; i <= HEAP; i++) {
        check(snprintf(device, sizeof device, "heap-%d", i) > 0);
        replace(line_of(device), "\"note\":\"\"", "\"note\":\"changed\"");
    }
}

static void start(struct scene *s, struct client **pump, struct client **lamp)
{
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    *lamp = scene_accept(s, LOGIN(.user = "lamp-1", .version = 5));
    assert_int_equal(client_publish(*pump, "devices/pump-7/x", "1", 1), 0);
    assert_int_equal(client_publish(*lamp, "devices/lamp-1/x", "1", 1), 0);
}

static void expect_cut_off(struct scene *s, struct client *pump, struct client *lamp)
{
    client_expect_gone(pump);
    scene_refuse(s, LOGIN(.user = "pump-7"));
    client_expect_alive(lamp);
    assert_int_equal(client_publish(lamp, "devices/lamp-1/x", "2", 1), 0);
}

static void disable_in_text(void)
{
    replace(line_of("pump-7"), "\"enabled\"", "\"disabled\"");
}

static void what_a_file_disables_is_cut_off_and_nobody_else(void **state)
{
    struct scene *s = *state;
    struct client *pump, *lamp;
    start(s, &pump, &lamp);
    struct client *watch = watch_open(s, "pump-7");
    (void)watch_online(watch);
    export_text(s);
    disable_in_text();
    apply_text(s);
    expect_cut_off(s, pump, lamp);
    (void)watch_offline(watch, "disabled");
    replace(line_of("pump-7"), "\"disabled\"", "\"enabled\"");
    apply_text(s);
    client_expect_alive(scene_device(s, "pump-7"));
    client_expect_alive(lamp);
}

static void so_it_is_among_hundreds_of_changes(void **state)
{
    struct scene *s = *state;
    struct client *pump, *lamp;
    add_heap(s);
    start(s, &pump, &lamp);
    export_text(s);
    disable_in_text();
    change_heap();
    apply_text(s);
    expect_cut_off(s, pump, lamp);
}

static void what_a_file_does_not_name_is_removed_and_cut_off(void **state)
{
    struct scene *s = *state;
    struct client *pump, *lamp;
    start(s, &pump, &lamp);
    struct client *watch = watch_open(s, "pump-7");
    (void)watch_online(watch);
    export_text(s);
    drop_line("pump-7");
    apply_text(s);
    expect_cut_off(s, pump, lamp);
    watch_until_none(s, "pump-7");
}

static void so_is_one_among_hundreds_of_changes(void **state)
{
    struct scene *s = *state;
    struct client *pump, *lamp;
    add_heap(s);
    start(s, &pump, &lamp);
    struct client *watch = watch_open(s, "pump-7");
    (void)watch_online(watch);
    export_text(s);
    drop_line("pump-7");
    change_heap();
    apply_text(s);
    expect_cut_off(s, pump, lamp);
    watch_until_none(s, "pump-7");
}

static void rules_of_a_file_hold_at_once(void **state)
{
    struct scene *s = *state;
    struct client *pump, *lamp;
    start(s, &pump, &lamp);
    export_text(s);
    replace(strstr(text, "{\"role\":\"device\""), "allow all devices/%u/#", "allow all common/%u");
    replace(line_of("lamp-1"), "\"rules\":[]", "\"rules\":[\"allow publish devices/lamp-1/x\"]");
    apply_text(s);
    assert_int_equal(client_publish(pump, "devices/pump-7/x", "no", 1), 0x87);
    assert_int_equal(client_publish(pump, "common/pump-7", "yes", 1), 0);
    assert_int_equal(client_publish(lamp, "devices/lamp-1/x", "yes", 1), 0);
    client_expect_alive(pump);
    client_expect_alive(lamp);
}

/* The registry gives way to a new one. */
static void registry_anew(struct scene *s)
{
    char old[BROKER_PATH_MAX];
    check(path_join(old, sizeof old, s->dir, "/old"));
    assert_int_equal(rename(s->registry, old), 0);
    scene_make_registry(s);
}

static void keys_work_on_in_a_registry_that_was_imported(void **state)
{
    struct scene *s = *state;
    scene_make_registry(s);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    scene_do(s, "allow pump-7 publish plant/flow");
    scene_write(s, "password", "correct horse", 0600);
    scene_do(s, "add alice --password-file %s/password", s->dir);
    scene_remember(s, "alice", "correct horse");
    scene_do(s, "export --with-hashes %s/export", s->dir);
    registry_anew(s);
    scene_do(s, "import %s/export", s->dir);
    scene_start(s, CONF);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    assert_int_equal(client_publish(pump, "plant/flow", "1", 1), 0);
    client_expect_alive(scene_device(s, "lamp-1"));
    bool in; /* 2.0 may refuse a password while it is being checked */
    WAIT_UNTIL(in, scene_knock(s, LOGIN(.user = "alice")) == ACCEPTED);
    check(in);
    scene_refuse(s, LOGIN(.user = "pump-7", .key = scene_key(s, "lamp-1")));
    (void)scene_rotate(s, "pump-7");
    client_expect_alive(scene_device(s, "pump-7"));
}

static void without_hashes_they_do_not_until_there_are_new_ones(void **state)
{
    struct scene *s = *state;
    scene_make_registry(s);
    scene_add(s, "pump-7");
    scene_do(s, "export %s/export", s->dir);
    registry_anew(s);
    scene_do(s, "import %s/export", s->dir);
    scene_start(s, CONF);
    scene_refuse(s, LOGIN(.user = "pump-7"));
    const char *old = scene_rotate(s, "pump-7");
    client_expect_alive(scene_device(s, "pump-7"));
    scene_refuse(s, LOGIN(.user = "pump-7", .key = old));
}

/* The new key has the number of the old one. What came in with it may not go on as if it had come
 * in with the old one. */
static void a_key_that_gives_way_to_an_older_one_is_cut_off(void **state)
{
    struct scene *s = *state;
    scene_make_registry(s);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    char *old = test_malloc(SCENE_SECRET_MAX);
    snprintf(old, SCENE_SECRET_MAX, "%s", scene_key(s, "pump-7"));
    scene_do(s, "export --with-hashes %s/export", s->dir);
    scene_do(s, "remove pump-7");
    scene_add(s, "pump-7");
    scene_start(s, CONF);
    struct client *pump = scene_device(s, "pump-7"), *lamp = scene_device(s, "lamp-1");
    scene_refuse(s, LOGIN(.user = "pump-7", .key = old));
    scene_do(s, "apply %s/export", s->dir);
    expect_cut_off(s, pump, lamp);
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .key = old)));
    test_free(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_a_file_disables_is_cut_off_and_nobody_else),
        SCENE_TEST(so_it_is_among_hundreds_of_changes),
        SCENE_TEST(what_a_file_does_not_name_is_removed_and_cut_off),
        SCENE_TEST(so_is_one_among_hundreds_of_changes),
        SCENE_TEST(rules_of_a_file_hold_at_once),
        SCENE_TEST(keys_work_on_in_a_registry_that_was_imported),
        SCENE_TEST(without_hashes_they_do_not_until_there_are_new_ones),
        SCENE_TEST(a_key_that_gives_way_to_an_older_one_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
