/* network.h - the network that a client comes from: what can be held against a stranger. An IPv4
 * address is one; of IPv6 the first 64 bits are, since whoever has one address has all behind it.
 * An IPv4 address that is written as IPv6 (::ffff:192.0.2.1) is that IPv4 address.
 */
#ifndef DEVREG_PLUGIN_NETWORK_H
#define DEVREG_PLUGIN_NETWORK_H

#include "plugin/mosq.h"

struct network {
    uint64_t prefix; /* IPv4: the address, in the low half; IPv6: its first 64 bits */
    uint8_t family;  /* 4 or 6; 0 is none */
};

/* `address` as the broker tells it, or NULL. False, and `network` none, for what is no IP address
 * and nothing else; one that is can do no harm in a log. */
bool network_parse(struct network *network, const char *address);

/* The same, but only where the address is the peer's of a TCP connection. A websocket has none that
 * counts, in no version: 2.0.21 hands over whatever the client wrote into X-Forwarded-For, 2.0.11
 * cannot be told from it, and elsewhere it is often the address of a proxy that all share. Not to
 * be asked in DISCONNECT: there 2.0 calls a websocket a TCP connection. */
bool network_of(struct network *network, const struct mosquitto *client, const char *address);

static inline bool network_same(const struct network *a, const struct network *b)
{
    return a->prefix == b->prefix && a->family == b->family;
}

#endif
