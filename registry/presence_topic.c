#include "registry/presence_topic.h"

#include <string.h>

#include "registry/text.h"
#include "registry/topic.h"

static bool is_device(const char *level, size_t size)
{
    return size == 2 && level[0] == '%' && level[1] == 'u';
}

static bool is_attribute(const char *level, size_t size)
{
    return size > 3 && level[0] == '%' && level[1] == '{';
}

bool presence_pattern_valid(const char *pattern)
{
    static const char own[] = "devreg/", free_part[] = "devreg/presence/";
    size_t devices = 0, most = 0;
    if (strncmp(pattern, own, sizeof own - 1) == 0 &&
        strncmp(pattern, free_part, sizeof free_part - 1) != 0)
        return false;
    if (pattern[0] == '$' || !topic_name_valid(pattern) || rule_filter_problem(pattern))
        return false;
    for (const char *level = pattern;; level++) {
        size_t size = strcspn(level, "/");
        bool device = is_device(level, size), attribute = is_attribute(level, size);
        if (!device && !attribute && memchr(level, '%', size))
            return false;
        devices += device;
        most += (device ? DEVICE_ID_MAX : attribute ? ATTRIBUTE_VALUE_MAX : size) + 1;
        level += size;
        if (!*level)
            break;
    }
    return devices == 1 && most - 1 <= PRESENCE_TOPIC_MAX;
}

bool presence_pattern_has_attributes(const char *pattern)
{
    return strstr(pattern, "%{") != NULL;
}

static const char *value_of(const struct subject *subject, const char *level, size_t size,
                            bool first)
{
    char name[ATTRIBUTE_NAME_MAX + 1] = "";
    size_t length = size > 3 && size - 3 <= ATTRIBUTE_NAME_MAX ? size - 3 : 0;
    memcpy(name, level + 2, length);
    const char *value = attribute_find(subject->attributes, subject->attribute_count, name);
    bool fits = value && *value && !strpbrk(value, "/+#") && !(first && *value == '$');
    return fits ? value : "-";
}

/* Adds bytes as far as there is room. */
static size_t put(char topic[static PRESENCE_TOPIC_MAX + 1], size_t used, const char *level,
                  size_t size)
{
    if (size > PRESENCE_TOPIC_MAX - used)
        size = PRESENCE_TOPIC_MAX - used;
    memcpy(topic + used, level, size);
    return used + size;
}

void presence_topic_make(char topic[static PRESENCE_TOPIC_MAX + 1], const char *pattern,
                         const struct subject *subject)
{
    size_t used = 0;
    const char *rest = pattern;
    for (const char *level; (level = strchr(rest, '%'));) { /* each begins a variable */
        size_t size = strcspn(level, "/");
        const char *value = is_device(level, size)
                                ? subject->device
                                : value_of(subject, level, size, level == pattern);
        used = put(topic, used, rest, (size_t)(level - rest));
        used = put(topic, used, value, strlen(value));
        rest = level + size;
    }
    used = put(topic, used, rest, strlen(rest));
    topic[used] = '\0';
}

const struct pattern *patterns_current(const struct patterns *patterns)
{
    return patterns->count ? &patterns->items[patterns->count - 1] : NULL;
}

const char *patterns_text(const struct patterns *patterns, uint32_t number)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (patterns->items[i].number == number)
            return patterns->items[i].text;
    }
    return NULL;
}

void patterns_use(struct patterns *patterns, const char *text)
{
    const struct pattern *current = patterns_current(patterns);
    const uint32_t number = current ? current->number + 1 : 1;
    if (current && strcmp(current->text, text) == 0)
        return;
    if (patterns->count == PATTERNS_MAX)
        memmove(&patterns->items[0], &patterns->items[1],
                --patterns->count * sizeof *patterns->items);
    struct pattern *added = &patterns->items[patterns->count++];
    added->number = number;
    (void)text_copy(added->text, PRESENCE_PATTERN_MAX, text);
}

void patterns_settle(struct patterns *patterns)
{
    if (patterns->count > 1)
        patterns->items[0] = *patterns_current(patterns);
    patterns->count = patterns->count > 0;
}
