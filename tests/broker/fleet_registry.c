/* What `devreg` does to the devices of fleet.h, and where their messages have to stand. */
#include "fleet.h"

#include <string.h>

#include "check.h"
#include "deadline.h"

/* ---- topics */

/* Values of its attribute, and what the level of a topic is then: at the first level, elsewhere. */
static const struct site {
    const char *value, *first, *later;
} sites[] = {
    {NULL, "-", "-"}, {"kiel", "kiel", "kiel"}, {"hull/dock", "-", "-"}, {"$bari", "-", "$bari"}};
enum { SITES = sizeof sites / sizeof *sites };

void fleet_topic(char topic[static TOPIC_ROOM], const char *pattern, const char *device,
                 size_t site)
{
    static const char variable[] = "%{site}";
    const char *at = strstr(pattern, variable), *after = at ? at + sizeof variable - 1 : pattern;
    const char *level = !at ? "" : at == pattern ? sites[site].first : sites[site].later;
    const char *user = strstr(after, "%u");
    check(user != NULL); /* behind the attribute */
    check(snprintf(topic, TOPIC_ROOM, "%.*s%s%.*s%s%s", at ? (int)(at - pattern) : 0, pattern,
                   level, (int)(user - after), after, device, user + 2) < TOPIC_ROOM);
}

/* ---- the registry. All within the round's write scope, as a `devreg` that does several things. */

static void must(const char *what, const struct actor *actor, enum err e)
{
    if (e)
        fail_msg("%s %s: %s", what, actor->id, err_text(e));
}

static void new_key(struct fleet *fleet, struct actor *actor, struct device *device)
{
    struct credential *credential = device_new_credential(device, CREDENTIAL_KEY, wall_ms());
    check(credential != NULL);
    key_generate(actor->key);
    key_hash(credential->secret, actor->key, device->id, credential->id,
             registry_secret(fleet->registry));
    credential->secret_size = KEY_HASH_SIZE;
    actor->credential = credential->id;
}

static void set_site(struct fleet *fleet, struct actor *actor, struct device *device)
{
    static const char name[] = "site";
    actor->site = rng_below(fleet->rng, SITES);
    if (sites[actor->site].value)
        must("set", actor, device_set_attribute(device, name, sites[actor->site].value));
    else if (attribute_find(device->attributes, device->attribute_count, name))
        must("unset", actor, device_unset_attribute(device, name));
}

void fleet_add(struct fleet *fleet, struct actor *actor)
{
    struct device device;
    device_init(&device, actor->id);
    must("role of", actor, device_add_role(&device, DEFAULT_ROLE));
    new_key(fleet, actor, &device);
    set_site(fleet, actor, &device);
    must("add", actor, registry_add_device(fleet->registry, &device));
    registry_log(fleet->registry, LOG_ADD, LOG_DEVICE, actor->id, "");
    actor->generation = device.generation;
    for (size_t i = 0; i < actor->model_count; i++)
        model_add(actor->models[i], device.generation);
    actor->settled = false;
    device_clear(&device);
    actor->phase = PHASE_ENABLED;
}

void fleet_remove(struct fleet *fleet, struct actor *actor)
{
    must("remove", actor, registry_remove_device(fleet->registry, actor->id));
    registry_log(fleet->registry, LOG_REMOVE, LOG_DEVICE, actor->id, "");
}

static void get(struct fleet *fleet, struct actor *actor, struct device *device)
{
    must("get", actor, registry_get_device(fleet->registry, actor->id, device));
}

static void put(struct fleet *fleet, struct actor *actor, struct device *device, enum log_verb verb)
{
    must("put", actor, registry_put_device(fleet->registry, device));
    registry_log(fleet->registry, verb, LOG_DEVICE, actor->id, "");
    device_clear(device);
}

void fleet_set_state(struct fleet *fleet, struct actor *actor, enum log_verb verb)
{
    struct device device;
    get(fleet, actor, &device);
    device.state = verb == LOG_ENABLE    ? DEVICE_ENABLED
                   : verb == LOG_DISABLE ? DEVICE_DISABLED
                                         : DEVICE_REVOKED;
    if (verb == LOG_REVOKE)
        device_drop_credentials(&device);
    put(fleet, actor, &device, verb);
}

void fleet_expire(struct fleet *fleet, struct actor *actor, int64_t at)
{
    struct device device;
    get(fleet, actor, &device);
    device.expires = at;
    put(fleet, actor, &device, LOG_SET);
    actor->phase = at ? PHASE_EXPIRED : PHASE_ENABLED;
}

void fleet_rotate(struct fleet *fleet, struct actor *actor, int64_t ends, bool until_used)
{
    struct device device;
    get(fleet, actor, &device);
    for (size_t i = device.credential_count; i-- > 0;) {
        struct credential *credential = &device.credentials[i];
        if (credential->id != actor->credential || (!until_used && !ends))
            device_drop_credential(&device, i);
        else if (until_used)
            credential->ended_by = device.next_credential;
        else
            credential->expires = ends;
    }
    new_key(fleet, actor, &device);
    put(fleet, actor, &device, LOG_ROTATE);
}

void fleet_note(struct fleet *fleet, struct actor *actor)
{
    struct device device;
    get(fleet, actor, &device);
    (void)snprintf(device.note, sizeof device.note, "step %zu", actor->step_count);
    put(fleet, actor, &device, LOG_SET);
}

void fleet_move(struct fleet *fleet, struct actor *actor)
{
    struct device device;
    get(fleet, actor, &device);
    set_site(fleet, actor, &device);
    put(fleet, actor, &device, LOG_SET);
}
