#include "plugin/acl.h"

#include <string.h>

#include "plugin/stranger.h"
#include "registry/text.h"

struct request {
    const struct mosquitto_evt_acl_check *event;
    const struct mosquitto *client;
    const char *id, *username, *topic;
    int access;
    struct connection *connection; /* known by that pointer and client id; or NULL */
};

/* Is or was there a connection? No for a session from disk, and for a stand-in. */
static bool on_wire(const struct request *request)
{
    return mosquitto_client_protocol_version(request->client) != 0;
}

static enum question question_of(int access)
{
    return access == MOSQ_ACL_WRITE       ? QUESTION_PUBLISH
           : access == MOSQ_ACL_SUBSCRIBE ? QUESTION_SUBSCRIBE
                                          : QUESTION_DELIVER;
}

/* The device, or a role of its, was read again since. */
static void judge_anew(struct plugin *plugin, struct connection *connection,
                       const struct cached_device *device)
{
    enum ended ended =
        cached_device_ended(device, connection->generation, connection->credential, clock_wall());
    connection->ended = ended != ENDED_NO;
    connection_set_end(&plugin->connections, connection,
                       cached_device_ends(device, connection->credential));
    connection->loads = device->loads;
}

/* Has what the connection was let in with ended? */
static bool has_ended(struct plugin *plugin, struct connection *connection,
                      const struct cached_device *device)
{
    if (connection->loads != device->loads)
        judge_anew(plugin, connection, device);
    return connection->ended || (connection->ends && clock_wall() >= connection->ends);
}

/* The connection is there: may it act? */
static bool live_acts(struct plugin *plugin, const struct request *request,
                      struct connection *connection, const struct cached_device *device)
{
    if (connection->kicked || connection->state == CONNECTION_WAITING ||
        has_ended(plugin, connection, device))
        return false;
    if (connection->state == CONNECTION_PENDING &&
        quarantines_hold(&plugin->quarantines, connection))
        return false; /* the take-over that was one too many: it is closed once it is in */
    if (connection->state == CONNECTION_PENDING && request->access != MOSQ_ACL_READ)
        plugin_confirm(plugin, connection);
    return true;
}

/* The connection has ended: a delivery goes to its session, a publish is its will, which is one,
 * and which none has whose credential has ended meanwhile. */
static bool gone_acts(const struct request *request, struct connection *connection,
                      const struct cached_device *device)
{
    bool will = connection->will_possible && request->access == MOSQ_ACL_WRITE;
    if (request->access == MOSQ_ACL_READ)
        return true;
    connection->will_possible = false;
    return will && cached_device_ended(device, connection->generation, connection->credential,
                                       clock_wall()) == ENDED_NO;
}

/* May this pointer act for the device at all? The rules come later, for whoever it is.
 *
 * A session from disk and the stand-in for the publisher of a retained message were never on the
 * wire. Whoever was came through a login that we know; anybody else has a username that no login
 * proved. */
static bool acts_for(struct plugin *plugin, const struct request *request,
                     const struct cached_device *device)
{
    struct connection *connection = request->connection;
    if (connection && connection->device == device)
        return connection->generation == device->generation &&
               live_acts(plugin, request, connection, device);
    if (!on_wire(request))
        return true;
    if (!connection || strcmp(connection->device_id, device->id) != 0) {
        stranger_asks(plugin, request->client, request->id, request->username, request->access);
        return false;
    }
    return connection->generation == device->generation && !connection->device &&
           gone_acts(request, connection, device);
}

/* While we kick it, the broker asks whether its session may keep its subscriptions. It may, if it
 * can come back: then only the rules count. */
static bool keeps_subscriptions(const struct plugin *plugin, const struct request *request,
                                const struct cached_device *device)
{
    if (request->access != MOSQ_ACL_SUBSCRIBE || strcmp(plugin->kicking, request->id) != 0)
        return false;
    const struct connection *connection = request->connection;
    return connection && connection->generation == device->generation &&
           device->access.state != DEVICE_REVOKED;
}

static void remember(const struct request *request, const struct cached_device *device,
                     bool allowed)
{
    struct connection *connection = request->connection;
    if (!connection || connection->device != device || connection->ends || device->access.expires)
        return;
    struct last_answer *last = &connection->last;
    bool fits = text_copy(last->topic, ANSWER_TOPIC_MAX, request->topic);
    last->access = fits ? (uint8_t)request->access : 0;
    last->allowed = allowed;
}

/* Does the connection ask again what it asked last, and does the answer still hold? */
static bool is_repeated(const struct plugin *plugin, const struct connection *connection,
                        const struct request *request)
{
    return connection->last.access == request->access && connection->device &&
           cache_is_current(&plugin->cache, connection->device) &&
           connection->loads == connection->device->loads &&
           strcmp(connection->last.topic, request->topic) == 0 &&
           strcmp(connection->client_id, request->id) == 0 &&
           strcmp(connection->device_id, request->username) == 0;
}

static bool decide(const struct access *access, const struct request *request)
{
    int64_t now = access->expires ? clock_wall() : 0;
    return access_decide(access, request->id, question_of(request->access), request->topic, now)
               .verdict == VERDICT_ALLOW;
}

/* The rules alone, for a session that can come back. */
static bool may_keep(const struct request *request, const struct cached_device *device)
{
    struct access access = device->access;
    access.state = DEVICE_ENABLED;
    access.expires = 0;
    return decide(&access, request);
}

/* It is its own doing, not somebody else's message. */
static bool note_denied(struct plugin *plugin, const struct request *request)
{
    const struct connection *connection = request->connection;
    bool acts = connection && connection->state == CONNECTION_LIVE && !connection->kicked &&
                request->access != MOSQ_ACL_READ && !plugin->kicking;
    if (!acts)
        return false;
    const int64_t now = clock_wall();
    presence_denied(&plugin->presences, connection, now);
    event_denied(&plugin->events, connection, request->access == MOSQ_ACL_WRITE, request->topic,
                 now);
    errors_note(&plugin->errors, connection->device_id,
                request->access == MOSQ_ACL_WRITE ? ERROR_PUBLISH_DENIED : ERROR_SUBSCRIBE_DENIED,
                request->topic, request->id, now);
    return false;
}

/* The rules allow it: do the device's limits? */
static __attribute__((noinline)) bool within_limits(struct plugin *plugin,
                                                    const struct request *request,
                                                    const struct cached_device *device)
{
    return limits_pass(plugin, device, request->connection, request->event);
}

static bool device_may(struct plugin *plugin, const struct request *request,
                       const struct cached_device *device)
{
    if (request->access == MOSQ_ACL_UNSUBSCRIBE)
        return true;
    if (plugin->kicking && keeps_subscriptions(plugin, request, device))
        return may_keep(request, device);
    if (!acts_for(plugin, request, device))
        return note_denied(plugin, request);
    bool allowed = decide(&device->access, request);
    remember(request, device, allowed);
    if (!allowed)
        return note_denied(plugin, request);
    /* Without a connection it is the broker that asks of its own accord. */
    return !device->limiter || !request->connection || within_limits(plugin, request, device);
}

/* A client without a username, whom allow_anonymous let in. */
static int check_anonymous(struct plugin *plugin, const struct request *request)
{
    const struct policy *policy;
    if (request->access == MOSQ_ACL_UNSUBSCRIBE)
        return MOSQ_ERR_SUCCESS;
    if (!plugin->options.anonymous_role[0] ||
        cache_role(&plugin->cache, plugin->options.anonymous_role, &policy) != ERR_OK)
        return MOSQ_ERR_ACL_DENIED;
    const struct access access = {.state = DEVICE_ENABLED,
                                  .subject = {.device = ""},
                                  .policy_count = 1,
                                  .policies = &policy,
                                  .presence_topic = plugin->cache.presence_topic};
    return decide(&access, request) ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED;
}

/* A username that is no device now. */
static int check_stranger(const struct plugin *plugin, const struct request *request)
{
    if (request->access == MOSQ_ACL_WRITE &&
        topic_reserved(request->topic, plugin->cache.presence_topic))
        return MOSQ_ERR_ACL_DENIED;
    if (plugin->options.unknown == UNKNOWN_DENY ||
        hash_set_has(&plugin->accepted, table_hash_name(request->username)))
        return MOSQ_ERR_ACL_DENIED;
    return MOSQ_ERR_PLUGIN_DEFER;
}

/* The device of that username as of now. A connection that was let in with it knows it already. */
static enum err device_of(struct plugin *plugin, const struct request *request,
                          struct cached_device **device)
{
    const struct connection *connection = request->connection;
    if (!connection || !connection->device ||
        strcmp(connection->device->id, request->username) != 0)
        return cache_find(&plugin->cache, request->username, device);
    *device = connection->device;
    return cache_renew(&plugin->cache, connection->device);
}

static int check_username(struct plugin *plugin, const struct request *request)
{
    struct cached_device *device;
    enum err e = device_of(plugin, request, &device);
    if (e && e != ERR_INVALID)
        return MOSQ_ERR_ACL_DENIED;
    if (e || !device->exists)
        return check_stranger(plugin, request);
    return device_may(plugin, request, device) ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED;
}

/* What the broker itself published and kept, in an earlier run: no client has an empty id. */
static bool is_the_brokers_own(const struct request *request)
{
    return !request->id[0] && !on_wire(request) && request->access == MOSQ_ACL_WRITE;
}

/* Apart from acl_check, so that a repeated question does not pay for it. */
static __attribute__((noinline)) int check_anew(struct plugin *plugin, struct request *request)
{
    if (request->connection && strcmp(request->connection->client_id, request->id) != 0)
        request->connection = NULL;
    if (request->username)
        return check_username(plugin, request);
    return is_the_brokers_own(request) ? MOSQ_ERR_SUCCESS : check_anonymous(plugin, request);
}

int acl_check(struct plugin *plugin, const struct mosquitto_evt_acl_check *event)
{
    struct request request = {
        .event = event,
        .client = event->client,
        .id = mosquitto_client_id(event->client),
        .username = mosquitto_client_username(event->client),
        .topic = event->topic,
        .access = event->access,
        .connection = connection_find(&plugin->connections, event->client),
    };
    const struct connection *connection = request.connection;
    if (!request.id || !request.topic)
        return MOSQ_ERR_ACL_DENIED;
    if (connection && request.username && is_repeated(plugin, connection, &request)) {
        const struct cached_device *device = connection->device;
        if (connection->last.allowed && !device->limiter)
            return MOSQ_ERR_SUCCESS;
        if (connection->last.allowed)
            return within_limits(plugin, &request, device) ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED;
        (void)note_denied(plugin, &request);
        return MOSQ_ERR_ACL_DENIED;
    }
    return check_anew(plugin, &request);
}
