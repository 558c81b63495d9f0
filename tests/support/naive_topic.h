/* naive_topic.h - topics the slow and plain way: the truth that the tests compare with.
 *
 * A topic is an array of levels. Two levels that no text can be cut into stand for what the rules
 * need beside MQTT's: `naive_any` matches every level, one that begins with "$" too, and
 * `naive_never` matches none.
 */
#ifndef DEVREG_TESTS_NAIVE_TOPIC_H
#define DEVREG_TESTS_NAIVE_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { NAIVE_LEVELS = 16, NAIVE_LEVEL_SIZE = 16 };

static const char *const naive_any = "/any";
static const char *const naive_never = "/never";
static const char *const naive_fresh = "/fresh"; /* a level that stands in no filter */

struct naive {
    size_t count;
    char level[NAIVE_LEVELS][NAIVE_LEVEL_SIZE];
};

static inline void naive_append(struct naive *topic, const char *level, size_t size)
{
    memcpy(topic->level[topic->count], level, size);
    topic->level[topic->count++][size] = '\0';
}

/* At most NAIVE_LEVELS levels of less than NAIVE_LEVEL_SIZE bytes. */
static inline struct naive naive_split(const char *text)
{
    struct naive topic = {0};
    for (;;) {
        size_t size = strcspn(text, "/");
        naive_append(&topic, text, size);
        if (!text[size])
            return topic;
        text += size + 1;
    }
}

static inline bool naive_is(const struct naive *topic, size_t at, const char *level)
{
    return at < topic->count && strcmp(topic->level[at], level) == 0;
}

/* MQTT 5, sections 4.7.1 and 4.7.2, sentence by sentence. */
static inline bool naive_matches(const struct naive *filter, const struct naive *name)
{
    bool wildcard_first = naive_is(filter, 0, "+") || naive_is(filter, 0, "#");
    if (wildcard_first && name->level[0][0] == '$')
        return false;
    for (size_t i = 0;; i++) {
        if (naive_is(filter, i, "#"))
            return true;
        if (i == filter->count || i == name->count)
            return i == filter->count && i == name->count;
        if (naive_is(filter, i, naive_never))
            return false;
        if (!naive_is(filter, i, "+") && !naive_is(filter, i, naive_any) &&
            !naive_is(filter, i, name->level[i]))
            return false;
    }
}

/* A name that `wanted` matches: for each "+" a level that no filter names, for a final "#" `extra`
 * of them. False where that leaves nothing. */
static inline bool naive_instance(struct naive *name, const struct naive *wanted, size_t extra)
{
    *name = (struct naive){0};
    for (size_t i = 0; i < wanted->count; i++) {
        bool hash = naive_is(wanted, i, "#");
        bool wild = hash || naive_is(wanted, i, "+");
        const char *level = wild ? naive_fresh : wanted->level[i];
        for (size_t n = hash ? extra : 1; n > 0; n--)
            naive_append(name, level, strlen(level));
    }
    return name->count > 0;
}

/* Three names tell: what fails for any name that `wanted` matches fails for one of these, since a
 * filter looks at a level only by name, and at the number of levels only as "these" or "at least
 * these". prop_topic.c tests that against all short names. */
static inline bool naive_covers(const struct naive *allowed, const struct naive *wanted)
{
    for (size_t extra = 0; extra <= 2; extra++) {
        struct naive name;
        if (naive_instance(&name, wanted, extra) && !naive_matches(allowed, &name))
            return false;
    }
    return true;
}

#endif
