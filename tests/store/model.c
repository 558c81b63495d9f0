#include "tests/store/model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "registry/text.h"
#include "tests/support/arbitrary.h"

/* In the order of folded names; some differ in case only. */
static const char *const ids[MODEL_DEVICES] = {"0",      "a",      "A",        "gw:1@x", "pump-1",
                                               "Pump-1", "pump-2", "pump-2.b", "Z9"};
static const char *const role_names[MODEL_ROLES] = {DEFAULT_ROLE, "r1", "R1", "sensors", "x"};
static const char *const filters[] = {"a/%u/#", "b/+", "c", "d/%{site}"};

static void must(enum err e)
{
    if (e)
        abort();
}

void model_init(struct model *model, int64_t now)
{
    *model = (struct model){.role_there = {true}};
    struct role *role = &model->roles[0];
    role_init(role, DEFAULT_ROLE);
    role->version = 1;
    role->created = role->changed = now;
    must(rules_set(&role->rules, EFFECT_ALLOW, ACTION_ALL, "devices/%u/#", NULL));
    model->log[model->log_count++] = (struct log_entry){
        .seq = 1, .time = now, .verb = LOG_INIT, .kind = LOG_BULK, .who = MODEL_WHO};
}

void model_clear(struct model *model)
{
    for (size_t i = 0; i < MODEL_DEVICES; i++) {
        if (model->device_there[i])
            device_clear(&model->devices[i]);
        model->device_there[i] = false;
    }
    for (size_t i = 0; i < MODEL_ROLES; i++) {
        if (model->role_there[i])
            role_clear(&model->roles[i]);
        model->role_there[i] = false;
    }
}

void model_copy(struct model *to, const struct model *from)
{
    *to = *from;
    for (size_t i = 0; i < MODEL_DEVICES; i++) {
        if (from->device_there[i])
            must(rules_copy(&to->devices[i].rules, &from->devices[i].rules));
    }
    for (size_t i = 0; i < MODEL_ROLES; i++) {
        if (from->role_there[i])
            must(rules_copy(&to->roles[i].rules, &from->roles[i].rules));
    }
}

struct change change_draw(struct rng *rng, int64_t now)
{
    static const enum change_kind kinds[] = {CHANGE_ADD,  CHANGE_ADD,  CHANGE_PUT,
                                             CHANGE_PUT,  CHANGE_PUT,  CHANGE_REMOVE,
                                             CHANGE_ROLE, CHANGE_ROLE, CHANGE_ROLE_REMOVE};
    struct change change = {.kind = kinds[rng_below(rng, sizeof kinds / sizeof *kinds)],
                            .now = now,
                            .roles =
                                (unsigned)(rng_next(rng) & rng_next(rng)) % (1u << MODEL_ROLES),
                            .state = (enum device_state)rng_below(rng, 3),
                            .effect = (enum effect)rng_below(rng, 2),
                            .filter = rng_below(rng, sizeof filters / sizeof *filters)};
    bool role = change.kind == CHANGE_ROLE || change.kind == CHANGE_ROLE_REMOVE;
    change.slot = rng_below(rng, role ? MODEL_ROLES : MODEL_DEVICES);
    snprintf(change.note, sizeof change.note, "note %llu",
             (unsigned long long)(rng_next(rng) >> 44));
    return change;
}

/* Gives the device what the change says. */
static void device_shape(struct device *device, const struct change *change)
{
    device->role_count = 0;
    for (size_t i = 0; i < MODEL_ROLES; i++) {
        if (change->roles & 1u << i)
            must(device_add_role(device, role_names[i]));
    }
    device->state = change->state;
    must(text_copy(device->note, NOTE_MAX, change->note) ? ERR_OK : ERR_INVALID);
    must(device_set_attribute(device, "site", change->note));
    enum err e =
        rules_set(&device->rules, change->effect, ACTION_ALL, filters[change->filter], NULL);
    must(e == ERR_EXISTS ? ERR_OK : e);
    struct credential *made = device_new_credential(device, CREDENTIAL_KEY, change->now);
    if (!made) {
        device_drop_credential(device, 0);
        made = device_new_credential(device, CREDENTIAL_KEY, change->now);
    }
    must(made ? ERR_OK : ERR_TOO_MANY);
    made->secret_size = strlen(change->note);
    memcpy(made->secret, change->note, made->secret_size);
}

static void role_shape(struct role *role, const struct change *change)
{
    must(text_copy(role->note, NOTE_MAX, change->note) ? ERR_OK : ERR_INVALID);
    enum err e = rules_set(&role->rules, change->effect, ACTION_ALL, filters[change->filter], NULL);
    must(e == ERR_EXISTS ? ERR_OK : e);
}

/* What the log says of a change. */
static enum log_verb verb_of(const struct change *change)
{
    static const enum log_verb verbs[] = {[CHANGE_ADD] = LOG_ADD,
                                          [CHANGE_PUT] = LOG_SET,
                                          [CHANGE_REMOVE] = LOG_REMOVE,
                                          [CHANGE_ROLE] = LOG_RULE,
                                          [CHANGE_ROLE_REMOVE] = LOG_REMOVE};
    return verbs[change->kind];
}

static bool is_role(const struct change *change)
{
    return change->kind == CHANGE_ROLE || change->kind == CHANGE_ROLE_REMOVE;
}

static const char *name_of(const struct change *change)
{
    return is_role(change) ? role_names[change->slot] : ids[change->slot];
}

static void model_log(struct model *model, const struct change *change)
{
    assert(model->log_count < MODEL_LOG_MAX);
    struct log_entry *entry = &model->log[model->log_count++];
    *entry = (struct log_entry){.seq = model->log_count,
                                .time = change->now,
                                .verb = verb_of(change),
                                .kind = is_role(change) ? LOG_ROLE : LOG_DEVICE,
                                .who = MODEL_WHO};
    must(text_copy(entry->subject, DEVICE_ID_MAX, name_of(change)) ? ERR_OK : ERR_INVALID);
    must(text_copy(entry->detail, LOG_DETAIL_MAX, change->note) ? ERR_OK : ERR_INVALID);
}

/* The slot of another name that differs from names[slot] in case only; `count` for none. */
static size_t twin_slot(const char *const *names, size_t count, size_t slot)
{
    size_t twin = 0;
    while (twin < count && (twin == slot || strcasecmp(names[twin], names[slot]) != 0))
        twin++;
    return twin;
}

static bool roles_there(const struct model *model, const struct change *change)
{
    for (size_t i = 0; i < MODEL_ROLES; i++) {
        if (change->roles & 1u << i && !model->role_there[i])
            return false;
    }
    return true;
}

static enum err model_add(struct model *model, const struct change *change)
{
    struct device *device = &model->devices[change->slot];
    size_t twin = twin_slot(ids, MODEL_DEVICES, change->slot);
    if (model->device_there[change->slot])
        return ERR_EXISTS;
    if (twin < MODEL_DEVICES && model->device_there[twin])
        return ERR_TWIN;
    if (!roles_there(model, change))
        return ERR_NOT_FOUND;
    device_init(device, ids[change->slot]);
    device_shape(device, change);
    device->generation = ++model->generation;
    device->version = 1;
    device->created = device->changed = change->now;
    model->device_there[change->slot] = true;
    return ERR_OK;
}

static enum err model_put(struct model *model, const struct change *change)
{
    struct device *device = &model->devices[change->slot];
    if (!model->device_there[change->slot] || !roles_there(model, change))
        return ERR_NOT_FOUND;
    device_shape(device, change);
    device->version++;
    device->changed = change->now;
    return ERR_OK;
}

static enum err model_remove(struct model *model, const struct change *change)
{
    if (!model->device_there[change->slot])
        return ERR_NOT_FOUND;
    device_clear(&model->devices[change->slot]);
    model->device_there[change->slot] = false;
    return ERR_OK;
}

static enum err model_role(struct model *model, const struct change *change)
{
    struct role *role = &model->roles[change->slot];
    size_t twin = twin_slot(role_names, MODEL_ROLES, change->slot);
    if (twin < MODEL_ROLES && model->role_there[twin])
        return ERR_TWIN;
    if (!model->role_there[change->slot]) {
        role_init(role, role_names[change->slot]);
        role->created = change->now;
    }
    role_shape(role, change);
    role->version++;
    role->changed = change->now;
    model->role_there[change->slot] = true;
    return ERR_OK;
}

static uint64_t model_holders(const struct model *model, size_t role)
{
    uint64_t count = 0;
    for (size_t i = 0; i < MODEL_DEVICES; i++) {
        for (size_t r = 0; model->device_there[i] && r < model->devices[i].role_count; r++)
            count += strcmp(model->devices[i].roles[r], role_names[role]) == 0;
    }
    return count;
}

static enum err model_role_remove(struct model *model, const struct change *change)
{
    if (!model->role_there[change->slot])
        return ERR_NOT_FOUND;
    if (model_holders(model, change->slot))
        return ERR_IN_USE;
    role_clear(&model->roles[change->slot]);
    model->role_there[change->slot] = false;
    return ERR_OK;
}

enum err model_apply(struct model *model, const struct change *change)
{
    static enum err (*const apply[])(struct model *, const struct change *) = {
        [CHANGE_ADD] = model_add,
        [CHANGE_PUT] = model_put,
        [CHANGE_REMOVE] = model_remove,
        [CHANGE_ROLE] = model_role,
        [CHANGE_ROLE_REMOVE] = model_role_remove};
    enum err e = apply[change->kind](model, change);
    if (!e)
        model_log(model, change);
    return e;
}

static enum err apply_add(struct registry *registry, const struct change *change)
{
    struct device device;
    device_init(&device, ids[change->slot]);
    device_shape(&device, change);
    enum err e = registry_add_device(registry, &device);
    device_clear(&device);
    return e;
}

static enum err apply_put(struct registry *registry, const struct change *change)
{
    struct device device;
    enum err e = registry_get_device(registry, ids[change->slot], &device);
    if (e)
        return e;
    device_shape(&device, change);
    e = registry_put_device(registry, &device);
    device_clear(&device);
    return e;
}

static enum err apply_remove(struct registry *registry, const struct change *change)
{
    return registry_remove_device(registry, ids[change->slot]);
}

static enum err apply_role(struct registry *registry, const struct change *change)
{
    struct role role;
    enum err e = registry_get_role(registry, role_names[change->slot], &role);
    if (e == ERR_NOT_FOUND)
        role_init(&role, role_names[change->slot]);
    else if (e)
        return e;
    role_shape(&role, change);
    e = registry_put_role(registry, &role);
    role_clear(&role);
    return e;
}

static enum err apply_role_remove(struct registry *registry, const struct change *change)
{
    return registry_remove_role(registry, role_names[change->slot]);
}

enum err registry_apply(struct registry *registry, const struct change *change)
{
    static enum err (*const apply[])(struct registry *, const struct change *) = {
        [CHANGE_ADD] = apply_add,
        [CHANGE_PUT] = apply_put,
        [CHANGE_REMOVE] = apply_remove,
        [CHANGE_ROLE] = apply_role,
        [CHANGE_ROLE_REMOVE] = apply_role_remove};
    enum err e = apply[change->kind](registry, change);
    if (!e)
        registry_log(registry, verb_of(change), is_role(change) ? LOG_ROLE : LOG_DEVICE,
                     name_of(change), change->note);
    return e;
}

static bool device_agrees(const struct model *model, struct registry *registry, size_t slot)
{
    struct device device;
    char twin[DEVICE_ID_MAX + 1] = "";
    enum err error, e = registry_get_device(registry, ids[slot], &device);
    bool there = model->device_there[slot], has = registry_has_device(registry, ids[slot], &error);
    bool agrees = e == (there ? ERR_OK : ERR_NOT_FOUND) && error == e && has == there;
    if (!e) {
        agrees = agrees && device_same(&device, &model->devices[slot]);
        device_clear(&device);
    }
    size_t other = twin_slot(ids, MODEL_DEVICES, slot);
    const char *expected = there                                                 ? ids[slot]
                           : other < MODEL_DEVICES && model->device_there[other] ? ids[other]
                                                                                 : "";
    e = registry_find_twin(registry, ids[slot], twin);
    return agrees && e == (*expected ? ERR_OK : ERR_NOT_FOUND) && strcmp(twin, expected) == 0;
}

static bool role_agrees(const struct model *model, struct registry *registry, size_t slot)
{
    struct role role;
    uint64_t count = 0;
    enum err e = registry_get_role(registry, role_names[slot], &role);
    bool there = model->role_there[slot];
    bool agrees = e == (there ? ERR_OK : ERR_NOT_FOUND);
    if (!e) {
        agrees = agrees && role_same(&role, &model->roles[slot]);
        role_clear(&role);
    }
    if (!there)
        return agrees;
    e = registry_role_holders(registry, role_names[slot], &count);
    return agrees && e == ERR_OK && count == model_holders(model, slot);
}

/* The walk meets the model's devices in the order of the table. */
static bool walk_agrees(const struct model *model, struct registry *registry)
{
    struct device device;
    char after[DEVICE_ID_MAX + 1] = "";
    enum err e;
    for (size_t slot = 0; slot < MODEL_DEVICES; slot++) {
        if (!model->device_there[slot])
            continue;
        e = registry_next_device(registry, after, &device);
        if (e)
            return false;
        bool same = strcmp(device.id, ids[slot]) == 0;
        (void)text_copy(after, DEVICE_ID_MAX, device.id);
        device_clear(&device);
        if (!same)
            return false;
    }
    e = registry_next_device(registry, after, &device);
    if (!e)
        device_clear(&device);
    return e == ERR_NOT_FOUND;
}

static bool log_agrees(const struct model *model, struct registry *registry)
{
    struct log_entry entry;
    uint64_t last = 0;
    for (size_t i = 0; i < model->log_count; i++) {
        if (registry_next_entry(registry, i, &entry) || entry.seq != i + 1 ||
            !entry_same(&entry, &model->log[i]))
            return false;
    }
    return registry_next_entry(registry, model->log_count, &entry) == ERR_NOT_FOUND &&
           registry_last_entry(registry, &last) == ERR_OK && last == model->log_count;
}

static void print_finding(void *context, const char *what, const char *problem)
{
    (void)context;
    printf("check: %s: %s\n", what, problem);
}

static bool check_agrees(const struct model *model, struct registry *registry)
{
    struct registry_check check = {0};
    size_t devices = 0, roles = 0;
    for (size_t i = 0; i < MODEL_DEVICES; i++)
        devices += model->device_there[i];
    for (size_t i = 0; i < MODEL_ROLES; i++)
        roles += model->role_there[i];
    return registry_check(registry, &check, print_finding, NULL) == ERR_OK && check.findings == 0 &&
           check.devices == devices && check.roles == roles && check.entries == model->log_count;
}

bool model_agrees(const struct model *model, struct registry *registry, const char **what)
{
    *what = "a device";
    for (size_t i = 0; i < MODEL_DEVICES; i++) {
        if (!device_agrees(model, registry, i))
            return false;
    }
    *what = "a role";
    for (size_t i = 0; i < MODEL_ROLES; i++) {
        if (!role_agrees(model, registry, i))
            return false;
    }
    *what = "the walk over devices";
    if (!walk_agrees(model, registry))
        return false;
    *what = "the change log";
    if (!log_agrees(model, registry))
        return false;
    *what = "the check";
    return check_agrees(model, registry);
}
