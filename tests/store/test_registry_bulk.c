/* test_registry_bulk.c - many devices in one scope are what they would be one by one. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry/registry.h"
#include "tests/support/arbitrary.h"
#include "tests/support/tempdir.h"

enum { NOW = 5000, MANY = 10000, CHANGED = 1000 };

static struct rng rng;

struct fixture {
    struct tempdir dir;
    struct registry *bulk, *single;
};

static struct registry *registry_make(const struct fixture *fixture, const char *name)
{
    struct registry *registry = NULL;
    char path[TEMPDIR_MAX];
    path_join(path, fixture->dir.path, name);
    assert_int_equal(registry_create(path, geteuid(), getegid(), "maker", NOW - 1000), ERR_OK);
    assert_int_equal(registry_open(&registry, path, STORE_WRITE), ERR_OK);
    return registry;
}

static int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    *state = fixture;
    tempdir_make(&fixture->dir);
    fixture->bulk = registry_make(fixture, "bulk");
    fixture->single = registry_make(fixture, "single");
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    registry_close(fixture->bulk);
    registry_close(fixture->single);
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

static void scope_begin(struct registry *registry)
{
    assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
}

static void role_add(struct registry *registry, const char *name)
{
    struct role role;
    role_init(&role, name);
    assert_int_equal(registry_put_role(registry, &role), ERR_OK);
    role_clear(&role);
}

/* Device number `i` of many: roles, attributes and a key, which differ from device to device. */
static void device_make(struct device *device, size_t i)
{
    static const char *const roles[] = {"device", "pump", "valve", "Sensor"};
    char id[DEVICE_ID_MAX + 1], value[20];
    snprintf(id, sizeof id, "%s-%zu", i % 2 ? "pump" : "Valve", i);
    device_init(device, id);
    for (size_t role = 0; role < COUNT(roles); role++) {
        if (i >> role & 1)
            assert_int_equal(device_add_role(device, roles[role]), ERR_OK);
    }
    snprintf(value, sizeof value, "%zu", i % 100);
    assert_int_equal(device_set_attribute(device, "floor", value), ERR_OK);
    assert_int_equal(device_set_attribute(device, "site", "kiel"), ERR_OK);
    struct credential *credential = device_new_credential(device, CREDENTIAL_KEY, NOW);
    credential->secret_size = 32;
    memset(credential->secret, (int)i, 32);
}

static enum err bulk_put(struct registry_bulk *bulk, const char *id, const char *role)
{
    struct device device;
    device_init(&device, id);
    if (role)
        assert_int_equal(device_add_role(&device, role), ERR_OK);
    enum err e = registry_bulk_add(bulk, &device);
    device_clear(&device);
    return e;
}

static void roles_make(struct registry *registry)
{
    scope_begin(registry);
    role_add(registry, "pump");
    role_add(registry, "valve");
    role_add(registry, "Sensor");
    assert_int_equal(registry_commit(registry), ERR_OK);
}

static void assert_same_devices(struct registry *a, struct registry *b, size_t expected)
{
    char after[DEVICE_ID_MAX + 1] = "";
    struct device *x = malloc(sizeof *x), *y = malloc(sizeof *y);
    size_t count = 0;
    assert_true(x && y);
    assert_int_equal(registry_read(a), ERR_OK);
    assert_int_equal(registry_read(b), ERR_OK);
    while (registry_next_device(a, after, x) == ERR_OK) {
        assert_int_equal(registry_next_device(b, after, y), ERR_OK);
        assert_true(device_same(x, y));
        strcpy(after, x->id);
        device_clear(x);
        device_clear(y);
        count++;
    }
    assert_int_equal(registry_next_device(a, after, x), ERR_NOT_FOUND);
    assert_int_equal(registry_next_device(b, after, y), ERR_NOT_FOUND);
    assert_int_equal(count, expected);
    registry_end(a);
    registry_end(b);
    free(x);
    free(y);
}

static void assert_same_holders(struct registry *a, struct registry *b)
{
    static const char *const roles[] = {"device", "pump", "valve", "Sensor"};
    assert_int_equal(registry_read(a), ERR_OK);
    assert_int_equal(registry_read(b), ERR_OK);
    for (size_t i = 0; i < COUNT(roles); i++) {
        uint64_t x = 0, y = 1;
        assert_int_equal(registry_role_holders(a, roles[i], &x), ERR_OK);
        assert_int_equal(registry_role_holders(b, roles[i], &y), ERR_OK);
        assert_int_equal(x, y);
        assert_int_equal(x, MANY / 2);
    }
    registry_end(a);
    registry_end(b);
}

static void no_finding(void *context, const char *what, const char *problem)
{
    (void)context;
    fail_msg("%s: %s", what, problem);
}

static void assert_sound(struct registry *registry, uint64_t devices)
{
    struct registry_check check = {0};
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_check(registry, &check, no_finding, NULL), ERR_OK);
    registry_end(registry);
    assert_int_equal(check.devices, devices);
    assert_int_equal(check.findings, 0);
}

/* The order is a stride through all of them, so neither sorted nor by chance. */
static void ten_thousand_in_bulk_are_the_same_as_one_by_one(void **state)
{
    const struct fixture *fixture = *state;
    struct registry_bulk *bulk;
    struct device device;
    roles_make(fixture->bulk);
    roles_make(fixture->single);
    scope_begin(fixture->bulk);
    scope_begin(fixture->single);
    assert_int_equal(registry_bulk_begin(&bulk, fixture->bulk, "Valve-9998"), ERR_OK);
    for (size_t i = 0; i < MANY; i++) {
        device_make(&device, i * 7919 % MANY);
        assert_int_equal(registry_bulk_add(bulk, &device), ERR_OK);
        device_clear(&device);
        device_make(&device, i * 7919 % MANY);
        assert_int_equal(registry_add_device(fixture->single, &device), ERR_OK);
        device_clear(&device);
    }
    assert_int_equal(registry_bulk_end(bulk), ERR_OK);
    assert_int_equal(registry_commit(fixture->bulk), ERR_OK);
    assert_int_equal(registry_commit(fixture->single), ERR_OK);
    assert_same_devices(fixture->bulk, fixture->single, MANY);
    assert_same_holders(fixture->bulk, fixture->single);
    assert_sound(fixture->bulk, MANY);
}

static void a_twin_or_a_missing_role_is_an_answer_and_changes_nothing(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->bulk;
    struct registry_bulk *bulk;
    uint64_t holders = 9;
    scope_begin(registry);
    assert_int_equal(registry_bulk_begin(&bulk, registry, NULL), ERR_OK);
    assert_int_equal(bulk_put(bulk, "pump-7", "device"), ERR_OK);
    assert_int_equal(bulk_put(bulk, "pump-7", "device"), ERR_EXISTS);
    assert_int_equal(bulk_put(bulk, "Pump-7", "device"), ERR_EXISTS);
    assert_int_equal(bulk_put(bulk, "pump-8", "none"), ERR_NOT_FOUND);
    assert_int_equal(bulk_put(bulk, "pump-8", "Device"), ERR_NOT_FOUND);
    assert_int_equal(bulk_put(bulk, "pump-9", NULL), ERR_OK);
    assert_int_equal(registry_bulk_end(bulk), ERR_OK);
    assert_int_equal(registry_commit(registry), ERR_OK);
    assert_sound(registry, 2);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_role_holders(registry, "device", &holders), ERR_OK);
    registry_end(registry);
    assert_int_equal(holders, 1);
}

static void generations_go_on_where_they_were(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->bulk;
    struct registry_bulk *bulk;
    struct device device;
    uint64_t last = 0;
    for (int round = 0; round < 3; round++) {
        char id[20];
        scope_begin(registry);
        assert_int_equal(registry_bulk_begin(&bulk, registry, NULL), ERR_OK);
        for (int i = 0; i < 3; i++) {
            snprintf(id, sizeof id, "pump-%d-%d", round, i);
            device_init(&device, id);
            assert_int_equal(registry_bulk_add(bulk, &device), ERR_OK);
            assert_int_equal(device.generation, last + 1);
            last = device.generation;
            device_clear(&device);
        }
        assert_int_equal(registry_bulk_end(bulk), ERR_OK);
        device_init(&device, round ? "single-1" : "single-0");
        if (round < 2) {
            assert_int_equal(registry_add_device(registry, &device), ERR_OK);
            assert_int_equal(device.generation, ++last);
        }
        device_clear(&device);
        assert_int_equal(registry_commit(registry), ERR_OK);
    }
}

static void a_scope_that_is_given_up_leaves_nothing(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->bulk;
    struct registry_bulk *bulk;
    scope_begin(registry);
    assert_int_equal(registry_bulk_begin(&bulk, registry, "pump-999"), ERR_OK);
    for (int i = 0; i < 300; i++) {
        char id[20];
        snprintf(id, sizeof id, "pump-%d", i);
        assert_int_equal(bulk_put(bulk, id, "device"), ERR_OK);
    }
    assert_int_equal(registry_bulk_end(bulk), ERR_OK);
    registry_end(registry);
    assert_sound(registry, 0);
}

/* How much the registry grows by so many devices in the order of their ids. */
static uint64_t size_of_sorted(struct registry *registry, const char *last)
{
    struct registry_bulk *bulk;
    uint64_t used, limit;
    scope_begin(registry);
    assert_int_equal(registry_bulk_begin(&bulk, registry, last), ERR_OK);
    for (int i = 0; i < MANY; i++) {
        char id[20];
        snprintf(id, sizeof id, "pump-%06d", i);
        assert_int_equal(bulk_put(bulk, id, "device"), ERR_OK);
    }
    assert_int_equal(registry_bulk_end(bulk), ERR_OK);
    assert_int_equal(registry_commit(registry), ERR_OK);
    assert_sound(registry, MANY);
    store_size(registry_store(registry), &used, &limit);
    return used;
}

static void pages_are_full_where_the_last_id_is_known(void **state)
{
    const struct fixture *fixture = *state;
    uint64_t known = size_of_sorted(fixture->bulk, "pump-009999");
    uint64_t unknown = size_of_sorted(fixture->single, NULL);
    printf("%llu bytes a device, else %llu\n", (unsigned long long)(known / MANY),
           (unsigned long long)(unknown / MANY));
    assert_true(known * 4 < unknown * 3);
}

/* The fence stands behind the first ids, the longest ones and none. */
static void any_last_id_will_do(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->bulk;
    char longest[DEVICE_ID_MAX + 1];
    memset(longest, 'z', DEVICE_ID_MAX);
    longest[DEVICE_ID_MAX] = '\0';
    const char *const lasts[] = {"a", "pump-3", "pump-3-5", longest, NULL};
    for (size_t round = 0; round < COUNT(lasts); round++) {
        struct registry_bulk *bulk;
        scope_begin(registry);
        assert_int_equal(registry_bulk_begin(&bulk, registry, lasts[round]), ERR_OK);
        for (int i = 0; i < 400; i++) {
            char id[40];
            snprintf(id, sizeof id, "pump-%d-%zu", i * 7 % 400, round);
            assert_int_equal(bulk_put(bulk, id, "device"), ERR_OK);
        }
        assert_int_equal(registry_bulk_end(bulk), ERR_OK);
        assert_int_equal(registry_commit(registry), ERR_OK);
        assert_sound(registry, 400 * (round + 1));
    }
}

/* What becomes of device number `i`: false where it is to be removed. */
static bool device_edit(struct device *device, size_t i)
{
    if (i % 5 == 0)
        return false;
    if (i % 5 == 1)
        assert_int_equal(device_set_attribute(device, "site", "hamburg"), ERR_OK);
    if (i % 5 == 2)
        device->role_count = 0;
    if (i % 5 == 3 && device_add_role(device, "valve") == ERR_EXISTS)
        assert_int_equal(device_remove_role(device, "valve"), ERR_OK);
    return true;
}

static void change_one(struct registry *registry, struct registry_bulk *bulk, const char *id,
                       size_t i)
{
    struct device device;
    struct roles_held before;
    assert_int_equal(registry_get_device(registry, id, &device), ERR_OK);
    roles_held_by(&before, &device);
    bool stays = device_edit(&device, i);
    if (bulk && stays)
        assert_int_equal(registry_bulk_put(bulk, &device, &before), ERR_OK);
    else if (bulk)
        assert_int_equal(registry_bulk_remove(bulk, &device), ERR_OK);
    else if (stays)
        assert_int_equal(registry_put_device(registry, &device), ERR_OK);
    else
        assert_int_equal(registry_remove_device(registry, id), ERR_OK);
    device_clear(&device);
}

static void fill(struct registry *registry)
{
    struct device device;
    roles_make(registry);
    scope_begin(registry);
    for (size_t i = 0; i < CHANGED; i++) {
        device_make(&device, i);
        assert_int_equal(registry_add_device(registry, &device), ERR_OK);
        device_clear(&device);
    }
    assert_int_equal(registry_commit(registry), ERR_OK);
}

static void assert_same_counts(struct registry *a, struct registry *b)
{
    static const char *const roles[] = {"device", "pump", "valve", "Sensor"};
    uint64_t x = 0, y = 1;
    assert_int_equal(registry_read(a), ERR_OK);
    assert_int_equal(registry_read(b), ERR_OK);
    for (size_t i = 0; i < COUNT(roles); i++) {
        assert_int_equal(registry_role_holders(a, roles[i], &x), ERR_OK);
        assert_int_equal(registry_role_holders(b, roles[i], &y), ERR_OK);
        assert_int_equal(x, y);
    }
    assert_int_equal(registry_device_count(a, &x), ERR_OK);
    assert_int_equal(registry_device_count(b, &y), ERR_OK);
    assert_int_equal(x, y);
    registry_end(a);
    registry_end(b);
}

/* All records, those of devices, counts, roles and generations. */
static void assert_same_records(struct registry *a, struct registry *b)
{
    assert_same_counts(a, b);
    assert_same_devices(a, b, CHANGED * 4 / 5);
}

static void changes_in_bulk_are_the_same_as_one_by_one(void **state)
{
    const struct fixture *fixture = *state;
    struct registry_bulk *bulk;
    char id[DEVICE_ID_MAX + 1];
    fill(fixture->bulk);
    fill(fixture->single);
    scope_begin(fixture->bulk);
    scope_begin(fixture->single);
    assert_int_equal(registry_bulk_begin(&bulk, fixture->bulk, NULL), ERR_OK);
    for (size_t i = 0; i < CHANGED; i++) {
        snprintf(id, sizeof id, "%s-%zu", i % 2 ? "pump" : "Valve", i);
        change_one(fixture->bulk, bulk, id, i);
        change_one(fixture->single, NULL, id, i);
    }
    assert_int_equal(registry_bulk_end(bulk), ERR_OK);
    assert_int_equal(registry_commit(fixture->bulk), ERR_OK);
    assert_int_equal(registry_commit(fixture->single), ERR_OK);
    assert_same_records(fixture->bulk, fixture->single);
    assert_sound(fixture->bulk, CHANGED * 4 / 5);
}

/* Neither the role that is there nor the one that is not is counted. */
static void a_change_to_a_missing_role_changes_nothing(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->bulk;
    struct registry_bulk *bulk;
    struct device device;
    const struct roles_held before = {.count = 0};
    uint64_t holders = 9;
    scope_begin(registry);
    role_add(registry, "pump");
    assert_int_equal(registry_bulk_begin(&bulk, registry, NULL), ERR_OK);
    assert_int_equal(bulk_put(bulk, "pump-7", NULL), ERR_OK);
    assert_int_equal(registry_get_device(registry, "pump-7", &device), ERR_OK);
    assert_int_equal(device_add_role(&device, "pump"), ERR_OK);
    assert_int_equal(device_add_role(&device, "zebra"), ERR_OK);
    assert_int_equal(registry_bulk_put(bulk, &device, &before), ERR_NOT_FOUND);
    device_clear(&device);
    assert_int_equal(registry_bulk_end(bulk), ERR_OK);
    assert_int_equal(registry_commit(registry), ERR_OK);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_role_holders(registry, "pump", &holders), ERR_OK);
    assert_int_equal(holders, 0);
    assert_int_equal(registry_get_device(registry, "pump-7", &device), ERR_OK);
    assert_int_equal(device.version, 1);
    device_clear(&device);
    registry_end(registry);
    assert_sound(registry, 1);
}

/* The same change in one of the two ways. NULL for `bulk`: one by one. */
static void any_change(struct registry *registry, struct registry_bulk *bulk, size_t i, size_t kind)
{
    struct device before, device;
    struct roles_held roles;
    device_make(&device, i);
    if (kind == 0) {
        enum err e =
            bulk ? registry_bulk_add(bulk, &device) : registry_add_device(registry, &device);
        assert_int_equal(e, ERR_OK);
        device_clear(&device);
        return;
    }
    assert_int_equal(registry_get_device(registry, device.id, &before), ERR_OK);
    device_clear(&device);
    if (kind == 1) {
        assert_int_equal(bulk ? registry_bulk_remove(bulk, &before)
                              : registry_remove_device(registry, before.id),
                         ERR_OK);
        device_clear(&before);
        return;
    }
    assert_int_equal(registry_get_device(registry, before.id, &device), ERR_OK);
    enum err e = device_remove_role(&device, kind % 2 ? "pump" : "valve");
    assert_true(e == ERR_OK || e == ERR_NOT_FOUND);
    e = device_add_role(&device, kind % 3 ? "Sensor" : "device");
    assert_true(e == ERR_OK || e == ERR_EXISTS);
    assert_int_equal(device_set_attribute(&device, "floor", "changed"), ERR_OK);
    roles_held_by(&roles, &before);
    assert_int_equal(bulk ? registry_bulk_put(bulk, &device, &roles)
                          : registry_put_device(registry, &device),
                     ERR_OK);
    device_clear(&before);
    device_clear(&device);
}

/* Thousands of random additions, changes and removals in a few scopes. */
static void any_changes_in_bulk_are_the_same_as_one_by_one(void **state)
{
    const struct fixture *fixture = *state;
    enum { SCOPES = 6, CHANGES = 600, IDS = 500 };
    static bool there[IDS];
    size_t count = 0;
    roles_make(fixture->bulk);
    roles_make(fixture->single);
    memset(there, 0, sizeof there);
    for (int scope = 0; scope < SCOPES; scope++) {
        struct registry_bulk *bulk;
        scope_begin(fixture->bulk);
        scope_begin(fixture->single);
        assert_int_equal(registry_bulk_begin(&bulk, fixture->bulk, scope % 2 ? "zzz" : NULL),
                         ERR_OK);
        for (int i = 0; i < CHANGES; i++) {
            size_t id = rng_below(&rng, IDS), kind = there[id] ? 1 + rng_below(&rng, 6) : 0;
            any_change(fixture->bulk, bulk, id, kind);
            any_change(fixture->single, NULL, id, kind);
            there[id] = kind != 1;
            count += kind == 0 ? 1 : 0;
            count -= kind == 1 ? 1 : 0;
        }
        assert_int_equal(registry_bulk_end(bulk), ERR_OK);
        assert_int_equal(registry_commit(fixture->bulk), ERR_OK);
        assert_int_equal(registry_commit(fixture->single), ERR_OK);
        assert_same_devices(fixture->bulk, fixture->single, count);
        assert_same_counts(fixture->bulk, fixture->single);
        assert_sound(fixture->bulk, count);
    }
}

static void restored_in_bulk_they_keep_versions_and_generations(void **state)
{
    const struct fixture *fixture = *state;
    struct registry_bulk *bulk;
    struct device device;
    enum { FEW = 300 };
    roles_make(fixture->bulk);
    roles_make(fixture->single);
    scope_begin(fixture->bulk);
    scope_begin(fixture->single);
    assert_int_equal(registry_bulk_begin(&bulk, fixture->bulk, NULL), ERR_OK);
    for (size_t i = 0; i < FEW; i++) {
        device_make(&device, i);
        device.version = 1 + i % 7;
        device.generation = 1000 - i;
        device.created = (int64_t)i;
        assert_int_equal(registry_bulk_restore(bulk, &device), ERR_OK);
        assert_int_equal(registry_bulk_restore(bulk, &device), ERR_EXISTS);
        assert_int_equal(registry_restore_device(fixture->single, &device), ERR_OK);
        device_clear(&device);
    }
    assert_int_equal(bulk_put(bulk, "next", NULL), ERR_OK);
    assert_int_equal(registry_bulk_end(bulk), ERR_OK);
    device_init(&device, "next");
    assert_int_equal(registry_add_device(fixture->single, &device), ERR_OK);
    assert_int_equal(device.generation, 1001);
    device_clear(&device);
    assert_int_equal(registry_commit(fixture->bulk), ERR_OK);
    assert_int_equal(registry_commit(fixture->single), ERR_OK);
    assert_same_devices(fixture->bulk, fixture->single, FEW + 1);
    assert_sound(fixture->bulk, FEW + 1);
}

/* What a read scope saw is what a write scope sees, unless anything was committed between. */
static void a_commit_in_between_is_seen(void **state)
{
    const struct fixture *fixture = *state;
    struct registry *registry = fixture->bulk;
    assert_int_equal(registry_read(registry), ERR_OK);
    uint64_t snapshot = registry_snapshot(registry);
    registry_end(registry);
    scope_begin(registry);
    assert_true(registry_is_still(registry, snapshot));
    registry_end(registry);
    scope_begin(registry);
    assert_true(registry_is_still(registry, snapshot));
    role_add(registry, "pump");
    assert_int_equal(registry_commit(registry), ERR_OK);
    scope_begin(registry);
    assert_false(registry_is_still(registry, snapshot));
    registry_end(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ten_thousand_in_bulk_are_the_same_as_one_by_one, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_twin_or_a_missing_role_is_an_answer_and_changes_nothing,
                                        begin, end),
        cmocka_unit_test_setup_teardown(changes_in_bulk_are_the_same_as_one_by_one, begin, end),
        cmocka_unit_test_setup_teardown(a_change_to_a_missing_role_changes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(any_changes_in_bulk_are_the_same_as_one_by_one, begin, end),
        cmocka_unit_test_setup_teardown(restored_in_bulk_they_keep_versions_and_generations, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_commit_in_between_is_seen, begin, end),
        cmocka_unit_test_setup_teardown(generations_go_on_where_they_were, begin, end),
        cmocka_unit_test_setup_teardown(a_scope_that_is_given_up_leaves_nothing, begin, end),
        cmocka_unit_test_setup_teardown(pages_are_full_where_the_last_id_is_known, begin, end),
        cmocka_unit_test_setup_teardown(any_last_id_will_do, begin, end),
    };
    rng = rng_start("test_registry_bulk");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
