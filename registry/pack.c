#include "registry/pack.h"

#include <stdlib.h>
#include <string.h>

#include "registry/crypto.h"

/* Makes room without realloc, which would leave a copy of what may be secret behind. */
static bool reserve(struct pack *pack, size_t more)
{
    if (pack->failed)
        return false;
    if (pack->room - pack->size >= more)
        return true;
    size_t room = (pack->size + more) * 2 + 64;
    uint8_t *data = malloc(room);
    if (!data) {
        pack->failed = true;
        return false;
    }
    if (pack->size)
        memcpy(data, pack->data, pack->size);
    if (pack->data)
        crypto_wipe(pack->data, pack->room);
    free(pack->data);
    pack->data = data;
    pack->room = room;
    return true;
}

void pack_reserve(struct pack *pack, size_t more)
{
    (void)reserve(pack, more); /* `failed` tells */
}

void pack_long_number(struct pack *pack, uint64_t value)
{
    if (!reserve(pack, 10))
        return;
    for (; value >= 0x80; value >>= 7)
        pack->data[pack->size++] = (uint8_t)(value | 0x80);
    pack->data[pack->size++] = (uint8_t)value;
}

void pack_time(struct pack *pack, int64_t time)
{
    const int64_t last = ((int64_t)1 << 8 * PACK_TIME_SIZE) - 1;
    uint64_t value = (uint64_t)(time < 0 ? 0 : time > last ? last : time);
    if (!reserve(pack, PACK_TIME_SIZE))
        return;
    uint8_t bytes[PACK_TIME_SIZE];
    for (unsigned i = 0; i < PACK_TIME_SIZE; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    memcpy(pack->data + pack->size, bytes, sizeof bytes);
    pack->size += sizeof bytes;
}

void pack_blob(struct pack *pack, const void *data, size_t size)
{
    pack_number(pack, size);
    if (!reserve(pack, size) || !size)
        return;
    memcpy(pack->data + pack->size, data, size);
    pack->size += size;
}

void pack_text(struct pack *pack, const char *text)
{
    pack_blob(pack, text, strlen(text));
}

void pack_free(struct pack *pack)
{
    if (pack->data)
        crypto_wipe(pack->data, pack->room);
    free(pack->data);
    *pack = (struct pack){0};
}

uint64_t unpack_long_number(struct unpack *unpack, uint64_t max)
{
    const uint8_t *at = unpack->at, *const end = unpack->end;
    uint64_t value = 0;
    unsigned shift = 0;
    while (at < end && *at >= 0x80 && shift < 63) {
        value |= (uint64_t)(*at++ & 0x7f) << shift;
        shift += 7;
    }
    /* The last byte: it ends the number, fits, and is not needless. */
    bool ends = at < end && *at < 0x80 && (shift < 63 || *at <= 1) && (!shift || *at);
    if (ends)
        value |= (uint64_t)*at++ << shift;
    if (!ends || value > max) {
        unpack_fail(unpack);
        return 0;
    }
    unpack->at = at;
    return value;
}

static inline struct bytes take_blob(struct unpack *unpack, size_t max)
{
    size_t size = (size_t)unpack_number(unpack, max);
    struct bytes blob = {unpack->at, size};
    if (unpack->failed || size > (size_t)(unpack->end - unpack->at)) {
        unpack_fail(unpack);
        return (struct bytes){NULL, 0};
    }
    unpack->at += size;
    return blob;
}

struct bytes unpack_blob(struct unpack *unpack, size_t max)
{
    return take_blob(unpack, max);
}

void unpack_some_text(struct unpack *unpack, char *out, size_t max)
{
    struct bytes blob = take_blob(unpack, max);
    size_t size = 0;
    for (; size < blob.size && blob.data[size]; size++) /* short, mostly: memcpy would cost more */
        out[size] = (char)blob.data[size];
    if (size < blob.size) {
        unpack_fail(unpack);
        size = 0;
    }
    out[size] = '\0';
}

bool unpack_done(const struct unpack *unpack)
{
    return !unpack->failed && unpack->at == unpack->end;
}
