/* samples.h - topics to ask about: what the filters of a file match, alone and two at a time. */
#ifndef DEVREG_TESTS_SAMPLES_H
#define DEVREG_TESTS_SAMPLES_H

#include "tests/fuzz/plain_topic.h"

enum { SAMPLES_MAX = 400, SAMPLE_FILTERS = 10, SAMPLE_SIZE = 1024 };

struct samples {
    size_t count;
    char text[SAMPLES_MAX][SAMPLE_SIZE];
};

/* Appends a level; too long a sample is cut, which does no harm. */
static inline void sample_level(char *to, const char *at, size_t size)
{
    size_t used = strlen(to);
    if (used + size + 2 < SAMPLE_SIZE)
        (void)snprintf(to + used, SAMPLE_SIZE - used, "%s%.*s", used ? "/" : "", (int)size, at);
}

static inline void sample_add(struct samples *samples, const char *text)
{
    bool there = !*text || samples->count == SAMPLES_MAX;
    for (size_t i = 0; i < samples->count && !there; i++)
        there = strcmp(samples->text[i], text) == 0;
    if (!there)
        strcpy(samples->text[samples->count++], text);
}

/* What both match, if anything; a filter too. Levels of one take the place of wildcards of the
 * other. */
static inline void samples_meet(char *to, const char *a, const char *b)
{
    static struct plain x, y;
    plain_split(&x, a);
    plain_split(&y, b);
    *to = '\0';
    for (size_t i = 0; i < x.count || i < y.count; i++) {
        bool x_rest = x.count && plain_is(&x.levels[x.count - 1], "#") && i + 1 >= x.count;
        const struct plain_level *level = i < x.count ? &x.levels[i] : &y.levels[i];
        if (i < y.count && (x_rest || plain_is(level, "+")))
            level = &y.levels[i];
        sample_level(to, level->at, level->size);
    }
}

/* The filter, and names that it matches: "+" as `plus`, "#" as nothing, as `plus`, and as more. */
static inline void samples_of(struct samples *samples, const char *filter, const char *plus)
{
    static struct plain plain;
    char text[SAMPLE_SIZE];
    if (strlen(filter) >= SAMPLE_SIZE)
        return;
    plain_split(&plain, filter);
    for (int more = 0; more < 3; more++) {
        *text = '\0';
        for (size_t i = 0; i < plain.count; i++) {
            const struct plain_level *level = &plain.levels[i];
            if (plain_is(level, "#")) {
                for (int n = 0; n < more; n++)
                    sample_level(text, plus, strlen(plus));
            } else if (plain_is(level, "+")) {
                sample_level(text, plus, strlen(plus));
            } else {
                sample_level(text, level->at, level->size);
            }
        }
        sample_add(samples, text);
    }
}

/* All of that for the filters, with what stands for %u and %c in them. */
static inline void samples_make(struct samples *samples, char *const *filters, size_t count,
                                const char *device, const char *client)
{
    static char bound[SAMPLE_FILTERS][SAMPLE_SIZE];
    static struct plain plain;
    char both[SAMPLE_SIZE];
    count = count < SAMPLE_FILTERS ? count : SAMPLE_FILTERS;
    samples->count = 0;
    for (size_t i = 0; i < count; i++) {
        bound[i][0] = '\0';
        plain_split(&plain, filters[i]);
        for (size_t l = 0; l < plain.count; l++) {
            const struct plain_level *level = &plain.levels[l];
            const char *value = plain_is(level, "%u")   ? device
                                : plain_is(level, "%c") ? client
                                                        : NULL;
            sample_level(bound[i], value ? value : level->at, value ? strlen(value) : level->size);
        }
        samples_of(samples, bound[i], "x");
    }
    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b < count; b++) {
            samples_meet(both, bound[a], bound[b]);
            samples_of(samples, both, "x");
            samples_of(samples, both, "y");
        }
    }
}

#endif
