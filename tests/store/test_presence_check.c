/* test_presence_check.c - records that are sealed well and still wrong are found and named. */
#include <stdio.h>
#include <string.h>

#include "registry/presence_check.h"
#include "registry/quarantine.h"
#include "tests/support/presence_fixture.h"

enum { FINDINGS_SIZE = 2000 };

static void note_finding(void *context, const char *what, const char *problem)
{
    char *findings = context;
    size_t used = strlen(findings);
    assert_true(used + strlen(what) + strlen(problem) + 4 < FINDINGS_SIZE);
    sprintf(findings + used, "%s: %s\n", what, problem);
}

/* The check finds this and nothing else. */
static void assert_found(struct fixture *fixture, const char *expected)
{
    char findings[FINDINGS_SIZE] = "";
    struct presence_check result;
    uint64_t lines = 0;
    assert_int_equal(presence_check(fixture->txn, &result, note_finding, findings), ERR_OK);
    assert_string_equal(findings, expected);
    for (const char *c = findings; *c; c++)
        lines += *c == '\n';
    assert_int_equal(result.findings, lines);
}

static void put_piece(struct fixture *fixture, uint64_t seen, uint64_t online)
{
    const struct presence_counts counts = {seen, online, 9};
    const struct feed_item item = {.device = "pump-7", .conn = 3, .time = 1000};
    struct pack pack = {0};
    uint64_t last;
    feed_item_add(&pack, &item);
    feed_item_add(&pack, &item);
    assert_int_equal(feed_last(fixture->txn, &last), ERR_OK);
    feed_put(fixture->txn, last + 1, &counts, &pack);
    pack_free(&pack);
}

/* Two devices that connected, one of them online and owner of a session; one that was refused. */
static void put_devices(struct fixture *fixture)
{
    struct presence presence = {.connections = 1, .place = 1};
    struct patterns patterns = {0};
    patterns_use(&patterns, "state/%{site}/%u");
    patterns_put(fixture->txn, &patterns);
    presence_put(fixture->txn, "pump-8", &presence, NULL);
    presence.online = true;
    presence.session_count = 1;
    presence.sessions[0].client = client_key_of("client-7");
    presence_put(fixture->txn, "pump-7", &presence, NULL);
    presence = (struct presence){.failures = {2, 1000}};
    presence_put(fixture->txn, "refused", &presence, NULL);
    standing_topic_put(fixture->txn, "pump-7", "state/kiel/pump-7");
    cleared_topic_put(fixture->txn, "state/bonn/pump-7", "pump-7", 1000);
    put_piece(fixture, 2, 1);
}

static void a_sound_store_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    struct presence_check result;
    char findings[FINDINGS_SIZE] = "";
    assert_found(fixture, "");
    put_devices(fixture);
    put_piece(fixture, 2, 1);
    assert_found(fixture, "");
    assert_int_equal(presence_check(fixture->txn, &result, note_finding, findings), ERR_OK);
    assert_int_equal(result.devices, 3);
}

static void wrong_counts_are_found(void **state)
{
    struct fixture *fixture = *state;
    put_devices(fixture);
    put_piece(fixture, 3, 1);
    assert_found(fixture, "counts of presence: are wrong\n");
    put_piece(fixture, 2, 0);
    assert_found(fixture, "counts of presence: are wrong\n");
    put_piece(fixture, 2, 1);
    assert_found(fixture, "");
}

static void a_record_that_does_not_decode_is_named(void **state)
{
    struct fixture *fixture = *state;
    put_raw(fixture, text_bytes("pa"), "\1nonsense");
    put_raw(fixture, text_bytes("p no id"), "\1nonsense");
    assert_found(fixture, "presence of device  no id: stands under a name that no device can have\n"
                          "presence of device  no id: does not decode\n"
                          "presence of device a: does not decode\n");
}

static void an_owner_that_does_not_own_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct presence without = {.connections = 1, .online = true};
    put_devices(fixture);
    presence_put(fixture->txn, "pump-7", &without, NULL); /* its session is still pump-7's */
    assert_found(fixture,
                 "owner of client id client-7: names a device whose record does not name it\n");
    put_raw(fixture, text_bytes("oshort"), "pump-7");
    assert_found(fixture,
                 "owner of client id client-7: names a device whose record does not name it\n"
                 "owner of client id hort: does not decode\n");
}

static void topics_of_nobody_are_named(void **state)
{
    struct fixture *fixture = *state;
    put_raw(fixture, text_bytes("rgone"), "state/kiel/gone");
    put_raw(fixture, text_bytes("xstate/kiel/gone"), "\6pump-7");
    put_raw(fixture, text_bytes("t"), "\5");
    assert_found(fixture, "presence topic of device gone: is of a device without a record\n"
                          "presence patterns: does not decode\n"
                          "cleared topic state/kiel/gone: does not decode\n");
}

static void a_damaged_quarantine_is_found(void **state)
{
    struct fixture *fixture = *state;
    const struct quarantine quarantine = {.generation = 1, .version = 2, .since = 1000};
    struct pack pack = {0};
    quarantine_encode(&pack, &quarantine);
    const struct bytes record = {pack.data, pack.size};
    put_devices(fixture);
    quarantine_put(fixture->txn, "pump-7", record);
    assert_found(fixture, "");
    quarantine_put(fixture->txn, "pump-8", (struct bytes){record.data, record.size - 1});
    quarantine_put(fixture->txn, "no id", record);
    pack_free(&pack);
    assert_found(fixture, "quarantine of device no id: does not decode\n"
                          "quarantine of device pump-8: does not decode\n");
}

static void a_piece_that_is_none_is_named(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t second[] = {'w', 0, 0, 0, 0, 0, 0, 0, 2};
    put_devices(fixture);
    put_raw(fixture, (struct bytes){second, sizeof second}, "\5");
    assert_found(fixture, "piece of the presence feed 2: does not decode\n");
    put_raw(fixture, (struct bytes){second, sizeof second}, "\2\1\1\2\1a");
    assert_found(fixture, "piece of the presence feed 2: holds what is no item\n");
}

static void a_record_of_no_known_kind_is_named(void **state)
{
    struct fixture *fixture = *state;
    put_raw(fixture, text_bytes("zebra"), "what is it");
    assert_found(fixture, "presence record ebra: is of no known kind\n");
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_sound_store_has_no_findings),
        test(wrong_counts_are_found),
        test(a_record_that_does_not_decode_is_named),
        test(an_owner_that_does_not_own_is_named),
        test(topics_of_nobody_are_named),
        test(a_piece_that_is_none_is_named),
        test(a_damaged_quarantine_is_found),
        test(a_record_of_no_known_kind_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
