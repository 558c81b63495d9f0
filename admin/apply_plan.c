#include "admin/apply_plan.h"

#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/lookup.h"
#include "registry/text.h"

/* What is being compared. */
struct walk {
    struct call *call;
    struct apply_plan *plan;
    struct import_file *import;
    bool prune;
};

static void note(struct walk *walk, struct apply_changes *changes, const char *name,
                 struct apply_change change)
{
    if (changes->count == changes->room) {
        changes->room = changes->room ? 2 * changes->room : 64;
        void *items = realloc(changes->items, changes->room * sizeof *changes->items);
        if (!items)
            memory_out();
        changes->items = items;
    }
    change.name = records_add_name(&walk->plan->names, name);
    changes->items[changes->count++] = change;
    changes->counts[change.kind]++;
}

static void note_add(struct walk *walk, struct apply_changes *changes, const char *name,
                     const struct record *record)
{
    note(walk, changes, name, (struct apply_change){.record = record, .kind = CHANGE_ADD});
}

/* What is in both. */
static void note_edit(struct walk *walk, struct apply_changes *changes, const char *name,
                      const struct record *record, unsigned fields)
{
    if (fields)
        note(walk, changes, name,
             (struct apply_change){
                 .record = record, .fields = (uint16_t)fields, .kind = CHANGE_EDIT});
    else
        changes->unchanged++;
}

/* What is in the registry alone. */
static void note_gone(struct walk *walk, struct apply_changes *changes, const char *name)
{
    if (walk->prune)
        note(walk, changes, name, (struct apply_change){.kind = CHANGE_REMOVE});
    else
        changes->left++;
}

/* The same name, in the same letters? */
static bool is_named(const struct record *record, const char *name)
{
    char own[DEVICE_ID_MAX + 1];
    record_name(record, own);
    return strcmp(own, name) == 0;
}

static enum err role_both(struct walk *walk, const struct record *record, const struct role *there)
{
    struct role role;
    if (!is_named(record, there->name)) {
        import_reject(walk->import, record->line,
                      "it differs only in case from the role @%s, which is there: call it so",
                      there->name);
        return ERR_OK;
    }
    enum err e = record_role(record, &role);
    if (e)
        return e;
    note_edit(walk, &walk->plan->roles, role.name, record, role_diff(there, &role));
    role_clear(&role);
    return ERR_OK;
}

static void role_new(struct walk *walk, const struct record *record)
{
    char name[DEVICE_ID_MAX + 1];
    record_name(record, name);
    note_add(walk, &walk->plan->roles, name, record);
}

/* `there` is the registry's next role; `*at` the file's. */
static enum err role_meet(struct walk *walk, const struct role *there, size_t *at)
{
    const struct records *file = &walk->import->roles;
    int order = 1;
    while (*at < file->count &&
           (order = record_name_order(file->items[*at].record, there->name)) < 0)
        role_new(walk, file->items[(*at)++].record);
    if (*at < file->count && order == 0)
        return role_both(walk, file->items[(*at)++].record, there);
    note_gone(walk, &walk->plan->roles, there->name);
    if (!walk->prune)
        (void)records_add_name(&walk->plan->known, there->name);
    return ERR_OK;
}

static enum status roles_compare(struct walk *walk)
{
    const struct records *file = &walk->import->roles;
    char after[ROLE_NAME_MAX + 1] = "";
    struct role there;
    size_t at = 0;
    enum err e;
    while (!(e = registry_next_role(walk->call->registry, after, &there))) {
        (void)text_copy(after, ROLE_NAME_MAX, there.name); /* a name fits */
        e = role_meet(walk, &there, &at);
        role_clear(&there);
        if (e)
            return complain_err(walk->call, e);
    }
    if (e != ERR_NOT_FOUND)
        return role_error(walk->call, e, e == ERR_DAMAGED ? there.name : "");
    while (at < file->count)
        role_new(walk, file->items[at++].record);
    records_sort(&walk->plan->known);
    return STATUS_DONE;
}

static bool role_known(const struct walk *walk, const char *name)
{
    const struct record *record = records_find(&walk->import->roles, name);
    if (!record)
        record = records_find(&walk->plan->known, name);
    return record && is_named(record, name);
}

/* Are there all roles that the device is to hold? */
static bool roles_known(struct walk *walk, const struct record *record, const struct device *device)
{
    for (size_t i = 0; i < device->role_count; i++) {
        if (role_known(walk, device->roles[i]))
            continue;
        import_reject(walk->import, record->line,
                      walk->prune ? "%s: there is no role @%s in the file, and --prune leaves no "
                                    "other: add its line"
                                  : "%s: there is no role @%s, here or in the registry",
                      device->id, device->roles[i]);
        return false;
    }
    return true;
}

static void device_new(struct walk *walk, const struct record *record, const struct device *device)
{
    if (!roles_known(walk, record, device))
        return;
    note_add(walk, &walk->plan->devices, device->id, record);
    if (!device->credential_count && device->state != DEVICE_REVOKED)
        walk->plan->keyless++;
}

static void device_twin(struct walk *walk, const struct record *record, const struct device *device,
                        const struct device *there)
{
    if (walk->prune) {
        note_gone(walk, &walk->plan->devices, there->id);
        device_new(walk, record, device);
        return;
    }
    import_reject(walk->import, record->line, "%s: it differs only in case from %s, which is there",
                  device->id, there->id);
}

static void device_both(struct walk *walk, const struct record *record, const struct device *device,
                        const struct device *there)
{
    if (there->state == DEVICE_REVOKED && device->state != DEVICE_REVOKED) {
        import_reject(walk->import, record->line,
                      "%s: it is revoked for good: 'devreg remove %s' first, or say so here",
                      device->id, device->id);
        return;
    }
    unsigned fields = device_diff(there, device);
    if (walk->import->secrets == WITH_SECRETS)
        fields |= credentials_diff(there, device);
    if (roles_known(walk, record, device))
        note_edit(walk, &walk->plan->devices, device->id, record, fields);
}

/* A line of the file. `there`: what the registry has under that name, or NULL. */
static enum err device_take(struct walk *walk, const struct record *record,
                            const struct device *there)
{
    struct device device;
    enum err e = record_device(record, &device);
    if (e)
        return e;
    if (!there)
        device_new(walk, record, &device);
    else if (strcmp(device.id, there->id) != 0)
        device_twin(walk, record, &device, there);
    else
        device_both(walk, record, &device, there);
    device_clear(&device);
    return ERR_OK;
}

/* `there` is the registry's next device; `*at` the file's. */
static enum err device_meet(struct walk *walk, const struct device *there, size_t *at)
{
    const struct records *file = &walk->import->devices;
    enum err e = ERR_OK;
    int order = 1;
    while (!e && *at < file->count &&
           (order = record_name_order(file->items[*at].record, there->id)) < 0)
        e = device_take(walk, file->items[(*at)++].record, NULL);
    if (!e && *at < file->count && order == 0)
        e = device_take(walk, file->items[(*at)++].record, there);
    else if (!e)
        note_gone(walk, &walk->plan->devices, there->id);
    return e;
}

static enum status devices_compare(struct walk *walk)
{
    const struct records *file = &walk->import->devices;
    char after[DEVICE_ID_MAX + 1] = "";
    struct device there;
    size_t at = 0, seen = 0;
    enum err e;
    while (!(e = registry_next_device(walk->call->registry, after, &there))) {
        (void)text_copy(after, DEVICE_ID_MAX, there.id); /* an id fits */
        e = device_meet(walk, &there, &at);
        device_clear(&there);
        if (e)
            return complain_err(walk->call, e);
        if (++seen % FORGET_AFTER == 0)
            store_forget_pages(registry_store(walk->call->registry));
        progress_show(walk->import->progress, at, at);
    }
    if (e != ERR_NOT_FOUND)
        return device_error(walk->call, e, e == ERR_DAMAGED ? there.id : "");
    for (e = ERR_OK; at < file->count && !e; at++)
        e = device_take(walk, file->items[at].record, NULL);
    return complain_err(walk->call, e);
}

/* Keys are hashed under the registry's secret. */
static enum status secret_check(struct walk *walk)
{
    struct registry *registry = walk->call->registry;
    if (walk->import->secrets != WITH_SECRETS)
        return STATUS_DONE;
    enum err e = registry_refresh_secret(registry);
    if (e)
        return complain_err(walk->call, e);
    if (memcmp(registry_secret(registry), walk->import->secret, CRYPTO_KEY_SIZE) == 0)
        return STATUS_DONE;
    return complain(walk->call, STATUS_NO,
                    SHOWN ": its hashes are of another registry and would open nothing here: apply "
                          "an export without hashes, or import it into a registry without devices",
                    walk->import->path);
}

enum status apply_plan_make(struct call *call, struct apply_plan *plan, struct import_file *import,
                            bool prune)
{
    struct walk walk = {call, plan, import, prune};
    progress_step(import->progress, STEP_CHECK, import->devices.count);
    plan->snapshot = registry_snapshot(call->registry);
    enum status status = secret_check(&walk);
    if (!status)
        status = roles_compare(&walk);
    if (!status)
        status = devices_compare(&walk);
    return status;
}

void apply_plan_clear(struct apply_plan *plan)
{
    free(plan->roles.items);
    free(plan->devices.items);
    records_clear(&plan->names);
    records_clear(&plan->known);
    *plan = (struct apply_plan){0};
}

bool apply_plan_is_empty(const struct apply_plan *plan)
{
    return !plan->roles.count && !plan->devices.count;
}

static bool changes_same(const struct apply_changes *a, const struct apply_changes *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct apply_change *x = &a->items[i], *y = &b->items[i];
        char name[DEVICE_ID_MAX + 1];
        record_name(y->name, name);
        if (x->kind != y->kind || x->fields != y->fields || !is_named(x->name, name))
            return false;
    }
    return true;
}

bool apply_plan_same(const struct apply_plan *a, const struct apply_plan *b)
{
    return changes_same(&a->roles, &b->roles) && changes_same(&a->devices, &b->devices);
}
