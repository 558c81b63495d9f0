#include "tests/bench/mqtt.h"

#include <stdbool.h>
#include <string.h>

enum { STRING_MAX = 65535, LENGTH_BYTES = 4 };

/* ---- to bytes: a put that does not fit empties the room, so that the end tells */

struct out {
    uint8_t *at;
    size_t room, size;
    bool full;
};

static void put_bytes(struct out *out, const void *bytes, size_t size)
{
    if (out->full || size > out->room - out->size) {
        out->full = true;
        return;
    }
    if (size > 0)
        memcpy(out->at + out->size, bytes, size);
    out->size += size;
}

static void put_byte(struct out *out, uint8_t byte)
{
    put_bytes(out, &byte, 1);
}

static void put_number(struct out *out, uint16_t number)
{
    put_byte(out, (uint8_t)(number >> 8));
    put_byte(out, (uint8_t)(number & 0xff));
}

static void put_string(struct out *out, const char *string)
{
    size_t size = strlen(string);
    if (size > STRING_MAX)
        out->full = true;
    put_number(out, (uint16_t)size);
    put_bytes(out, string, size);
}

/* 2.2.3 */
static void put_length(struct out *out, size_t length)
{
    size_t bytes = 0;
    do {
        put_byte(out, (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0)));
        length >>= 7;
        bytes++;
    } while (length > 0);
    if (bytes > LENGTH_BYTES)
        out->full = true;
}

static struct out begin(uint8_t *to, size_t room, enum mqtt_type type, uint8_t flags, size_t length)
{
    struct out out = {.at = to, .room = room};
    put_byte(&out, (uint8_t)((unsigned)type << 4 | flags));
    put_length(&out, length);
    return out;
}

static size_t end(const struct out *out)
{
    return out->full ? 0 : out->size;
}

static size_t string_size(const char *string)
{
    return string ? 2 + strlen(string) : 0;
}

size_t mqtt_connect(uint8_t *to, size_t room, const char *client_id, const char *user,
                    const char *password, uint16_t keepalive)
{
    static const uint8_t protocol[] = {0, 4, 'M', 'Q', 'T', 'T', 4};
    enum { CLEAN = 0x02, PASSWORD = 0x40, USER = 0x80 };
    size_t length = sizeof protocol + 1 + 2 + string_size(client_id) + string_size(user) +
                    string_size(password);
    struct out out = begin(to, room, MQTT_CONNECT, 0, length);
    put_bytes(&out, protocol, sizeof protocol);
    put_byte(&out, (uint8_t)(CLEAN | (user ? USER : 0) | (password ? PASSWORD : 0)));
    put_number(&out, keepalive);
    put_string(&out, client_id);
    if (user)
        put_string(&out, user);
    if (password)
        put_string(&out, password);
    return end(&out);
}

size_t mqtt_subscribe(uint8_t *to, size_t room, uint16_t id, const char *filter, uint8_t qos)
{
    struct out out = begin(to, room, MQTT_SUBSCRIBE, 2, 2 + string_size(filter) + 1);
    put_number(&out, id);
    put_string(&out, filter);
    put_byte(&out, qos);
    return end(&out);
}

size_t mqtt_publish(uint8_t *to, size_t room, const char *topic, uint8_t qos, uint16_t id,
                    const void *payload, size_t payload_size)
{
    size_t length = string_size(topic) + (qos > 0 ? 2 : 0) + payload_size;
    struct out out = begin(to, room, MQTT_PUBLISH, (uint8_t)(qos << 1), length);
    put_string(&out, topic);
    if (qos > 0)
        put_number(&out, id);
    put_bytes(&out, payload, payload_size);
    return end(&out);
}

size_t mqtt_puback(uint8_t *to, size_t room, uint16_t id)
{
    struct out out = begin(to, room, MQTT_PUBACK, 0, 2);
    put_number(&out, id);
    return end(&out);
}

size_t mqtt_disconnect(uint8_t *to, size_t room)
{
    struct out out = begin(to, room, MQTT_DISCONNECT, 0, 0);
    return end(&out);
}

/* ---- from bytes */

struct in {
    const uint8_t *at;
    size_t size;
};

static bool take_number(struct in *in, uint16_t *number)
{
    if (in->size < 2)
        return false;
    *number = (uint16_t)(in->at[0] << 8 | in->at[1]);
    in->at += 2;
    in->size -= 2;
    return true;
}

static bool take_topic(struct in *in, struct mqtt_packet *packet)
{
    uint16_t size;
    if (!take_number(in, &size) || in->size < size)
        return false;
    packet->topic = in->at;
    packet->topic_size = size;
    in->at += size;
    in->size -= size;
    return true;
}

static bool decode_publish(struct in *in, uint8_t flags, struct mqtt_packet *packet)
{
    packet->qos = (flags >> 1) & 3;
    if (packet->qos > 1 || !take_topic(in, packet))
        return false;
    if (packet->qos == 1 && !take_number(in, &packet->id))
        return false;
    packet->payload = in->at;
    packet->payload_size = in->size;
    return true;
}

static bool decode_body(struct in *in, uint8_t flags, struct mqtt_packet *packet)
{
    switch (packet->type) {
    case MQTT_CONNACK:
        packet->code = in->size == 2 ? in->at[1] : 0xff;
        return in->size == 2;
    case MQTT_SUBACK:
        if (!take_number(in, &packet->id) || in->size != 1)
            return false;
        packet->code = in->at[0];
        return true;
    case MQTT_PUBACK:
        return take_number(in, &packet->id) && in->size == 0;
    case MQTT_PUBLISH:
        return decode_publish(in, flags, packet);
    case MQTT_CONNECT:
    case MQTT_SUBSCRIBE:
    case MQTT_DISCONNECT:
        break;
    }
    return false;
}

/* The length behind the first byte: MQTT_PACKET when `body` is filled. */
static enum mqtt_found decode_length(const uint8_t *bytes, size_t size, struct in *body)
{
    size_t length = 0;
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        if (size < i + 2)
            return MQTT_MORE;
        length |= (size_t)(bytes[i + 1] & 0x7f) << (7 * i);
        if (bytes[i + 1] & 0x80)
            continue;
        *body = (struct in){bytes + i + 2, length};
        return size - (i + 2) < length ? MQTT_MORE : MQTT_PACKET;
    }
    return MQTT_BAD;
}

enum mqtt_found mqtt_decode(const uint8_t *bytes, size_t size, struct mqtt_packet *packet,
                            size_t *used)
{
    struct in body = {0};
    enum mqtt_found found = decode_length(bytes, size, &body);
    if (found != MQTT_PACKET)
        return found;
    *packet = (struct mqtt_packet){.type = (enum mqtt_type)(bytes[0] >> 4)};
    *used = (size_t)(body.at - bytes) + body.size;
    return decode_body(&body, bytes[0] & 0x0f, packet) ? MQTT_PACKET : MQTT_BAD;
}
