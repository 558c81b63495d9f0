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

/* Reads from the front. After a failure there is nothing left. */
struct unpack {
    const uint8_t *at, *end;
    bool failed; /* cut short, a number too large or spelled long, a text that does not fit */
};

static inline struct unpack unpack_of(struct bytes bytes)
{
    return (struct unpack){.at = bytes.data,
                           .end = bytes.size ? bytes.data + bytes.size : bytes.data};
}

static inline void unpack_fail(struct unpack *unpack)
{
    unpack->at = unpack->end;
    unpack->failed = true;
}

/* A number of at most `max`; 0 after a failure. Most fit into one byte. */
uint64_t unpack_long_number(struct unpack *unpack, uint64_t max);
static inline uint64_t unpack_number(struct unpack *unpack, uint64_t max)
{
    const uint8_t *at = unpack->at;
    if (at == unpack->end || *at >= 0x80 || *at > max)
        return unpack_long_number(unpack, max);
    unpack->at = at + 1;
    return *at;
}
/* A time: never negative. 0 after a failure. */
enum { PACK_TIME_SIZE = 6 };
static inline int64_t unpack_time(struct unpack *unpack)
{
    const uint8_t *at = unpack->at; /* in two loads, as compilers see it */
    if (unpack->end - at < PACK_TIME_SIZE) {
        unpack_fail(unpack);
        return 0;
    }
    const uint64_t low = (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | *at;
    const uint64_t high = (uint32_t)at[5] << 8 | at[4];
    unpack->at = at + PACK_TIME_SIZE;
    return (int64_t)(high << 32 | low);
}

/* A blob of at most `max` bytes, lent; empty after a failure. */
struct bytes unpack_blob(struct unpack *unpack, size_t max);
/* A text of at most `max` bytes and no NUL into `out`, which has room for one more; "" after a
 * failure. */
void unpack_some_text(struct unpack *unpack, char *out, size_t max);
static inline void unpack_text(struct unpack *unpack, char *out, size_t max)
{
    const uint8_t *at = unpack->at;
    if (at == unpack->end || *at) {
        unpack_some_text(unpack, out, max);
        return;
    }
    unpack->at = at + 1;
    *out = '\0';
}

/* What was not read yet. */
static inline struct bytes unpack_rest(const struct unpack *unpack)
{
    return (struct bytes){unpack->at, (size_t)(unpack->end - unpack->at)};
}

/* True when all was read and nothing failed. */
bool unpack_done(const struct unpack *unpack);

#endif
