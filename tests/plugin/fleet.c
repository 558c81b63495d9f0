#include "tests/plugin/fleet.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { GRACE_KEYS = 4 }; /* with more of them the old ones end at once */

static void must(enum err e)
{
    if (e) {
        (void)fprintf(stderr, "fleet: %s\n", err_text(e));
        abort();
    }
}

void fleet_init(struct fleet *fleet)
{
    memset(fleet, 0, sizeof *fleet);
    for (size_t i = 0; i < FLEET_DEVICES; i++)
        (void)snprintf(fleet->devices[i].id, FLEET_ID_MAX, "d%zu", i);
}

/* What is noted follows what is registered: the keys' texts by their ids. */
static void note(struct fleet_device *noted, const struct device *device)
{
    struct fleet_key before[CREDENTIALS_MAX];
    memcpy(before, noted->keys, sizeof before);
    noted->state = device->state;
    noted->expires = device->expires;
    noted->key_count = device->credential_count;
    for (size_t i = 0; i < device->credential_count; i++) {
        const struct credential *credential = &device->credentials[i];
        struct fleet_key *key = &noted->keys[i];
        for (size_t n = 0; n < CREDENTIALS_MAX; n++) {
            if (before[n].id == credential->id)
                *key = before[n];
        }
        key->expires = credential->expires;
        key->was_ended_by = key->ended_by;
        key->ended_by = credential->ended_by;
    }
    const char *site = attribute_find(device->attributes, device->attribute_count, "site");
    noted->has_site = site != NULL;
    (void)snprintf(noted->site, sizeof noted->site, "%s", site ? site : "");
}

/* A new key at the end; its text is noted where note() finds it. */
static void key_add(struct fleet_device *noted, struct device *device,
                    const struct registry *registry, int64_t now)
{
    struct credential *key = device_new_credential(device, CREDENTIAL_KEY, now);
    must(key ? ERR_OK : ERR_TOO_MANY);
    size_t free = 0;
    for (size_t i = 0; i < CREDENTIALS_MAX; i++) {
        bool kept = false;
        for (size_t n = 0; n < device->credential_count; n++)
            kept |= device->credentials[n].id == noted->keys[i].id && noted->keys[i].id;
        if (!kept)
            free = i;
    }
    struct fleet_key *place = &noted->keys[free];
    *place = (struct fleet_key){.id = key->id};
    key_generate(place->text);
    key->secret_size = KEY_HASH_SIZE;
    key_hash(key->secret, place->text, device->id, key->id, registry_secret(registry));
}

static void commit(struct registry *registry, enum log_verb verb, const char *device)
{
    registry_log(registry, verb, LOG_DEVICE, device, "");
    must(registry_commit(registry));
}

static const char *add(struct fleet_device *noted, struct registry *registry, struct rng *rng,
                       int64_t now)
{
    struct device device;
    device_init(&device, noted->id);
    memset(noted->keys, 0, sizeof noted->keys);
    memset(noted->used, 0, sizeof noted->used);
    key_add(noted, &device, registry, now);
    must(device_add_role(&device, DEFAULT_ROLE));
    if (rng_percent(rng, 50))
        must(device_set_attribute(&device, "site", "a"));
    must(registry_write(registry, "tester", now));
    must(registry_add_device(registry, &device));
    commit(registry, LOG_ADD, noted->id);
    noted->there = true;
    noted->generation = device.generation;
    note(noted, &device);
    device_clear(&device);
    return "add";
}

static const char *drop(struct fleet_device *noted, struct registry *registry, int64_t now)
{
    must(registry_write(registry, "tester", now));
    must(registry_remove_device(registry, noted->id));
    commit(registry, LOG_REMOVE, noted->id);
    noted->there = false;
    return "remove";
}

/* admin/cmd_key.c */
static const char *rotate(struct fleet_device *noted, struct device *device,
                          const struct registry *registry, struct rng *rng, int64_t now)
{
    static const int64_t graces[] = {0, 300, 5000, 1000000};
    int64_t grace = graces[rng_below(rng, COUNT(graces))];
    bool until_used = rng_percent(rng, 50);
    if (device->credential_count >= GRACE_KEYS)
        grace = 0;
    for (size_t i = device->credential_count; i-- > 0;) {
        struct credential *key = &device->credentials[i];
        if (!grace) {
            device_drop_credential(device, i);
            continue;
        }
        if (!key->expires || key->expires > now + grace)
            key->expires = now + grace;
        if (until_used)
            key->ended_by = device->next_credential;
    }
    key_add(noted, device, registry, now);
    return grace ? "rotate with a grace" : "rotate";
}

static const char *expire(struct device *device, struct rng *rng, int64_t now)
{
    static const int64_t spans[] = {-1000, 100, 700, 5000, 1000000};
    device->expires = rng_percent(rng, 40) ? 0 : now + spans[rng_below(rng, COUNT(spans))];
    return device->expires ? "expire" : "expire never";
}

static const char *attribute(struct device *device, struct rng *rng)
{
    static const char *const values[] = {"a", "b", "kiel", "", "x/y", "+", "$x"};
    if (!device->attribute_count || rng_percent(rng, 80))
        must(device_set_attribute(device, "site", values[rng_below(rng, COUNT(values))]));
    else
        must(device_unset_attribute(device, "site"));
    return "set site";
}

/* What is done to one that is there. */
static const char *edit(struct fleet_device *noted, struct device *device,
                        const struct registry *registry, struct rng *rng, int64_t now)
{
    size_t dice = rng_below(rng, 100);
    if (device->state == DEVICE_REVOKED)
        return attribute(device, rng);
    if (dice < 40 || device->state == DEVICE_DISABLED) {
        bool off = device->state == DEVICE_ENABLED;
        device->state = off ? DEVICE_DISABLED : DEVICE_ENABLED;
        return off ? "disable" : "enable";
    }
    if (dice < 50) {
        device->state = DEVICE_REVOKED;
        device_drop_credentials(device);
        return "revoke";
    }
    if (dice < 65)
        return rotate(noted, device, registry, rng, now);
    if (dice < 75 || (device->expires && now >= device->expires))
        return expire(device, rng, now);
    return attribute(device, rng);
}

static enum log_verb verb_of(const char *what)
{
    static const struct {
        const char *what;
        enum log_verb verb;
    } verbs[] = {{"disable", LOG_DISABLE},
                 {"enable", LOG_ENABLE},
                 {"revoke", LOG_REVOKE},
                 {"rotate", LOG_ROTATE},
                 {"rotate with a grace", LOG_ROTATE}};
    for (size_t i = 0; i < COUNT(verbs); i++) {
        if (strcmp(verbs[i].what, what) == 0)
            return verbs[i].verb;
    }
    return LOG_SET;
}

const char *fleet_change(struct fleet *fleet, struct registry *registry, struct rng *rng, size_t at,
                         int64_t now)
{
    struct fleet_device *noted = &fleet->devices[at];
    struct device device;
    if (!noted->there)
        return add(noted, registry, rng, now);
    if (rng_percent(rng, noted->state == DEVICE_REVOKED ? 60 : 15))
        return drop(noted, registry, now);
    must(registry_write(registry, "tester", now));
    must(registry_get_device(registry, noted->id, &device));
    const char *what = edit(noted, &device, registry, rng, now);
    must(registry_put_device(registry, &device));
    commit(registry, verb_of(what), noted->id);
    note(noted, &device);
    device_clear(&device);
    return what;
}

void fleet_use(struct fleet_device *device, uint32_t credential)
{
    if (credential < FLEET_USED)
        device->used[credential] = true;
}

static const struct fleet_key *key_find(const struct fleet_device *device, uint32_t id)
{
    for (size_t i = 0; i < device->key_count; i++) {
        if (device->keys[i].id == id)
            return &device->keys[i];
    }
    return NULL;
}

bool fleet_ended_by(const struct fleet_device *device, uint32_t credential, uint32_t other)
{
    const struct fleet_key *key = key_find(device, credential);
    return key && key->ended_by && key->ended_by == other;
}

static bool is_used(const struct fleet_device *device, uint32_t credential)
{
    return credential && credential < FLEET_USED && device->used[credential];
}

unsigned fleet_why(const struct fleet_device *device, uint64_t generation, uint32_t credential,
                   int64_t now)
{
    const struct fleet_key *key = key_find(device, credential);
    unsigned causes = 0;
    if (!device->there || device->generation != generation)
        return 1u << MODEL_UNTOLD;
    if (device->state == DEVICE_REVOKED)
        return 1u << MODEL_REVOKED; /* its keys are gone as well */
    if (device->state == DEVICE_DISABLED)
        causes |= 1u << MODEL_DISABLED;
    if (!key || (device->expires && now >= device->expires) ||
        (key->expires && now >= key->expires) || is_used(device, key->ended_by) ||
        is_used(device, key->was_ended_by))
        causes |= 1u << MODEL_EXPIRED;
    return causes;
}

static const char *site_level(const struct fleet_device *device, bool first)
{
    bool fits = device->has_site && device->site[0] && !strpbrk(device->site, "/+#") &&
                !(first && device->site[0] == '$');
    return fits ? device->site : "-";
}

void fleet_topic(const struct fleet_device *device, const char *pattern, char *topic, size_t size)
{
    size_t used = 0;
    for (const char *p = pattern; *p && used < size; p++) {
        if (strncmp(p, "%u", 2) == 0) {
            used += (size_t)snprintf(topic + used, size - used, "%s", device->id);
            p++;
        } else if (strncmp(p, "%{site}", 7) == 0) {
            used +=
                (size_t)snprintf(topic + used, size - used, "%s", site_level(device, p == pattern));
            p += 6;
        } else {
            used += (size_t)snprintf(topic + used, size - used, "%c", *p);
        }
    }
}
