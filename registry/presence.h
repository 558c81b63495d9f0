/* presence.h - what is kept of a device's connections, and who owns a client id.
 *
 * Written by the broker's plugin alone, read by both programs. A record says what was, or is
 * about to be, published, and counts what happened; see plugin/presence.h for when. A device that
 * was only refused so far has a record, with no connections.
 */
#ifndef DEVREG_REGISTRY_PRESENCE_H
#define DEVREG_REGISTRY_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/crypto.h"
#include "registry/device.h"
#include "registry/error.h"
#include "registry/pack.h"

enum {
    PRESENCE_CLIENT_MAX = 128, /* a longer client id is cut here, for people to read */
    PRESENCE_ADDRESS_MAX = 64,
    SESSIONS_MAX = 16 /* client ids that one device may own, the oldest forgotten */
};
#define SESSION_KEEP_MS ((int64_t)30 * 24 * 3600 * 1000)

/* DESIGN: a closed set. What a broker version does not tell is REASON_UNKNOWN. */
enum reason {
    REASON_NONE = 0, /* online */
    REASON_CLIENT_DISCONNECT,
    REASON_KEEPALIVE_TIMEOUT,
    REASON_CONNECTION_LOST,
    REASON_SESSION_TAKEN_OVER,
    REASON_KICKED,
    REASON_DISABLED,
    REASON_REVOKED,
    REASON_REMOVED,
    REASON_EXPIRED,
    REASON_PROTOCOL_ERROR,
    REASON_SERVER_SHUTDOWN,
    REASON_BROKER_RESTART,
    REASON_UNKNOWN,
    REASON_COUNT
};

/* "client_disconnect" and so on; "none" for REASON_NONE. */
const char *reason_name(enum reason reason);

/* A client id as a key. It may be 65,535 bytes of anything: up to CLIENT_KEY_PLAIN bytes it is its
 * length and itself, and a longer one LONG_CLIENT and the first bytes of its BLAKE2b-256. */
enum { CLIENT_KEY_SIZE = 16, CLIENT_KEY_PLAIN = CLIENT_KEY_SIZE - 1, LONG_CLIENT = 255 };
struct client_key {
    uint8_t bytes[CLIENT_KEY_SIZE];
};
struct client_key client_key_of(const char *client_id);

/* A client id whose session the device owns. */
struct session {
    struct client_key client;
    int64_t seen; /* when it last connected with it */
};

/* Something that happened again and again: how often, and when last. */
struct tally {
    uint64_t count;
    int64_t last; /* 0 for never */
};

/* A credential that was used. */
struct use {
    uint32_t credential; /* its id */
    int64_t last;        /* when a connection with it last began or ended; 0: nobody noted it */
};

/* Plain data. */
struct presence {
    bool online;
    uint64_t seq;         /* of what was published last: rises with each published change */
    uint64_t conn;        /* number of the connection that the state is about */
    uint64_t connections; /* how many there were: the number of the newest. 0: none yet */
    uint64_t generation;
    uint32_t place; /* which pattern its message stands under (presence_topic.h); 0: no message */
    int64_t since;  /* of this state */
    int64_t connected_at;  /* of the connection */
    int64_t ended_at;      /* when the device was last left without a connection; 0 for never */
    enum reason reason;    /* of then */
    struct tally failures; /* refused CONNECTs in its name */
    struct tally denials;  /* its publishes and subscriptions that no rule let through */
    char client[PRESENCE_CLIENT_MAX + 1];
    char address[PRESENCE_ADDRESS_MAX + 1]; /* "" where the broker gives none */
    uint8_t protocol;                       /* 3, 4, 5 as in CONNECT; 0 for unknown */
    uint16_t keepalive;                     /* s */
    bool persistent;
    uint32_t credential; /* the id of the one that it was made with */
    size_t used_count;   /* credentials of this generation that were ever used */
    struct use used[CREDENTIALS_MAX];
    size_t session_count;
    struct session sessions[SESSIONS_MAX];
};

/* The place of the client id's session among those that the device owns; session_count for none. */
size_t presence_session(const struct presence *presence, const struct client_key *client);

/* The use of the credential of that id; NULL where it was never used. Lends. */
const struct use *presence_used(const struct presence *presence, uint32_t credential);
/* Notes that it is used now; the lowest id, which is the oldest, makes room. */
void presence_use(struct presence *presence, uint32_t credential, int64_t now);

/* One canonical encoding; `pack` may fail. ERR_DAMAGED where the bytes are no such record. */
void presence_encode(struct pack *pack, const struct presence *presence);
MUST_CHECK enum err presence_decode(struct presence *presence, struct bytes bytes);

#endif
