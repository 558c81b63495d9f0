#include "registry/presence.h"

#include <string.h>

const char *reason_name(enum reason reason)
{
    static const char *const names[REASON_COUNT] = {
        [REASON_NONE] = "none",
        [REASON_CLIENT_DISCONNECT] = "client_disconnect",
        [REASON_KEEPALIVE_TIMEOUT] = "keepalive_timeout",
        [REASON_CONNECTION_LOST] = "connection_lost",
        [REASON_SESSION_TAKEN_OVER] = "session_taken_over",
        [REASON_KICKED] = "kicked",
        [REASON_DISABLED] = "disabled",
        [REASON_REVOKED] = "revoked",
        [REASON_REMOVED] = "removed",
        [REASON_EXPIRED] = "expired",
        [REASON_PROTOCOL_ERROR] = "protocol_error",
        [REASON_SERVER_SHUTDOWN] = "server_shutdown",
        [REASON_BROKER_RESTART] = "broker_restart",
        [REASON_UNKNOWN] = "unknown",
    };
    return (unsigned)reason < REASON_COUNT ? names[reason] : "unknown";
}

struct client_key client_key_of(const char *client_id)
{
    static const uint8_t secret[CRYPTO_KEY_SIZE] = "devreg/client/1";
    struct client_key key = {{0}};
    const struct crypto_part part = {client_id, strlen(client_id)};
    uint8_t hash[CRYPTO_HASH_SIZE];
    if (part.size <= CLIENT_KEY_PLAIN) {
        key.bytes[0] = (uint8_t)part.size;
        memcpy(key.bytes + 1, client_id, part.size);
        return key;
    }
    crypto_keyed_hash(hash, secret, &part, 1);
    key.bytes[0] = LONG_CLIENT;
    memcpy(key.bytes + 1, hash, CLIENT_KEY_PLAIN);
    return key;
}

size_t presence_session(const struct presence *presence, const struct client_key *client)
{
    size_t at = 0;
    while (at < presence->session_count &&
           memcmp(presence->sessions[at].client.bytes, client->bytes, sizeof client->bytes) != 0)
        at++;
    return at;
}

const struct use *presence_used(const struct presence *presence, uint32_t credential)
{
    for (size_t i = 0; i < presence->used_count; i++) {
        if (presence->used[i].credential == credential)
            return &presence->used[i];
    }
    return NULL;
}

/* Where its use is noted, or is to be. */
static struct use *use_place(struct presence *presence, uint32_t credential)
{
    struct use *oldest = &presence->used[0];
    for (size_t i = 0; i < presence->used_count; i++) {
        struct use *use = &presence->used[i];
        if (use->credential == credential)
            return use;
        if (use->credential < oldest->credential)
            oldest = use;
    }
    return presence->used_count < CREDENTIALS_MAX ? &presence->used[presence->used_count++]
                                                  : oldest;
}

void presence_use(struct presence *presence, uint32_t credential, int64_t now)
{
    *use_place(presence, credential) = (struct use){credential, now};
}

/* The second format tells when credentials were used; the first is what records have that do not
 * know it. */
enum { FORMAT = 1, FORMAT_TIMED = 2, USUAL_SIZE = 160 /* bytes of a record */ };

static void tally_encode(struct pack *pack, const struct tally *tally)
{
    pack_number(pack, tally->count);
    if (tally->count)
        pack_time(pack, tally->last);
}

static struct tally tally_decode(struct unpack *u)
{
    struct tally tally = {.count = unpack_number(u, UINT64_MAX)};
    if (tally.count)
        tally.last = unpack_time(u);
    return tally;
}

/* Is it known of any when it was used? */
static bool uses_timed(const struct presence *p)
{
    size_t i = 0;
    while (i < p->used_count && !p->used[i].last)
        i++;
    return i < p->used_count;
}

void presence_encode(struct pack *pack, const struct presence *p)
{
    bool timed = uses_timed(p);
    pack_reserve(pack, USUAL_SIZE);
    pack_number(pack, timed ? FORMAT_TIMED : FORMAT);
    pack_number(pack, p->online);
    pack_number(pack, p->seq);
    pack_number(pack, p->conn);
    pack_number(pack, p->connections);
    pack_number(pack, p->generation);
    pack_number(pack, p->place);
    pack_time(pack, p->since);
    pack_time(pack, p->connected_at);
    pack_time(pack, p->ended_at);
    pack_number(pack, p->reason);
    tally_encode(pack, &p->failures);
    tally_encode(pack, &p->denials);
    pack_text(pack, p->client);
    pack_text(pack, p->address);
    pack_number(pack, p->protocol);
    pack_number(pack, p->keepalive);
    pack_number(pack, p->persistent);
    pack_number(pack, p->credential);
    pack_number(pack, p->used_count);
    for (size_t i = 0; i < p->used_count; i++) {
        pack_number(pack, p->used[i].credential);
        if (timed)
            pack_time(pack, p->used[i].last);
    }
    pack_number(pack, p->session_count);
    for (size_t i = 0; i < p->session_count; i++) {
        pack_blob(pack, p->sessions[i].client.bytes, sizeof p->sessions[i].client.bytes);
        pack_time(pack, p->sessions[i].seen);
    }
}

enum err presence_decode(struct presence *presence, struct bytes bytes)
{
    struct unpack u = unpack_of(bytes);
    struct presence p;
    uint64_t format = unpack_number(&u, UINT64_MAX);
    if (u.failed || (format != FORMAT && format != FORMAT_TIMED))
        return !u.failed && format > FORMAT_TIMED ? ERR_TOO_NEW : ERR_DAMAGED;
    p.online = unpack_number(&u, 1);
    p.seq = unpack_number(&u, UINT64_MAX);
    p.conn = unpack_number(&u, UINT64_MAX);
    p.connections = unpack_number(&u, UINT64_MAX);
    p.generation = unpack_number(&u, UINT64_MAX);
    p.place = (uint32_t)unpack_number(&u, UINT32_MAX);
    p.since = unpack_time(&u);
    p.connected_at = unpack_time(&u);
    p.ended_at = unpack_time(&u);
    p.reason = (enum reason)unpack_number(&u, REASON_COUNT - 1);
    p.failures = tally_decode(&u);
    p.denials = tally_decode(&u);
    unpack_text(&u, p.client, PRESENCE_CLIENT_MAX);
    unpack_text(&u, p.address, PRESENCE_ADDRESS_MAX);
    p.protocol = (uint8_t)unpack_number(&u, UINT8_MAX);
    p.keepalive = (uint16_t)unpack_number(&u, UINT16_MAX);
    p.persistent = unpack_number(&u, 1);
    p.credential = (uint32_t)unpack_number(&u, UINT32_MAX);
    p.used_count = (size_t)unpack_number(&u, CREDENTIALS_MAX);
    for (size_t i = 0; i < p.used_count; i++) {
        p.used[i].credential = (uint32_t)unpack_number(&u, UINT32_MAX);
        p.used[i].last = format == FORMAT_TIMED ? unpack_time(&u) : 0;
    }
    p.session_count = (size_t)unpack_number(&u, SESSIONS_MAX);
    for (size_t i = 0; i < p.session_count; i++) {
        struct bytes key = unpack_blob(&u, CLIENT_KEY_SIZE);
        if (key.size != CLIENT_KEY_SIZE)
            return ERR_DAMAGED;
        memcpy(p.sessions[i].client.bytes, key.data, CLIENT_KEY_SIZE);
        p.sessions[i].seen = unpack_time(&u);
    }
    if (!unpack_done(&u) || uses_timed(&p) != (format == FORMAT_TIMED))
        return ERR_DAMAGED;
    *presence = p;
    return ERR_OK;
}
