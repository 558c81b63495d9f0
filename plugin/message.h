/* message.h - presence as it is published: the topic and the payload. */
#ifndef DEVREG_PLUGIN_MESSAGE_H
#define DEVREG_PLUGIN_MESSAGE_H

#include "plugin/options.h"
#include "registry/presence.h"

/* The topic of a device: `pattern` with its "%u" replaced. */
void message_topic(char topic[static RULE_FILTER_MAX + 1], const char *pattern, const char *device);

/* Hands the state to the broker as a retained message. False where the broker has no memory. `now`
 * in ms since 1970. */
bool message_publish(const struct options *options, const char *device,
                     const struct presence *presence, int64_t now);

/* Clears the retained message on the device's topic. */
bool message_clear(const char *pattern, const char *device);

#endif
