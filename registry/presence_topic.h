/* presence_topic.h - where a device's presence is published.
 *
 * The operator chooses a pattern: a topic name with "%u", the device, as one whole level, and any
 * number of "%{attribute}". A message stays on its topic until it is cleared, so the store numbers
 * the patterns that were in use, and a record says under which one its message stands.
 */
#ifndef DEVREG_REGISTRY_PRESENCE_TOPIC_H
#define DEVREG_REGISTRY_PRESENCE_TOPIC_H

#include "registry/policy.h"

#define PRESENCE_PATTERN "devreg/presence/%u" /* where none is chosen */

/* Bytes of a topic; of a pattern, which also fits a rule's filter; patterns that are remembered. */
enum { PRESENCE_TOPIC_MAX = 510, PRESENCE_PATTERN_MAX = RULE_FILTER_MAX, PATTERNS_MAX = 8 };

/* Is it a pattern, whose topics stay within PRESENCE_TOPIC_MAX whatever the values are? Below
 * devreg/ only devreg/presence/ is free: there are a summary and events beside. */
bool presence_pattern_valid(const char *pattern);

/* Does the topic of a device depend on more than its id? */
bool presence_pattern_has_attributes(const char *pattern);

/* The topic of that device. A value that can be no level of it (none, empty, one with / + #, one
 * with a leading $ at the first level) becomes "-". */
void presence_topic_make(char topic[static PRESENCE_TOPIC_MAX + 1], const char *pattern,
                         const struct subject *subject);

/* The patterns that messages may stand under, oldest first; the last is the one in use. "" is none:
 * presence was off. */
struct patterns {
    size_t count;
    struct pattern {
        uint32_t number; /* 1 and up */
        char text[PRESENCE_PATTERN_MAX + 1];
    } items[PATTERNS_MAX];
};

/* The one in use; the text of a number. NULL for none. Lend. */
const struct pattern *patterns_current(const struct patterns *patterns);
const char *patterns_text(const struct patterns *patterns, uint32_t number);

/* Makes `text` the one in use; where there are too many, the oldest is forgotten. */
void patterns_use(struct patterns *patterns, const char *text);

/* Keeps only the one in use. */
void patterns_settle(struct patterns *patterns);

#endif
