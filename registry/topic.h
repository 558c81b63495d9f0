/* topic.h - MQTT topic names and topic filters (MQTT 5, section 4.7).
 *
 * A name says where a message goes: "a/b". A filter says which names are wanted: "a/+", "a/#".
 * Two questions look alike and are not:
 *
 *   topic_matches("a/+", "a/b")   does the filter match this name?
 *   topic_covers("a/+", "a/#")    does it match every name that the other filter matches? (no)
 *
 * A subscription has to be covered. Were it matched, "#" would be read as one plain level and
 * the rule "a/+" would admit a subscription to "a/#".
 */
#ifndef DEVREG_REGISTRY_TOPIC_H
#define DEVREG_REGISTRY_TOPIC_H

#include <stdbool.h>
#include <stddef.h>

enum { TOPIC_MAX = 65535, TOPIC_LEVELS_MAX = 200 /* Mosquitto takes 201 */ };

/* The length of a topic name: 1 to TOPIC_MAX bytes in at most TOPIC_LEVELS_MAX levels, no wildcard.
 * 0 where it is none. UTF-8 is the broker's to check. */
size_t topic_name_length(const char *name);
bool topic_name_valid(const char *name);

/* Is it a topic filter: 1 to TOPIC_MAX bytes, "+" only as a whole level and "#" only as the
 * last one? */
bool topic_filter_valid(const char *filter);

/* Does the valid `filter` match the valid `name`? A wildcard at the first level does not match
 * a level that begins with "$" (section 4.7.2). */
bool topic_matches(const char *filter, const char *name);

/* Does the valid filter `allowed` match every name that the valid filter `wanted` matches? */
bool topic_covers(const char *allowed, const char *wanted);

/* The filter that a SUBSCRIBE really asks for: of "$share/<group>/<filter>" (section 4.8.2) the
 * part after the group, of every other its whole. Lends a part of `subscription`; NULL where it
 * is no valid subscription, or has more than TOPIC_LEVELS_MAX levels. */
const char *topic_of_subscription(const char *subscription);

#endif
