#include "admin/filter_meet.h"

#include <string.h>

struct level {
    const char *at;
    size_t size;
};

static struct level level_of(const char *at)
{
    return (struct level){at, strcspn(at, "/")};
}

static bool level_is(const struct level *level, const char *text)
{
    return level->size == strlen(text) && memcmp(level->at, text, level->size) == 0;
}

/* Behind what is written so far: `size` bytes of `text`, which fit (FILTER_BOUND_MAX). */
static char *append(char *to, const char *text, size_t size)
{
    memcpy(to, text, size);
    return to + size;
}

void filter_bind(struct bound_filter *out, const char *filter, const char *device)
{
    char *to = out->text;
    for (const char *at = filter;; at++) {
        const struct level level = level_of(at);
        to = level_is(&level, "%u") ? append(to, device, strlen(device))
                                    : append(to, level.at, level.size);
        at += level.size;
        if (!*at)
            break;
        *to++ = '/';
    }
    *to = '\0';
}

static bool is_variable(const struct level *level)
{
    return level_is(level, "%c") || level_is(level, "%u");
}

static bool is_any(const struct level *level)
{
    return level_is(level, "+") || is_variable(level);
}

static bool levels_equal(const struct level *a, const struct level *b)
{
    return a->size == b->size && memcmp(a->at, b->at, a->size) == 0;
}

/* Does the rest of a filter match "no more levels"? */
static bool may_end(const char *rest)
{
    return *rest == '\0' || strcmp(rest, "/#") == 0;
}

/* A wildcard at the first level does not match a level that begins with "$". */
static bool dollar_apart(const char *a, const char *b)
{
    const struct level x = level_of(a), y = level_of(b);
    bool x_wild = is_any(&x) || level_is(&x, "#"), y_wild = is_any(&y) || level_is(&y, "#");
    return (*a == '$' && y_wild) || (*b == '$' && x_wild);
}

bool filter_meet(struct bound_filter *common, const struct bound_filter *a,
                 const struct bound_filter *b)
{
    const char *x = a->text, *y = b->text;
    char *to = common->text;
    if (dollar_apart(x, y))
        return false;
    for (;;) {
        if (*x == '#' || *y == '#') {
            const char *rest = *x == '#' ? y : x;
            append(to, rest, strlen(rest) + 1);
            return true;
        }
        const struct level p = level_of(x), q = level_of(y);
        bool take_q = level_is(&p, "+") || (is_variable(&p) && !level_is(&q, "+"));
        if (!is_any(&p) && !is_any(&q) && !levels_equal(&p, &q))
            return false;
        to = take_q ? append(to, q.at, q.size) : append(to, p.at, p.size);
        x += p.size;
        y += q.size;
        if (!*x || !*y) {
            *to = '\0';
            return may_end(x) && may_end(y);
        }
        *to++ = '/';
        x++;
        y++;
    }
}

bool filter_covers(const struct bound_filter *wide, const struct bound_filter *narrow)
{
    return topic_covers(wide->text, narrow->text);
}
