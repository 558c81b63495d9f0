/* test_presence_topic.c - patterns of presence topics, and the topics that they become. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "registry/presence_topic.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void a_pattern_names_the_device_once_as_a_whole_level(void **state)
{
    static const char *const good[] = {"devreg/presence/%u",  "%u",           "%u/a/",
                                       "state/%{site}/%u",    "%{a}/%{b}/%u", "/%u",
                                       "%{site}/online/%u/x", "a//%u"};
    static const char *const bad[] = {"",         "state",     "state/%{site}", "%u/%u",
                                      "x%u",      "%ux",       "%c/%u",         "%{}/%u",
                                      "%{a/%u",   "a%b/%u",    "%{a}x/%u",      "+/%u",
                                      "%u/#",     "$state/%u", "%{a}%{b}/%u",   "%/%u",
                                      "%{1a}/%u", "devreg/%u", "devreg/x/%u",   "%{a b}/%u"};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!presence_pattern_valid(good[i]))
            fail_msg("'%s' is refused", good[i]);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (presence_pattern_valid(bad[i]))
            fail_msg("'%s' is taken", bad[i]);
    }
}

static struct attribute attribute(const char *name, const char *value)
{
    struct attribute attribute;
    (void)snprintf(attribute.name, sizeof attribute.name, "%s", name);
    (void)snprintf(attribute.value, sizeof attribute.value, "%s", value);
    return attribute;
}

static void assert_topic(const char *pattern, const char *value, const char *expected)
{
    const struct attribute attributes[] = {attribute("floor", "3"), attribute("site", value)};
    const struct subject subject = {"pump-7", attributes, value ? 2 : 0};
    char topic[PRESENCE_TOPIC_MAX + 1];
    presence_topic_make(topic, pattern, &subject);
    assert_string_equal(topic, expected);
}

static void variables_become_their_values(void **state)
{
    (void)state;
    assert_topic("devreg/presence/%u", "", "devreg/presence/pump-7");
    assert_topic("%u", "", "pump-7");
    assert_topic("%u/a/", "", "pump-7/a/");
    assert_topic("state/%{site}/%u", "kiel", "state/kiel/pump-7");
    assert_topic("%{site}/%{floor}/%u/x", "kiel", "kiel/3/pump-7/x");
    assert_topic("%{site}/%u", "dollar$", "dollar$/pump-7");
    assert_topic("a/%{site}/%u", "$SYS", "a/$SYS/pump-7");
}

static void a_value_that_is_no_level_becomes_a_dash(void **state)
{
    static const char *const values[] = {"", "a/b", "+", "#", "a+", "b#", "/"};
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++)
        assert_topic("state/%{site}/%u", values[i], "state/-/pump-7");
    assert_topic("%{site}/%u", "$SYS", "-/pump-7");
    assert_topic("state/%{other}/%u", "kiel", "state/-/pump-7");
}

/* What the longest values make of a pattern fits, or the pattern is refused. */
static void no_topic_is_too_long(void **state)
{
    char value[ATTRIBUTE_VALUE_MAX + 1], device[DEVICE_ID_MAX + 1],
        pattern[PRESENCE_PATTERN_MAX + 1] = "%u/%{site}/";
    char topic[PRESENCE_TOPIC_MAX + 1];
    (void)state;
    memset(value, 'v', sizeof value - 1);
    memset(device, 'd', sizeof device - 1);
    value[sizeof value - 1] = device[sizeof device - 1] = '\0';
    const struct attribute site = attribute("site", value);
    const struct subject subject = {device, &site, 1};
    while (presence_pattern_valid(pattern))
        strcat(pattern, "x");
    pattern[strlen(pattern) - 1] = '\0';
    assert_true(presence_pattern_valid(pattern));
    presence_topic_make(topic, pattern, &subject);
    assert_int_equal(strlen(topic), PRESENCE_TOPIC_MAX);
    strcat(pattern, "x");
    presence_topic_make(topic, pattern, &subject); /* it is cut, not written beyond */
    assert_int_equal(strlen(topic), PRESENCE_TOPIC_MAX);
}

static void patterns_are_numbered(void **state)
{
    struct patterns patterns = {0};
    (void)state;
    assert_null(patterns_current(&patterns));
    assert_null(patterns_text(&patterns, 1));
    patterns_use(&patterns, "a/%u");
    patterns_use(&patterns, "a/%u"); /* still the one in use */
    patterns_use(&patterns, "");
    patterns_use(&patterns, "a/%u");
    assert_int_equal(patterns.count, 3);
    assert_int_equal(patterns_current(&patterns)->number, 3);
    assert_string_equal(patterns_text(&patterns, 1), "a/%u");
    assert_string_equal(patterns_text(&patterns, 2), "");
    patterns_settle(&patterns);
    assert_int_equal(patterns.count, 1);
    assert_int_equal(patterns_current(&patterns)->number, 3);
    assert_null(patterns_text(&patterns, 1));
}

static void the_oldest_of_too_many_patterns_is_forgotten(void **state)
{
    struct patterns patterns = {0};
    (void)state;
    for (int i = 0; i < PATTERNS_MAX + 2; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d/%%u", i);
        patterns_use(&patterns, text);
    }
    assert_int_equal(patterns.count, PATTERNS_MAX);
    assert_null(patterns_text(&patterns, 2));
    assert_string_equal(patterns_text(&patterns, 3), "2/%u");
    assert_string_equal(patterns_current(&patterns)->text, "9/%u");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_names_the_device_once_as_a_whole_level),
        cmocka_unit_test(variables_become_their_values),
        cmocka_unit_test(a_value_that_is_no_level_becomes_a_dash),
        cmocka_unit_test(no_topic_is_too_long),
        cmocka_unit_test(patterns_are_numbered),
        cmocka_unit_test(the_oldest_of_too_many_patterns_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
