/* devreg import: what an export holds, all of it or nothing.
 *
 *   without hashes   devices without keys, added to what is there; give them keys with `rotate`
 *   with hashes      the registry as it was, into one that holds no device: the roles and the
 *                    secret that are there give way
 *
 * The file is parsed, checked and sorted first, and compared with the registry in a read scope, so
 * that every bad line can be named. Then all of it is written in one transaction.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "admin/change.h"
#include "admin/complain.h"
#include "admin/import_file.h"
#include "admin/lookup.h"
#include "admin/migrate.h"

/* Is the role in the registry the same in what people write? */
static bool same_role(const struct role *a, const struct role *b)
{
    return strcmp(a->note, b->note) == 0 && rules_equal(&a->rules, &b->rules);
}

static enum err check_role(struct call *call, struct import_file *import,
                           const struct record *record)
{
    struct role role, there;
    enum err e = record_role(record, &role);
    if (e)
        return e;
    e = registry_get_role(call->registry, role.name, &there);
    if (!e) {
        if (!same_role(&role, &there))
            import_reject(import, record->line,
                          "@%s: it is there already, with other rules or another note", role.name);
        role_clear(&there);
    }
    role_clear(&role);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err check_roles_of(struct call *call, struct import_file *import,
                               const struct record *record, const struct device *device)
{
    for (size_t i = 0; i < device->role_count; i++) {
        struct role role;
        const char *name = device->roles[i];
        if (records_find(&import->roles, name))
            continue;
        enum err e = import->secrets == WITH_SECRETS
                         ? ERR_NOT_FOUND
                         : registry_get_role(call->registry, name, &role);
        if (e == ERR_NOT_FOUND)
            import_reject(import, record->line, "%s: there is no role @%s, here or in the registry",
                          device->id, name);
        else if (e)
            return e;
        else
            role_clear(&role);
    }
    return ERR_OK;
}

static enum err check_device(struct call *call, struct import_file *import,
                             const struct record *record)
{
    struct device device;
    char twin[DEVICE_ID_MAX + 1];
    enum err e = record_device(record, &device);
    if (e)
        return e;
    e = registry_find_twin(call->registry, device.id, twin);
    if (!e)
        import_reject(import, record->line,
                      strcmp(twin, device.id) == 0 ? "%s: it is there already"
                                                   : "%s: it differs only in case from one that "
                                                     "is there",
                      device.id);
    if (!e || e == ERR_NOT_FOUND)
        e = check_roles_of(call, import, record, &device);
    device_clear(&device);
    return e;
}

/* A registry with devices keeps its secret, so an export with hashes cannot go into it. */
static enum status check_empty(struct call *call, const struct import_file *import)
{
    struct device device;
    if (import->secrets != WITH_SECRETS)
        return STATUS_DONE;
    enum err e = registry_next_device(call->registry, "", &device);
    if (!e)
        device_clear(&device);
    if (e == ERR_NOT_FOUND)
        return STATUS_DONE;
    if (e && e != ERR_DAMAGED)
        return complain_err(call, e);
    return complain(call, STATUS_NO,
                    SHOWN ": an export with hashes goes only into a registry without devices: make "
                          "one with 'devreg -r DIR init'",
                    import->path);
}

/* Compares the file with the registry. */
static enum status check_registry(struct call *call, struct import_file *import)
{
    enum err e = ERR_OK;
    progress_step(import->progress, STEP_CHECK, 0);
    enum status status = read_begin(call);
    if (!status)
        status = check_empty(call, import);
    bool restore = import->secrets == WITH_SECRETS;
    for (size_t i = 0; i < import->roles.count && !status && !e && !restore; i++)
        e = check_role(call, import, import->roles.items[i].record);
    for (size_t i = 0; i < import->devices.count && !status && !e; i++)
        e = check_device(call, import, import->devices.items[i].record);
    registry_end(call->registry);
    return status ? status : complain_err(call, e);
}

static enum err put_role(struct call *call, const struct import_file *import,
                         const struct record *record)
{
    struct role role;
    enum err e = record_role(record, &role);
    if (e)
        return e;
    if (import->secrets == WITH_SECRETS) {
        e = registry_restore_role(call->registry, &role);
    } else {
        role.version = 0;
        e = registry_put_role(call->registry, &role);
        if (e == ERR_EXISTS)
            e = ERR_OK; /* the same one: check_role saw to it */
    }
    role_clear(&role);
    return e;
}

static enum err put_device(struct registry_bulk *bulk, const struct import_file *import,
                           const struct record *record)
{
    struct device device;
    enum err e = record_device(record, &device);
    if (e)
        return e;
    e = import->secrets == WITH_SECRETS ? registry_bulk_restore(bulk, &device)
                                        : registry_bulk_add(bulk, &device);
    device_clear(&device);
    return e;
}

static enum err put_devices(struct call *call, struct import_file *import)
{
    struct records *devices = &import->devices;
    struct registry_bulk *bulk;
    char last[DEVICE_ID_MAX + 1];
    if (!devices->count)
        return ERR_OK;
    record_name(devices->items[devices->count - 1].record, last);
    enum err e = registry_bulk_begin(&bulk, call->registry, last);
    if (e)
        return e;
    progress_step(import->progress, STEP_STORE, devices->count);
    for (size_t i = 0; i < devices->count && !e; i++) {
        e = put_device(bulk, import, devices->items[i].record);
        records_release(devices, devices->items[i].record);
        progress_show(import->progress, i + 1, i + 1);
    }
    enum err end = registry_bulk_end(bulk);
    return e ? e : end;
}

/* The roles that are there give way. */
static enum err drop_roles(struct call *call)
{
    struct role role;
    enum err e;
    while (!(e = registry_next_role(call->registry, "", &role))) {
        e = registry_remove_role(call->registry, role.name);
        role_clear(&role);
        if (e)
            return e;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err put_all(struct call *call, struct import_file *import)
{
    enum err e = ERR_OK;
    if (import->secrets == WITH_SECRETS) {
        e = registry_replace_secret(call->registry, import->secret);
        if (!e)
            e = drop_roles(call);
    }
    for (size_t i = 0; i < import->roles.count && !e; i++)
        e = put_role(call, import, import->roles.items[i].record);
    return e ? e : put_devices(call, import);
}

static enum status store_all(struct call *call, struct import_file *import)
{
    enum status status = change_begin(call);
    if (status)
        return status;
    enum err e = put_all(call, import);
    if (!e) {
        detail_add(call, "%zu device%s, %zu role%s%s", import->devices.count,
                   plural(import->devices.count), import->roles.count, plural(import->roles.count),
                   import->secrets == WITH_SECRETS ? ", with hashes" : "");
        progress_step(import->progress, STEP_SAVE, 0);
        return change_commit(call, LOG_IMPORT, LOG_BULK, "");
    }
    change_end(call);
    if (e == ERR_EXISTS || e == ERR_TWIN || e == ERR_NOT_FOUND || e == ERR_IN_USE)
        return complain(call, STATUS_NO,
                        "%s: the registry was changed meanwhile (%s): nothing was imported, try "
                        "again",
                        import->path, err_text(e));
    return complain_err(call, e);
}

static enum status complain_lines(struct call *call, const struct import_file *import,
                                  enum status status)
{
    progress_clear(import->progress);
    import_tell_rejects(import);
    return complain(call, status, SHOWN ": %zu bad line%s: nothing was imported; correct the file",
                    import->path, import->reject_count, plural(import->reject_count));
}

static enum status import_all(struct call *call, struct import_file *import, FILE *file)
{
    enum status status = import_file_read(call, import, file);
    if (!status && import->reject_count)
        return complain_lines(call, import, STATUS_MISUSE);
    if (!status)
        status = check_registry(call, import);
    if (!status && import->reject_count)
        return complain_lines(call, import, STATUS_NO);
    return status ? status : store_all(call, import);
}

static void answer(const struct call *call, const struct import_file *import)
{
    const size_t devices = import->devices.count, roles = import->roles.count;
    const bool hashes = import->secrets == WITH_SECRETS;
    progress_clear(import->progress);
    if (call->json)
        (void)printf("{\"devices\":%zu,\"roles\":%zu,\"hashes\":%s}\n", devices, roles,
                     hashes ? "true" : "false");
    else
        tell("Imported %zu device%s and %zu role%s%s.", devices, plural(devices), roles,
             plural(roles),
             hashes    ? " with their keys"
             : devices ? "; the devices have no keys: see 'devreg rotate'"
                       : "");
}

static enum status only_migrations(struct call *call)
{
    static const enum option options[] = {OPT_ROLE, OPT_NO_ROLE, OPT_DRY_RUN};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (call_option(call, options[i]))
            return complain(call, STATUS_MISUSE, "--%s goes with --mosquitto-passwd or --dynsec",
                            option_rows[options[i]].name);
    }
    return STATUS_DONE;
}

enum status cmd_import(struct call *call)
{
    if (call_option(call, OPT_MOSQUITTO_PASSWD) || call_option(call, OPT_ACL_FILE) ||
        call_option(call, OPT_PATTERN_ROLE) || call_option(call, OPT_DYNSEC))
        return migrate(call);
    if (!call->arguments.word_count)
        return complain(call, STATUS_MISUSE,
                        "name a FILE that 'devreg export' wrote, or --mosquitto-passwd or "
                        "--dynsec; see 'devreg import --help'");
    enum status option_status = only_migrations(call);
    if (option_status)
        return option_status;
    const char *path = call_word(call, 0);
    bool is_stdin = strcmp(path, "-") == 0;
    struct progress progress;
    struct import_file import = {.path = is_stdin ? "stdin" : path, .progress = &progress};
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    if (!file)
        return complain_file(call, path, errno);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit is an error of write(), which is told */
    progress_begin(&progress, true);
    enum status status = import_all(call, &import, file);
    if (!is_stdin)
        (void)fclose(file); /* only read from */
    if (!status)
        answer(call, &import);
    progress_end(&progress);
    import_file_clear(&import);
    return status;
}
