/* Makes the registry what a plan says, in one write scope:
 *
 *   roles that are new or change      devices may hold them
 *   devices: removed, then the rest   the removed may be twins of new ones
 *   roles that are removed            nobody holds them any more
 */
#include <string.h>

#include "admin/apply_plan.h"
#include "admin/change.h"
#include "admin/complain.h"

/* So few changes are named in the log one by one, in two entries each at the most: the plugin reads
 * a thousand in one look, before it looks at everything afresh. */
enum { NAMED_MAX = 400 };

#define STATE_FIELDS (FIELD_STATE | FIELD_REASON)

static enum err put_role(struct call *call, const struct apply_change *change)
{
    struct role role, there = {.version = 0};
    enum err e = record_role(change->record, &role);
    if (e)
        return e;
    if (change->kind == CHANGE_EDIT)
        e = registry_get_role(call->registry, role.name, &there);
    if (!e) {
        role.version = there.version;
        role.created = there.created;
        e = registry_put_role(call->registry, &role);
        if (change->kind == CHANGE_EDIT)
            role_clear(&there);
    }
    role_clear(&role);
    return e;
}

static enum err put_roles(struct call *call, const struct apply_changes *roles)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < roles->count && !e; i++) {
        if (roles->items[i].kind != CHANGE_REMOVE)
            e = put_role(call, &roles->items[i]);
    }
    return e;
}

static enum err remove_roles(struct call *call, const struct apply_changes *roles)
{
    char name[DEVICE_ID_MAX + 1];
    enum err e = ERR_OK;
    for (size_t i = 0; i < roles->count && !e; i++) {
        if (roles->items[i].kind != CHANGE_REMOVE)
            continue;
        record_name(roles->items[i].name, name);
        e = registry_remove_role(call->registry, name);
    }
    return e;
}

static enum err remove_device(struct call *call, struct registry_bulk *bulk,
                              const struct apply_change *change)
{
    char id[DEVICE_ID_MAX + 1];
    struct device there;
    record_name(change->name, id);
    enum err e = registry_get_device(call->registry, id, &there);
    if (e)
        return e;
    e = registry_bulk_remove(bulk, &there);
    device_clear(&there);
    return e;
}

/* What the file does not say stays as it is there. */
static void complete(struct device *device, const struct device *there, enum secrets secrets)
{
    device->generation = there->generation;
    device->version = there->version;
    device->created = there->created;
    if (device->next_credential < there->next_credential)
        device->next_credential = there->next_credential;
    if (secrets == WITH_SECRETS || device->state == DEVICE_REVOKED)
        return;
    memcpy(device->credentials, there->credentials,
           there->credential_count * sizeof *there->credentials);
    device->credential_count = there->credential_count;
}

static enum err edit_device(struct call *call, struct registry_bulk *bulk,
                            const struct apply_change *change, struct device *device,
                            enum secrets secrets)
{
    struct device there;
    struct roles_held before;
    enum err e = registry_get_device(call->registry, device->id, &there);
    if (e)
        return e;
    roles_held_by(&before, &there);
    complete(device, &there, secrets);
    if (change->fields & FIELD_GENERATION) {
        e = registry_bulk_remove(bulk, &there);
        if (!e)
            e = registry_bulk_add(bulk, device);
    } else {
        e = registry_bulk_put(bulk, device, &before);
    }
    device_clear(&there);
    return e;
}

static enum err put_device(struct call *call, struct registry_bulk *bulk,
                           const struct apply_change *change, enum secrets secrets)
{
    struct device device;
    enum err e = record_device(change->record, &device);
    if (e)
        return e;
    e = change->kind == CHANGE_ADD ? registry_bulk_add(bulk, &device)
                                   : edit_device(call, bulk, change, &device, secrets);
    device_clear(&device);
    return e;
}

static enum err put_devices(struct call *call, struct registry_bulk *bulk,
                            const struct apply_changes *devices, struct import_file *import)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < devices->count && !e; i++) {
        if (devices->items[i].kind == CHANGE_REMOVE)
            e = remove_device(call, bulk, &devices->items[i]);
    }
    for (size_t i = 0; i < devices->count && !e; i++) {
        const struct apply_change *change = &devices->items[i];
        if (change->kind != CHANGE_REMOVE) {
            e = put_device(call, bulk, change, import->secrets);
            if (devices->count > NAMED_MAX) /* log_device needs it */
                records_release(&import->devices, change->record);
        }
        if ((i + 1) % FORGET_AFTER == 0)
            store_forget_pages(registry_store(call->registry));
        progress_show(import->progress, i, i);
    }
    return e;
}

static enum err change_devices(struct call *call, const struct apply_changes *devices,
                               struct import_file *import)
{
    struct registry_bulk *bulk;
    char last[DEVICE_ID_MAX + 1];
    if (!devices->count)
        return ERR_OK;
    record_name(devices->items[devices->count - 1].name, last);
    enum err e = registry_bulk_begin(&bulk, call->registry, last);
    if (e)
        return e;
    progress_step(import->progress, STEP_STORE, devices->count);
    e = put_devices(call, bulk, devices, import);
    enum err end = registry_bulk_end(bulk);
    return e ? e : end;
}

/* "apply, state, note"; begins anew. */
static void detail_fields(struct call *call, unsigned fields)
{
    call->detail[0] = '\0';
    detail_add(call, "apply");
    for (unsigned field = 1; field < FIELD_END; field <<= 1) {
        if (fields & field)
            detail_add(call, "%s", field_name((enum field)field));
    }
}

static void log_one(struct call *call, enum log_verb verb, enum log_kind kind, const char *name,
                    unsigned fields)
{
    detail_fields(call, fields);
    registry_log(call->registry, verb, kind, name, call->detail);
}

static enum err log_state(struct call *call, const struct apply_change *change, const char *id)
{
    static const enum log_verb verbs[] = {[DEVICE_DISABLED] = LOG_DISABLE,
                                          [DEVICE_ENABLED] = LOG_ENABLE,
                                          [DEVICE_REVOKED] = LOG_REVOKE};
    struct device device;
    enum err e = record_device(change->record, &device);
    if (e)
        return e;
    detail_fields(call, 0);
    if (*device.reason)
        detail_add(call, "%s", device.reason);
    registry_log(call->registry, verbs[device.state], LOG_DEVICE, id, call->detail);
    device_clear(&device);
    return ERR_OK;
}

/* As the verbs that change one device would have logged it. */
static enum err log_device(struct call *call, const struct apply_change *change)
{
    char id[DEVICE_ID_MAX + 1];
    unsigned fields = change->fields;
    enum err e = ERR_OK;
    record_name(change->name, id);
    if (change->kind == CHANGE_REMOVE || (fields & FIELD_GENERATION))
        log_one(call, LOG_REMOVE, LOG_DEVICE, id, 0);
    if (change->kind == CHANGE_ADD || (fields & FIELD_GENERATION))
        log_one(call, LOG_ADD, LOG_DEVICE, id, fields);
    if (change->kind != CHANGE_EDIT || (fields & FIELD_GENERATION))
        return ERR_OK;
    if (fields & FIELD_STATE) {
        e = log_state(call, change, id);
        fields &= ~(unsigned)STATE_FIELDS;
    }
    if (fields)
        log_one(call, LOG_SET, LOG_DEVICE, id, fields);
    return e;
}

static void log_role(struct call *call, const struct apply_change *change)
{
    static const enum log_verb verbs[] = {
        [CHANGE_ADD] = LOG_ADD, [CHANGE_EDIT] = LOG_SET, [CHANGE_REMOVE] = LOG_REMOVE};
    char name[DEVICE_ID_MAX + 1];
    record_name(change->name, name);
    log_one(call, change->fields & FIELD_RULES ? LOG_RULE : verbs[change->kind], LOG_ROLE, name,
            change->fields);
}

static enum err log_each(struct call *call, const struct apply_plan *plan)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < plan->roles.count; i++)
        log_role(call, &plan->roles.items[i]);
    for (size_t i = 0; i < plan->devices.count && !e; i++)
        e = log_device(call, &plan->devices.items[i]);
    return e;
}

static void detail_counts(struct call *call, const struct apply_changes *changes, const char *what)
{
    static const char *const done[] = {"added", "changed", "removed"};
    for (size_t kind = 0; kind < CHANGE_KINDS; kind++) {
        if (changes->counts[kind])
            detail_add(call, "%zu %s%s %s", changes->counts[kind], what,
                       plural(changes->counts[kind]), done[kind]);
    }
}

static void log_all(struct call *call, const struct apply_plan *plan)
{
    call->detail[0] = '\0';
    detail_counts(call, &plan->devices, "device");
    detail_counts(call, &plan->roles, "role");
    registry_log(call->registry, LOG_APPLY, LOG_BULK, "", call->detail);
}

enum err apply_store(struct call *call, const struct apply_plan *plan, struct import_file *import)
{
    enum err e = put_roles(call, &plan->roles);
    if (!e)
        e = change_devices(call, &plan->devices, import);
    if (!e)
        e = remove_roles(call, &plan->roles);
    if (e)
        return e;
    if (plan->roles.count + plan->devices.count <= NAMED_MAX)
        return log_each(call, plan);
    log_all(call, plan);
    return ERR_OK;
}
