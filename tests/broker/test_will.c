/* test_will.c - a last will is judged when it is published. */
#include "scene.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* hall hears everything; it also publishes on devices/hall/marker, which comes behind a will. */
static struct client *start_with_hall(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe #");
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devices/#", 1), 1);
    return hall;
}

static void expect_no_will(struct client *hall)
{
    assert_int_equal(client_publish(hall, "devices/hall/marker", "1", 1), 0);
    client_expect(hall, "devices/hall/marker", "1");
}

static struct client *pump_with_will(struct scene *s, const char *topic)
{
    return scene_accept(s, LOGIN(.user = "pump-7", .will_topic = topic, .will = "gone"));
}

static void an_allowed_will_is_published_when_the_connection_is_lost(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF);
    client_drop(pump_with_will(s, "devices/pump-7/will"));
    client_expect(hall, "devices/pump-7/will", "gone");
    client_disconnect(pump_with_will(s, "devices/pump-7/will"));
    expect_no_will(hall);
}

/* The will of a connection that was dropped earlier has been handled when a later one has. */
static void a_will_that_no_rule_allows_is_not_published(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF);
    client_drop(pump_with_will(s, "devices/lamp-1/will"));
    client_drop(pump_with_will(s, "devices/pump-7/will"));
    client_expect(hall, "devices/pump-7/will", "gone");
}

static void a_will_is_judged_by_the_rules_of_the_moment_of_its_publication(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF);
    struct client *first = pump_with_will(s, "devices/w/1");
    struct client *second = pump_with_will(s, "devices/pump-7/will");
    struct client *third = pump_with_will(s, "devices/pump-7/last");
    scene_do(s, "allow pump-7 publish devices/w/1");
    scene_do(s, "deny pump-7 publish devices/pump-7/will");
    client_drop(first);
    client_expect(hall, "devices/w/1", "gone");
    client_drop(second);
    client_drop(third);
    client_expect(hall, "devices/pump-7/last", "gone");
}

static void a_will_on_a_topic_of_devregs_own_is_not_published(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF "plugin_opt_presence_topic home/%u/state\n");
    scene_do(s, "allow pump-7 publish #");
    static const char *const topics[] = {"devreg/presence/lamp-1", "devreg/x", "devreg",
                                         "home/lamp-1/state"};
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        assert_int_equal(client_subscribe(hall, topics[i], 1), 1);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        struct client *pump =
            scene_connect(s, LOGIN(.user = "pump-7", .will_topic = topics[i], .will = "forged"));
        if (pump->connack == ACCEPTED)
            client_drop(pump);
    }
    client_drop(pump_with_will(s, "devices/pump-7/will"));
    client_expect(hall, "devices/pump-7/will", "gone");
}

static void a_retained_will_is_hidden_when_its_device_may_no_longer_publish_it(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF "check_retain_source true\n");
    client_drop(scene_accept(s, LOGIN(.user = "pump-7", .will_topic = "devices/pump-7/will",
                                      .will = "gone", .will_retained = true)));
    client_expect(hall, "devices/pump-7/will", "gone");
    scene_do(s, "deny pump-7 publish devices/pump-7/will");
    struct client *later = scene_device(s, "hall");
    assert_int_equal(client_subscribe(later, "devices/#", 1), 1);
    client_expect_none(later);
    scene_do(s, "unset pump-7 publish devices/pump-7/will");
    assert_int_equal(client_subscribe(later, "devices/#", 1), 1);
    client_expect(later, "devices/pump-7/will", "gone");
}

/* An MQTT 5 client may ask the broker to hold its will back for some time. */
static struct client *with_delayed_will(struct scene *s, const char *device)
{
    char topic[64];
    check(snprintf(topic, sizeof topic, "devices/%s/will", device) > 0);
    return scene_accept(s, LOGIN(.user = device, .id = device, .version = 5, .persistent = true,
                                 .will_topic = topic, .will = "gone", .will_delay = 1));
}

static void a_will_that_the_broker_held_back_is_judged_when_it_is_published(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF);
    scene_add(s, "lamp-1");
    struct client *pump = with_delayed_will(s, "pump-7"), *lamp = with_delayed_will(s, "lamp-1");
    client_drop(pump);
    client_drop(lamp);
    scene_do(s, "disable pump-7");
    client_expect(hall, "devices/lamp-1/will", "gone");
    expect_no_will(hall);
}

static size_t text_put(uint8_t *at, const char *text)
{
    size_t size = strlen(text);
    at[0] = 0;
    at[1] = (uint8_t)size;
    memcpy(at + 2, text, size);
    return 2 + size;
}

/* CONNECT of MQTT 5 with a will and a session of 2 s, and gone before CONNACK comes. */
static void knock_and_run(struct scene *s, const char *id, const char *key)
{
    static const uint8_t head[] = {0, 4,  'M', 'Q',  'T', 'T', 5, 0xc6, /* user, password, will */
                                   0, 60, 5,   0x11, 0,   0,   0, 2};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint8_t packet[256] = {0x10};
    size_t size = 2 + sizeof head;
    strcpy(address.sun_path, s->broker.socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    memcpy(packet + 2, head, sizeof head);
    size += text_put(packet + size, id);
    packet[size++] = 0; /* no properties of the will */
    size += text_put(packet + size, "devices/pump-7/will");
    size += text_put(packet + size, "gone");
    size += text_put(packet + size, "pump-7");
    size += text_put(packet + size, key);
    packet[1] = (uint8_t)(size - 2);
    check(size < 128 && write(fd, packet, size) == (ssize_t)size);
    check(close(fd) == 0);
}

/* Once it was taken for an intruder and kicked, when it was an offline session: that ended 2.0. */
static void a_client_that_is_gone_before_its_connack_is_no_intruder(void **state)
{
    struct scene *s = *state;
    struct client *hall = start_with_hall(s, CONF);
    for (int i = 0; i < 40; i++) {
        char id[20];
        snprintf(id, sizeof id, "run-%d", i);
        knock_and_run(s, id, scene_key(s, "pump-7"));
    }
    client_expect(hall, "devices/pump-7/will", "gone");
    client_disconnect(hall);
    client_drop(pump_with_will(s, "devices/pump-7/will"));
    client_expect_alive(scene_device(s, "hall"));
    assert_int_equal(broker_log_count(&s->broker, "came in without a login"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(an_allowed_will_is_published_when_the_connection_is_lost),
        SCENE_TEST(a_will_that_no_rule_allows_is_not_published),
        SCENE_TEST(a_will_is_judged_by_the_rules_of_the_moment_of_its_publication),
        SCENE_TEST(a_will_on_a_topic_of_devregs_own_is_not_published),
        SCENE_TEST(a_retained_will_is_hidden_when_its_device_may_no_longer_publish_it),
        SCENE_TEST(a_will_that_the_broker_held_back_is_judged_when_it_is_published),
        SCENE_TEST(a_client_that_is_gone_before_its_connack_is_no_intruder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
