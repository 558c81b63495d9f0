/* devreg import --mosquitto-passwd, --dynsec: what the readers found, told, compared and stored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/change.h"
#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/lookup.h"
#include "admin/migrate.h"
#include "registry/text.h"

static int refused_order(const void *a, const void *b)
{
    const struct refused *x = a, *y = b;
    int file = strcmp(x->place.file, y->place.file);
    return file ? file : (x->place.line > y->place.line) - (x->place.line < y->place.line);
}

void migration_tell_refused(struct migration *migration)
{
    if (migration->refused_kept)
        qsort(migration->refused, migration->refused_kept, sizeof *migration->refused,
              refused_order);
    for (size_t i = 0; i < migration->refused_kept; i++) {
        const struct refused *refused = &migration->refused[i];
        if (refused->place.line)
            tell("devreg: " SHOWN ":%zu: %s", refused->place.file, refused->place.line,
                 refused->reason);
        else
            tell("devreg: " SHOWN ": %s", refused->place.file, refused->reason);
    }
    if (migration->refused_count > migration->refused_kept)
        tell("devreg: and %zu more", migration->refused_count - migration->refused_kept);
}

/* The record of a user. Its rules are lent: device_end. */
static enum err device_begin(const struct migration *migration, size_t user, struct device *device)
{
    const struct migrant *migrant = &migration->users[user];
    enum err e = ERR_OK;
    device_init(device, migration->user_names.names[user]);
    if (migrant->disabled)
        device->state = DEVICE_DISABLED;
    if (migrant->note)
        (void)text_copy(device->note, NOTE_MAX, migrant->note); /* the reader saw to it */
    if (migrant->client_id)
        (void)text_copy(device->client_id, CLIENT_ID_PATTERN_MAX, migrant->client_id); /* too */
    for (size_t i = 0; i < migration->model.role_count && !e; i++)
        e = device_add_role(device, migration->model.roles[i]);
    if (migration->everybodys != NAME_NONE && !e)
        e = device_add_role(device, migration->role_names.names[migration->everybodys]);
    for (size_t i = 0; i < migrant->role_count && !e; i++)
        e = device_add_role(device, migration->role_names.names[migrant->roles[i]]);
    device->rules = migrant->rules;
    return e;
}

static void device_end(struct device *device)
{
    device->rules = (struct rules){0};
    device_clear(device);
}

static void credential_add(struct device *device, const char *hash, int64_t now)
{
    struct credential *credential = device_new_credential(device, CREDENTIAL_IMPORTED, now);
    credential->secret_size = strlen(hash);
    memcpy(credential->secret, hash, credential->secret_size + 1);
}

static enum err compare_user(struct migration *migration, size_t user)
{
    const char *name = migration->user_names.names[user];
    char twin[DEVICE_ID_MAX + 1];
    enum err e = registry_find_twin(migration->call->registry, name, twin);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e == ERR_DAMAGED)
        migration_refuse(migration, migration->users[user].place,
                         "%s: it is in the registry already, and damaged; see 'devreg check'",
                         name);
    else if (!e)
        migration_refuse(migration, migration->users[user].place,
                         strcmp(twin, name) == 0
                             ? "%s: it is in the registry already"
                             : "%s: it differs only in case from one in the registry",
                         name);
    return e == ERR_DAMAGED ? ERR_OK : e;
}

/* A role that is there is taken if it says the same. */
static enum err compare_role(struct migration *migration, size_t number)
{
    const char *name = migration->role_names.names[number];
    struct role role;
    enum err e = registry_get_role(migration->call->registry, name, &role);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    if (!rules_equal(&role.rules, &migration->roles[number].rules))
        migration_refuse(migration, migration->roles[number].place,
                         "role '%s' is in the registry already, with other rules: see 'devreg role "
                         "show %s'",
                         name, name);
    role_clear(&role);
    return ERR_OK;
}

/* The registry's answer to all of it: what it has already is refused. */
static enum status compare(struct migration *migration)
{
    enum status status = read_begin(migration->call);
    enum err e = ERR_OK;
    if (!status && migration->model.role_count)
        status = new_roles_check(migration->call, &migration->model);
    for (size_t i = 0; i < migration->role_names.count && !status && !e; i++)
        e = compare_role(migration, i);
    for (size_t i = 0; i < migration->user_names.count && !status && !e; i++)
        e = compare_user(migration, i);
    registry_end(migration->call->registry);
    return status ? status : complain_err(migration->call, e);
}

/* compare_role saw to it, but that was in another scope. */
static enum err same_role(struct migration *migration, size_t number)
{
    struct role role;
    enum err e =
        registry_get_role(migration->call->registry, migration->role_names.names[number], &role);
    if (e)
        return e;
    if (!rules_equal(&role.rules, &migration->roles[number].rules))
        e = ERR_EXISTS;
    role_clear(&role);
    return e;
}

static enum err put_role(struct migration *migration, size_t number)
{
    const struct migrant_role *migrant = &migration->roles[number];
    struct role role;
    role_init(&role, migration->role_names.names[number]);
    if (migrant->note)
        (void)text_copy(role.note, NOTE_MAX, migrant->note); /* the reader saw to it */
    role.rules = migrant->rules;                             /* lent */
    enum err e = registry_put_role(migration->call->registry, &role);
    return e == ERR_EXISTS ? same_role(migration, number) : e;
}

static enum err put_user(struct migration *migration, struct registry_bulk *bulk, size_t user)
{
    const struct migrant *migrant = &migration->users[user];
    struct device device;
    enum err e = device_begin(migration, user, &device);
    if (!e && migrant->hash)
        credential_add(&device, migrant->hash, migration->call->now);
    if (!e)
        e = registry_bulk_add(bulk, &device);
    device_end(&device);
    return e;
}

static enum err put_users(struct migration *migration)
{
    const struct name_table *names = &migration->user_names;
    struct registry_bulk *bulk;
    if (!names->count)
        return ERR_OK;
    size_t *sorted = name_table_sorted(names);
    enum err e = registry_bulk_begin(&bulk, migration->call->registry,
                                     names->names[sorted[names->count - 1]]);
    if (!e) {
        for (size_t i = 0; i < names->count && !e; i++)
            e = put_user(migration, bulk, sorted[i]);
        enum err end = registry_bulk_end(bulk);
        e = e ? e : end;
    }
    free(sorted);
    return e;
}

static enum status store(struct migration *migration)
{
    struct call *call = migration->call;
    enum status status = change_begin(call);
    if (status)
        return status;
    enum err e = ERR_OK;
    for (size_t i = 0; i < migration->role_names.count && !e; i++)
        e = put_role(migration, i);
    if (!e)
        e = put_users(migration);
    if (!e) {
        size_t users = migration->user_names.count, roles = migration->role_names.count;
        detail_add(call, "%zu device%s, %zu role%s, from Mosquitto", users, plural(users), roles,
                   plural(roles));
        return change_commit(call, LOG_IMPORT, LOG_BULK, "");
    }
    change_end(call);
    if (e == ERR_EXISTS || e == ERR_TWIN || e == ERR_NOT_FOUND)
        return complain(call, STATUS_NO,
                        "the registry was changed meanwhile (%s): nothing was imported, try again",
                        err_text(e));
    return complain_err(call, e);
}

static void answer(struct migration *migration)
{
    size_t users = migration->user_names.count, roles = migration->role_names.count, without = 0;
    for (size_t i = 0; i < users; i++)
        without += !migration->users[i].hash;
    if (migration->call->json && !migration->shown)
        (void)printf("{\"devices\":%zu,\"roles\":%zu}\n", users, roles);
    if (!migration->call->json || migration->shown)
        tell("%s %zu device%s and %zu role%s.", migration->shown ? "Would import" : "Imported",
             users, plural(users), roles, plural(roles));
    if (migration->narrowed)
        tell(
            "Mosquitto's acl_file lets every subscription through and sorts out the messages; "
            "devreg "
            "refuses one that no single 'allow' covers: see 'devreg explain ID subscribe FILTER'.");
    if (migration->dollar)
        tell("Where a subscribePattern begins with a wildcard, Mosquitto 2.0 takes '$SYS/...' for "
             "it, "
             "too. devreg and Mosquitto 2.1 do not: 'devreg allow @ROLE subscribe $SYS/#' if that "
             "is wanted.");
    if (without)
        tell("%zu of them without a password: 'devreg rotate' gives a device a key.", without);
}

/* Users that have neither rules nor roles of their own get those of a new device. */
static enum status take_model(struct migration *migration, bool rights)
{
    struct call *call = migration->call;
    bool given = call_option(call, OPT_ROLE) || call_option(call, OPT_NO_ROLE);
    if (rights && given)
        return complain(call, STATUS_MISUSE,
                        "--%s: the file says what its users may do; see 'devreg set' for later",
                        call_option(call, OPT_ROLE) ? "role" : "no-role");
    if (rights || call_option(call, OPT_NO_ROLE))
        return STATUS_DONE;
    if (call_option(call, OPT_ROLE))
        return device_take_roles(call, &migration->model, OPT_ROLE);
    return complain_err(call, device_add_role(&migration->model, DEFAULT_ROLE));
}

static enum status read_all(struct migration *migration)
{
    struct call *call = migration->call;
    const char *passwd = call_option(call, OPT_MOSQUITTO_PASSWD);
    const char *acl = call_option(call, OPT_ACL_FILE), *dynsec = call_option(call, OPT_DYNSEC);
    const char *patterns = call_option(call, OPT_PATTERN_ROLE);
    enum status status = take_model(migration, acl || dynsec);
    if (status)
        return status;
    if (dynsec)
        return migrate_dynsec(migration, dynsec);
    status = migrate_passwd(migration, passwd);
    if (!status && acl)
        status = migrate_acl(migration, acl, patterns ? role_word(patterns) : "patterns");
    return status;
}

static enum status options_agree(struct call *call)
{
    bool passwd = call_option(call, OPT_MOSQUITTO_PASSWD), dynsec = call_option(call, OPT_DYNSEC);
    const char *patterns = call_option(call, OPT_PATTERN_ROLE);
    if (passwd + dynsec + (call->arguments.word_count > 0) > 1)
        return complain(call, STATUS_MISUSE,
                        "FILE, --mosquitto-passwd and --dynsec exclude each other: use one");
    if (call_option(call, OPT_ACL_FILE) && !passwd)
        return complain(call, STATUS_MISUSE,
                        "--acl-file goes with --mosquitto-passwd, which names its users");
    if (patterns && !call_option(call, OPT_ACL_FILE))
        return complain(call, STATUS_MISUSE, "--pattern-role goes with --acl-file");
    return patterns ? check_role_name(call, role_word(patterns)) : STATUS_DONE;
}

static enum status run(struct migration *migration)
{
    struct call *call = migration->call;
    enum status status = read_all(migration), kind = STATUS_MISUSE;
    if (!status && !migration->refused_count) {
        status = compare(migration);
        kind = STATUS_NO;
    }
    if (migration->shown)
        listing_flush(migration->shown);
    if (!status && migration->refused_count) {
        bool one = migration->refused_count == 1;
        migration_tell_refused(migration);
        return complain(
            call, kind,
            "%zu thing%s cannot be taken over as %s: nothing was imported; change %s in a "
            "copy, and import that",
            migration->refused_count, plural(migration->refused_count), one ? "it is" : "they are",
            one ? "it" : "them");
    }
    if (!status && !migration->shown)
        status = store(migration);
    if (!status)
        answer(migration);
    return status;
}

void migration_clear(struct migration *migration)
{
    for (size_t i = 0; i < migration->user_names.count; i++) {
        struct migrant *user = &migration->users[i];
        if (user->hash)
            crypto_wipe(user->hash, strlen(user->hash));
        free(user->hash);
        free(user->client_id);
        free(user->note);
        free(user->roles);
        rules_clear(&user->rules);
    }
    for (size_t i = 0; i < migration->role_names.count; i++) {
        free(migration->roles[i].note);
        rules_clear(&migration->roles[i].rules);
    }
    for (size_t i = 0; i < migration->refused_kept; i++)
        free(migration->refused[i].reason);
    free(migration->refused);
    free(migration->users);
    free(migration->roles);
    name_table_clear(&migration->user_names);
    name_table_clear(&migration->role_names);
    device_clear(&migration->model);
}

enum status migrate(struct call *call)
{
    static const struct column columns[] = {{"from", "FROM", CELL_PLAIN},
                                            {"what", "WHAT", CELL_PLAIN},
                                            {"becomes", "BECOMES", CELL_PLAIN}};
    struct migration migration = {.call = call, .everybodys = NAME_NONE};
    struct listing listing;
    enum status status = options_agree(call);
    if (status)
        return status;
    device_init(&migration.model, "model");
    if (call_option(call, OPT_DRY_RUN)) {
        listing_begin(&listing, call, columns, sizeof columns / sizeof *columns);
        migration.shown = &listing;
    }
    status = run(&migration);
    if (migration.shown)
        listing_end(&listing);
    migration_clear(&migration);
    return status;
}
