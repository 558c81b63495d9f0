/* test_rule.c - the rule language, and sets of rules. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/rule.h"

static void variables_are_whole_levels(void **state)
{
    static const char *const good[] = {"%u", "%c/a", "a/%u/#", "%{site}",    "a/%{s-1_b}/+", "+/%u",
                                       "%",  "a%/b", "100%/x", "%u/%c/%{x}", "a/%",          "x%y"};
    static const char *const bad[] = {
        "a%u",      "%ux",      "a/%c-1", "%{}",       "%{site", "%{si te}", "%{1a}", "x%{site}",
        "%{site}x", "%{a}%{b}", "%i",     "%username", "%{a/b}", "%%",       "%U",    "%{ä}"};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_null(rule_filter_problem(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_non_null(rule_filter_problem(bad[i]));
}

static void an_attribute_name_in_a_filter_has_up_to_32_characters(void **state)
{
    (void)state;
    assert_null(rule_filter_problem("a/%{abcdefghijabcdefghijabcdefghijab}"));
    assert_non_null(rule_filter_problem("a/%{abcdefghijabcdefghijabcdefghijabc}"));
}

static void what_is_no_topic_filter_is_no_filter_of_a_rule(void **state)
{
    static const char *const bad[] = {
        "",     "a/#/b",    "a+",           "#a",         "a\nb",     "\x7f",
        "\xff", "\xc0\xaf", "\xed\xa0\x80", "$share/g/a", "a\x1b[1m", "\xe2\x80\xae"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_non_null(rule_filter_problem(bad[i]));
    assert_null(rule_filter_problem("$SYS/#"));
    assert_null(rule_filter_problem("zähler/+"));
    assert_null(rule_filter_problem("a b/c"));
}

static void a_filter_has_up_to_512_bytes_and_200_levels(void **state)
{
    char filter[RULE_FILTER_MAX + 2] = {0};
    (void)state;
    memset(filter, 'a', RULE_FILTER_MAX);
    assert_null(rule_filter_problem(filter));
    filter[RULE_FILTER_MAX] = 'a';
    assert_non_null(rule_filter_problem(filter));
    memset(filter, 0, sizeof filter);
    memset(filter, '/', 199);
    assert_null(rule_filter_problem(filter));
    filter[199] = '/';
    assert_non_null(rule_filter_problem(filter));
}

static void actions_have_names_that_are_read_back(void **state)
{
    static const enum action actions[] = {ACTION_PUBLISH, ACTION_SUBSCRIBE, ACTION_ALL};
    static const char *const bad[] = {"", "none", "Publish", "publish ", "pub", "allx"};
    enum action action;
    (void)state;
    for (size_t i = 0; i < COUNT(actions); i++) {
        assert_true(action_parse(&action, action_name(actions[i])));
        assert_int_equal(action, actions[i]);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(action_parse(&action, bad[i]));
    assert_string_equal(action_name(ACTION_ALL), "all");
    assert_string_equal(effect_name(EFFECT_ALLOW), "allow");
    assert_string_equal(effect_name(EFFECT_DENY), "deny");
}

static void a_formatted_rule_is_read_back(void **state)
{
    static const char *const texts[] = {"allow publish a/b", "deny all site/+/%u/#",
                                        "allow subscribe %{site}", "deny publish a b/c"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        enum effect effect;
        enum action action;
        const char *filter, *problem = NULL;
        char copy[RULE_FILTER_MAX + 1], text[RULE_TEXT_MAX + 1];
        assert_true(rule_parse(texts[i], &effect, &action, &filter, &problem));
        assert_true(filter > texts[i] && filter < texts[i] + strlen(texts[i]));
        strcpy(copy, filter);
        rule_format(text, &(struct rule){effect, action, copy});
        assert_string_equal(text, texts[i]);
    }
}

static void the_longest_rule_fits_its_text(void **state)
{
    char filter[RULE_FILTER_MAX + 1] = {0}, text[RULE_TEXT_MAX + 1];
    (void)state;
    memset(filter, 'a', RULE_FILTER_MAX);
    rule_format(text, &(struct rule){EFFECT_ALLOW, ACTION_SUBSCRIBE, filter});
    assert_int_equal(strlen(text), strlen("allow subscribe ") + RULE_FILTER_MAX);
    assert_string_equal(text + strlen("allow subscribe "), filter);
}

static void what_is_no_rule_is_refused_with_a_reason(void **state)
{
    static const char *const bad[] = {"",
                                      "allow",
                                      "allow publish",
                                      "allow publish ",
                                      "permit publish a",
                                      "allow read a",
                                      " allow publish a",
                                      "Allow publish a",
                                      "allow  publish a",
                                      "allow\tpublish a",
                                      "deny all a#",
                                      "allow all a%u",
                                      "denyall a"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        enum effect effect;
        enum action action;
        const char *filter, *problem = NULL;
        assert_false(rule_parse(bad[i], &effect, &action, &filter, &problem));
        assert_non_null(problem);
        assert_true(strlen(problem) > 0);
    }
}

static void a_set_holds_one_rule_for_each_filter_and_action(void **state)
{
    struct rules rules = {0};
    bool replaced = true;
    (void)state;
    assert_int_equal(rules_set(&rules, EFFECT_ALLOW, ACTION_ALL, "a", &replaced), ERR_OK);
    assert_false(replaced);
    assert_int_equal(rules_set(&rules, EFFECT_ALLOW, ACTION_ALL, "a", &replaced), ERR_EXISTS);
    assert_int_equal(rules_set(&rules, EFFECT_DENY, ACTION_ALL, "a", &replaced), ERR_OK);
    assert_true(replaced);
    assert_int_equal(rules.count, 1);
    assert_int_equal(rules.items[0].effect, EFFECT_DENY);
    assert_int_equal(rules_set(&rules, EFFECT_ALLOW, ACTION_PUBLISH, "a", &replaced), ERR_OK);
    assert_false(replaced);
    assert_int_equal(rules_set(&rules, EFFECT_ALLOW, ACTION_PUBLISH, "b", NULL), ERR_OK);
    assert_int_equal(rules.count, 3);
    rules_clear(&rules);
    assert_int_equal(rules.count, 0);
    rules_clear(&rules);
}

static void a_bad_filter_leaves_the_set_as_it_was(void **state)
{
    struct rules rules = {0};
    bool replaced = true;
    (void)state;
    assert_int_equal(rules_set(&rules, EFFECT_ALLOW, ACTION_ALL, "a/#/b", &replaced), ERR_INVALID);
    assert_true(replaced);
    assert_int_equal(rules.count, 0);
    rules_clear(&rules);
}

static void a_rule_is_unset_by_action_and_filter_whatever_its_effect(void **state)
{
    struct rules rules = {0};
    (void)state;
    assert_int_equal(rules_set(&rules, EFFECT_DENY, ACTION_PUBLISH, "a", NULL), ERR_OK);
    assert_int_equal(rules_set(&rules, EFFECT_ALLOW, ACTION_SUBSCRIBE, "a", NULL), ERR_OK);
    assert_int_equal(rules_unset(&rules, ACTION_ALL, "a"), ERR_NOT_FOUND);
    assert_int_equal(rules_unset(&rules, ACTION_PUBLISH, "b"), ERR_NOT_FOUND);
    assert_int_equal(rules_unset(&rules, ACTION_PUBLISH, "a"), ERR_OK);
    assert_int_equal(rules.count, 1);
    assert_int_equal(rules.items[0].action, ACTION_SUBSCRIBE);
    assert_int_equal(rules_unset(&rules, ACTION_PUBLISH, "a"), ERR_NOT_FOUND);
    rules_clear(&rules);
}

static void a_set_is_sorted_in_whatever_order_it_was_filled(void **state)
{
    static const struct {
        enum action action;
        const char *filter;
    } sorted[] = {{ACTION_PUBLISH, "+"},    {ACTION_ALL, "+"}, {ACTION_PUBLISH, "a"},
                  {ACTION_SUBSCRIBE, "a"},  {ACTION_ALL, "a"}, {ACTION_PUBLISH, "a/b"},
                  {ACTION_SUBSCRIBE, "aa"}, {ACTION_ALL, "b"}, {ACTION_PUBLISH, "\xc3\xa4"}};
    enum { N = COUNT(sorted) };
    struct rules all[N] = {{0}};
    (void)state;
    for (size_t start = 0; start < N; start++) {
        for (size_t i = 0; i < N; i++) {
            size_t at = (start + i * 4) % N; /* 4 and 9 have no common factor */
            assert_int_equal(
                rules_set(&all[start], EFFECT_ALLOW, sorted[at].action, sorted[at].filter, NULL),
                ERR_OK);
        }
        for (size_t i = 0; i < N; i++) {
            assert_string_equal(all[start].items[i].filter, sorted[i].filter);
            assert_int_equal(all[start].items[i].action, sorted[i].action);
        }
        assert_true(rules_equal(&all[0], &all[start]));
    }
    for (size_t start = 0; start < N; start++)
        rules_clear(&all[start]);
}

static void sets_differ_by_effect_action_filter_and_number(void **state)
{
    struct rules a = {0}, b = {0};
    (void)state;
    assert_true(rules_equal(&a, &b));
    assert_int_equal(rules_set(&a, EFFECT_ALLOW, ACTION_ALL, "a", NULL), ERR_OK);
    assert_false(rules_equal(&a, &b));
    assert_int_equal(rules_set(&b, EFFECT_DENY, ACTION_ALL, "a", NULL), ERR_OK);
    assert_false(rules_equal(&a, &b));
    assert_int_equal(rules_set(&b, EFFECT_ALLOW, ACTION_ALL, "a", NULL), ERR_OK);
    assert_true(rules_equal(&a, &b));
    assert_int_equal(rules_unset(&b, ACTION_ALL, "a"), ERR_OK);
    assert_int_equal(rules_set(&b, EFFECT_ALLOW, ACTION_PUBLISH, "a", NULL), ERR_OK);
    assert_false(rules_equal(&a, &b));
    rules_clear(&a);
    rules_clear(&b);
}

static void a_copy_is_equal_and_lives_on_its_own(void **state)
{
    struct rules a = {0}, b = {0};
    (void)state;
    assert_int_equal(rules_set(&a, EFFECT_ALLOW, ACTION_ALL, "b", NULL), ERR_OK);
    assert_int_equal(rules_set(&a, EFFECT_DENY, ACTION_PUBLISH, "a/%u", NULL), ERR_OK);
    assert_int_equal(rules_copy(&b, &a), ERR_OK);
    assert_true(rules_equal(&a, &b));
    rules_clear(&a);
    assert_int_equal(b.count, 2);
    assert_string_equal(b.items[0].filter, "a/%u");
    rules_clear(&b);
}

static void a_set_takes_ten_thousand_rules_and_no_more(void **state)
{
    struct rules rules = {0};
    char filter[16];
    (void)state;
    for (int i = 0; i < RULES_MAX; i++) {
        snprintf(filter, sizeof filter, "a/%05d", i);
        assert_int_equal(rules_set(&rules, EFFECT_ALLOW, ACTION_ALL, filter, NULL), ERR_OK);
    }
    assert_int_equal(rules_set(&rules, EFFECT_ALLOW, ACTION_ALL, "b", NULL), ERR_TOO_MANY);
    assert_int_equal(rules_set(&rules, EFFECT_DENY, ACTION_ALL, "a/00007", NULL), ERR_OK);
    assert_int_equal(rules.count, RULES_MAX);
    rules_clear(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_whole_levels),
        cmocka_unit_test(an_attribute_name_in_a_filter_has_up_to_32_characters),
        cmocka_unit_test(what_is_no_topic_filter_is_no_filter_of_a_rule),
        cmocka_unit_test(a_filter_has_up_to_512_bytes_and_200_levels),
        cmocka_unit_test(actions_have_names_that_are_read_back),
        cmocka_unit_test(a_formatted_rule_is_read_back),
        cmocka_unit_test(the_longest_rule_fits_its_text),
        cmocka_unit_test(what_is_no_rule_is_refused_with_a_reason),
        cmocka_unit_test(a_set_holds_one_rule_for_each_filter_and_action),
        cmocka_unit_test(a_bad_filter_leaves_the_set_as_it_was),
        cmocka_unit_test(a_rule_is_unset_by_action_and_filter_whatever_its_effect),
        cmocka_unit_test(a_set_is_sorted_in_whatever_order_it_was_filled),
        cmocka_unit_test(sets_differ_by_effect_action_filter_and_number),
        cmocka_unit_test(a_copy_is_equal_and_lives_on_its_own),
        cmocka_unit_test(a_set_takes_ten_thousand_rules_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
