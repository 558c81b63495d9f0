#include "registry/policy.h"

#include <stdlib.h>
#include <string.h>

/* Which index of a table an action asks: publish, or subscribe and delivery. */
enum { ASK_PUBLISH, ASK_SUBSCRIBE, ASKS };

enum { NONE = -1, ROOT = 0 };

/* Variables are numbered: these two, then the attribute names of the policy. */
enum { VARIABLE_DEVICE, VARIABLE_CLIENT, VARIABLE_ATTRIBUTE };

/* Rules by effect and ask, as indices into the policy's rules; NONE for none. */
struct ends {
    int32_t rule[2][ASKS];
};

struct node {
    struct ends exact; /* rules whose filter ends here */
    struct ends rest;  /* rules whose filter goes on with "#" */
    int32_t plus;      /* the child along "+" */
    int32_t variables; /* the first child along a variable; the others follow by `next` */
    int32_t next;
    int32_t variable; /* along which variable this node is reached */
};

/* A plain level from `parent` to `child`; a child of ROOT marks an empty place. */
struct edge {
    uint32_t parent, child, size;
    const char *text; /* in a rule's filter */
};

struct policy {
    struct rules rules;
    bool denies[ASKS]; /* is there any deny? else the first allow decides */
    struct node *nodes;
    size_t node_count;
    struct edge *edges; /* open addressing, at most half full */
    uint32_t edge_mask;
    const char **names; /* of VARIABLE_ATTRIBUTE and up, in the rules' filters: "site}" */
    size_t name_count;
};

/* FNV-1a. Only a rule's author chooses what is in the table, so nobody can crowd it. */
static uint32_t hash_step(uint32_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 0x01000193u;
}

static const uint32_t hash_start = 0x811c9dc5u;

bool topic_split(struct topic_levels *levels, const char *topic)
{
    size_t count = 0;
    bool wildcards = false;
    const char *start = topic, *at = topic;
    uint32_t hash = hash_start;
    for (;; at++) {
        if (*at != '/' && *at != '\0') {
            wildcards |= *at == '+' || *at == '#';
            hash = hash_step(hash, *at);
            continue;
        }
        if (count == TOPIC_LEVELS_MAX || at - topic > TOPIC_MAX)
            return false;
        levels->level[count++] = (struct topic_level){start, (uint32_t)(at - start), hash};
        if (!*at)
            break;
        start = at + 1;
        hash = hash_start;
    }
    levels->count = count;
    levels->wildcards = wildcards;
    return at > topic;
}

static uint32_t edge_place(const struct policy *policy, uint32_t parent, uint32_t hash)
{
    return (hash ^ parent * 0x9e3779b1u) & policy->edge_mask;
}

/* The edge, or the empty place where it belongs. */
static struct edge *edge_find(const struct policy *policy, uint32_t parent,
                              const struct topic_level *level)
{
    uint32_t place = edge_place(policy, parent, level->hash);
    for (;; place = (place + 1) & policy->edge_mask) {
        struct edge *edge = &policy->edges[place];
        if (edge->child == ROOT || (edge->parent == parent && edge->size == level->size &&
                                    memcmp(edge->text, level->at, level->size) == 0))
            return edge;
    }
}

static int32_t node_new(struct policy *policy)
{
    static const struct ends none = {{{NONE, NONE}, {NONE, NONE}}};
    policy->nodes[policy->node_count] = (struct node){.exact = none,
                                                      .rest = none,
                                                      .plus = NONE,
                                                      .variables = NONE,
                                                      .next = NONE,
                                                      .variable = NONE};
    return (int32_t)policy->node_count++;
}

static bool level_is(const struct topic_level *level, char wildcard)
{
    return level->size == 1 && level->at[0] == wildcard;
}

/* The number of the variable that the level is, or NONE. */
static int32_t variable_of(struct policy *policy, const struct topic_level *level)
{
    if (level->size < 2 || level->at[0] != '%')
        return NONE;
    if (level->at[1] != '{')
        return level->at[1] == 'u' ? VARIABLE_DEVICE : VARIABLE_CLIENT;
    const char *name = level->at + 2;
    size_t size = level->size - 2;
    for (size_t i = 0; i < policy->name_count; i++) {
        /* NOLINTNEXTLINE: the analyzer does not see that these are the names that were put there */
        if (strncmp(policy->names[i], name, size) == 0)
            return VARIABLE_ATTRIBUTE + (int32_t)i;
    }
    policy->names[policy->name_count] = name;
    return VARIABLE_ATTRIBUTE + (int32_t)policy->name_count++;
}

static int32_t child_along_variable(struct policy *policy, int32_t parent, int32_t variable)
{
    for (int32_t n = policy->nodes[parent].variables; n != NONE; n = policy->nodes[n].next) {
        if (policy->nodes[n].variable == variable)
            return n;
    }
    int32_t child = node_new(policy);
    policy->nodes[child].variable = variable;
    policy->nodes[child].next = policy->nodes[parent].variables;
    policy->nodes[parent].variables = child;
    return child;
}

static int32_t child_along(struct policy *policy, int32_t parent, const struct topic_level *level)
{
    if (level_is(level, '+')) {
        if (policy->nodes[parent].plus == NONE) {
            int32_t child = node_new(policy);
            policy->nodes[parent].plus = child;
        }
        return policy->nodes[parent].plus;
    }
    int32_t variable = variable_of(policy, level);
    if (variable != NONE)
        return child_along_variable(policy, parent, variable);
    struct edge *edge = edge_find(policy, (uint32_t)parent, level);
    if (edge->child == ROOT)
        *edge = (struct edge){(uint32_t)parent, (uint32_t)node_new(policy), level->size, level->at};
    return (int32_t)edge->child;
}

static void insert(struct policy *policy, int32_t index)
{
    struct topic_levels levels;
    const struct rule *rule = &policy->rules.items[index];
    int32_t node = ROOT;
    if (!topic_split(&levels, rule->filter))
        return; /* no rule has such a filter: rules_set refuses it */
    bool rest = level_is(&levels.level[levels.count - 1], '#');
    for (size_t i = 0; i < levels.count - rest; i++)
        node = child_along(policy, node, &levels.level[i]);
    struct ends *ends = rest ? &policy->nodes[node].rest : &policy->nodes[node].exact;
    for (int ask = 0; ask < ASKS; ask++) {
        if (!(rule->action & (ask == ASK_PUBLISH ? ACTION_PUBLISH : ACTION_SUBSCRIBE)))
            continue;
        ends->rule[rule->effect][ask] = index;
        policy->denies[ask] |= rule->effect == EFFECT_DENY;
    }
}

/* How many levels all filters have together: a bound for nodes, edges and names. */
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
    policy->edges = calloc(places, sizeof *policy->edges);
    policy->names = calloc(levels + 1, sizeof *policy->names);
    policy->edge_mask = (uint32_t)(places - 1);
    if (!policy->nodes || !policy->edges || !policy->names)
        return false;
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
    (void)node_new(policy);
    for (size_t i = 0; i < policy->rules.count; i++)
        insert(policy, (int32_t)i);
    *out = policy;
    return ERR_OK;
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    rules_clear(&policy->rules);
    free(policy->nodes);
    free(policy->edges);
    free(policy->names);
    free(policy);
}

struct walk {
    const struct policy *policy;
    const struct subject *subject;
    const struct topic_levels *topic;
    int ask;
    struct policy_match match;
};

/* Notes the rules at an end. True when nothing further can change the answer. */
static bool note(struct walk *walk, const struct ends *ends, bool denies_only)
{
    int32_t deny = ends->rule[EFFECT_DENY][walk->ask];
    int32_t allow = ends->rule[EFFECT_ALLOW][walk->ask];
    if (deny != NONE) {
        walk->match.deny = &walk->policy->rules.items[deny];
        return true;
    }
    if (allow != NONE && !denies_only && !walk->match.allow)
        walk->match.allow = &walk->policy->rules.items[allow];
    return walk->match.allow && !walk->policy->denies[walk->ask];
}

/* The value of a variable; "" for one that is missing. */
static const char *value_of(const struct walk *walk, int32_t variable)
{
    const struct subject *subject = walk->subject;
    if (variable == VARIABLE_DEVICE)
        return subject->device;
    if (variable == VARIABLE_CLIENT)
        return subject->client_id ? subject->client_id : "";
    const char *name = walk->policy->names[variable - VARIABLE_ATTRIBUTE];
    for (size_t i = 0; i < subject->attribute_count; i++) {
        size_t size = strlen(subject->attributes[i].name);
        if (strncmp(subject->attributes[i].name, name, size) == 0 && name[size] == '}')
            return subject->attributes[i].value;
    }
    return "";
}

static bool value_usable(const char *value, size_t depth)
{
    return value[0] && !strpbrk(value, "/+#") && !(depth == 0 && value[0] == '$');
}

static bool visit(struct walk *walk, int32_t at, size_t depth, bool denies_only);

static bool visit_variables(struct walk *walk, const struct node *node, size_t depth,
                            bool denies_only)
{
    const struct topic_level *level = &walk->topic->level[depth];
    for (int32_t child = node->variables; child != NONE; child = walk->policy->nodes[child].next) {
        const char *value = value_of(walk, walk->policy->nodes[child].variable);
        bool equal = strncmp(value, level->at, level->size) == 0 && value[level->size] == '\0';
        bool may_deny = walk->policy->denies[walk->ask];
        if (!equal && !may_deny)
            continue;
        bool usable = value_usable(value, depth);
        if (usable ? !equal : !may_deny)
            continue;
        if (visit(walk, child, depth + 1, denies_only || !usable))
            return true;
    }
    return false;
}

/* A wanted "#" that is not met by a "#" here. It is covered all the same at the first level by
 * "+/#", since every name has a first level. */
static bool visit_rest(struct walk *walk, const struct node *node, size_t depth, bool denies_only)
{
    const struct node *nodes = walk->policy->nodes;
    if (depth > 0)
        return false;
    if (node->plus != NONE && note(walk, &nodes[node->plus].rest, denies_only))
        return true;
    for (int32_t child = node->variables; child != NONE; child = nodes[child].next) {
        if (!value_usable(value_of(walk, nodes[child].variable), depth) &&
            note(walk, &nodes[child].rest, true))
            return true;
    }
    return false;
}

/* Goes on from a node that the first `depth` levels lead to. True when the answer is final.
 * As deep as the tree, which is no deeper than TOPIC_LEVELS_MAX. */
static bool visit(struct walk *walk, int32_t at, size_t depth, bool denies_only)
{
    const struct node *node = &walk->policy->nodes[at];
    const struct topic_levels *topic = walk->topic;
    bool dollar = depth == 0 && topic->level[0].at[0] == '$';
    if (!dollar && note(walk, &node->rest, denies_only))
        return true;
    if (depth == topic->count)
        return note(walk, &node->exact, denies_only);
    const struct topic_level *level = &topic->level[depth];
    if (level_is(level, '#'))
        return visit_rest(walk, node, depth, denies_only);
    const struct edge *edge = edge_find(walk->policy, (uint32_t)at, level);
    if (edge->child != ROOT && visit(walk, (int32_t)edge->child, depth + 1, denies_only))
        return true;
    if (node->plus != NONE && !dollar && visit(walk, node->plus, depth + 1, denies_only))
        return true;
    return node->variables != NONE && visit_variables(walk, node, depth, denies_only);
}

struct policy_match policy_match(const struct policy *policy, const struct subject *subject,
                                 enum question question, const struct topic_levels *topic)
{
    struct walk walk = {.policy = policy,
                        .subject = subject,
                        .topic = topic,
                        .ask = question == QUESTION_PUBLISH ? ASK_PUBLISH : ASK_SUBSCRIBE};
    (void)visit(&walk, ROOT, 0, false);
    return walk.match;
}
