/* naive_policy.h - rules the slow and plain way: the truth that the tests compare with.
 *
 * DESIGN section 3 as it stands there: put the values into the filter, level by level; a bad value
 * makes the level match nothing in an allow and anything in a deny; then ask whether the filter
 * matches the name, or covers the wanted filter. Whoever asks says: deny wins, then allow, then no.
 */
#ifndef DEVREG_TESTS_NAIVE_POLICY_H
#define DEVREG_TESTS_NAIVE_POLICY_H

#include "registry/device.h"
#include "tests/support/naive_topic.h"

/* Who asks, and what: a SUBSCRIBE asks for a filter, the other two for a name. */
struct naive_subject {
    const char *device, *client_id; /* NULL or "" for none */
    const struct attribute *attributes;
    size_t attribute_count;
};
enum naive_question { NAIVE_PUBLISH, NAIVE_SUBSCRIBE, NAIVE_DELIVER };

/* What the variable `level` stands for; NULL for nothing. */
static inline const char *naive_value(const struct naive_subject *subject, const char *level)
{
    char name[ATTRIBUTE_NAME_MAX + 1];
    if (strcmp(level, "%u") == 0)
        return subject->device;
    if (strcmp(level, "%c") == 0)
        return subject->client_id;
    size_t size = strcspn(level + 2, "}");
    memcpy(name, level + 2, size);
    name[size] = '\0';
    return attribute_find(subject->attributes, subject->attribute_count, name);
}

/* The level with its variable's value in it. */
static inline const char *naive_level(const struct naive_subject *subject, const struct rule *rule,
                                      const char *level, bool first)
{
    if (level[0] != '%')
        return level;
    const char *value = naive_value(subject, level);
    if (value && *value && !strpbrk(value, "/+#") && !(first && *value == '$'))
        return value;
    return rule->effect == EFFECT_ALLOW ? naive_never : naive_any;
}

/* Filters, topics and values within the limits of naive_topic.h. */
static inline bool naive_applies(const struct naive_subject *subject, const struct rule *rule,
                                 enum naive_question question, const char *topic)
{
    struct naive asked = naive_split(topic), text = naive_split(rule->filter), filter = {0};
    for (size_t i = 0; i < text.count; i++) {
        const char *level = naive_level(subject, rule, text.level[i], i == 0);
        naive_append(&filter, level, strlen(level));
    }
    enum action needed = question == NAIVE_PUBLISH ? ACTION_PUBLISH : ACTION_SUBSCRIBE;
    if (!(rule->action & needed))
        return false;
    return question == NAIVE_SUBSCRIBE ? naive_covers(&filter, &asked)
                                       : naive_matches(&filter, &asked);
}

/* Does a rule of that effect in `rules` apply? */
static inline bool naive_any_applies(const struct rules *rules, enum effect effect,
                                     const struct naive_subject *subject,
                                     enum naive_question question, const char *topic)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->items[i].effect == effect &&
            naive_applies(subject, &rules->items[i], question, topic))
            return true;
    }
    return false;
}

#endif
