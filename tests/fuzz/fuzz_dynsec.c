/* fuzz_dynsec.c - a dynamic-security.json.
 *
 * Where nothing is refused, each client may publish, subscribe and is handed what Mosquitto's
 * plugin lets it, on all topics and filters that the file's have to do with. How that decides is
 * written down once more here, from admin/dynsec.h and Mosquitto 2.1. */
#include <strings.h>

#include "tests/fuzz/migrated.h"
#include "tests/fuzz/samples.h"

enum { ORDER_MAX = 40, FILTERS_MAX = 40, CLIENTS_ASKED = 3 };

static struct memory_file file;

/* ---- the roles of a client, in the order in which they are asked */

struct order {
    size_t count;
    const cJSON *roles[ORDER_MAX];
};

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItem(object, name);
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(member(object, name));
    return text ? text : "";
}

static int priority_of(const cJSON *object, int otherwise)
{
    const cJSON *priority = member(object, "priority");
    return priority ? (int)priority->valuedouble : otherwise;
}

static const cJSON *find(const cJSON *array, const char *key, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        if (strcmp(text_of(item, key), name) == 0)
            return item;
    }
    return NULL;
}

/* Does `a` come before `b`: by priority, then by name? */
static bool before(int a_priority, const char *a, int b_priority, const char *b)
{
    return a_priority != b_priority ? a_priority > b_priority : strcmp(a, b) < 0;
}

/* The first of `list`'s that comes behind the one before; NULL for none left. */
static const cJSON *next_role(const cJSON *list, const cJSON *last)
{
    const cJSON *item, *found = NULL;
    cJSON_ArrayForEach(item, list)
    {
        int priority = priority_of(item, -1);
        const char *name = text_of(item, "rolename");
        bool behind =
            !last || before(priority_of(last, -1), text_of(last, "rolename"), priority, name);
        if (behind && item != last &&
            (!found || before(priority, name, priority_of(found, -1), text_of(found, "rolename"))))
            found = item;
    }
    return found;
}

static void add_roles(struct order *order, const cJSON *tree, const cJSON *list)
{
    const cJSON *last = NULL;
    while ((last = next_role(list, last))) {
        HOLDS(order->count < ORDER_MAX);
        order->roles[order->count] =
            find(member(tree, "roles"), "rolename", text_of(last, "rolename"));
        HOLDS(order->roles[order->count++]);
    }
}

/* The group that comes behind the one before, of those that the client is in. */
static const cJSON *next_group(const cJSON *tree, const char *client, const cJSON *last)
{
    const cJSON *group, *found = NULL;
    int last_priority = 0, found_priority = 0;
    if (last)
        last_priority = priority_of(find(member(last, "clients"), "username", client), -1);
    cJSON_ArrayForEach(group, member(tree, "groups"))
    {
        const cJSON *self = find(member(group, "clients"), "username", client);
        const char *name = text_of(group, "groupname");
        int priority = priority_of(self, -1);
        if (!self || group == last ||
            (last && !before(last_priority, text_of(last, "groupname"), priority, name)))
            continue;
        if (found && !before(priority, name, found_priority, text_of(found, "groupname")))
            continue;
        found = group;
        found_priority = priority;
    }
    return found;
}

static void make_order(struct order *order, const cJSON *tree, const char *client)
{
    const cJSON *group = NULL;
    order->count = 0;
    add_roles(order, tree, member(find(member(tree, "clients"), "username", client), "roles"));
    while ((group = next_group(tree, client, group)))
        add_roles(order, tree, member(group, "roles"));
}

/* ---- what it decides */

static void bind(struct plain *filter, const char *text, const char *client)
{
    plain_split(filter, text);
    for (size_t i = 0; i < filter->count; i++) {
        struct plain_level *level = &filter->levels[i];
        if (plain_is(level, "%u"))
            *level = (struct plain_level){PLAIN_TEXT, client, strlen(client)};
        else if (plain_is(level, "%c"))
            *level = (struct plain_level){PLAIN_TEXT, CLIENT_ID, strlen(CLIENT_ID)};
    }
}

static bool acl_applies(const cJSON *acl, const char *type, const char *client, const char *topic)
{
    static struct plain filter, asked;
    if (strcasecmp(text_of(acl, "acltype"), type) != 0)
        return false;
    if (strcmp(type, "subscribeLiteral") == 0)
        return strcmp(text_of(acl, "topic"), topic) == 0;
    bind(&filter, text_of(acl, "topic"), client);
    plain_split(&asked, topic);
    return strcmp(type, "subscribePattern") == 0 ? plain_covers(&filter, &asked)
                                                 : plain_matches(&filter, &asked);
}

/* The ACL of that kind that decides in this role: of the highest priority, and of these the first.
 */
static const cJSON *role_decides(const cJSON *role, const char *type, const char *client,
                                 const char *topic)
{
    const cJSON *acl, *found = NULL;
    cJSON_ArrayForEach(acl, member(role, "acls"))
    {
        if (acl_applies(acl, type, client, topic) &&
            (!found || priority_of(acl, 0) > priority_of(found, 0)))
            found = acl;
    }
    return found;
}

/* `literal` is asked first in each role; NULL for none. */
static bool mosquitto_allows(const cJSON *tree, const struct order *order, const char *client,
                             const char *literal, const char *type, const char *defaults,
                             const char *topic)
{
    for (size_t i = 0; i < order->count; i++) {
        const cJSON *acl = literal ? role_decides(order->roles[i], literal, client, topic) : NULL;
        if (!acl)
            acl = role_decides(order->roles[i], type, client, topic);
        if (acl)
            return cJSON_IsTrue(member(acl, "allow"));
    }
    return cJSON_IsTrue(member(member(tree, "defaultACLAccess"), defaults));
}

/* ---- compared */

struct asked {
    const cJSON *tree;
    struct order order;
    struct rights rights;
    struct samples samples;
};

static bool may_receive(const struct asked *asked, const char *topic)
{
    return mosquitto_allows(asked->tree, &asked->order, asked->rights.device, NULL,
                            "publishClientReceive", "publishClientReceive", topic);
}

static void check_filter(const struct asked *asked, const char *wanted)
{
    static struct plain filter, name;
    bool granted = mosquitto_allows(asked->tree, &asked->order, asked->rights.device,
                                    "subscribeLiteral", "subscribePattern", "subscribe", wanted);
    HOLDS(rights_allow(&asked->rights, QUESTION_SUBSCRIBE, wanted) == granted);
    plain_split(&filter, wanted);
    for (size_t i = 0; i < asked->samples.count && granted; i++) {
        const char *topic = asked->samples.text[i];
        if (!topic_name_valid(topic))
            continue;
        plain_split(&name, topic);
        if (plain_matches(&filter, &name))
            HOLDS(rights_allow(&asked->rights, QUESTION_DELIVER, topic) ==
                  may_receive(asked, topic));
    }
}

static void check_publish(const struct asked *asked, const char *topic)
{
    bool allowed = mosquitto_allows(asked->tree, &asked->order, asked->rights.device, NULL,
                                    "publishClientSend", "publishClientSend", topic);
    HOLDS(rights_allow(&asked->rights, QUESTION_PUBLISH, topic) == allowed);
}

static size_t collect(char **filters, const cJSON *tree)
{
    const cJSON *role, *acl;
    size_t count = 0;
    cJSON_ArrayForEach(role, member(tree, "roles"))
    {
        cJSON_ArrayForEach(acl, member(role, "acls"))
        {
            if (count < FILTERS_MAX)
                filters[count++] = cJSON_GetStringValue(member(acl, "topic"));
        }
    }
    return count;
}

static void check_client(const struct migration *migration, const cJSON *tree, size_t number)
{
    static struct asked asked;
    char *filters[FILTERS_MAX];
    asked.tree = tree;
    rights_begin(&asked.rights, migration, number);
    make_order(&asked.order, tree, asked.rights.device);
    samples_make(&asked.samples, filters, collect(filters, tree), asked.rights.device, CLIENT_ID);
    for (size_t i = 0; i < asked.samples.count; i++) {
        const char *topic = asked.samples.text[i];
        if (topic_name_valid(topic))
            check_publish(&asked, topic);
        if (topic_filter_valid(topic))
            check_filter(&asked, topic);
    }
    rights_end(&asked.rights);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_init();
    memory_file_open(&file);
    return crypto_init() == ERR_OK ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct migrated migrated;
    const struct migration *migration = &migrated.migration;
    if (size > FUZZ_INPUT_MAX / 2)
        return 0;
    memory_file_set(&file, data, size);
    migrated_read(&migrated, &file, migrate_dynsec);
    char *text = input_copy(data, size);
    cJSON *tree = migration->refused_count ? NULL : json_parse(text);
    for (size_t i = 0; tree && i < migration->user_names.count && i < CLIENTS_ASKED; i++)
        check_client(migration, tree, i);
    cJSON_Delete(tree);
    free(text);
    migration_clear(&migrated.migration);
    return 0;
}
