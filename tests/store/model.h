/* model.h - what a registry should hold, as a plain array, and changes that both are given.
 *
 * A change is drawn from the generator and the number of the step alone, so a replay of the same
 * seed makes the same changes in another process. */
#ifndef DEVREG_TESTS_MODEL_H
#define DEVREG_TESTS_MODEL_H

#include "registry/registry.h"
#include "tests/support/rng.h"

enum { MODEL_DEVICES = 9, MODEL_ROLES = 5, MODEL_LOG_MAX = 4000, MODEL_NOTE = 24 };

#define MODEL_WHO "tester"

enum change_kind { CHANGE_ADD, CHANGE_PUT, CHANGE_REMOVE, CHANGE_ROLE, CHANGE_ROLE_REMOVE };

struct change {
    enum change_kind kind;
    int64_t now;
    size_t slot; /* of the device or role */
    unsigned roles;
    enum device_state state;
    enum effect effect;
    size_t filter;
    char note[MODEL_NOTE];
};

/* Owns memory: end it with model_clear. */
struct model {
    bool device_there[MODEL_DEVICES], role_there[MODEL_ROLES];
    struct device devices[MODEL_DEVICES];
    struct role roles[MODEL_ROLES];
    uint64_t generation;
    size_t log_count;
    struct log_entry log[MODEL_LOG_MAX];
};

/* What registry_create leaves behind. */
void model_init(struct model *model, int64_t now);
void model_clear(struct model *model);
void model_copy(struct model *to, const struct model *from);

struct change change_draw(struct rng *rng, int64_t now);

/* Both make the change with its log entry, or say why not and change nothing. */
enum err model_apply(struct model *model, const struct change *change);
enum err registry_apply(struct registry *registry, const struct change *change);

/* Compares all that a registry tells with the model; in a read scope. On false `what` says where
 * they differ. */
bool model_agrees(const struct model *model, struct registry *registry, const char **what);

#endif
