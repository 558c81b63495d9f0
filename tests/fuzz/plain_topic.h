/* plain_topic.h - topics of any length the slow and plain way: the oracle of the fuzz targets.
 *
 * As tests/support/naive_topic.h, which is for short ones, and read from the standard a second
 * time: MQTT 5, section 4.7. A level is a piece of text, or one of three that no text can be.
 */
#ifndef DEVREG_TESTS_PLAIN_TOPIC_H
#define DEVREG_TESTS_PLAIN_TOPIC_H

#include "tests/fuzz/fuzz.h"

enum { PLAIN_LEVELS = FUZZ_INPUT_MAX + 4 };

enum plain_kind {
    PLAIN_TEXT,
    PLAIN_ANY,   /* matches any level, also one that begins with "$" */
    PLAIN_NEVER, /* matches none */
    PLAIN_FRESH  /* a level of a name that no filter spells */
};

struct plain_level {
    enum plain_kind kind;
    const char *at; /* lent */
    size_t size;
};

struct plain {
    size_t count;
    struct plain_level levels[PLAIN_LEVELS];
};

static inline void plain_add(struct plain *plain, enum plain_kind kind, const char *at, size_t size)
{
    HOLDS(plain->count < PLAIN_LEVELS);
    plain->levels[plain->count++] = (struct plain_level){kind, at, size};
}

static inline void plain_split(struct plain *plain, const char *text)
{
    plain->count = 0;
    for (;;) {
        size_t size = strcspn(text, "/");
        plain_add(plain, PLAIN_TEXT, text, size);
        if (!text[size])
            return;
        text += size + 1;
    }
}

static inline bool plain_is(const struct plain_level *level, const char *text)
{
    return level->kind == PLAIN_TEXT && level->size == strlen(text) &&
           memcmp(level->at, text, level->size) == 0;
}

/* "+" a whole level, "#" a whole level and the last (4.7.1); not empty (4.7.3). */
static inline bool plain_filter_valid(const char *text)
{
    static struct plain plain;
    bool valid = *text;
    plain_split(&plain, text);
    for (size_t i = 0; i < plain.count; i++) {
        const struct plain_level *level = &plain.levels[i];
        bool plus = memchr(level->at, '+', level->size), hash = memchr(level->at, '#', level->size);
        valid = valid && (!plus || level->size == 1) &&
                (!hash || (level->size == 1 && i + 1 == plain.count));
    }
    return valid;
}

static inline bool plain_level_matches(const struct plain_level *filter,
                                       const struct plain_level *name)
{
    if (filter->kind == PLAIN_NEVER)
        return false;
    if (filter->kind == PLAIN_ANY || plain_is(filter, "+"))
        return true;
    return name->kind == PLAIN_TEXT && filter->size == name->size &&
           memcmp(filter->at, name->at, name->size) == 0;
}

static inline bool plain_matches(const struct plain *filter, const struct plain *name)
{
    const struct plain_level *first = &filter->levels[0], *named = &name->levels[0];
    if ((plain_is(first, "+") || plain_is(first, "#")) && named->kind == PLAIN_TEXT &&
        named->size && named->at[0] == '$')
        return false;
    for (size_t i = 0; i < filter->count; i++) {
        if (plain_is(&filter->levels[i], "#"))
            return true; /* and its parent (4.7.1.2) */
        if (i == name->count || !plain_level_matches(&filter->levels[i], &name->levels[i]))
            return false;
    }
    return filter->count == name->count;
}

/* Is every name that `wanted` matches matched by `allowed`? Three names tell: prop_topic.c shows
 * it. */
static inline bool plain_covers(const struct plain *allowed, const struct plain *wanted)
{
    static struct plain name;
    for (size_t extra = 0; extra <= 2; extra++) {
        name.count = 0;
        for (size_t i = 0; i < wanted->count; i++) {
            const struct plain_level *level = &wanted->levels[i];
            bool hash = plain_is(level, "#");
            for (size_t n = hash ? extra : 1; n > 0; n--) {
                if (hash || plain_is(level, "+"))
                    plain_add(&name, PLAIN_FRESH, "", 0);
                else
                    plain_add(&name, PLAIN_TEXT, level->at, level->size);
            }
        }
        if (name.count && !plain_matches(allowed, &name))
            return false;
    }
    return true;
}

#endif
