/* test_duplicate.c - a device whose connection two networks take from each other. The addresses of
 * the loopback are networks of their own here. */
#include <stdio.h>
#include <string.h>

#include "scene.h"
#include "watch.h"

#define CONF_EVENTS CONF_TCP CONF "plugin_opt_events on\n"
#define QUARANTINE  "plugin_opt_duplicate_use quarantine\n"
#define HERE        "127.0.0.1"
#define THERE       "127.0.0.2"
#define SAID        "duplicate_use device=pump-7 addresses=" HERE "," THERE " client=pump-7: "

/* The device's connection from there is in, and the broker has told the plugin so. */
static struct client *take(struct scene *s, const char *from)
{
    struct client *client = scene_accept(s, LOGIN(.user = "pump-7", .id = "pump-7", .from = from,
                                                  .version = 5, .port = s->broker.tcp_port));
    assert_int_equal(client_publish(client, "devices/pump-7/x", "1", 1), 0);
    return client;
}

/* Takes it from one another until it is once too often: the last connection, which took it. */
static struct client *fight(struct scene *s)
{
    struct client *client = take(s, HERE);
    for (int i = 0; i < 3; i++) {
        struct client *next = take(s, i % 2 ? HERE : THERE);
        client_expect_gone(client);
        client = next;
    }
    assert_int_equal(broker_log_count(&s->broker, "duplicate_use"), 0);
    return scene_connect(s, LOGIN(.user = "pump-7", .id = "pump-7", .from = HERE, .version = 5,
                                  .port = s->broker.tcp_port));
}

/* Waits for the event, past others, which must hold each of the texts. */
static void expect_event(struct client *hall, const char *action)
{
    for (;;) {
        struct message *message = client_next(hall);
        bool found = strcmp(message->topic, "devreg/event/pump-7/duplicate_use") == 0;
        bool whole = strstr(message->payload, "\"client\":\"pump-7\",\"address\":\"" HERE
                                              "\",\"other\":\"" THERE "\",\"action\":\"") &&
                     strstr(message->payload, action);
        if (found && !whole)
            fail_msg("%s", message->payload);
        message_free(message);
        if (found)
            return;
    }
}

static struct client *start(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe devreg/event/#");
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devreg/event/pump-7/#", 1), 1);
    return hall;
}

static void it_is_told_with_both_addresses(void **state)
{
    struct scene *s = *state;
    struct client *hall = start(s, CONF_EVENTS);
    struct client *last = fight(s);
    assert_int_equal(last->connack, ACCEPTED);
    expect_event(hall, "\"reported\"");
    broker_log_wait(&s->broker, SAID, 1);
    client_expect_alive(last);
}

static void a_quarantined_device_is_off_until_its_record_changes(void **state)
{
    struct scene *s = *state;
    struct client *hall = start(s, CONF_EVENTS QUARANTINE CONF_PERSISTENCE);
    struct client *watch = watch_open(s, "pump-7");
    struct client *second = scene_accept(s, LOGIN(.user = "pump-7", .id = "second"));
    (void)watch_online(watch);
    client_expect_gone(fight(s));
    client_expect_gone(second);
    expect_event(hall, "\"quarantined\"");
    (void)watch_until(watch, false);
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "pump-7"));
    broker_log_wait(&s->broker, "reason=quarantined", 1);
    scene_do(s, "list --state quarantined --columns device");
    assert_string_equal(s->answer.out, "pump-7\n");
    scene_do(s, "show pump-7");
    assert_non_null(strstr(s->answer.out, ": " HERE " and " THERE " took its connection"));
    assert_non_null(strstr(s->answer.out, ", kicked\n"));
    broker_restart(&s->broker);
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "pump-7"));
    broker_kill(&s->broker);
    broker_start(&s->broker);
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "pump-7"));
    const char *old = scene_rotate(s, "pump-7 --grace 0");
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "pump-7", .key = old));
    client_expect_alive(scene_device(s, "pump-7"));
    scene_do(s, "list --state quarantined");
    assert_string_equal(s->answer.out, "");
    scene_do(s, "check");
}

static void an_address_that_the_client_chose_does_not_count(void **state)
{
    struct scene *s = *state;
    (void)start(s, CONF_WEBSOCKETS CONF_EVENTS QUARANTINE);
    assert_int_equal(client_subscribe(scene_device(s, "pump-7"), "devices/pump-7/x", 1), 1);
    for (int i = 0; i < 8; i++) {
        struct websocket before = s->websocket;
        struct websocket *ws =
            scene_websocket(s, LOGIN(.user = "pump-7", .id = "pump-7",
                                     .forwarded = i % 2 ? "192.0.2.1" : "198.51.100.7"));
        websocket_publish(ws, "devices/pump-7/x", "1");
        client_expect(s->clients, "devices/pump-7/x", "1"); /* so it is in */
        websocket_close(&before);
    }
    client_expect_alive(scene_device(s, "pump-7"));
    assert_int_equal(broker_log_count(&s->broker, "duplicate_use"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(it_is_told_with_both_addresses),
        SCENE_TEST(a_quarantined_device_is_off_until_its_record_changes),
        SCENE_TEST(an_address_that_the_client_chose_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
