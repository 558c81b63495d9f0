#include "plugin/turn.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/login.h"

enum { KICKS_A_TICK = 100, LOOKS_A_TICK = 200, TURN_MS = 10, LATE_MS = 1000 };

void turn_confirm(struct plugin *plugin)
{
    bool sure = !mosq_is_2_1() && (plugin->ticks || !plugin->reloading);
    while (sure && plugin->connections.pending.first)
        plugin_confirm(plugin, plugin->connections.pending.first);
}

static enum reason kick_reason_of(enum ended ended)
{
    switch (ended) {
    case ENDED_REMOVED:
        return REASON_REMOVED;
    case ENDED_DISABLED:
        return REASON_DISABLED;
    case ENDED_REVOKED:
        return REASON_REVOKED;
    case ENDED_EXPIRED:
        return REASON_EXPIRED;
    default:
        return REASON_KICKED;
    }
}

void turn_look_at(struct plugin *plugin, struct connection *connection, int64_t now)
{
    struct cached_device *device;
    if (connection->state != CONNECTION_LIVE || connection->kicked)
        return; /* one that is not in yet is looked at when it is */
    if (cache_find(&plugin->cache, connection->device_id, &device) != ERR_OK) {
        /* It is denied everything meanwhile, and looked at again a little later. */
        struct connections *all = &plugin->connections;
        if (!all->next_end || all->next_end > now + LATE_MS)
            all->next_end = now + LATE_MS;
        return;
    }
    enum ended ended =
        cached_device_ended(device, connection->generation, connection->credential, now);
    if (ended == ENDED_EXPIRED)
        event_expired(&plugin->events, connection, now);
    if (ended == ENDED_REMOVED) /* if it came in after its removal was told */
        presence_removed(&plugin->presences, connection->device_id, connection->generation, now);
    if (ended != ENDED_NO)
        connection_kick(&plugin->connections, connection, kick_reason_of(ended));
    else
        connection_set_end(&plugin->connections, connection,
                           cached_device_ends(device, connection->credential));
}

static void look_at_changed(struct plugin *plugin, int64_t now)
{
    const struct cached_device *device;
    while ((device = cache_next_changed(&plugin->cache))) {
        for (struct connection *c = device->connections, *next; c; c = next) {
            next = c->next;
            turn_look_at(plugin, c, now);
        }
    }
}

static void look_at_what_changed(struct plugin *plugin, int64_t now)
{
    struct connections *connections = &plugin->connections;
    bool ends = connections->next_end && now >= connections->next_end;
    if (plugin->turned_at - plugin->looked_at >= TICK_MS) {
        plugin->looked_at = plugin->turned_at;
        cache_look_again(&plugin->cache);
    }
    cache_sync(&plugin->cache);
    if (plugin->cache.all_changed) {
        presence_walk_again(&plugin->presences);
        guesses_pardon_all(&plugin->guesses);
    }
    if (plugin->cache.all_changed || ends) {
        plugin->to_look_at = connections->live.count;
        connections->next_end = 0;
        plugin->cache.all_changed = false;
    }
    for (int i = 0; i < LOOKS_A_TICK && plugin->to_look_at > 0; i++) {
        struct connection *connection = connection_next_live(connections);
        plugin->to_look_at = connection ? plugin->to_look_at - 1 : 0;
        if (connection)
            turn_look_at(plugin, connection, now);
    }
    if (plugin->cache.changed)
        look_at_changed(plugin, now);
}

/* The broker calls back into us before it returns: the entry may be gone by then. On 2.0's
 * websockets it is still there, and goes at the next turn. An offline session is never kicked. */
static void kick(struct plugin *plugin, int count)
{
    struct connection *c;
    while (count-- > 0 && (c = plugin->connections.kicks.first)) {
        char *client_id = strdup(c->client_id);
        if (!client_id)
            return;
        connection_become(&plugin->connections, c, c->state); /* leaves the queue */
        plugin->kicking = client_id;
        (void)mosquitto_kick_client_by_clientid(client_id, false);
        plugin->kicking = NULL;
        free(client_id);
    }
}

/* Lets go of ended connections whose will has come or cannot come any more. That of a persistent
 * session stays, as long as its pointer does: deliveries to the session show it. */
static void forget_gone(struct plugin *plugin)
{
    for (struct connection *c = plugin->connections.gone.first, *next; c; c = next) {
        next = c->queue_next;
        if (!presence_settled(&plugin->presences, c->device_id))
            continue;
        if (c->persistent)
            connection_rest(&plugin->connections, c);
        else
            connection_free(&plugin->connections, c);
    }
}

bool turn_due(const struct plugin *plugin)
{
    return clock_steady() - plugin->turned_at >= TURN_MS;
}

void turn(struct plugin *plugin, bool may_kick)
{
    int64_t now = clock_wall();
    plugin->turning = true;
    plugin->turned_at = clock_steady();
    if (plugin->connections.gone.first)
        forget_gone(plugin);
    turn_confirm(plugin);
    passwords_tick(&plugin->passwords, login_complete, plugin);
    if (refusals_wait(&plugin->refusals))
        refusals_tell(plugin);
    look_at_what_changed(plugin, now);
    if (may_kick && plugin->connections.kicks.first)
        kick(plugin, KICKS_A_TICK);
    quarantines_tick(&plugin->quarantines);
    presence_tick(&plugin->presences, clock_wall()); /* not before what a kick just ended */
    if (plugin->errors.entries.count)
        errors_tell(&plugin->errors, plugin->turned_at);
    journal_flush(&plugin->journal, clock_steady());
    plugin->ended_count = 0;
    plugin->turning = false;
}

void turn_if_late(struct plugin *plugin, bool may_kick)
{
    int64_t late = plugin->ticks ? LATE_MS : TICK_MS;
    if (plugin->ticks && !mosq_is_2_1())
        return; /* 2.0 ticks in each turn of its loop, once it does at all */
    if (plugin->turning || clock_steady() - plugin->turned_at <= late)
        return;
    plugin->late = true;
    turn(plugin, may_kick);
}

void turn_presence(struct plugin *plugin)
{
    const int64_t now = clock_steady();
    bool between = plugin->connections.pending.first; /* a take-over is under way */
    if (plugin->turning || between || now - plugin->told_at < TURN_MS)
        return;
    plugin->told_at = now;
    presence_tick(&plugin->presences, clock_wall());
    if (plugin->errors.entries.count)
        errors_tell(&plugin->errors, now);
}
