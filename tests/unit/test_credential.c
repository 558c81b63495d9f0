/* test_credential.c - which credential of a device a text is, and when. */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "registry/device.h"
#include "registry/key.h"

enum { NOW = 1000000 };

struct fixture {
    uint8_t secret[CRYPTO_KEY_SIZE];
    struct device device;
    char key[KEY_TEXT_SIZE + 1];
};

static struct credential *add_key(struct fixture *fixture, char key[static KEY_TEXT_SIZE + 1])
{
    struct credential *made = device_new_credential(&fixture->device, CREDENTIAL_KEY, NOW);
    assert_non_null(made);
    key_generate(key);
    key_hash(made->secret, key, fixture->device.id, made->id, fixture->secret);
    made->secret_size = KEY_HASH_SIZE;
    return made;
}

static const struct credential *look(const struct fixture *fixture, const char *text, int64_t now)
{
    return credential_of_key(&fixture->device, text, fixture->secret, now);
}

static int begin(void **state)
{
    static struct fixture fixture;
    if (crypto_init() != ERR_OK)
        return -1;
    crypto_random(fixture.secret, sizeof fixture.secret);
    device_init(&fixture.device, "pump-7");
    add_key(&fixture, fixture.key);
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    device_clear(&fixture->device);
    return 0;
}

static void the_key_of_a_device_is_found(void **state)
{
    struct fixture *fixture = *state;
    assert_ptr_equal(look(fixture, fixture->key, NOW), &fixture->device.credentials[0]);
}

static void a_wrong_key_is_nothing(void **state)
{
    struct fixture *fixture = *state;
    char other[KEY_TEXT_SIZE + 1];
    key_generate(other);
    assert_null(look(fixture, other, NOW));
    assert_null(look(fixture, "", NOW));
    assert_null(look(fixture, "password", NOW));
    fixture->key[20] = fixture->key[20] == 'a' ? 'b' : 'a';
    assert_null(look(fixture, fixture->key, NOW));
}

static void a_key_opens_nobody(void **state)
{
    struct fixture *fixture = *state;
    assert_null(credential_of_key(NULL, fixture->key, fixture->secret, NOW));
    assert_null(credential_of_key(NULL, "", fixture->secret, NOW));
    device_drop_credentials(&fixture->device);
    assert_null(look(fixture, fixture->key, NOW));
}

static void each_of_several_keys_is_found(void **state)
{
    struct fixture *fixture = *state;
    char second[KEY_TEXT_SIZE + 1], third[KEY_TEXT_SIZE + 1];
    add_key(fixture, second);
    add_key(fixture, third);
    assert_int_equal(look(fixture, fixture->key, NOW)->id, 1);
    assert_int_equal(look(fixture, second, NOW)->id, 2);
    assert_int_equal(look(fixture, third, NOW)->id, 3);
}

static void a_key_that_is_copied_to_another_device_or_number_opens_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct device other;
    device_init(&other, "pump-8");
    struct credential *copy = device_new_credential(&other, CREDENTIAL_KEY, NOW);
    *copy = fixture->device.credentials[0];
    other.credential_count = 1;
    assert_null(credential_of_key(&other, fixture->key, fixture->secret, NOW));
    fixture->device.credentials[0].id = 2;
    assert_null(look(fixture, fixture->key, NOW));
    device_clear(&other);
}

static void a_key_under_another_secret_opens_nothing(void **state)
{
    struct fixture *fixture = *state;
    fixture->secret[0] ^= 1;
    assert_null(look(fixture, fixture->key, NOW));
}

static void a_key_lives_from_not_before_until_just_before_its_expiry(void **state)
{
    struct fixture *fixture = *state;
    struct credential *kept = &fixture->device.credentials[0];
    kept->not_before = NOW;
    kept->expires = NOW + 10;
    assert_null(look(fixture, fixture->key, NOW - 1));
    assert_ptr_equal(look(fixture, fixture->key, NOW), kept);
    assert_ptr_equal(look(fixture, fixture->key, NOW + 9), kept);
    assert_null(look(fixture, fixture->key, NOW + 10));
    assert_true(credential_live(kept, NOW + 9));
    assert_false(credential_live(kept, NOW + 10));
    assert_false(credential_live(kept, NOW - 1));
    kept->not_before = kept->expires = 0;
    assert_true(credential_live(kept, 0));
    assert_true(credential_live(kept, INT64_MAX));
}

static void a_hash_of_another_kind_or_size_opens_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct credential *kept = &fixture->device.credentials[0];
    kept->kind = CREDENTIAL_PASSWORD;
    assert_null(look(fixture, fixture->key, NOW));
    kept->kind = 77;
    assert_null(look(fixture, fixture->key, NOW));
    kept->kind = CREDENTIAL_KEY;
    kept->secret_size = KEY_HASH_SIZE - 1;
    assert_null(look(fixture, fixture->key, NOW));
    kept->secret_size = 0;
    assert_null(look(fixture, fixture->key, NOW));
    kept->secret_size = KEY_HASH_SIZE;
    assert_non_null(look(fixture, fixture->key, NOW));
}

static void an_unknown_kind_does_not_hide_the_key_behind_it(void **state)
{
    struct fixture *fixture = *state;
    char second[KEY_TEXT_SIZE + 1];
    add_key(fixture, second);
    fixture->device.credentials[0].kind = 200;
    assert_ptr_equal(look(fixture, second, NOW), &fixture->device.credentials[1]);
}

static void the_first_live_password_is_taken(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = &fixture->device;
    assert_null(credential_password(device, NOW));
    device_new_credential(device, CREDENTIAL_PASSWORD, NOW)->expires = NOW + 5;
    device_new_credential(device, CREDENTIAL_PASSWORD, NOW)->not_before = NOW + 1;
    assert_int_equal(credential_password(device, NOW)->id, 2);
    assert_int_equal(credential_password(device, NOW + 4)->id, 2);
    assert_int_equal(credential_password(device, NOW + 5)->id, 3);
    device->credentials[2].not_before = NOW + 6;
    assert_null(credential_password(device, NOW + 5));
}

static void an_imported_password_is_one(void **state)
{
    struct fixture *fixture = *state;
    struct device *device = &fixture->device;
    device_new_credential(device, CREDENTIAL_IMPORTED, NOW)->expires = NOW + 5;
    assert_int_equal(credential_password(device, NOW)->id, 2);
    assert_null(credential_password(device, NOW + 5));
    assert_true(credential_is_password(&device->credentials[1]));
    assert_false(credential_is_password(&device->credentials[0]));
}

static void kinds_have_names(void **state)
{
    struct fixture *fixture = *state;
    struct credential *kept = &fixture->device.credentials[0];
    assert_string_equal(credential_kind_name(kept), "key");
    kept->kind = CREDENTIAL_PASSWORD;
    assert_string_equal(credential_kind_name(kept), "password");
    kept->kind = CREDENTIAL_IMPORTED;
    assert_string_equal(credential_kind_name(kept), "imported");
    kept->kind = 0;
    assert_string_equal(credential_kind_name(kept), "other");
    kept->kind = 255;
    assert_string_equal(credential_kind_name(kept), "other");
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_key_of_a_device_is_found),
        test(a_wrong_key_is_nothing),
        test(a_key_opens_nobody),
        test(each_of_several_keys_is_found),
        test(a_key_that_is_copied_to_another_device_or_number_opens_nothing),
        test(a_key_under_another_secret_opens_nothing),
        test(a_key_lives_from_not_before_until_just_before_its_expiry),
        test(a_hash_of_another_kind_or_size_opens_nothing),
        test(an_unknown_kind_does_not_hide_the_key_behind_it),
        test(the_first_live_password_is_taken),
        test(an_imported_password_is_one),
        test(kinds_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
