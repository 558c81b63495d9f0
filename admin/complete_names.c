#include "admin/complete_names.h"

#include <string.h>

#include "registry/text.h"

enum { NAME_MAX_SIZE = DEVICE_ID_MAX + 1 };
_Static_assert(ROLE_NAME_MAX <= DEVICE_ID_MAX, "a role's name fits, too");

struct walk {
    struct registry *registry;
    enum names names;
    void (*offer)(void *context, const char *name, const char *note);
    void *context;
    char name[NAME_MAX_SIZE], note[NOTE_MAX + 1]; /* of the one that was found last */
};

static enum err take_device(struct walk *walk, enum err e, struct device *device)
{
    if (e)
        return e;
    (void)text_copy(walk->name, DEVICE_ID_MAX, device->id);
    (void)text_copy(walk->note, NOTE_MAX, device->note);
    device_clear(device);
    return ERR_OK;
}

static enum err take_role(struct walk *walk, enum err e, struct role *role)
{
    if (e)
        return e;
    (void)text_copy(walk->name, DEVICE_ID_MAX, role->name);
    (void)text_copy(walk->note, NOTE_MAX, role->note);
    role_clear(role);
    return ERR_OK;
}

static enum err find_exactly(struct walk *walk, const char *name)
{
    struct device device;
    struct role role;
    if (walk->names == NAMES_ROLES)
        return take_role(walk, registry_get_role(walk->registry, name, &role), &role);
    return take_device(walk, registry_get_device(walk->registry, name, &device), &device);
}

/* What is damaged is passed over; `check` tells of it. */
static enum err find_next(struct walk *walk, const char *after)
{
    struct device device;
    struct role role;
    char from[NAME_MAX_SIZE];
    enum err e = text_copy(from, DEVICE_ID_MAX, after) ? ERR_DAMAGED : ERR_NOT_FOUND;
    while (e == ERR_DAMAGED && walk->names == NAMES_DEVICES) {
        e = registry_next_device(walk->registry, from, &device);
        if (e == ERR_DAMAGED)
            (void)text_copy(from, DEVICE_ID_MAX, device.id);
        e = take_device(walk, e, &device);
    }
    while (e == ERR_DAMAGED) {
        e = registry_next_role(walk->registry, from, &role);
        if (e == ERR_DAMAGED)
            (void)text_copy(from, ROLE_NAME_MAX, role.name);
        e = take_role(walk, e, &role);
    }
    return e;
}

static bool folded_begins(const char *name, const char *prefix)
{
    while (*prefix && text_fold(*name) == text_fold(*prefix)) {
        name++;
        prefix++;
    }
    return !*prefix;
}

/* The next one behind `after` that begins with `prefix`. Some in between may differ from it in
 * case; not many, or somebody waits. */
static bool find_in(struct walk *walk, const char *prefix, const char *after)
{
    size_t length = strlen(prefix);
    char from[NAME_MAX_SIZE];
    if (!text_copy(from, DEVICE_ID_MAX, after))
        return false;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (find_next(walk, from) != ERR_OK || !folded_begins(walk->name, prefix))
            return false;
        if (strncmp(walk->name, prefix, length) == 0)
            return true;
        (void)text_copy(from, DEVICE_ID_MAX, walk->name);
    }
    return false;
}

/* Offers all, or none where they are too many: then, false. */
static bool offer_all(struct walk *walk, const char *prefix, bool count_only)
{
    size_t count = *prefix && find_exactly(walk, prefix) == ERR_OK;
    if (count && !count_only)
        walk->offer(walk->context, walk->name, walk->note);
    char after[NAME_MAX_SIZE];
    if (!text_copy(after, DEVICE_ID_MAX, prefix))
        return true;
    while (find_in(walk, prefix, after)) {
        if (++count > NAMES_MAX)
            return false;
        if (!count_only)
            walk->offer(walk->context, walk->name, walk->note);
        (void)text_copy(after, DEVICE_ID_MAX, walk->name);
    }
    return true;
}

/* "pump-1" of "pump-17" and "pump-"; `past` is behind all that begin with it. False at the end of
 * what fits. */
static bool next_branch(const char *name, size_t length, char branch[static NAME_MAX_SIZE],
                        char past[static NAME_MAX_SIZE])
{
    if (length + 2 > DEVICE_ID_MAX)
        return false;
    memcpy(branch, name, length + 1);
    branch[length + 1] = '\0';
    memcpy(past, branch, length + 1);
    memcpy(past + length + 1, "\x7f", 2); /* above all that may stand in a name */
    return true;
}

/* `prefix` grows while all that begin with it go on alike. True where a name ends there. */
static bool grow(struct walk *walk, char prefix[static NAME_MAX_SIZE])
{
    char branch[NAME_MAX_SIZE], past[NAME_MAX_SIZE];
    while (find_exactly(walk, prefix) != ERR_OK) {
        size_t length = strlen(prefix);
        if (!find_in(walk, prefix, prefix) || !next_branch(walk->name, length, branch, past) ||
            find_in(walk, prefix, past))
            return false;
        memcpy(prefix, branch, sizeof branch);
    }
    return true;
}

/* Where there is but one it is offered whole. */
static void offer_branch(struct walk *walk, char branch[static NAME_MAX_SIZE])
{
    char only[NAME_MAX_SIZE];
    bool ends = grow(walk, branch);
    memcpy(only, walk->name, sizeof only);
    if (ends && !find_in(walk, branch, branch) && find_exactly(walk, only) == ERR_OK)
        walk->offer(walk->context, walk->name, walk->note);
    else
        walk->offer(walk->context, branch, NULL);
}

/* How the names go on that begin with `prefix`, which grows. */
static void offer_branches(struct walk *walk, char prefix[static NAME_MAX_SIZE])
{
    char branch[NAME_MAX_SIZE], past[NAME_MAX_SIZE];
    if (grow(walk, prefix))
        walk->offer(walk->context, walk->name, walk->note);
    size_t length = strlen(prefix);
    memcpy(past, prefix, length + 1);
    while (find_in(walk, prefix, past) && next_branch(walk->name, length, branch, past))
        offer_branch(walk, branch);
}

void names_complete(struct registry *registry, enum names names, const char *prefix,
                    void (*offer)(void *context, const char *name, const char *note), void *context)
{
    struct walk walk = {.registry = registry, .names = names, .offer = offer, .context = context};
    char begun[NAME_MAX_SIZE];
    if (!text_copy(begun, DEVICE_ID_MAX, prefix))
        return;
    if (offer_all(&walk, begun, true))
        (void)offer_all(&walk, begun, false);
    else
        offer_branches(&walk, begun);
}
