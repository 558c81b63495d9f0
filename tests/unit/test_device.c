/* test_device.c - ids, roles, attributes, client-id patterns, and the numbering of credentials. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "registry/device.h"

static const char letters_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static void an_id_begins_with_a_letter_or_digit(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char id[] = {(char)byte, 'a', '\0'};
        bool allowed = strchr(letters_digits, byte) != NULL;
        assert_int_equal(device_id_valid(id), allowed);
        assert_int_equal(role_name_valid(id), allowed);
    }
}

static void an_id_goes_on_with_letters_digits_and_five_marks(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char middle[] = {'a', (char)byte, 'b', '\0'}, last[] = {'a', (char)byte, '\0'};
        bool allowed = strchr(letters_digits, byte) || strchr("._:@-", byte);
        assert_int_equal(device_id_valid(middle), allowed);
        assert_int_equal(device_id_valid(last), allowed);
        assert_int_equal(role_name_valid(middle), allowed && byte != '@');
    }
}

static void an_attribute_name_is_a_letter_and_letters_digits_and_two_marks(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char first[] = {(char)byte, '\0'}, later[] = {'a', (char)byte, '\0'};
        bool word = strchr(letters_digits, byte) != NULL;
        assert_int_equal(attribute_name_valid(first), word && (byte < '0' || byte > '9'));
        assert_int_equal(attribute_name_valid(later), word || byte == '_' || byte == '-');
    }
}

/* `valid` takes 1 to `max` bytes. */
static void assert_length_limits(bool (*valid)(const char *), size_t max)
{
    char name[256] = {0};
    memset(name, 'a', max);
    assert_false(valid(""));
    assert_true(valid("a"));
    assert_true(valid(name));
    name[max] = 'a';
    assert_false(valid(name));
}

static void names_have_limits_of_length(void **state)
{
    (void)state;
    assert_length_limits(device_id_valid, DEVICE_ID_MAX);
    assert_length_limits(role_name_valid, ROLE_NAME_MAX);
    assert_length_limits(attribute_name_valid, ATTRIBUTE_NAME_MAX);
}

static void an_attribute_value_is_any_plain_text_of_128_bytes(void **state)
{
    char value[ATTRIBUTE_VALUE_MAX + 2] = {0};
    (void)state;
    assert_true(attribute_value_valid(""));
    assert_true(attribute_value_valid("Straße 7/+#"));
    assert_false(attribute_value_valid("a\nb"));
    assert_false(attribute_value_valid("\xff"));
    memset(value, 'a', ATTRIBUTE_VALUE_MAX);
    assert_true(attribute_value_valid(value));
    value[ATTRIBUTE_VALUE_MAX] = 'a';
    assert_false(attribute_value_valid(value));
}

static void a_new_device_is_enabled_and_empty(void **state)
{
    struct device device;
    (void)state;
    memset(&device, 0xa5, sizeof device);
    device_init(&device, "pump-7");
    assert_string_equal(device.id, "pump-7");
    assert_int_equal(device.state, DEVICE_ENABLED);
    assert_string_equal(device.reason, "");
    assert_string_equal(device.note, "");
    assert_string_equal(device.client_id, "");
    assert_true(device.generation == 0 && device.version == 0);
    assert_true(device.created == 0 && device.changed == 0 && device.expires == 0);
    assert_true(device.credential_count == 0 && device.role_count == 0);
    assert_true(device.attribute_count == 0 && device.rules.count == 0);
    assert_int_equal(device.next_credential, 1);
    device_clear(&device);
    device_clear(&device);
}

static void roles_are_kept_sorted_and_once(void **state)
{
    struct device device;
    (void)state;
    device_init(&device, "d");
    assert_int_equal(device_add_role(&device, "m"), ERR_OK);
    assert_int_equal(device_add_role(&device, "z"), ERR_OK);
    assert_int_equal(device_add_role(&device, "a"), ERR_OK);
    assert_int_equal(device_add_role(&device, "m"), ERR_EXISTS);
    assert_int_equal(device_add_role(&device, "a@b"), ERR_INVALID);
    assert_int_equal(device_add_role(&device, ""), ERR_INVALID);
    assert_int_equal(device.role_count, 3);
    assert_string_equal(device.roles[0], "a");
    assert_string_equal(device.roles[1], "m");
    assert_string_equal(device.roles[2], "z");
    assert_int_equal(device_remove_role(&device, "b"), ERR_NOT_FOUND);
    assert_int_equal(device_remove_role(&device, "a"), ERR_OK);
    assert_int_equal(device.role_count, 2);
    assert_string_equal(device.roles[0], "m");
    assert_string_equal(device.roles[1], "z");
    device_clear(&device);
}

static void a_device_holds_sixteen_roles(void **state)
{
    struct device device;
    char role[16];
    (void)state;
    device_init(&device, "d");
    for (int i = 0; i < ROLES_MAX; i++) {
        snprintf(role, sizeof role, "r%02d", i * 7 % ROLES_MAX);
        assert_int_equal(device_add_role(&device, role), ERR_OK);
    }
    assert_int_equal(device_add_role(&device, "x"), ERR_TOO_MANY);
    assert_int_equal(device_add_role(&device, "r00"), ERR_EXISTS);
    for (int i = 0; i < ROLES_MAX; i++) {
        snprintf(role, sizeof role, "r%02d", i);
        assert_string_equal(device.roles[i], role);
    }
    assert_int_equal(device_remove_role(&device, "r15"), ERR_OK);
    assert_int_equal(device_add_role(&device, "a"), ERR_OK);
    assert_string_equal(device.roles[15], "r14");
    device_clear(&device);
}

static const char *value_of(const struct device *device, const char *name)
{
    return attribute_find(device->attributes, device->attribute_count, name);
}

static void attributes_are_set_replaced_and_unset(void **state)
{
    struct device device;
    (void)state;
    device_init(&device, "d");
    assert_null(value_of(&device, "site"));
    assert_int_equal(device_set_attribute(&device, "site", "kiel"), ERR_OK);
    assert_int_equal(device_set_attribute(&device, "floor", ""), ERR_OK);
    assert_int_equal(device_set_attribute(&device, "site", "bonn"), ERR_OK);
    assert_int_equal(device_set_attribute(&device, "1st", "x"), ERR_INVALID);
    assert_int_equal(device_set_attribute(&device, "a", "\n"), ERR_INVALID);
    assert_int_equal(device.attribute_count, 2);
    assert_string_equal(device.attributes[0].name, "floor");
    assert_string_equal(value_of(&device, "site"), "bonn");
    assert_string_equal(value_of(&device, "floor"), "");
    assert_null(value_of(&device, "Site"));
    assert_int_equal(device_unset_attribute(&device, "x"), ERR_NOT_FOUND);
    assert_int_equal(device_unset_attribute(&device, "floor"), ERR_OK);
    assert_null(value_of(&device, "floor"));
    assert_string_equal(value_of(&device, "site"), "bonn");
    device_clear(&device);
}

static void a_device_has_sixteen_attributes(void **state)
{
    struct device device;
    char name[16];
    (void)state;
    device_init(&device, "d");
    for (int i = 0; i < ATTRIBUTES_MAX; i++) {
        snprintf(name, sizeof name, "a%02d", i * 5 % ATTRIBUTES_MAX);
        assert_int_equal(device_set_attribute(&device, name, name), ERR_OK);
    }
    assert_int_equal(device_set_attribute(&device, "b", "x"), ERR_TOO_MANY);
    assert_null(value_of(&device, "b"));
    assert_int_equal(device_set_attribute(&device, "a07", "new"), ERR_OK);
    assert_string_equal(value_of(&device, "a07"), "new");
    for (size_t i = 1; i < device.attribute_count; i++)
        assert_true(strcmp(device.attributes[i - 1].name, device.attributes[i].name) < 0);
    device_clear(&device);
}

static void a_client_id_pattern_says_which_client_ids_match(void **state)
{
    static const struct {
        const char *pattern, *client_id;
        bool matches;
    } rows[] = {
        {"*", "", true},           {"*", "x", true},          {"any", "x", true},
        {"any", "any", true},      {"device", "dev", true},   {"device", "device", false},
        {"device", "dev1", false}, {"prefix", "dev", true},   {"prefix", "dev-1", true},
        {"prefix", "xdev", false}, {"prefix", "de", false},   {"%u", "dev", true},
        {"%u-*", "dev-1", true},   {"%u-*", "dev1", false},   {"gw-%u", "gw-dev", true},
        {"gw-%u", "gw-", false},   {"a*b*c", "axbxc", true},  {"a*b*c", "abbbc", true},
        {"a*b*c", "acb", false},   {"a**b", "ab", true},      {"fixed", "fixed", true},
        {"fixed", "Fixed", false}, {"fixed", "", false},      {"%u%u", "devdev", true},
        {"%c", "%c", true},        {"50%", "50%", true},      {"*x", "axbx", true},
        {"*x", "axb", false},      {"a?c", "abc", false},     {"a?c", "a?c", true},
        {"*%u*", "a-dev-b", true}, {"*%u*", "a-de-b", false}, {"DEVICE", "dev", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(client_id_matches(rows[i].pattern, "dev", rows[i].client_id),
                         rows[i].matches);
}

static void a_star_in_a_client_id_is_no_pattern(void **state)
{
    (void)state;
    assert_false(client_id_matches("%u", "dev", "*"));
    assert_false(client_id_matches("abc", "dev", "a*"));
    assert_true(client_id_matches("a*", "dev", "a*"));
}

static void a_client_id_of_more_than_1024_bytes_matches_only_the_star(void **state)
{
    char client_id[1026];
    (void)state;
    memset(client_id, 'a', sizeof client_id);
    client_id[1024] = '\0';
    assert_true(client_id_matches("a*", "dev", client_id));
    client_id[1024] = 'a';
    client_id[1025] = '\0';
    assert_false(client_id_matches("a*", "dev", client_id));
    assert_false(client_id_matches("**", "dev", client_id));
    assert_true(client_id_matches("*", "dev", client_id));
    assert_true(client_id_matches("any", "dev", client_id));
}

static void a_pattern_that_grows_over_512_bytes_matches_nothing(void **state)
{
    char id[DEVICE_ID_MAX + 1] = {0}, client_id[1025] = {0};
    (void)state;
    memset(id, 'd', DEVICE_ID_MAX);
    memset(client_id, 'd', 4 * DEVICE_ID_MAX);
    assert_true(client_id_matches("%u%u%u%u", id, client_id));
    client_id[4 * DEVICE_ID_MAX] = 'x';
    assert_false(client_id_matches("%u%u%u%ux", id, client_id));
    assert_false(client_id_matches("%u%u%u%u*", id, client_id));
}

static void a_client_id_pattern_is_plain_text_of_1_to_128_bytes(void **state)
{
    char pattern[CLIENT_ID_PATTERN_MAX + 2] = {0};
    (void)state;
    assert_false(client_id_pattern_valid(""));
    assert_false(client_id_pattern_valid("a\x1b"));
    assert_false(client_id_pattern_valid("\xc3"));
    memset(pattern, '*', CLIENT_ID_PATTERN_MAX);
    assert_true(client_id_pattern_valid(pattern));
    pattern[CLIENT_ID_PATTERN_MAX] = '*';
    assert_false(client_id_pattern_valid(pattern));
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(device_state_name(DEVICE_DISABLED), "disabled");
    assert_string_equal(device_state_name(DEVICE_ENABLED), "enabled");
    assert_string_equal(device_state_name(DEVICE_REVOKED), "revoked");
}

static void credentials_are_numbered_and_a_number_never_comes_back(void **state)
{
    struct device device;
    (void)state;
    device_init(&device, "d");
    struct credential *first = device_new_credential(&device, CREDENTIAL_KEY, 1000);
    assert_int_equal(first->id, 1);
    assert_int_equal(first->kind, CREDENTIAL_KEY);
    assert_int_equal(first->created, 1000);
    assert_true(first->expires == 0 && first->not_before == 0 && first->secret_size == 0);
    assert_string_equal(first->label, "");
    assert_int_equal(device_new_credential(&device, CREDENTIAL_PASSWORD, 1000)->id, 2);
    device_drop_credential(&device, 1);
    assert_int_equal(device_new_credential(&device, CREDENTIAL_KEY, 1000)->id, 3);
    device_drop_credentials(&device);
    assert_int_equal(device.credential_count, 0);
    assert_int_equal(device_new_credential(&device, CREDENTIAL_KEY, 1000)->id, 4);
    device_clear(&device);
}

static void eight_live_credentials_are_the_most(void **state)
{
    struct device device;
    (void)state;
    device_init(&device, "d");
    for (uint32_t i = 1; i <= CREDENTIALS_MAX; i++)
        assert_int_equal(device_new_credential(&device, CREDENTIAL_KEY, 1000)->id, i);
    assert_null(device_new_credential(&device, CREDENTIAL_KEY, 1000));
    assert_int_equal(device.credential_count, CREDENTIALS_MAX);
    assert_int_equal(device.next_credential, CREDENTIALS_MAX + 1);
    device_clear(&device);
}

static void expired_credentials_make_room_and_the_others_stay(void **state)
{
    struct device device;
    (void)state;
    device_init(&device, "d");
    for (size_t i = 0; i < CREDENTIALS_MAX; i++)
        assert_non_null(device_new_credential(&device, CREDENTIAL_KEY, 1000));
    device.credentials[2].expires = 2000;
    device.credentials[7].expires = 1999;
    device.credentials[3].expires = 2001;
    struct credential *made = device_new_credential(&device, CREDENTIAL_KEY, 2000);
    static const uint32_t left[] = {1, 2, 4, 5, 6, 7, 9};
    assert_non_null(made);
    assert_int_equal(device.credential_count, COUNT(left));
    for (size_t i = 0; i < COUNT(left); i++)
        assert_int_equal(device.credentials[i].id, left[i]);
    assert_ptr_equal(made, &device.credentials[COUNT(left) - 1]);
    device_clear(&device);
}

static void a_dropped_credential_is_wiped(void **state)
{
    static const uint8_t zeros[CREDENTIAL_SECRET_MAX + 1];
    struct device device;
    (void)state;
    device_init(&device, "d");
    for (size_t i = 0; i < 2; i++) {
        struct credential *made = device_new_credential(&device, CREDENTIAL_KEY, 0);
        memset(made->secret, 0x5a, sizeof made->secret);
    }
    device_drop_credential(&device, 0);
    assert_int_equal(device.credentials[0].id, 2);
    assert_memory_equal(device.credentials[1].secret, zeros, sizeof zeros);
    device_clear(&device);
    assert_memory_equal(device.credentials[0].secret, zeros, sizeof zeros);
}

static void a_device_with_a_name_or_text_that_no_setter_takes_is_not_plausible(void **state)
{
    static const struct {
        const char *id, *note, *role, *attribute, *value;
    } bad[] = {{"a/b", "", "r", "a", ""},       {"", "", "r", "a", ""},
               {"d", "a\x1b[1m", "r", "a", ""}, {"d", "", "b@c", "a", ""},
               {"d", "", "r", "1", ""},         {"d", "", "r", "a", "\n"},
               {"d", "", "r", "a", "\xff"},     {"d", "\xc3", "r", "a", ""}};
    struct device device;
    (void)state;
    device_init(&device, "d");
    device.role_count = device.attribute_count = 1;
    strcpy(device.roles[0], "r");
    device.attributes[0] = (struct attribute){"a", "kiel"};
    assert_true(device_plausible(&device));
    for (size_t i = 0; i < COUNT(bad); i++) {
        strcpy(device.id, bad[i].id);
        strcpy(device.note, bad[i].note);
        strcpy(device.roles[0], bad[i].role);
        strcpy(device.attributes[0].name, bad[i].attribute);
        strcpy(device.attributes[0].value, bad[i].value);
        assert_false(device_plausible(&device));
    }
    device_clear(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_with_a_name_or_text_that_no_setter_takes_is_not_plausible),
        cmocka_unit_test(an_id_begins_with_a_letter_or_digit),
        cmocka_unit_test(an_id_goes_on_with_letters_digits_and_five_marks),
        cmocka_unit_test(an_attribute_name_is_a_letter_and_letters_digits_and_two_marks),
        cmocka_unit_test(names_have_limits_of_length),
        cmocka_unit_test(an_attribute_value_is_any_plain_text_of_128_bytes),
        cmocka_unit_test(a_new_device_is_enabled_and_empty),
        cmocka_unit_test(roles_are_kept_sorted_and_once),
        cmocka_unit_test(a_device_holds_sixteen_roles),
        cmocka_unit_test(attributes_are_set_replaced_and_unset),
        cmocka_unit_test(a_device_has_sixteen_attributes),
        cmocka_unit_test(a_client_id_pattern_says_which_client_ids_match),
        cmocka_unit_test(a_star_in_a_client_id_is_no_pattern),
        cmocka_unit_test(a_client_id_of_more_than_1024_bytes_matches_only_the_star),
        cmocka_unit_test(a_pattern_that_grows_over_512_bytes_matches_nothing),
        cmocka_unit_test(a_client_id_pattern_is_plain_text_of_1_to_128_bytes),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(credentials_are_numbered_and_a_number_never_comes_back),
        cmocka_unit_test(eight_live_credentials_are_the_most),
        cmocka_unit_test(expired_credentials_make_room_and_the_others_stay),
        cmocka_unit_test(a_dropped_credential_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
