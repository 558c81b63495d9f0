#include "registry/topic.h"

#include <string.h>

static bool too_many_levels(const char *topic, size_t length)
{
    size_t levels = 1;
    if (length < TOPIC_LEVELS_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        levels += topic[i] == '/';
    return levels > TOPIC_LEVELS_MAX;
}

size_t topic_name_length(const char *name)
{
    size_t length = strlen(name);
    bool wildcard = memchr(name, '+', length) || memchr(name, '#', length);
    return wildcard || length > TOPIC_MAX || too_many_levels(name, length) ? 0 : length;
}

bool topic_name_valid(const char *name)
{
    return topic_name_length(name) > 0;
}

bool topic_filter_valid(const char *filter)
{
    size_t length = strnlen(filter, TOPIC_MAX + 1);
    if (length < 1 || length > TOPIC_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (filter[i] != '+' && filter[i] != '#')
            continue;
        bool starts_level = i == 0 || filter[i - 1] == '/';
        bool ends_level = i + 1 == length || (filter[i] == '+' && filter[i + 1] == '/');
        if (!starts_level || !ends_level)
            return false;
    }
    return true;
}

/* The byte after a level: '/' or NUL. */
static const char *level_end(const char *level)
{
    return level + strcspn(level, "/");
}

static bool level_is(const char *level, char wildcard)
{
    return level[0] == wildcard;
}

static bool same_level(const char *a, const char *a_end, const char *b, const char *b_end)
{
    return a_end - a == b_end - b && memcmp(a, b, (size_t)(a_end - a)) == 0;
}

/* Walks both level by level. The levels of a name are plain, so for a name this is "matches";
 * in a wanted filter "+" is only met by "+" and "#", and "#" only by "#". */
static bool covers_from(const char *allowed, const char *wanted)
{
    for (;;) {
        if (level_is(allowed, '#'))
            return true;
        if (level_is(wanted, '#'))
            return false;
        const char *a_end = level_end(allowed), *w_end = level_end(wanted);
        if (!level_is(allowed, '+') && !same_level(allowed, a_end, wanted, w_end))
            return false;
        if (!*w_end)
            return !*a_end || strcmp(a_end, "/#") == 0;
        if (!*a_end)
            return false;
        allowed = a_end + 1;
        wanted = w_end + 1;
    }
}

bool topic_covers(const char *allowed, const char *wanted)
{
    bool wildcard_first = level_is(allowed, '+') || level_is(allowed, '#');
    if (wildcard_first && wanted[0] == '$')
        return false;
    /* A name has at least one level, so "+/#" matches whatever "#" does. */
    if (strcmp(wanted, "#") == 0 && strcmp(allowed, "+/#") == 0)
        return true;
    return covers_from(allowed, wanted);
}

bool topic_matches(const char *filter, const char *name)
{
    return topic_covers(filter, name);
}

const char *topic_of_subscription(const char *subscription)
{
    static const char share[] = "$share/";
    const char *filter = subscription;
    if (strncmp(subscription, share, sizeof share - 1) == 0) {
        const char *group = subscription + sizeof share - 1;
        size_t length = strcspn(group, "/+#");
        if (length == 0 || group[length] != '/')
            return NULL;
        filter = group + length + 1;
    }
    bool valid = topic_filter_valid(filter) && !too_many_levels(filter, strlen(filter));
    return valid ? filter : NULL;
}
