/* test_connect.c - who is let in. */
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "registry/crypto.h"
#include "scene.h"

static void a_device_with_its_key_is_let_in_by_every_protocol(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    for (int version = 3; version <= 5; version++) {
        struct client *pump =
            scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .version = version));
        client_expect_alive(pump);
    }
}

static void a_device_is_let_in_over_tcp_and_over_websockets(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_TCP CONF_WEBSOCKETS CONF);
    scene_add(s, "pump-7");
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .port = s->broker.tcp_port)));
    struct websocket *ws = scene_websocket(s, LOGIN(.user = "pump-7"));
    assert_int_equal(websocket_subscribe(ws, "devices/pump-7/#"), 0);
}

static void a_wrong_key_is_refused_as_not_authorized(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_TCP CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    const char *lamp = scene_key(s, "lamp-1");
    for (int version = 3; version <= 5; version++)
        scene_refuse(s, LOGIN(.user = "pump-7", .key = lamp, .id = "p", .version = version));
    scene_refuse(s, LOGIN(.user = "pump-7", .key = lamp, .port = s->broker.tcp_port));
    client_expect_alive(scene_device(s, "pump-7"));
}

static void a_wrong_key_is_refused_over_websockets(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_WEBSOCKETS CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    int connack =
        websocket_connect(&s->websocket, LOGIN(.user = "pump-7", .port = s->broker.ws_port,
                                               .key = scene_key(s, "lamp-1")));
    assert_int_equal(connack, REFUSED_V3);
}

/* Ways to get a key wrong, where `key` is the right one, to be wiped by its owner. */
static void key_spoil(char spoilt[static SCENE_SECRET_MAX], const char *key, int way)
{
    size_t size = strlen(key), at = size / 2;
    memcpy(spoilt, key, size + 1);
    switch (way) {
    case 0: /* one letter */
        spoilt[at] = spoilt[at] == 'a' ? 'b' : 'a';
        break;
    case 1: /* one less */
        spoilt[size - 1] = '\0';
        break;
    case 2: /* one more */
        memcpy(spoilt + size, "0", 2);
        break;
    case 3: /* a line's end */
        memcpy(spoilt + size, "\n", 2);
        break;
    case 4: /* the prefix shouted */
        spoilt[0] = 'D';
        break;
    case 5: /* without its prefix */
        memmove(spoilt, key + 7, size - 7 + 1);
        break;
    case 6: /* the CRC alone is wrong */
        spoilt[size - 1] = spoilt[size - 1] == 'a' ? 'b' : 'a';
        break;
    case 7: /* two letters changed places */
        spoilt[at] = key[at + 1];
        spoilt[at + 1] = key[at];
        if (key[at] == key[at + 1])
            spoilt[at] = '-';
        break;
    default: /* the prefix alone */
        spoilt[7] = '\0';
    }
}

static void a_malformed_key_is_refused(void **state)
{
    struct scene *s = *state;
    char spoilt[SCENE_SECRET_MAX];
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    for (int way = 0; way <= 8; way++) {
        key_spoil(spoilt, scene_key(s, "pump-7"), way);
        if (way < 8)
            scene_remember(s, "spoilt", spoilt); /* it may not stand in the log either */
        scene_refuse(s, LOGIN(.user = "pump-7", .key = spoilt));
    }
    crypto_wipe(spoilt, sizeof spoilt);
    client_expect_alive(scene_device(s, "pump-7"));
}

static void an_endless_key_is_refused(void **state)
{
    struct scene *s = *state;
    enum { SIZE = 65535 };
    char *key = malloc(SIZE + 1);
    check(key != NULL);
    memset(key, 'k', SIZE);
    key[SIZE] = '\0';
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7", .key = key));
    free(key);
    client_expect_alive(scene_device(s, "pump-7"));
}

static void a_device_without_a_key_is_refused(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF "allow_anonymous true\n");
    scene_add(s, "pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7", .key = NO_KEY));
    scene_refuse(s, LOGIN(.user = "pump-7", .key = NO_KEY, .version = 5));
}

static void a_name_that_is_no_device_is_refused(void **state)
{
    static const char *const names[] = {"lamp-1",  "PUMP-7",    "Pump-7",     "pump-7 ",  " pump-7",
                                        "pump-7/", "pump-",     "pump-77",    "+",        "#",
                                        "%u",      "../pump-7", "\"pump-7\"", "pump-7%00"};
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    const char *key = scene_key(s, "pump-7");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        scene_refuse(s, LOGIN(.user = names[i], .key = key));
    client_expect_alive(scene_device(s, "pump-7"));
}

static void an_endless_name_is_refused(void **state)
{
    static const size_t sizes[] = {128, 129, 511, 512, 65535};
    struct scene *s = *state;
    char *name = malloc(65536);
    check(name != NULL);
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(name, 'a', sizes[i]);
        name[sizes[i]] = '\0';
        scene_refuse(s, LOGIN(.user = name, .key = scene_key(s, "pump-7")));
    }
    free(name);
}

static void a_disabled_device_is_refused_until_it_is_enabled(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_do(s, "disable pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7"));
    scene_refuse(s, LOGIN(.user = "pump-7", .version = 5));
    scene_do(s, "enable pump-7");
    client_expect_alive(scene_device(s, "pump-7"));
}

static void a_revoked_device_is_refused_for_good(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_do(s, "revoke pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7"));
    assert_int_equal(scene_try(s, "enable pump-7"), 1);
    scene_refuse(s, LOGIN(.user = "pump-7"));
    broker_restart(&s->broker);
    scene_refuse(s, LOGIN(.user = "pump-7"));
}

static void a_removed_device_is_refused_and_its_old_key_opens_nothing_again(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    const char *old = scene_key(s, "pump-7");
    scene_do(s, "remove pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7"));
    scene_add(s, "pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7", .key = old));
    client_expect_alive(scene_device(s, "pump-7"));
}

static void an_expired_device_is_refused(void **state)
{
    struct scene *s = *state;
    bool refused;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    client_expect_alive(scene_device(s, "pump-7"));
    scene_do(s, "set pump-7 --expires 1s");
    WAIT_UNTIL(refused, scene_knock(s, LOGIN(.user = "pump-7")) != ACCEPTED);
    check(refused);
    scene_refuse(s, LOGIN(.user = "pump-7"));
    client_expect_alive(scene_device(s, "lamp-1"));
    scene_do(s, "set pump-7 --expires 1h");
    client_expect_alive(scene_device(s, "pump-7"));
}

static void a_device_that_is_added_while_the_broker_runs_is_let_in_at_once(void **state)
{
    struct scene *s = *state;
    char id[32];
    scene_start(s, CONF);
    for (int i = 0; i < 20; i++) {
        check(snprintf(id, sizeof id, "lamp-%d", i) > 0);
        scene_add(s, id);
        client_expect_alive(scene_device(s, id));
    }
}

/* A mistake that happens. The fixture looks for the key in the log. */
static void a_key_in_the_wrong_field_is_refused_and_not_logged(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF "plugin_opt_unknown deny\n");
    scene_add(s, "pump-7");
    const char *key = scene_key(s, "pump-7");
    scene_refuse(s, LOGIN(.user = key, .key = key));
    scene_refuse(s, LOGIN(.user = key, .key = "pump-7"));
    scene_refuse(s, LOGIN(.user = key, .key = NO_KEY, .version = 5));
    broker_log_wait(&s->broker, "devreg: refused", 3);
}

static void a_registry_without_devices_lets_nobody_in(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_refuse(s, LOGIN(.user = "pump-7", .key = "anything"));
    scene_refuse(s, LOGIN(.id = "nobody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_device_with_its_key_is_let_in_by_every_protocol),
        SCENE_TEST(a_device_is_let_in_over_tcp_and_over_websockets),
        SCENE_TEST(a_wrong_key_is_refused_as_not_authorized),
        SCENE_TEST(a_wrong_key_is_refused_over_websockets),
        SCENE_TEST(a_malformed_key_is_refused),
        SCENE_TEST(an_endless_key_is_refused),
        SCENE_TEST(a_device_without_a_key_is_refused),
        SCENE_TEST(a_name_that_is_no_device_is_refused),
        SCENE_TEST(an_endless_name_is_refused),
        SCENE_TEST(a_disabled_device_is_refused_until_it_is_enabled),
        SCENE_TEST(a_revoked_device_is_refused_for_good),
        SCENE_TEST(a_removed_device_is_refused_and_its_old_key_opens_nothing_again),
        SCENE_TEST(an_expired_device_is_refused),
        SCENE_TEST(a_device_that_is_added_while_the_broker_runs_is_let_in_at_once),
        SCENE_TEST(a_key_in_the_wrong_field_is_refused_and_not_logged),
        SCENE_TEST(a_registry_without_devices_lets_nobody_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
