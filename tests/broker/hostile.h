/* hostile.h - what no honest MQTT client would send: bytes of MQTT 3.1, 3.1.1 and 5, right and
 * wrong.
 *
 * A stream is what one connection sends: a handshake, mostly one that lets it in, and packets of
 * all kinds behind it, each of whose parts may be too long, of another kind, no UTF-8, or missing;
 * and then some of that is mangled as bytes. The same seed makes the same stream.
 */
#ifndef DEVREG_TESTS_HOSTILE_H
#define DEVREG_TESTS_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/support/rng.h"

enum { STREAM_ROOM = 1 << 19 };

struct stream {
    struct rng *rng;
    size_t size;
    uint8_t version; /* of the last CONNECT: 3, 4, 5 */
    unsigned evil;   /* how often, in percent, a part of a packet is wrong in its form */
    uint8_t bytes[STREAM_ROOM];
};

/* Who a stream may claim to be: a device with its key, which it may use, and one that it may not.
 */
struct hostile {
    const char *device, *key;
    const char *victim;
    bool keepalive; /* may it ask for one? */
};

/* Fills it anew. */
void stream_make(struct stream *stream, const struct hostile *who);

#endif
