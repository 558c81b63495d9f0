/* test_limits.c - what a device may send at most, and what it is told of its errors. */
#include <stdio.h>
#include <string.h>

#include "deadline.h"
#include "scene.h"

#define CONF_ERRORS CONF "plugin_opt_errors on\n"

static const int versions[] = {3, 4, 5};
enum { VERSIONS = sizeof versions / sizeof *versions };

/* "pump-7" and its like, and what it publishes on. */
struct pump {
    char id[32], topic[64], errors[64];
    struct client *client;
    int version;
};

static struct pump pump_start(struct scene *s, const char *id, int version)
{
    struct pump pump = {.version = version};
    (void)snprintf(pump.id, sizeof pump.id, "%s", id);
    (void)snprintf(pump.topic, sizeof pump.topic, "devices/%s/x", id);
    (void)snprintf(pump.errors, sizeof pump.errors, "devreg/errors/%s", id);
    scene_add(s, id);
    pump.client = scene_accept(s, LOGIN(.user = id, .id = id, .version = version));
    assert_int_equal(client_subscribe(pump.client, pump.errors, 0), 0);
    return pump;
}

static struct client *hall_start(struct scene *s)
{
    scene_start(s, CONF_ERRORS);
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe devices/#");
    scene_do(s, "allow hall subscribe devreg/#");
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devices/#", 2), 2);
    return hall;
}

/* The next message there has that kind. */
static void expect_error(struct client *client, const char *device, const char *kind)
{
    char topic[64], begins[200];
    struct message *message = client_next(client);
    (void)snprintf(topic, sizeof topic, "devreg/errors/%s", device);
    (void)snprintf(begins, sizeof begins, "{\"v\":1,\"device\":\"%s\",\"kind\":\"%s\",", device,
                   kind);
    assert_string_equal(message->topic, topic);
    if (strncmp(message->payload, begins, strlen(begins)) != 0)
        fail_msg("%s: expected %s", message->payload, begins);
    message_free(message);
}

/* It was acknowledged, as its version does that, and nobody got it. */
static void expect_dropped(const struct pump *pump, const char *payload, int qos)
{
    int told = pump->version == 5 && qos ? 0x87 : 0;
    assert_int_equal(client_publish(pump->client, pump->topic, payload, qos), told);
}

static void expect_passed(const struct pump *pump, struct client *hall, const char *payload,
                          int qos)
{
    assert_int_equal(client_publish(pump->client, pump->topic, payload, qos), 0);
    client_expect(hall, pump->topic, payload);
}

static void a_large_payload_is_dropped_and_told_in_each_version(void **state)
{
    struct scene *s = *state;
    struct client *hall = hall_start(s);
    for (int i = 0; i < VERSIONS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "pump-%d", versions[i]);
        struct pump pump = pump_start(s, id, versions[i]);
        scene_do(s, "limit %s payload=4", id);
        for (int qos = 0; qos <= 2; qos++) {
            expect_dropped(&pump, "12345", qos);
            expect_passed(&pump, hall, "1234", qos); /* and not what came before */
        }
        expect_error(pump.client, id, "payload");
        client_expect_alive(pump.client);
    }
}

static void a_retained_message_is_dropped_and_told(void **state)
{
    struct scene *s = *state;
    struct client *hall = hall_start(s);
    struct pump pump = pump_start(s, "pump-7", 4);
    assert_int_equal(client_retain(pump.client, pump.topic, "kept"), 0);
    client_expect(hall, pump.topic, "kept");
    scene_do(s, "limit @device retain=no");
    (void)client_retain(pump.client, pump.topic, "not kept");
    expect_passed(&pump, hall, "passed on", 1);
    expect_error(pump.client, "pump-7", "retain");
    struct client *late = scene_accept(s, LOGIN(.user = "hall", .id = "late"));
    assert_int_equal(client_subscribe(late, "devices/#", 1), 1);
    client_expect(late, pump.topic, "kept"); /* what was kept before goes on being delivered */
    client_sync(late);
    client_expect_none(late);
    scene_do(s, "limit pump-7 retain=yes");
    (void)client_retain(pump.client, pump.topic, "kept again");
    client_expect(hall, pump.topic, "kept again");
}

static void a_higher_qos_is_dropped_and_not_subscribed_with(void **state)
{
    struct scene *s = *state;
    struct client *hall = hall_start(s);
    struct pump pump = pump_start(s, "pump-7", 5);
    scene_do(s, "limit pump-7 qos=1");
    expect_dropped(&pump, "a", 2);
    expect_passed(&pump, hall, "b", 1);
    expect_error(pump.client, "pump-7", "qos");
    assert_int_equal(client_subscribe(pump.client, "devices/pump-7/cmd", 2), 0x87);
    assert_int_equal(client_subscribe(pump.client, "devices/pump-7/cmd", 1), 1);
}

static void more_messages_than_the_rate_are_dropped_and_told(void **state)
{
    enum { BURST = 3, TRIES = 50 };
    struct scene *s = *state;
    struct client *hall = hall_start(s);
    struct pump pump = pump_start(s, "pump-7", 5);
    int passed = 0;
    const int64_t begin = clock_ms();
    scene_do(s, "limit pump-7 messages=1 burst=%d", BURST);
    for (int i = 0; i < TRIES; i++)
        passed += client_publish(pump.client, pump.topic, "x", 1) == 0;
    check(passed >= BURST && passed <= BURST + 1 + (int)((clock_ms() - begin) / 60000));
    for (int i = 0; i < passed; i++)
        client_expect(hall, pump.topic, "x");
    client_sync(hall);
    client_expect_none(hall);
    expect_error(pump.client, "pump-7", "messages");
    struct client *other = scene_accept(s, LOGIN(.user = "pump-7", .id = "other", .version = 5));
    int answer = client_publish(other, pump.topic, "x", 1);
    check(answer == 0x87 || clock_ms() - begin >= 60000); /* a minute brings one more */
    scene_do(s, "limit pump-7 messages=unlimited");
    expect_passed(&pump, hall, "y", 1);
}

static void one_connection_too_many_is_refused_and_told(void **state)
{
    struct scene *s = *state;
    (void)hall_start(s);
    struct pump pump = pump_start(s, "pump-7", 4);
    scene_do(s, "limit pump-7 connections=1");
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "another"));
    broker_log_wait(&s->broker, "reason=too_many_connections", 1);
    expect_error(pump.client, "pump-7", "connections");
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "another", .version = 5));
    client_expect_alive(pump.client);
    struct client *again = scene_accept(s, LOGIN(.user = "pump-7", .id = "pump-7"));
    client_expect_gone(pump.client); /* that was a take-over, and is not one more */
    client_disconnect(again);
    bool accepted;
    WAIT_UNTIL(accepted, scene_knock(s, LOGIN(.user = "pump-7", .id = "another")) == ACCEPTED);
    check(accepted);
}

static void a_will_is_held_to_the_limits_as_well(void **state)
{
    struct scene *s = *state;
    struct client *hall = hall_start(s);
    struct pump pump = pump_start(s, "pump-7", 4);
    const struct login with_will = {.user = "pump-7",
                                    .id = "w",
                                    .will_topic = "devices/pump-7/will",
                                    .will = "gone",
                                    .will_retained = true};
    for (int dropped = 0; dropped < 3; dropped++) {
        static const char *const limits[] = {"retain=yes", "retain=no", "retain=yes payload=3"};
        scene_do(s, "limit pump-7 %s", limits[dropped]);
        client_drop(scene_accept(s, &with_will));
        if (!dropped)
            client_expect(hall, "devices/pump-7/will", "gone");
        else
            expect_error(pump.client, "pump-7", dropped == 1 ? "retain" : "payload");
        expect_passed(&pump, hall, "x", 1);
    }
}

static void what_no_rule_lets_through_is_told_in_each_version(void **state)
{
    struct scene *s = *state;
    (void)hall_start(s);
    for (int i = 0; i < VERSIONS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "pump-%d", versions[i]);
        struct pump pump = pump_start(s, id, versions[i]);
        (void)client_publish(pump.client, "not/mine", "x", 1);
        expect_error(pump.client, id, "publish_denied");
        (void)client_subscribe(pump.client, "not/mine", 0);
        expect_error(pump.client, id, "subscribe_denied");
    }
}

static void nobody_else_reads_or_writes_what_a_device_is_told(void **state)
{
    static const char *const topics[] = {"devreg/errors/pump-7", "devreg/errors/+",
                                         "devreg/errors/#", "devreg/errors/pump-7/#", "#"};
    struct scene *s = *state;
    struct client *hall = hall_start(s);
    struct pump pump = pump_start(s, "pump-7", 5), other = pump_start(s, "pump-8", 5);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        assert_int_equal(client_subscribe(other.client, topics[i], 0), 0x87);
    expect_error(other.client, "pump-8", "subscribe_denied");
    assert_int_equal(client_subscribe(hall, "devreg/errors/+", 1), 1); /* by its rule */
    (void)client_publish(hall, pump.errors, "x", 1); /* acknowledged, and dropped */
    assert_int_equal(client_publish(pump.client, pump.errors, "x", 1), 0x87);
    expect_error(pump.client, "pump-7", "publish_denied");
    bool of_pump = false, of_hall = false;
    while (!of_pump || !of_hall) { /* in either order */
        struct message *message = client_next(hall);
        of_pump |= strstr(message->payload, "\"pump-7\",\"kind\":\"publish_denied\"") != NULL;
        of_hall |= strstr(message->payload, "\"hall\",\"kind\":\"publish_denied\"") != NULL;
        message_free(message);
    }
    client_sync(other.client);
    client_expect_none(other.client);
}

static void a_storm_of_denied_publishes_makes_a_handful_of_messages(void **state)
{
    enum { STORM = 10000 };
    struct scene *s = *state;
    (void)hall_start(s);
    struct pump pump = pump_start(s, "pump-7", 4);
    const int64_t begin = clock_ms();
    for (int i = 0; i < STORM; i++)
        client_send(pump.client, "not/mine", "x", 0);
    client_sync(pump.client);
    expect_error(pump.client, "pump-7", "publish_denied");
    int64_t more = 0;
    while (pump.client->messages) {
        expect_error(pump.client, "pump-7", "publish_denied");
        more++;
    }
    check(more <= (clock_ms() - begin) / 10000 + 1);
    client_expect_alive(pump.client);
}

static void errors_are_off_unless_asked_for(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    struct pump pump = pump_start(s, "pump-7", 5);
    scene_do(s, "limit pump-7 payload=0");
    expect_dropped(&pump, "x", 1);
    assert_int_equal(client_publish(pump.client, "not/mine", "x", 1), 0x87);
    struct client *other = scene_accept(s, LOGIN(.user = "pump-7", .id = "later"));
    client_disconnect(other); /* the broker has turned since */
    client_sync(pump.client);
    client_expect_none(pump.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_large_payload_is_dropped_and_told_in_each_version),
        SCENE_TEST(a_retained_message_is_dropped_and_told),
        SCENE_TEST(a_higher_qos_is_dropped_and_not_subscribed_with),
        SCENE_TEST(more_messages_than_the_rate_are_dropped_and_told),
        SCENE_TEST(one_connection_too_many_is_refused_and_told),
        SCENE_TEST(a_will_is_held_to_the_limits_as_well),
        SCENE_TEST(what_no_rule_lets_through_is_told_in_each_version),
        SCENE_TEST(nobody_else_reads_or_writes_what_a_device_is_told),
        SCENE_TEST(a_storm_of_denied_publishes_makes_a_handful_of_messages),
        SCENE_TEST(errors_are_off_unless_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
