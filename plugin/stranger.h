/* stranger.h - connections with a device's username whom no login of ours announced.
 *
 * A listener takes the name from a certificate or a PSK identity and asks no plugin, or another
 * checker let the client in before the device was added. It is denied everything, and closed at the
 * tick once it is surely connected: kicking an offline session may corrupt 2.0's memory. A
 * subscription proves it, and so does a publish that cannot be a will: wills come after the end,
 * and are one message.
 */
#ifndef DEVREG_PLUGIN_STRANGER_H
#define DEVREG_PLUGIN_STRANGER_H

#include "plugin/plugin.h"

/* Enters the pointer as an intruder, in place of what stood under it; queues it to be closed if it
 * is connected for sure. */
void stranger_enter(struct plugin *plugin, const void *pointer, const char *client_id,
                    const char *username, bool connected);

/* It asks for that access (MOSQ_ACL_*), which is denied. */
void stranger_asks(struct plugin *plugin, const struct mosquitto *client, const char *client_id,
                   const char *username, int access);

/* A pointer that we know nothing of has ended: from now on a publish from it may be its will. */
void stranger_ended(struct plugin *plugin, const struct mosquitto *client);

#endif
