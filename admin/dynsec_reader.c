/* What stands in a dynamic-security.json: defaultACLAccess, roles and clients. Members that are not
 * known are refused: a later version may mean something by them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/dynsec.h"
#include "admin/filter_meet.h"
#include "registry/password_hash.h"
#include "registry/text.h"

enum { PRIORITY_MAX = 100000 };

static const char *const kind_names[DYNSEC_KINDS] = {"publishClientSend", "publishClientReceive",
                                                     "subscribe", "unsubscribe"};

const cJSON *dynsec_member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItem(object, name);
}

/* Is it one of the words in `names`? */
static bool is_named(const char *name, const char *names)
{
    size_t length = strlen(name);
    for (const char *word = names; *word; word += *word == ' ') {
        size_t size = strcspn(word, " ");
        if (size == length && strncasecmp(word, name, size) == 0)
            return true;
        word += size;
    }
    return false;
}

bool dynsec_members(struct dynsec *dynsec, const cJSON *object, const char *who, const char *names)
{
    const cJSON *item;
    if (!cJSON_IsObject(object)) {
        dynsec_refuse(dynsec, "%s is no object", who);
        return false;
    }
    cJSON_ArrayForEach(item, object)
    {
        bool known = is_named(item->string, names);
        if (known && dynsec_member(object, item->string) == item)
            continue;
        dynsec_refuse(dynsec, "%s: member '%.40s' %s", who, item->string,
                      known ? "is there twice" : "is not known");
        return false;
    }
    return true;
}

const char *dynsec_text(struct dynsec *dynsec, const cJSON *object, const char *who,
                        const char *name, const char *otherwise)
{
    const cJSON *item = dynsec_member(object, name);
    if (!item && otherwise)
        return otherwise;
    if (!cJSON_IsString(item))
        dynsec_refuse(dynsec, item ? "%s: '%s' is no text" : "%s lacks '%s'", who, name);
    return cJSON_GetStringValue(item);
}

static bool bool_of(struct dynsec *dynsec, const cJSON *object, const char *who, const char *name,
                    bool otherwise)
{
    const cJSON *item = dynsec_member(object, name);
    if (item && !cJSON_IsBool(item))
        dynsec_refuse(dynsec, "%s: '%s' is neither true nor false", who, name);
    return item ? cJSON_IsTrue(item) : otherwise;
}

int dynsec_priority(struct dynsec *dynsec, const cJSON *object, const char *who, int otherwise)
{
    const cJSON *item = dynsec_member(object, "priority");
    if (!item)
        return otherwise;
    double value = cJSON_IsNumber(item) ? item->valuedouble : PRIORITY_MAX + 1;
    if (value < -PRIORITY_MAX || value > PRIORITY_MAX || value != (int)value) {
        dynsec_refuse(dynsec, "%s: 'priority' is no whole number from -%d to %d", who, PRIORITY_MAX,
                      PRIORITY_MAX);
        return otherwise;
    }
    return (int)value;
}

const cJSON *dynsec_list(struct dynsec *dynsec, const cJSON *object, const char *who,
                         const char *name)
{
    const cJSON *item = dynsec_member(object, name);
    if (item && !cJSON_IsArray(item))
        dynsec_refuse(dynsec, "%s: '%s' is no array", who, name);
    return item && cJSON_IsArray(item) ? item->child : NULL;
}

/* textname and textdescription, as far as a note can hold them. */
static char *note_of(struct dynsec *dynsec, const cJSON *object, const char *who)
{
    char note[NOTE_MAX + 1];
    const char *name = dynsec_text(dynsec, object, who, "textname", "");
    const char *description = dynsec_text(dynsec, object, who, "textdescription", "");
    if (!name || !description || (!*name && !*description))
        return NULL;
    size_t size = strlen(name) + strlen(description) + 3;
    char *whole = memory_get(size);
    snprintf(whole, size, "%s%s%s", name, *name && *description ? ": " : "", description);
    text_cut(note, NOTE_MAX, whole);
    free(whole);
    if (text_is_plain(note, NOTE_MAX))
        return migration_copy(note);
    dynsec_refuse(dynsec,
                  "%s: 'textname' or 'textdescription' is not UTF-8 or holds a control character",
                  who);
    return NULL;
}

/* 2.0 takes %u and %c for plain text, and writes none of these. */
bool dynsec_surely_2_1(const cJSON *tree)
{
    const cJSON *item;
    bool sure = dynsec_member(tree, "changeIndex");
    cJSON_ArrayForEach(item, dynsec_member(tree, "clients"))
    {
        sure = sure || dynsec_member(item, "encoded_password");
    }
    cJSON_ArrayForEach(item, dynsec_member(tree, "roles"))
    {
        sure = sure || dynsec_member(item, "allowwildcardsubs");
    }
    return sure;
}

void dynsec_read_defaults(struct dynsec *dynsec)
{
    static const char who[] = "defaultACLAccess";
    const cJSON *access = dynsec_member(dynsec->tree, who);
    if (access && dynsec_members(dynsec, access, who,
                                 "publishClientSend publishClientReceive subscribe unsubscribe")) {
        for (size_t kind = 0; kind < DYNSEC_KINDS; kind++)
            dynsec->allowed[kind] = bool_of(dynsec, access, who, kind_names[kind], false);
    }
    if (dynsec->allowed[DYNSEC_SEND] || dynsec->allowed[DYNSEC_SUBSCRIBE])
        dynsec_refuse(
            dynsec,
            "defaultACLAccess: %s is true: devreg allows nothing by default; set it to false in "
            "Mosquitto, and give a role what clients need",
            kind_names[dynsec->allowed[DYNSEC_SEND] ? DYNSEC_SEND : DYNSEC_SUBSCRIBE]);
}

/* As the plugin does, in any case. */
static bool read_type(struct dynsec_acl *acl)
{
    static const struct {
        const char *name;
        enum dynsec_kind kind;
        bool literal;
    } types[] = {{"publishClientSend", DYNSEC_SEND, false},
                 {"publishClientReceive", DYNSEC_RECEIVE, false},
                 {"subscribeLiteral", DYNSEC_SUBSCRIBE, true},
                 {"subscribePattern", DYNSEC_SUBSCRIBE, false},
                 {"unsubscribeLiteral", DYNSEC_UNSUBSCRIBE, true},
                 {"unsubscribePattern", DYNSEC_UNSUBSCRIBE, false}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcasecmp(acl->type, types[i].name) == 0) {
            acl->type = types[i].name;
            acl->kind = types[i].kind;
            acl->literal = types[i].literal;
            return true;
        }
    }
    return false;
}

static const char *topic_problem(const struct dynsec *dynsec, const struct dynsec_acl *acl)
{
    const char *problem =
        migration_filter_problem(acl->topic, true, acl->kind == DYNSEC_SEND && acl->allow);
    struct bound_filter bound;
    if (problem)
        return problem;
    if (acl->literal && acl->kind == DYNSEC_SUBSCRIBE && strpbrk(acl->topic, "+#"))
        return "it means this very filter, and in devreg all that it covers; use subscribePattern";
    if (acl->kind == DYNSEC_SUBSCRIBE && !acl->literal && strcmp(acl->topic, "/#") == 0 &&
        !dynsec->is_2_1)
        return "Mosquitto 2.0 takes it for '#' as well, 2.1 does not, and nothing says that this "
               "file is of 2.1: have 2.1 write it";
    if (acl->kind == DYNSEC_SUBSCRIBE && strcmp(acl->topic, "+/#") == 0)
        return "to devreg it is the same as '#', and not to every Mosquitto: write '#'";
    filter_bind(&bound, acl->topic, "");
    bool variables = strcmp(bound.text, acl->topic) != 0 || strstr(acl->topic, "%c");
    if (variables && !dynsec->is_2_1)
        return "Mosquitto 2.0 takes %u and %c for plain text, 2.1 does not, and nothing says that "
               "this file is of 2.1: have 2.1 write it";
    return variables && acl->literal ? "in a literal %u and %c stand for themselves" : NULL;
}

static void read_acl(struct dynsec *dynsec, struct dynsec_role *role, const cJSON *json,
                     const char *who, size_t number)
{
    struct dynsec_acl acl = {.number = number};
    if (!dynsec_members(dynsec, json, who, "acltype topic priority allow"))
        return;
    acl.type = dynsec_text(dynsec, json, who, "acltype", NULL);
    acl.topic = dynsec_text(dynsec, json, who, "topic", NULL);
    acl.allow = bool_of(dynsec, json, who, "allow", false);
    acl.priority = dynsec_priority(dynsec, json, who, 0);
    if (!acl.type || !acl.topic)
        return;
    if (!read_type(&acl)) {
        dynsec_refuse(dynsec, "%s: acltype '%.40s' is not known", who, acl.type);
        return;
    }
    const char *problem = topic_problem(dynsec, &acl);
    if (problem)
        dynsec_refuse(dynsec, "%s (%s '%.100s'): %s", who, acl.type, acl.topic, problem);
    for (size_t i = 0; i < role->count; i++) {
        if (strcmp(role->acls[i].type, acl.type) == 0 &&
            strcmp(role->acls[i].topic, acl.topic) == 0)
            dynsec_refuse(dynsec, "%s: %s '%.100s' is there twice", who, acl.type, acl.topic);
    }
    role->acls[role->count++] = acl;
}

/* The order in which the plugin asks. */
static int acl_order(const void *a, const void *b)
{
    const struct dynsec_acl *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->literal != y->literal)
        return x->literal ? -1 : 1;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static void read_acls(struct dynsec *dynsec, size_t number, const cJSON *json, const char *who)
{
    struct dynsec_role *role = &dynsec->roles[number];
    char which[DYNSEC_WHO + 32];
    const cJSON *acl = dynsec_list(dynsec, json, who, "acls");
    size_t count = (size_t)cJSON_GetArraySize(dynsec_member(json, "acls"));
    role->acls = memory_get((count + 1) * sizeof *role->acls);
    role->count = 0;
    for (size_t at = 1; acl; acl = acl->next, at++) {
        snprintf(which, sizeof which, "%s, ACL %zu", who, at);
        read_acl(dynsec, role, acl, which, at);
    }
    for (size_t i = 0; i < role->count; i++)
        role->acls[i].role = dynsec->migration->role_names.names[number];
    qsort(role->acls, role->count, sizeof *role->acls, acl_order);
}

static void read_role(struct dynsec *dynsec, const cJSON *json)
{
    char who[DYNSEC_WHO];
    struct migration *migration = dynsec->migration;
    if (!dynsec_members(dynsec, json, "a role",
                        "rolename textname textdescription allowwildcardsubs acls"))
        return;
    const char *name = dynsec_text(dynsec, json, "a role", "rolename", NULL);
    size_t number = name ? migration_add_role(migration, dynsec->place, name) : NAME_NONE;
    if (number == NAME_NONE)
        return;
    snprintf(who, sizeof who, "role '%s'", name);
    dynsec->roles[number] = (struct dynsec_role){.held = false};
    migration->roles[number].note = note_of(dynsec, json, who);
    if (!bool_of(dynsec, json, who, "allowwildcardsubs", true))
        dynsec_refuse(dynsec,
                      "%s: allowwildcardsubs is false: devreg has no rule against wildcards alone",
                      who);
    read_acls(dynsec, number, json, who);
}

void dynsec_read_roles(struct dynsec *dynsec)
{
    const cJSON *role = dynsec_list(dynsec, dynsec->tree, "the file", "roles");
    size_t count = (size_t)cJSON_GetArraySize(dynsec_member(dynsec->tree, "roles"));
    dynsec->roles = memory_get((count + 1) * sizeof *dynsec->roles);
    for (; role; role = role->next)
        read_role(dynsec, role);
}

/* 2.1 writes one text, 2.0 its three parts. */
static void read_password(struct dynsec *dynsec, size_t user, const cJSON *json, const char *who)
{
    char text[PASSWORD_HASH_MAX + 2];
    const char *hash = dynsec_text(dynsec, json, who, "encoded_password", "");
    const char *salt = dynsec_text(dynsec, json, who, "salt", "");
    const char *password = dynsec_text(dynsec, json, who, "password", "");
    const cJSON *rounds = dynsec_member(json, "iterations");
    if (!hash || !salt || !password)
        return;
    if (!*hash && (*salt || *password || rounds)) {
        snprintf(text, sizeof text, "$7$%.0f$%s$%s",
                 cJSON_IsNumber(rounds) ? rounds->valuedouble : 0, salt, password);
        hash = text;
    }
    if (*hash)
        (void)migration_take_hash(dynsec->migration, user, dynsec->place, hash);
    crypto_wipe(text, sizeof text);
}

/* The one client id that it may use. */
static void read_client_id(struct dynsec *dynsec, size_t user, const cJSON *json, const char *who)
{
    const char *id = dynsec_text(dynsec, json, who, "clientid", "");
    bool word =
        id && (strcmp(id, "any") == 0 || strcmp(id, "device") == 0 || strcmp(id, "prefix") == 0);
    if (!id || !dynsec_member(json, "clientid"))
        return;
    if (word || strchr(id, '*') || strstr(id, "%u") || !client_id_pattern_valid(id))
        dynsec_refuse(
            dynsec,
            "%s: clientid '%.100s' cannot be the pattern of its client ids: see 'devreg set "
            "--client-id'",
            who, id);
    else
        dynsec->migration->users[user].client_id = migration_copy(id);
}

static void read_client(struct dynsec *dynsec, const cJSON *json)
{
    char who[DYNSEC_WHO];
    struct migration *migration = dynsec->migration;
    if (!dynsec_members(dynsec, json, "a client",
                        "username clientid textname textdescription disabled roles password salt "
                        "iterations encoded_password"))
        return;
    const char *name = dynsec_text(dynsec, json, "a client", "username", NULL);
    size_t number = name ? migration_add_user(migration, dynsec->place, name) : NAME_NONE;
    if (number == NAME_NONE)
        return;
    snprintf(who, sizeof who, "client '%s'", name);
    migration->users[number].disabled = bool_of(dynsec, json, who, "disabled", false);
    migration->users[number].note = note_of(dynsec, json, who);
    read_client_id(dynsec, number, json, who);
    read_password(dynsec, number, json, who);
}

void dynsec_read_clients(struct dynsec *dynsec)
{
    const cJSON *client = dynsec_list(dynsec, dynsec->tree, "the file", "clients");
    for (; client; client = client->next)
        read_client(dynsec, client);
}
