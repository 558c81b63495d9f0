/* test_startup.c - what is wrong at the start is said in one line, and the broker does not start.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "scene.h"

/* One line of the log holds all three. */
static void expect_line(struct scene *s, const char *a, const char *b, const char *c)
{
    char line[1024];
    const char *at = broker_log(&s->broker);
    while (*at != '\0') {
        size_t size = strcspn(at, "\n");
        if (size < sizeof line) {
            memcpy(line, at, size);
            line[size] = '\0';
            if (strstr(line, a) != NULL && strstr(line, b) != NULL && strstr(line, c) != NULL)
                return;
        }
        at += size + (at[size] != '\0');
    }
    broker_show_log(&s->broker);
    fail_msg("no line says '%s', '%s' and '%s'", a, b, c);
}

static void expect_refusal(struct scene *s, const char *config)
{
    broker_configure(&s->broker, config);
    broker_refuses_start(&s->broker);
}

static void registry_path(struct scene *s, char path[static BROKER_PATH_MAX], const char *name)
{
    check(path_join(path, BROKER_PATH_MAX, s->registry, name));
}

static void a_missing_registry_is_named_with_the_way_to_make_one(void **state)
{
    struct scene *s = *state;
    expect_refusal(s, CONF);
    expect_line(s, "devreg", s->registry, "devreg init");
    check(mkdir(s->registry, 0755) == 0);
    expect_refusal(s, CONF);
    expect_line(s, "devreg", s->registry, "devreg init");
}

/* A slip in mosquitto.conf must not cost the registry, also where the broker could write it. */
static void a_registry_is_not_taken_for_a_presence_store(void **state)
{
    struct scene *s = *state;
    scene_make_registry(s);
    scene_add(s, "pump-7");
    check(chmod(s->registry, 0777) == 0);
    expect_refusal(s, CONF "plugin_opt_presence_store @DIR@/registry\n");
    expect_line(s, "devreg", "another kind", "plugin_opt_presence_store");
    check(chmod(s->registry, 0750) == 0);
    scene_do(s, "show pump-7");
}

static void a_registry_that_the_broker_may_not_read_is_named(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX];
    scene_make_registry(s);
    registry_path(s, path, "/data.mdb");
    check(chmod(path, 0) == 0);
    expect_refusal(s, CONF);
    expect_line(s, "devreg", s->registry, "");
    check(chmod(path, 0640) == 0);
    if (geteuid() == 0) {
        check(chmod(s->registry, 0700) == 0);
        expect_refusal(s, CONF);
        expect_line(s, "devreg", s->registry, "");
    }
}

static void a_presence_store_that_the_broker_may_not_write_is_named(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX];
    scene_make_registry(s);
    registry_path(s, path, "/presence/data.mdb");
    check(chmod(path, 0) == 0);
    expect_refusal(s, CONF);
    expect_line(s, "devreg", s->registry, "presence");
}

static void a_damaged_registry_is_named(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX];
    size_t size;
    scene_make_registry(s);
    scene_add(s, "pump-7");
    registry_path(s, path, "/data.mdb");
    uint8_t *sound = file_load(path, &size);
    for (enum damage damage = CUT_TO_NOTHING; damage <= METAS; damage++) {
        file_damage(path, damage);
        expect_refusal(s, CONF);
        expect_line(s, "devreg", s->registry, "");
        uint8_t *copy = malloc(size);
        check(copy != NULL);
        memcpy(copy, sound, size);
        file_store(path, copy, size);
    }
    free(sound);
    broker_start(&s->broker);
    client_expect_alive(scene_device(s, "pump-7"));
}

/* Flips a bit in each copy of the record under `key`, some way behind it. */
static void record_damage(const char *path, const char *key)
{
    enum { BEHIND = 20 };
    size_t size, found = 0;
    uint8_t *bytes = file_load(path, &size);
    for (size_t i = 0; i + strlen(key) + BEHIND < size; i++) {
        if (memcmp(bytes + i, key, strlen(key)) == 0) {
            bytes[i + strlen(key) + BEHIND] ^= 4;
            found++;
        }
    }
    check(found > 0);
    file_store(path, bytes, size);
}

static void a_damaged_device_is_denied_and_the_others_are_not(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX];
    scene_make_registry(s);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    registry_path(s, path, "/data.mdb");
    record_damage(path, "dpump-7");
    broker_configure(&s->broker, CONF);
    broker_start(&s->broker);
    scene_refuse(s, LOGIN(.user = "pump-7"));
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "pump-7"));
    client_expect_alive(scene_device(s, "lamp-1"));
}

static void a_damaged_role_allows_nothing(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX];
    scene_make_registry(s);
    scene_add(s, "pump-7");
    registry_path(s, path, "/data.mdb");
    record_damage(path, "rdevice");
    broker_configure(&s->broker, CONF);
    broker_start(&s->broker);
    struct client *pump = scene_connect(s, LOGIN(.user = "pump-7", .version = 5));
    if (pump->connack == ACCEPTED)
        assert_int_equal(client_publish(pump, "devices/pump-7/x", "no", 1), 0x87);
}

static void a_registry_of_a_later_devreg_is_named(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX];
    scene_make_registry(s);
    registry_path(s, path, "/data.mdb");
    store_make_newer(path);
    expect_refusal(s, CONF);
    expect_line(s, "devreg", s->registry, "newer");
}

static void an_option_that_is_wrong_is_named(void **state)
{
    static const struct {
        const char *lines, *option, *remedy;
    } wrong[] = {
        {"plugin_opt_registri /x\n", "plugin_opt_registri", "registry"},
        {"plugin_opt_Presence on\n", "plugin_opt_Presence", "presence"},
        {"plugin_opt_presence on\nplugin_opt_presence on\n", "plugin_opt_presence", "twice"},
        {"plugin_opt_presence on\nplugin_opt_presence off\n", "plugin_opt_presence", "twice"},
        {"plugin_opt_presence yes\n", "plugin_opt_presence", "on or off"},
        {"plugin_opt_presence on # please\n", "plugin_opt_presence", "on or off"},
        {"plugin_opt_unknown perhaps\n", "plugin_opt_unknown", "defer or deny"},
        {"plugin_opt_client_id own\n", "plugin_opt_client_id", "prefix"},
        {"plugin_opt_presence_format xml\n", "plugin_opt_presence_format", "json"},
        {"plugin_opt_presence_delay -1\n", "plugin_opt_presence_delay", "seconds"},
        {"plugin_opt_presence_delay 5m\n", "plugin_opt_presence_delay", "seconds"},
        {"plugin_opt_presence_delay 99999999999999999999\n", "plugin_opt_presence_delay", ""},
        {"plugin_opt_presence_topic state\n", "plugin_opt_presence_topic", "%u"},
        {"plugin_opt_presence_topic a/+/%u\n", "plugin_opt_presence_topic", "%u"},
        {"plugin_opt_presence_topic a/%u/#\n", "plugin_opt_presence_topic", "%u"},
        {"plugin_opt_presence_topic $SYS/%u\n", "plugin_opt_presence_topic", "%u"},
        {"plugin_opt_anonymous_role no/role\n", "plugin_opt_anonymous_role", "role"},
        {"plugin_opt_presence_store relative\n", "plugin_opt_presence_store", "path"},
    };
    struct scene *s = *state;
    char config[1024];
    scene_make_registry(s);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        check(snprintf(config, sizeof config, "%s%s", CONF, wrong[i].lines) > 0);
        expect_refusal(s, config);
        expect_line(s, "devreg", wrong[i].option, wrong[i].remedy);
    }
    scene_start(s, CONF);
}

static void a_registry_that_is_named_twice_is_refused(void **state)
{
    struct scene *s = *state;
    scene_make_registry(s);
    expect_refusal(s, CONF "plugin_opt_registry @DIR@/registry\n");
    expect_line(s, "devreg", "plugin_opt_registry", "twice");
}

static void all_options_together_are_fine(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF "plugin_opt_presence_store @DIR@/registry/presence\n"
                        "plugin_opt_presence on\nplugin_opt_presence_topic home/%u/state\n"
                        "plugin_opt_presence_format json\nplugin_opt_presence_delay 0\n"
                        "plugin_opt_anonymous_role device\nplugin_opt_unknown deny\n"
                        "plugin_opt_client_id any\n");
    scene_add(s, "pump-7");
    client_expect_alive(scene_device(s, "pump-7"));
}

/* The registry's own files tell who may write what. */
static void the_broker_cannot_write_the_registry(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX];
    struct stat info;
    scene_start(s, CONF);
    registry_path(s, path, "/data.mdb");
    check(stat(path, &info) == 0);
    check((info.st_mode & 0777) == 0640 && info.st_uid == geteuid());
    registry_path(s, path, "");
    check(stat(path, &info) == 0);
    check((info.st_mode & 0777) == 0750 && info.st_uid == geteuid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_missing_registry_is_named_with_the_way_to_make_one),
        SCENE_TEST(a_registry_is_not_taken_for_a_presence_store),
        SCENE_TEST(a_registry_that_the_broker_may_not_read_is_named),
        SCENE_TEST(a_presence_store_that_the_broker_may_not_write_is_named),
        SCENE_TEST(a_damaged_registry_is_named),
        SCENE_TEST(a_damaged_device_is_denied_and_the_others_are_not),
        SCENE_TEST(a_damaged_role_allows_nothing),
        SCENE_TEST(a_registry_of_a_later_devreg_is_named),
        SCENE_TEST(an_option_that_is_wrong_is_named),
        SCENE_TEST(a_registry_that_is_named_twice_is_refused),
        SCENE_TEST(all_options_together_are_fine),
        SCENE_TEST(the_broker_cannot_write_the_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
