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

void pack_number(struct pack *pack, uint64_t value)
{
    if (!reserve(pack, 10))
        return;
    for (; value >= 0x80; value >>= 7)
        pack->data[pack->size++] = (uint8_t)(value | 0x80);
    pack->data[pack->size++] = (uint8_t)value;
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

static uint8_t next(struct unpack *unpack)
{
    if (unpack->failed || !unpack->rest.size) {
        unpack->failed = true;
        return 0;
    }
    unpack->rest.size--;
    return *unpack->rest.data++;
}

uint64_t unpack_number(struct unpack *unpack, uint64_t max)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = next(unpack);
        uint64_t part = byte & 0x7f;
        bool overflow = shift == 63 && part > 1;
        bool needless = shift > 0 && byte == 0;
        if (unpack->failed || overflow || needless)
            break;
        value |= part << shift;
        if (byte < 0x80) {
            if (value > max)
                break;
            return value;
        }
    }
    unpack->failed = true;
    return 0;
}

int64_t unpack_time(struct unpack *unpack)
{
    return (int64_t)unpack_number(unpack, INT64_MAX);
}

struct bytes unpack_blob(struct unpack *unpack, size_t max)
{
    struct bytes blob = {unpack->rest.data, (size_t)unpack_number(unpack, max)};
    if (unpack->failed || blob.size > unpack->rest.size) {
        unpack->failed = true;
        return (struct bytes){NULL, 0};
    }
    blob.data = unpack->rest.data;
    unpack->rest.data += blob.size;
    unpack->rest.size -= blob.size;
    return blob;
}

void unpack_text(struct unpack *unpack, char *out, size_t max)
{
    struct bytes blob = unpack_blob(unpack, max);
    if (blob.size && memchr(blob.data, '\0', blob.size)) {
        unpack->failed = true;
        blob.size = 0;
    }
    if (blob.size)
        memcpy(out, blob.data, blob.size);
    out[blob.size] = '\0';
}

bool unpack_done(const struct unpack *unpack)
{
    return !unpack->failed && unpack->rest.size == 0;
}
