/* fleet.h - devices in a registry, and what `devreg` does to them.
 *
 * What the registry holds of a device is noted beside, without a pointer, so that it may lie in
 * memory that outlives the process that did it.
 */
#ifndef DEVREG_TESTS_FLEET_H
#define DEVREG_TESTS_FLEET_H

#include "registry/key.h"
#include "registry/registry.h"
#include "tests/support/presence_model.h"
#include "tests/support/rng.h"

enum {
    FLEET_DEVICES = 10,
    FLEET_ID_MAX = 8,
    FLEET_VALUE_MAX = 8,
    FLEET_USED = 256 /* credential ids that are noted */
};

struct fleet_key {
    uint32_t id, ended_by;
    uint32_t was_ended_by; /* before the latest change, which the plugin may not have read yet */
    int64_t expires;
    char text[KEY_TEXT_SIZE + 1];
};

struct fleet_device {
    char id[FLEET_ID_MAX];
    bool there;
    uint64_t generation;
    enum device_state state;
    int64_t expires;
    size_t key_count;
    struct fleet_key keys[CREDENTIALS_MAX];
    bool used[FLEET_USED]; /* a connection came with it that was in */
    bool has_site;
    char site[FLEET_VALUE_MAX]; /* the attribute */
};

struct fleet {
    struct fleet_device devices[FLEET_DEVICES];
};

/* d0, d1, ..., none of which is there. */
void fleet_init(struct fleet *fleet);

/* Draws one change of the device and makes it: one commit. What it was, for people. */
const char *fleet_change(struct fleet *fleet, struct registry *registry, struct rng *rng, size_t at,
                         int64_t now);

/* A connection that is in came with that credential. */
void fleet_use(struct fleet_device *device, uint32_t credential);

/* Does the first use of that other one end it? */
bool fleet_ended_by(const struct fleet_device *device, uint32_t credential, uint32_t other);

/* Why a connection that was let in with that has to go: 1 << MODEL_DISABLED and the like, all of
 * them; 0 where it has not. Of a device that was removed 1 << MODEL_UNTOLD: nothing is told of it.
 */
unsigned fleet_why(const struct fleet_device *device, uint64_t generation, uint32_t credential,
                   int64_t now);

/* The topic of the device's message under a pattern with %u and %{site}. */
void fleet_topic(const struct fleet_device *device, const char *pattern, char *topic, size_t size);

#endif
