/* test_access.c - the decision, each reason for it, and what comes before what. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "registry/access.h"
#include "registry/topic.h"

enum { NOW = 1000000, POLICIES_MAX = 3 };

/* A device "dev" with client id "cli", site "kiel" and up to three policies. */
struct fixture {
    struct access access;
    struct attribute site;
    const char *client_id;
    struct policy *owned[POLICIES_MAX];
    const struct policy *lent[POLICIES_MAX];
};

static int begin(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.site = {"site", "kiel"}, .client_id = "cli"};
    fixture.access = (struct access){
        .state = DEVICE_ENABLED, .subject = {"dev", &fixture.site, 1}, .policies = fixture.lent};
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < POLICIES_MAX; i++)
        policy_free(fixture->owned[i]);
    return 0;
}

/* Adds a policy of the rules in `text`, parted by ';'. "" adds an empty one. */
static void add_policy(struct fixture *fixture, const char *text)
{
    struct rules rules = {0};
    char copy[1024];
    assert_true(snprintf(copy, sizeof copy, "%s", text) < (int)sizeof copy);
    char *rest = copy;
    for (char *line; (line = strsep(&rest, ";"));) {
        enum effect effect;
        enum action action;
        const char *filter, *problem;
        if (!*line)
            continue;
        assert_true(rule_parse(line, &effect, &action, &filter, &problem));
        assert_int_equal(rules_set(&rules, effect, action, filter, NULL), ERR_OK);
    }
    size_t at = fixture->access.policy_count++;
    assert_int_equal(policy_compile(&fixture->owned[at], &rules), ERR_OK);
    fixture->lent[at] = fixture->owned[at];
    rules_clear(&rules);
}

static struct decision ask(const struct fixture *fixture, enum question question, const char *topic)
{
    return access_decide(&fixture->access, fixture->client_id, question, topic, NOW);
}

static bool may(const struct fixture *fixture, enum question question, const char *topic)
{
    return ask(fixture, question, topic).verdict == VERDICT_ALLOW;
}

/* The question is denied, for this reason, and no rule is handed out. */
static void assert_denied(const struct fixture *fixture, enum question question, const char *topic,
                          enum why why)
{
    struct decision decision = ask(fixture, question, topic);
    assert_int_equal(decision.verdict, VERDICT_DENY);
    assert_int_equal(decision.why, why);
    assert_null(decision.rule);
}

/* A rule of `policy` decided, and it reads `text`. */
static void assert_ruled(const struct fixture *fixture, enum question question, const char *topic,
                         size_t policy, const char *text)
{
    char found[RULE_TEXT_MAX + 1];
    struct decision decision = ask(fixture, question, topic);
    assert_int_equal(decision.why, WHY_RULE);
    assert_int_equal(decision.policy, policy);
    assert_non_null(decision.rule);
    rule_format(found, decision.rule);
    assert_string_equal(found, text);
    assert_int_equal(decision.verdict == VERDICT_ALLOW, decision.rule->effect == EFFECT_ALLOW);
}

static void without_a_rule_the_answer_is_no(void **state)
{
    struct fixture *fixture = *state;
    assert_denied(fixture, QUESTION_PUBLISH, "a", WHY_NO_RULE);
    add_policy(fixture, "");
    assert_denied(fixture, QUESTION_PUBLISH, "a", WHY_NO_RULE);
    add_policy(fixture, "allow publish b");
    assert_denied(fixture, QUESTION_PUBLISH, "a", WHY_NO_RULE);
    assert_denied(fixture, QUESTION_SUBSCRIBE, "b", WHY_NO_RULE);
    assert_denied(fixture, QUESTION_DELIVER, "b", WHY_NO_RULE);
}

static void a_null_policy_holds_no_rules(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #");
    fixture->lent[1] = fixture->lent[0];
    fixture->lent[0] = NULL;
    fixture->access.policy_count = 2;
    assert_ruled(fixture, QUESTION_PUBLISH, "a", 1, "allow all #");
    fixture->lent[1] = NULL;
    assert_denied(fixture, QUESTION_PUBLISH, "a", WHY_NO_RULE);
}

static void each_action_answers_its_questions(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow publish p;allow subscribe s;allow all b");
    assert_true(may(fixture, QUESTION_PUBLISH, "p"));
    assert_false(may(fixture, QUESTION_SUBSCRIBE, "p"));
    assert_false(may(fixture, QUESTION_DELIVER, "p"));
    assert_false(may(fixture, QUESTION_PUBLISH, "s"));
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "s"));
    assert_true(may(fixture, QUESTION_DELIVER, "s"));
    assert_true(may(fixture, QUESTION_PUBLISH, "b"));
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "b"));
    assert_true(may(fixture, QUESTION_DELIVER, "b"));
}

static void a_deny_wins_in_the_same_policy(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #;deny publish a/b;allow publish a/b/c");
    assert_ruled(fixture, QUESTION_PUBLISH, "a/b", 0, "deny publish a/b");
    assert_ruled(fixture, QUESTION_DELIVER, "a/b", 0, "allow all #");
    assert_true(may(fixture, QUESTION_PUBLISH, "a/b/c"));
}

static void a_deny_wins_in_whichever_policy_it_is(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all a");
    add_policy(fixture, "allow all b");
    add_policy(fixture, "deny all a");
    assert_ruled(fixture, QUESTION_PUBLISH, "a", 2, "deny all a");
    assert_ruled(fixture, QUESTION_PUBLISH, "b", 1, "allow all b");
}

static void variables_stand_for_the_subjects_values(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow publish d/%u;allow publish c/%c;allow publish s/%{site}/%u/#");
    assert_true(may(fixture, QUESTION_PUBLISH, "d/dev"));
    assert_false(may(fixture, QUESTION_PUBLISH, "d/cli"));
    assert_false(may(fixture, QUESTION_PUBLISH, "d/%u"));
    assert_true(may(fixture, QUESTION_PUBLISH, "c/cli"));
    assert_true(may(fixture, QUESTION_PUBLISH, "s/kiel/dev"));
    assert_true(may(fixture, QUESTION_PUBLISH, "s/kiel/dev/x/y"));
    assert_false(may(fixture, QUESTION_PUBLISH, "s/bonn/dev/x"));
    assert_false(may(fixture, QUESTION_PUBLISH, "s/Kiel/dev/x"));
    assert_false(may(fixture, QUESTION_PUBLISH, "s/kie/dev/x"));
}

static void a_value_never_becomes_syntax_in_an_allow(void **state)
{
    static const char *const bad[] = {NULL, "", "+", "#", "a/b", "a+", "x#", "/"};
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all x/%c");
    for (size_t i = 0; i < COUNT(bad); i++) {
        fixture->client_id = bad[i];
        assert_denied(fixture, QUESTION_PUBLISH, "x/a", WHY_NO_RULE);
        assert_denied(fixture, QUESTION_PUBLISH, "x/a/b", WHY_NO_RULE);
        assert_denied(fixture, QUESTION_PUBLISH, "x/", WHY_NO_RULE);
        assert_denied(fixture, QUESTION_SUBSCRIBE, "x/+", WHY_NO_RULE);
        assert_denied(fixture, QUESTION_SUBSCRIBE, "x/#", WHY_NO_RULE);
    }
}

static void a_bad_value_makes_a_deny_wider_and_never_narrower(void **state)
{
    static const char *const bad[] = {NULL, "", "+", "#", "a/b", "a+", "x#", "/"};
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #;deny all x/%c/y");
    assert_true(may(fixture, QUESTION_PUBLISH, "x/other/y"));
    for (size_t i = 0; i < COUNT(bad); i++) {
        fixture->client_id = bad[i];
        assert_ruled(fixture, QUESTION_PUBLISH, "x/other/y", 0, "deny all x/%c/y");
        assert_ruled(fixture, QUESTION_DELIVER, "x//y", 0, "deny all x/%c/y");
        assert_ruled(fixture, QUESTION_SUBSCRIBE, "x/+/y", 0, "deny all x/%c/y");
        assert_ruled(fixture, QUESTION_PUBLISH, "x/other/z", 0, "allow all #");
    }
}

static void a_missing_attribute_is_a_bad_value(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all %{room}/a;allow all x/#;deny all x/%{room}");
    assert_denied(fixture, QUESTION_PUBLISH, "kiel/a", WHY_NO_RULE);
    assert_ruled(fixture, QUESTION_PUBLISH, "x/y", 0, "deny all x/%{room}");
}

static void no_client_reaches_dollar_topics_by_its_client_id(void **state)
{
    struct fixture *fixture = *state;
    fixture->client_id = "$SYS";
    add_policy(fixture, "allow all %c/x;allow all a/%c;allow all $SYS/+");
    add_policy(fixture, "deny all %c/d");
    assert_denied(fixture, QUESTION_PUBLISH, "$SYS/x/y", WHY_NO_RULE);
    assert_true(may(fixture, QUESTION_PUBLISH, "a/$SYS"));
    assert_ruled(fixture, QUESTION_PUBLISH, "$SYS/x", 0, "allow all $SYS/+");
    assert_ruled(fixture, QUESTION_PUBLISH, "$SYS/d", 1, "deny all %c/d");
}

static void an_allow_with_a_dollar_value_in_front_matches_nothing(void **state)
{
    struct fixture *fixture = *state;
    fixture->client_id = "$SYS";
    add_policy(fixture, "allow all %c/x");
    assert_denied(fixture, QUESTION_PUBLISH, "$SYS/x", WHY_NO_RULE);
    assert_denied(fixture, QUESTION_SUBSCRIBE, "$SYS/x", WHY_NO_RULE);
}

static void a_wildcard_in_front_does_not_reach_dollar_topics(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #;allow all +/a");
    assert_denied(fixture, QUESTION_PUBLISH, "$SYS/a", WHY_NO_RULE);
    assert_denied(fixture, QUESTION_DELIVER, "$SYS/a", WHY_NO_RULE);
    assert_denied(fixture, QUESTION_SUBSCRIBE, "$SYS/#", WHY_NO_RULE);
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "#"));
    add_policy(fixture, "allow subscribe $SYS/#");
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "$SYS/#"));
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "$SYS"));
}

static void a_subscription_has_to_be_covered_by_one_allow(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow subscribe a/+;allow subscribe b/#;allow subscribe c/x");
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "a/+"));
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "a/x"));
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "b/+/#"));
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "b"));
    assert_denied(fixture, QUESTION_SUBSCRIBE, "a/#", WHY_NO_RULE);
    assert_denied(fixture, QUESTION_SUBSCRIBE, "+/x", WHY_NO_RULE);
    assert_denied(fixture, QUESTION_SUBSCRIBE, "c/+", WHY_NO_RULE);
    assert_denied(fixture, QUESTION_SUBSCRIBE, "#", WHY_NO_RULE);
}

static void a_deny_cuts_out_of_a_wider_subscription_at_delivery(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow subscribe a/#;deny subscribe a/secret/#");
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "a/#"));
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "a/+"));
    assert_ruled(fixture, QUESTION_SUBSCRIBE, "a/secret/+", 0, "deny subscribe a/secret/#");
    assert_ruled(fixture, QUESTION_SUBSCRIBE, "a/secret", 0, "deny subscribe a/secret/#");
    assert_ruled(fixture, QUESTION_DELIVER, "a/secret/x", 0, "deny subscribe a/secret/#");
    assert_true(may(fixture, QUESTION_DELIVER, "a/x"));
}

static void a_shared_subscription_needs_the_rule_for_its_filter(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow subscribe a/#");
    assert_ruled(fixture, QUESTION_SUBSCRIBE, "$share/g/a/+", 0, "allow subscribe a/#");
    assert_denied(fixture, QUESTION_SUBSCRIBE, "$share/g/b", WHY_NO_RULE);
    assert_denied(fixture, QUESTION_SUBSCRIBE, "$share/g/", WHY_BAD_TOPIC);
    assert_denied(fixture, QUESTION_SUBSCRIBE, "$share//a", WHY_BAD_TOPIC);
}

static void a_bad_topic_is_refused_whatever_the_rules_say(void **state)
{
    static const char *const names[] = {"", "a/+", "#", "a+", "+"};
    static const char *const filters[] = {"", "a/#/b", "a+", "#/", "$share/g"};
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #;allow all +");
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_denied(fixture, QUESTION_PUBLISH, names[i], WHY_BAD_TOPIC);
        assert_denied(fixture, QUESTION_DELIVER, names[i], WHY_BAD_TOPIC);
    }
    for (size_t i = 0; i < COUNT(filters); i++)
        assert_denied(fixture, QUESTION_SUBSCRIBE, filters[i], WHY_BAD_TOPIC);
}

static void a_topic_has_at_most_200_levels(void **state)
{
    char topic[TOPIC_LEVELS_MAX + 1] = {0};
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #");
    memset(topic, '/', TOPIC_LEVELS_MAX - 1);
    assert_true(may(fixture, QUESTION_PUBLISH, topic));
    assert_true(may(fixture, QUESTION_SUBSCRIBE, topic));
    topic[TOPIC_LEVELS_MAX - 1] = '/';
    assert_denied(fixture, QUESTION_PUBLISH, topic, WHY_BAD_TOPIC);
    assert_denied(fixture, QUESTION_SUBSCRIBE, topic, WHY_BAD_TOPIC);
    assert_denied(fixture, QUESTION_DELIVER, topic, WHY_BAD_TOPIC);
}

static void a_topic_has_at_most_65535_bytes(void **state)
{
    static char topic[TOPIC_MAX + 2];
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #");
    memset(topic, 'a', TOPIC_MAX);
    assert_true(may(fixture, QUESTION_PUBLISH, topic));
    topic[TOPIC_MAX] = 'a';
    assert_denied(fixture, QUESTION_PUBLISH, topic, WHY_BAD_TOPIC);
    assert_denied(fixture, QUESTION_SUBSCRIBE, topic, WHY_BAD_TOPIC);
}

static void a_disabled_or_revoked_device_may_nothing(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #");
    fixture->access.state = DEVICE_DISABLED;
    for (int question = QUESTION_PUBLISH; question <= QUESTION_DELIVER; question++)
        assert_denied(fixture, (enum question)question, "a", WHY_DISABLED);
    fixture->access.state = DEVICE_REVOKED;
    for (int question = QUESTION_PUBLISH; question <= QUESTION_DELIVER; question++)
        assert_denied(fixture, (enum question)question, "a", WHY_REVOKED);
}

static void a_state_that_is_none_is_no(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #");
    fixture->access.state = (enum device_state)7;
    assert_false(may(fixture, QUESTION_PUBLISH, "a"));
}

static void a_device_expires_at_its_very_millisecond(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #");
    fixture->access.expires = NOW + 1;
    assert_true(may(fixture, QUESTION_PUBLISH, "a"));
    fixture->access.expires = NOW;
    assert_denied(fixture, QUESTION_PUBLISH, "a", WHY_EXPIRED);
    fixture->access.expires = NOW - 1;
    assert_denied(fixture, QUESTION_DELIVER, "a", WHY_EXPIRED);
    fixture->access.expires = 0;
    assert_true(may(fixture, QUESTION_PUBLISH, "a"));
}

static void nobody_publishes_where_devreg_does(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "allow all #");
    fixture->access.presence_topic = "state/+/online";
    assert_denied(fixture, QUESTION_PUBLISH, "devreg", WHY_RESERVED);
    assert_denied(fixture, QUESTION_PUBLISH, "devreg/presence/dev", WHY_RESERVED);
    assert_denied(fixture, QUESTION_PUBLISH, "state/dev/online", WHY_RESERVED);
    assert_denied(fixture, QUESTION_PUBLISH, "state/other/online", WHY_RESERVED);
    assert_true(may(fixture, QUESTION_PUBLISH, "state/dev"));
    assert_true(may(fixture, QUESTION_PUBLISH, "devreg2/x"));
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "devreg/#"));
    assert_true(may(fixture, QUESTION_DELIVER, "devreg/presence/dev"));
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "state/+/online"));
    fixture->access.presence_topic = NULL;
    assert_true(may(fixture, QUESTION_PUBLISH, "state/dev/online"));
}

static void
form_comes_before_state_and_state_before_reserved_and_reserved_before_rules(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "deny all #");
    assert_denied(fixture, QUESTION_PUBLISH, "devreg/x", WHY_RESERVED);
    fixture->access.expires = NOW - 1;
    assert_denied(fixture, QUESTION_PUBLISH, "devreg/x", WHY_EXPIRED);
    fixture->access.state = DEVICE_REVOKED;
    assert_denied(fixture, QUESTION_PUBLISH, "devreg/x", WHY_REVOKED);
    assert_denied(fixture, QUESTION_PUBLISH, "devreg/+", WHY_BAD_TOPIC);
}

static void a_reserved_topic_is_known_by_name(void **state)
{
    (void)state;
    assert_true(topic_reserved("devreg", NULL));
    assert_true(topic_reserved("devreg/a/b", NULL));
    assert_false(topic_reserved("devregs", NULL));
    assert_false(topic_reserved("a/devreg", NULL));
    assert_true(topic_reserved("p/x", "p/+"));
    assert_false(topic_reserved("p/x/y", "p/+"));
}

static void variables_of_a_presence_topic_become_plus(void **state)
{
    static const char *const rows[][2] = {{"devreg/presence/%u", "devreg/presence/+"},
                                          {"site/%{site}/%u", "site/+/+"},
                                          {"%u", "+"},
                                          {"%u/a/", "+/a/"},
                                          {"/%c/x", "/+/x"},
                                          {"plain", "plain"},
                                          {"%{site}/online/%u", "+/online/+"}};
    char filter[RULE_FILTER_MAX + 1];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(presence_topic_filter(filter, rows[i][0]));
        assert_string_equal(filter, rows[i][1]);
    }
}

static void a_presence_topic_has_at_most_512_bytes(void **state)
{
    char topic[RULE_FILTER_MAX + 2] = {0}, filter[RULE_FILTER_MAX + 1];
    (void)state;
    memset(topic, 'a', RULE_FILTER_MAX);
    assert_true(presence_topic_filter(filter, topic));
    assert_string_equal(filter, topic);
    topic[RULE_FILTER_MAX] = 'a';
    assert_false(presence_topic_filter(filter, topic));
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void a_device_may_read_its_own_errors_without_a_rule(void **state)
{
    static const char *const others[] = {
        "devreg/errors/de", "devreg/errors/dev2", "devreg/errors/dev/x", "devreg/errors/",
        "devreg/errors",    "devreg/errors/DEV",  "devreg/event/dev",    "x/devreg/errors/dev",
    };
    static const char *const wider[] = {"devreg/errors/+", "devreg/errors/#", "devreg/errors/dev/#",
                                        "#"};
    struct fixture *fixture = *state;
    for (int reading = 0; reading < 2; reading++) {
        enum question question = reading ? QUESTION_DELIVER : QUESTION_SUBSCRIBE;
        struct decision decision = ask(fixture, question, "devreg/errors/dev");
        assert_int_equal(decision.verdict, VERDICT_ALLOW);
        assert_int_equal(decision.why, WHY_OWN_ERRORS);
        assert_null(decision.rule);
        for (size_t i = 0; i < COUNT(others); i++)
            assert_denied(fixture, question, others[i], WHY_NO_RULE);
    }
    assert_true(may(fixture, QUESTION_SUBSCRIBE, "$share/g/devreg/errors/dev"));
    for (size_t i = 0; i < COUNT(wider); i++)
        assert_denied(fixture, QUESTION_SUBSCRIBE, wider[i], WHY_NO_RULE);
    assert_denied(fixture, QUESTION_PUBLISH, "devreg/errors/dev", WHY_RESERVED);
    fixture->access.state = DEVICE_DISABLED;
    assert_denied(fixture, QUESTION_DELIVER, "devreg/errors/dev", WHY_DISABLED);
    fixture->access.state = DEVICE_ENABLED;
    fixture->access.subject.device = ""; /* a client without a username */
    assert_denied(fixture, QUESTION_DELIVER, "devreg/errors/", WHY_NO_RULE);
    assert_denied(fixture, QUESTION_DELIVER, "devreg/errors/dev", WHY_NO_RULE);
}

static void a_rule_decides_about_errors_before_that(void **state)
{
    struct fixture *fixture = *state;
    add_policy(fixture, "deny subscribe devreg/errors/#");
    assert_ruled(fixture, QUESTION_DELIVER, "devreg/errors/dev", 0,
                 "deny subscribe devreg/errors/#");
    assert_false(may(fixture, QUESTION_SUBSCRIBE, "devreg/errors/dev"));
    assert_denied(fixture, QUESTION_DELIVER, "devreg/errors2/dev", WHY_NO_RULE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(without_a_rule_the_answer_is_no),
        test(a_null_policy_holds_no_rules),
        test(a_device_may_read_its_own_errors_without_a_rule),
        test(a_rule_decides_about_errors_before_that),
        test(each_action_answers_its_questions),
        test(a_deny_wins_in_the_same_policy),
        test(a_deny_wins_in_whichever_policy_it_is),
        test(variables_stand_for_the_subjects_values),
        test(a_value_never_becomes_syntax_in_an_allow),
        test(a_bad_value_makes_a_deny_wider_and_never_narrower),
        test(a_missing_attribute_is_a_bad_value),
        test(no_client_reaches_dollar_topics_by_its_client_id),
        test(an_allow_with_a_dollar_value_in_front_matches_nothing),
        test(a_wildcard_in_front_does_not_reach_dollar_topics),
        test(a_subscription_has_to_be_covered_by_one_allow),
        test(a_deny_cuts_out_of_a_wider_subscription_at_delivery),
        test(a_shared_subscription_needs_the_rule_for_its_filter),
        test(a_bad_topic_is_refused_whatever_the_rules_say),
        test(a_topic_has_at_most_200_levels),
        test(a_topic_has_at_most_65535_bytes),
        test(a_disabled_or_revoked_device_may_nothing),
        test(a_state_that_is_none_is_no),
        test(a_device_expires_at_its_very_millisecond),
        test(nobody_publishes_where_devreg_does),
        test(form_comes_before_state_and_state_before_reserved_and_reserved_before_rules),
        test(a_reserved_topic_is_known_by_name),
        test(variables_of_a_presence_topic_become_plus),
        test(a_presence_topic_has_at_most_512_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
