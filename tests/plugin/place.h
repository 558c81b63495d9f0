/* place.h - a registry in a folder of its own, for a test with the simulated broker. */
#ifndef DEVREG_TESTS_PLUGIN_PLACE_H
#define DEVREG_TESTS_PLUGIN_PLACE_H

#include "registry/key.h"
#include "registry/registry.h"
#include "tests/plugin/sim.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/tempdir.h"

struct place {
    struct tempdir dir;
    char path[TEMPDIR_MAX]; /* of the registry */
    struct registry *registry;
};

static inline void place_open(struct place *place)
{
    tempdir_make(&place->dir);
    (void)path_join(place->path, place->dir.path, "registry");
    assert_int_equal(registry_create(place->path, geteuid(), getegid(), "tester", 1), ERR_OK);
    assert_int_equal(registry_open(&place->registry, place->path, STORE_WRITE), ERR_OK);
}

/* Ends the broker, too. */
static inline void place_close(struct place *place)
{
    sim_stop();
    sim_forget();
    registry_close(place->registry);
    tempdir_remove(&place->dir);
}

/* As `devreg add`; `device` is empty afterwards. */
static inline void place_add(const struct place *place, struct device *device)
{
    assert_int_equal(registry_write(place->registry, "tester", 1), ERR_OK);
    assert_int_equal(registry_add_device(place->registry, device), ERR_OK);
    registry_log(place->registry, LOG_ADD, LOG_DEVICE, device->id, "");
    assert_int_equal(registry_commit(place->registry), ERR_OK);
    device_clear(device);
}

/* The same, with the default role and a key, which it tells. */
static inline void place_add_with_key(const struct place *place, const char *id,
                                      char key[static KEY_TEXT_SIZE + 1])
{
    struct device device;
    device_init(&device, id);
    struct credential *credential = device_new_credential(&device, CREDENTIAL_KEY, 1);
    key_generate(key);
    credential->secret_size = KEY_HASH_SIZE;
    key_hash(credential->secret, key, id, credential->id, registry_secret(place->registry));
    assert_int_equal(device_add_role(&device, DEFAULT_ROLE), ERR_OK);
    place_add(place, &device);
}

#endif
