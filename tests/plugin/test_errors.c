/* test_errors.c - what a device is told of its errors: at once, then now and then, never a storm.
 */
#include "plugin/errors.h"

#include <stdio.h>
#include <string.h>

#include "plugin/message.h"
#include "registry/key.h"
#include "tests/support/cmocka_all.h"

static struct {
    unsigned messages;
    uint64_t counts; /* the sum of them */
    char topic[200], text[2000];
    struct errors errors;
    int64_t now;
} s;

/* In place of the broker. */
bool message_send_text(const char *topic, const char *text, size_t size, bool retained)
{
    assert_false(retained);
    assert_true(size && size < sizeof s.text);
    snprintf(s.topic, sizeof s.topic, "%s", topic);
    snprintf(s.text, sizeof s.text, "%.*s", (int)size, text);
    const char *count = strstr(s.text, "\"count\":");
    assert_non_null(count);
    unsigned long long number;
    assert_int_equal(sscanf(count, "\"count\":%llu", &number), 1);
    s.counts += number;
    s.messages++;
    return true;
}

static void denied(const char *device, const char *topic)
{
    errors_note(&s.errors, device, ERROR_PUBLISH_DENIED, topic, "client", 1700000000000);
}

static void turn(int64_t ms)
{
    s.now += ms;
    errors_tell(&s.errors, s.now);
}

static void an_error_is_told_at_the_next_turn(void **state)
{
    (void)state;
    denied("pump-7", "a/b");
    assert_int_equal(s.messages, 0);
    turn(0);
    assert_string_equal(s.topic, "devreg/errors/pump-7");
    assert_string_equal(s.text, "{\"v\":1,\"device\":\"pump-7\",\"kind\":\"publish_denied\","
                                "\"topic\":\"a/b\",\"count\":1,\"ts\":1700000000000}");
}

static void each_kind_has_its_name(void **state)
{
    static const char *const names[ERROR_KINDS] = {
        "messages", "burst",       "payload",        "retain",
        "qos",      "connections", "publish_denied", "subscribe_denied"};
    char kind[64];
    (void)state;
    for (unsigned i = 0; i < ERROR_KINDS; i++) {
        errors_note(&s.errors, "d", i, "t", "c", 1);
        turn(0);
        snprintf(kind, sizeof kind, "\"kind\":\"%s\"", names[i]);
        assert_non_null(strstr(s.text, kind));
    }
    assert_int_equal(s.messages, ERROR_KINDS);
}

static void of_a_connect_the_client_id_is_told(void **state)
{
    (void)state;
    errors_note(&s.errors, "d", LIMIT_CONNECTIONS, NULL, "c\"1", 5);
    turn(0);
    assert_string_equal(s.text, "{\"v\":1,\"device\":\"d\",\"kind\":\"connections\","
                                "\"client\":\"c\\u00221\",\"count\":1,\"ts\":5}");
}

static void a_key_in_the_wrong_place_is_not_told(void **state)
{
    char key[KEY_TEXT_SIZE + 1], topic[KEY_TEXT_SIZE + 20];
    (void)state;
    key_generate(key);
    snprintf(topic, sizeof topic, "keys/%s/set", key);
    denied("d", topic);
    turn(0);
    assert_non_null(strstr(s.text, "\"topic\":\"keys/devreg_****"));
    assert_null(strstr(s.text, key + KEY_PART_MAX));
}

static void a_storm_makes_a_handful_of_messages_and_loses_no_count(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) { /* 30 s of it */
        denied("d", "x");
        turn(3);
    }
    assert_in_range(s.messages, 3, 4);
    turn(ERRORS_REST_MS);
    assert_in_range(s.messages, 4, 5);
    assert_int_equal(s.counts, 10000);
}

static void who_is_quiet_is_told_at_once_the_next_time(void **state)
{
    (void)state;
    denied("d", "x");
    turn(0);
    turn(ERRORS_REST_MS - 1);
    assert_int_equal(s.errors.entries.count, 1);
    turn(1);
    assert_int_equal(s.errors.entries.count, 0); /* nothing is kept of it */
    denied("d", "y");
    turn(0);
    assert_int_equal(s.messages, 2);
}

static void kinds_and_devices_do_not_wait_for_each_other(void **state)
{
    (void)state;
    denied("d", "x");
    turn(0);
    errors_note(&s.errors, "d", ERROR_SUBSCRIBE_DENIED, "x", "c", 1);
    denied("e", "x");
    denied("d", "x");
    turn(0);
    assert_int_equal(s.messages, 3);
    turn(ERRORS_REST_MS);
    assert_int_equal(s.messages, 4);
}

/* Of all devices at once. */
static void many_errors_are_paced_and_bounded(void **state)
{
    char device[32];
    (void)state;
    for (int i = 0; i < 2 * ERRORS_MAX; i++) {
        snprintf(device, sizeof device, "pump-%d", i);
        denied(device, "x");
    }
    assert_int_equal(s.errors.entries.count, ERRORS_MAX);
    for (unsigned turns = 1; turns <= 10; turns++) {
        turn(10);
        assert_int_equal(s.messages, turns * ERRORS_A_TURN);
    }
    while (s.messages < ERRORS_MAX)
        turn(10);
    turn(10);
    assert_int_equal(s.messages, ERRORS_MAX);
    turn(ERRORS_REST_MS); /* one turn frees all that are quiet */
    assert_int_equal(s.errors.entries.count, 0);
    denied("pump-0", "x");
    turn(10);
    assert_int_equal(s.messages, ERRORS_MAX + 1);
}

static void text_from_a_client_is_cut_and_escaped(void **state)
{
    char topic[5000];
    (void)state;
    denied("d", "a\"b\\c\nd\x1b\x7f");
    turn(0);
    assert_null(strpbrk(s.text, "\n\x1b"));
    assert_non_null(strstr(s.text, "\"topic\":\"a\\u0022b\\u005cc\\u000a"));
    memset(topic, '"', sizeof topic - 1);
    topic[sizeof topic - 1] = '\0';
    denied("e", topic);
    turn(0);
    assert_int_equal(s.messages, 2);
    assert_true(strlen(s.text) < 6 * 200 + 200);
    memset(topic, '\x01', sizeof topic - 1); /* six bytes each */
    denied("0123456789012345678901234567890123456789012345678901234567890123"
           "0123456789012345678901234567890123456789012345678901234567890123",
           topic);
    turn(0);
    assert_int_equal(s.messages, 3);
}

static void off_they_cost_nothing(void **state)
{
    (void)state;
    errors_close(&s.errors);
    errors_open(&s.errors, false);
    denied("d", "x");
    turn(0);
    assert_int_equal(s.messages + s.errors.entries.count, 0);
}

static int begin(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    s.now = 1000;
    errors_open(&s.errors, true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    errors_close(&s.errors);
    return 0;
}

#define ERRORS_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ERRORS_TEST(an_error_is_told_at_the_next_turn),
        ERRORS_TEST(each_kind_has_its_name),
        ERRORS_TEST(of_a_connect_the_client_id_is_told),
        ERRORS_TEST(a_key_in_the_wrong_place_is_not_told),
        ERRORS_TEST(a_storm_makes_a_handful_of_messages_and_loses_no_count),
        ERRORS_TEST(who_is_quiet_is_told_at_once_the_next_time),
        ERRORS_TEST(kinds_and_devices_do_not_wait_for_each_other),
        ERRORS_TEST(many_errors_are_paced_and_bounded),
        ERRORS_TEST(text_from_a_client_is_cut_and_escaped),
        ERRORS_TEST(off_they_cost_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
