/* connections.h - the live connections that devreg let in, by the broker's pointer.
 *
 *              BASIC_AUTH says yes            tick (2.0), CONNECT (2.1),
 *   (nothing) ---------------------> PENDING ----------------------------> LIVE
 *       |  2.1, a slow password        ^  |     a publish or subscribe       |
 *       +--------------> WAITING ------+  | DISCONNECT: was never in         | DISCONNECT,
 *                                         v                                  v CLIENT_OFFLINE
 *                   (nothing) <--- turn -- GONE <----------------------------+
 *
 * A pointer is the broker's to reuse, so an entry counts only with the client id beside it, every
 * BASIC_AUTH for the pointer replaces it, and nothing is ever read through it outside of its own
 * callback. GONE stays for the will, which the broker checks after DISCONNECT: until the next turn,
 * or, since MQTT 5 may delay a will, until the pointer comes back. It also stays until its client
 * id's owner is recorded.
 *
 * INTRUDER is a connection that no BASIC_AUTH announced: a listener with use_identity_as_username.
 */
#ifndef DEVREG_PLUGIN_CONNECTIONS_H
#define DEVREG_PLUGIN_CONNECTIONS_H

#include "plugin/cache.h"
#include "plugin/table.h"
#include "registry/presence.h"

enum connection_state {
    CONNECTION_WAITING,
    CONNECTION_PENDING,
    CONNECTION_LIVE,
    CONNECTION_GONE,
    CONNECTION_INTRUDER
};

/* The last question that the rules decided, and the answer: what a sensor asks all day. Topics of
 * up to ANSWER_TOPIC_MAX bytes are remembered. */
enum { ANSWER_TOPIC_MAX = 62 };

struct last_answer {
    uint8_t access; /* MOSQ_ACL_*; 0 for none */
    bool allowed;
    char topic[ANSWER_TOPIC_MAX + 1];
};

struct connection {
    struct table_node by_pointer, by_client;
    const void *pointer;
    struct cached_device *device;                   /* NULL for an intruder, and when GONE */
    struct connection *next, *previous;             /* of the device */
    struct connection *queue_next, *queue_previous; /* in the list that `queue` says */
    struct connection_list *queue;
    const char *device_id, *address; /* "" for none; they lie behind client_id */
    uint64_t generation, version;    /* of the device, when it was let in */
    int64_t ends;                    /* when its device or credential expires; 0 for never */
    int64_t accepted_at;
    uint64_t conn; /* its number; 0 until it is LIVE */
    uint32_t credential;
    uint16_t keepalive;
    uint8_t protocol;
    uint8_t state;       /* enum connection_state */
    uint8_t kick_reason; /* enum reason: why it was kicked */
    bool clean;          /* as CONNECT said */
    bool persistent;
    bool had_session;   /* the device owned its client id before */
    bool will_possible; /* GONE: one more publish may come, its will */
    bool kicked;
    bool owner;     /* in by_client */
    bool peer;      /* `address` is the other end's: network.h */
    bool ended;     /* what it was let in with has ended */
    uint64_t loads; /* of the device: `ended` and `last` hold as of then */
    struct last_answer last;
    char client_id[]; /* up to 65,535 bytes */
};

struct connection_list {
    struct connection *first, *last;
    size_t count;
};

struct connections {
    struct cache *cache; /* lent */
    struct table by_pointer, by_client;
    uint8_t key[CRYPTO_MAC_KEY_SIZE]; /* of by_client's hash: strangers choose client ids */
    struct connection_list pending, live, gone, kicks; /* those to be kicked are in no other */
    int64_t next_end;                                  /* the earliest `ends`; 0 for none */
};

void connections_open(struct connections *connections, struct cache *cache);
void connections_close(struct connections *connections);

/* The entry for the pointer, whatever its state; NULL for none. */
static inline struct connection *connection_find(const struct connections *connections,
                                                 const void *pointer)
{
    struct table_node *n = table_find(&connections->by_pointer, table_hash_pointer(pointer));
    while (n && AROUND(n, struct connection, by_pointer)->pointer != pointer)
        n = table_again(n);
    return n ? AROUND(n, struct connection, by_pointer) : NULL;
}
/* The entry for the pointer if it is that client; else NULL. */
struct connection *connection_of(const struct connections *connections, const void *pointer,
                                 const char *client_id);

/* The hash of a client id, for the two calls that want it. */
uint64_t connections_hash(const struct connections *connections, const char *client_id);

/* The first of the connections with that client id, and the next; NULL for none. GONE ones that own
 * a session that is not recorded yet are among them. */
struct connection *connection_with_client_id(const struct connections *connections,
                                             const char *client_id, uint64_t hash);
struct connection *connection_again(const struct connection *connection);

/* A new entry for the pointer, in place of any other. The caller fills in the rest. NULL for want
 * of memory. */
struct newcomer {
    const void *pointer;
    const char *client_id, *address; /* `address` may be NULL */
    uint64_t client_hash;            /* of client_id */
    struct cached_device *device;    /* may be NULL for an intruder */
    enum connection_state state;
};
struct connection *connection_new(struct connections *connections, const struct newcomer *newcomer);

/* Moves it to another state, and to that state's list. GONE takes it from its device. */
void connection_become(struct connections *connections, struct connection *connection,
                       enum connection_state state);

void connection_free(struct connections *connections, struct connection *connection);

/* A GONE one that stays for its will alone: it leaves the list, and its client id is free. */
void connection_rest(struct connections *connections, struct connection *connection);

/* The first of the LIVE ones, which becomes the last; NULL for none. So a few calls at each tick go
 * round all of them. */
struct connection *connection_next_live(struct connections *connections);

/* Queues a LIVE or INTRUDER one to be closed at the tick. */
void connection_kick(struct connections *connections, struct connection *connection,
                     enum reason reason);

/* Notes when it ends by itself. */
void connection_set_end(struct connections *connections, struct connection *connection,
                        int64_t ends);

#endif
