/* registry_internal.h - what the parts of the registry share. Include registry.h elsewhere. */
#ifndef DEVREG_REGISTRY_REGISTRY_INTERNAL_H
#define DEVREG_REGISTRY_REGISTRY_INTERNAL_H

#include "registry/registry.h"

enum { KEY_MAX = 1 + DEVICE_ID_MAX, LOG_KEY_SIZE = 9 };

enum record_kind {
    KIND_COUNT = 'c', /* of devices */
    KIND_DEVICE = 'd',
    KIND_HOLDERS = 'h',
    KIND_LOG = 'l',
    KIND_META = 'm',
    KIND_GENERATION = 'n',
    KIND_ROLE = 'r',
    KIND_SETTINGS = 's',
};

struct registry {
    char *dir;
    enum store_mode mode;
    struct store *store; /* NULL where registry_reopen failed */
    struct txn *reader;
    struct txn *txn; /* the open scope: the reader or a write scope; NULL for none */
    bool writes;
    char who[LOG_WHO_MAX + 1];
    int64_t now;
    uint8_t secret[CRYPTO_KEY_SIZE];
    uint8_t next_secret[CRYPTO_KEY_SIZE]; /* holds from the commit on */
    bool secret_replaced;
};

/* A key in its caller's storage. */
struct key_text {
    uint8_t data[KEY_MAX];
    size_t size;
};

/* The key of a name, folded to lower case; size 0 for a name that is too long. */
struct key_text key_of_name(enum record_kind kind, const char *name);
struct key_text key_of_entry(uint64_t seq);
uint64_t entry_of_key(struct bytes key);
struct bytes key_bytes(const struct key_text *key);

/* Puts the settings, the role DEFAULT_ROLE and the first log entry into a new store. `context` is a
 * struct first_records. */
struct first_records {
    const char *who;
    int64_t now;
};
enum err registry_first_records(struct txn *txn, void *context);

/* A record that is one number. */
MUST_CHECK enum err number_get(struct txn *txn, const struct key_text *key, uint64_t *value);
void number_put(struct txn *txn, const struct key_text *key, uint64_t value);

/* Hands the packed bytes to the store and ends `pack`. */
void put_packed(struct txn *txn, const struct key_text *key, struct pack *pack);

/* Keeps an error that is no answer in the write scope, and returns it. */
enum err keep(struct registry *registry, enum err e);

/* `change` more devices hold the role. */
MUST_CHECK enum err holders_add(struct registry *registry, const char *role, int64_t change);

/* There are `change` more devices. */
MUST_CHECK enum err devices_add(struct registry *registry, int64_t change);

/* The last generation given out, 0 for none. */
MUST_CHECK enum err generation_read(struct registry *registry, uint64_t *generation);
void generation_write(struct registry *registry, uint64_t generation);

#endif
