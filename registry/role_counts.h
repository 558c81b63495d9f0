/* role_counts.h - how many devices hold each role, counted anew. */
#ifndef DEVREG_REGISTRY_ROLE_COUNTS_H
#define DEVREG_REGISTRY_ROLE_COUNTS_H

#include <stddef.h>

#include "registry/device.h"

/* {0} is none yet. In the order of folded names. */
struct role_counts {
    struct role_count {
        char role[ROLE_NAME_MAX + 1]; /* folded */
        uint64_t count;
    } * list;
    size_t used, room;
};

/* One more device; ERR_NO_MEMORY. */
MUST_CHECK enum err role_counts_add(struct role_counts *counts, const struct device *device);

/* 0 for a role that nobody holds. Any spelling. */
uint64_t role_counts_get(const struct role_counts *counts, const char *role);

void role_counts_clear(struct role_counts *counts);

#endif
