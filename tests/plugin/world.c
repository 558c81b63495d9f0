#include "tests/plugin/world.h"

#include <stdio.h>
#include <string.h>

#define PICK(rng, array) array[rng_below(rng, sizeof(array) / sizeof *(array))]

enum {
    GRACE_CREDENTIALS = 6, /* then the old ones end at once */
    FAR = 1000000000       /* ms */
};

/* The world is right, or the test is wrong. */
static void must(enum err e)
{
    if (e) {
        (void)fprintf(stderr, "world: %s\n", err_text(e));
        abort();
    }
}

void world_keys_make(struct world_keys *keys)
{
    for (size_t i = 0; i < WORLD_KEYS; i++)
        key_generate(keys->text[i]);
}

void world_name(char name[static DEVICE_ID_MAX + 1], char letter, size_t at)
{
    (void)snprintf(name, DEVICE_ID_MAX + 1, "%c%zu", letter, at);
}

size_t world_place(const char *name)
{
    for (size_t i = 0; i < WORLD_DEVICES; i++) {
        char device[DEVICE_ID_MAX + 1];
        world_name(device, 'd', i);
        if (strcmp(device, name) == 0)
            return i;
    }
    return WORLD_DEVICES;
}

static void role_begin(struct world *world, size_t at)
{
    char name[DEVICE_ID_MAX + 1];
    world_name(name, 'r', at);
    role_init(&world->roles[at], name);
    world->role_there[at] = true;
}

void world_init(struct world *world, size_t device_count, int64_t now)
{
    memset(world, 0, sizeof *world);
    world->device_count = device_count;
    world->now = now;
    role_begin(world, 0);
}

void world_clear(struct world *world)
{
    for (size_t i = 0; i < WORLD_DEVICES; i++) {
        if (world->device_there[i])
            device_clear(&world->devices[i]);
    }
    for (size_t i = 0; i < WORLD_ROLES; i++) {
        if (world->role_there[i])
            role_clear(&world->roles[i]);
    }
    memset(world, 0, sizeof *world);
}

void world_copy(struct world *to, const struct world *from)
{
    *to = *from;
    for (size_t i = 0; i < WORLD_DEVICES; i++) {
        to->devices[i].rules = (struct rules){0};
        if (to->device_there[i])
            must(rules_copy(&to->devices[i].rules, &from->devices[i].rules));
    }
    for (size_t i = 0; i < WORLD_ROLES; i++) {
        to->roles[i].rules = (struct rules){0};
        if (to->role_there[i])
            must(rules_copy(&to->roles[i].rules, &from->roles[i].rules));
    }
}

/* Topics and rules: so few words that they meet. */

static void levels_draw(struct rng *rng, char *text, const char *const *levels, size_t count,
                        bool hash)
{
    text[0] = '\0';
    for (size_t left = 1 + rng_below(rng, 3); left > 0; left--) {
        bool ends = hash && left == 1 && rng_percent(rng, 40);
        strcat(text, ends ? "#" : levels[rng_below(rng, count)]);
        strcat(text, left > 1 ? "/" : "");
    }
}

void topic_draw(struct rng *rng, char topic[static WORLD_TOPIC_MAX], bool filter)
{
    static const char *const names[] = {"a",  "b",  "c",    "a",  "b",
                                        "d1", "d2", "d3.0", "$x", "devreg"};
    static const char *const filters[] = {"a", "b", "c", "+", "+", "d1", "$x", "devreg"};
    char rest[WORLD_TOPIC_MAX / 2];
    if (filter)
        levels_draw(rng, rest, filters, sizeof filters / sizeof *filters, true);
    else
        levels_draw(rng, rest, names, sizeof names / sizeof *names, false);
    bool share = filter && rng_percent(rng, 10);
    (void)snprintf(topic, WORLD_TOPIC_MAX, "%s%s", share ? "$share/g/" : "", rest);
}

static void rule_draw(struct rng *rng, struct rules *rules)
{
    static const char *const levels[] = {"a", "b", "c", "+", "+", "%u", "%c", "%{s}", "$x"};
    char filter[WORLD_TOPIC_MAX];
    enum action action = (enum action)(1 + rng_below(rng, 3));
    if (rules->count && rng_percent(rng, 40)) {
        const struct rule *old = &rules->items[rng_below(rng, rules->count)];
        (void)snprintf(filter, sizeof filter, "%s", old->filter);
        must(rules_unset(rules, old->action, filter));
        return;
    }
    levels_draw(rng, filter, levels, sizeof levels / sizeof *levels, true);
    enum effect effect = rng_percent(rng, 25) ? EFFECT_DENY : EFFECT_ALLOW;
    enum err e = rules_set(rules, effect, action, filter, NULL);
    must(e == ERR_EXISTS ? ERR_OK : e);
}

/* What may happen to a device that is there. */

/* Another one than those that the device has. */
static void key_add(struct world *world, struct device *device)
{
    size_t at = (size_t)(device - world->devices);
    struct credential *key = device_new_credential(device, CREDENTIAL_KEY, world->now);
    must(key ? ERR_OK : ERR_TOO_MANY);
    key->secret_size = 1;
    key->secret[0] = (uint8_t)((at + key->id) % WORLD_KEYS);
}

/* admin/cmd_key.c */
static void rotate(struct rng *rng, struct world *world, struct device *device)
{
    static const int64_t graces[] = {0, 50, 500, 100000};
    int64_t grace = PICK(rng, graces);
    bool until_used = rng_percent(rng, 50);
    if (device->credential_count >= GRACE_CREDENTIALS)
        grace = 0;
    if (world->timeless) {
        grace = grace ? FAR : 0;
        until_used = false;
    }
    for (size_t i = device->credential_count; i-- > 0;) {
        struct credential *key = &device->credentials[i];
        if (grace == 0) {
            device_drop_credential(device, i);
            continue;
        }
        if (!key->expires || key->expires > world->now + grace)
            key->expires = world->now + grace;
        if (until_used)
            key->ended_by = device->next_credential;
    }
    key_add(world, device);
}

static void expiry_draw(struct rng *rng, struct world *world, struct device *device)
{
    static const int64_t spans[] = {-1000, 20, 100, 500, 5000, 1000000};
    int64_t span = PICK(rng, spans);
    if (world->timeless && span > 0)
        span = FAR;
    device->expires = rng_percent(rng, 40) ? 0 : world->now + span;
}

static void roles_draw(struct rng *rng, const struct world *world, struct device *device)
{
    size_t at = rng_below(rng, WORLD_ROLES);
    char name[DEVICE_ID_MAX + 1];
    world_name(name, 'r', at);
    if (device_remove_role(device, name) == ERR_NOT_FOUND && world->role_there[at])
        must(device_add_role(device, name));
}

static void attribute_draw(struct rng *rng, struct device *device)
{
    static const char *const values[] = {"a", "b", "c", "", "a/b", "+", "$x"};
    if (!device->attribute_count || rng_percent(rng, 80))
        must(device_set_attribute(device, "s", PICK(rng, values)));
    else
        must(device_unset_attribute(device, "s"));
}

static void pattern_draw(struct rng *rng, struct device *device)
{
    static const char *const patterns[] = {"", "", "%u*", "*.0"};
    strcpy(device->client_id, PICK(rng, patterns));
}

static void revoke(struct device *device)
{
    device->state = DEVICE_REVOKED;
    device_drop_credentials(device);
}

static enum log_verb device_edit(struct rng *rng, struct world *world, struct device *device)
{
    bool revoked = device->state == DEVICE_REVOKED;
    size_t dice = rng_below(rng, 100);
    if (dice < 12 && !revoked) {
        device->state = device->state == DEVICE_ENABLED ? DEVICE_DISABLED : DEVICE_ENABLED;
        return device->state == DEVICE_ENABLED ? LOG_ENABLE : LOG_DISABLE;
    }
    if (dice < 16) {
        revoke(device);
        return LOG_REVOKE;
    }
    if (dice < 30 && !revoked) {
        rotate(rng, world, device);
        return LOG_ROTATE;
    }
    if (dice < 60) {
        rule_draw(rng, &device->rules);
        return LOG_RULE;
    }
    if (dice < 68)
        expiry_draw(rng, world, device);
    else if (dice < 84)
        roles_draw(rng, world, device);
    else if (dice < 97)
        attribute_draw(rng, device);
    else
        pattern_draw(rng, device);
    return LOG_SET;
}

static void device_begin(struct rng *rng, struct world *world, size_t at)
{
    struct device *device = &world->devices[at];
    char name[DEVICE_ID_MAX + 1];
    world_name(name, 'd', at);
    device_init(device, name);
    device->generation = ++world->generation;
    device->created = world->now;
    key_add(world, device);
    for (size_t rules = rng_below(rng, 4); rules > 0; rules--)
        rule_draw(rng, &device->rules);
    for (size_t roles = rng_below(rng, 3); roles > 0; roles--)
        roles_draw(rng, world, device);
    attribute_draw(rng, device);
    world->device_there[at] = true;
}

/* Changes. */

static void change_put(struct change *change, enum change_what what, bool role, size_t at)
{
    must(change->count < CHANGE_PUTS ? ERR_OK : ERR_TOO_MANY);
    change->puts[change->count].what = what;
    change->puts[change->count].role = role;
    change->puts[change->count++].at = at;
}

/* One that `change` does not hold yet. */
static size_t place_draw(struct rng *rng, const struct world *world, const struct change *change)
{
    size_t at = rng_below(rng, world->device_count);
    for (size_t i = 0; i < change->count; i++) {
        if (change->puts[i].at == at)
            return world->device_count;
    }
    return at;
}

static enum log_verb device_draw(struct rng *rng, struct world *world, size_t at,
                                 struct change *change)
{
    if (!world->device_there[at]) {
        device_begin(rng, world, at);
        change_put(change, CHANGE_ADD, false, at);
        return LOG_ADD;
    }
    bool revoked = world->devices[at].state == DEVICE_REVOKED;
    if (rng_percent(rng, revoked ? 40 : 4)) {
        device_clear(&world->devices[at]);
        world->device_there[at] = false;
        change_put(change, CHANGE_REMOVE, false, at);
        return LOG_REMOVE;
    }
    change_put(change, CHANGE_PUT, false, at);
    return device_edit(rng, world, &world->devices[at]);
}

static bool role_held(const struct world *world, size_t at)
{
    for (size_t i = 0; i < WORLD_DEVICES; i++) {
        const struct device *device = &world->devices[i];
        for (size_t n = 0; world->device_there[i] && n < device->role_count; n++) {
            if (strcmp(device->roles[n], world->roles[at].name) == 0)
                return true;
        }
    }
    return false;
}

static enum log_verb role_draw(struct rng *rng, struct world *world, size_t at,
                               struct change *change)
{
    if (!world->role_there[at]) {
        role_begin(world, at);
        change_put(change, CHANGE_ADD, true, at);
        return LOG_ADD;
    }
    if (rng_percent(rng, 10) && !role_held(world, at)) {
        role_clear(&world->roles[at]);
        world->role_there[at] = false;
        change_put(change, CHANGE_REMOVE, true, at);
        return LOG_REMOVE;
    }
    change_put(change, CHANGE_PUT, true, at);
    rule_draw(rng, &world->roles[at].rules);
    return LOG_RULE;
}

static void bulk_draw(struct rng *rng, struct world *world, struct change *change)
{
    change->verb = LOG_IMPORT;
    change->kind = LOG_BULK;
    for (size_t left = 1 + rng_below(rng, CHANGE_PUTS); left > 0; left--) {
        size_t at = place_draw(rng, world, change);
        if (at < world->device_count)
            (void)device_draw(rng, world, at, change);
    }
}

void change_draw(struct rng *rng, struct world *world, bool bulk, struct change *change)
{
    *change = (struct change){.count = 0};
    if (bulk && rng_percent(rng, 2)) {
        bulk_draw(rng, world, change);
        return;
    }
    bool role = rng_percent(rng, 25);
    size_t at = rng_below(rng, role ? WORLD_ROLES : world->device_count);
    change->heap = bulk && rng_percent(rng, 1) ? CHANGE_HEAP : 0;
    change->kind = role ? LOG_ROLE : LOG_DEVICE;
    world_name(change->subject, role ? 'r' : 'd', at);
    change->verb = role ? role_draw(rng, world, at, change) : device_draw(rng, world, at, change);
}

/* The registry. */

static enum err device_store(struct registry *registry, const struct device *device,
                             const struct world_keys *keys, bool new)
{
    struct device copy = *device;
    for (size_t i = 0; i < copy.credential_count; i++) {
        struct credential *key = &copy.credentials[i];
        const char *text = keys->text[key->secret[0]];
        key->secret_size = KEY_HASH_SIZE;
        key_hash(key->secret, text, copy.id, key->id, registry_secret(registry));
    }
    enum err e = new ? registry_add_device(registry, &copy) : registry_put_device(registry, &copy);
    return !e && copy.generation != device->generation ? ERR_IO : e;
}

/* A version of 0 is a new one. */
static enum err role_store(struct registry *registry, const struct role *role, bool new)
{
    struct role copy = *role;
    copy.version = new ? 0 : 1;
    return registry_put_role(registry, &copy);
}

static enum err put_store(struct registry *registry, const struct world *world,
                          const struct world_keys *keys, const struct change *change, size_t i)
{
    size_t at = change->puts[i].at;
    bool role = change->puts[i].role, new = change->puts[i].what == CHANGE_ADD;
    char name[DEVICE_ID_MAX + 1];
    world_name(name, role ? 'r' : 'd', at);
    if (change->puts[i].what == CHANGE_REMOVE)
        return role ? registry_remove_role(registry, name) : registry_remove_device(registry, name);
    return role ? role_store(registry, &world->roles[at], new)
                : device_store(registry, &world->devices[at], keys, new);
}

bool change_store(struct registry *registry, const struct world *world,
                  const struct world_keys *keys, const struct change *change)
{
    enum err e = registry_write(registry, "tester", world->now);
    for (size_t i = 0; !e && i < change->count; i++)
        e = put_store(registry, world, keys, change, i);
    if (e) {
        registry_end(registry);
        return false;
    }
    for (size_t i = 0; i < change->heap; i++)
        registry_log(registry, LOG_SET, LOG_DEVICE, "nobody", "");
    registry_log(registry, change->verb, change->kind, change->subject, "");
    return registry_commit(registry) == ERR_OK;
}

bool world_store(struct registry *registry, const struct world *world)
{
    const struct change first = {.verb = LOG_ADD,
                                 .kind = LOG_ROLE,
                                 .subject = "r0",
                                 .count = 1,
                                 .puts = {{CHANGE_ADD, true, 0}}};
    return change_store(registry, world, NULL, &first);
}
