/* store_fixture.h - a store in a directory of its own, and short words for putting and getting. */
#ifndef DEVREG_TESTS_STORE_FIXTURE_H
#define DEVREG_TESTS_STORE_FIXTURE_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "registry/crypto.h"
#include "registry/store.h"
#include "tests/support/tempdir.h"

static inline struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static inline bool bytes_are(struct bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

static inline enum err create_here(const char *dir, enum store_kind kind)
{
    const struct store_files files = {geteuid(), getegid(), 0640, 0660};
    enum err e = crypto_init();
    return e ? e : store_create(dir, kind, &files, NULL, NULL);
}

/* Puts one record and commits. */
static inline enum err put_one(struct store *store, const char *key, const char *record)
{
    struct txn *txn;
    enum err e = txn_write(&txn, store);
    if (e)
        return e;
    txn_put(txn, text_bytes(key), text_bytes(record));
    return txn_commit(txn);
}

/* What a new reader finds under `key`: ERR_OK only where that is `record`; ERR_IO for another. */
static inline enum err look_up(struct store *store, const char *key, const char *record)
{
    struct txn *txn;
    struct bytes found;
    enum err e = txn_reader(&txn, store);
    if (e)
        return e;
    e = txn_renew(txn);
    if (!e)
        e = txn_get(txn, text_bytes(key), &found);
    if (!e && !bytes_are(found, record))
        e = ERR_IO;
    txn_close(txn);
    return e;
}

#endif
