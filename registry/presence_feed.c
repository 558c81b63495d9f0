#include "registry/presence_feed.h"

#include <string.h>

enum { KEY_SIZE = 1 + sizeof(uint64_t) };

/* Big-endian, so that the order of the keys is that of the numbers. */
static void key_make(uint8_t key[static KEY_SIZE], uint64_t number)
{
    key[0] = 'w';
    for (size_t i = 0; i < sizeof number; i++)
        key[KEY_SIZE - 1 - i] = (uint8_t)(number >> 8 * i);
}

static enum err key_read(struct bytes key, uint64_t *number)
{
    if (key.size != KEY_SIZE)
        return ERR_DAMAGED;
    *number = 0;
    for (size_t i = 1; i < KEY_SIZE; i++)
        *number = *number << 8 | key.data[i];
    return ERR_OK;
}

enum err feed_last(struct txn *txn, uint64_t *number)
{
    struct bytes key, record;
    enum err e = txn_last(txn, 'w', &key, &record);
    *number = 0;
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    return e && e != ERR_DAMAGED ? e : key_read(key, number);
}

enum err feed_next(struct txn *txn, uint64_t after, uint64_t *number, struct bytes *items)
{
    uint8_t from[KEY_SIZE];
    struct bytes key;
    key_make(from, after);
    enum err e = txn_next(txn, 'w', (struct bytes){from, KEY_SIZE}, &key, items);
    if (e && e != ERR_DAMAGED)
        return e;
    enum err bad = key_read(key, number);
    return bad ? bad : e;
}

bool feed_item_next(struct bytes *items, struct feed_item *item)
{
    struct unpack u = {.rest = *items};
    unpack_text(&u, item->device, DEVICE_ID_MAX);
    item->kind = (enum feed_kind)unpack_number(&u, FEED_KINDS - 1);
    item->reason = (enum reason)unpack_number(&u, REASON_COUNT - 1);
    item->conn = unpack_number(&u, UINT64_MAX);
    item->time = unpack_time(&u);
    *items = u.rest;
    return !u.failed;
}

void feed_item_add(struct pack *items, const struct feed_item *item)
{
    pack_text(items, item->device);
    pack_number(items, item->kind);
    pack_number(items, item->reason);
    pack_number(items, item->conn);
    pack_time(items, item->time);
}

void feed_put(struct txn *txn, const struct pack *items)
{
    uint8_t key[KEY_SIZE];
    uint64_t last;
    if (items->failed) {
        txn_fail(txn, ERR_NO_MEMORY);
        return;
    }
    if (!items->size)
        return;
    enum err e = feed_last(txn, &last);
    if (e) {
        txn_fail(txn, e);
        return;
    }
    key_make(key, last + 1);
    txn_put(txn, (struct bytes){key, KEY_SIZE}, (struct bytes){items->data, items->size});
    if (last < FEED_KEPT)
        return;
    key_make(key, last + 1 - FEED_KEPT);
    txn_delete(txn, (struct bytes){key, KEY_SIZE});
}
