/* fuzz_policy.c - access_decide against a scan of all rules, which are read as they are written.
 *
 *   publish|subscribe|deliver TOPIC
 *   enabled|disabled|revoked EXPIRES
 *   DEVICE
 *   CLIENT ID, "-" for none
 *   the presence topic, "" for none
 *   NAME=VALUE                          an attribute; two such lines
 *   0|1|2 allow|deny ACTION FILTER      which policy holds the rule; any number of lines
 */
#include "registry/access.h"
#include "tests/fuzz/plain_topic.h"

enum { POLICIES = 3, NOW = 1000, RULES_READ = 200 };

struct world {
    enum question question;
    const char *topic, *client_id;
    struct device device; /* its id, attributes, state and expiry */
    bool presence;
    char presence_topic[RULE_FILTER_MAX + 1], presence_filter[RULE_FILTER_MAX + 1];
    struct rules rules[POLICIES];
    struct policy *policies[POLICIES];
};

/* ---- the oracle */

static const char *variable_value(const struct world *world, const char *level, size_t size)
{
    const struct device *device = &world->device;
    char name[RULE_FILTER_MAX + 1];
    if (size == 2)
        return level[1] == 'u' ? device->id : world->client_id;
    memcpy(name, level + 2, size - 3);
    name[size - 3] = '\0';
    for (size_t i = 0; i < device->attribute_count; i++) {
        if (strcmp(device->attributes[i].name, name) == 0)
            return device->attributes[i].value;
    }
    return NULL;
}

/* The rule's filter with the values in it. */
static void bind(const struct world *world, const struct rule *rule, struct plain *filter)
{
    plain_split(filter, rule->filter);
    for (size_t i = 0; i < filter->count; i++) {
        struct plain_level *level = &filter->levels[i];
        if (level->size < 2 || level->at[0] != '%')
            continue;
        const char *value = variable_value(world, level->at, level->size);
        bool usable = value && *value && !strpbrk(value, "/+#") && !(i == 0 && *value == '$');
        if (usable)
            *level = (struct plain_level){PLAIN_TEXT, value, strlen(value)};
        else
            level->kind = rule->effect == EFFECT_ALLOW ? PLAIN_NEVER : PLAIN_ANY;
    }
}

static bool applies(const struct world *world, const struct rule *rule, const char *topic)
{
    static struct plain filter, asked;
    bool publish = world->question == QUESTION_PUBLISH;
    if (!(rule->action & (publish ? ACTION_PUBLISH : ACTION_SUBSCRIBE)))
        return false;
    bind(world, rule, &filter);
    plain_split(&asked, topic);
    return world->question == QUESTION_SUBSCRIBE ? plain_covers(&filter, &asked)
                                                 : plain_matches(&filter, &asked);
}

static bool any_applies(const struct world *world, enum effect effect, const char *topic)
{
    for (size_t p = 0; p < POLICIES; p++) {
        for (size_t i = 0; i < world->rules[p].count; i++) {
            const struct rule *rule = &world->rules[p].items[i];
            if (rule->effect == effect && applies(world, rule, topic))
                return true;
        }
    }
    return false;
}

static bool reserved(const struct world *world)
{
    static struct plain filter, name;
    if (strcmp(world->topic, "devreg") == 0 || strncmp(world->topic, "devreg/", 7) == 0)
        return true;
    if (!world->presence)
        return false;
    plain_split(&filter, world->presence_topic);
    plain_split(&name, world->topic);
    for (size_t i = 0; i < filter.count; i++) {
        if (filter.levels[i].size >= 2 && filter.levels[i].at[0] == '%')
            filter.levels[i] = (struct plain_level){PLAIN_TEXT, "+", 1};
    }
    return plain_matches(&filter, &name);
}

/* What is really asked for; NULL where that is nothing. */
static const char *asked_for(const struct world *world)
{
    if (world->question == QUESTION_SUBSCRIBE)
        return topic_of_subscription(world->topic);
    return topic_name_valid(world->topic) ? world->topic : NULL;
}

static enum why reference(const struct world *world, const char *asked, enum verdict *verdict)
{
    const struct device *device = &world->device;
    *verdict = VERDICT_DENY;
    if (!asked)
        return WHY_BAD_TOPIC;
    if (device->state == DEVICE_REVOKED)
        return WHY_REVOKED;
    if (device->state == DEVICE_DISABLED)
        return WHY_DISABLED;
    if (device->expires && device->expires <= NOW)
        return WHY_EXPIRED;
    if (world->question == QUESTION_PUBLISH && reserved(world))
        return WHY_RESERVED;
    if (any_applies(world, EFFECT_DENY, asked))
        return WHY_RULE;
    if (!any_applies(world, EFFECT_ALLOW, asked))
        return WHY_NO_RULE;
    *verdict = VERDICT_ALLOW;
    return WHY_RULE;
}

/* ---- the input */

/* Is the line this word, a blank and more? */
static const char *after(const char *line, const char *word)
{
    size_t size = strlen(word);
    return strncmp(line, word, size) == 0 && line[size] == ' ' ? line + size + 1 : NULL;
}

static void read_question(struct world *world, const char *line)
{
    static const char *const words[] = {"publish", "subscribe", "deliver"};
    world->topic = line;
    for (size_t i = 0; i < 3; i++) {
        const char *topic = after(line, words[i]);
        if (!topic)
            continue;
        world->question = (enum question)i;
        world->topic = topic;
    }
}

static void read_state(struct world *world, const char *line)
{
    for (enum device_state state = DEVICE_DISABLED; state <= DEVICE_REVOKED; state++) {
        const char *expires = after(line, device_state_name(state));
        if (!expires)
            continue;
        world->device.state = state;
        world->device.expires = strtol(expires, NULL, 10);
    }
}

static void read_attribute(struct world *world, char *line)
{
    char *value = strchr(line, '=');
    if (!value)
        return;
    *value++ = '\0';
    enum err e = device_set_attribute(&world->device, line, value);
    HOLDS(e == (attribute_name_valid(line) && attribute_value_valid(value) ? ERR_OK : ERR_INVALID));
}

/* What is read as a rule is written as it was. */
static void read_rule(struct world *world, const char *line)
{
    static struct plain levels;
    enum effect effect;
    enum action action;
    const char *filter, *problem = NULL;
    char text[RULE_TEXT_MAX + 1];
    bool found = false;
    if (line[0] < '0' || line[0] >= '0' + POLICIES || line[1] != ' ')
        return;
    if (!rule_parse(line + 2, &effect, &action, &filter, &problem)) {
        HOLDS(problem && *problem);
        return;
    }
    HOLDS(filter >= line && filter <= line + strlen(line) && plain_filter_valid(filter));
    plain_split(&levels, filter);
    HOLDS(levels.count <= TOPIC_LEVELS_MAX);
    rule_format(text, &(struct rule){effect, action, (char *)(uintptr_t)filter});
    HOLDS(strcmp(text, line + 2) == 0);
    struct rules *rules = &world->rules[line[0] - '0'];
    enum err e = rules_set(rules, effect, action, filter, NULL);
    HOLDS(e == ERR_OK || e == ERR_EXISTS);
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->items[i];
        found |=
            rule->effect == effect && rule->action == action && strcmp(rule->filter, filter) == 0;
        if (i > 0) { /* sorted, each once: one spelling */
            int order = strcmp(rules->items[i - 1].filter, rule->filter);
            HOLDS(order < 0 || (order == 0 && rules->items[i - 1].action < rule->action));
        }
    }
    HOLDS(found);
}

/* ---- the law */

static void check(const struct world *world)
{
    const struct policy *policies[POLICIES];
    enum verdict verdict;
    const char *asked = asked_for(world);
    for (size_t i = 0; i < POLICIES; i++)
        policies[i] = world->policies[i];
    const struct access access = {
        .state = world->device.state,
        .expires = world->device.expires,
        .subject = {world->device.id, world->device.attributes, world->device.attribute_count},
        .policy_count = POLICIES,
        .policies = policies,
        .presence_topic = world->presence ? world->presence_filter : NULL};
    enum why why = reference(world, asked, &verdict);
    struct decision decision =
        access_decide(&access, world->client_id, world->question, world->topic, NOW);
    HOLDS(decision.verdict == verdict && decision.why == why);
    HOLDS((decision.rule != NULL) == (why == WHY_RULE));
    if (!decision.rule)
        return;
    HOLDS(decision.policy < POLICIES && applies(world, decision.rule, asked));
    HOLDS((decision.rule->effect == EFFECT_ALLOW) == (verdict == VERDICT_ALLOW));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

enum {
    LINE_QUESTION,
    LINE_STATE,
    LINE_DEVICE,
    LINE_CLIENT,
    LINE_PRESENCE,
    LINE_ONE,
    LINE_TWO,
    LINES
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct input input = {data, size};
    char *lines[LINES];
    if (size > FUZZ_INPUT_MAX)
        return 0;
    world = (struct world){.question = QUESTION_PUBLISH};
    for (size_t i = 0; i < LINES; i++)
        lines[i] = input_line(&input);
    device_init(&world.device, device_id_valid(lines[LINE_DEVICE]) ? lines[LINE_DEVICE] : "d");
    world.client_id = strcmp(lines[LINE_CLIENT], "-") == 0 ? NULL : lines[LINE_CLIENT];
    read_question(&world, lines[LINE_QUESTION]);
    read_state(&world, lines[LINE_STATE]);
    read_attribute(&world, lines[LINE_ONE]);
    read_attribute(&world, lines[LINE_TWO]);
    world.presence = *lines[LINE_PRESENCE] && !rule_filter_problem(lines[LINE_PRESENCE]);
    if (world.presence) {
        strcpy(world.presence_topic, lines[LINE_PRESENCE]);
        HOLDS(presence_topic_filter(world.presence_filter, world.presence_topic));
    }
    for (size_t i = 0; i < RULES_READ && input.size; i++) {
        char *line = input_line(&input);
        read_rule(&world, line);
        free(line);
    }
    for (size_t i = 0; i < POLICIES; i++)
        HOLDS(policy_compile(&world.policies[i], &world.rules[i]) == ERR_OK);
    check(&world);
    for (size_t i = 0; i < POLICIES; i++) {
        policy_free(world.policies[i]);
        rules_clear(&world.rules[i]);
    }
    device_clear(&world.device);
    for (size_t i = 0; i < LINES; i++)
        free(lines[i]);
    return 0;
}
