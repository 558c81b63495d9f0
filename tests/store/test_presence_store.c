/* test_presence_store.c - presence records, who owns a session, and topics, over a store. */
#include <stdio.h>
#include <string.h>

#include "tests/support/arbitrary.h"
#include "tests/support/presence_fixture.h"

/* A record that owns the sessions of these client ids. */
static struct presence owning(const char *const *clients, size_t count)
{
    struct presence presence = {.online = true, .session_count = count};
    for (size_t i = 0; i < count; i++)
        presence.sessions[i].client = client_key_of(clients[i]);
    return presence;
}

/* The owner of a client id's session is `device`, or nobody for NULL. */
static void assert_owner(struct fixture *fixture, const char *client, const char *device)
{
    struct client_key hash = client_key_of(client);
    char owner[DEVICE_ID_MAX + 1];
    enum err e = owner_get(fixture->txn, &hash, owner);
    assert_int_equal(e, device ? ERR_OK : ERR_NOT_FOUND);
    if (device)
        assert_string_equal(owner, device);
}

static void a_record_comes_back_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct rng rng = rng_start("a_record_comes_back_as_it_was");
    struct presence put, got;
    assert_int_equal(presence_get(fixture->txn, "pump-7", &got), ERR_NOT_FOUND);
    any_presence(&rng, &put);
    presence_put(fixture->txn, "pump-7", &put, NULL);
    assert_int_equal(presence_get(fixture->txn, "pump-7", &got), ERR_OK);
    assert_true(presence_same(&put, &got));
    assert_int_equal(presence_get(fixture->txn, "pump-8", &got), ERR_NOT_FOUND);
}

static void owners_follow_the_sessions_of_the_record(void **state)
{
    struct fixture *fixture = *state;
    static const char *const first[] = {"a", "b"}, *const second[] = {"b", "c"};
    struct presence before = owning(first, 2), after = owning(second, 2);
    assert_owner(fixture, "a", NULL);
    presence_put(fixture->txn, "pump-7", &before, NULL);
    assert_owner(fixture, "a", "pump-7");
    assert_owner(fixture, "b", "pump-7");
    assert_owner(fixture, "c", NULL);
    presence_put(fixture->txn, "pump-7", &after, &before);
    assert_owner(fixture, "a", NULL);
    assert_owner(fixture, "b", "pump-7");
    assert_owner(fixture, "c", "pump-7");
}

static void a_deleted_record_owns_nothing(void **state)
{
    struct fixture *fixture = *state;
    static const char *const clients[] = {"a", "b"};
    struct presence presence = owning(clients, 2), got;
    presence_put(fixture->txn, "pump-7", &presence, NULL);
    presence_delete(fixture->txn, "pump-7", &presence);
    assert_int_equal(presence_get(fixture->txn, "pump-7", &got), ERR_NOT_FOUND);
    assert_owner(fixture, "a", NULL);
    assert_owner(fixture, "b", NULL);
}

static void giving_up_a_session_that_another_took_leaves_it_to_him(void **state)
{
    struct fixture *fixture = *state;
    static const char *const clients[] = {"a"};
    struct presence with = owning(clients, 1), without = owning(clients, 0);
    presence_put(fixture->txn, "pump-7", &with, NULL);
    presence_put(fixture->txn, "pump-8", &with, NULL);
    assert_owner(fixture, "a", "pump-8");
    presence_put(fixture->txn, "pump-7", &without, &with);
    assert_owner(fixture, "a", "pump-8");
    presence_delete(fixture->txn, "pump-7", &without);
    assert_owner(fixture, "a", "pump-8");
}

static void a_walk_visits_every_device_once(void **state)
{
    struct fixture *fixture = *state;
    static const char *const devices[] = {"0", "Pump", "a", "pump", "pump-7"};
    char device[DEVICE_ID_MAX + 1] = "";
    struct presence presence = owning(NULL, 0);
    for (size_t i = 0; i < COUNT(devices); i++)
        presence_put(fixture->txn, devices[i], &presence, NULL);
    for (size_t i = 0; i < COUNT(devices); i++) {
        assert_int_equal(presence_next(fixture->txn, device, device, &presence), ERR_OK);
        assert_string_equal(device, devices[i]);
    }
    assert_int_equal(presence_next(fixture->txn, device, device, &presence), ERR_NOT_FOUND);
}

static void the_presence_topic_is_kept(void **state)
{
    struct fixture *fixture = *state;
    char topic[RULE_FILTER_MAX + 1];
    struct patterns patterns = {0};
    assert_int_equal(presence_topic_get(fixture->txn, topic), ERR_NOT_FOUND);
    patterns_use(&patterns, "state/%u");
    patterns_use(&patterns, "devreg/presence/%u");
    patterns_put(fixture->txn, &patterns);
    assert_int_equal(presence_topic_get(fixture->txn, topic), ERR_OK);
    assert_string_equal(topic, "devreg/presence/%u");
    assert_int_equal(txn_commit(fixture->txn), ERR_OK);
    assert_int_equal(txn_write(&fixture->txn, fixture->store), ERR_OK);
    assert_int_equal(presence_topic_get(fixture->txn, topic), ERR_OK);
}

/* The longest id, which only ends in `last`. */
static void longest_id(char id[static DEVICE_ID_MAX + 1], char last)
{
    memset(id, 'x', DEVICE_ID_MAX);
    id[DEVICE_ID_MAX - 1] = last;
    id[DEVICE_ID_MAX] = '\0';
}

static void longest_topic(char topic[static PRESENCE_TOPIC_MAX + 1], char last)
{
    memset(topic, 't', PRESENCE_TOPIC_MAX);
    topic[PRESENCE_TOPIC_MAX - 1] = last;
    topic[PRESENCE_TOPIC_MAX] = '\0';
}

static void what_stands_under_no_devices_name_does_not_hold_a_walk_up(void **state)
{
    struct fixture *fixture = *state;
    uint8_t name[1 + DEVICE_ID_MAX + 1] = "pa";
    struct presence presence = owning(NULL, 0);
    char device[DEVICE_ID_MAX + 1] = "";
    put_raw(fixture, (struct bytes){name, 4}, "a NUL in the name");
    memset(name + 1, 'x', sizeof name - 1);
    put_raw(fixture, (struct bytes){name, sizeof name}, "too long for a name");
    presence_put(fixture->txn, "a", &presence, NULL);
    presence_put(fixture->txn, "y", &presence, NULL);
    assert_int_equal(presence_next(fixture->txn, device, device, &presence), ERR_OK);
    assert_string_equal(device, "a");
    assert_int_equal(presence_next(fixture->txn, device, device, &presence), ERR_OK);
    assert_string_equal(device, "y");
    assert_int_equal(presence_next(fixture->txn, device, device, &presence), ERR_NOT_FOUND);
}

static void a_damaged_record_is_named_and_walked_over(void **state)
{
    struct fixture *fixture = *state;
    struct presence presence = owning(NULL, 0);
    char device[DEVICE_ID_MAX + 1] = "";
    put_raw(fixture, text_bytes("pa"), "\1nonsense");
    presence_put(fixture->txn, "b", &presence, NULL);
    assert_int_equal(presence_get(fixture->txn, "a", &presence), ERR_DAMAGED);
    assert_int_equal(presence_next(fixture->txn, device, device, &presence), ERR_DAMAGED);
    assert_string_equal(device, "a");
    assert_int_equal(presence_next(fixture->txn, device, device, &presence), ERR_OK);
    assert_string_equal(device, "b");
}

static void use(struct fixture *fixture, struct patterns *patterns, const char *text)
{
    patterns_use(patterns, text);
    patterns_put(fixture->txn, patterns);
}

static void the_patterns_come_back_as_they_were(void **state)
{
    struct fixture *fixture = *state;
    struct patterns put = {0}, got = {.count = 1};
    char text[PRESENCE_PATTERN_MAX + 1];
    assert_int_equal(patterns_get(fixture->txn, &got), ERR_OK);
    assert_int_equal(got.count, 0);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < PATTERNS_MAX; i++) {
        text[0] = (char)('a' + i);
        use(fixture, &put, text);
    }
    assert_int_equal(patterns_get(fixture->txn, &got), ERR_OK);
    assert_int_equal(got.count, PATTERNS_MAX);
    for (size_t i = 0; i < PATTERNS_MAX; i++) {
        assert_int_equal(got.items[i].number, put.items[i].number);
        assert_string_equal(got.items[i].text, put.items[i].text);
    }
}

static void patterns_that_are_cut_or_too_many_are_damaged(void **state)
{
    struct fixture *fixture = *state;
    static const char *const damaged[] = {"", "\1", "\1\5", "\1\5\2a", "\1\5\1aa", "\11"};
    struct patterns got;
    char topic[RULE_FILTER_MAX + 1];
    for (size_t i = 0; i < COUNT(damaged); i++) {
        put_raw(fixture, text_bytes("t"), damaged[i]);
        assert_int_equal(patterns_get(fixture->txn, &got), ERR_DAMAGED);
        assert_int_equal(presence_topic_get(fixture->txn, topic), ERR_DAMAGED);
    }
}

/* The message of a device whose record names that place stands there; nowhere for NULL. */
static void assert_standing(struct fixture *fixture, const char *device, uint32_t place,
                            const char *topic)
{
    const struct presence presence = {.place = place};
    char got[PRESENCE_TOPIC_MAX + 1];
    enum err e = standing_topic_get(fixture->txn, device, &presence, got);
    assert_int_equal(e, topic ? ERR_OK : ERR_NOT_FOUND);
    if (topic)
        assert_string_equal(got, topic);
}

static void where_a_message_stands_is_said_by_its_records_pattern(void **state)
{
    struct fixture *fixture = *state;
    struct patterns patterns = {0};
    char id[DEVICE_ID_MAX + 1], topic[PRESENCE_TOPIC_MAX + 1];
    longest_id(id, 'y');
    snprintf(topic, sizeof topic, "b/%s/c", id);
    assert_standing(fixture, "pump-7", 1, NULL);
    use(fixture, &patterns, "a/%u");
    use(fixture, &patterns, "b/%u/c");
    use(fixture, &patterns, "");
    assert_standing(fixture, "pump-7", 0, NULL);
    assert_standing(fixture, "pump-7", 1, "a/pump-7");
    assert_standing(fixture, "pump-7", 2, "b/pump-7/c");
    assert_standing(fixture, id, 2, topic);
    assert_standing(fixture, "pump-7", 3, NULL);
    assert_standing(fixture, "pump-7", 4, NULL);
}

static void with_attributes_it_stands_where_it_was_put(void **state)
{
    struct fixture *fixture = *state;
    struct patterns patterns = {0};
    char id[DEVICE_ID_MAX + 1], topic[PRESENCE_TOPIC_MAX + 1];
    longest_id(id, 'x');
    longest_topic(topic, 't');
    use(fixture, &patterns, "state/%{site}/%u");
    assert_standing(fixture, "pump-7", 1, NULL);
    standing_topic_put(fixture->txn, "pump-7", "state/kiel/pump-7");
    standing_topic_put(fixture->txn, id, topic);
    assert_standing(fixture, "pump-7", 1, "state/kiel/pump-7");
    assert_standing(fixture, "pump-", 1, NULL);
    assert_standing(fixture, "pump-77", 1, NULL);
    assert_standing(fixture, id, 1, topic);
    standing_topic_put(fixture->txn, "pump-7", "state/bonn/pump-7");
    assert_standing(fixture, "pump-7", 1, "state/bonn/pump-7");
    standing_topic_put(fixture->txn, "pump-7", NULL);
    assert_standing(fixture, "pump-7", 1, NULL);
    assert_standing(fixture, id, 1, topic);
}

static void a_topic_that_cannot_be_one_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    const struct presence presence = {.place = 1};
    struct patterns patterns = {0};
    char topic[PRESENCE_TOPIC_MAX + 1], longer[PRESENCE_TOPIC_MAX + 2];
    memset(longer, 't', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    use(fixture, &patterns, "state/%{site}/%u");
    put_raw(fixture, text_bytes("ra"), longer);
    txn_put(fixture->txn, text_bytes("rb"), (struct bytes){(const uint8_t *)"t\0t", 3});
    assert_int_equal(standing_topic_get(fixture->txn, "a", &presence, topic), ERR_DAMAGED);
    assert_int_equal(standing_topic_get(fixture->txn, "b", &presence, topic), ERR_DAMAGED);
    put_raw(fixture, text_bytes("t"), "");
    assert_int_equal(standing_topic_get(fixture->txn, "c", &presence, topic), ERR_DAMAGED);
}

/* The cleared topic behind `at`, which it moves on, is this one; NULL for the end. */
static void assert_cleared(struct fixture *fixture, char at[static PRESENCE_TOPIC_MAX + 1],
                           const char *topic, const char *device, int64_t when)
{
    char owner[DEVICE_ID_MAX + 1];
    int64_t cleared;
    enum err e = cleared_topic_next(fixture->txn, at, at, owner, &cleared);
    assert_int_equal(e, topic ? ERR_OK : ERR_NOT_FOUND);
    if (!topic)
        return;
    assert_string_equal(at, topic);
    assert_string_equal(owner, device);
    assert_true(cleared == when);
}

static void cleared_topics_come_in_order_with_whose_and_when(void **state)
{
    struct fixture *fixture = *state;
    char id[DEVICE_ID_MAX + 1], first[PRESENCE_TOPIC_MAX + 1], last[PRESENCE_TOPIC_MAX + 1];
    char at[PRESENCE_TOPIC_MAX + 1] = "";
    const int64_t latest = ((int64_t)1 << 48) - 1;
    longest_id(id, 'x');
    longest_topic(first, 'a');
    longest_topic(last, 'b');
    assert_cleared(fixture, at, NULL, NULL, 0);
    cleared_topic_put(fixture->txn, last, id, latest);
    cleared_topic_put(fixture->txn, "a/b", "pump-8", 2);
    cleared_topic_put(fixture->txn, first, "pump-7", 0);
    cleared_topic_put(fixture->txn, "a", "pump-7", 1);
    assert_cleared(fixture, at, "a", "pump-7", 1);
    assert_cleared(fixture, at, "a/b", "pump-8", 2);
    assert_cleared(fixture, at, first, "pump-7", 0);
    assert_cleared(fixture, at, last, id, latest);
    assert_cleared(fixture, at, NULL, NULL, 0);
}

static void a_cleared_topic_is_forgotten_or_put_again(void **state)
{
    struct fixture *fixture = *state;
    char at[PRESENCE_TOPIC_MAX + 1] = "";
    cleared_topic_put(fixture->txn, "a", "pump-7", 1);
    cleared_topic_put(fixture->txn, "b", "pump-8", 2);
    cleared_topic_put(fixture->txn, "b", "pump-9", 3);
    cleared_topic_delete(fixture->txn, "a");
    cleared_topic_delete(fixture->txn, "never there");
    assert_cleared(fixture, at, "b", "pump-9", 3);
    assert_cleared(fixture, at, NULL, NULL, 0);
}

static void a_damaged_cleared_topic_is_walked_over(void **state)
{
    struct fixture *fixture = *state;
    char at[PRESENCE_TOPIC_MAX + 1] = "", owner[DEVICE_ID_MAX + 1];
    int64_t when;
    put_raw(fixture, text_bytes("xa"), "\6pump-7"); /* it ends before the time */
    cleared_topic_put(fixture->txn, "b", "pump-8", 2);
    assert_int_equal(cleared_topic_next(fixture->txn, at, at, owner, &when), ERR_DAMAGED);
    assert_string_equal(at, "a");
    assert_cleared(fixture, at, "b", "pump-8", 2);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_record_comes_back_as_it_was),
        test(owners_follow_the_sessions_of_the_record),
        test(a_deleted_record_owns_nothing),
        test(giving_up_a_session_that_another_took_leaves_it_to_him),
        test(a_walk_visits_every_device_once),
        test(the_presence_topic_is_kept),
        test(what_stands_under_no_devices_name_does_not_hold_a_walk_up),
        test(a_damaged_record_is_named_and_walked_over),
        test(the_patterns_come_back_as_they_were),
        test(patterns_that_are_cut_or_too_many_are_damaged),
        test(where_a_message_stands_is_said_by_its_records_pattern),
        test(with_attributes_it_stands_where_it_was_put),
        test(a_topic_that_cannot_be_one_is_damaged),
        test(cleared_topics_come_in_order_with_whose_and_when),
        test(a_cleared_topic_is_forgotten_or_put_again),
        test(a_damaged_cleared_topic_is_walked_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
