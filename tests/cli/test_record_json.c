/* What is written as JSON is read as the same record, whatever it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "admin/record_reader.h"
#include "registry/key.h"
#include "registry/record.h"

enum { ROUNDS = 2000 };

static uint64_t seed;

/* xorshift64*: the same numbers everywhere for a seed. */
static uint32_t random_below(uint32_t limit)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint32_t)((seed * 0x2545f4914f6cdd1d) >> 33) % limit;
}

static int64_t random_time(void)
{
    return random_below(3) ? 1700000000000 + random_below(UINT32_MAX >> 1) : 0;
}

/* Up to `max` bytes of what makes trouble in JSON, and other plain text. */
static void random_text(char *text, size_t max)
{
    static const char *const pieces[] = {
        "\"", "\\", "/", "\\u0000", "{", "\xc3\xb6", "\xe2\x9c\x93", "\xf0\x9f\x98\x80",
        "a",  "%u", " ", "'"};
    size_t used = 0, goal = random_below((uint32_t)max + 1);
    for (;;) {
        const char *piece = pieces[random_below(sizeof pieces / sizeof *pieces)];
        size_t length = strlen(piece);
        if (used + length > goal)
            break;
        memcpy(text + used, piece, length);
        used += length;
    }
    text[used] = '\0';
}

static void random_name(char *name, size_t max)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEF0123456789_-";
    size_t length = 1 + random_below((uint32_t)max);
    name[0] = letters[random_below(26)];
    for (size_t i = 1; i < length; i++)
        name[i] = letters[random_below(sizeof letters - 1)];
    name[length] = '\0';
}

static void random_rules(struct rules *rules)
{
    char filter[RULE_FILTER_MAX + 1];
    for (uint32_t i = random_below(10); i > 0; i--) {
        random_text(filter, 40);
        enum err e = rules_set(rules, (enum effect)random_below(2),
                               (enum action)(1 + random_below(3)), filter, NULL);
        (void)e; /* a filter that is not valid, or there: one rule less */
    }
}

static void random_limits(struct limits *limits)
{
    static const char *const values[] = {"none", "unlimited", "0", "1", "2", "65535", "no", "yes"};
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        uint32_t value;
        if (limit_parse(limit, values[random_below(8)], &value))
            limits->values[limit] = value;
    }
}

static void random_credentials(struct device *device)
{
    for (uint32_t i = random_below(CREDENTIALS_MAX + 1); i > 0; i--) {
        static const char *const secrets[] = {[CREDENTIAL_PASSWORD] = "$argon2id$v=19$",
                                              [CREDENTIAL_IMPORTED] =
                                                  "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA"};
        enum credential_kind kind = (enum credential_kind)(CREDENTIAL_KEY + random_below(3));
        device->next_credential += random_below(3);
        struct credential *credential = device_new_credential(device, kind, 0);
        assert_non_null(credential);
        credential->secret_size = KEY_HASH_SIZE;
        for (size_t b = 0; b < KEY_HASH_SIZE; b++)
            credential->secret[b] = (uint8_t)random_below(256);
        if (kind != CREDENTIAL_KEY) {
            strcpy((char *)credential->secret, secrets[kind]);
            credential->secret_size = strlen(secrets[kind]);
        }
        random_text(credential->label, CREDENTIAL_LABEL_MAX);
        credential->created = random_time();
        credential->expires = random_time();
        credential->not_before = random_time();
    }
}

static void random_device(struct device *device)
{
    char name[ROLE_NAME_MAX + 1], value[ATTRIBUTE_VALUE_MAX + 1];
    random_name(name, ROLE_NAME_MAX);
    device_init(device, name);
    device->state = (enum device_state)random_below(3);
    random_text(device->reason, REASON_MAX);
    random_text(device->note, NOTE_MAX);
    random_text(device->client_id, CLIENT_ID_PATTERN_MAX);
    device->generation = 1 + random_below(1000);
    device->version = 1 + random_below(1000);
    device->created = random_time();
    device->changed = random_time();
    device->expires = random_time();
    for (uint32_t i = random_below(ROLES_MAX + 1); i > 0; i--) {
        random_name(name, ROLE_NAME_MAX);
        enum err e = device_add_role(device, name);
        assert_true(e == ERR_OK || e == ERR_EXISTS);
    }
    for (uint32_t i = random_below(ATTRIBUTES_MAX + 1); i > 0; i--) {
        random_name(name, ATTRIBUTE_NAME_MAX);
        random_text(value, ATTRIBUTE_VALUE_MAX);
        assert_int_equal(device_set_attribute(device, name, value), ERR_OK);
    }
    if (device->state != DEVICE_REVOKED)
        random_credentials(device);
    random_rules(&device->rules);
    random_limits(&device->limits);
}

/* Through a line of text, as in an export. The caller ends it with cJSON_Delete. */
static cJSON *through_text(cJSON *json)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    json_print(file, json);
    assert_int_equal(fclose(file), 0);
    cJSON_Delete(json);
    cJSON *back = json_parse(text);
    assert_non_null(back);
    free(text);
    return back;
}

static void assert_same(struct pack *a, struct pack *b)
{
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
    pack_free(a);
    pack_free(b);
}

static void a_device_survives_json_byte_for_byte(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct device device, back;
        struct pack before = {0}, after = {0};
        char problem[RECORD_PROBLEM_MAX + 1] = "";
        random_device(&device);
        device_encode(&before, &device);
        cJSON *json = through_text(device_to_json(&device, WITH_SECRETS));
        if (!device_from_json(&back, json, WITH_SECRETS, problem))
            fail_msg("%s", problem);
        device_encode(&after, &back);
        assert_same(&before, &after);
        cJSON_Delete(json);
        device_clear(&device);
        device_clear(&back);
    }
}

static void a_role_survives_json_byte_for_byte(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct role role, back;
        struct pack before = {0}, after = {0};
        char name[ROLE_NAME_MAX + 1], problem[RECORD_PROBLEM_MAX + 1] = "";
        random_name(name, ROLE_NAME_MAX);
        role_init(&role, name);
        random_text(role.note, NOTE_MAX);
        role.version = 1 + random_below(1000);
        role.created = random_time();
        role.changed = random_time();
        random_rules(&role.rules);
        random_limits(&role.limits);
        role_encode(&before, &role);
        cJSON *json = through_text(role_to_json(&role));
        if (!role_from_json(&back, json, WITH_SECRETS, problem))
            fail_msg("%s", problem);
        role_encode(&after, &back);
        assert_same(&before, &after);
        cJSON_Delete(json);
        role_clear(&role);
        role_clear(&back);
    }
}

static void no_secret_is_shown_unless_asked_for(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct device device;
        random_device(&device);
        cJSON *json = device_to_json(&device, WITHOUT_SECRETS);
        const cJSON *credential;
        cJSON_ArrayForEach(credential, cJSON_GetObjectItemCaseSensitive(json, "credentials"))
        {
            assert_null(cJSON_GetObjectItemCaseSensitive(credential, "secret"));
        }
        cJSON_Delete(json);
        device_clear(&device);
    }
}

/* A line of JSON can be shown on a terminal, whatever the broker noted of a client. */
static void text_that_is_not_plain_is_written_in_ascii(void **state)
{
    static const struct {
        const char *text, *line;
    } cases[] = {{"k\xc3\xb6ln", "\"k\xc3\xb6ln\"\n"},
                 {"\xc2\x9b", "\"\\u009b\"\n"},
                 {"\x7f", "\"\\u007f\"\n"},
                 {"\x1b[2J", "\"\\u001b[2J\"\n"},
                 {"\xc3\xb6\xe2\x80\xae", "\"\\u00f6\\u202e\"\n"},
                 {"\xf0\x9f\x98\x80\x7f", "\"\\ud83d\\ude00\\u007f\"\n"},
                 {"a\xff", "\"a\\ufffd\"\n"},
                 {"\xe0\x80\x9b", "\"\\ufffd\\ufffd\\ufffd\"\n"},
                 {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"\n"},
                 {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"\n"},
                 {"\xe2\x80", "\"\\ufffd\\ufffd\"\n"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);
        cJSON *json = cJSON_CreateString(cases[i].text);
        json_print(file, json);
        assert_int_equal(fclose(file), 0);
        assert_string_equal(text, cases[i].line);
        cJSON_Delete(json);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_survives_json_byte_for_byte),
        cmocka_unit_test(a_role_survives_json_byte_for_byte),
        cmocka_unit_test(no_secret_is_shown_unless_asked_for),
        cmocka_unit_test(text_that_is_not_plain_is_written_in_ascii),
    };
    const char *given = getenv("DEVREG_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("DEVREG_SEED=%llu\n", (unsigned long long)seed);
    seed = seed * 2 + 1; /* xorshift must not begin with 0 */
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
