/* world.h - devices and roles as they should be, and random changes, as `devreg` makes them.
 *
 *   change_draw     draws a change and makes it in the world: plain memory, no registry
 *   change_store    makes the same change in a registry: one transaction, one log entry, one commit
 *
 * A change depends on the generator and the world alone, so that two processes with the same seed
 * go through the same states.
 */
#ifndef DEVREG_TESTS_WORLD_H
#define DEVREG_TESTS_WORLD_H

#include "registry/key.h"
#include "registry/registry.h"
#include "tests/support/rng.h"

enum {
    WORLD_DEVICES = 40,
    WORLD_ROLES = 6,
    WORLD_KEYS = 32,
    WORLD_TOPIC_MAX = 64,
    CHANGE_PUTS = 8,
    CHANGE_HEAP = 1001 /* entries: more than the plugin follows one by one */
};

/* All keys there are: a credential's secret is here the number of one. Make them before a fork. */
struct world_keys {
    char text[WORLD_KEYS][KEY_TEXT_SIZE + 1];
};

/* End it with world_clear. */
struct world {
    size_t device_count; /* that may exist: d0, d1, ... */
    bool timeless;       /* nothing ends by itself or by the use of another key */
    uint64_t generation; /* the last one given out */
    int64_t now;
    bool device_there[WORLD_DEVICES], role_there[WORLD_ROLES];
    struct device devices[WORLD_DEVICES];
    struct role roles[WORLD_ROLES]; /* r0, r1, ...; r0 is the one for clients without a username */
};

enum change_what { CHANGE_ADD, CHANGE_PUT, CHANGE_REMOVE };

/* What one commit holds. */
struct change {
    enum log_verb verb;
    enum log_kind kind;
    char subject[DEVICE_ID_MAX + 1];
    size_t heap; /* so many entries more */
    size_t count;
    struct {
        enum change_what what;
        bool role;
        size_t at;
    } puts[CHANGE_PUTS];
};

void world_keys_make(struct world_keys *keys);

/* Nothing but the role r0. */
void world_init(struct world *world, size_t device_count, int64_t now);
void world_clear(struct world *world);
/* `to` holds nothing before, or is {0}. */
void world_copy(struct world *to, const struct world *from);

/* `bulk`: also changes that name no device, and heaps of entries. */
void change_draw(struct rng *rng, struct world *world, bool bulk, struct change *change);

/* After change_draw. False where the registry does not take it as the world did. */
MUST_CHECK bool change_store(struct registry *registry, const struct world *world,
                             const struct world_keys *keys, const struct change *change);

/* The world's first records: a registry that registry_create made gets the role r0. */
MUST_CHECK bool world_store(struct registry *registry, const struct world *world);

/* What is asked about: a name, or for `filter` what a SUBSCRIBE may ask for. */
void topic_draw(struct rng *rng, char topic[static WORLD_TOPIC_MAX], bool filter);

/* "d7": the name of a device, "r2" of a role. */
void world_name(char name[static DEVICE_ID_MAX + 1], char letter, size_t at);
/* WORLD_DEVICES for a name that is none. */
size_t world_place(const char *name);

#endif
