/* test_presence_store.c - presence records, and who owns a session, over a store. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/presence_store.h"
#include "tests/support/arbitrary.h"
#include "tests/support/store_fixture.h"

struct fixture {
    struct tempdir dir;
    struct store *store;
    struct txn *txn; /* a write scope */
};

static int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    *state = fixture;
    tempdir_make(&fixture->dir);
    if (create_here(fixture->dir.path, STORE_PRESENCE) ||
        store_open(&fixture->store, fixture->dir.path, STORE_PRESENCE, STORE_WRITE))
        return -1;
    return txn_write(&fixture->txn, fixture->store) ? -1 : 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    txn_abort(fixture->txn);
    store_close(fixture->store);
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
