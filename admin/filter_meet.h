/* filter_meet.h - what two rules' filters have in common.
 *
 * Filters here are those of rules whose "%u" was replaced (filter_bind). "%c", of which nobody
 * knows what it will be, may be any one level: so a common part is never overlooked, and may be
 * told where there is none in fact.
 */
#ifndef DEVREG_ADMIN_FILTER_MEET_H
#define DEVREG_ADMIN_FILTER_MEET_H

#include <stdbool.h>

#include "registry/device.h"
#include "registry/topic.h"

/* Each level is a device's id, or text of one of two filters. */
enum { FILTER_BOUND_MAX = TOPIC_LEVELS_MAX * (DEVICE_ID_MAX + 1) + 2 * RULE_FILTER_MAX };

/* A filter with what stands for "%u" in it. */
struct bound_filter {
    char text[FILTER_BOUND_MAX + 1];
};

/* `filter` is one that rule_filter_problem passes. `device`: FILTER_ANYBODY where it may be any. */
#define FILTER_ANYBODY "%u"
void filter_bind(struct bound_filter *out, const char *filter, const char *device);

/* Is there a topic name that both match? Then `common` is a filter that matches all of them. */
bool filter_meet(struct bound_filter *common, const struct bound_filter *a,
                 const struct bound_filter *b);

/* Does `wide` match whatever `narrow` matches? */
bool filter_covers(const struct bound_filter *wide, const struct bound_filter *narrow);

#endif
