#include "registry/presence_feed.h"

#include <string.h>

enum { KEY_SIZE = 1 + sizeof(uint64_t), HEAD_SIZE = 40 /* of a piece, at the most */ };

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
        return ERR_BROKEN; /* nobody could walk on from there */
    *number = 0;
    for (size_t i = 1; i < KEY_SIZE; i++)
        *number = *number << 8 | key.data[i];
    return ERR_OK;
}

enum err feed_last(struct txn *txn, uint64_t *number)
{
    struct bytes key, record;
    enum err e = txn_last(txn, 'w', &key, &record);
    if (e == ERR_NOT_FOUND) {
        *number = 0;
        return ERR_OK;
    }
    return e && e != ERR_DAMAGED ? e : key_read(key, number);
}

/* What a piece holds: the counts, and a blob of items. */
static enum err piece_read(struct bytes piece, struct presence_counts *counts, struct bytes *items)
{
    struct unpack u = unpack_of(piece);
    counts->seen = unpack_number(&u, UINT64_MAX);
    counts->online = unpack_number(&u, UINT64_MAX);
    counts->seq = unpack_number(&u, UINT64_MAX);
    *items = unpack_blob(&u, SIZE_MAX);
    return unpack_done(&u) ? ERR_OK : ERR_DAMAGED;
}

enum err presence_counts_get(struct txn *txn, struct presence_counts *counts)
{
    struct bytes key, piece, items;
    struct presence_counts read = {0};
    enum err e = txn_last(txn, 'w', &key, &piece);
    if (!e)
        e = piece_read(piece, &read, &items);
    if (e && e != ERR_NOT_FOUND)
        return e;
    *counts = read;
    return ERR_OK;
}

enum err presence_counts_find(struct txn *txn, struct presence_counts *counts)
{
    struct presence presence;
    char device[DEVICE_ID_MAX + 1] = "";
    *counts = (struct presence_counts){0};
    for (;;) {
        enum err e = presence_next(txn, device, device, &presence);
        if (e == ERR_NOT_FOUND)
            return ERR_OK;
        if (e && e != ERR_DAMAGED)
            return e;
        if (e)
            continue; /* nobody knows what it was: it does not count */
        counts->seen += presence.connections > 0;
        counts->online += presence.online;
        counts->seq = presence.seq > counts->seq ? presence.seq : counts->seq;
    }
}

enum err feed_next(struct txn *txn, uint64_t after, uint64_t *number, struct bytes *items)
{
    uint8_t from[KEY_SIZE];
    struct presence_counts counts;
    struct bytes key, piece;
    key_make(from, after);
    enum err e = txn_next(txn, 'w', (struct bytes){from, KEY_SIZE}, &key, &piece);
    if (e && e != ERR_DAMAGED)
        return e;
    enum err bad = key_read(key, number);
    if (bad || e)
        return bad ? bad : e;
    return piece_read(piece, &counts, items);
}

bool feed_item_next(struct bytes *items, struct feed_item *item)
{
    struct unpack u = unpack_of(*items);
    unpack_text(&u, item->device, DEVICE_ID_MAX);
    item->kind = (enum feed_kind)unpack_number(&u, FEED_KINDS - 1);
    item->reason = (enum reason)unpack_number(&u, REASON_COUNT - 1);
    item->conn = unpack_number(&u, UINT64_MAX);
    item->time = unpack_time(&u);
    *items = unpack_rest(&u);
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

void feed_put(struct txn *txn, uint64_t number, const struct presence_counts *counts,
              const struct pack *items)
{
    uint8_t key[KEY_SIZE];
    struct pack piece = {0};
    pack_reserve(&piece, items->size + HEAD_SIZE);
    pack_number(&piece, counts->seen);
    pack_number(&piece, counts->online);
    pack_number(&piece, counts->seq);
    pack_blob(&piece, items->data, items->size);
    key_make(key, number);
    if (items->failed || piece.failed)
        txn_fail(txn, ERR_NO_MEMORY);
    else
        txn_put(txn, (struct bytes){key, KEY_SIZE}, (struct bytes){piece.data, piece.size});
    pack_free(&piece);
    if (number <= FEED_KEPT)
        return;
    key_make(key, number - FEED_KEPT);
    txn_delete(txn, (struct bytes){key, KEY_SIZE});
}
