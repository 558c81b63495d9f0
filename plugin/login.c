#include "plugin/login.h"

#include <string.h>

#include "plugin/turn.h"
#include "registry/key.h"
#include "registry/text.h"

/* Whose is a client id? OWNER_UNKNOWN where what says it cannot be read in the registry,
 * OWNER_UNRECORDED where it cannot in the presence store. */
enum owner { OWNER_NOBODY, OWNER_ITSELF, OWNER_ANOTHER, OWNER_UNKNOWN, OWNER_UNRECORDED };

/* Who knocks, as the broker tells it. */
struct login {
    const struct mosquitto *client;
    const char *id, *username, *address;
    const char *password; /* "" for none: no device has that one */
    int protocol;         /* of MQTT; 0 for a session that was restored from disk */
    int64_t now;          /* ms since 1970 */
    uint64_t client_hash; /* of the client id; and who owns it */
    enum owner owner;
    bool doubt;      /* it could not be read whether what it proves itself with has been replaced */
    bool interrupts; /* another connection waits under this client id */
    bool held;       /* it failed too often: a key is looked at all the same, and what is cheap */
    bool guesser_known;
    struct guesser *guesser; /* what failures are counted against: see guesser_of_login */
};

/* What becomes of it. */
struct outcome {
    enum refusal refusal;
    enum password_answer answer; /* to what it proves itself with, a key or a password */
    bool waits;                  /* for the worker, whatever that finds */
    uint32_t credential;
};

/* Was the device of that name accepted from this network last, as far as it is known? */
static bool is_home(struct plugin *plugin, const char *name, const struct network *network)
{
    struct network other;
    char address[PRESENCE_ADDRESS_MAX + 1];
    const struct cached_device *device = cache_peek(&plugin->cache, name);
    for (const struct connection *c = device ? device->connections : NULL; c; c = c->next) {
        bool in = c->state == CONNECTION_LIVE || c->state == CONNECTION_PENDING;
        if (in && c->peer && network_parse(&other, c->address) && network_same(&other, network))
            return true;
    }
    return presence_address(&plugin->presences, name, address) && network_parse(&other, address) &&
           network_same(&other, network);
}

/* Not found out before it is needed: who never fails pays nothing for it. */
static const struct guesser *guesser_of_login(struct plugin *plugin, struct login *login)
{
    struct guesser *guesser = login->guesser;
    struct network network;
    if (login->guesser_known)
        return guesser;
    login->guesser_known = true;
    *guesser = (struct guesser){0};
    if (!network_of(&network, login->client, login->address))
        return guesser;
    *guesser = guesser_of(&plugin->guesses, login->username ? login->username : "", &network);
    guesser->home = login->username && (guesses_at_home(&plugin->guesses, guesser) ||
                                        is_home(plugin, login->username, &network));
    return guesser;
}

static void note_refusal(struct plugin *plugin, struct login *login, enum refusal refusal)
{
    const struct refused refused = {.username = login->username,
                                    .client_id = login->id,
                                    .address = login->address,
                                    .network = guesser_of_login(plugin, login)->network,
                                    .refusal = refusal,
                                    .now = login->now};
    refusals_note(plugin, &refused);
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

/* Who has what the device of that id, and generation unless that is 0, would have? */
static enum owner owner_if_there(struct plugin *plugin, const char *id, uint64_t generation)
{
    uint64_t now;
    enum err e = cache_generation(&plugin->cache, id, &now);
    if (e)
        return e == ERR_NOT_FOUND ? OWNER_NOBODY : OWNER_UNKNOWN;
    return !generation || now == generation ? OWNER_ANOTHER : OWNER_NOBODY;
}

/* Does the client id belong to another device: to one that it names, or that has a session with it?
 * `username` NULL for a client without one. */
static enum owner client_id_owner(struct plugin *plugin, const struct login *login)
{
    char owner[DEVICE_ID_MAX + 1];
    uint64_t generation;
    const char *user = login->username ? login->username : "";
    if (client_id_is_taken(plugin, login, user))
        return OWNER_ANOTHER;
    if (strcmp(login->id, user) != 0 && device_id_valid(login->id)) {
        enum owner named = owner_if_there(plugin, login->id, 0);
        if (named != OWNER_NOBODY)
            return named;
    }
    enum err e = presence_owner(&plugin->presences, login->id, login->now, owner, &generation);
    if (e)
        return e == ERR_NOT_FOUND ? OWNER_NOBODY : OWNER_UNRECORDED;
    return strcmp(owner, user) == 0 ? OWNER_ITSELF : owner_if_there(plugin, owner, generation);
}

static enum refusal refusal_of_owner(enum owner owner)
{
    return owner == OWNER_ANOTHER      ? REFUSED_FOREIGN_CLIENT_ID
           : owner == OWNER_UNKNOWN    ? REFUSED_FAULT
           : owner == OWNER_UNRECORDED ? REFUSED_PRESENCE_FAULT
                                       : REFUSED_NOT;
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
    if (!again && state != CONNECTION_WAITING && !cache_unlimited(cached)) {
        enum refusal refusal = limits_refuse(plugin, cached, login->id);
        if (refusal)
            return refusal;
    }
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
    if (login->owner == OWNER_ANOTHER)
        return REFUSED_FOREIGN_CLIENT_ID;
    return client_id_admitted(plugin, login, device) ? REFUSED_NOT : REFUSED_CLIENT_ID;
}

/* Is another credential in use that ends this one? In doubt it is. */
static bool is_replaced(struct plugin *plugin, struct login *login, const struct device *device,
                        const struct credential *credential)
{
    if (!credential->ended_by)
        return false;
    enum err e = presence_credential_used(&plugin->presences, device->id, device->generation,
                                          credential->ended_by);
    login->doubt |= e && e != ERR_NOT_FOUND;
    return e != ERR_NOT_FOUND;
}

/* For the worker's answer, under its client id: 2.1 alone can. */
static bool may_wait(const struct plugin *plugin, const struct login *login)
{
    return mosq_is_2_1() && mosquitto_complete_basic_auth != NULL && !login->interrupts &&
           login->owner != OWNER_ANOTHER &&
           passwords_may_wait(&plugin->passwords, login->client_hash, clock_steady());
}

/* What is not the device's key, of a device of that generation, 0 for none. `password` is its live
 * one; NULL for none, which takes the same way. A wrong key is answered at once. */
static void password_check(struct plugin *plugin, struct login *login, uint64_t generation,
                           const struct credential *password, struct outcome *outcome)
{
    bool key = key_well_formed(login->password);
    bool waits = !key && may_wait(plugin, login);
    const struct password_question question = {.name = login->username,
                                               .generation = generation,
                                               .credential = password,
                                               .password = login->password,
                                               .client_id = waits ? login->id : NULL,
                                               .pointer = login->client,
                                               .asker = *guesser_of_login(plugin, login)};
    if (!login->password[0] || (key && (!password || login->held)))
        outcome->answer = PASSWORD_WRONG;
    else if (login->held && guesses_look(&plugin->guesses, &question.asker, clock_steady()))
        outcome->answer = passwords_recall(&plugin->passwords, &question);
    else if (!login->held && !guesses_flooded(&plugin->guesses, &question.asker, clock_steady()))
        outcome->answer = passwords_ask(&plugin->passwords, &question, clock_steady());
    outcome->waits = outcome->answer == PASSWORD_LATER && waits;
    if (outcome->waits)
        passwords_waited(&plugin->passwords, login->client_hash, clock_steady());
    outcome->credential = password ? password->id : 0;
}

static enum refusal refusal_of_password(const struct outcome *outcome)
{
    switch (outcome->answer) {
    case PASSWORD_RIGHT:
        return REFUSED_NOT;
    case PASSWORD_LATER:
        return outcome->waits ? REFUSED_NOT : REFUSED_NOT_CHECKED;
    case PASSWORD_UNSEEN:
        return REFUSED_UNSEEN;
    case PASSWORD_WRONG:
        break;
    }
    return REFUSED_WRONG_PASSWORD;
}

static enum refusal refusal_of_nobody(const struct login *login)
{
    return login->owner == OWNER_ANOTHER ? REFUSED_FOREIGN_CLIENT_ID : REFUSED_UNKNOWN;
}

static void nobody_check(struct plugin *plugin, struct login *login, struct outcome *outcome)
{
    password_check(plugin, login, 0, NULL, outcome);
    outcome->refusal = refusal_of_nobody(login);
}

/* A device that was read in the open scope; `nobody`: in the place of one that is none. What it
 * proves itself with is looked at in any case, so that a refusal for another reason takes as long.
 */
static void device_check(struct plugin *plugin, struct login *login, const struct device *device,
                         bool nobody, struct outcome *outcome)
{
    const struct credential *key =
        credential_of_key(device, login->password, registry_secret(plugin->registry), login->now);
    if (nobody) {
        nobody_check(plugin, login, outcome);
        return;
    }
    outcome->refusal = device_refuses(plugin, login, device, login->now);
    if (key && !is_replaced(plugin, login, device, key)) {
        outcome->answer = PASSWORD_RIGHT;
        outcome->credential = key->id;
        return;
    }
    const struct credential *password = credential_password(device, login->now);
    if (password && is_replaced(plugin, login, device, password))
        password = NULL;
    if (login->doubt) { /* no guess: it may be right */
        outcome->refusal = REFUSED_PRESENCE_FAULT;
        return;
    }
    password_check(plugin, login, device->generation, password, outcome);
    if (!outcome->refusal)
        outcome->refusal = password ? refusal_of_password(outcome) : REFUSED_WRONG_KEY;
}

/* Where there is no device of that name, another one is read and compared, so that it takes as
 * long: the next in order. */
static enum err read_stand_in(struct plugin *plugin, const struct login *login,
                              struct device *device)
{
    const char *after = device_id_valid(login->username) ? login->username : "";
    enum err e = registry_next_device(plugin->registry, after, device);
    return e == ERR_NOT_FOUND ? registry_next_device(plugin->registry, "", device) : e;
}

/* Reads the device, checks it all, and enters the connection of one that may come in. */
static void check_all(struct plugin *plugin, struct login *login, struct outcome *outcome)
{
    struct device device;
    enum err e = registry_read(plugin->registry);
    if (!e)
        e = cache_catch_up(&plugin->cache);
    if (!e)
        e = registry_get_device(plugin->registry, login->username, &device);
    bool nobody = e == ERR_NOT_FOUND && plugin->options.unknown == UNKNOWN_DENY;
    if (nobody)
        e = read_stand_in(plugin, login, &device);
    if (!e) {
        device_check(plugin, login, &device, nobody, outcome);
        if (!outcome->refusal)
            outcome->refusal = enter(plugin, login, &device, outcome->credential,
                                     outcome->waits ? CONNECTION_WAITING : CONNECTION_PENDING);
        device_clear(&device);
    } else if (nobody && e == ERR_NOT_FOUND) { /* a registry without devices */
        nobody_check(plugin, login, outcome);
    } else {
        outcome->refusal = e == ERR_NOT_FOUND ? refusal_of_nobody(login) : REFUSED_FAULT;
    }
    registry_end(plugin->registry);
}

static int login_as_device(struct plugin *plugin, struct login *login)
{
    struct outcome outcome = {.answer = PASSWORD_UNSEEN};
    check_all(plugin, login, &outcome);
    enum refusal refusal = outcome.refusal;
    if (!refusal) {
        if (login->guesser_known && !outcome.waits)
            guesses_forgive(&plugin->guesses, login->guesser);
        return outcome.waits ? AUTH_DELAYED : MOSQ_ERR_SUCCESS;
    }
    if (refusal == REFUSED_UNKNOWN && plugin->options.unknown == UNKNOWN_DEFER)
        return MOSQ_ERR_PLUGIN_DEFER;
    bool right = outcome.answer == PASSWORD_RIGHT || refusal >= REFUSED_FAULT;
    if (login->held && !right)
        refusal = REFUSED_GUESSING;
    else if (outcome.answer == PASSWORD_WRONG && refusal < REFUSED_FAULT)
        guesses_count(&plugin->guesses, guesser_of_login(plugin, login), clock_steady());
    if (refusal == REFUSED_WRONG_KEY && !login->password[0])
        refusal = REFUSED_NO_PASSWORD;
    note_refusal(plugin, login, refusal);
    note_denial(plugin, login); /* 2.0 asks again about a websocket: see is_recheck */
    return outcome.waits ? AUTH_DELAYED : MOSQ_ERR_AUTH;
}

/* It failed too often from this network, which is not its home, and this is no key, which nobody
 * guesses: nothing is looked at. */
static bool is_refused_unseen(struct plugin *plugin, struct login *login)
{
    const struct guesser *guesser = guesser_of_login(plugin, login);
    login->held = guesses_refuse(&plugin->guesses, guesser, clock_steady());
    if (!login->held || guesser->home || key_well_formed(login->password))
        return false;
    note_refusal(plugin, login, REFUSED_GUESSING);
    note_denial(plugin, login);
    return true;
}

static int refuse_anyway(struct plugin *plugin, struct login *login, enum refusal refusal)
{
    note_refusal(plugin, login, refusal);
    note_denial(plugin, login); /* as in login_as_device */
    return MOSQ_ERR_AUTH;
}

static int login_decide(struct plugin *plugin, struct login *login)
{
    login->interrupts = passwords_interrupt(&plugin->passwords, login->id);
    login->client_hash = connections_hash(&plugin->connections, login->id);
    login->owner = client_id_owner(plugin, login);
    if (login->owner >= OWNER_UNKNOWN) /* whatever it proves itself with */
        return refuse_anyway(plugin, login, refusal_of_owner(login->owner));
    if (login->username) {
        if (guesses_may_concern(&plugin->guesses, login->username) &&
            is_refused_unseen(plugin, login))
            return MOSQ_ERR_AUTH;
        return login_as_device(plugin, login);
    }
    if (login->owner != OWNER_ANOTHER)
        return MOSQ_ERR_PLUGIN_DEFER; /* left to allow_anonymous */
    return refuse_anyway(plugin, login, REFUSED_FOREIGN_CLIENT_ID);
}

int login_check(struct plugin *plugin, const struct mosquitto_evt_basic_auth *event)
{
    struct guesser guesser;
    struct login login = {.now = clock_wall(), /* all of it, which is cheaper than some */
                          .client = event->client,
                          .id = mosquitto_client_id(event->client),
                          .username = event->username,
                          .password = event->password ? event->password : "",
                          .address = mosquitto_client_address(event->client),
                          .protocol = mosquitto_client_protocol_version(event->client),
                          .client_hash = 0,
                          .owner = OWNER_NOBODY,
                          .doubt = false,
                          .interrupts = false,
                          .held = false,
                          .guesser_known = false,
                          .guesser = &guesser};
    if (!login.id || !login.id[0])
        return MOSQ_ERR_AUTH; /* the broker gives every client an id before it asks */
    cache_sync(&plugin->cache);
    if (is_recheck(plugin, &login))
        return recheck(plugin, &login);
    store_be_quick(registry_store(plugin->registry), true); /* cache_sync has just looked */
    int answer = login_decide(plugin, &login);
    store_be_quick(registry_store(plugin->registry), false);
    return answer;
}

static enum refusal refusal_of_ended(enum ended ended)
{
    static const enum refusal refusals[] = {[ENDED_NO] = REFUSED_NOT,
                                            [ENDED_REMOVED] = REFUSED_UNKNOWN,
                                            [ENDED_DISABLED] = REFUSED_DISABLED,
                                            [ENDED_REVOKED] = REFUSED_REVOKED,
                                            [ENDED_EXPIRED] = REFUSED_EXPIRED};
    return refusals[ended];
}

/* Everything may have changed while the worker worked: all is asked again but the password. */
static enum refusal refused_by_now(struct plugin *plugin, const struct connection *connection)
{
    struct cached_device *device;
    const struct login login = {.now = clock_wall(),
                                .id = connection->client_id,
                                .username = connection->device_id,
                                .client_hash = connection->by_client.hash};
    if (cache_find(&plugin->cache, connection->device_id, &device) != ERR_OK)
        return REFUSED_FAULT;
    enum ended ended =
        cached_device_ended(device, connection->generation, connection->credential, login.now);
    if (ended != ENDED_NO)
        return refusal_of_ended(ended);
    if (quarantines_hold(&plugin->quarantines, connection))
        return REFUSED_QUARANTINED;
    enum refusal refusal = refusal_of_owner(client_id_owner(plugin, &login));
    return refusal ? refusal : limits_refuse(plugin, device, connection->client_id);
}

/* The connection waited, in vain. */
static void note_late_refusal(struct plugin *plugin, const struct connection *connection,
                              const struct guesser *asker, enum refusal refusal)
{
    const struct refused refused = {.username = connection->device_id,
                                    .client_id = connection->client_id,
                                    .address = connection->address,
                                    .network = asker->network,
                                    .refusal = refusal,
                                    .now = clock_wall()};
    refusals_note(plugin, &refused);
}

void login_complete(void *context, const struct password_found *found)
{
    struct plugin *plugin = context;
    if (!found->right)
        guesses_count(&plugin->guesses, &found->asker, clock_steady());
    if (!found->client_id)
        return;
    struct connection *connection =
        connection_of(&plugin->connections, found->pointer, found->client_id);
    bool waits = connection && connection->state == CONNECTION_WAITING;
    enum refusal refusal = !found->right ? REFUSED_WRONG_PASSWORD : REFUSED_NOT;
    if (waits && !refusal && !found->refuse)
        refusal = refused_by_now(plugin, connection);
    if (waits && refusal)
        note_late_refusal(plugin, connection, &found->asker, refusal);
    bool welcome = waits && !refusal && !found->refuse;
    if (welcome) {
        guesses_forgive(&plugin->guesses, &found->asker);
        connection_become(&plugin->connections, connection, CONNECTION_PENDING);
    } else if (waits) {
        connection_free(&plugin->connections, connection);
    }
    mosquitto_complete_basic_auth(found->client_id, welcome ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH);
    /* CONNECT has come by now, unless the client had gone, of which 2.1 says nothing. */
    connection = connection_of(&plugin->connections, found->pointer, found->client_id);
    if (welcome && connection && connection->state == CONNECTION_PENDING)
        connection_free(&plugin->connections, connection);
}
