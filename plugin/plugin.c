#include "plugin/plugin.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/acl.h"
#include "plugin/login.h"
#include "plugin/stranger.h"
#include "plugin/turn.h"
#include "registry/fit.h"
#include "registry/key.h"
#include "registry/lost_pages.h"
#include "registry/text.h"

#define EXPORT __attribute__((visibility("default")))

/* For `devreg check`, which looks for it in the file. */
static const char fit_mark[] __attribute__((used)) = FIT_MARK DEVREG_VERSION "\n";

/* The only global: the broker loads the plugin once or several times, and gives no place that these
 * share. */
static struct plugin *the_plugin;

/* A live connection with the same client id was taken over: on websockets 2.0 says so only later.
 */
static void end_taken_over(struct plugin *plugin, const struct connection *by)
{
    struct connection *c = connection_with_client_id(&plugin->connections, by->client_id,
                                                     by->by_client.hash),
                      *next;
    for (; c; c = next) {
        next = connection_again(c);
        if (c != by && c->state == CONNECTION_LIVE)
            plugin_ended(plugin, c, REASON_SESSION_TAKEN_OVER);
    }
}

/* The first use of a new key may end an old one (`devreg rotate --until-used`). */
static void end_replaced(struct plugin *plugin, const struct connection *by)
{
    for (struct connection *c = by->device->connections; c; c = c->next) {
        if ((c->state == CONNECTION_LIVE || c->state == CONNECTION_PENDING) &&
            cached_device_ended_by(by->device, c->credential, by->credential))
            connection_kick(&plugin->connections, c, REASON_EXPIRED);
    }
}

/* The one that takes its client id over, which the broker told us of before; NULL for none. */
static const struct connection *taker_of(const struct plugin *plugin, const struct connection *gone)
{
    const struct connection *c =
        connection_with_client_id(&plugin->connections, gone->client_id, gone->by_client.hash);
    while (c && (c->state != CONNECTION_PENDING || strcmp(c->device_id, gone->device_id) != 0 ||
                 c->generation != gone->generation))
        c = connection_again(c);
    return c;
}

static void say_duplicate(struct plugin *plugin, const struct connection *gone,
                          const struct connection *by, bool refused)
{
    char client[48];
    key_hide(text_escape(client, sizeof client, by->client_id));
    journal_add(&plugin->journal, MOSQ_LOG_WARNING,
                "duplicate_use device=%s addresses=%s,%s client=%s: they take the connection from "
                "each other%s; 'devreg rotate %s --grace 0' gives it a new key",
                by->device_id, by->address, gone->address, client,
                refused ? ", and it is refused from now on" : "", by->device_id);
    event_duplicate_use(&plugin->events, by, gone->address, refused, clock_wall());
}

/* Closes what the device has. Those that are not in yet are closed when they are. */
static void close_all(struct plugin *plugin, const struct cached_device *device)
{
    for (struct connection *c = device->connections; c; c = c->next) {
        if (c->state == CONNECTION_LIVE)
            connection_kick(&plugin->connections, c, REASON_KICKED);
    }
}

/* A live connection ended. Was it taken over, and that by two networks from each other once too
 * often? */
static void look_for_duplicate(struct plugin *plugin, const struct connection *gone)
{
    const struct connection *by = gone->kicked || !gone->device ? NULL : taker_of(plugin, gone);
    const int64_t now = clock_steady();
    if (!by || !duplicates_note(&plugin->duplicates, gone, by, now))
        return;
    bool quarantine = plugin->options.duplicate_use == DUPLICATE_QUARANTINE &&
                      quarantines_begin(&plugin->quarantines, by, gone->address, clock_wall());
    bool tell = duplicates_may_tell(&plugin->duplicates, by->device, now);
    if (quarantine)
        close_all(plugin, by->device);
    if (tell || quarantine)
        say_duplicate(plugin, gone, by, quarantine);
}

void plugin_confirm(struct plugin *plugin, struct connection *connection)
{
    const int64_t now = clock_wall();
    connection_become(&plugin->connections, connection, CONNECTION_LIVE);
    presence_accepted(&plugin->presences, connection, now);
    if (plugin->events.on)
        event_connect(&plugin->events, connection, now);
    end_taken_over(plugin, connection);
    end_replaced(plugin, connection);
    if (quarantines_hold(&plugin->quarantines, connection))
        connection_kick(&plugin->connections, connection, REASON_KICKED);
}

void plugin_ended(struct plugin *plugin, struct connection *connection, enum reason reason)
{
    if (connection->state != CONNECTION_LIVE && connection->state != CONNECTION_PENDING) {
        connection_free(&plugin->connections, connection);
        return;
    }
    /* One that ends before it was confirmed was never in, but its will may come all the same: 2.0
     * sends it where the socket dies before CONNACK is written. */
    if (connection->state == CONNECTION_LIVE) {
        look_for_duplicate(plugin, connection);
        presence_ended(&plugin->presences, connection, reason, clock_wall());
        event_disconnect(&plugin->events, connection, reason, clock_wall());
    } else {
        presence_not_in(&plugin->presences, connection);
    }
    connection->will_possible = !connection->kicked;
    connection_become(&plugin->connections, connection, CONNECTION_GONE);
}

void plugin_forget(struct plugin *plugin, const void *pointer)
{
    struct connection *stale = connection_find(&plugin->connections, pointer);
    if (stale)
        plugin_ended(plugin, stale, REASON_UNKNOWN);
}

static bool on_broker_thread(const struct plugin *plugin)
{
    return pthread_equal(pthread_self(), plugin->thread);
}

static int on_tick(int event, void *data, void *userdata)
{
    struct plugin *plugin = userdata;
    struct event_tick *tick = data;
    (void)event;
    plugin->ticks = true;
    plugin->late = false;
    plugin->reloading = false;
    plugin->ended_count = 0;
    tick->next_s = 0;
    tick->next_ms = presence_hurries(&plugin->presences) ? HURRIED_TICK_MS : TICK_MS;
    if (plugin->connections.pending.first)
        turn_confirm(plugin); /* each time: what ends before it was confirmed was never in */
    if (turn_due(plugin))
        turn(plugin, true);
    return MOSQ_ERR_SUCCESS;
}

static int on_basic_auth(int event, void *data, void *userdata)
{
    struct plugin *plugin = userdata;
    (void)event;
    if (!on_broker_thread(plugin))
        return MOSQ_ERR_AUTH;
    turn_if_late(plugin, false);
    return login_check(plugin, data);
}

static int on_acl_check(int event, void *data, void *userdata)
{
    struct plugin *plugin = userdata;
    (void)event;
    if (!on_broker_thread(plugin))
        return MOSQ_ERR_ACL_DENIED;
    int answer = acl_check(plugin, data);
    if (plugin->late)
        turn_presence(plugin);
    return answer;
}

/* 2.1: the CONNECT went through. One that nobody logged in is an intruder: see acl.c. */
static int on_connect(int event, void *data, void *userdata)
{
    struct plugin *plugin = userdata;
    const struct event_connect *connect = data;
    const char *id = mosquitto_client_id(connect->client);
    const char *username = mosquitto_client_username(connect->client);
    struct cached_device *device;
    (void)event;
    if (!on_broker_thread(plugin) || !id || !username)
        return MOSQ_ERR_SUCCESS;
    struct connection *connection = connection_of(&plugin->connections, connect->client, id);
    if (connection && connection->state == CONNECTION_PENDING &&
        strcmp(connection->device_id, username) == 0) {
        plugin_confirm(plugin, connection);
        turn_look_at(plugin, connection, clock_wall());
    } else if ((!connection || !connection->device) && device_id_valid(username) &&
               cache_find(&plugin->cache, username, &device) == ERR_OK && device->exists) {
        stranger_enter(plugin, connect->client, id, username, true);
    }
    return MOSQ_ERR_SUCCESS;
}

static enum reason reason_of(const struct connection *connection, int told)
{
    if (connection->kicked)
        return connection->kick_reason;
    switch (told) {
    case 0:
        return REASON_CLIENT_DISCONNECT;
    case MOSQ_ERR_CONN_LOST:
        return REASON_CONNECTION_LOST;
    case ENDED_KEEPALIVE:
        return REASON_KEEPALIVE_TIMEOUT;
    case ENDED_TAKEN_OVER:
        return REASON_SESSION_TAKEN_OVER;
    case ENDED_KICKED:
        return REASON_KICKED;
    case MOSQ_ERR_PROTOCOL:
        return REASON_PROTOCOL_ERROR;
    default:
        return REASON_UNKNOWN; /* 2.0 tells -1 for everything */
    }
}

/* DISCONNECT, and CLIENT_OFFLINE of 2.1. The id and username that the event shows may be what a
 * stranger typed: only the pointer counts, and only if we let it in. */
static int on_disconnect(int event, void *data, void *userdata)
{
    struct plugin *plugin = userdata;
    const struct mosquitto_evt_disconnect *end = data;
    (void)event;
    if (!on_broker_thread(plugin))
        return MOSQ_ERR_SUCCESS;
    turn_if_late(plugin, true);
    struct connection *connection = connection_find(&plugin->connections, end->client);
    bool ours = connection && connection->state != CONNECTION_GONE &&
                connection->state != CONNECTION_INTRUDER;
    if (!ours) /* the pointer's last owner may still be known as GONE */
        stranger_ended(plugin, end->client);
    if (connection && connection->state != CONNECTION_GONE)
        plugin_ended(plugin, connection, reason_of(connection, end->reason));
    if (plugin->late)
        turn_presence(plugin);
    return MOSQ_ERR_SUCCESS;
}

static int on_reload(int event, void *data, void *userdata)
{
    struct plugin *plugin = userdata;
    (void)event;
    (void)data;
    plugin->reloading = true;
    return MOSQ_ERR_SUCCESS; /* 2.1 ends the broker for anything else */
}

/* An entry of the change log that names a device. */
static void on_followed(void *context, const struct log_entry *entry)
{
    struct plugin *plugin = context;
    guesses_pardon(&plugin->guesses, entry->subject);
    if (entry->verb == LOG_REMOVE)
        presence_removed(&plugin->presences, entry->subject, 0, clock_wall());
    else if (entry->verb == LOG_SET && plugin->options.presence_attributes)
        presence_moved(&plugin->presences, entry->subject);
    event_change(&plugin->events, entry);
}

/* What to do about it. */
static const char *remedy_of(enum err e, bool presence)
{
    switch (e) {
    case ERR_NO_REGISTRY:
        return presence
                   ? "make the directory and give it to the broker's user, or run 'devreg init' "
                     "again"
                   : "make it with 'devreg init', or correct mosquitto.conf";
    case ERR_PERMISSION:
        return presence ? "the broker's user must be able to write it: give it the directory"
                        : "the broker's user must be able to read it: run 'devreg check' as root";
    case ERR_TOO_NEW:
        return "install the devreg.so that fits the devreg that wrote it";
    case ERR_DAMAGED:
    case ERR_BROKEN:
        return presence ? "move its data.mdb away: only last-seen times are lost"
                        : "run 'devreg check', then import an export into a new one";
    case ERR_OTHER_STORE:
        return "correct plugin_opt_registry and plugin_opt_presence_store in mosquitto.conf";
    case ERR_FILESYSTEM:
        return "move it to a local file system";
    case ERR_OTHER_PID_NS:
        return "run devreg and the broker in one process id namespace";
    default:
        return "run 'devreg check'";
    }
}

/* One line: what, why, what to do. */
static void say_open_failed(bool presence, const char *where, enum err e)
{
    bool missing = presence && e == ERR_NO_REGISTRY;
    mosquitto_log_printf(MOSQ_LOG_ERR, "devreg: cannot open the %s in %s: %s; %s",
                         presence ? "presence store" : "registry", where,
                         missing ? "there is no such directory" : err_text(e),
                         remedy_of(e, presence));
}

static bool anonymous_role_exists(struct plugin *plugin)
{
    const struct policy *policy;
    const char *name = plugin->options.anonymous_role;
    if (!name[0] || cache_role(&plugin->cache, name, &policy) == ERR_OK)
        return true;
    mosquitto_log_printf(MOSQ_LOG_ERR,
                         "devreg: plugin_opt_anonymous_role %s: there is no such role; add it with "
                         "'devreg role add %s'",
                         name, name);
    return false;
}

/* The topics of presence, where they lie outside of what is reserved in any case; else NULL. */
static const char *presence_topic(const struct options *options)
{
    bool reserved = topic_covers(RESERVED_FILTER, options->presence_filter);
    return options->presence && !reserved ? options->presence_filter : NULL;
}

static bool open_registry(struct plugin *plugin)
{
    const char *dir = plugin->options.registry;
    enum err e = registry_open(&plugin->registry, dir, STORE_READ);
    if (!e) {
        plugin->cache = (struct cache){.registry = plugin->registry,
                                       .journal = &plugin->journal,
                                       .presence_topic = presence_topic(&plugin->options),
                                       .followed = on_followed,
                                       .context = plugin};
        e = cache_open(&plugin->cache);
    }
    if (e) {
        say_open_failed(false, dir, e);
        return false;
    }
    if (store_on_overlay(registry_store(plugin->registry)))
        mosquitto_log_printf(MOSQ_LOG_WARNING,
                             "devreg: the registry in %s is on an overlay file system: changes may "
                             "stay unseen; put it on a volume",
                             dir);
    return true;
}

static void on_other_presence_store(void *context)
{
    struct plugin *plugin = context;
    quarantines_record_again(&plugin->quarantines);
}

static bool open_presence(struct plugin *plugin)
{
    plugin->presences = (struct presences){.options = &plugin->options,
                                           .cache = &plugin->cache,
                                           .journal = &plugin->journal,
                                           .turned = on_other_presence_store,
                                           .context = plugin};
    enum err e = presence_open(&plugin->presences);
    if (!e) {
        e = quarantines_open(&plugin->quarantines, &plugin->presences);
        if (e)
            presence_close(&plugin->presences, clock_wall());
    }
    if (e)
        say_open_failed(true, plugin->options.presence_store, e);
    return !e;
}

static void plugin_close(struct plugin *plugin)
{
    connections_close(&plugin->connections);
    duplicates_close(&plugin->duplicates);
    quarantines_close(&plugin->quarantines);
    passwords_close(&plugin->passwords);
    events_close(&plugin->events);
    errors_close(&plugin->errors);
    guesses_close(&plugin->guesses);
    hash_set_clear(&plugin->accepted);
    hash_set_clear(&plugin->ended_of_mqtt5);
    cache_close(&plugin->cache);
    registry_close(plugin->registry);
    lost_pages_release();
    journal_end(&plugin->journal);
    free(plugin);
}

static bool plugin_fill(struct plugin *plugin)
{
    if (!open_registry(plugin))
        return false;
    events_open(&plugin->events, plugin->options.events);
    errors_open(&plugin->errors, plugin->options.errors);
    passwords_open(&plugin->passwords);
    guesses_open(&plugin->guesses);
    connections_open(&plugin->connections, &plugin->cache);
    return anonymous_role_exists(plugin) && open_presence(plugin);
}

/* The one plugin of this process, opened by the first that loads it. */
static struct plugin *plugin_open(const struct options *options)
{
    struct plugin *plugin = the_plugin;
    if (plugin && !options_equal(&plugin->options, options)) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "devreg: it is loaded twice with different options: "
                                           "use one plugin line, before the listeners");
        return NULL;
    }
    if (!plugin) {
        plugin = calloc(1, sizeof *plugin);
        if (!plugin) {
            mosquitto_log_printf(MOSQ_LOG_ERR, "devreg: out of memory: it cannot start");
            return NULL;
        }
        plugin->options = *options;
        plugin->thread = pthread_self();
        lost_pages_catch();
        if (!plugin_fill(plugin)) {
            plugin_close(plugin);
            return NULL;
        }
    }
    plugin->users++;
    return the_plugin = plugin;
}

static void plugin_release(struct plugin *plugin)
{
    if (--plugin->users)
        return;
    turn_confirm(plugin);
    refusals_tell(plugin);
    presence_close(&plugin->presences, clock_wall());
    plugin_close(plugin);
    the_plugin = NULL;
}

static const struct {
    MOSQ_FUNC_generic_callback callback;
    int event;
    bool only_2_1;
} callbacks[] = {
    {on_basic_auth, MOSQ_EVT_BASIC_AUTH, false}, {on_acl_check, MOSQ_EVT_ACL_CHECK, false},
    {on_disconnect, MOSQ_EVT_DISCONNECT, false}, {on_tick, MOSQ_EVT_TICK, false},
    {on_reload, MOSQ_EVT_RELOAD, false},         {on_connect, EVENT_CONNECT, true},
    {on_disconnect, EVENT_CLIENT_OFFLINE, true},
};

static void unregister(mosquitto_plugin_id_t *id, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)mosquitto_callback_unregister(id, callbacks[i].event, callbacks[i].callback, NULL);
}

/* A second load into the same listener is told ALREADY_REGISTERED by 2.0: the first one's callbacks
 * serve both. */
static bool register_all(mosquitto_plugin_id_t *id, struct plugin *plugin)
{
    for (size_t i = 0; i < sizeof callbacks / sizeof *callbacks; i++) {
        int rc = mosquitto_callback_register(id, callbacks[i].event, callbacks[i].callback, NULL,
                                             plugin);
        bool fine = rc == MOSQ_ERR_SUCCESS ||
                    (rc == MOSQ_ERR_NOT_SUPPORTED && callbacks[i].only_2_1 && !mosq_is_2_1()) ||
                    (rc == ALREADY_REGISTERED && plugin->users > 1);
        if (!fine) {
            mosquitto_log_printf(MOSQ_LOG_ERR,
                                 "devreg: the broker does not take the callback for event %d "
                                 "(error %d): this Mosquitto is too old, or loads devreg twice",
                                 callbacks[i].event, rc);
            unregister(id, i);
            return false;
        }
    }
    return true;
}

EXPORT int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
    for (int i = 0; i < supported_version_count; i++) {
        if (supported_versions[i] == MOSQ_PLUGIN_VERSION)
            return MOSQ_PLUGIN_VERSION;
    }
    return -1;
}

EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                                 struct mosquitto_opt *options, int option_count)
{
    struct options read;
    char error[OPTION_ERROR_MAX + 1];
    if (!options_read(&read, options, option_count, error)) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "devreg: %s", error);
        return MOSQ_ERR_INVAL;
    }
    struct plugin *plugin = plugin_open(&read);
    if (!plugin)
        return MOSQ_ERR_UNKNOWN;
    if (!register_all(identifier, plugin)) {
        plugin_release(plugin);
        return MOSQ_ERR_UNKNOWN;
    }
    *userdata = plugin;
    mosquitto_log_printf(MOSQ_LOG_NOTICE, "devreg: version %s, registry %s", DEVREG_VERSION,
                         read.registry);
    return MOSQ_ERR_SUCCESS;
}

EXPORT int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
    (void)options;
    (void)option_count;
    if (userdata)
        plugin_release(userdata);
    return MOSQ_ERR_SUCCESS;
}
