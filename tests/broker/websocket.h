/* websocket.h - an MQTT 3.1.1 client over WebSockets (RFC 6455), as small as it can be.
 *
 * libmosquitto 2.0 has none. One connection, QoS 0, packets below 126 bytes; what the tests of
 * client.h show over a plain socket is not shown again.
 */
#ifndef DEVREG_TESTS_WEBSOCKET_H
#define DEVREG_TESTS_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"

struct websocket {
    int fd;
    bool gone;
    uint8_t in[4096]; /* frames as they come */
    size_t in_size;
    uint8_t mqtt[4096]; /* what was in them */
    size_t mqtt_size;
    char topic[128], payload[128]; /* of the last PUBLISH */
};

/* Connects to 127.0.0.1:`login->port`: the CONNACK's code, or UNANSWERED. Uses user, key, id and
 * will. End it with websocket_close in any case. */
int websocket_connect(struct websocket *ws, const struct login *login);

/* The granted QoS, or SUBACK_FAILED. */
int websocket_subscribe(struct websocket *ws, const char *filter);
void websocket_publish(struct websocket *ws, const char *topic, const char *payload);
/* The next message is this one. */
void websocket_expect(struct websocket *ws, const char *topic, const char *payload);
/* Waits until the broker has ended the connection. */
void websocket_expect_gone(struct websocket *ws);
/* Closes the socket without DISCONNECT. */
void websocket_close(struct websocket *ws);

#endif
