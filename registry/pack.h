/* pack.h - bytes in and out of a record.
 *
 * Numbers are LEB128 (7 bits a byte, low ones first, no needless bytes), times (ms since 1970) six
 * bytes, low ones first, texts and blobs a length and their bytes. Each value has one spelling, so
 * equal records are equal bytes. Both sides keep their first error: after it every call does
 * nothing, and `failed` tells.
 */
#ifndef DEVREG_REGISTRY_PACK_H
#define DEVREG_REGISTRY_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that somebody else owns. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

/* Grows as needed; {0} is an empty one; pack_free ends it. */
struct pack {
    uint8_t *data;
    size_t size, room;
    bool failed; /* out of memory */
};

/* Makes room for `more` bytes at once. Nothing else needs it. */
void pack_reserve(struct pack *pack, size_t more);
void pack_long_number(struct pack *pack, uint64_t value);
static inline void pack_number(struct pack *pack, uint64_t value)
{
    if (value < 0x80 && pack->size < pack->room && !pack->failed)
        pack->data[pack->size++] = (uint8_t)value;
    else
        pack_long_number(pack, value);
}
/* The first or last time there is, where `time` lies outside: 1970, the year 10889. */
void pack_time(struct pack *pack, int64_t time);
void pack_blob(struct pack *pack, const void *data, size_t size);
void pack_text(struct pack *pack, const char *text);
/* Wipes, frees, and makes it empty. */
void pack_free(struct pack *pack);

/* Reads `rest` from the front. */
struct unpack {
    struct bytes rest;
    bool failed; /* cut short, a number too large or spelled long, a text that does not fit */
};

/* A number of at most `max`; 0 after a failure. Most fit into one byte. */
uint64_t unpack_long_number(struct unpack *unpack, uint64_t max);
static inline uint64_t unpack_number(struct unpack *unpack, uint64_t max)
{
    if (unpack->failed || !unpack->rest.size || *unpack->rest.data >= 0x80)
        return unpack_long_number(unpack, max);
    uint64_t value = *unpack->rest.data++;
    unpack->rest.size--;
    unpack->failed = value > max;
    return value > max ? 0 : value;
}
/* A time: never negative. 0 after a failure. */
enum { PACK_TIME_SIZE = 6 };
static inline int64_t unpack_time(struct unpack *unpack)
{
    uint64_t time = 0;
    if (unpack->failed || unpack->rest.size < PACK_TIME_SIZE) {
        unpack->failed = true;
        return 0;
    }
    for (unsigned i = 0; i < PACK_TIME_SIZE; i++)
        time |= (uint64_t)unpack->rest.data[i] << 8 * i;
    unpack->rest.data += PACK_TIME_SIZE;
    unpack->rest.size -= PACK_TIME_SIZE;
    return (int64_t)time;
}

/* A blob of at most `max` bytes, lent; empty after a failure. */
struct bytes unpack_blob(struct unpack *unpack, size_t max);
/* A text of at most `max` bytes and no NUL into `out`, which has room for one more; "" after a
 * failure. */
void unpack_some_text(struct unpack *unpack, char *out, size_t max);
static inline void unpack_text(struct unpack *unpack, char *out, size_t max)
{
    if (unpack->failed || !unpack->rest.size || *unpack->rest.data) {
        unpack_some_text(unpack, out, max);
        return;
    }
    unpack->rest.data++;
    unpack->rest.size--;
    *out = '\0';
}

/* True when all was read and nothing failed. */
bool unpack_done(const struct unpack *unpack);

#endif
