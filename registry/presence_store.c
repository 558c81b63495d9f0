#include "registry/presence_store.h"

#include <string.h>

#include "registry/text.h"

enum { KEY_MAX = 1 + DEVICE_ID_MAX };

struct presence_key {
    uint8_t data[KEY_MAX];
    size_t size;
};

static struct presence_key device_key(const char *device)
{
    struct presence_key key = {.data = {'p'}, .size = 1};
    size_t length = strnlen(device, DEVICE_ID_MAX);
    memcpy(key.data + 1, device, length);
    key.size += length;
    return key;
}

static struct presence_key owner_key(const struct client_key *client)
{
    struct presence_key key = {.data = {'o'}, .size = 1 + sizeof client->bytes};
    memcpy(key.data + 1, client->bytes, sizeof client->bytes);
    return key;
}

static struct bytes as_bytes(const struct presence_key *key)
{
    return (struct bytes){key->data, key->size};
}

static const struct bytes topic_key = {(const uint8_t *)"t", 1};

enum err presence_get(struct txn *txn, const char *device, struct presence *presence)
{
    const struct presence_key key = device_key(device);
    struct bytes record;
    enum err e = txn_get(txn, as_bytes(&key), &record);
    return e ? e : presence_decode(presence, record);
}

enum err presence_next(struct txn *txn, const char *after, char device[static DEVICE_ID_MAX + 1],
                       struct presence *presence)
{
    const struct presence_key from = device_key(after);
    struct bytes key, record;
    enum err e = txn_next(txn, 'p', as_bytes(&from), &key, &record);
    if (e && e != ERR_DAMAGED)
        return e;
    if (key.size > KEY_MAX)
        return ERR_DAMAGED;
    memcpy(device, key.data + 1, key.size - 1);
    device[key.size - 1] = '\0';
    if (e || presence_decode(presence, record))
        return ERR_DAMAGED;
    return ERR_OK;
}

/* A record that is one text. */
static enum err text_get(struct txn *txn, struct bytes key, char *out, size_t max)
{
    struct bytes record;
    enum err e = txn_get(txn, key, &record);
    if (e)
        return e;
    if (record.size > max || (record.size && memchr(record.data, '\0', record.size)))
        return ERR_DAMAGED;
    memcpy(out, record.data, record.size);
    out[record.size] = '\0';
    return ERR_OK;
}

static void text_put(struct txn *txn, struct bytes key, const char *text)
{
    txn_put(txn, key, (struct bytes){(const uint8_t *)text, strlen(text)});
}

enum err owner_get(struct txn *txn, const struct client_key *client,
                   char device[static DEVICE_ID_MAX + 1])
{
    const struct presence_key key = owner_key(client);
    return text_get(txn, as_bytes(&key), device, DEVICE_ID_MAX);
}

bool owners_exist(struct txn *txn)
{
    const struct bytes first = {NULL, 0};
    struct bytes key, record;
    return txn_next(txn, 'o', first, &key, &record) != ERR_NOT_FOUND;
}

enum err presence_topic_get(struct txn *txn, char topic[static RULE_FILTER_MAX + 1])
{
    return text_get(txn, topic_key, topic, RULE_FILTER_MAX);
}

void presence_topic_put(struct txn *txn, const char *topic)
{
    text_put(txn, topic_key, topic);
}

static bool names(const struct presence *presence, const struct client_key *client)
{
    return presence && presence_session(presence, client) < presence->session_count;
}

static bool owns(struct txn *txn, const char *device, struct bytes key)
{
    char owner[DEVICE_ID_MAX + 1];
    return text_get(txn, key, owner, DEVICE_ID_MAX) == ERR_OK && strcmp(owner, device) == 0;
}

/* Gives `device` the client ids that `to` names and `from` does not. */
static void owners_add(struct txn *txn, const char *device, const struct presence *from,
                       const struct presence *to)
{
    for (size_t i = 0; i < to->session_count; i++) {
        const struct presence_key key = owner_key(&to->sessions[i].client);
        if (!names(from, &to->sessions[i].client))
            text_put(txn, as_bytes(&key), device);
    }
}

/* Takes from it those that only `from` names, unless another device has them by now. */
static void owners_drop(struct txn *txn, const char *device, const struct presence *from,
                        const struct presence *to)
{
    for (size_t i = 0; from && i < from->session_count; i++) {
        const struct presence_key key = owner_key(&from->sessions[i].client);
        if (!names(to, &from->sessions[i].client) && owns(txn, device, as_bytes(&key)))
            txn_delete(txn, as_bytes(&key));
    }
}

void presence_put_encoded(struct txn *txn, const char *device, struct bytes record)
{
    const struct presence_key key = device_key(device);
    txn_put(txn, as_bytes(&key), record);
}

void presence_put(struct txn *txn, const char *device, const struct presence *presence,
                  const struct presence *before)
{
    struct pack pack = {0};
    presence_encode(&pack, presence);
    if (pack.failed)
        txn_fail(txn, ERR_NO_MEMORY);
    else
        presence_put_encoded(txn, device, (struct bytes){pack.data, pack.size});
    pack_free(&pack);
    owners_drop(txn, device, before, presence);
    owners_add(txn, device, before, presence);
}

void presence_delete(struct txn *txn, const char *device, const struct presence *before)
{
    const struct presence_key key = device_key(device);
    txn_delete(txn, as_bytes(&key));
    owners_drop(txn, device, before, NULL);
}
