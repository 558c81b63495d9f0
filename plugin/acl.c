#include "plugin/acl.h"

#include <string.h>

#include "plugin/stranger.h"

struct request {
    const struct mosquitto *client;
    const char *id, *username, *topic;
    int access;
    bool on_wire; /* there is or was a connection: no session from disk, no stand-in */
};

static enum question question_of(int access)
{
    return access == MOSQ_ACL_WRITE       ? QUESTION_PUBLISH
           : access == MOSQ_ACL_SUBSCRIBE ? QUESTION_SUBSCRIBE
                                          : QUESTION_DELIVER;
}

static int to_mosq(struct decision decision)
{
    return decision.verdict == VERDICT_ALLOW ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED;
}

static const char *presence_filter(const struct plugin *plugin)
{
    return plugin->options.presence ? plugin->options.presence_filter : NULL;
}

/* Has what the connection was let in with ended? Asked once for each time that the device is read.
 */
static bool has_ended(struct connection *connection, const struct cached_device *device)
{
    if (connection->loads != device->loads) {
        enum ended ended = cached_device_ended(device, connection->generation,
                                               connection->credential, clock_wall());
        connection->ended = ended != ENDED_NO;
        connection->loads = device->loads;
    }
    return connection->ended || (connection->ends && clock_wall() >= connection->ends);
}

/* The connection is there: may it act? */
static bool live_acts(struct plugin *plugin, const struct request *request,
                      struct connection *connection, const struct cached_device *device)
{
    if (connection->kicked || connection->state == CONNECTION_WAITING ||
        has_ended(connection, device))
        return false;
    if (connection->state == CONNECTION_PENDING && request->access != MOSQ_ACL_READ)
        plugin_confirm(plugin, connection);
    return true;
}

/* The connection has ended: a delivery goes to its session, a publish is its will, which is one. */
static bool gone_acts(const struct request *request, struct connection *connection)
{
    bool will = connection->will_possible && request->access == MOSQ_ACL_WRITE;
    if (request->access == MOSQ_ACL_READ)
        return true;
    connection->will_possible = false;
    return will;
}

/* May this pointer act for the device at all? The rules come later, for whoever it is.
 *
 * A session from disk and the stand-in for the publisher of a retained message were never on the
 * wire. Whoever was came through a login that we know; anybody else has a username that no login
 * proved. */
static bool acts_for(struct plugin *plugin, const struct request *request,
                     const struct cached_device *device)
{
    struct connection *connection =
        connection_of(&plugin->connections, request->client, request->id);
    if (!request->on_wire)
        return true;
    if (!connection || strcmp(connection->device_id, device->id) != 0) {
        stranger_asks(plugin, request->client, request->id, request->username, request->access);
        return false;
    }
    if (connection->generation != device->generation)
        return false;
    if (connection->device)
        return live_acts(plugin, request, connection, device);
    return gone_acts(request, connection);
}

/* While we kick it, the broker asks whether its session may keep its subscriptions. It may, if it
 * can come back: then only the rules count. */
static bool keeps_subscriptions(const struct plugin *plugin, const struct request *request,
                                const struct cached_device *device)
{
    if (!plugin->kicking || request->access != MOSQ_ACL_SUBSCRIBE ||
        strcmp(plugin->kicking, request->id) != 0)
        return false;
    const struct connection *connection =
        connection_of(&plugin->connections, request->client, request->id);
    return connection && connection->generation == device->generation &&
           device->state != DEVICE_REVOKED;
}

static int check_device(struct plugin *plugin, const struct request *request,
                        const struct cached_device *device)
{
    if (request->access == MOSQ_ACL_UNSUBSCRIBE)
        return MOSQ_ERR_SUCCESS;
    bool keeps = keeps_subscriptions(plugin, request, device);
    if (!keeps && !acts_for(plugin, request, device))
        return MOSQ_ERR_ACL_DENIED;
    const struct access access = {.state = keeps ? DEVICE_ENABLED : device->state,
                                  .expires = keeps ? 0 : device->expires,
                                  .subject = {.device = device->id,
                                              .client_id = request->id,
                                              .attributes = device->attributes,
                                              .attribute_count = device->attribute_count},
                                  .policy_count = 1 + device->role_count,
                                  .policies = device->policies,
                                  .presence_topic = presence_filter(plugin)};
    int64_t now = access.expires ? clock_wall() : 0;
    return to_mosq(access_decide(&access, question_of(request->access), request->topic, now));
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
                                  .subject = {.device = "", .client_id = request->id},
                                  .policy_count = 1,
                                  .policies = &policy,
                                  .presence_topic = presence_filter(plugin)};
    return to_mosq(access_decide(&access, question_of(request->access), request->topic, 0));
}

/* A username that is no device now. */
static int check_stranger(const struct plugin *plugin, const struct request *request)
{
    if (request->access == MOSQ_ACL_WRITE &&
        topic_reserved(request->topic, presence_filter(plugin)))
        return MOSQ_ERR_ACL_DENIED;
    if (plugin->options.unknown == UNKNOWN_DENY || names_has(&plugin->accepted, request->username))
        return MOSQ_ERR_ACL_DENIED;
    return MOSQ_ERR_PLUGIN_DEFER;
}

int acl_check(struct plugin *plugin, const struct mosquitto_evt_acl_check *event)
{
    struct cached_device *device;
    const struct request request = {
        .client = event->client,
        .id = mosquitto_client_id(event->client),
        .username = mosquitto_client_username(event->client),
        .topic = event->topic,
        .access = event->access,
        .on_wire = mosquitto_client_protocol_version(event->client) != 0,
    };
    if (!request.id || !request.topic)
        return MOSQ_ERR_ACL_DENIED;
    /* What the broker itself published and kept, in an earlier run: no client has an empty id. */
    if (!request.username && !request.id[0] && !request.on_wire && event->access == MOSQ_ACL_WRITE)
        return MOSQ_ERR_SUCCESS;
    if (!request.username)
        return check_anonymous(plugin, &request);
    if (!device_id_valid(request.username))
        return check_stranger(plugin, &request);
    if (cache_find(&plugin->cache, request.username, &device) != ERR_OK)
        return MOSQ_ERR_ACL_DENIED;
    return device->exists ? check_device(plugin, &request, device)
                          : check_stranger(plugin, &request);
}
