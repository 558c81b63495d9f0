/* message.h - what devreg publishes. */
#ifndef DEVREG_PLUGIN_MESSAGE_H
#define DEVREG_PLUGIN_MESSAGE_H

#include "plugin/options.h"
#include "registry/presence.h"

/* What is said of the device: `*size` bytes from the broker's memory, to be handed to message_send
 * or freed with mosquitto_free. NULL for want of memory. `now` in ms since 1970. */
void *message_payload(const struct options *options, const char *device,
                      const struct presence *presence, int64_t now, size_t *size);

/* Hands the payload, which is the broker's from now on, to it as a retained message. False where
 * the broker has no memory: then it is still the caller's. */
bool message_send(const char *topic, void *payload, size_t size);

/* Clears the retained message on the topic. */
bool message_clear(const char *topic);

/* A text of `size` bytes, which is copied: retained with QoS 1, or else with QoS 0. False where the
 * broker has no memory, and for no text. */
bool message_send_text(const char *topic, const char *text, size_t size, bool retained);

#endif
