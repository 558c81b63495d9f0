/* presence_check.h - one walk over the presence store, for `devreg check`. */
#ifndef DEVREG_REGISTRY_PRESENCE_CHECK_H
#define DEVREG_REGISTRY_PRESENCE_CHECK_H

#include "registry/presence_feed.h"

/* Calls `report` with one line per finding: what it is about, in readable form, and what is wrong.
 * Counts the records of devices, and the findings. Within one scope, so that what is written
 * meanwhile makes none. */
struct presence_check {
    uint64_t devices, findings;
};
MUST_CHECK enum err
presence_check(struct txn *txn, struct presence_check *result,
               void (*report)(void *context, const char *what, const char *problem), void *context);

#endif
