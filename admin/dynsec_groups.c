/* Groups of a dynamic-security.json, which are no more: their roles become their clients' own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/dynsec.h"

/* What a client or group names, with its priority. */
struct named {
    int priority;
    const char *name;
    size_t number; /* of a role; or of a client's group, where it stands in the file */
};

static int named_order(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The number of that very name. */
static size_t find_exactly(const struct name_table *names, const char *name)
{
    size_t number = name_table_find(names, name);
    return number != NAME_NONE && strcmp(names->names[number], name) == 0 ? number : NAME_NONE;
}

static bool holds(const struct named *all, size_t count, size_t number)
{
    bool found = false;
    for (size_t i = 0; i < count && !found; i++)
        found = all[i].number == number;
    return found;
}

/* The members of `list` ("roles", "clients"), sorted. The caller frees. */
static struct named *read_named(struct dynsec *dynsec, const cJSON *json, const char *who,
                                const char *list, const struct name_table *names, size_t *count)
{
    bool roles = names == &dynsec->migration->role_names;
    const char *key = roles ? "rolename" : "username";
    const cJSON *item = dynsec_list(dynsec, json, who, list);
    struct named *all =
        memory_get(((size_t)cJSON_GetArraySize(dynsec_member(json, list)) + 1) * sizeof *all);
    *count = 0;
    for (; item; item = item->next) {
        if (!dynsec_members(dynsec, item, who, roles ? "rolename priority" : "username priority"))
            continue;
        const char *name = dynsec_text(dynsec, item, who, key, NULL);
        if (!name)
            continue;
        size_t number = find_exactly(names, name);
        if (number == NAME_NONE)
            dynsec_refuse(dynsec, "%s names the %s '" SHOWN "', which is not there", who,
                          roles ? "role" : "client", name);
        else if (roles && holds(all, *count, number))
            dynsec_refuse(dynsec, "%s names the role '%s' twice", who, name);
        else
            all[(*count)++] = (struct named){dynsec_priority(dynsec, item, who, -1), name, number};
    }
    qsort(all, *count, sizeof *all, named_order);
    return all;
}

/* A membership: which client, and with which priority and name its group stands in its order. */
struct membership {
    size_t client;
    struct named group; /* its number: where its roles are */
};

struct group {
    const char *name;
    struct named *roles;
    size_t role_count;
};

struct groups {
    struct group *groups;
    struct membership *members;
    size_t count, member_count, member_room;
};

static int membership_order(const void *a, const void *b)
{
    const struct membership *x = a, *y = b;
    if (x->client != y->client)
        return x->client < y->client ? -1 : 1;
    return named_order(&x->group, &y->group);
}

static void add_member(struct groups *groups, size_t client, int priority, size_t group)
{
    if (groups->member_count == groups->member_room) {
        groups->member_room = groups->member_room ? 2 * groups->member_room : 64;
        struct membership *members =
            realloc(groups->members, groups->member_room * sizeof *members);
        if (!members)
            memory_out();
        groups->members = members;
    }
    groups->members[groups->member_count++] =
        (struct membership){client, {priority, groups->groups[group].name, group}};
}

static void read_group(struct dynsec *dynsec, struct groups *groups, const cJSON *json)
{
    char who[DYNSEC_WHO];
    size_t count;
    if (!dynsec_members(dynsec, json, "a group",
                        "groupname textname textdescription roles clients"))
        return;
    const char *name = dynsec_text(dynsec, json, "a group", "groupname", NULL);
    if (!name)
        return;
    snprintf(who, sizeof who, "group '%.150s'", name);
    for (size_t i = 0; i < groups->count; i++) {
        if (strcmp(groups->groups[i].name, name) == 0)
            dynsec_refuse(dynsec, "%s is there twice", who);
    }
    struct group *group = &groups->groups[groups->count];
    group->name = name;
    group->roles =
        read_named(dynsec, json, who, "roles", &dynsec->migration->role_names, &group->role_count);
    struct named *clients =
        read_named(dynsec, json, who, "clients", &dynsec->migration->user_names, &count);
    for (size_t i = 0; i < count; i++)
        add_member(groups, clients[i].number, clients[i].priority, groups->count);
    free(clients);
    groups->count++;
}

/* Is there another one of the same client and group? A client's stand together. */
static void check_membership(struct dynsec *dynsec, const struct groups *groups, size_t at)
{
    const struct membership *member = &groups->members[at];
    for (size_t i = at + 1; i < groups->member_count; i++) {
        if (groups->members[i].client != member->client)
            return;
        if (groups->members[i].group.number == member->group.number)
            dynsec_refuse(dynsec, "group '%.150s' names the client '%s' twice", member->group.name,
                          dynsec->migration->user_names.names[member->client]);
    }
}

static void read_groups(struct dynsec *dynsec, struct groups *groups)
{
    const cJSON *group = dynsec_list(dynsec, dynsec->tree, "the file", "groups");
    size_t room = (size_t)cJSON_GetArraySize(dynsec_member(dynsec->tree, "groups"));
    groups->groups = memory_get((room + 1) * sizeof *groups->groups);
    for (; group; group = group->next)
        read_group(dynsec, groups, group);
    if (groups->member_count)
        qsort(groups->members, groups->member_count, sizeof *groups->members, membership_order);
    for (size_t i = 0; i < groups->member_count; i++)
        check_membership(dynsec, groups, i);
}

/* Appends roles that are not there yet: the first place of each counts. */
static void append_roles(struct dynsec *dynsec, struct migrant *user, const struct named *roles,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool there = false;
        for (size_t r = 0; r < user->role_count; r++)
            there |= user->roles[r] == roles[i].number;
        if (there)
            continue;
        uint32_t *grown = realloc(user->roles, (user->role_count + 1) * sizeof *grown);
        if (!grown)
            memory_out();
        user->roles = grown;
        user->roles[user->role_count++] = (uint32_t)roles[i].number;
        dynsec->roles[roles[i].number].held = true;
    }
}

/* A client's roles: its own, then those of its groups. */
static void join_roles(struct dynsec *dynsec, const struct groups *groups, size_t client,
                       const cJSON *json, size_t *member_at)
{
    char who[DYNSEC_WHO];
    size_t count;
    struct migration *migration = dynsec->migration;
    struct migrant *user = &migration->users[client];
    snprintf(who, sizeof who, "client '%s'", migration->user_names.names[client]);
    struct named *own = read_named(dynsec, json, who, "roles", &migration->role_names, &count);
    append_roles(dynsec, user, own, count);
    free(own);
    for (; *member_at < groups->member_count && groups->members[*member_at].client == client;
         (*member_at)++) {
        const struct group *group = &groups->groups[groups->members[*member_at].group.number];
        append_roles(dynsec, user, group->roles, group->role_count);
    }
    if (user->role_count > ROLES_MAX)
        dynsec_refuse(dynsec, "%s has %zu roles, its groups' included: a device holds %d at most",
                      who, user->role_count, ROLES_MAX);
}

/* Clients stand in the file in the order of their numbers, but for those that were refused. */
static void join_all(struct dynsec *dynsec, const struct groups *groups)
{
    const struct name_table *names = &dynsec->migration->user_names;
    const cJSON *json = dynsec_list(dynsec, dynsec->tree, "the file", "clients");
    size_t client = 0, member_at = 0;
    for (; json && client < names->count; json = json->next) {
        const char *name = cJSON_GetStringValue(dynsec_member(json, "username"));
        if (name && strcmp(name, names->names[client]) == 0)
            join_roles(dynsec, groups, client++, json, &member_at);
    }
}

/* Whether they may come in at all, mosquitto.conf says. */
static void take_anonymous(struct dynsec *dynsec, const struct groups *groups)
{
    const char *name = dynsec_text(dynsec, dynsec->tree, "the file", "anonymousGroup", "");
    const struct group *group = NULL;
    if (!name || !*name)
        return;
    for (size_t i = 0; i < groups->count; i++) {
        if (strcmp(groups->groups[i].name, name) == 0)
            group = &groups->groups[i];
    }
    if (!group)
        dynsec_refuse(dynsec, "anonymousGroup names the group '" SHOWN "', which is not there",
                      name);
    else if (group->role_count)
        dynsec_refuse(
            dynsec,
            "anonymousGroup: clients without a user name have roles by it: take it out, and "
            "name one role in plugin_opt_anonymous_role");
}

void dynsec_read_groups(struct dynsec *dynsec)
{
    struct groups groups = {.count = 0};
    read_groups(dynsec, &groups);
    take_anonymous(dynsec, &groups);
    join_all(dynsec, &groups);
    for (size_t i = 0; i < groups.count; i++)
        free(groups.groups[i].roles);
    free(groups.groups);
    free(groups.members);
}
