/* plugin.h - all that the plugin holds in the broker's process.
 *
 * There is one, however often the broker loads the plugin (once for each listener with
 * per_listener_settings): LMDB forbids to open an environment twice. The broker's one thread owns
 * all of it; two threads of our own (writer.h, passwords.h) touch only what their headers say.
 */
#ifndef DEVREG_PLUGIN_PLUGIN_H
#define DEVREG_PLUGIN_PLUGIN_H

#include <pthread.h>

#include "plugin/cache.h"
#include "plugin/clock.h"
#include "plugin/connections.h"
#include "plugin/duplicate.h"
#include "plugin/errors.h"
#include "plugin/events.h"
#include "plugin/hash_set.h"
#include "plugin/journal.h"
#include "plugin/options.h"
#include "plugin/passwords.h"
#include "plugin/presence.h"
#include "plugin/quarantines.h"
#include "plugin/refusals.h"

enum {
    ENDED_STRANGERS_MAX = 64,
    TICK_MS = 100 /* how often a turn is wanted */,
    HURRIED_TICK_MS = 10
};

struct plugin {
    unsigned users;   /* how often it is loaded */
    pthread_t thread; /* the broker's: callbacks on any other are denied */
    struct options options;
    struct registry *registry;
    struct journal journal;
    struct cache cache;
    struct connections connections;
    struct presences presences;
    struct quarantines quarantines;
    struct duplicates duplicates;
    struct events events;
    struct errors errors;
    struct passwords passwords;
    struct guesses guesses;
    struct refusals refusals;
    struct hash_set accepted; /* table_hash_name of usernames let in, since the process began */
    /* After a change that names no device: how many live ones to look at, some at each tick. */
    size_t to_look_at;
    bool ticks;          /* has there ever been one? not in 2.0.11 with per_listener_settings */
    bool reloading;      /* between RELOAD and the next tick */
    bool late;           /* ticks do not come: other callbacks do their work */
    bool turning;        /* in turn(), which a kick may lead back to */
    int64_t turned_at;   /* of the steady clock */
    int64_t looked_at;   /* and when it was last asked whether the registry was replaced */
    int64_t told_at;     /* and when presence was told in a callback that is no turn */
    const char *kicking; /* the client id that is being kicked; NULL for none */
    /* Unknown pointers that ended in this turn; and those of MQTT 5, whose wills may come later. */
    const void *ended_strangers[ENDED_STRANGERS_MAX];
    size_t ended_count;
    struct hash_set ended_of_mqtt5; /* table_hash_pointer of each */
};

/* The connection is in: the broker confirmed it, or what it does proves it. */
void plugin_confirm(struct plugin *plugin, struct connection *connection);

/* A connection ended, whatever state it was in. The entry may be gone afterwards. */
void plugin_ended(struct plugin *plugin, struct connection *connection, enum reason reason);

/* The broker gave the pointer to somebody else without a word: what we knew under it has ended. */
void plugin_forget(struct plugin *plugin, const void *pointer);

#endif
