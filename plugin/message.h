/* message.h - presence as it is published: the topic and the payload. */
#ifndef DEVREG_PLUGIN_MESSAGE_H
#define DEVREG_PLUGIN_MESSAGE_H

#include "plugin/options.h"
#include "registry/presence.h"

/* The topic of a device: `pattern` with its "%u" replaced. */
void message_topic(char topic[static RULE_FILTER_MAX + 1], const char *pattern, const char *device);

/* What is said of the device: `*size` bytes from the broker's memory, to be handed to message_send
 * or freed with mosquitto_free. NULL for want of memory. `now` in ms since 1970. */
void *message_payload(const struct options *options, const char *device,
                      const struct presence *presence, int64_t now, size_t *size);

/* Hands the payload, which is the broker's from now on, to it as a retained message. False where
 * the broker has no memory. */
bool message_send(const char *pattern, const char *device, void *payload, size_t size);

/* Clears the retained message on the device's topic. */
bool message_clear(const char *pattern, const char *device);

#endif
