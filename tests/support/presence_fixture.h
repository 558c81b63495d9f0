/* presence_fixture.h - a presence store in a directory of its own, with a write scope open. */
#ifndef DEVREG_TESTS_PRESENCE_FIXTURE_H
#define DEVREG_TESTS_PRESENCE_FIXTURE_H

#include "registry/presence_store.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/store_fixture.h"
#include "tests/support/tempdir.h"

struct fixture {
    struct tempdir dir;
    struct store *store;
    struct txn *txn; /* a write scope */
};

static inline int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    *state = fixture;
    tempdir_make(&fixture->dir);
    if (create_here(fixture->dir.path, STORE_PRESENCE) ||
        store_open(&fixture->store, fixture->dir.path, STORE_PRESENCE, STORE_WRITE))
        return -1;
    return txn_write(&fixture->txn, fixture->store) ? -1 : 0;
}

static inline int end(void **state)
{
    struct fixture *fixture = *state;
    txn_abort(fixture->txn);
    store_close(fixture->store);
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

/* Puts a record past the functions that know what it should be. */
static inline void put_raw(struct fixture *fixture, struct bytes key, const char *record)
{
    txn_put(fixture->txn, key, text_bytes(record));
}

#endif
