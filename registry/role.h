/* role.h - a name and rules, which many devices share. */
#ifndef DEVREG_REGISTRY_ROLE_H
#define DEVREG_REGISTRY_ROLE_H

#include "registry/device.h"

/* Owns the memory of `rules`: begin with role_init, end with role_clear. */
struct role {
    char name[ROLE_NAME_MAX + 1];
    char note[NOTE_MAX + 1];
    uint64_t version; /* 1 and up, one more with each change */
    int64_t created, changed;
    struct rules rules;
    struct limits limits;
};

/* An empty role of that valid name. */
void role_init(struct role *role, const char *name);
void role_clear(struct role *role);

#endif
