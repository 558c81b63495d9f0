/* test_limits.c - limits as text, what each takes, and whose counts. */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "registry/limits.h"

/* Reads "messages=60 retain=no". */
static struct limits limits_of(const char *text)
{
    struct limits limits = {{0}};
    while (*text) {
        char value[32];
        size_t name = strcspn(text, "="), length = strcspn(text + name + 1, " ");
        enum limit limit = limit_find(text, name);
        assert_true(limit < LIMIT_COUNT && length < sizeof value);
        memcpy(value, text + name + 1, length);
        value[length] = '\0';
        assert_true(limit_parse(limit, value, &limits.values[limit]));
        text += name + 1 + length;
        text += *text == ' ';
    }
    return limits;
}

static void assert_reads(const struct limits *limits, const char *text)
{
    char found[LIMITS_TEXT_MAX + 1];
    limits_format(found, limits);
    assert_string_equal(found, text);
}

static void limits_are_written_as_they_are_read(void **state)
{
    static const char *const texts[] = {
        "",
        "messages=60",
        "messages=60 burst=20 payload=1024 retain=no qos=1 connections=2",
        "payload=0 retain=yes qos=0",
        "messages=1 burst=1 connections=1",
        "messages=6000000 burst=6000000 payload=268435455 retain=yes qos=2 connections=65535",
        "messages=unlimited burst=unlimited payload=unlimited connections=unlimited",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct limits limits = limits_of(texts[i]);
        assert_reads(&limits, texts[i]);
        assert_int_equal(limits_any(&limits), *texts[i] != '\0');
    }
}

static void the_longest_text_fits(void **state)
{
    char text[LIMITS_TEXT_MAX + 1];
    struct limits limits;
    (void)state;
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++)
        limits.values[limit] = UINT32_MAX - 1; /* no limit takes it */
    limits_format(text, &limits);
    assert_true(strlen(text) < LIMITS_TEXT_MAX);
}

static void what_a_limit_does_not_take_is_refused(void **state)
{
    static const struct {
        const char *name, *value;
    } bad[] = {
        {"messages", "0"},
        {"messages", "6000001"},
        {"messages", ""},
        {"messages", "-1"},
        {"messages", "60.5"},
        {"messages", "060"},
        {"messages", " 60"},
        {"messages", "60 "},
        {"messages", "4294967295"},
        {"messages", "yes"},
        {"burst", "0"},
        {"payload", "268435456"},
        {"payload", "1k"},
        {"retain", "1"},
        {"retain", "unlimited"},
        {"retain", "No"},
        {"qos", "3"},
        {"qos", "unlimited"},
        {"connections", "0"},
        {"connections", "65536"},
        {"messages", "18446744073709551617"},
        {"messages", "Unlimited"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t value = 7;
        enum limit limit = limit_find(bad[i].name, strlen(bad[i].name));
        if (limit_parse(limit, bad[i].value, &value) || value != 7)
            fail_msg("%s takes '%s'", bad[i].name, bad[i].value);
    }
}

static void a_name_is_known_as_a_whole(void **state)
{
    (void)state;
    assert_int_equal(limit_find("qos=1", 3), LIMIT_QOS);
    assert_int_equal(limit_find("qos=1", 2), LIMIT_COUNT);
    assert_int_equal(limit_find("qoss", 4), LIMIT_COUNT);
    assert_int_equal(limit_find("", 0), LIMIT_COUNT);
}

static void only_what_a_limit_takes_is_valid(void **state)
{
    (void)state;
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        bool choice = limit == LIMIT_QOS || limit == LIMIT_RETAIN;
        assert_true(limit_valid(limit, LIMIT_UNSET));
        assert_int_equal(limit_valid(limit, LIMIT_NONE), !choice);
        assert_true(limit_valid(limit, LIMIT_OF(1)));
        assert_false(limit_valid(limit, LIMIT_NONE - 1));
    }
    assert_true(limit_valid(LIMIT_PAYLOAD, LIMIT_OF(0)));
    assert_false(limit_valid(LIMIT_MESSAGES, LIMIT_OF(0)));
    assert_false(limit_valid(LIMIT_RETAIN, LIMIT_OF(2)));
    assert_false(limit_valid(LIMIT_QOS, LIMIT_OF(3)));
}

/* What a device with these roles and own limits is held to. */
static void assert_counts(const char *role1, const char *role2, const char *own, const char *all)
{
    for (int turned = 0; turned < 2; turned++) { /* the order of roles never matters */
        struct limits limits = {{0}}, device = limits_of(own);
        const struct limits roles[] = {limits_of(turned ? role2 : role1),
                                       limits_of(turned ? role1 : role2)};
        for (int i = 0; i < 2; i++)
            limits_tighten(&limits, &roles[i]);
        limits_override(&limits, &device);
        assert_reads(&limits, all);
    }
}

static void of_several_roles_the_strictest_counts(void **state)
{
    (void)state;
    assert_counts("messages=60 retain=no", "messages=30 retain=yes", "", "messages=30 retain=no");
    assert_counts("messages=60", "qos=1", "", "messages=60 qos=1");
    assert_counts("messages=unlimited", "messages=60", "", "messages=60");
    assert_counts("payload=0", "payload=1", "", "payload=0");
    assert_counts("", "", "", "");
}

static void what_the_device_says_takes_the_place_of_its_roles_limits(void **state)
{
    (void)state;
    assert_counts("messages=60", "messages=30", "messages=600", "messages=600");
    assert_counts("messages=60", "", "messages=unlimited", "messages=unlimited");
    assert_counts("messages=60 retain=no", "", "retain=yes", "messages=60 retain=yes");
    assert_counts("qos=1", "connections=2", "qos=0", "qos=0 connections=2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_written_as_they_are_read),
        cmocka_unit_test(the_longest_text_fits),
        cmocka_unit_test(what_a_limit_does_not_take_is_refused),
        cmocka_unit_test(a_name_is_known_as_a_whole),
        cmocka_unit_test(only_what_a_limit_takes_is_valid),
        cmocka_unit_test(of_several_roles_the_strictest_counts),
        cmocka_unit_test(what_the_device_says_takes_the_place_of_its_roles_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
