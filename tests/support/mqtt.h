/* mqtt.h - as much of MQTT as a load generator needs: packets to bytes, bytes to packets.
 *
 * CONNECT, and what answers it, is of MQTT 3.1, 3.1.1 and 5; all else of 3.1.1. Nothing here
 * allocates, and no byte outside the given buffers is touched. Section numbers are those of the
 * OASIS standard, version 3.1.1.
 */
#ifndef DEVREG_TESTS_MQTT_H
#define DEVREG_TESTS_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mqtt_type { /* 2.2.1 */
                 MQTT_CONNECT = 1,
                 MQTT_CONNACK = 2,
                 MQTT_PUBLISH = 3,
                 MQTT_PUBACK = 4,
                 MQTT_SUBSCRIBE = 8,
                 MQTT_SUBACK = 9,
                 MQTT_PINGREQ = 12,
                 MQTT_PINGRESP = 13,
                 MQTT_DISCONNECT = 14
};

/* Each encodes one packet into the `room` bytes at `to`: its size, or 0 where it does not fit. */

/* 3.1. What is NULL is not in the packet. */
struct mqtt_login {
    const char *client_id, *user, *password;
    const char *will_topic, *will; /* QoS 0, not retained */
    uint16_t keepalive;            /* seconds */
    uint8_t version;               /* 3, 4, 5 as in CONNECT; 0 is 4, MQTT 3.1.1 */
    bool resumes;                  /* an older session: not clean */
    uint32_t expiry;               /* MQTT 5: seconds that the session outlives the connection */
};
size_t mqtt_connect(uint8_t *to, size_t room, const struct mqtt_login *login);
/* One filter. 3.8 */
size_t mqtt_subscribe(uint8_t *to, size_t room, uint16_t id, const char *filter, uint8_t qos);
/* `id` counts with QoS 1 only. 3.3 */
size_t mqtt_publish(uint8_t *to, size_t room, const char *topic, uint8_t qos, uint16_t id,
                    const void *payload, size_t payload_size);
size_t mqtt_puback(uint8_t *to, size_t room, uint16_t id);
size_t mqtt_pingreq(uint8_t *to, size_t room);
size_t mqtt_disconnect(uint8_t *to, size_t room);

/* A packet that a broker sends. What it points to lies in the buffer that it was read from. */
struct mqtt_packet {
    enum mqtt_type type;
    uint8_t code; /* CONNACK, MQTT 5's DISCONNECT; SUBACK: granted QoS, 0x80 for a refusal */
    bool session_present; /* CONNACK */
    bool retained;        /* PUBLISH, and below */
    uint8_t qos;
    uint16_t id; /* also of PUBACK and SUBACK */
    const uint8_t *topic, *payload;
    size_t topic_size, payload_size;
};

enum mqtt_found {
    MQTT_MORE,   /* not all of it is there yet */
    MQTT_PACKET, /* `packet` is filled, `used` bytes of the buffer belong to it */
    MQTT_BAD     /* no packet that a broker may send to these clients */
};

enum mqtt_found mqtt_decode(const uint8_t *bytes, size_t size, struct mqtt_packet *packet,
                            size_t *used);

#endif
