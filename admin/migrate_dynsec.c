/* The configuration of Mosquitto's dynamic-security plugin: dynamic-security.json, of 2.0 and 2.1.
 *
 *   clients    devices: with their password, client id and state; textname and textdescription are
 *              their note
 *   roles      roles
 *   groups     are no more: their roles are their clients' own
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/dynsec.h"
#include "admin/filter_meet.h"

enum { READ_SIZE = 1 << 16 };

static void show_client(struct dynsec *dynsec, size_t client)
{
    struct migration *migration = dynsec->migration;
    const struct migrant *user = &migration->users[client];
    const char *name = migration->user_names.names[client];
    if (!migration->shown)
        return;
    migration_show_device(migration, client);
    if (user->client_id)
        migration_show(migration, user->place, name, "client ids: only %s", user->client_id);
    for (size_t i = 0; i < user->role_count; i++)
        migration_show(migration, user->place, name, "role @%s",
                       migration->role_names.names[user->roles[i]]);
}

/* One check for all that have the same roles in the same order, unless it fails. */
struct lists {
    struct name_table names; /* "3,7," of those that were asked */
    bool *fine;              /* by their numbers */
};

static char *list_name(const struct dynsec_holder *holder)
{
    size_t size = holder->count * 11 + 1, used = 0;
    char *name = memory_get(size);
    name[0] = '\0';
    for (size_t i = 0; i < holder->count; i++)
        used += (size_t)snprintf(name + used, size - used, "%u,", (unsigned)holder->roles[i]);
    return name;
}

static size_t list_number(struct lists *lists, const struct dynsec_holder *holder, bool *new)
{
    char *name = list_name(holder);
    size_t number = name_table_find(&lists->names, name);
    *new = number == NAME_NONE;
    if (*new)
        number = name_table_add(&lists->names, name);
    free(name);
    return number;
}

static struct dynsec_holder anybody_with(const struct dynsec_holder *holder)
{
    return (struct dynsec_holder){"a client", FILTER_ANYBODY, holder->roles, holder->count};
}

static void note_needs(struct dynsec *dynsec, struct lists *lists,
                       const struct dynsec_holder *holder)
{
    bool new;
    const struct dynsec_holder anybody = anybody_with(holder);
    (void)list_number(lists, holder, &new);
    if (new)
        dynsec_note_needs(dynsec, &anybody);
}

static void check_holder(struct dynsec *dynsec, struct lists *lists,
                         const struct dynsec_holder *holder)
{
    bool new;
    const struct dynsec_holder anybody = anybody_with(holder);
    size_t number = list_number(lists, holder, &new);
    if (new)
        lists->fine[number] = dynsec_check(dynsec, &anybody, true);
    if (!lists->fine[number])
        (void)dynsec_check(dynsec, holder, false);
}

/* Calls `each` for every client, and for each role that none holds. */
static void for_holders(struct dynsec *dynsec, const uint32_t *numbers,
                        void (*each)(struct dynsec *dynsec, struct lists *lists,
                                     const struct dynsec_holder *holder))
{
    struct migration *migration = dynsec->migration;
    size_t most = migration->user_names.count + migration->role_names.count;
    struct lists lists = {.fine = memory_get(most + 1)};
    char who[DYNSEC_WHO];
    for (size_t i = 0; i < migration->user_names.count; i++) {
        const struct migrant *user = &migration->users[i];
        const char *name = migration->user_names.names[i];
        snprintf(who, sizeof who, "client '%s'", name);
        each(dynsec, &lists, &(struct dynsec_holder){who, name, user->roles, user->role_count});
    }
    for (size_t i = 0; i < migration->role_names.count; i++) {
        if (!dynsec->roles[i].held)
            each(dynsec, &lists,
                 &(struct dynsec_holder){"a client that holds it alone", FILTER_ANYBODY,
                                         &numbers[i], 1});
    }
    name_table_clear(&lists.names);
    free(lists.fine);
}

/* In 2.0 a wildcard at the first level of a subscribePattern admits "$SYS/#", too. */
static bool passes_dollar(const struct dynsec_role *role)
{
    bool wild = false, sys = false;
    for (size_t i = 0; i < role->count; i++) {
        const struct dynsec_acl *acl = &role->acls[i];
        bool asks = acl->kind == DYNSEC_SUBSCRIBE && acl->allow;
        wild |= asks && strchr("+#", acl->topic[0]);
        sys |= asks && strcmp(acl->topic, "$SYS/#") == 0;
    }
    return wild && !sys;
}

static void take_all(struct dynsec *dynsec)
{
    struct migration *migration = dynsec->migration;
    dynsec_read_defaults(dynsec);
    dynsec_read_roles(dynsec);
    dynsec_read_clients(dynsec);
    dynsec_read_groups(dynsec);
    uint32_t *numbers = memory_get((migration->role_names.count + 1) * sizeof *numbers);
    for (size_t i = 0; i < migration->role_names.count; i++)
        numbers[i] = (uint32_t)i;
    for (size_t i = 0; i < migration->user_names.count; i++)
        show_client(dynsec, i);
    if (!migration->refused_count) { /* else it would be asked of half of it */
        for_holders(dynsec, numbers, note_needs);
        for_holders(dynsec, numbers, check_holder);
        for (size_t i = 0; i < migration->role_names.count; i++)
            dynsec_make_rules(dynsec, i);
    }
    for (size_t i = 0; i < migration->role_names.count && !dynsec->is_2_1; i++)
        migration->dollar |= passes_dollar(&dynsec->roles[i]);
    for (size_t i = 0; i < migration->role_names.count; i++)
        free(dynsec->roles[i].acls);
    free(dynsec->roles);
    free(numbers);
}

/* All of the file, and NUL; NULL with errno. `size` without the NUL. */
static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    char *text = memory_get(READ_SIZE);
    size_t room = READ_SIZE;
    *size = 0;
    while (file && !feof(file) && !ferror(file)) {
        *size += fread(text + *size, 1, room - *size - 1, file);
        if (*size + 1 < room)
            continue;
        char *grown = memory_get(2 * room);
        memcpy(grown, text, *size);
        crypto_wipe(text, *size);
        free(text);
        text = grown;
        room *= 2;
    }
    if (file && !ferror(file)) {
        (void)fclose(file); /* only read from */
        text[*size] = '\0';
        return text;
    }
    int problem = errno;
    if (file)
        (void)fclose(file);
    free(text);
    errno = problem;
    return NULL;
}

enum status migrate_dynsec(struct migration *migration, const char *path)
{
    struct dynsec dynsec = {.migration = migration, .place = {path, 0}};
    size_t size;
    char *text = read_file(path, &size);
    if (!text)
        return complain_file(migration->call, path, errno);
    cJSON *tree = strlen(text) == size ? json_parse(text) : NULL;
    crypto_wipe(text, size);
    free(text);
    dynsec.tree = tree;
    dynsec.is_2_1 = dynsec_surely_2_1(tree);
    if (!cJSON_IsObject(tree))
        dynsec_refuse(&dynsec, "it is no JSON object: dynamic-security.json is one");
    else if (dynsec_members(&dynsec, tree, "the file",
                            "defaultACLAccess clients groups roles anonymousGroup changeIndex"))
        take_all(&dynsec);
    cJSON_Delete(tree);
    return STATUS_DONE;
}
