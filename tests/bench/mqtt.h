/* mqtt.h - as much of MQTT 3.1.1 as a load generator needs: packets to bytes, bytes to packets.
 *
 * Nothing here allocates, and no byte outside the given buffers is touched. Section numbers are
 * those of the OASIS standard, version 3.1.1.
 */
#ifndef DEVREG_TESTS_BENCH_MQTT_H
#define DEVREG_TESTS_BENCH_MQTT_H

#include <stddef.h>
#include <stdint.h>

enum mqtt_type { /* 2.2.1 */
                 MQTT_CONNECT = 1,
                 MQTT_CONNACK = 2,
                 MQTT_PUBLISH = 3,
                 MQTT_PUBACK = 4,
                 MQTT_SUBSCRIBE = 8,
                 MQTT_SUBACK = 9,
                 MQTT_DISCONNECT = 14
};

/* Each encodes one packet into the `room` bytes at `to`: its size, or 0 where it does not fit. */

/* Clean session, no will. `user` and `password` may be NULL: then the packet has none. `keepalive`
 * in seconds. 3.1 */
size_t mqtt_connect(uint8_t *to, size_t room, const char *client_id, const char *user,
                    const char *password, uint16_t keepalive);
/* One filter. 3.8 */
size_t mqtt_subscribe(uint8_t *to, size_t room, uint16_t id, const char *filter, uint8_t qos);
/* `id` counts with QoS 1 only. 3.3 */
size_t mqtt_publish(uint8_t *to, size_t room, const char *topic, uint8_t qos, uint16_t id,
                    const void *payload, size_t payload_size);
size_t mqtt_puback(uint8_t *to, size_t room, uint16_t id);
size_t mqtt_disconnect(uint8_t *to, size_t room);

/* A packet that a broker sends. What it points to lies in the buffer that it was read from. */
struct mqtt_packet {
    enum mqtt_type type;
    uint8_t code; /* CONNACK: return code; SUBACK: granted QoS, 0x80 for a refusal */
    uint8_t qos;  /* PUBLISH, and below */
    uint16_t id;  /* also of PUBACK and SUBACK */
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
