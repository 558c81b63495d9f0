#include "registry/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/device.h"
#include "registry/text.h"
#include "registry/topic.h"

bool action_parse(enum action *action, const char *word)
{
    for (enum action a = ACTION_PUBLISH; a <= ACTION_ALL; a++) {
        if (strcmp(word, action_name(a)) == 0) {
            *action = a;
            return true;
        }
    }
    return false;
}

const char *action_name(enum action action)
{
    static const char *const names[] = {"none", "publish", "subscribe", "all"};
    return names[action & ACTION_ALL];
}

const char *effect_name(enum effect effect)
{
    return effect == EFFECT_ALLOW ? "allow" : "deny";
}

/* A level is plain, or a variable as a whole. */
static const char *level_problem(const char *level, size_t length)
{
    if (memmem(level, length, "%{", 2) && level[0] == '%' && level[1] == '{') {
        char name[ATTRIBUTE_NAME_MAX + 1];
        if (length < 4 || level[length - 1] != '}' || length - 3 > ATTRIBUTE_NAME_MAX)
            return "'%{name}' must be a whole level and name an attribute";
        memcpy(name, level + 2, length - 3);
        name[length - 3] = '\0';
        return attribute_name_valid(name) ? NULL
                                          : "'%{name}' must be a whole level and name an attribute";
    }
    if (length == 2 && level[0] == '%' && (level[1] == 'u' || level[1] == 'c'))
        return NULL;
    if (memmem(level, length, "%u", 2) || memmem(level, length, "%c", 2) ||
        memmem(level, length, "%{", 2))
        return "a variable (%u, %c, %{name}) must be a whole level";
    if (level[0] == '%' && length > 1)
        return "a level may begin with '%' only as one of %u, %c, %{name}";
    return NULL;
}

const char *rule_filter_problem(const char *filter)
{
    if (!*filter)
        return "the filter is empty";
    if (strnlen(filter, RULE_FILTER_MAX + 1) > RULE_FILTER_MAX)
        return "the filter is longer than 512 bytes";
    if (!text_is_plain(filter, RULE_FILTER_MAX))
        return "the filter is not UTF-8 or holds a control character";
    if (!topic_filter_valid(filter))
        return "'+' must be a whole level and '#' the whole last level";
    if (strncmp(filter, "$share/", 7) == 0)
        return "rules are written without '$share/<group>/': a shared subscription is judged by "
               "its filter";
    size_t levels = 0;
    for (const char *level = filter;; level++) {
        size_t length = strcspn(level, "/");
        const char *problem = level_problem(level, length);
        if (problem)
            return problem;
        if (++levels > TOPIC_LEVELS_MAX)
            return "the filter has more than 200 levels";
        level += length;
        if (!*level)
            return NULL;
    }
}

void rule_format(char text[static RULE_TEXT_MAX + 1], const struct rule *rule)
{
    snprintf(text, RULE_TEXT_MAX + 1, "%s %s %s", effect_name(rule->effect),
             action_name(rule->action), rule->filter);
}

/* Is `text` led by `word` and a blank? Then steps over both. */
static bool take_word(const char **text, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*text, word, length) != 0 || (*text)[length] != ' ')
        return false;
    *text += length + 1;
    return true;
}

static bool take_action(const char **text, enum action *action)
{
    for (enum action a = ACTION_PUBLISH; a <= ACTION_ALL; a++) {
        if (take_word(text, action_name(a))) {
            *action = a;
            return true;
        }
    }
    return false;
}

bool rule_parse(const char *text, enum effect *effect, enum action *action, const char **filter,
                const char **problem)
{
    enum effect e = EFFECT_DENY;
    enum action a;
    if (take_word(&text, "allow")) {
        e = EFFECT_ALLOW;
    } else if (!take_word(&text, "deny")) {
        *problem = "a rule begins with 'allow' or 'deny'";
        return false;
    }
    if (!take_action(&text, &a)) {
        *problem = "the action is 'publish', 'subscribe' or 'all'";
        return false;
    }
    const char *bad = rule_filter_problem(text);
    if (bad) {
        *problem = bad;
        return false;
    }
    *effect = e;
    *action = a;
    *filter = text;
    return true;
}

static int rule_order(const struct rule *rule, enum action action, const char *filter)
{
    int order = strcmp(rule->filter, filter);
    return order ? order : (int)rule->action - (int)action;
}

/* Where (filter, action) stands, or would stand. */
static size_t rules_find(const struct rules *rules, enum action action, const char *filter,
                         bool *found)
{
    size_t low = 0, high = rules->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = rule_order(&rules->items[middle], action, filter);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool rules_grow(struct rules *rules)
{
    if (rules->count < rules->room)
        return true;
    size_t room = rules->room ? rules->room * 2 : 8;
    struct rule *items = realloc(rules->items, room * sizeof *items);
    if (!items)
        return false;
    rules->items = items;
    rules->room = room;
    return true;
}

enum err rules_set(struct rules *rules, enum effect effect, enum action action, const char *filter,
                   bool *replaced)
{
    if (rule_filter_problem(filter))
        return ERR_INVALID;
    bool found;
    size_t at = rules_find(rules, action, filter, &found);
    if (found && rules->items[at].effect == effect)
        return ERR_EXISTS;
    if (found) {
        rules->items[at].effect = effect;
    } else {
        if (rules->count >= RULES_MAX)
            return ERR_TOO_MANY;
        char *own = strdup(filter);
        if (!own || !rules_grow(rules)) {
            free(own);
            return ERR_NO_MEMORY;
        }
        memmove(&rules->items[at + 1], &rules->items[at],
                (rules->count - at) * sizeof *rules->items);
        rules->items[at].effect = effect;
        rules->items[at].action = action;
        rules->items[at].filter = own;
        rules->count++;
    }
    if (replaced)
        *replaced = found;
    return ERR_OK;
}

enum err rules_unset(struct rules *rules, enum action action, const char *filter)
{
    bool found;
    size_t at = rules_find(rules, action, filter, &found);
    if (!found)
        return ERR_NOT_FOUND;
    free(rules->items[at].filter);
    rules->count--;
    memmove(&rules->items[at], &rules->items[at + 1], (rules->count - at) * sizeof *rules->items);
    return ERR_OK;
}

enum err rules_copy(struct rules *to, const struct rules *from)
{
    struct rules copy = {0};
    for (size_t i = 0; i < from->count; i++) {
        const struct rule *rule = &from->items[i];
        enum err e = rules_set(&copy, rule->effect, rule->action, rule->filter, NULL);
        if (e) {
            rules_clear(&copy);
            return e;
        }
    }
    *to = copy;
    return ERR_OK;
}

bool rules_equal(const struct rules *a, const struct rules *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct rule *x = &a->items[i], *y = &b->items[i];
        if (x->effect != y->effect || rule_order(x, y->action, y->filter) != 0)
            return false;
    }
    return true;
}

void rules_clear(struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        free(rules->items[i].filter);
    free(rules->items);
    *rules = (struct rules){0};
}
