/* test_registry.c - devices, roles and the change log, one promise of registry.h at a time. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/presence_store.h"
#include "registry/registry.h"
#include "tests/support/registry_fixture.h"

/* Adds a device with that role, or none for NULL, in the open scope. */
static enum err add(struct registry *registry, const char *id, const char *role)
{
    struct device device;
    device_init(&device, id);
    if (role)
        assert_int_equal(device_add_role(&device, role), ERR_OK);
    enum err e = registry_add_device(registry, &device);
    device_clear(&device);
    return e;
}

static enum err add_role(struct registry *registry, const char *name)
{
    struct role role;
    role_init(&role, name);
    enum err e = registry_put_role(registry, &role);
    role_clear(&role);
    return e;
}

static uint64_t holders(struct registry *registry, const char *role)
{
    uint64_t count = 0;
    assert_int_equal(registry_role_holders(registry, role, &count), ERR_OK);
    return count;
}

/* In scopes of their own. */
static void add_committed(struct registry *registry, const char *id, const char *role)
{
    write_begin(registry, NOW);
    assert_int_equal(add(registry, id, role), ERR_OK);
    write_end(registry);
}

static void a_new_registry_holds_the_default_role_and_one_log_entry(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct role role;
    struct log_entry entry;
    struct device device;
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_get_role(registry, DEFAULT_ROLE, &role), ERR_OK);
    assert_int_equal(role.rules.count, 1);
    assert_string_equal(role.rules.items[0].filter, "devices/%u/#");
    assert_int_equal(role.rules.items[0].action, ACTION_ALL);
    assert_int_equal(role.rules.items[0].effect, EFFECT_ALLOW);
    assert_int_equal(role.version, 1);
    role_clear(&role);
    assert_int_equal(holders(registry, DEFAULT_ROLE), 0);
    assert_int_equal(registry_next_entry(registry, 0, &entry), ERR_OK);
    assert_int_equal(entry.seq, 1);
    assert_int_equal(entry.verb, LOG_INIT);
    assert_int_equal(entry.time, NOW - 1000);
    assert_string_equal(entry.who, "maker");
    assert_int_equal(registry_next_entry(registry, 1, &entry), ERR_NOT_FOUND);
    assert_int_equal(registry_next_device(registry, "", &device), ERR_NOT_FOUND);
}

static void a_new_registry_has_the_modes_that_the_broker_needs(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name;
        mode_t mode;
    } files[] = {{"", 0750},
                 {"data.mdb", 0640},
                 {"lock.mdb", 0660},
                 {PRESENCE_SUBDIR, 0750},
                 {PRESENCE_SUBDIR "/data.mdb", 0640}};
    for (size_t i = 0; i < COUNT(files); i++) {
        struct stat status;
        char path[TEMPDIR_MAX];
        assert_int_equal(stat(path_join(path, fixture->path, files[i].name), &status), 0);
        assert_int_equal(status.st_mode & 07777, files[i].mode);
    }
}

static void a_registry_is_not_made_over_another(void **state)
{
    struct fixture *fixture = *state;
    add_committed(fixture->registry, "pump-7", DEFAULT_ROLE);
    assert_int_equal(registry_create(fixture->path, geteuid(), getegid(), "x", NOW), ERR_EXISTS);
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    enum err error;
    assert_true(registry_has_device(fixture->registry, "pump-7", &error));
}

static void a_presence_store_that_was_lost_is_made_again(void **state)
{
    struct fixture *fixture = *state;
    struct store *presence;
    char path[4200], file[4300];
    snprintf(path, sizeof path, "%s/" PRESENCE_SUBDIR, fixture->path);
    for (const char *const *name = (const char *const[]){"data.mdb", "lock.mdb", NULL}; *name;
         name++) {
        snprintf(file, sizeof file, "%s/%s", path, *name);
        assert_int_equal(unlink(file), 0);
    }
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(registry_create(fixture->path, geteuid(), getegid(), "x", NOW), ERR_EXISTS);
    assert_int_equal(store_open(&presence, path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    store_close(presence);
}

static void a_directory_without_a_registry_is_not_opened(void **state)
{
    struct fixture *fixture = *state;
    struct registry *registry = NULL;
    assert_int_equal(registry_open(&registry, fixture->dir.path, STORE_READ), ERR_NO_REGISTRY);
    assert_null(registry);
    registry_close(NULL);
}

static void a_presence_store_is_no_registry(void **state)
{
    struct fixture *fixture = *state;
    struct registry *registry = NULL;
    char path[TEMPDIR_MAX];
    path_join(path, fixture->path, PRESENCE_SUBDIR);
    assert_int_equal(registry_open(&registry, path, STORE_READ), ERR_OTHER_STORE);
}

static void a_device_is_found_by_its_exact_id_only(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    static const char *const others[] = {"pump-7", "PUMP-7", "Pump-70", "Pump-", "", "a b", "+"};
    struct device device;
    enum err error = ERR_IO;
    add_committed(registry, "Pump-7", DEFAULT_ROLE);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_true(registry_has_device(registry, "Pump-7", &error));
    assert_int_equal(error, ERR_OK);
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_false(registry_has_device(registry, others[i], &error));
        assert_int_equal(error, ERR_NOT_FOUND);
        assert_int_equal(registry_get_device(registry, others[i], &device), ERR_NOT_FOUND);
    }
}

static void an_id_longer_than_any_key_is_just_not_there(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    static char id[65536];
    char twin[DEVICE_ID_MAX + 1];
    enum err error;
    memset(id, 'a', sizeof id - 1);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_false(registry_has_device(registry, id, &error));
    assert_int_equal(error, ERR_NOT_FOUND);
    assert_int_equal(registry_find_twin(registry, id, twin), ERR_NOT_FOUND);
}

static void ids_that_differ_in_case_only_are_twins(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    char twin[DEVICE_ID_MAX + 1] = "";
    write_begin(registry, NOW);
    assert_int_equal(add(registry, "Pump-7", NULL), ERR_OK);
    assert_int_equal(add(registry, "pump-7", NULL), ERR_TWIN);
    assert_int_equal(add(registry, "Pump-7", NULL), ERR_EXISTS);
    assert_int_equal(registry_remove_device(registry, "pump-7"), ERR_NOT_FOUND);
    assert_int_equal(registry_find_twin(registry, "PUMP-7", twin), ERR_OK);
    assert_string_equal(twin, "Pump-7");
    assert_int_equal(registry_remove_device(registry, "Pump-7"), ERR_OK);
    assert_int_equal(add(registry, "pump-7", NULL), ERR_OK);
    write_end(registry);
}

static void role_names_that_differ_in_case_only_are_twins(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct role role;
    write_begin(registry, NOW);
    assert_int_equal(add_role(registry, "Sensors"), ERR_OK);
    assert_int_equal(add_role(registry, "sensors"), ERR_TWIN);
    assert_int_equal(add_role(registry, "Sensors"), ERR_EXISTS);
    assert_int_equal(registry_get_role(registry, "sensors", &role), ERR_NOT_FOUND);
    assert_int_equal(registry_remove_role(registry, "sensors"), ERR_NOT_FOUND);
    assert_int_equal(add(registry, "d", "sensors"), ERR_NOT_FOUND);
    assert_int_equal(add(registry, "d", "Sensors"), ERR_OK);
    write_end(registry);
}

static void a_refused_change_leaves_the_scope_as_it_was(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    enum err error;
    write_begin(registry, NOW);
    assert_int_equal(add(registry, "a", DEFAULT_ROLE), ERR_OK);
    assert_int_equal(add(registry, "A", DEFAULT_ROLE), ERR_TWIN);
    assert_int_equal(add(registry, "b", "missing"), ERR_NOT_FOUND);
    assert_int_equal(registry_remove_role(registry, DEFAULT_ROLE), ERR_IN_USE);
    assert_int_equal(add(registry, "c", DEFAULT_ROLE), ERR_OK);
    write_end(registry);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(holders(registry, DEFAULT_ROLE), 2);
    assert_true(registry_has_device(registry, "c", &error));
    assert_false(registry_has_device(registry, "b", &error));
}

static void a_role_in_use_stays(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct role role;
    write_begin(registry, NOW);
    assert_int_equal(add_role(registry, "r"), ERR_OK);
    assert_int_equal(add(registry, "d1", "r"), ERR_OK);
    assert_int_equal(add(registry, "d2", "r"), ERR_OK);
    assert_int_equal(holders(registry, "r"), 2);
    assert_int_equal(registry_remove_device(registry, "d1"), ERR_OK);
    assert_int_equal(registry_remove_role(registry, "r"), ERR_IN_USE);
    assert_int_equal(registry_remove_device(registry, "d2"), ERR_OK);
    assert_int_equal(holders(registry, "r"), 0);
    assert_int_equal(registry_remove_role(registry, "r"), ERR_OK);
    assert_int_equal(registry_remove_role(registry, "r"), ERR_NOT_FOUND);
    assert_int_equal(registry_get_role(registry, "r", &role), ERR_NOT_FOUND);
    write_end(registry);
}

static void a_device_cannot_be_given_a_role_that_is_not_there(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct device device;
    add_committed(registry, "d", DEFAULT_ROLE);
    write_begin(registry, NOW);
    assert_int_equal(registry_get_device(registry, "d", &device), ERR_OK);
    assert_int_equal(device_add_role(&device, "missing"), ERR_OK);
    assert_int_equal(registry_put_device(registry, &device), ERR_NOT_FOUND);
    assert_int_equal(device.version, 1);
    device_clear(&device);
    write_end(registry);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_get_device(registry, "d", &device), ERR_OK);
    assert_int_equal(device.version, 1);
    assert_int_equal(device.role_count, 1);
    device_clear(&device);
}

static void the_version_of_a_device_rises_with_each_change(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct device device;
    add_committed(registry, "d", NULL);
    for (uint64_t version = 1; version < 5; version++) {
        write_begin(registry, NOW + (int64_t)version);
        assert_int_equal(registry_get_device(registry, "d", &device), ERR_OK);
        assert_int_equal(device.version, version);
        assert_int_equal(registry_put_device(registry, &device), ERR_OK);
        assert_int_equal(device.version, version + 1);
        assert_int_equal(device.changed, NOW + (int64_t)version);
        assert_int_equal(device.created, NOW);
        device_clear(&device);
        write_end(registry);
    }
}

static void the_version_of_a_role_rises_with_each_change(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct role role;
    write_begin(registry, NOW);
    assert_int_equal(registry_get_role(registry, DEFAULT_ROLE, &role), ERR_OK);
    assert_int_equal(rules_set(&role.rules, EFFECT_DENY, ACTION_ALL, "x", NULL), ERR_OK);
    assert_int_equal(registry_put_role(registry, &role), ERR_OK);
    assert_int_equal(role.version, 2);
    role_clear(&role);
    assert_int_equal(registry_get_role(registry, DEFAULT_ROLE, &role), ERR_OK);
    assert_int_equal(role.version, 2);
    assert_int_equal(role.rules.count, 2);
    assert_int_equal(role.changed, NOW);
    assert_int_equal(role.created, NOW - 1000);
    role_clear(&role);
    write_end(registry);
}

static void a_role_that_is_gone_cannot_be_changed(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct role role;
    write_begin(registry, NOW);
    assert_int_equal(registry_get_role(registry, DEFAULT_ROLE, &role), ERR_OK);
    assert_int_equal(registry_remove_role(registry, DEFAULT_ROLE), ERR_OK);
    assert_int_equal(registry_put_role(registry, &role), ERR_NOT_FOUND);
    role_clear(&role);
    write_end(registry);
}

static uint64_t generation_of(struct registry *registry, const char *id)
{
    struct device device;
    assert_int_equal(registry_get_device(registry, id, &device), ERR_OK);
    uint64_t generation = device.generation;
    device_clear(&device);
    return generation;
}

static void a_device_that_was_removed_and_added_is_of_another_generation(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct device device;
    write_begin(registry, NOW);
    assert_int_equal(add(registry, "d", NULL), ERR_OK);
    uint64_t first = generation_of(registry, "d");
    assert_int_equal(add(registry, "other", NULL), ERR_OK);
    assert_int_equal(registry_remove_device(registry, "other"), ERR_OK);
    assert_int_equal(registry_remove_device(registry, "d"), ERR_OK);
    assert_int_equal(add(registry, "d", NULL), ERR_OK);
    assert_true(generation_of(registry, "d") > first + 1);
    assert_int_equal(registry_get_device(registry, "d", &device), ERR_OK);
    assert_int_equal(device.version, 1);
    device_clear(&device);
    write_end(registry);
}

static void an_undone_scope_leaves_nothing(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    enum err error;
    uint64_t seq;
    write_begin(registry, NOW);
    assert_int_equal(add(registry, "d", DEFAULT_ROLE), ERR_OK);
    registry_log(registry, LOG_ADD, LOG_DEVICE, "d", "");
    registry_end(registry);
    registry_end(registry);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_false(registry_has_device(registry, "d", &error));
    assert_int_equal(holders(registry, DEFAULT_ROLE), 0);
    assert_int_equal(registry_last_entry(registry, &seq), ERR_OK);
    assert_int_equal(seq, 1);
}

static void the_log_says_who_did_what_when_to_whom(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct log_entry entry;
    write_begin(registry, NOW);
    registry_log(registry, LOG_REVOKE, LOG_DEVICE, "pump-7", "lost");
    registry_log(registry, LOG_RULE, LOG_ROLE, "sensors", "deny all x");
    write_end(registry);
    assert_int_equal(registry_write(registry, "other", NOW + 1), ERR_OK);
    registry_log(registry, LOG_IMPORT, LOG_BULK, "", "12 devices");
    write_end(registry);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_next_entry(registry, 1, &entry), ERR_OK);
    assert_true(entry.seq == 2 && entry.time == NOW);
    assert_true(entry.verb == LOG_REVOKE && entry.kind == LOG_DEVICE);
    assert_string_equal(entry.who, "tester");
    assert_string_equal(entry.subject, "pump-7");
    assert_string_equal(entry.detail, "lost");
    assert_int_equal(registry_next_entry(registry, 2, &entry), ERR_OK);
    assert_true(entry.seq == 3 && entry.kind == LOG_ROLE);
    assert_string_equal(entry.subject, "sensors");
    assert_int_equal(registry_next_entry(registry, 3, &entry), ERR_OK);
    assert_true(entry.seq == 4 && entry.kind == LOG_BULK && entry.time == NOW + 1);
    assert_string_equal(entry.who, "other");
    assert_string_equal(entry.subject, "");
}

static void long_names_and_details_are_cut_in_the_log(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    char text[400] = {0};
    struct log_entry entry;
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(registry_write(registry, text, NOW), ERR_OK);
    registry_log(registry, LOG_SET, LOG_BULK, "", text);
    write_end(registry);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_next_entry(registry, 1, &entry), ERR_OK);
    assert_int_equal(strlen(entry.who), LOG_WHO_MAX);
    assert_int_equal(strlen(entry.detail), LOG_DETAIL_MAX);
}

static void a_commit_is_seen_by_number_and_by_the_next_scope(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    assert_int_equal(registry_read(registry), ERR_OK);
    uint64_t before = registry_snapshot(registry);
    assert_true(registry_last_commit(registry) == before);
    registry_end(registry);
    add_committed(registry, "d", NULL);
    assert_true(registry_last_commit(registry) == before + 1);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_true(registry_snapshot(registry) == before + 1);
}

static void a_restored_device_is_exactly_as_given(void **state)
{
    struct registry *registry = ((struct fixture *)*state)->registry;
    struct device device, back;
    device_init(&device, "d");
    device.generation = 77;
    device.version = 9;
    device.created = 1;
    device.changed = 2;
    assert_int_equal(device_add_role(&device, DEFAULT_ROLE), ERR_OK);
    write_begin(registry, NOW);
    assert_int_equal(registry_restore_device(registry, &device), ERR_OK);
    assert_int_equal(registry_restore_device(registry, &device), ERR_EXISTS);
    assert_int_equal(add(registry, "later", NULL), ERR_OK);
    assert_true(generation_of(registry, "later") > 77);
    write_end(registry);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_get_device(registry, "d", &back), ERR_OK);
    assert_true(back.generation == 77 && back.version == 9 && back.created == 1);
    assert_int_equal(holders(registry, DEFAULT_ROLE), 1);
    device_clear(&device);
    device_clear(&back);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_new_registry_holds_the_default_role_and_one_log_entry),
        test(a_new_registry_has_the_modes_that_the_broker_needs),
        test(a_registry_is_not_made_over_another),
        test(a_presence_store_that_was_lost_is_made_again),
        test(a_directory_without_a_registry_is_not_opened),
        test(a_presence_store_is_no_registry),
        test(a_device_is_found_by_its_exact_id_only),
        test(an_id_longer_than_any_key_is_just_not_there),
        test(ids_that_differ_in_case_only_are_twins),
        test(role_names_that_differ_in_case_only_are_twins),
        test(a_refused_change_leaves_the_scope_as_it_was),
        test(a_role_in_use_stays),
        test(a_device_cannot_be_given_a_role_that_is_not_there),
        test(the_version_of_a_device_rises_with_each_change),
        test(the_version_of_a_role_rises_with_each_change),
        test(a_role_that_is_gone_cannot_be_changed),
        test(a_device_that_was_removed_and_added_is_of_another_generation),
        test(an_undone_scope_leaves_nothing),
        test(the_log_says_who_did_what_when_to_whom),
        test(long_names_and_details_are_cut_in_the_log),
        test(a_commit_is_seen_by_number_and_by_the_next_scope),
        test(a_restored_device_is_exactly_as_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
