#include "registry/policy.h"

#include <stdlib.h>
#include <string.h>

/* Which index of a table an action asks: publish, or subscribe and delivery. */
enum { ASK_PUBLISH, ASK_SUBSCRIBE, ASKS };

enum { PLAINS_WALKED = 4 };

/* Variables are numbered: these two, then the attribute names of the policy. */
enum { VARIABLE_DEVICE, VARIABLE_CLIENT, VARIABLE_ATTRIBUTE };

/* The rules that end at one place, by ask and effect; NULL for none. */
struct ends {
    const struct rule *rule[ASKS][2];
};

/* A part of a topic or filter between its slashes. */
struct level {
    const char *at;
    size_t size;
};

struct node {
    struct ends exact;               /* rules whose filter ends here */
    struct ends rest;                /* rules whose filter goes on with "#" */
    struct node *plus;               /* the child along "+" */
    struct node *plains, *variables; /* the first child along such a level; the others follow */
    struct node *next;               /* of the same parent and kind */
    const struct node *parent;
    uint32_t plain_count; /* more than PLAINS_WALKED are found by the hash table */
    uint32_t variable;    /* along which variable this node is reached */
    struct level plain;   /* or along which level, in a rule's filter */
};

struct policy {
    struct rules rules;
    bool denies[ASKS];  /* is there any deny? else the first allow decides */
    struct node *nodes; /* the root is the first */
    size_t node_count;
    struct node **places; /* those along plain levels: open addressing, at most half full */
    uint32_t place_mask;
    const char **names; /* of VARIABLE_ATTRIBUTE and up, in the rules' filters: "site}" */
    size_t name_count;
};

static struct level level_of(const char *at)
{
    return (struct level){at, (size_t)(strchrnul(at, '/') - at)};
}

static bool level_is(const char *level, char wildcard)
{
    return level[0] == wildcard && (level[1] == '/' || level[1] == '\0');
}

/* FNV-1a. Only a rule's author chooses what is in the table, so nobody can crowd it. */
static uint32_t level_hash(const struct level *level)
{
    uint32_t hash = 0x811c9dc5u;
    for (size_t i = 0; i < level->size; i++)
        hash = (hash ^ (unsigned char)level->at[i]) * 0x01000193u;
    return hash;
}

/* The place of the node that the level leads to from `parent`, or the empty one where it belongs.
 */
static struct node **plain_place(const struct policy *policy, const struct node *parent,
                                 const struct level *level)
{
    uint32_t number = (uint32_t)(parent - policy->nodes);
    uint32_t place = (level_hash(level) ^ number * 0x9e3779b1u) & policy->place_mask;
    for (;; place = (place + 1) & policy->place_mask) {
        const struct node *node = policy->places[place];
        if (!node || (node->parent == parent && node->plain.size == level->size &&
                      memcmp(node->plain.at, level->at, level->size) == 0))
            return &policy->places[place];
    }
}

static struct node *node_new(struct policy *policy, const struct node *parent)
{
    struct node *node = &policy->nodes[policy->node_count++];
    node->parent = parent;
    return node;
}

static bool is_variable(const struct level *level)
{
    return level->size >= 2 && level->at[0] == '%';
}

/* The number of the variable that the level is. */
static uint32_t variable_of(struct policy *policy, const struct level *level)
{
    if (level->at[1] != '{')
        return level->at[1] == 'u' ? VARIABLE_DEVICE : VARIABLE_CLIENT;
    const char *name = level->at + 2;
    size_t size = level->size - 2;
    for (size_t i = 0; i < policy->name_count; i++) {
        /* NOLINTNEXTLINE: the analyzer does not see that these are the names that were put there */
        if (strncmp(policy->names[i], name, size) == 0)
            return VARIABLE_ATTRIBUTE + (uint32_t)i;
    }
    policy->names[policy->name_count] = name;
    return VARIABLE_ATTRIBUTE + (uint32_t)policy->name_count++;
}

static struct node *child_along_variable(struct policy *policy, struct node *parent,
                                         uint32_t variable)
{
    for (struct node *node = parent->variables; node; node = node->next) {
        if (node->variable == variable)
            return node;
    }
    struct node *child = node_new(policy, parent);
    child->variable = variable;
    child->next = parent->variables;
    return parent->variables = child;
}

static struct node *child_along_plain(struct policy *policy, struct node *parent,
                                      const struct level *level)
{
    struct node **place = plain_place(policy, parent, level);
    struct node *child = *place;
    if (child)
        return child;
    child = node_new(policy, parent);
    child->plain = *level;
    child->next = parent->plains;
    parent->plains = child;
    parent->plain_count++;
    return *place = child;
}

static struct node *child_along(struct policy *policy, struct node *parent,
                                const struct level *level)
{
    if (is_variable(level))
        return child_along_variable(policy, parent, variable_of(policy, level));
    if (!level_is(level->at, '+'))
        return child_along_plain(policy, parent, level);
    if (!parent->plus)
        parent->plus = node_new(policy, parent);
    return parent->plus;
}

static void insert(struct policy *policy, const struct rule *rule)
{
    const char *at = rule->filter;
    bool ended = false;
    struct node *node = policy->nodes;
    while (!ended && !level_is(at, '#')) {
        struct level level = level_of(at);
        node = child_along(policy, node, &level);
        ended = !level.at[level.size];
        at += level.size + 1;
    }
    struct ends *ends = ended ? &node->exact : &node->rest;
    for (int ask = 0; ask < ASKS; ask++) {
        if (!(rule->action & (ask == ASK_PUBLISH ? ACTION_PUBLISH : ACTION_SUBSCRIBE)))
            continue;
        ends->rule[ask][rule->effect] = rule;
        policy->denies[ask] |= rule->effect == EFFECT_DENY;
    }
}

/* How many levels all filters have together: a bound for nodes, places and names. */
static size_t count_levels(const struct rules *rules)
{
    size_t count = 0;
    for (size_t i = 0; i < rules->count; i++) {
        count++;
        for (const char *c = rules->items[i].filter; *c; c++)
            count += *c == '/';
    }
    return count;
}

static bool allocate(struct policy *policy)
{
    size_t levels = count_levels(&policy->rules), places = 2;
    while (places < 2 * levels + 2)
        places *= 2;
    policy->nodes = calloc(levels + 1, sizeof *policy->nodes);
    policy->places = calloc(places, sizeof *policy->places); /* NOLINT: pointers are meant */
    policy->names = calloc(levels + 1, sizeof *policy->names);
    policy->place_mask = (uint32_t)(places - 1);
    if (!policy->nodes || !policy->places || !policy->names)
        return false;
    (void)node_new(policy, NULL);
    return true;
}

enum err policy_compile(struct policy **out, const struct rules *rules)
{
    struct policy *policy = calloc(1, sizeof *policy);
    if (!policy)
        return ERR_NO_MEMORY;
    enum err e = rules_copy(&policy->rules, rules);
    if (!e && !allocate(policy))
        e = ERR_NO_MEMORY;
    if (e) {
        policy_free(policy);
        return e;
    }
    for (size_t i = 0; i < policy->rules.count; i++)
        insert(policy, &policy->rules.items[i]);
    *out = policy;
    return ERR_OK;
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    rules_clear(&policy->rules);
    free(policy->nodes);
    free(policy->places);
    free(policy->names);
    free(policy);
}

/* What a variable stands for. */
struct value {
    const char *text; /* "" where it is missing */
    size_t size;
    bool plain; /* no part of it could become syntax */
};

struct walk {
    const struct policy *policy;
    const struct subject *subject;
    const char *client_id;
    struct value client;     /* of client_id, which may be long, once it was asked for */
    const char *topic, *end; /* its NUL */
    int ask;
    bool may_deny; /* is there a deny for it at all? */
    struct policy_match match;
};

/* Notes the rules at an end. True when nothing further can change the answer. */
static bool note(struct walk *walk, const struct ends *ends, bool denies_only)
{
    const struct rule *deny = ends->rule[walk->ask][EFFECT_DENY];
    const struct rule *allow = ends->rule[walk->ask][EFFECT_ALLOW];
    if (deny) {
        walk->match.deny = deny;
        return true;
    }
    if (allow && !denies_only && !walk->match.allow)
        walk->match.allow = allow;
    return walk->match.allow && !walk->may_deny;
}

static struct value value_make(const char *text)
{
    return (struct value){text, strlen(text), *text && !strpbrk(text, "/+#")};
}

static const char *attribute_of(const struct walk *walk, uint32_t variable)
{
    const struct subject *subject = walk->subject;
    const char *name = walk->policy->names[variable - VARIABLE_ATTRIBUTE];
    for (size_t i = 0; i < subject->attribute_count; i++) {
        size_t size = strlen(subject->attributes[i].name);
        if (strncmp(subject->attributes[i].name, name, size) == 0 && name[size] == '}')
            return subject->attributes[i].value;
    }
    return "";
}

static struct value value_of(struct walk *walk, uint32_t variable)
{
    if (variable == VARIABLE_DEVICE)
        return value_make(walk->subject->device);
    if (variable != VARIABLE_CLIENT)
        return value_make(attribute_of(walk, variable));
    if (!walk->client.text)
        walk->client = value_make(walk->client_id ? walk->client_id : "");
    return walk->client;
}

static bool value_usable(const struct walk *walk, const struct value *value, const char *level)
{
    return value->plain && !(level == walk->topic && value->text[0] == '$');
}

/* Does the topic's level read `text`? */
static bool level_reads(const struct walk *walk, const char *level, const char *text, size_t size)
{
    return size <= (size_t)(walk->end - level) && (level[size] == '/' || level[size] == '\0') &&
           memcmp(level, text, size) == 0;
}

/* Where the level behind this one begins; one past the end of the topic if it is the last. */
static const char *level_next(const char *level)
{
    return strchrnul(level, '/') + 1;
}

/* The child along the plain level, or NULL. */
static const struct node *plain_find(const struct walk *walk, const struct node *node,
                                     const char *level)
{
    if (node->plain_count > PLAINS_WALKED) {
        struct level whole = level_of(level);
        return *plain_place(walk->policy, node, &whole);
    }
    const struct node *child = node->plains;
    while (child && !level_reads(walk, level, child->plain.at, child->plain.size))
        child = child->next;
    return child;
}

static bool visit(struct walk *walk, const struct node *node, const char *level, bool denies_only);

static bool visit_variables(struct walk *walk, const struct node *node, const char *level,
                            bool denies_only)
{
    for (const struct node *child = node->variables; child; child = child->next) {
        const struct value value = value_of(walk, child->variable);
        bool equal = level_reads(walk, level, value.text, value.size);
        bool usable = value_usable(walk, &value, level);
        if (usable ? !equal : !walk->may_deny)
            continue;
        if (visit(walk, child, level_next(level), denies_only || !usable))
            return true;
    }
    return false;
}

/* A wanted "#" that is not met by a "#" here. It is covered all the same at the first level by
 * "+/#", since every name has a first level. */
static bool visit_rest(struct walk *walk, const struct node *node, const char *level,
                       bool denies_only)
{
    if (level != walk->topic)
        return false;
    if (node->plus && note(walk, &node->plus->rest, denies_only))
        return true;
    for (const struct node *child = node->variables; child; child = child->next) {
        const struct value value = value_of(walk, child->variable);
        if (!value_usable(walk, &value, level) && note(walk, &child->rest, true))
            return true;
    }
    return false;
}

/* Goes on from a node with the level that the ones before lead to. True when the answer is final.
 * As deep as the tree, which is no deeper than TOPIC_LEVELS_MAX. */
static bool visit(struct walk *walk, const struct node *node, const char *level, bool denies_only)
{
    for (;;) {
        bool dollar = level == walk->topic && *level == '$';
        if (!dollar && note(walk, &node->rest, denies_only))
            return true;
        if (level > walk->end)
            return note(walk, &node->exact, denies_only);
        if (level_is(level, '#'))
            return visit_rest(walk, node, level, denies_only);
        if (node->variables && visit_variables(walk, node, level, denies_only))
            return true;
        const struct node *plain = plain_find(walk, node, level);
        const struct node *plus = dollar ? NULL : node->plus;
        if (plain && plus && visit(walk, plus, level_next(level), denies_only))
            return true;
        if (!plain && !plus)
            return false;
        level = level_next(level);
        node = plain ? plain : plus; /* the last way: no deeper for it */
    }
}

struct policy_match policy_match(const struct policy *policy, const struct subject *subject,
                                 const char *client_id, enum question question, const char *topic,
                                 size_t length)
{
    const int ask = question == QUESTION_PUBLISH ? ASK_PUBLISH : ASK_SUBSCRIBE;
    struct walk walk = {.policy = policy,
                        .subject = subject,
                        .client_id = client_id,
                        .topic = topic,
                        .end = topic + length,
                        .ask = ask,
                        .may_deny = policy->denies[ask]};
    (void)visit(&walk, policy->nodes, topic, false);
    return walk.match;
}
