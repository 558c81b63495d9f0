/* test_topic.c - topic names and filters: what is valid, what matches, what is covered. */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "registry/topic.h"

static void a_name_is_any_text_without_wildcards(void **state)
{
    static const char *const good[] = {"a", "/", "//", "a/b", "$SYS/x", " ", "a//b", "%u", "ä"};
    static const char *const bad[] = {"", "+", "#", "a/+", "a+b", "a/#", "a#"};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(topic_name_valid(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(topic_name_valid(bad[i]));
}

static void wildcards_in_a_filter_stand_alone_and_hash_stands_last(void **state)
{
    static const char *const good[] = {"+",     "#",   "/",      "a/+/b", "+/+", "a/#",
                                       "+/a/#", "/+/", "$SYS/#", "//#",   "a",   "+/#"};
    static const char *const bad[] = {"",   "a+",   "+a", "a/b+", "##",    "#/",   "#/a",
                                      "a#", "a/#b", "++", "+#",   "a/#/b", "+/a+", "#+"};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(topic_filter_valid(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(topic_filter_valid(bad[i]));
}

static void a_topic_of_65535_bytes_is_valid_and_one_of_65536_is_not(void **state)
{
    static char topic[TOPIC_MAX + 2];
    (void)state;
    memset(topic, 'a', TOPIC_MAX);
    assert_true(topic_name_valid(topic));
    assert_true(topic_filter_valid(topic));
    topic[TOPIC_MAX] = 'a';
    assert_false(topic_name_valid(topic));
    assert_false(topic_filter_valid(topic));
}

struct pair {
    const char *filter, *topic;
};

static void a_filter_matches_as_the_standard_says(void **state)
{
    static const struct pair yes[] = {
        {"a", "a"},           {"a/b", "a/b"},    {"+", "a"},
        {"+/+", "/a"},        {"/+", "/a"},      {"#", "a/b/c"},
        {"#", "/"},           {"a/#", "a"},      {"a/#", "a/"},
        {"a/#", "a/b/c"},     {"a/+", "a/"},     {"+/b/#", "a/b"},
        {"a/+/c", "a//c"},    {"//", "//"},      {"$SYS/#", "$SYS"},
        {"$SYS/+", "$SYS/x"}, {"a/+", "a/$SYS"}, {"a/#", "a/$x/y"},
        {"+/#", "a"},         {"/#", "/"},       {"sport/tennis/+", "sport/tennis/player1"}};
    static const struct pair no[] = {
        {"a", "b"},    {"a", "A"},      {"a", "a/"},          {"a/", "a"},       {"+", "/a"},
        {"+", "a/b"},  {"/+", "a"},     {"a/+", "a"},         {"a/+", "a/b/c"},  {"a/#", "ab"},
        {"a/b", "a"},  {"a", "aa"},     {"aa", "a"},          {"+/+", "a"},      {"#", "$SYS"},
        {"+", "$SYS"}, {"+/x", "$S/x"}, {"#", "$"},           {"$SYS/#", "$SY"}, {"/#", "a"},
        {"+/#", "$a"}, {"a/b/#", "a"},  {"sport/+", "sport"}, {"$SYS/+", "$SYS"}};
    (void)state;
    for (size_t i = 0; i < COUNT(yes); i++)
        assert_true(topic_matches(yes[i].filter, yes[i].topic));
    for (size_t i = 0; i < COUNT(no); i++)
        assert_false(topic_matches(no[i].filter, no[i].topic));
}

static void a_filter_covers_another_where_it_matches_all_that_the_other_does(void **state)
{
    static const struct pair yes[] = {
        {"#", "#"},           {"#", "+"},       {"#", "a/+/#"},     {"+", "+"},
        {"+", "a"},           {"a/#", "a"},     {"a/#", "a/#"},     {"a/#", "a/+/b"},
        {"a/+", "a/+"},       {"a/+", "a/b"},   {"+/#", "#"},       {"+/#", "+"},
        {"+/#", "a/#"},       {"a/+/#", "a/+"}, {"a/+/#", "a/b/#"}, {"$SYS/#", "$SYS/+"},
        {"$SYS/#", "$SYS/#"}, {"a/b", "a/b"},   {"+/+", "+/+"}};
    static const struct pair no[] = {
        {"a/+", "a/#"},   {"+", "#"},        {"a", "+"},       {"a", "#"},     {"a/b", "a/+"},
        {"a/#", "#"},     {"a/#", "+"},      {"a/+/#", "a/#"}, {"+/b", "+/+"}, {"#", "$SYS/#"},
        {"+/#", "$SYS"},  {"+/a", "$SYS/a"}, {"$SYS/#", "#"},  {"+/+/#", "#"}, {"+/+", "+/#"},
        {"a/b/#", "a/#"}, {"a/+", "+/a"}};
    (void)state;
    for (size_t i = 0; i < COUNT(yes); i++)
        assert_true(topic_covers(yes[i].filter, yes[i].topic));
    for (size_t i = 0; i < COUNT(no); i++)
        assert_false(topic_covers(no[i].filter, no[i].topic));
}

static void a_shared_subscription_is_judged_as_its_filter(void **state)
{
    (void)state;
    assert_string_equal(topic_of_subscription("$share/g/a/+/#"), "a/+/#");
    assert_string_equal(topic_of_subscription("$share/g//a"), "/a");
    assert_string_equal(topic_of_subscription("$share/g/$SYS/#"), "$SYS/#");
    assert_string_equal(topic_of_subscription("$share/g/$share/h/a"), "$share/h/a");
    assert_string_equal(topic_of_subscription("$shared/g/a"), "$shared/g/a");
    assert_string_equal(topic_of_subscription("a/$share/g/a"), "a/$share/g/a");
    const char *subscription = "$share/g/x";
    assert_ptr_equal(topic_of_subscription(subscription), subscription + 9);
}

static void a_malformed_shared_subscription_is_no_subscription(void **state)
{
    static const char *const bad[] = {
        "$share/",     "$share/g",    "$share/g/",   "$share//a",    "$share/+/a", "$share/#",
        "$share/g#/a", "$share/g+/a", "$share/g/a+", "$share/g/#/a", "",           "a/#/b"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_null(topic_of_subscription(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_any_text_without_wildcards),
        cmocka_unit_test(wildcards_in_a_filter_stand_alone_and_hash_stands_last),
        cmocka_unit_test(a_topic_of_65535_bytes_is_valid_and_one_of_65536_is_not),
        cmocka_unit_test(a_filter_matches_as_the_standard_says),
        cmocka_unit_test(a_filter_covers_another_where_it_matches_all_that_the_other_does),
        cmocka_unit_test(a_shared_subscription_is_judged_as_its_filter),
        cmocka_unit_test(a_malformed_shared_subscription_is_no_subscription),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
