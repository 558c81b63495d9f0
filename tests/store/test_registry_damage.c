/* test_registry_damage.c - records that are sealed well and still wrong: found, named, walked over,
 * and never taken for an answer. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry/record.h"
#include "registry/registry.h"
#include "tests/support/store_fixture.h"

enum { NOW = 5000, FINDINGS_MAX = 8 };

struct fixture {
    struct tempdir dir;
    struct registry *registry;
    size_t count;
    char findings[FINDINGS_MAX][256];
};

static void add(struct registry *registry, const char *id)
{
    struct device device;
    device_init(&device, id);
    assert_int_equal(device_add_role(&device, DEFAULT_ROLE), ERR_OK);
    assert_int_equal(registry_add_device(registry, &device), ERR_OK);
    device_clear(&device);
}

static int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    char path[TEMPDIR_MAX];
    *state = fixture;
    tempdir_make(&fixture->dir);
    path_join(path, fixture->dir.path, "registry");
    if (registry_create(path, geteuid(), getegid(), "maker", NOW) ||
        registry_open(&fixture->registry, path, STORE_WRITE) ||
        registry_write(fixture->registry, "tester", NOW))
        return -1;
    add(fixture->registry, "a");
    add(fixture->registry, "b");
    add(fixture->registry, "c");
    return registry_commit(fixture->registry) ? -1 : 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    registry_close(fixture->registry);
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

/* Puts a record past the registry. */
static void put_raw(struct fixture *fixture, const char *key, struct bytes record)
{
    struct txn *txn;
    assert_int_equal(txn_write(&txn, registry_store(fixture->registry)), ERR_OK);
    txn_put(txn, text_bytes(key), record);
    assert_int_equal(txn_commit(txn), ERR_OK);
}

static void delete_raw(struct fixture *fixture, const char *key)
{
    struct txn *txn;
    assert_int_equal(txn_write(&txn, registry_store(fixture->registry)), ERR_OK);
    txn_delete(txn, text_bytes(key));
    assert_int_equal(txn_commit(txn), ERR_OK);
}

static void keep_finding(void *context, const char *what, const char *problem)
{
    struct fixture *fixture = context;
    assert_true(fixture->count < FINDINGS_MAX);
    snprintf(fixture->findings[fixture->count++], sizeof fixture->findings[0], "%s: %s", what,
             problem);
}

/* The check finds exactly one thing, and names it. */
static void assert_one_finding(struct fixture *fixture, const char *name)
{
    struct registry_check result = {0};
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    assert_int_equal(registry_check(fixture->registry, &result, keep_finding, fixture), ERR_OK);
    registry_end(fixture->registry);
    for (size_t i = 0; i < fixture->count; i++)
        print_message("%s\n", fixture->findings[i]);
    assert_int_equal(result.findings, 1);
    assert_int_equal(fixture->count, 1);
    assert_non_null(strstr(fixture->findings[0], name));
}

static void a_sound_registry_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    struct registry_check result = {0};
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    assert_int_equal(registry_check(fixture->registry, &result, keep_finding, fixture), ERR_OK);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.devices, 3);
    assert_int_equal(result.roles, 1);
    assert_int_equal(result.entries, 1);
}

static void a_damaged_device_is_an_error_and_no_device(void **state)
{
    struct fixture *fixture = *state;
    struct registry *registry = fixture->registry;
    struct device device;
    enum err error = ERR_OK;
    char twin[DEVICE_ID_MAX + 1];
    put_raw(fixture, "db", text_bytes("\x01nonsense"));
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_get_device(registry, "b", &device), ERR_DAMAGED);
    assert_false(registry_has_device(registry, "b", &error));
    assert_int_equal(error, ERR_DAMAGED);
    assert_int_equal(registry_find_twin(registry, "B", twin), ERR_DAMAGED);
    assert_true(registry_has_device(registry, "c", &error));
}

static void a_damaged_device_is_not_written_over(void **state)
{
    struct fixture *fixture = *state;
    struct device device;
    put_raw(fixture, "db", text_bytes("\x01nonsense"));
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_OK);
    device_init(&device, "b");
    assert_int_equal(registry_add_device(fixture->registry, &device), ERR_DAMAGED);
    assert_int_equal(registry_commit(fixture->registry), ERR_DAMAGED);
    device_clear(&device);
}

static void a_walk_goes_on_behind_a_damaged_device(void **state)
{
    struct fixture *fixture = *state;
    struct device device;
    put_raw(fixture, "db", text_bytes(""));
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    assert_int_equal(registry_next_device(fixture->registry, "a", &device), ERR_DAMAGED);
    assert_string_equal(device.id, "b");
    assert_int_equal(registry_next_device(fixture->registry, "b", &device), ERR_OK);
    assert_string_equal(device.id, "c");
    device_clear(&device);
}

static void what_stands_under_no_name_does_not_hold_a_walk_up(void **state)
{
    struct fixture *fixture = *state;
    struct txn *txn;
    struct device device;
    char longer[1 + DEVICE_ID_MAX + 2] = "da";
    assert_int_equal(txn_write(&txn, registry_store(fixture->registry)), ERR_OK);
    txn_put(txn, (struct bytes){(const uint8_t *)longer, 4}, text_bytes("a NUL in the name"));
    memset(longer + 1, 'b', sizeof longer - 2);
    txn_put(txn, text_bytes(longer), text_bytes("too long for a name"));
    assert_int_equal(txn_commit(txn), ERR_OK);
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    assert_int_equal(registry_next_device(fixture->registry, "a", &device), ERR_OK);
    assert_string_equal(device.id, "b");
    device_clear(&device);
    assert_int_equal(registry_next_device(fixture->registry, "b", &device), ERR_OK);
    assert_string_equal(device.id, "c");
    device_clear(&device);
}

static void a_device_of_a_later_format_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct device device;
    put_raw(fixture, "db", text_bytes("\x03whatever comes then"));
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    assert_int_equal(registry_get_device(fixture->registry, "b", &device), ERR_TOO_NEW);
}

static void the_check_names_a_device_that_does_not_decode(void **state)
{
    struct fixture *fixture = *state;
    delete_raw(fixture, "hdevice");
    struct pack pack = {0};
    pack_number(&pack, 2); /* of the three holders one cannot be read */
    put_raw(fixture, "hdevice", (struct bytes){pack.data, pack.size});
    pack_free(&pack);
    put_raw(fixture, "db", text_bytes("\x01nonsense"));
    assert_one_finding(fixture, "device b");
}

static void the_check_names_a_role_whose_holders_are_miscounted(void **state)
{
    struct fixture *fixture = *state;
    struct pack pack = {0};
    pack_number(&pack, 4);
    put_raw(fixture, "hdevice", (struct bytes){pack.data, pack.size});
    pack_free(&pack);
    assert_one_finding(fixture, "role device");
}

static void count_devices(struct fixture *fixture, uint64_t count)
{
    struct pack pack = {0};
    pack_number(&pack, count);
    put_raw(fixture, "c", (struct bytes){pack.data, pack.size});
    pack_free(&pack);
}

static void the_check_names_a_wrong_count_of_devices(void **state)
{
    struct fixture *fixture = *state;
    count_devices(fixture, 2);
    assert_one_finding(fixture, "count of devices");
}

static void the_check_names_a_device_under_another_name(void **state)
{
    struct fixture *fixture = *state;
    struct device device;
    struct pack pack = {0};
    device_init(&device, "elsewhere");
    device_encode(&pack, &device);
    put_raw(fixture, "dd", (struct bytes){pack.data, pack.size});
    pack_free(&pack);
    device_clear(&device);
    count_devices(fixture, 4);
    assert_one_finding(fixture, "device d");
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    enum err error;
    assert_false(registry_has_device(fixture->registry, "d", &error));
    assert_false(registry_has_device(fixture->registry, "elsewhere", &error));
}

static void the_check_names_a_record_of_no_known_kind(void **state)
{
    struct fixture *fixture = *state;
    put_raw(fixture, "zebra", text_bytes("what is it"));
    assert_one_finding(fixture, "zebra");
}

static void the_check_names_a_gap_in_the_log(void **state)
{
    struct fixture *fixture = *state;
    struct log_entry entry = {.seq = 3, .time = NOW, .verb = LOG_SET, .kind = LOG_BULK};
    struct pack pack = {0};
    struct txn *txn;
    static const uint8_t key[9] = {'l', 0, 0, 0, 0, 0, 0, 0, 3};
    entry_encode(&pack, &entry);
    assert_int_equal(txn_write(&txn, registry_store(fixture->registry)), ERR_OK);
    txn_put(txn, (struct bytes){key, sizeof key}, (struct bytes){pack.data, pack.size});
    assert_int_equal(txn_commit(txn), ERR_OK);
    pack_free(&pack);
    assert_one_finding(fixture, "log entry 3");
}

static void a_registry_without_its_secret_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    char path[TEMPDIR_MAX];
    delete_raw(fixture, "s");
    registry_close(fixture->registry);
    fixture->registry = NULL;
    path_join(path, fixture->dir.path, "registry");
    assert_int_equal(registry_open(&fixture->registry, path, STORE_READ), ERR_DAMAGED);
}

static void a_count_of_holders_that_would_fall_below_none_is_damage(void **state)
{
    struct fixture *fixture = *state;
    put_raw(fixture, "hdevice", (struct bytes){(const uint8_t *)"", 1});
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_OK);
    assert_int_equal(registry_remove_device(fixture->registry, "b"), ERR_DAMAGED);
    assert_int_equal(registry_commit(fixture->registry), ERR_DAMAGED);
}

static void assert_no_findings(struct fixture *fixture)
{
    struct registry_check result = {0};
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    assert_int_equal(registry_check(fixture->registry, &result, keep_finding, fixture), ERR_OK);
    registry_end(fixture->registry);
    for (size_t i = 0; i < fixture->count; i++)
        print_message("%s\n", fixture->findings[i]);
    assert_int_equal(result.findings, 0);
}

static void put_number(struct fixture *fixture, const char *key, uint64_t number)
{
    struct pack pack = {0};
    pack_number(&pack, number);
    put_raw(fixture, key, (struct bytes){pack.data, pack.size});
    pack_free(&pack);
}

static void the_check_names_counts_of_roles_that_are_not_there(void **state)
{
    struct fixture *fixture = *state;
    put_number(fixture, "hnobody", 0);
    assert_one_finding(fixture, "count of holders of role nobody: is of a role that is not there");
}

static void the_check_names_a_generation_that_would_be_given_out_twice(void **state)
{
    struct fixture *fixture = *state;
    put_number(fixture, "n", 2);
    assert_one_finding(fixture, "last generation: is below that of a device");
}

static void what_is_only_counted_is_counted_anew(void **state)
{
    struct fixture *fixture = *state;
    put_number(fixture, "hdevice", 17);
    put_number(fixture, "hnobody", 1);
    put_number(fixture, "c", 1);
    put_raw(fixture, "n", text_bytes("nonsense"));
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_OK);
    assert_int_equal(registry_recount(fixture->registry), ERR_OK);
    assert_int_equal(registry_commit(fixture->registry), ERR_OK);
    assert_no_findings(fixture);
}

static void a_damaged_device_can_be_removed(void **state)
{
    struct fixture *fixture = *state;
    struct registry *registry = fixture->registry;
    uint64_t count;
    put_raw(fixture, "db", text_bytes("\x01nonsense"));
    assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
    assert_int_equal(registry_remove_damaged(registry, "a"), ERR_EXISTS);
    assert_int_equal(registry_remove_damaged(registry, "z"), ERR_NOT_FOUND);
    assert_int_equal(registry_remove_damaged(registry, "B"), ERR_OK);
    add(registry, "b");
    assert_int_equal(registry_commit(registry), ERR_OK);
    assert_no_findings(fixture);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_role_holders(registry, DEFAULT_ROLE, &count), ERR_OK);
    assert_int_equal(count, 3);
}

static void a_damaged_role_can_begin_anew(void **state)
{
    struct fixture *fixture = *state;
    struct registry *registry = fixture->registry;
    struct role role;
    role_init(&role, DEFAULT_ROLE);
    assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
    assert_int_equal(registry_renew_role(registry, &role), ERR_EXISTS);
    registry_end(registry);
    put_raw(fixture, "rdevice", text_bytes("\x01nonsense"));
    assert_int_equal(registry_write(registry, "tester", NOW), ERR_OK);
    assert_int_equal(registry_renew_role(registry, &role), ERR_OK);
    assert_int_equal(registry_commit(registry), ERR_OK);
    role_clear(&role);
    assert_no_findings(fixture);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_get_role(registry, DEFAULT_ROLE, &role), ERR_OK);
    assert_int_equal(role.rules.count, 0);
    role_clear(&role);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_sound_registry_has_no_findings),
        test(a_damaged_device_is_an_error_and_no_device),
        test(a_damaged_device_is_not_written_over),
        test(a_walk_goes_on_behind_a_damaged_device),
        test(what_stands_under_no_name_does_not_hold_a_walk_up),
        test(a_device_of_a_later_format_is_an_error),
        test(the_check_names_a_device_that_does_not_decode),
        test(the_check_names_a_role_whose_holders_are_miscounted),
        test(the_check_names_a_wrong_count_of_devices),
        test(the_check_names_a_device_under_another_name),
        test(the_check_names_a_record_of_no_known_kind),
        test(the_check_names_a_gap_in_the_log),
        test(a_registry_without_its_secret_is_damaged),
        test(a_count_of_holders_that_would_fall_below_none_is_damage),
        test(the_check_names_counts_of_roles_that_are_not_there),
        test(the_check_names_a_generation_that_would_be_given_out_twice),
        test(what_is_only_counted_is_counted_anew),
        test(a_damaged_device_can_be_removed),
        test(a_damaged_role_can_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
