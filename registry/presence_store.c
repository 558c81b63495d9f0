#include "registry/presence_store.h"

#include <string.h>

#include "registry/text.h"

enum { KEY_MAX = 1 + DEVICE_ID_MAX };

struct presence_key {
    uint8_t data[KEY_MAX];
    size_t size;
};

static struct presence_key named_key(uint8_t kind, const char *device)
{
    struct presence_key key = {.data = {kind}, .size = 1};
    size_t length = strnlen(device, DEVICE_ID_MAX);
    memcpy(key.data + 1, device, length);
    key.size += length;
    return key;
}

static struct presence_key device_key(const char *device)
{
    return named_key('p', device);
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

static const struct bytes anew_key = {(const uint8_t *)"a", 1};
static const struct bytes version_key = {(const uint8_t *)"v", 1};
static const struct bytes patterns_key = {(const uint8_t *)"t", 1};

enum err presence_get(struct txn *txn, const char *device, struct presence *presence)
{
    const struct presence_key key = device_key(device);
    struct bytes record;
    enum err e = txn_get(txn, as_bytes(&key), &record);
    return e ? e : presence_decode(presence, record);
}

/* Could it be that of a device? A walk could not go on from any other. */
static bool names_device(struct bytes key)
{
    return key.size <= KEY_MAX && !memchr(key.data, '\0', key.size);
}

enum err presence_next(struct txn *txn, const char *after, char device[static DEVICE_ID_MAX + 1],
                       struct presence *presence)
{
    const struct presence_key from = device_key(after);
    struct bytes key = as_bytes(&from), record;
    enum err e;
    do {
        e = txn_next(txn, 'p', key, &key, &record);
        if (e && e != ERR_DAMAGED)
            return e;
    } while (!names_device(key));
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

/* Hands the packed bytes to the store and ends `pack`. */
static void put_packed(struct txn *txn, struct bytes key, struct pack *pack)
{
    if (pack->failed)
        txn_fail(txn, ERR_NO_MEMORY);
    else
        txn_put(txn, key, (struct bytes){pack->data, pack->size});
    pack_free(pack);
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

enum err patterns_get(struct txn *txn, struct patterns *patterns)
{
    struct bytes record;
    patterns->count = 0;
    enum err e = txn_get(txn, patterns_key, &record);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    struct unpack u = unpack_of(record);
    size_t count = (size_t)unpack_number(&u, PATTERNS_MAX);
    for (size_t i = 0; i < count; i++) {
        patterns->items[i].number = (uint32_t)unpack_number(&u, UINT32_MAX);
        unpack_text(&u, patterns->items[i].text, PRESENCE_PATTERN_MAX);
    }
    if (!unpack_done(&u))
        return ERR_DAMAGED;
    patterns->count = count;
    return ERR_OK;
}

enum err presence_topic_get(struct txn *txn, char topic[static RULE_FILTER_MAX + 1])
{
    struct patterns patterns;
    enum err e = patterns_get(txn, &patterns);
    if (e || !patterns.count)
        return e ? e : ERR_NOT_FOUND;
    (void)text_copy(topic, RULE_FILTER_MAX, patterns_current(&patterns)->text);
    return ERR_OK;
}

bool store_is_anew(struct txn *txn)
{
    struct bytes record;
    return txn_get(txn, anew_key, &record) != ERR_NOT_FOUND;
}

enum err ran_version_get(struct txn *txn, char version[static VERSION_TEXT_MAX + 1])
{
    return text_get(txn, version_key, version, VERSION_TEXT_MAX);
}

void ran_version_put(struct txn *txn, const char *version)
{
    text_put(txn, version_key, version);
}

void store_begins_anew(struct txn *txn)
{
    text_put(txn, anew_key, "");
}

void store_is_known(struct txn *txn)
{
    txn_delete(txn, anew_key);
}

void patterns_put(struct txn *txn, const struct patterns *patterns)
{
    struct pack pack = {0};
    pack_number(&pack, patterns->count);
    for (size_t i = 0; i < patterns->count; i++) {
        pack_number(&pack, patterns->items[i].number);
        pack_text(&pack, patterns->items[i].text);
    }
    put_packed(txn, patterns_key, &pack);
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

enum err presence_insert_encoded(struct txn *txn, const char *device, struct bytes record)
{
    const struct presence_key key = device_key(device);
    return txn_insert(txn, as_bytes(&key), record);
}

void presence_put(struct txn *txn, const char *device, const struct presence *presence,
                  const struct presence *before)
{
    const struct presence_key key = device_key(device);
    struct pack pack = {0};
    presence_encode(&pack, presence);
    put_packed(txn, as_bytes(&key), &pack);
    owners_drop(txn, device, before, presence);
    owners_add(txn, device, before, presence);
}

enum err standing_topic_get(struct txn *txn, const char *device, const struct presence *presence,
                            char topic[static PRESENCE_TOPIC_MAX + 1])
{
    const struct presence_key key = named_key('r', device);
    const struct subject subject = {.device = device};
    struct patterns patterns;
    enum err e = patterns_get(txn, &patterns);
    if (e)
        return e;
    const char *pattern = patterns_text(&patterns, presence->place);
    if (!pattern || !*pattern)
        return ERR_NOT_FOUND;
    if (presence_pattern_has_attributes(pattern))
        return text_get(txn, as_bytes(&key), topic, PRESENCE_TOPIC_MAX);
    presence_topic_make(topic, pattern, &subject);
    return ERR_OK;
}

void standing_topic_put(struct txn *txn, const char *device, const char *topic)
{
    const struct presence_key key = named_key('r', device);
    if (topic)
        text_put(txn, as_bytes(&key), topic);
    else
        txn_delete(txn, as_bytes(&key));
}

/* The key of a cleared topic, in `storage`. */
static struct bytes cleared_key(uint8_t storage[static STORE_KEY_MAX], const char *topic)
{
    size_t size = strnlen(topic, PRESENCE_TOPIC_MAX);
    storage[0] = 'x';
    memcpy(storage + 1, topic, size);
    return (struct bytes){storage, 1 + size};
}

enum err cleared_topic_next(struct txn *txn, const char *after,
                            char topic[static PRESENCE_TOPIC_MAX + 1],
                            char device[static DEVICE_ID_MAX + 1], int64_t *when)
{
    uint8_t storage[STORE_KEY_MAX];
    struct bytes key, record;
    enum err e = txn_next(txn, 'x', cleared_key(storage, after), &key, &record);
    if (e && e != ERR_DAMAGED)
        return e;
    if (key.size > STORE_KEY_MAX)
        return ERR_BROKEN;
    memcpy(topic, key.data + 1, key.size - 1);
    topic[key.size - 1] = '\0';
    struct unpack u = unpack_of(record);
    if (e)
        return e;
    unpack_text(&u, device, DEVICE_ID_MAX);
    *when = unpack_time(&u);
    return unpack_done(&u) ? ERR_OK : ERR_DAMAGED;
}

void cleared_topic_put(struct txn *txn, const char *topic, const char *device, int64_t now)
{
    uint8_t storage[STORE_KEY_MAX];
    struct pack pack = {0};
    pack_text(&pack, device);
    pack_time(&pack, now);
    put_packed(txn, cleared_key(storage, topic), &pack);
}

void cleared_topic_delete(struct txn *txn, const char *topic)
{
    uint8_t storage[STORE_KEY_MAX];
    txn_delete(txn, cleared_key(storage, topic));
}

void presence_delete(struct txn *txn, const char *device, const struct presence *before)
{
    const struct presence_key key = device_key(device);
    txn_delete(txn, as_bytes(&key));
    owners_drop(txn, device, before, NULL);
}
