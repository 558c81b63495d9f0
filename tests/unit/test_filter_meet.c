/* test_filter_meet.c - what two filters have in common, by hand and against all short names.
 *
 * The truth is naive_topic.h: filters meet if some name matches both, and what they have in common
 * matches all of those. */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "admin/filter_meet.h"
#include "tests/support/naive_topic.h"
#include "tests/support/rng.h"

enum { NAMES_MAX = 500, ROUNDS = 20000, TEXT_MAX = 64 };

static struct bound_filter bound(const char *filter)
{
    struct bound_filter out;
    filter_bind(&out, filter, FILTER_ANYBODY);
    return out;
}

static const char *common_of(const char *a, const char *b)
{
    static struct bound_filter common;
    const struct bound_filter x = bound(a), y = bound(b);
    return filter_meet(&common, &x, &y) ? common.text : NULL;
}

static void the_common_part_of_two_filters(void **state)
{
    static const char *const pairs[][3] = {
        {"a/b", "a/b", "a/b"},     {"a/+", "+/b", "a/b"},     {"a/#", "a", "a"},
        {"#", "a/b", "a/b"},       {"#", "+/+", "+/+"},       {"a/#", "+/b/#", "a/b/#"},
        {"a/#", "a/#", "a/#"},     {"a/+/#", "a/#", "a/+/#"}, {"%c/a", "+/a", "%c/a"},
        {"%c/a", "b/+", "b/a"},    {"%c", "%u", "%u"},        {"$SYS/#", "$SYS/+", "$SYS/+"},
        {"a//b", "a/+/b", "a//b"}, {"/#", "/", "/"},          {"+", "a", "a"},
        {"%u/#", "%u", "%u"}};
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        const char *common = common_of(pairs[i][0], pairs[i][1]);
        assert_non_null(common);
        assert_string_equal(common, pairs[i][2]);
        assert_non_null(common_of(pairs[i][1], pairs[i][0]));
    }
}

static void filters_that_have_nothing_in_common(void **state)
{
    static const char *const pairs[][2] = {{"a", "b"},       {"a", "a/b"},     {"a/b", "a"},
                                           {"a/+", "a"},     {"a/+/#", "a"},   {"#", "$SYS/a"},
                                           {"+/a", "$x/a"},  {"%c/a", "$x/a"}, {"$x/#", "$y/#"},
                                           {"a/b/#", "a/c"}, {"+", "+/+"},     {"/", "//"}};
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        assert_null(common_of(pairs[i][0], pairs[i][1]));
        assert_null(common_of(pairs[i][1], pairs[i][0]));
    }
}

static void a_users_name_stands_for_its_variable(void **state)
{
    struct bound_filter out;
    (void)state;
    filter_bind(&out, "a/%u/%c/%u", "pump-7");
    assert_string_equal(out.text, "a/pump-7/%c/pump-7");
    filter_bind(&out, "%u", "pump-7");
    assert_string_equal(out.text, "pump-7");
    filter_bind(&out, "a%u/b/", "pump-7");
    assert_string_equal(out.text, "a%u/b/");
}

/* The longest filters there are, of the longest names. */
static void the_longest_filters_fit(void **state)
{
    char device[DEVICE_ID_MAX + 1], a[RULE_FILTER_MAX + 1] = "", b[RULE_FILTER_MAX + 1] = "";
    static struct bound_filter x, y, common;
    (void)state;
    memset(device, 'd', DEVICE_ID_MAX);
    device[DEVICE_ID_MAX] = '\0';
    for (size_t i = 0; strlen(a) + 6 < RULE_FILTER_MAX && i < TOPIC_LEVELS_MAX / 2 - 1; i++) {
        strcat(a, "%u/+/");
        strcat(b, "+/%u/");
    }
    strcat(a, "#");
    strcat(b, "#");
    assert_null(rule_filter_problem(a));
    filter_bind(&x, a, device);
    filter_bind(&y, b, device);
    assert_true(filter_meet(&common, &x, &y));
    assert_true(strlen(common.text) > 25000);
    assert_true(strlen(common.text) <= FILTER_BOUND_MAX);
}

/* All names of one to four levels of this alphabet. */
static size_t all_names(struct naive names[static NAMES_MAX])
{
    static const char *const levels[] = {"a", "b", "", "$x"};
    size_t count = 0;
    for (size_t depth = 1; depth <= 4; depth++) {
        for (size_t i = 0; i < (size_t)1 << (2 * depth); i++) {
            struct naive *name = &names[count++];
            *name = (struct naive){0};
            for (size_t level = 0; level < depth; level++) {
                const char *text = levels[i >> (2 * level) & 3];
                naive_append(name, text, strlen(text));
            }
        }
    }
    return count;
}

static void random_filter(struct rng *rng, char text[static TEXT_MAX])
{
    static const char *const levels[] = {"a", "b", "", "+", "+", "$x"};
    text[0] = '\0';
    for (size_t left = 1 + rng_below(rng, 3); left > 0; left--) {
        strcat(text, levels[rng_below(rng, COUNT(levels))]);
        strcat(text, left > 1 ? "/" : rng_percent(rng, 40) ? "/#" : "");
    }
    if (!*text || rng_percent(rng, 5))
        strcpy(text, "#");
}

static void the_common_part_matches_what_both_match(void **state)
{
    static struct naive names[NAMES_MAX];
    struct rng rng = rng_start("the_common_part_matches_what_both_match");
    size_t count = all_names(names), met = 0;
    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        char a[TEXT_MAX], b[TEXT_MAX];
        random_filter(&rng, a);
        random_filter(&rng, b);
        const char *common = common_of(a, b);
        const struct naive x = naive_split(a), y = naive_split(b);
        const struct naive both = naive_split(common ? common : "");
        bool any = false;
        for (size_t i = 0; i < count; i++) {
            bool matches = naive_matches(&x, &names[i]) && naive_matches(&y, &names[i]);
            any |= matches;
            if (matches != (common && naive_matches(&both, &names[i])))
                fail_msg("'%s' and '%s' have '%s' in common", a, b, common ? common : "nothing");
        }
        if (any != (common != NULL))
            fail_msg("'%s' and '%s' have '%s' in common", a, b, common ? common : "nothing");
        met += any;
    }
    assert_in_range(met, ROUNDS / 10, ROUNDS - ROUNDS / 10);
}

static void what_covers_a_filter(void **state)
{
    static const struct {
        const char *wide, *narrow;
        bool covers;
    } pairs[] = {{"#", "a/+", true},      {"a/#", "a", true}, {"%c/#", "%c/a", true},
                 {"+", "%c", true},       {"%c", "+", false}, {"%c", "%u", false},
                 {"%u/a", "%c/a", false}, {"a", "%c", false}, {"#", "$x", false}};
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        const struct bound_filter wide = bound(pairs[i].wide), narrow = bound(pairs[i].narrow);
        assert_int_equal(filter_covers(&wide, &narrow), pairs[i].covers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_common_part_of_two_filters),
        cmocka_unit_test(filters_that_have_nothing_in_common),
        cmocka_unit_test(a_users_name_stands_for_its_variable),
        cmocka_unit_test(the_longest_filters_fit),
        cmocka_unit_test(the_common_part_matches_what_both_match),
        cmocka_unit_test(what_covers_a_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
