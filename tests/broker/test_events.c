/* test_events.c - devreg/event/<device>/<kind>, and devreg/summary. */
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "deadline.h"
#include "scene.h"
#include "watch.h"

#define CONF_EVENTS CONF "plugin_opt_events on\n"

static struct client *start_listening(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "hall");
    scene_add(s, "pump-7");
    scene_do(s, "allow hall subscribe devreg/#");
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devreg/event/pump-7/#", 1), 1);
    return hall;
}

/* The next message on that topic, which the caller ends with cJSON_Delete. */
static cJSON *expect_json(struct client *client, const char *topic)
{
    struct message *message = client_next(client);
    assert_string_equal(message->topic, topic);
    cJSON *json = cJSON_ParseWithOpts(message->payload, NULL, true);
    if (!cJSON_IsObject(json))
        fail_msg("not JSON: %s", message->payload);
    message_free(message);
    return json;
}

static double number(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!cJSON_IsNumber(item))
        fail_msg("there is no number '%s'", name);
    return item->valuedouble;
}

static void expect_text(const cJSON *json, const char *name, const char *value)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
    if (!text)
        fail_msg("there is no text '%s'", name);
    assert_string_equal(text, value);
}

/* The next event of pump-7 is of that kind. */
static cJSON *expect_event(struct client *hall, const char *kind)
{
    char topic[64];
    (void)snprintf(topic, sizeof topic, "devreg/event/pump-7/%s", kind);
    cJSON *event = expect_json(hall, topic);
    expect_text(event, "device", "pump-7");
    expect_text(event, "kind", kind);
    assert_true(number(event, "v") == 1);
    check(number(event, "ts") > (double)wall_ms() - 60000);
    return event;
}

static void expect_plain_event(struct client *hall, const char *kind)
{
    cJSON *event = expect_event(hall, kind);
    assert_int_equal(cJSON_GetArraySize(event), 4);
    cJSON_Delete(event);
}

static void a_connection_and_its_end_are_events(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_listening(s, CONF_TCP CONF_EVENTS);
    client_disconnect(scene_accept(
        s, LOGIN(.user = "pump-7", .id = "c\"1", .version = 5, .port = s->broker.tcp_port)));
    cJSON *event = expect_event(hall, "connect");
    assert_true(number(event, "conn") == 1 && number(event, "protocol") == 5);
    expect_text(event, "client", "c\"1");
    expect_text(event, "address", "127.0.0.1");
    expect_text(event, "session", "clean");
    cJSON_Delete(event);
    event = expect_event(hall, "disconnect");
    assert_true(number(event, "conn") == 1);
    expect_text(event, "client", "c\"1");
    expect_text(event, "reason", watch_reason("client_disconnect"));
    cJSON_Delete(event);
}

static void a_refusal_is_an_event_and_who_is_no_device_is_none(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_listening(s, CONF_EVENTS);
    client_unsubscribe(hall, "devreg/event/pump-7/#");
    assert_int_equal(client_subscribe(hall, "devreg/event/#", 1), 1);
    scene_refuse(s, LOGIN(.user = "nobody", .key = scene_key(s, "hall")));
    scene_refuse(s, LOGIN(.user = "pump-7", .key = scene_key(s, "hall"), .id = "stranger"));
    cJSON *event = expect_event(hall, "auth_failed");
    expect_text(event, "client", "stranger");
    expect_text(event, "reason", "wrong_key");
    cJSON_Delete(event);
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "hall"));
    event = expect_event(hall, "auth_failed");
    expect_text(event, "reason", "client_id_of_another");
    cJSON_Delete(event);
}

static void what_no_rule_lets_through_is_an_event(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_listening(s, CONF_EVENTS);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    cJSON_Delete(expect_event(hall, "connect"));
    for (int i = 0; i < 2; i++) { /* the second is answered from memory */
        assert_int_equal(client_publish(pump, "not/mine", "x", 1), 0x87);
        cJSON *event = expect_event(hall, "denied");
        expect_text(event, "access", "publish");
        expect_text(event, "topic", "not/mine");
        cJSON_Delete(event);
    }
    assert_int_equal(client_subscribe(pump, "#", 0), 0x87);
    cJSON *event = expect_event(hall, "denied");
    expect_text(event, "access", "subscribe");
    expect_text(event, "topic", "#");
    cJSON_Delete(event);
}

static void what_devreg_does_is_an_event(void **state)
{
    static const char *const steps[][2] = {{"disable", "disabled"}, {"enable", "enabled"},
                                           {"rotate", "rotated"},   {"revoke", "revoked"},
                                           {"remove", "removed"},   {"add", "added"}};
    struct scene *s = *state;
    struct client *hall = start_listening(s, CONF_EVENTS);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char command[64];
        (void)snprintf(command, sizeof command, "%s pump-7", steps[i][0]);
        if (strcmp(steps[i][0], "rotate") == 0)
            (void)scene_rotate(s, "pump-7");
        else if (strcmp(steps[i][0], "add") == 0)
            scene_add(s, "pump-7");
        else
            scene_do(s, "%s", command);
        expect_plain_event(hall, steps[i][1]);
    }
}

static void what_expires_is_an_event(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_listening(s, CONF_EVENTS);
    scene_do(s, "set pump-7 --expires 2s");
    struct client *pump = scene_device(s, "pump-7");
    cJSON_Delete(expect_event(hall, "connect"));
    client_expect_gone(pump);
    expect_plain_event(hall, "expired");
    cJSON *event = expect_event(hall, "disconnect");
    expect_text(event, "reason", "expired");
    cJSON_Delete(event);
}

static void a_storm_is_cut_and_says_by_how_many(void **state)
{
    enum { BURST = 10, STORM = 60 };
    struct scene *s = *state;
    struct client *hall = start_listening(s, CONF_EVENTS);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    double told = 1, dropped = 0;
    cJSON_Delete(expect_event(hall, "connect"));
    int64_t begin = clock_ms();
    for (int i = 0; i < STORM; i++)
        client_send(pump, "not/mine", "x", 0);
    client_sync(pump);
    client_sync(hall);
    int64_t end = clock_ms();
    while (told + dropped < 1 + STORM) { /* each try may bring out what was left out before */
        cJSON *event = expect_event(hall, "denied");
        const cJSON *left_out = cJSON_GetObjectItemCaseSensitive(event, "dropped");
        told++;
        dropped += left_out ? left_out->valuedouble : 0;
        cJSON_Delete(event);
        if (!hall->messages && told + dropped < 1 + STORM) {
            bool earned;
            int64_t now = clock_ms();
            WAIT_UNTIL(earned, clock_ms() - now > 1000);
            check(earned);
            client_send(pump, "not/mine", "x", 0);
            client_sync(pump);
            told--; /* one more was sent */
        }
    }
    check(told <= BURST + (double)(end - begin) / 1000 + 1 && dropped > 0);
}

static void events_are_off_unless_asked_for(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_listening(s, CONF);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    assert_int_equal(client_publish(pump, "not/mine", "x", 1), 0x87);
    client_disconnect(pump);
    (void)watch_until(watch_open(s, "pump-7"), false);
    client_sync(hall);
    client_expect_none(hall);
}

static void expect_summary(struct client *hall, int online, int offline, int never)
{
    for (;;) { /* there may be one from in between */
        cJSON *json = expect_json(hall, "devreg/summary");
        bool same = number(json, "online") == online && number(json, "offline") == offline &&
                    number(json, "never_seen") == never;
        assert_true(number(json, "v") == 1);
        assert_true(number(json, "total") ==
                    number(json, "online") + number(json, "offline") + number(json, "never_seen"));
        cJSON_Delete(json);
        if (same)
            return;
    }
}

static void the_summary_counts(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "hall");
    scene_add(s, "pump-7");
    scene_add(s, "pump-8");
    scene_do(s, "allow hall subscribe devreg/#");
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devreg/summary", 1), 1);
    expect_summary(hall, 1, 0, 2);
    struct client *pump = scene_device(s, "pump-7");
    expect_summary(hall, 2, 0, 1);
    client_disconnect(pump);
    expect_summary(hall, 1, 1, 1);
    scene_add(s, "pump-9");
    expect_summary(hall, 1, 1, 2);
    scene_do(s, "remove pump-7");
    expect_summary(hall, 1, 0, 2);
    broker_kill(&s->broker);
    broker_start(&s->broker);
    hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devreg/summary", 1), 1);
    expect_summary(hall, 1, 0, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_connection_and_its_end_are_events),
        SCENE_TEST(a_refusal_is_an_event_and_who_is_no_device_is_none),
        SCENE_TEST(what_no_rule_lets_through_is_an_event),
        SCENE_TEST(what_devreg_does_is_an_event),
        SCENE_TEST(what_expires_is_an_event),
        SCENE_TEST(a_storm_is_cut_and_says_by_how_many),
        SCENE_TEST(events_are_off_unless_asked_for),
        SCENE_TEST(the_summary_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
