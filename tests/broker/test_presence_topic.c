/* test_presence_topic.c - topics with attributes, topics that a message has left, and a presence
 * store that is lost. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "scene.h"
#include "watch.h"

#define CONF_SITES "plugin_opt_presence_topic state/%{site}/%u\n"

/* What is retained below a filter, told to a client that asks now: "topic topic ...", sorted as the
 * broker sends them. */
static void retained(struct scene *s, const char *filter, char *topics, size_t size)
{
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, filter, 1), 1);
    client_sync(hall);
    size_t used = 0;
    topics[0] = '\0';
    for (const struct message *m = hall->messages; m; m = m->next) {
        if (*m->payload && strcmp(m->topic + strlen(m->topic) - 5, "/hall") != 0)
            used += (size_t)snprintf(topics + used, size - used, "%s%s", used ? " " : "", m->topic);
        check(used < size);
    }
    client_disconnect(hall);
}

static bool retained_is(struct scene *s, const char *filter, const char *expected)
{
    char topics[400];
    retained(s, filter, topics, sizeof topics);
    return strcmp(topics, expected) == 0;
}

/* Sooner or later that is what is retained there. */
enum { QUIET_TURNS = 20 };

static void expect_retained(struct scene *s, const char *filter, const char *expected)
{
    bool same;
    WAIT_UNTIL(same, retained_is(s, filter, expected));
    if (!same) {
        char topics[400];
        retained(s, filter, topics, sizeof topics);
        fail_msg("retained is '%s', not '%s'", topics, expected);
    }
}

static void start(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe #");
}

static void the_topic_follows_an_attribute(void **state)
{
    struct scene *s = *state;
    start(s, CONF CONF_SITES);
    scene_add(s, "pump-7 --set site=kiel");
    struct client *pump = scene_device(s, "pump-7");
    expect_retained(s, "state/#", "state/kiel/pump-7");
    scene_do(s, "set pump-7 --set site=hamburg");
    expect_retained(s, "state/#", "state/hamburg/pump-7");
    client_disconnect(pump);
    scene_do(s, "set pump-7 --set site=");
    expect_retained(s, "state/#", "state/-/pump-7");
    scene_do(s, "set pump-7 --set site=a/b");
    expect_retained(s, "state/#", "state/-/pump-7");
    scene_do(s, "set pump-7 --set site=kiel");
    expect_retained(s, "state/#", "state/kiel/pump-7");
    scene_do(s, "remove pump-7");
    expect_retained(s, "state/#", "");
}

static void a_topic_that_changed_while_the_broker_was_down_is_left(void **state)
{
    struct scene *s = *state;
    start(s, CONF_PERSISTENCE CONF CONF_SITES);
    scene_add(s, "pump-7 --set site=kiel");
    client_disconnect(scene_device(s, "pump-7"));
    expect_retained(s, "state/#", "state/kiel/pump-7");
    broker_stop(&s->broker);
    scene_do(s, "set pump-7 --set site=hamburg");
    broker_start(&s->broker);
    expect_retained(s, "state/#", "state/hamburg/pump-7");
    broker_stop(&s->broker);
    broker_configure(&s->broker, CONF_PERSISTENCE CONF);
    broker_start(&s->broker);
    expect_retained(s, "state/#", "");
    expect_retained(s, "devreg/presence/#", "devreg/presence/pump-7");
    broker_stop(&s->broker);
    broker_configure(&s->broker, CONF_PERSISTENCE CONF CONF_SITES);
    broker_start(&s->broker);
    expect_retained(s, "devreg/presence/#", "");
    expect_retained(s, "state/#", "state/hamburg/pump-7");
}

/* mosquitto.db is older than what was cleared since. */
static void what_a_crash_brings_back_is_cleared_again(void **state)
{
    struct scene *s = *state;
    start(s, CONF_PERSISTENCE CONF CONF_SITES);
    scene_add(s, "pump-7 --set site=kiel");
    scene_add(s, "pump-8 --set site=kiel");
    client_disconnect(scene_device(s, "pump-7"));
    client_disconnect(scene_device(s, "pump-8"));
    expect_retained(s, "state/#", "state/kiel/pump-7 state/kiel/pump-8");
    broker_save(&s->broker);
    scene_do(s, "remove pump-7");
    scene_do(s, "set pump-8 --set site=hamburg");
    expect_retained(s, "state/#", "state/hamburg/pump-8");
    for (int i = 0; i < 2; i++) { /* the second time it is the plugin's memory that counts */
        broker_kill(&s->broker);
        broker_start(&s->broker);
        expect_retained(s, "state/#", "state/hamburg/pump-8");
    }
    scene_do(s, "set pump-8 --set site=kiel"); /* a topic that it had left */
    expect_retained(s, "state/#", "state/kiel/pump-8");
    broker_restart(&s->broker);
    expect_retained(s, "state/#", "state/kiel/pump-8");
}

static void an_option_that_is_no_pattern_stops_the_broker(void **state)
{
    static const char *const wrong[] = {"state/%{site}",     "state/%u/%u", "state/x%u",
                                        "state/%{site/%u",   "$state/%u",   "state/%c/%u",
                                        "state/%{site}x/%u", "state/+/%u",  "state/%u/#"};
    struct scene *s = *state;
    scene_make_registry(s);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char config[400];
        (void)snprintf(config, sizeof config, CONF "plugin_opt_presence_topic %s\n", wrong[i]);
        broker_configure(&s->broker, config);
        broker_refuses_start(&s->broker);
        check(strstr(broker_log(&s->broker), "plugin_opt_presence_topic"));
    }
}

static void without_presence_its_messages_go(void **state)
{
    struct scene *s = *state;
    start(s, CONF_PERSISTENCE CONF);
    scene_add(s, "pump-7");
    client_disconnect(scene_device(s, "pump-7"));
    expect_retained(s, "devreg/presence/#", "devreg/presence/pump-7");
    expect_retained(s, "devreg/summary", "devreg/summary");
    broker_stop(&s->broker);
    broker_configure(&s->broker, CONF_PERSISTENCE CONF "plugin_opt_presence off\n");
    broker_start(&s->broker);
    expect_retained(s, "devreg/#", "");
    broker_stop(&s->broker);
    broker_configure(&s->broker, CONF_PERSISTENCE CONF);
    broker_start(&s->broker);
    expect_retained(s, "devreg/presence/#", "devreg/presence/pump-7");
    expect_retained(s, "devreg/summary", "devreg/summary");
}

/* Takes the store away, so that the next run makes a new one. */
static void lose_presence(struct scene *s)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    for (size_t i = 0; i < 2; i++) {
        char path[2 * BROKER_PATH_MAX];
        (void)snprintf(path, sizeof path, "%s/presence/%s", s->registry, files[i]);
        assert_int_equal(unlink(path), 0);
    }
}

static void a_lost_store_leaves_no_old_state_behind(void **state)
{
    struct scene *s = *state;
    start(s, CONF_PERSISTENCE CONF);
    scene_add(s, "pump-7");
    scene_add(s, "pump-8");
    (void)scene_device(s, "pump-7");
    (void)scene_device(s, "pump-8");
    expect_retained(s, "devreg/presence/#", "devreg/presence/pump-7 devreg/presence/pump-8");
    broker_stop(&s->broker);
    lose_presence(s);
    broker_start(&s->broker);
    struct client *pump = scene_device(s, "pump-8");
    expect_retained(s, "devreg/presence/#", "devreg/presence/pump-8");
    struct client *watch = watch_open(s, "pump-8");
    struct sighting on = watch_online(watch);
    assert_int_equal(on.conn, 1);
    client_disconnect(pump);
    (void)watch_until(watch, false);        /* the walk may publish it once more before */
    for (int i = 0; i < QUIET_TURNS; i++) { /* whatever the walk has to note is written by then */
        const struct timespec turn = {.tv_nsec = 10 * 1000 * 1000};
        (void)nanosleep(&turn, NULL);
        client_sync(watch);
    }
    broker_kill(&s->broker); /* it comes back with what it saved before */
    broker_start(&s->broker);
    expect_retained(s, "devreg/presence/#", "devreg/presence/pump-8 devreg/presence/watcher");
    broker_stop(&s->broker);
    broker_start(&s->broker);
    expect_retained(s, "devreg/presence/#", "devreg/presence/pump-8 devreg/presence/watcher");
}

static void a_device_that_comes_back_within_the_delay_keeps_its_number(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF "plugin_opt_presence_delay 2\n");
    scene_add(s, "pump-7");
    struct client *watch = watch_open(s, "pump-7");
    struct client *pump = scene_device(s, "pump-7");
    struct sighting on = watch_online(watch);
    for (int i = 0; i < 3; i++) {
        client_disconnect(pump);
        pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "last"));
    }
    client_disconnect(pump);
    struct sighting off = watch_next(watch);
    check(!off.online && off.conn == on.conn && off.seq > on.seq);
    assert_string_equal(off.client, "last");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(the_topic_follows_an_attribute),
        SCENE_TEST(a_topic_that_changed_while_the_broker_was_down_is_left),
        SCENE_TEST(what_a_crash_brings_back_is_cleared_again),
        SCENE_TEST(an_option_that_is_no_pattern_stops_the_broker),
        SCENE_TEST(without_presence_its_messages_go),
        SCENE_TEST(a_lost_store_leaves_no_old_state_behind),
        SCENE_TEST(a_device_that_comes_back_within_the_delay_keeps_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
