/* fuzz_topic.c - topic names and filters: three lines, each of which is taken for either.
 *
 * Are they valid, does one match the other, does it cover it? The oracle is plain_topic.h. */
#include "registry/topic.h"
#include "tests/fuzz/plain_topic.h"

static size_t levels_of(const char *text)
{
    size_t levels = 1;
    for (; *text; text++)
        levels += *text == '/';
    return levels;
}

static void check_valid(const char *text)
{
    bool name = *text && !strpbrk(text, "+#") && levels_of(text) <= TOPIC_LEVELS_MAX;
    HOLDS(topic_name_valid(text) == name);
    HOLDS(topic_name_length(text) == (name ? strlen(text) : 0));
    HOLDS(topic_filter_valid(text) == plain_filter_valid(text));
}

/* "$share/group/filter" asks for the filter; without a group, or with a wildcard in it, for
 * nothing. */
static void check_subscription(const char *text)
{
    const char *filter = text;
    if (strncmp(text, "$share/", 7) == 0) {
        const char *group = text + 7, *end = strchr(group, '/');
        bool good = end && end > group && !memchr(group, '+', (size_t)(end - group)) &&
                    !memchr(group, '#', (size_t)(end - group));
        filter = good ? end + 1 : NULL;
    }
    if (filter && (!plain_filter_valid(filter) || levels_of(filter) > TOPIC_LEVELS_MAX))
        filter = NULL;
    HOLDS(topic_of_subscription(text) == filter);
}

static void check_pair(const char *filter, const char *other)
{
    static struct plain plain_filter, plain_other;
    if (!topic_filter_valid(filter) || !topic_filter_valid(other))
        return;
    plain_split(&plain_filter, filter);
    plain_split(&plain_other, other);
    HOLDS(topic_covers(filter, other) == plain_covers(&plain_filter, &plain_other));
    if (!topic_name_valid(other))
        return;
    HOLDS(topic_matches(filter, other) == plain_matches(&plain_filter, &plain_other));
    HOLDS(topic_matches(filter, other) == topic_covers(filter, other));
}

/* What is covered by what is covered is covered. */
static void check_three(const char *a, const char *b, const char *c)
{
    if (!topic_filter_valid(a) || !topic_filter_valid(b) || !topic_filter_valid(c))
        return;
    HOLDS(topic_covers(a, a));
    HOLDS(!topic_covers(a, b) || !topic_covers(b, c) || topic_covers(a, c));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *lines[3];
    if (size > FUZZ_INPUT_MAX)
        return 0;
    for (size_t i = 0; i < 3; i++) {
        lines[i] = input_line(&input);
        check_valid(lines[i]);
        check_subscription(lines[i]);
    }
    for (size_t a = 0; a < 3; a++) {
        for (size_t b = 0; b < 3; b++)
            check_pair(lines[a], lines[b]);
        check_three(lines[a], lines[(a + 1) % 3], lines[(a + 2) % 3]);
    }
    for (size_t i = 0; i < 3; i++)
        free(lines[i]);
    return 0;
}
