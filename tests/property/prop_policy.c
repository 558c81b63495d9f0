/* prop_policy.c - access_decide and policy_match against ten lines that scan a list of rules.
 *
 * The oracle is DESIGN section 3 as it stands there: put the values into the filter, level by
 * level; a bad value makes the level match nothing in an allow and anything in a deny; then ask
 * whether the filter matches the name, or covers the wanted filter; deny wins, then allow, then no.
 * The alphabet is tiny, so that rules meet, shadow and contradict each other all the time; and just
 * large enough for nodes with more children than are walked one by one. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/access.h"
#include "registry/topic.h"
#include "tests/support/naive_policy.h"
#include "tests/support/rng.h"

enum { ROUNDS = 3000, QUESTIONS = 40, POLICIES = 3, RULES = 12, TEXT_MAX = 64, NOW = 1000 };

static struct rng rng;

static const char *pick(const char *const *of, size_t count)
{
    return of[rng_below(&rng, count)];
}

#define PICK(array) pick(array, COUNT(array))

/* One to four levels of `levels`, often with a "#" behind them where `hash`. */
static void random_topic(char text[static TEXT_MAX], const char *const *levels, size_t count,
                         bool hash)
{
    size_t parts = 1 + rng_below(&rng, 4);
    text[0] = '\0';
    for (size_t i = 0; i < parts; i++) {
        bool last = i + 1 == parts;
        strcat(text, i ? "/" : "");
        strcat(text, hash && last && rng_percent(&rng, 30) ? "#" : pick(levels, count));
    }
}

static void random_rule(struct rules *rules)
{
    static const char *const levels[] = {"a",  "b",    "a", "+",  "+", "%u",
                                         "%c", "%{s}", "",  "$x", "c", "e"};
    char filter[TEXT_MAX];
    random_topic(filter, levels, COUNT(levels), true);
    enum err e = rules_set(rules, rng_percent(&rng, 35) ? EFFECT_DENY : EFFECT_ALLOW,
                           (enum action)(1 + rng_below(&rng, 3)), filter, NULL);
    assert_true(e == ERR_OK || e == ERR_EXISTS || (e == ERR_INVALID && !*filter));
}

/* The topic of a question: a name, or what may be asked for. */
static void random_asked(char topic[static TEXT_MAX], enum question question)
{
    static const char *const names[] = {"a", "b", "", "$x", "c", "d"};
    static const char *const filters[] = {"a", "b", "", "$x", "c", "+", "+", "d"};
    do {
        if (question == QUESTION_SUBSCRIBE)
            random_topic(topic, filters, COUNT(filters), true);
        else
            random_topic(topic, names, COUNT(names), false);
    } while (!*topic);
}

struct world {
    struct rules rules[POLICIES];
    struct policy *policy[POLICIES];
    struct attribute site;
    const char *client_id;
    struct access access;
};

static void compile(struct world *world)
{
    for (size_t i = 0; i < POLICIES; i++) {
        policy_free(world->policy[i]);
        assert_int_equal(policy_compile(&world->policy[i], &world->rules[i]), ERR_OK);
    }
}

static void world_make(struct world *world)
{
    static const char *const values[] = {"a", "b", "c", "", "a/b", "+", "#", "$x", "a+", "/"};
    static const char *const clients[] = {"a", "b", "c", "d", "a", "", "a/b", "+", "#", "$x", NULL};
    *world = (struct world){.site = {"s", ""}};
    strcpy(world->site.value, PICK(values));
    world->client_id = PICK(clients);
    world->access = (struct access){
        .state = DEVICE_ENABLED,
        .subject = {"d", &world->site, rng_percent(&rng, 80)},
        .policy_count = POLICIES,
        .policies = (const struct policy *const *)world->policy,
    };
    for (size_t i = 0; i < POLICIES; i++) {
        size_t count = rng_below(&rng, i == 0 ? RULES : 4);
        for (size_t n = 0; n < count; n++)
            random_rule(&world->rules[i]);
    }
    compile(world);
}

static void world_clear(struct world *world)
{
    for (size_t i = 0; i < POLICIES; i++) {
        rules_clear(&world->rules[i]);
        policy_free(world->policy[i]);
    }
}

static enum naive_question naive_of(enum question question)
{
    return question == QUESTION_PUBLISH     ? NAIVE_PUBLISH
           : question == QUESTION_SUBSCRIBE ? NAIVE_SUBSCRIBE
                                            : NAIVE_DELIVER;
}

static struct naive_subject naive_subject_of(const struct world *world)
{
    const struct subject *subject = &world->access.subject;
    return (struct naive_subject){subject->device, world->client_id, subject->attributes,
                                  subject->attribute_count};
}

static bool oracle_applies(const struct world *world, const struct rule *rule,
                           enum question question, const char *topic)
{
    const struct naive_subject subject = naive_subject_of(world);
    return naive_applies(&subject, rule, naive_of(question), topic);
}

/* Does a rule of that effect in that policy apply? */
static bool oracle_any(const struct world *world, size_t policy, enum effect effect,
                       enum question question, const char *topic)
{
    const struct naive_subject subject = naive_subject_of(world);
    return naive_any_applies(&world->rules[policy], effect, &subject, naive_of(question), topic);
}

struct answer {
    bool deny, allow;
};

static struct answer oracle_decide(const struct world *world, enum question question,
                                   const char *topic)
{
    struct answer answer = {false, false};
    for (size_t i = 0; i < POLICIES; i++) {
        answer.deny |= oracle_any(world, i, EFFECT_DENY, question, topic);
        answer.allow |= oracle_any(world, i, EFFECT_ALLOW, question, topic);
    }
    return answer;
}

static void explain(const struct world *world, enum question question, const char *topic)
{
    const struct subject *subject = &world->access.subject;
    print_message("question %d on '%s', client id '%s', s='%s'\n", question, topic,
                  world->client_id ? world->client_id : "(none)",
                  subject->attribute_count ? world->site.value : "(none)");
    for (size_t i = 0; i < POLICIES; i++) {
        for (size_t n = 0; n < world->rules[i].count; n++) {
            char text[RULE_TEXT_MAX + 1];
            rule_format(text, &world->rules[i].items[n]);
            print_message("  policy %zu: %s\n", i, text);
        }
    }
}

static void check(const struct world *world, bool holds, enum question question, const char *topic)
{
    if (holds)
        return;
    explain(world, question, topic);
    fail();
}

static void check_decision(const struct world *world, enum question question, const char *topic)
{
    struct answer truth = oracle_decide(world, question, topic);
    struct decision decision =
        access_decide(&world->access, world->client_id, question, topic, NOW);
    bool allowed = truth.allow && !truth.deny;
    check(world, (decision.verdict == VERDICT_ALLOW) == allowed, question, topic);
    check(world, decision.why == (truth.allow || truth.deny ? WHY_RULE : WHY_NO_RULE), question,
          topic);
    check(world, (decision.rule != NULL) == (decision.why == WHY_RULE), question, topic);
    if (!decision.rule)
        return;
    check(world, decision.rule->effect == (allowed ? EFFECT_ALLOW : EFFECT_DENY), question, topic);
    check(world, oracle_applies(world, decision.rule, question, topic), question, topic);
    const struct rules *rules = &world->rules[decision.policy];
    bool found = false;
    for (size_t i = 0; i < rules->count; i++)
        found |= rules->items[i].action == decision.rule->action &&
                 strcmp(rules->items[i].filter, decision.rule->filter) == 0;
    check(world, found, question, topic);
}

static void check_matches(const struct world *world, enum question question, const char *topic)
{
    size_t length = strlen(topic);
    const struct subject *subject = &world->access.subject;
    for (size_t i = 0; i < POLICIES; i++) {
        struct policy_match match =
            policy_match(world->policy[i], subject, world->client_id, question, topic, length);
        bool deny = oracle_any(world, i, EFFECT_DENY, question, topic);
        bool allow = oracle_any(world, i, EFFECT_ALLOW, question, topic);
        check(world, (match.deny != NULL) == deny, question, topic);
        check(world, deny || (match.allow != NULL) == allow, question, topic);
        check(world, !match.deny || oracle_applies(world, match.deny, question, topic), question,
              topic);
        check(world, !match.allow || oracle_applies(world, match.allow, question, topic), question,
              topic);
    }
}

static enum question random_question(void)
{
    return (enum question)rng_below(&rng, 3);
}

static void a_decision_is_what_a_scan_of_all_rules_says(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct world world;
        world_make(&world);
        for (int i = 0; i < QUESTIONS; i++) {
            char topic[TEXT_MAX];
            enum question question = random_question();
            random_asked(topic, question);
            check_decision(&world, question, topic);
            check_matches(&world, question, topic);
        }
        world_clear(&world);
    }
}

/* The questions of a test below, and what was answered before a change. */
struct asked {
    enum question question;
    char topic[TEXT_MAX];
    enum verdict verdict;
};

static void ask_all(const struct world *world, struct asked asked[static QUESTIONS])
{
    for (int i = 0; i < QUESTIONS; i++) {
        asked[i].question = random_question();
        random_asked(asked[i].topic, asked[i].question);
        asked[i].verdict =
            access_decide(&world->access, world->client_id, asked[i].question, asked[i].topic, NOW)
                .verdict;
    }
}

/* Adds a rule of that effect where none stood with its filter and action. */
static void add_new(struct world *world, enum effect effect)
{
    struct rules more = {0}, *rules = &world->rules[rng_below(&rng, POLICIES)];
    do {
        rules_clear(&more);
        random_rule(&more);
    } while (!more.count);
    bool there = false;
    for (size_t i = 0; i < rules->count; i++)
        there |= rules->items[i].action == more.items[0].action &&
                 strcmp(rules->items[i].filter, more.items[0].filter) == 0;
    if (!there)
        assert_int_equal(rules_set(rules, effect, more.items[0].action, more.items[0].filter, NULL),
                         ERR_OK);
    rules_clear(&more);
    compile(world);
}

/* Adding rules of `effect` only ever moves answers towards `towards`. */
static void assert_one_way(enum effect effect, enum verdict towards)
{
    for (int round = 0; round < ROUNDS / 3; round++) {
        struct world world;
        struct asked asked[QUESTIONS];
        world_make(&world);
        ask_all(&world, asked);
        add_new(&world, effect);
        for (int i = 0; i < QUESTIONS; i++) {
            struct decision now = access_decide(&world.access, world.client_id, asked[i].question,
                                                asked[i].topic, NOW);
            check(&world, now.verdict == asked[i].verdict || now.verdict == towards,
                  asked[i].question, asked[i].topic);
        }
        world_clear(&world);
    }
}

static void adding_an_allow_never_takes_anything_away(void **state)
{
    (void)state;
    assert_one_way(EFFECT_ALLOW, VERDICT_ALLOW);
}

static void adding_a_deny_never_gives_anything(void **state)
{
    (void)state;
    assert_one_way(EFFECT_DENY, VERDICT_DENY);
}

/* Sets the same rules again, in another order. */
static void shuffle(struct rules *rules)
{
    struct rules other = {0};
    size_t start = rules->count ? rng_below(&rng, rules->count) : 0;
    for (size_t i = 0; i < rules->count; i++) {
        size_t back = (start + rules->count - i) % rules->count;
        const struct rule *rule = &rules->items[back];
        assert_int_equal(rules_set(&other, rule->effect, rule->action, rule->filter, NULL), ERR_OK);
    }
    assert_true(rules_equal(rules, &other));
    rules_clear(rules);
    *rules = other;
}

static void the_order_in_which_rules_were_added_never_matters(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS / 3; round++) {
        struct world world;
        struct asked asked[QUESTIONS];
        world_make(&world);
        ask_all(&world, asked);
        for (size_t i = 0; i < POLICIES; i++)
            shuffle(&world.rules[i]);
        struct policy *first = world.policy[0];
        world.policy[0] = world.policy[POLICIES - 1];
        world.policy[POLICIES - 1] = first;
        for (int i = 0; i < QUESTIONS; i++) /* the order of the policies */
            check(&world,
                  access_decide(&world.access, world.client_id, asked[i].question, asked[i].topic,
                                NOW)
                          .verdict == asked[i].verdict,
                  asked[i].question, asked[i].topic);
        compile(&world);
        for (int i = 0; i < QUESTIONS; i++) /* the order of the rules in each */
            check_decision(&world, asked[i].question, asked[i].topic);
        world_clear(&world);
    }
}

static void a_policy_keeps_its_own_copy_of_the_rules(void **state)
{
    struct world world;
    (void)state;
    world_make(&world);
    for (size_t i = 0; i < POLICIES; i++)
        rules_clear(&world.rules[i]);
    assert_int_equal(rules_set(&world.rules[0], EFFECT_ALLOW, ACTION_ALL, "k/k", NULL), ERR_OK);
    compile(&world);
    rules_clear(&world.rules[0]);
    struct decision decision =
        access_decide(&world.access, world.client_id, QUESTION_PUBLISH, "k/k", NOW);
    assert_int_equal(decision.verdict, VERDICT_ALLOW);
    assert_string_equal(decision.rule->filter, "k/k");
    world_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_is_what_a_scan_of_all_rules_says),
        cmocka_unit_test(adding_an_allow_never_takes_anything_away),
        cmocka_unit_test(adding_a_deny_never_gives_anything),
        cmocka_unit_test(the_order_in_which_rules_were_added_never_matters),
        cmocka_unit_test(a_policy_keeps_its_own_copy_of_the_rules),
    };
    rng = rng_start("prop_policy");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
