#include "tests/support/mqtt.h"

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

static uint8_t connect_flags(const struct mqtt_login *login)
{
    enum { CLEAN = 0x02, WILL = 0x04, PASSWORD = 0x40, USER = 0x80 };
    return (uint8_t)((login->resumes ? 0 : CLEAN) | (login->will_topic ? WILL : 0) |
                     (login->user ? USER : 0) | (login->password ? PASSWORD : 0));
}

/* MQTT 5, 3.1.2.11 */
static size_t connect_properties(uint8_t to[static 6], const struct mqtt_login *login)
{
    enum { SESSION_EXPIRY = 17 };
    const uint8_t expiry[] = {5,
                              SESSION_EXPIRY,
                              (uint8_t)(login->expiry >> 24),
                              (uint8_t)(login->expiry >> 16),
                              (uint8_t)(login->expiry >> 8),
                              (uint8_t)login->expiry};
    to[0] = 0;
    if (login->version != 5)
        return 0;
    if (!login->expiry)
        return 1;
    memcpy(to, expiry, sizeof expiry);
    return sizeof expiry;
}

size_t mqtt_connect(uint8_t *to, size_t room, const struct mqtt_login *login)
{
    const char *protocol = login->version == 3 ? "MQIsdp" : "MQTT";
    const char *const texts[] = {login->will_topic, login->will_topic ? login->will : NULL,
                                 login->user, login->password};
    const bool has_will_properties = login->version == 5 && login->will_topic;
    uint8_t properties[6];
    size_t property_size = connect_properties(properties, login);
    size_t length = string_size(protocol) + 1 + 1 + 2 + property_size +
                    string_size(login->client_id) + (has_will_properties ? 1 : 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        length += string_size(texts[i]);
    struct out out = begin(to, room, MQTT_CONNECT, 0, length);
    put_string(&out, protocol);
    put_byte(&out, login->version ? login->version : 4);
    put_byte(&out, connect_flags(login));
    put_number(&out, login->keepalive);
    put_bytes(&out, properties, property_size);
    put_string(&out, login->client_id);
    if (has_will_properties)
        put_byte(&out, 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i])
            put_string(&out, texts[i]);
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

size_t mqtt_pingreq(uint8_t *to, size_t room)
{
    struct out out = begin(to, room, MQTT_PINGREQ, 0, 0);
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
    packet->retained = flags & 1;
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
        if (in->size < 2)
            return false;
        packet->session_present = in->at[0] & 1;
        packet->code = in->at[1];
        return true;
    case MQTT_SUBACK:
        if (!take_number(in, &packet->id) || in->size != 1)
            return false;
        packet->code = in->at[0];
        return true;
    case MQTT_PUBACK:
        return take_number(in, &packet->id) && in->size == 0;
    case MQTT_PUBLISH:
        return decode_publish(in, flags, packet);
    case MQTT_PINGRESP:
        return in->size == 0;
    case MQTT_DISCONNECT:
        packet->code = in->size > 0 ? in->at[0] : 0;
        return true;
    case MQTT_CONNECT:
    case MQTT_SUBSCRIBE:
    case MQTT_PINGREQ:
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
