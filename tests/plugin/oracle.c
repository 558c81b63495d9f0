#include "tests/plugin/oracle.h"

#include <string.h>

#include "plugin/mosq.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/naive_policy.h"

static void roles_read(struct facts *facts, struct registry *registry)
{
    for (; facts->role_count < facts->device.role_count; facts->role_count++) {
        const char *name = facts->device.roles[facts->role_count];
        assert_int_equal(registry_get_role(registry, name, &facts->roles[facts->role_count]),
                         ERR_OK);
    }
}

void facts_read(struct facts *facts, struct registry *registry, const char *username)
{
    facts->role_count = 0;
    assert_int_equal(registry_read(registry), ERR_OK);
    enum err e = registry_get_device(registry, username, &facts->device);
    facts->there = e == ERR_OK;
    assert_true(facts->there || e == ERR_NOT_FOUND);
    if (facts->there)
        roles_read(facts, registry);
    registry_end(registry);
}

static void nobody_init(struct facts *facts)
{
    facts->there = true;
    facts->role_count = 0;
    device_init(&facts->device, "nobody");
    facts->device.id[0] = '\0';
}

void facts_read_anonymous(struct facts *facts, struct registry *registry, const char *role)
{
    nobody_init(facts);
    assert_int_equal(registry_read(registry), ERR_OK);
    enum err e = registry_get_role(registry, role, &facts->roles[0]);
    assert_true(e == ERR_OK || e == ERR_NOT_FOUND);
    facts->role_count = e == ERR_OK;
    registry_end(registry);
}

void facts_clear(struct facts *facts)
{
    if (facts->there)
        device_clear(&facts->device);
    for (size_t i = 0; i < facts->role_count; i++)
        role_clear(&facts->roles[i]);
    facts->there = false;
    facts->role_count = 0;
}

static const struct role *world_role(const struct world *world, const char *name)
{
    size_t at = 0;
    while (!world->role_there[at] || strcmp(world->roles[at].name, name) != 0)
        at++;
    return &world->roles[at];
}

void facts_of_world(struct facts *facts, const struct world *world, const char *username)
{
    size_t at = world_place(username);
    facts->role_count = 0;
    facts->there = at < world->device_count && world->device_there[at];
    if (!facts->there)
        return;
    facts->device = world->devices[at];
    for (; facts->role_count < facts->device.role_count; facts->role_count++)
        facts->roles[facts->role_count] =
            *world_role(world, facts->device.roles[facts->role_count]);
}

bool facts_live(const struct facts *facts, int64_t now)
{
    const struct device *device = &facts->device;
    return facts->there && device->state == DEVICE_ENABLED &&
           (!device->expires || now < device->expires);
}

const struct credential *facts_credential(const struct facts *facts, uint32_t id, int64_t now)
{
    for (size_t i = 0; facts->there && i < facts->device.credential_count; i++) {
        const struct credential *credential = &facts->device.credentials[i];
        if (credential->id == id && (!credential->expires || now < credential->expires))
            return credential;
    }
    return NULL;
}

bool oracle_reserved(const char *topic)
{
    return strncmp(topic, "devreg", 6) == 0 && (topic[6] == '/' || !topic[6]);
}

/* "$share/group/" is not part of what is asked for. */
static const char *wanted(const char *topic, int access)
{
    if (access != MOSQ_ACL_SUBSCRIBE || strncmp(topic, "$share/", 7) != 0)
        return topic;
    return strchr(topic + 7, '/') + 1;
}

bool facts_allow(const struct facts *facts, const char *client_id, int access, const char *topic)
{
    const struct naive_subject subject = {facts->device.id, client_id, facts->device.attributes,
                                          facts->device.attribute_count};
    enum naive_question question = access == MOSQ_ACL_WRITE       ? NAIVE_PUBLISH
                                   : access == MOSQ_ACL_SUBSCRIBE ? NAIVE_SUBSCRIBE
                                                                  : NAIVE_DELIVER;
    const char *asked = wanted(topic, access);
    bool allow = naive_any_applies(&facts->device.rules, EFFECT_ALLOW, &subject, question, asked);
    bool deny = naive_any_applies(&facts->device.rules, EFFECT_DENY, &subject, question, asked);
    for (size_t i = 0; i < facts->role_count; i++) {
        const struct rules *rules = &facts->roles[i].rules;
        allow |= naive_any_applies(rules, EFFECT_ALLOW, &subject, question, asked);
        deny |= naive_any_applies(rules, EFFECT_DENY, &subject, question, asked);
    }
    return allow && !deny && !(access == MOSQ_ACL_WRITE && oracle_reserved(topic));
}
