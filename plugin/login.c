#include "plugin/login.h"

#include <string.h>

#include "plugin/turn.h"
#include "registry/key.h"
#include "registry/text.h"

/* Whose is a client id? */
enum owner { OWNER_NOBODY, OWNER_ITSELF, OWNER_ANOTHER };

/* Who knocks, as the broker tells it. */
struct login {
    const struct mosquitto *client;
    const char *id, *username, *password, *address;
    int protocol;         /* of MQTT; 0 for a session that was restored from disk */
    int64_t now;          /* ms since 1970 */
    uint64_t client_hash; /* of the client id; and who owns it */
    enum owner owner;
};

/* Why not, for the log. */
enum refusal {
    REFUSED_NOT, /* it was let in, or handed on */
    REFUSED_UNKNOWN,
    REFUSED_NO_PASSWORD,
    REFUSED_WRONG_KEY,
    REFUSED_WRONG_PASSWORD,
    REFUSED_NOT_CHECKED, /* the password is on its way to the worker: it may be right */
    REFUSED_DISABLED,
    REFUSED_REVOKED,
    REFUSED_EXPIRED,
    REFUSED_QUARANTINED,
    REFUSED_CLIENT_ID,
    REFUSED_FOREIGN_CLIENT_ID,
    REFUSED_CONNECTIONS, /* it has as many as it may */
    REFUSED_FAULT
};

static const char *refusal_name(enum refusal refusal)
{
    static const char *const names[] = {"none",
                                        "unknown_device",
                                        "no_password",
                                        "wrong_key",
                                        "wrong_password",
                                        "password_is_being_checked",
                                        "disabled",
                                        "revoked",
                                        "expired",
                                        "quarantined",
                                        "client_id",
                                        "client_id_of_another",
                                        "too_many_connections",
                                        "registry_unreadable"};
    return names[refusal];
}

/* A key that was typed into the wrong field is not for the log. */
static const char *shown(char *out, size_t size, const char *text)
{
    key_hide(text_escape(out, size, text));
    return out;
}

/* Counts it for the device of that name, if there is one. */
static void count_refusal(struct plugin *plugin, const struct login *login, enum refusal refusal,
                          uint64_t generation)
{
    bool known = generation != 0;
    if (refusal == REFUSED_FOREIGN_CLIENT_ID && login->username)
        known = device_id_valid(login->username) &&
                cache_generation(&plugin->cache, login->username, &generation) == ERR_OK;
    if (!known || refusal == REFUSED_NOT_CHECKED || refusal == REFUSED_FAULT)
        return;
    presence_refused(&plugin->presences, login->username, generation, login->now);
    event_auth_failed(&plugin->events, login->username, login->id, login->address,
                      refusal_name(refusal), login->now);
}

/* `generation`: of the device; 0 where it was not read. */
static void note_refusal(struct plugin *plugin, const struct login *login, enum refusal refusal,
                         uint64_t generation)
{
    char user[48], id[48], address[64];
    count_refusal(plugin, login, refusal, generation);
    journal_add(&plugin->journal, MOSQ_LOG_NOTICE,
                "refused device=%s client=%s address=%s reason=%s",
                shown(user, sizeof user, login->username), shown(id, sizeof id, login->id),
                shown(address, sizeof address, login->address), refusal_name(refusal));
}

/* SIGHUP makes the broker ask again for every session, online or not. Is this such a question?
 *
 * 2.1 can be asked: a session that it knows by this id and pointer is no new login. On 2.0 only
 * between RELOAD and the tick that follows in the same turn of its loop, in which no TCP login is
 * handled, and only for what is not websockets. Anything else is a login, and is verified in full:
 * a wrong answer here would be a way in without a password. */
static bool is_recheck(const struct plugin *plugin, const struct login *login)
{
    if (!login->address && login->protocol == 0)
        return true; /* restored from disk: no login looks like that */
    if (mosquitto_client_sub_count(login->client) > 0)
        return true; /* a login has no subscriptions yet, not even those that it comes back to */
    if (mosq_is_2_1())
        return mosquitto_client(login->id) == login->client;
    return plugin->reloading && plugin->ticks &&
           mosquitto_client_protocol(login->client) != mp_websockets;
}

/* The broker closes a connection that it asked about again, at a SIGHUP, and tells no reason. */
static void note_denial(struct plugin *plugin, const struct login *login)
{
    struct connection *connection = connection_of(&plugin->connections, login->client, login->id);
    if (connection)
        turn_look_at(plugin, connection, login->now);
}

/* An answer to a question that SIGHUP makes. An offline session is left alone: 2.0 may corrupt its
 * memory over a denial, and its deliveries and its next login are checked anyway. */
static int recheck(struct plugin *plugin, const struct login *login)
{
    struct cached_device *device;
    if (!login->username)
        return MOSQ_ERR_PLUGIN_DEFER;
    const struct connection *connection =
        connection_of(&plugin->connections, login->client, login->id);
    bool live =
        connection && connection->device && strcmp(connection->device_id, login->username) == 0;
    if (live) {
        if (cache_find(&plugin->cache, login->username, &device) != ERR_OK)
            return MOSQ_ERR_AUTH;
        enum ended ended = cached_device_ended(device, connection->generation,
                                               connection->credential, clock_wall());
        if (ended == ENDED_NO)
            return MOSQ_ERR_SUCCESS;
        note_denial(plugin, login);
        return MOSQ_ERR_AUTH;
    }
    if ((!login->address && login->protocol == 0) ||
        hash_set_has(&plugin->accepted, table_hash_name(login->username)))
        return MOSQ_ERR_SUCCESS;
    if (cache_find(&plugin->cache, login->username, &device) == ERR_OK && device->exists)
        return MOSQ_ERR_SUCCESS;
    return MOSQ_ERR_PLUGIN_DEFER;
}

/* Does a connection that another device made have the client id, or did it a moment ago? */
static bool client_id_is_taken(const struct plugin *plugin, const struct login *login,
                               const char *user)
{
    const char *id = login->id;
    const struct connection *c =
        connection_with_client_id(&plugin->connections, id, login->client_hash);
    for (; c; c = connection_again(c)) {
        bool has =
            c->state == CONNECTION_PENDING || c->state == CONNECTION_LIVE ||
            (c->state == CONNECTION_GONE && presence_owns(&plugin->presences, c->device_id, id));
        if (has && strcmp(c->device_id, user) != 0)
            return true;
    }
    return false;
}

/* Is there a device of that id, and generation unless that is 0? Any doubt is a yes. */
static bool device_is_there(struct plugin *plugin, const char *id, uint64_t generation)
{
    uint64_t now;
    enum err e = cache_generation(&plugin->cache, id, &now);
    if (e)
        return e != ERR_NOT_FOUND;
    return !generation || now == generation;
}

/* Does the client id belong to another device: to one that it names, or that has a session with it?
 * `username` NULL for a client without one. Any doubt is a yes. */
static enum owner client_id_owner(struct plugin *plugin, const struct login *login)
{
    char owner[DEVICE_ID_MAX + 1];
    uint64_t generation;
    const char *user = login->username ? login->username : "";
    if (client_id_is_taken(plugin, login, user))
        return OWNER_ANOTHER;
    if (strcmp(login->id, user) != 0 && device_id_valid(login->id) &&
        device_is_there(plugin, login->id, 0))
        return OWNER_ANOTHER;
    enum err e = presence_owner(&plugin->presences, login->id, login->now, owner, &generation);
    if (e)
        return e == ERR_NOT_FOUND ? OWNER_NOBODY : OWNER_ANOTHER;
    if (strcmp(owner, user) == 0)
        return OWNER_ITSELF;
    return device_is_there(plugin, owner, generation) ? OWNER_ANOTHER : OWNER_NOBODY;
}

/* Do the rules about client ids, the registry's and the plugin's, admit it? */
static bool client_id_admitted(const struct plugin *plugin, const struct login *login,
                               const struct device *device)
{
    return (!plugin->options.client_id[0] ||
            client_id_matches(plugin->options.client_id, device->id, login->id)) &&
           (!device->client_id[0] || client_id_matches(device->client_id, device->id, login->id));
}

static void describe(struct connection *connection, const struct login *login)
{
    connection->protocol = (uint8_t)login->protocol;
    connection->clean = mosquitto_client_clean_session(login->client);
    /* MQTT 5 may keep a session that begins clean, and 2.0 does not tell for how long. */
    connection->persistent = !connection->clean || login->protocol == 5;
    connection->had_session = login->owner == OWNER_ITSELF;
    connection->keepalive = (uint16_t)mosquitto_client_keepalive(login->client);
    connection->accepted_at = login->now;
    connection->peer = mosquitto_client_protocol(login->client) == mp_mqtt;
}

/* Enters the connection that `device`, just read in the open scope, was accepted for. */
static enum refusal enter(struct plugin *plugin, const struct login *login,
                          const struct device *device, uint32_t credential,
                          enum connection_state state)
{
    struct cached_device *cached;
    struct connection *connection = connection_find(&plugin->connections, login->client);
    /* A websocket of 2.0 that SIGHUP asks about looks like a login, also before it is confirmed. */
    bool known = connection && (connection->state == CONNECTION_LIVE ||
                                (connection->state == CONNECTION_PENDING && plugin->reloading));
    bool again = known && strcmp(connection->client_id, login->id) == 0 &&
                 strcmp(connection->device_id, device->id) == 0 &&
                 connection->generation == device->generation;
    if (connection && !again)
        plugin_ended(plugin, connection, REASON_UNKNOWN);
    if (cache_take(&plugin->cache, device, &cached) != ERR_OK ||
        !hash_set_add(&plugin->accepted, cached->node.hash))
        return REFUSED_FAULT;
    if (!again && state != CONNECTION_WAITING && !cache_unlimited(cached) &&
        !limits_admit(plugin, cached, login->id))
        return REFUSED_CONNECTIONS;
    if (!again) {
        bool plain = login->address && text_is_plain(login->address, PRESENCE_ADDRESS_MAX);
        const struct newcomer newcomer = {.pointer = login->client,
                                          .client_id = login->id,
                                          .client_hash = login->client_hash,
                                          .address = plain ? login->address : NULL,
                                          .device = cached,
                                          .state = state};
        connection = connection_new(&plugin->connections, &newcomer);
        if (!connection)
            return REFUSED_FAULT;
        describe(connection, login);
        connection->generation = device->generation;
    }
    connection->version = device->version;
    connection->credential = credential;
    connection->loads = 0; /* to be judged anew */
    connection_set_end(&plugin->connections, connection, cached_device_ends(cached, credential));
    return REFUSED_NOT;
}

/* The device's own conditions, apart from its credentials. */
static enum refusal device_refuses(struct plugin *plugin, const struct login *login,
                                   const struct device *device, int64_t now)
{
    if (device->state == DEVICE_REVOKED)
        return REFUSED_REVOKED;
    if (device->state != DEVICE_ENABLED)
        return REFUSED_DISABLED;
    if (device->expires && now >= device->expires)
        return REFUSED_EXPIRED;
    if (quarantines_refuse(&plugin->quarantines, device))
        return REFUSED_QUARANTINED;
    return client_id_admitted(plugin, login, device) ? REFUSED_NOT : REFUSED_CLIENT_ID;
}

/* Is another credential in use that ends this one? */
static bool is_replaced(struct plugin *plugin, const struct device *device,
                        const struct credential *credential)
{
    return credential->ended_by &&
           presence_credential_used(&plugin->presences, device->id, device->generation,
                                    credential->ended_by);
}

/* A person's password, or an imported one: known already, or on its way to the worker. */
static enum refusal password_check(struct plugin *plugin, const struct login *login,
                                   const struct device *device, bool interrupted,
                                   uint32_t *credential, bool *later)
{
    const struct credential *password = credential_password(device, login->now);
    if (!password || is_replaced(plugin, device, password))
        return REFUSED_WRONG_KEY;
    bool may_wait = mosq_is_2_1() && mosquitto_complete_basic_auth != NULL && !interrupted;
    enum password_answer answer =
        passwords_ask(&plugin->passwords, device, password, login->password,
                      may_wait ? login->id : NULL, login->client, clock_steady());
    *credential = password->id;
    *later = answer == PASSWORD_LATER && may_wait;
    if (answer == PASSWORD_RIGHT || *later)
        return REFUSED_NOT;
    return answer == PASSWORD_LATER ? REFUSED_NOT_CHECKED : REFUSED_WRONG_PASSWORD;
}

/* A device that was read in the open scope, and a password that is not NULL. The key is looked at
 * in any case, so that a refusal for another reason takes as long. */
static enum refusal device_check(struct plugin *plugin, const struct login *login,
                                 const struct device *device, bool interrupted, bool *later)
{
    int64_t now = login->now;
    const struct credential *key =
        credential_of_key(device, login->password, registry_secret(plugin->registry), now);
    if (key && is_replaced(plugin, device, key))
        key = NULL;
    uint32_t credential = key ? key->id : 0;
    enum refusal refusal = device_refuses(plugin, login, device, now);
    if (!refusal && !key)
        refusal = password_check(plugin, login, device, interrupted, &credential, later);
    if (refusal)
        return refusal;
    return enter(plugin, login, device, credential,
                 *later ? CONNECTION_WAITING : CONNECTION_PENDING);
}

/* A username with a client id that is nobody else's. */
static int login_as_device(struct plugin *plugin, const struct login *login, bool interrupted)
{
    struct device device;
    uint64_t generation = 0;
    bool later = false;
    enum refusal refusal;
    enum err e = registry_read(plugin->registry);
    if (!e)
        e = cache_catch_up(&plugin->cache);
    if (!e)
        e = registry_get_device(plugin->registry, login->username, &device);
    if (e) { /* nobody of that name, or no way to know: the work is the same */
        (void)credential_of_key(NULL, login->password ? login->password : "",
                                registry_secret(plugin->registry), 0);
        refusal = e == ERR_NOT_FOUND ? REFUSED_UNKNOWN : REFUSED_FAULT;
    } else {
        refusal = login->password ? device_check(plugin, login, &device, interrupted, &later)
                                  : REFUSED_NO_PASSWORD;
        generation = device.generation;
        device_clear(&device);
    }
    registry_end(plugin->registry);
    if (refusal == REFUSED_UNKNOWN && plugin->options.unknown == UNKNOWN_DEFER)
        return MOSQ_ERR_PLUGIN_DEFER;
    if (refusal) {
        note_refusal(plugin, login, refusal, generation);
        note_denial(plugin, login); /* 2.0 asks again about a websocket: see is_recheck */
    }
    return refusal ? MOSQ_ERR_AUTH : later ? AUTH_DELAYED : MOSQ_ERR_SUCCESS;
}

int login_check(struct plugin *plugin, const struct mosquitto_evt_basic_auth *event)
{
    struct login login = {.now = clock_wall(),
                          .client = event->client,
                          .id = mosquitto_client_id(event->client),
                          .username = event->username,
                          .password = event->password,
                          .address = mosquitto_client_address(event->client),
                          .protocol = mosquitto_client_protocol_version(event->client)};
    if (!login.id || !login.id[0])
        return MOSQ_ERR_AUTH; /* the broker gives every client an id before it asks */
    cache_sync(&plugin->cache);
    if (is_recheck(plugin, &login))
        return recheck(plugin, &login);
    bool interrupted = passwords_interrupt(&plugin->passwords, login.id);
    login.client_hash = connections_hash(&plugin->connections, login.id);
    login.owner = client_id_owner(plugin, &login);
    if (login.owner == OWNER_ANOTHER) {
        note_refusal(plugin, &login, REFUSED_FOREIGN_CLIENT_ID, 0);
        note_denial(plugin, &login); /* as in login_as_device */
        return MOSQ_ERR_AUTH;
    }
    if (!login.username)
        return MOSQ_ERR_PLUGIN_DEFER; /* left to allow_anonymous */
    return login_as_device(plugin, &login, interrupted);
}

/* Everything may have changed while the worker worked: all is asked again but the password. */
static bool still_welcome(struct plugin *plugin, const struct connection *connection)
{
    struct cached_device *device;
    const struct login login = {.now = clock_wall(),
                                .id = connection->client_id,
                                .username = connection->device_id,
                                .client_hash = connection->by_client.hash};
    if (cache_find(&plugin->cache, connection->device_id, &device) != ERR_OK)
        return false;
    return cached_device_ended(device, connection->generation, connection->credential, login.now) ==
               ENDED_NO &&
           !quarantines_hold(&plugin->quarantines, connection) &&
           client_id_owner(plugin, &login) != OWNER_ANOTHER &&
           limits_admit(plugin, device, connection->client_id);
}

void login_complete(void *context, const char *client_id, const void *pointer, bool right)
{
    struct plugin *plugin = context;
    struct connection *connection = connection_of(&plugin->connections, pointer, client_id);
    bool waits = connection && connection->state == CONNECTION_WAITING;
    bool welcome = right && waits && still_welcome(plugin, connection);
    if (welcome)
        connection_become(&plugin->connections, connection, CONNECTION_PENDING);
    else if (waits)
        connection_free(&plugin->connections, connection);
    mosquitto_complete_basic_auth(client_id, welcome ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH);
    /* CONNECT has come by now, unless the client had gone, of which 2.1 says nothing. */
    connection = connection_of(&plugin->connections, pointer, client_id);
    if (welcome && connection && connection->state == CONNECTION_PENDING)
        connection_free(&plugin->connections, connection);
}
