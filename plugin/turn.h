/* turn.h - what is done once a turn of the broker's loop: logins confirmed, connections closed
 * whose device has ended, presence told, log lines written. */
#ifndef DEVREG_PLUGIN_TURN_H
#define DEVREG_PLUGIN_TURN_H

#include "plugin/plugin.h"

/* Is it time for one? 2.0 ticks after each packet that it reads; a hundred turns a second do. */
bool turn_due(const struct plugin *plugin);

/* `may_kick`: is the broker in a state in which connections may be closed? */
void turn(struct plugin *plugin, bool may_kick);

/* In place of a tick that does not come: never in 2.0.11 with per_listener_settings, and in 2.1 not
 * after the wall clock was set back until it has caught up. */
void turn_if_late(struct plugin *plugin, bool may_kick);

/* Where ticks do not come: only tells presence, which any callback may do. */
void turn_presence(struct plugin *plugin);

/* Those that nothing contradicted since BASIC_AUTH are in. Not for 2.1, which says so itself; and
 * not after a SIGHUP where no tick ever comes, since there an offline session looks like a login.
 */
void turn_confirm(struct plugin *plugin);

/* Queues the connection to be closed if its device, or what it was let in with, has ended. */
void turn_look_at(struct plugin *plugin, struct connection *connection, int64_t now);

#endif
