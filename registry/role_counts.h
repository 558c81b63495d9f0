/* role_counts.h - numbers of holders by role, in memory: sorted by name. */
#ifndef DEVREG_REGISTRY_ROLE_COUNTS_H
#define DEVREG_REGISTRY_ROLE_COUNTS_H

#include <stddef.h>

#include "registry/device.h"

struct role_count {
    char role[ROLE_NAME_MAX + 1];
    int64_t count;
};

/* {0} is none yet. */
struct role_counts {
    struct role_count *list;
    size_t used, room;
};

/* The role's, by that very spelling; NULL where it is not among them. Lends until the next insert.
 */
struct role_count *role_counts_find(const struct role_counts *counts, const char *role);

/* Adds a role that is not among them, with 0. NULL for want of memory. Lends likewise. */
struct role_count *role_counts_insert(struct role_counts *counts, const char *role);

/* Counts holders by folded names: one more device; ERR_NO_MEMORY. */
MUST_CHECK enum err role_counts_add(struct role_counts *counts, const struct device *device);

/* What was counted so: 0 for a role that nobody holds. Any spelling. */
uint64_t role_counts_get(const struct role_counts *counts, const char *role);

void role_counts_clear(struct role_counts *counts);

#endif
