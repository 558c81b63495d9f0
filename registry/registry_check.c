/* One walk over every record, and whether they fit together. */
#include <stdio.h>
#include <string.h>

#include "registry/record.h"
#include "registry/registry_internal.h"
#include "registry/role_counts.h"
#include "registry/text.h"

/* What to do about it. */
#define RESTORE ": restore a backup"
#define RECOUNT ": 'devreg check --repair' counts anew"
#define TRIM    ": 'devreg log trim' takes it away with what is older"
#define DAMAGED_DEVICE                                                                             \
    ", so it is denied everything: 'devreg remove' it and add it again, or restore a backup"
#define DAMAGED_ROLE                                                                               \
    ", so its devices are denied everything: begin it anew with 'devreg role add --force', or "    \
    "restore a backup"
#define DAMAGED_ENTRY ", so 'devreg log' passes over it" TRIM

enum { FORGET_AFTER = 50000 };

struct check {
    struct registry *registry;
    struct registry_check *result;
    void (*report)(void *context, const char *what, const char *problem);
    void *context;
    uint64_t last_entry;
    struct role_counts holders;
    uint64_t generation; /* the highest of any device */
    uint64_t records;
    enum err error;          /* the first that tells nothing of a record: the system failed */
    uint64_t device_records; /* damaged ones too */
    uint64_t count;          /* of devices, as it is recorded */
    bool has_count;
};

static void find(struct check *check, struct bytes key, const char *problem)
{
    char raw[KEY_MAX + 1] = {0}, name[64], what[96];
    const char *kind = key.data[0] == KIND_DEVICE       ? "device"
                       : key.data[0] == KIND_ROLE       ? "role"
                       : key.data[0] == KIND_HOLDERS    ? "count of holders of role"
                       : key.data[0] == KIND_COUNT      ? "count of devices"
                       : key.data[0] == KIND_LOG        ? "log entry"
                       : key.data[0] == KIND_GENERATION ? "last generation"
                       : key.data[0] == KIND_SETTINGS   ? "settings"
                                                        : NULL;
    size_t skip = kind ? 1 : 0; /* the letter that says the kind */
    size_t size = key.size - skip < KEY_MAX ? key.size - skip : KEY_MAX;
    memcpy(raw, key.data + skip, size);
    if (key.data[0] == KIND_LOG)
        snprintf(raw, sizeof raw, "%llu", (unsigned long long)entry_of_key(key));
    snprintf(what, sizeof what, "%s%s%s", kind ? kind : "record", *raw ? " " : "",
             text_escape(name, sizeof name, raw));
    check->result->findings++;
    check->report(check->context, what, problem);
}

/* Does `e` tell that the record is missing or bad? Any other error ends the check. */
static bool is_bad(struct check *check, enum err e)
{
    bool bad = e == ERR_NOT_FOUND || e == ERR_DAMAGED || e == ERR_TOO_NEW || e == ERR_INVALID;
    if (e && !bad && !check->error)
        check->error = e;
    return bad;
}

static bool key_is(struct bytes key, enum record_kind kind, const char *name)
{
    const struct key_text expected = key_of_name(kind, name);
    return key.size == expected.size && memcmp(key.data, expected.data, key.size) == 0;
}

static void check_device(struct check *check, struct bytes key, struct bytes record)
{
    struct device device;
    uint64_t count;
    check->result->devices++;
    enum err e = device_decode(&device, record);
    if (is_bad(check, e))
        find(check, key, "does not decode" DAMAGED_DEVICE);
    if (e)
        return;
    if (!key_is(key, KIND_DEVICE, device.id))
        find(check, key, "stands under another device's name" RESTORE);
    if (!device_plausible(&device))
        find(check, key, "holds a name or a text that no device can have" RESTORE);
    for (size_t i = 0; i < device.role_count; i++) {
        if (is_bad(check, registry_role_holders(check->registry, device.roles[i], &count)))
            find(check, key, "holds a role that is not there, so it is denied everything" RESTORE);
    }
    if (device.generation > check->generation)
        check->generation = device.generation;
    e = role_counts_add(&check->holders, &device);
    if (e && !check->error)
        check->error = e;
    device_clear(&device);
}

static void check_role(struct check *check, struct bytes key, struct bytes record)
{
    struct role role;
    uint64_t count;
    check->result->roles++;
    enum err e = role_decode(&role, record);
    if (is_bad(check, e))
        find(check, key, "does not decode" DAMAGED_ROLE);
    if (e)
        return;
    if (!key_is(key, KIND_ROLE, role.name))
        find(check, key, "stands under another role's name" RESTORE);
    if (is_bad(check, registry_role_holders(check->registry, role.name, &count)))
        find(check, key, "has no count of its holders" RECOUNT);
    role_clear(&role);
}

static void check_entry(struct check *check, struct bytes key, struct bytes record)
{
    struct log_entry entry;
    check->result->entries++;
    if (key.size != LOG_KEY_SIZE || entry_decode(&entry, record)) {
        find(check, key, "does not decode" DAMAGED_ENTRY);
        return;
    }
    uint64_t seq = entry_of_key(key);
    if (check->last_entry && seq != check->last_entry + 1)
        find(check, key, "follows a gap: what was changed there is not known any more" TRIM);
    check->last_entry = seq;
}

/* Devices come before: 'd' is below 'h'. */
static void check_holders(struct check *check, struct bytes key, struct bytes record)
{
    char role[KEY_MAX + 1] = {0};
    struct unpack u = unpack_of(record);
    uint64_t said = unpack_number(&u, UINT64_MAX);
    memcpy(role, key.data + 1, key.size - 1 < KEY_MAX ? key.size - 1 : KEY_MAX);
    const struct key_text of = key_of_name(KIND_ROLE, role);
    enum err e = txn_get(check->registry->txn, key_bytes(&of), &record);
    if (is_bad(check, e) && e == ERR_NOT_FOUND)
        find(check, key, "is of a role that is not there" RECOUNT);
    else if (!unpack_done(&u) || said != role_counts_get(&check->holders, role))
        find(check, key, "is wrong" RECOUNT);
}

static void check_count(struct check *check, struct bytes key, struct bytes record)
{
    struct unpack u = unpack_of(record);
    check->count = unpack_number(&u, UINT64_MAX);
    check->has_count = unpack_done(&u) && key.size == 1;
}

static void check_record(struct check *check, struct bytes key, struct bytes record)
{
    switch (key.data[0]) {
    case KIND_DEVICE:
        check_device(check, key, record);
        break;
    case KIND_ROLE:
        check_role(check, key, record);
        break;
    case KIND_LOG:
        check_entry(check, key, record);
        break;
    case KIND_HOLDERS:
        check_holders(check, key, record);
        break;
    case KIND_COUNT:
        check_count(check, key, record);
        break;
    case KIND_META:
    case KIND_SETTINGS:
    case KIND_GENERATION: /* read when the registry was opened, or by the next add */
        break;
    default:
        find(check, key, "is of no known kind: a newer devreg may have made it; upgrade this one");
    }
}

static const char *damaged_problem(uint8_t kind)
{
    switch (kind) {
    case KIND_DEVICE:
        return "is damaged" DAMAGED_DEVICE;
    case KIND_ROLE:
        return "is damaged" DAMAGED_ROLE;
    case KIND_LOG:
        return "is damaged" DAMAGED_ENTRY;
    case KIND_HOLDERS:
    case KIND_COUNT:
    case KIND_GENERATION:
        return "is damaged" RECOUNT;
    default:
        return "is damaged" RESTORE;
    }
}

/* All records of one kind. The walk's own key is kept here, since the checks move the cursor. */
static enum err check_kind(struct check *check, uint8_t kind)
{
    uint8_t at[STORE_KEY_MAX];
    struct bytes after = {at, 0};
    for (;;) {
        struct bytes key, record;
        enum err e = txn_next(check->registry->txn, kind, after, &key, &record);
        if (e == ERR_NOT_FOUND)
            return ERR_OK;
        if (e && e != ERR_DAMAGED)
            return e;
        memcpy(at, key.data, key.size);
        after.size = key.size;
        if (++check->records % FORGET_AFTER == 0)
            store_forget_pages(check->registry->store); /* or the whole file stays mapped */
        check->device_records += kind == KIND_DEVICE;
        if (e && kind == KIND_LOG && key.size == LOG_KEY_SIZE)
            check->last_entry = entry_of_key(after); /* that is no gap */
        if (e)
            find(check, after, damaged_problem(kind));
        else
            check_record(check, after, record);
        if (check->error)
            return check->error;
    }
}

static enum err check_all(struct check *check)
{
    for (unsigned kind = 0; kind <= UINT8_MAX - 1; kind++) {
        enum err e = check_kind(check, (uint8_t)kind);
        if (e)
            return e;
    }
    if (!check->has_count || check->count != check->device_records)
        find(check, (struct bytes){(const uint8_t[]){KIND_COUNT}, 1}, "is wrong" RECOUNT);
    uint64_t generation;
    enum err e = generation_read(check->registry, &generation);
    if (e && e != ERR_DAMAGED)
        return e;
    if (!e && generation < check->generation)
        find(check, (struct bytes){(const uint8_t[]){KIND_GENERATION}, 1},
             "is below that of a device" RECOUNT);
    return ERR_OK;
}

enum err registry_check(struct registry *registry, struct registry_check *result,
                        void (*report)(void *context, const char *what, const char *problem),
                        void *context)
{
    struct check check = {
        .registry = registry, .result = result, .report = report, .context = context};
    *result = (struct registry_check){0};
    enum err e = check_all(&check);
    role_counts_clear(&check.holders);
    return e;
}
