/* pack.h - bytes in and out of a record.
 *
 * Numbers are LEB128 (7 bits a byte, low ones first, no needless bytes), texts and blobs a
 * length and their bytes. Each value has one spelling, so equal records are equal bytes.
 * Both sides keep their first error: after it every call does nothing, and `failed` tells.
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

void pack_number(struct pack *pack, uint64_t value);
void pack_blob(struct pack *pack, const void *data, size_t size);
void pack_text(struct pack *pack, const char *text);
/* Wipes, frees, and makes it empty. */
void pack_free(struct pack *pack);

/* Reads `rest` from the front. */
struct unpack {
    struct bytes rest;
    bool failed; /* cut short, a number too large or spelled long, a text that does not fit */
};

/* A number of at most `max`; 0 after a failure. */
uint64_t unpack_number(struct unpack *unpack, uint64_t max);
/* A time: never negative. */
int64_t unpack_time(struct unpack *unpack);
/* A blob of at most `max` bytes, lent; empty after a failure. */
struct bytes unpack_blob(struct unpack *unpack, size_t max);
/* A text of at most `max` bytes and no NUL into `out`, which has room for one more; "" after a
 * failure. */
void unpack_text(struct unpack *unpack, char *out, size_t max);
/* True when all was read and nothing failed. */
bool unpack_done(const struct unpack *unpack);

#endif
