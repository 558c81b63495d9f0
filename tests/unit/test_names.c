/* test_names.c - the words for errors, log verbs and presence reasons, which others parse. */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "registry/error.h"
#include "registry/log_entry.h"
#include "registry/presence.h"

static void each_error_has_a_phrase_of_its_own(void **state)
{
    (void)state;
    for (int e = ERR_OK; e < ERR_COUNT; e++) {
        const char *text = err_text((enum err)e);
        assert_non_null(text);
        assert_true(strlen(text) > 1 && text[strlen(text) - 1] != '.');
        for (int other = ERR_OK; other < e; other++)
            assert_string_not_equal(text, err_text((enum err)other));
    }
    assert_non_null(err_text(ERR_COUNT));
}

static void log_verbs_have_the_names_that_scripts_know(void **state)
{
    static const char *const names[LOG_VERB_COUNT] = {
        [LOG_INIT] = "init",       [LOG_ADD] = "add",       [LOG_SET] = "set",
        [LOG_DISABLE] = "disable", [LOG_ENABLE] = "enable", [LOG_REVOKE] = "revoke",
        [LOG_REMOVE] = "remove",   [LOG_ROTATE] = "rotate", [LOG_PASSWORD] = "password",
        [LOG_RULE] = "rule",       [LOG_IMPORT] = "import", [LOG_RESTORE] = "restore",
        [LOG_TRIM] = "trim",       [LOG_REPAIR] = "repair", [LOG_APPLY] = "apply",
        [LOG_LIMIT] = "limit"};
    (void)state;
    for (int verb = LOG_INIT; verb < LOG_VERB_COUNT; verb++) {
        assert_non_null(names[verb]);
        assert_string_equal(log_verb_name((enum log_verb)verb), names[verb]);
    }
    assert_non_null(log_verb_name((enum log_verb)0));
    assert_non_null(log_verb_name(LOG_VERB_COUNT));
}

static void reasons_have_the_names_of_the_closed_set(void **state)
{
    static const char *const names[] = {"none",
                                        "client_disconnect",
                                        "keepalive_timeout",
                                        "connection_lost",
                                        "session_taken_over",
                                        "kicked",
                                        "disabled",
                                        "revoked",
                                        "removed",
                                        "expired",
                                        "protocol_error",
                                        "server_shutdown",
                                        "broker_restart",
                                        "unknown"};
    (void)state;
    assert_int_equal(COUNT(names), REASON_COUNT);
    for (int reason = REASON_NONE; reason < REASON_COUNT; reason++)
        assert_string_equal(reason_name((enum reason)reason), names[reason]);
}

static void a_short_client_id_is_its_own_key(void **state)
{
    (void)state;
    assert_memory_equal(client_key_of("client-1").bytes,
                        "\x08"
                        "client-1\0\0\0\0\0\0\0",
                        16);
    assert_memory_equal(client_key_of("").bytes, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_memory_equal(client_key_of("client-12345678").bytes,
                        "\x0f"
                        "client-12345678",
                        16);
}

/* BLAKE2b-256 by another implementation (Python's hashlib). */
static void a_long_client_id_has_the_known_hash_as_its_key(void **state)
{
    static const uint8_t known[CLIENT_KEY_SIZE] = {LONG_CLIENT, 0xe0, 0xae, 0x6f, 0xfb, 0x78,
                                                   0x8b,        0x42, 0x21, 0x7e, 0xc4, 0xd5,
                                                   0x4d,        0xc1, 0x76, 0x87};
    (void)state;
    struct client_key key = client_key_of("01234567890123456789012345678901");
    assert_memory_equal(key.bytes, known, sizeof known);
    struct client_key other = client_key_of("01234567890123456789012345678902");
    assert_memory_not_equal(other.bytes, key.bytes, sizeof key.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_a_phrase_of_its_own),
        cmocka_unit_test(log_verbs_have_the_names_that_scripts_know),
        cmocka_unit_test(reasons_have_the_names_of_the_closed_set),
        cmocka_unit_test(a_short_client_id_is_its_own_key),
        cmocka_unit_test(a_long_client_id_has_the_known_hash_as_its_key),
    };
    return crypto_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
