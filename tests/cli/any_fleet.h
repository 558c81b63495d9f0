/* any_fleet.h - random registries, as `devreg export` can write them down: two of them have many
 * devices and roles in common, some of which differ in one thing. */
#ifndef DEVREG_TESTS_ANY_FLEET_H
#define DEVREG_TESTS_ANY_FLEET_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "registry/registry.h"
#include "tests/support/arbitrary.h"
#include "tests/support/cmocka_all.h"

enum { FLEET_ROLES = 6, FLEET_DEVICES = 30, FLEET_VARIANTS = 12, FLEET_MADE = 5000 };

/* JSON has no times behind the year 9999, and no larger numbers than 2^53. */
static inline int64_t tame_time(int64_t time)
{
    return time % 253402300800000;
}

static inline void tame_credential(struct credential *credential)
{
    static const uint8_t kinds[] = {CREDENTIAL_KEY, CREDENTIAL_PASSWORD, 200};
    credential->kind = kinds[credential->kind % 3];
    credential->created = tame_time(credential->created);
    credential->not_before = tame_time(credential->not_before);
    credential->expires = tame_time(credential->expires);
    if (credential->kind == CREDENTIAL_PASSWORD) {
        strcpy((char *)credential->secret, "$argon2id$v=19$m=8");
        credential->secret_size = strlen((char *)credential->secret);
    } else {
        credential->secret_size = 32;
    }
}

/* Holds some of the roles that there are. */
static inline void roles_take(struct device *device, struct rng *own, const char *roles)
{
    char name[ROLE_NAME_MAX + 1];
    device->role_count = 0;
    for (size_t role = 0; role < FLEET_ROLES; role++) {
        bool taken = rng_percent(own, 40);
        snprintf(name, sizeof name, "r%zu", role);
        if (roles[role] && taken)
            assert_int_equal(device_add_role(device, name), ERR_OK);
    }
}

/* One thing is as another device has it. */
static inline void device_vary(struct device *device, struct device *other, size_t what)
{
    switch (what) {
    case 1:
        memcpy(device->reason, other->reason, sizeof device->reason);
        break;
    case 2:
        memcpy(device->note, other->note, sizeof device->note);
        break;
    case 3:
        memcpy(device->client_id, other->client_id, sizeof device->client_id);
        break;
    case 4:
        device->expires = other->expires;
        break;
    case 5:
        device->role_count = other->role_count;
        memcpy(device->roles, other->roles, sizeof device->roles);
        break;
    case 6:
        device->attribute_count = other->attribute_count;
        memcpy(device->attributes, other->attributes, sizeof device->attributes);
        break;
    case 7:
        rules_clear(&device->rules);
        assert_int_equal(rules_copy(&device->rules, &other->rules), ERR_OK);
        break;
    case 8:
        if (device->state != DEVICE_REVOKED)
            device->state = DEVICE_DISABLED;
        break;
    case 9:
        device->limits = other->limits;
        break;
    default:
        break;
    }
}

static inline void device_begin(struct device *device, size_t i, uint64_t seed, const char *roles)
{
    struct rng own = {seed};
    any_device(&own, device);
    snprintf(device->id, sizeof device->id, "d%zu", i);
    device->state = i % 10 == 9 ? DEVICE_REVOKED : DEVICE_ENABLED;
    device->expires = tame_time(device->expires);
    roles_take(device, &own, roles);
}

/* Device number `i`, the same but for one thing each time. Each tenth one is revoked. */
static inline void device_make(struct rng *rng, struct device *device, size_t i, const char *roles)
{
    struct device other;
    device_begin(device, i, i, roles);
    device_begin(&other, i, rng_next(rng), roles);
    device_vary(device, &other, rng_below(rng, FLEET_VARIANTS));
    device_clear(&other);
    if (device->state == DEVICE_REVOKED)
        device_drop_credentials(device);
    for (size_t c = 0; c < device->credential_count; c++)
        tame_credential(&device->credentials[c]);
}

static inline void roles_fill(struct rng *rng, struct registry *registry, char *roles)
{
    for (size_t i = 0; i < FLEET_ROLES; i++) {
        struct rng own = {i * 7 + rng_below(rng, 2)};
        struct role role;
        roles[i] = rng_percent(rng, 75);
        if (!roles[i])
            continue;
        any_role(&own, &role);
        snprintf(role.name, sizeof role.name, "r%zu", i);
        role.version = 0;
        assert_int_equal(registry_put_role(registry, &role), ERR_OK);
        role_clear(&role);
    }
}

/* Makes a registry in `path`. */
static inline void any_fleet(struct rng *rng, const char *path)
{
    struct registry *registry;
    char roles[FLEET_ROLES];
    assert_int_equal(registry_create(path, geteuid(), getegid(), "maker", FLEET_MADE), ERR_OK);
    assert_int_equal(registry_open(&registry, path, STORE_WRITE), ERR_OK);
    assert_int_equal(registry_write(registry, "tester", FLEET_MADE), ERR_OK);
    roles_fill(rng, registry, roles);
    for (size_t i = 0; i < FLEET_DEVICES; i++) {
        struct device device;
        if (rng_percent(rng, 25))
            continue;
        device_make(rng, &device, i, roles);
        assert_int_equal(registry_add_device(registry, &device), ERR_OK);
        for (size_t puts = rng_below(rng, 3); puts > 0; puts--)
            assert_int_equal(registry_put_device(registry, &device), ERR_OK);
        device_clear(&device);
    }
    assert_int_equal(registry_commit(registry), ERR_OK);
    registry_close(registry);
}

#endif
