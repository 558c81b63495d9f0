/* test_limits.c - what a device may send at most, with a clock that is the test's. */
#include <stdio.h>
#include <string.h>

#include "tests/plugin/place.h"

static struct {
    struct place place;
    char key[KEY_TEXT_SIZE + 1];
    int written; /* the answer to the latest publish or will */
    unsigned limited;
    char told[1024]; /* the latest event of that kind */
    unsigned errors;
    char error[1024]; /* the latest on devreg/errors/d */
    bool role_unreadable;
} s;

enum err __real_registry_get_role(struct registry *registry, const char *name, struct role *role);
enum err __wrap_registry_get_role(struct registry *registry, const char *name, struct role *role);
enum err __wrap_registry_get_role(struct registry *registry, const char *name, struct role *role)
{
    return s.role_unreadable ? ERR_BROKEN : __real_registry_get_role(registry, name, role);
}

#define TOPIC "devices/d/x"

static void note_write(struct mosquitto *client, int access, const char *topic, int answer)
{
    (void)client;
    (void)topic;
    if (access == MOSQ_ACL_WRITE)
        s.written = answer;
}

static void note_event(const char *topic, const char *payload)
{
    if (strncmp(topic, "devreg/errors/", 14) == 0) {
        assert_string_equal(topic, "devreg/errors/d");
        s.errors++;
        (void)snprintf(s.error, sizeof s.error, "%s", payload);
    }
    if (strcmp(topic, "devreg/event/d/limited") != 0)
        return;
    s.limited++;
    (void)snprintf(s.told, sizeof s.told, "%s", payload);
}

/* "messages=60 qos=1" */
static void limits_set(struct limits *limits, const char *text)
{
    while (*text) {
        char value[32];
        size_t name = strcspn(text, "="), length = strcspn(text + name + 1, " ");
        enum limit limit = limit_find(text, name);
        (void)snprintf(value, sizeof value, "%.*s", (int)length, text + name + 1);
        assert_true(limit < LIMIT_COUNT && limit_parse(limit, value, &limits->values[limit]));
        text += name + 1 + length;
        text += *text == ' ';
    }
}

/* As `devreg limit d`. */
static void limit_device(const char *limits)
{
    struct device device;
    assert_int_equal(registry_write(s.place.registry, "tester", sim_now()), ERR_OK);
    assert_int_equal(registry_get_device(s.place.registry, "d", &device), ERR_OK);
    limits_set(&device.limits, limits);
    assert_int_equal(registry_put_device(s.place.registry, &device), ERR_OK);
    registry_log(s.place.registry, LOG_LIMIT, LOG_DEVICE, "d", limits);
    assert_int_equal(registry_commit(s.place.registry), ERR_OK);
    device_clear(&device);
}

/* As `devreg limit @device`. */
static void limit_role(const char *limits)
{
    struct role role;
    assert_int_equal(registry_write(s.place.registry, "tester", sim_now()), ERR_OK);
    assert_int_equal(registry_get_role(s.place.registry, DEFAULT_ROLE, &role), ERR_OK);
    limits_set(&role.limits, limits);
    assert_int_equal(registry_put_role(s.place.registry, &role), ERR_OK);
    registry_log(s.place.registry, LOG_LIMIT, LOG_ROLE, DEFAULT_ROLE, limits);
    assert_int_equal(registry_commit(s.place.registry), ERR_OK);
    role_clear(&role);
}

static int knock(const char *client_id)
{
    const struct sim_login login = {
        .id = client_id, .username = "d", .password = s.key, .protocol = 4, .clean = true};
    return sim_connect(&login);
}

static struct mosquitto *log_in(const char *client_id)
{
    assert_int_equal(knock(client_id), MOSQ_ERR_SUCCESS);
    sim_clock(100);
    sim_turn();
    return sim_client(client_id);
}

static bool passes(struct mosquitto *client, struct sim_message message)
{
    int answer = sim_send(client, TOPIC, message);
    assert_true(answer == MOSQ_ERR_SUCCESS || answer == MOSQ_ERR_ACL_DENIED);
    return answer == MOSQ_ERR_SUCCESS;
}

static bool may_publish(struct mosquitto *client)
{
    return passes(client, (struct sim_message){.size = 1});
}

static unsigned publish_all(struct mosquitto *client, unsigned tries)
{
    unsigned passed = 0;
    while (tries-- > 0)
        passed += may_publish(client);
    return passed;
}

static void without_limits_nothing_is_dropped(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    assert_int_equal(publish_all(client, 5000), 5000);
    assert_true(passes(client, (struct sim_message){.size = 268435455, .qos = 2, .retain = true}));
    assert_int_equal(s.limited, 0);
}

static void messages_are_let_through_as_the_rate_says(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    limit_device("messages=60 burst=20");
    assert_int_equal(publish_all(client, 100), 20);
    for (int second = 0; second < 10; second++) {
        sim_clock(999);
        assert_int_equal(publish_all(client, 3), 0);
        sim_clock(1);
        assert_int_equal(publish_all(client, 3), 1);
    }
    sim_clock(60 * 60 * 1000);
    assert_int_equal(publish_all(client, 100), 20);
    assert_int_equal(sim_state(client), SIM_CONNECTED);
}

static void without_a_burst_a_minutes_messages_may_come_at_once(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    limit_device("messages=30");
    assert_int_equal(publish_all(client, 100), 30);
    limit_device("burst=unlimited");
    sim_clock(60 * 1000);
    assert_int_equal(publish_all(client, 100), 30);
}

static void the_connections_of_a_device_share_its_messages(void **state)
{
    struct mosquitto *one = log_in("one"), *two = log_in("two");
    (void)state;
    limit_device("messages=60 burst=4");
    assert_int_equal(publish_all(one, 3), 3);
    assert_int_equal(publish_all(two, 3), 1);
    sim_end(one, SIM_LEAVE);
    sim_end(two, SIM_LEAVE);
    sim_turn();
    assert_false(may_publish(log_in("three"))); /* nor does a new one begin afresh */
}

static void a_changed_limit_holds_with_the_next_message_and_fills_no_bucket(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    assert_true(may_publish(client));
    limit_device("messages=60 burst=2");
    assert_int_equal(publish_all(client, 5), 2);
    limit_device("payload=5");
    assert_false(may_publish(client));
    limit_device("messages=unlimited");
    assert_true(may_publish(client));
    limit_device("payload=0");
    assert_false(may_publish(client));
    limit_device("payload=none messages=none burst=none");
    assert_int_equal(publish_all(client, 100), 100);
}

static void a_roles_limit_counts_until_the_device_says_otherwise(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    limit_role("payload=10 retain=no");
    assert_false(passes(client, (struct sim_message){.size = 11}));
    assert_true(passes(client, (struct sim_message){.size = 10}));
    limit_device("payload=20");
    assert_true(passes(client, (struct sim_message){.size = 20}));
    assert_false(passes(client, (struct sim_message){.size = 21}));
    assert_false(passes(client, (struct sim_message){.size = 1, .retain = true}));
    limit_device("retain=yes");
    assert_true(passes(client, (struct sim_message){.size = 1, .retain = true}));
    limit_role("payload=none retain=none");
    limit_device("payload=none retain=none");
    assert_true(passes(client, (struct sim_message){.size = 1000, .retain = true}));
}

static void payload_retain_and_qos_have_their_bounds(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    limit_device("payload=0 retain=no qos=1");
    assert_true(passes(client, (struct sim_message){.size = 0, .qos = 1}));
    assert_false(passes(client, (struct sim_message){.size = 1}));
    assert_false(passes(client, (struct sim_message){.retain = true}));
    assert_false(passes(client, (struct sim_message){.qos = 2}));
    assert_int_equal(sim_subscribe_at(client, "devices/d/a", 2), MOSQ_ERR_ACL_DENIED);
    assert_int_equal(sim_subscribe_at(client, "devices/d/a", 1), MOSQ_ERR_SUCCESS);
    assert_int_equal(sim_subscribe_at(client, "devices/d/a", 2), MOSQ_ERR_ACL_DENIED);
}

/* What is answered from memory is held to its limits as well. */
static void a_repeated_question_is_not_let_through_by_the_last_answer(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    limit_device("payload=10");
    for (int i = 0; i < 3; i++) {
        assert_true(passes(client, (struct sim_message){.size = 10}));
        assert_false(passes(client, (struct sim_message){.size = 11}));
    }
}

static void only_what_passes_all_else_is_a_message(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    limit_device("messages=1 payload=10 retain=no qos=1");
    assert_false(passes(client, (struct sim_message){.size = 11}));
    assert_false(passes(client, (struct sim_message){.retain = true}));
    assert_false(passes(client, (struct sim_message){.qos = 2}));
    assert_int_equal(sim_publish(client, "not/mine"), MOSQ_ERR_ACL_DENIED);
    assert_int_equal(publish_all(client, 3), 1);
}

static void what_is_no_doing_of_the_device_is_not_counted(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    limit_device("messages=1 payload=0 retain=no qos=0");
    assert_true(passes(client, (struct sim_message){.size = 0}));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(sim_deliver(client, TOPIC), MOSQ_ERR_SUCCESS);
        assert_int_equal(sim_source("d", "d", TOPIC), MOSQ_ERR_SUCCESS);
        assert_int_equal(sim_unsubscribe(client, TOPIC), MOSQ_ERR_SUCCESS);
        assert_int_equal(sim_subscribe(client, TOPIC), MOSQ_ERR_SUCCESS);
    }
    assert_int_equal(s.limited, 0);
}

static void a_will_is_a_message(void **state)
{
    const struct sim_login with_will = {
        .id = "d", .username = "d", .password = s.key, .protocol = 4, .clean = true, .will = TOPIC};
    (void)state;
    limit_device("messages=60 burst=2");
    for (int i = 0; i < 4; i++) {
        s.written = -1;
        assert_int_equal(sim_connect(&with_will), MOSQ_ERR_SUCCESS);
        sim_turn();
        sim_end(sim_client("d"), SIM_LOSE);
        assert_int_equal(s.written, i < 2 ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED);
        sim_turn();
    }
    assert_int_equal(s.limited, 2);
}

static void one_connection_too_many_is_refused_and_a_take_over_is_not_one_more(void **state)
{
    struct mosquitto *one = log_in("one");
    (void)state;
    limit_device("connections=2");
    (void)log_in("two");
    assert_int_equal(knock("three"), MOSQ_ERR_AUTH);
    sim_clock(100);
    sim_turn();
    assert_true(sim_logged("reason=too_many_connections"));
    assert_int_equal(knock("two"), MOSQ_ERR_SUCCESS);
    sim_turn();
    assert_int_equal(sim_state(one), SIM_CONNECTED);
    assert_int_equal(knock("three"), MOSQ_ERR_AUTH);
    sim_end(one, SIM_LEAVE);
    assert_int_equal(knock("three"), MOSQ_ERR_SUCCESS);
    sim_turn();
    limit_device("connections=1"); /* nobody is cut off */
    sim_turn();
    assert_int_equal(sim_state(sim_client("two")), SIM_CONNECTED);
    assert_int_equal(sim_state(sim_client("three")), SIM_CONNECTED);
    assert_int_equal(knock("four"), MOSQ_ERR_AUTH);
}

/* The role's limit has to be read at the login, before any check has asked for it. */
static void a_roles_limit_of_connections_holds_at_the_first_login_after_it(void **state)
{
    (void)state;
    assert_int_equal(knock("one"), MOSQ_ERR_SUCCESS);
    limit_role("connections=1");
    assert_int_equal(knock("two"), MOSQ_ERR_AUTH);
    limit_role("connections=none");
    assert_int_equal(knock("two"), MOSQ_ERR_SUCCESS);
    limit_device("connections=2");
    assert_int_equal(knock("three"), MOSQ_ERR_AUTH);
}

static void while_a_role_cannot_be_read_nobody_is_one_connection_more(void **state)
{
    (void)state;
    assert_int_equal(knock("one"), MOSQ_ERR_SUCCESS);
    limit_role("connections=2");
    s.role_unreadable = true;
    assert_int_equal(knock("two"), MOSQ_ERR_AUTH);
    s.role_unreadable = false;
    assert_int_equal(knock("two"), MOSQ_ERR_SUCCESS);
    assert_int_equal(knock("three"), MOSQ_ERR_AUTH);
    sim_clock(100);
    sim_turn();
    assert_true(sim_logged("reason=registry_unreadable"));
}

static void a_hang_up_asks_again_and_refuses_nobody(void **state)
{
    (void)state;
    (void)log_in("one");
    (void)log_in("two");
    limit_device("connections=1");
    sim_hang_up();
    sim_turn();
    sim_turn();
    assert_int_equal(sim_state(sim_client("one")), SIM_CONNECTED);
    assert_int_equal(sim_state(sim_client("two")), SIM_CONNECTED);
}

static void what_is_over_a_limit_is_an_event(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    limit_device("payload=1 connections=1");
    assert_false(passes(client, (struct sim_message){.size = 2}));
    sim_turn();
    assert_non_null(
        strstr(s.told, "\"limit\":\"payload\",\"topic\":\"" TOPIC "\",\"client\":\"d\""));
    assert_int_equal(knock("e"), MOSQ_ERR_AUTH);
    sim_turn();
    assert_non_null(strstr(s.told, "\"limit\":\"connections\",\"client\":\"e\""));
    assert_int_equal(s.limited, 2);
}

/* A turn later, what is told begins so. */
static void assert_told(const char *kind, const char *rest)
{
    char begins[200];
    unsigned before = s.errors;
    for (int turns = 0; turns < 3 && s.errors == before; turns++) { /* 2.1 may tick a turn later */
        sim_clock(100);
        sim_turn();
    }
    assert_int_equal(s.errors, before + 1);
    (void)snprintf(begins, sizeof begins, "{\"v\":1,\"device\":\"d\",\"kind\":\"%s\",%s", kind,
                   rest);
    if (strncmp(s.error, begins, strlen(begins)) != 0)
        fail_msg("%s is no '%s'", s.error, begins);
}

static void the_device_is_told_what_it_was_not_let_do(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    assert_int_equal(sim_publish(client, "not/mine"), MOSQ_ERR_ACL_DENIED);
    assert_told("publish_denied", "\"topic\":\"not/mine\",\"count\":1,\"ts\":");
    assert_int_equal(sim_subscribe(client, "#"), MOSQ_ERR_ACL_DENIED);
    assert_told("subscribe_denied", "\"topic\":\"#\",\"count\":1,");
    limit_device("messages=60 burst=1 payload=1 retain=no qos=1 connections=1");
    assert_false(passes(client, (struct sim_message){.size = 2}));
    assert_told("payload", "\"topic\":\"" TOPIC "\",\"count\":1,");
    assert_false(passes(client, (struct sim_message){.retain = true}));
    assert_told("retain", "");
    assert_false(passes(client, (struct sim_message){.qos = 2}));
    assert_told("qos", "");
    assert_int_equal(publish_all(client, 5), 1);
    assert_told("messages", "\"topic\":\"" TOPIC "\",\"count\":4,");
    assert_int_equal(knock("e"), MOSQ_ERR_AUTH);
    assert_told("connections", "\"client\":\"e\",\"count\":1,");
}

static void a_delivery_that_is_denied_is_not_told(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(sim_deliver(client, "not/mine"), MOSQ_ERR_ACL_DENIED);
    assert_int_equal(sim_deliver(client, "devreg/errors/d"), MOSQ_ERR_SUCCESS);
    assert_int_equal(sim_deliver(client, "devreg/errors/e"), MOSQ_ERR_ACL_DENIED);
    sim_clock(100);
    sim_turn();
    assert_int_equal(s.errors, 0);
}

static void a_storm_of_denials_makes_a_handful_of_messages(void **state)
{
    struct mosquitto *client = log_in("d");
    (void)state;
    for (int second = 0; second < 100; second++) {
        for (int i = 0; i < 100; i++)
            assert_int_equal(sim_publish(client, "not/mine"), MOSQ_ERR_ACL_DENIED);
        sim_clock(1000);
        sim_turn();
    }
    assert_in_range(s.errors, 10, 11);
    assert_int_equal(sim_state(client), SIM_CONNECTED);
}

static int begin(void **state)
{
    static struct sim_options options = {
        .checked = note_write, .told = note_event, .events = "on", .errors = "on"};
    (void)state;
    memset(&s, 0, sizeof s);
    place_open(&s.place);
    options.registry = s.place.path;
    place_add_with_key(&s.place, "d", s.key);
    sim_start(&options);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(&s.place);
    return 0;
}

#define LIMITS_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITS_TEST(without_limits_nothing_is_dropped),
        LIMITS_TEST(messages_are_let_through_as_the_rate_says),
        LIMITS_TEST(without_a_burst_a_minutes_messages_may_come_at_once),
        LIMITS_TEST(the_connections_of_a_device_share_its_messages),
        LIMITS_TEST(a_changed_limit_holds_with_the_next_message_and_fills_no_bucket),
        LIMITS_TEST(a_roles_limit_counts_until_the_device_says_otherwise),
        LIMITS_TEST(payload_retain_and_qos_have_their_bounds),
        LIMITS_TEST(a_repeated_question_is_not_let_through_by_the_last_answer),
        LIMITS_TEST(only_what_passes_all_else_is_a_message),
        LIMITS_TEST(what_is_no_doing_of_the_device_is_not_counted),
        LIMITS_TEST(a_will_is_a_message),
        LIMITS_TEST(one_connection_too_many_is_refused_and_a_take_over_is_not_one_more),
        LIMITS_TEST(a_roles_limit_of_connections_holds_at_the_first_login_after_it),
        LIMITS_TEST(while_a_role_cannot_be_read_nobody_is_one_connection_more),
        LIMITS_TEST(a_hang_up_asks_again_and_refuses_nobody),
        LIMITS_TEST(what_is_over_a_limit_is_an_event),
        LIMITS_TEST(the_device_is_told_what_it_was_not_let_do),
        LIMITS_TEST(a_delivery_that_is_denied_is_not_told),
        LIMITS_TEST(a_storm_of_denials_makes_a_handful_of_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
