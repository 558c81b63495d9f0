#include "websocket.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "deadline.h"
#include "registry/crypto.h"

enum {
    CONNECT = 1,
    CONNACK = 2,
    PUBLISH = 3,
    SUBSCRIBE = 8,
    SUBACK = 9,
    PACKET_MAX = 125,
    REQUEST_MAX = 2000
};
enum { WS_BINARY = 0x82, WS_CLOSE = 8, WS_MASKED = 0x80 };

/* A packet's body, built up. */
struct packet {
    uint8_t bytes[PACKET_MAX];
    size_t size;
};

static void packet_byte(struct packet *packet, unsigned byte)
{
    check(packet->size < sizeof packet->bytes);
    packet->bytes[packet->size++] = (uint8_t)byte;
}

static void packet_text(struct packet *packet, const char *text, bool sized)
{
    size_t size = strlen(text);
    if (sized) {
        packet_byte(packet, 0);
        packet_byte(packet, (unsigned)size);
    }
    for (size_t i = 0; i < size; i++)
        packet_byte(packet, (uint8_t)text[i]);
}

static bool ws_send(struct websocket *ws, const void *data, size_t size)
{
    if (send(ws->fd, data, size, MSG_NOSIGNAL) == (ssize_t)size)
        return true;
    ws->gone = true;
    return false;
}

/* One packet in one frame. The mask is all zeros, which the broker need not like less. */
static void ws_send_packet(struct websocket *ws, unsigned first, const struct packet *body)
{
    uint8_t frame[6 + 2 + PACKET_MAX] = {WS_BINARY, (uint8_t)(WS_MASKED | (body->size + 2))};
    check(body->size + 2 <= PACKET_MAX);
    frame[6] = (uint8_t)first;
    frame[7] = (uint8_t)body->size;
    memcpy(frame + 8, body->bytes, body->size);
    (void)ws_send(ws, frame, 8 + body->size);
    crypto_wipe(frame, sizeof frame);
}

/* Reads what there is, waiting for it until the deadline. */
static bool ws_read(struct websocket *ws)
{
    struct pollfd ready = {.fd = ws->fd, .events = POLLIN};
    check(ws->in_size < sizeof ws->in);
    if (ws->gone)
        return false;
    check(poll(&ready, 1, DEADLINE_MS) == 1);
    ssize_t got = recv(ws->fd, ws->in + ws->in_size, sizeof ws->in - ws->in_size, 0);
    if (got <= 0)
        ws->gone = true;
    else
        ws->in_size += (size_t)got;
    return !ws->gone;
}

/* Unpacks the frame at the front of `in`, if it is there as a whole. */
static bool ws_unframe(struct websocket *ws)
{
    size_t head = 2, size = ws->in_size < 2 ? 0 : ws->in[1] & 0x7FU;
    if (size == 126) {
        head = 4;
        size = ws->in_size < 4 ? 0 : (size_t)ws->in[2] << 8 | ws->in[3];
    }
    if (ws->in_size < head || ws->in_size < head + size)
        return false;
    check(ws->mqtt_size + size <= sizeof ws->mqtt);
    if ((ws->in[0] & 0x0F) == WS_CLOSE)
        ws->gone = true;
    else
        memcpy(ws->mqtt + ws->mqtt_size, ws->in + head, size);
    ws->mqtt_size += ws->gone ? 0 : size;
    ws->in_size -= head + size;
    memmove(ws->in, ws->in + head + size, ws->in_size);
    return true;
}

/* Takes the next MQTT packet off: its first byte and its body. False when the connection ends. */
static bool ws_next(struct websocket *ws, unsigned *first, struct packet *body)
{
    while (ws->mqtt_size < 2 || ws->mqtt_size < 2U + ws->mqtt[1])
        if (!ws_unframe(ws) && !ws_read(ws))
            return false;
    *first = ws->mqtt[0];
    body->size = ws->mqtt[1];
    check(body->size <= PACKET_MAX);
    memcpy(body->bytes, ws->mqtt + 2, body->size);
    ws->mqtt_size -= body->size + 2;
    memmove(ws->mqtt, ws->mqtt + body->size + 2, ws->mqtt_size);
    return true;
}

static bool ws_open(struct websocket *ws, int port, const char *forwarded)
{
    char request[REQUEST_MAX + 1];
    int length =
        snprintf(request, sizeof request,
                 "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n"
                 "Sec-WebSocket-Protocol: mqtt\r\n%s%s%s\r\n",
                 forwarded == NULL ? "" : "X-Forwarded-For: ", forwarded == NULL ? "" : forwarded,
                 forwarded == NULL ? "" : "\r\n");
    check(length > 0 && length <= REQUEST_MAX);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const uint8_t *end = NULL;
    ws->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ws->fd < 0 || connect(ws->fd, (const struct sockaddr *)&to, sizeof to) != 0 ||
        !ws_send(ws, request, (size_t)length))
        return false;
    while (end == NULL && ws_read(ws))
        end = memmem(ws->in, ws->in_size, "\r\n\r\n", 4);
    if (end == NULL || memmem(ws->in, (size_t)(end - ws->in), " 101 ", 5) == NULL)
        return false;
    ws->in_size -= (size_t)(end + 4 - ws->in);
    memmove(ws->in, end + 4, ws->in_size);
    return true;
}

static void connect_write(struct packet *packet, const struct login *login)
{
    enum { CLEAN = 0x02, WILL = 0x04, PASSWORD = 0x40, USER = 0x80 };
    const char *const texts[] = {login->id == NULL ? "" : login->id, login->will_topic,
                                 login->will_topic == NULL ? NULL : login->will, login->user,
                                 login->key};
    packet_text(packet, "MQTT", true);
    packet_byte(packet, 4);
    packet_byte(packet, CLEAN | (login->will_topic == NULL ? 0U : WILL) |
                            (login->user == NULL ? 0U : USER) |
                            (login->key == NULL ? 0U : PASSWORD));
    packet_byte(packet, 0);
    packet_byte(packet, login->keepalive == 0 ? LONG_KEEPALIVE : (unsigned)login->keepalive);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i] != NULL)
            packet_text(packet, texts[i], true);
}

int websocket_connect(struct websocket *ws, const struct login *login)
{
    struct packet packet = {.size = 0};
    unsigned first;
    *ws = (struct websocket){.fd = -1};
    if (!ws_open(ws, login->port, login->forwarded))
        return UNANSWERED;
    connect_write(&packet, login);
    ws_send_packet(ws, CONNECT << 4, &packet);
    crypto_wipe(&packet, sizeof packet);
    if (!ws_next(ws, &first, &packet))
        return UNANSWERED;
    check(first >> 4 == CONNACK && packet.size == 2);
    return packet.bytes[1];
}

/* Keeps a PUBLISH; false for anything else. */
static bool ws_keep_message(struct websocket *ws, unsigned first, const struct packet *body)
{
    if (first >> 4 != PUBLISH)
        return false;
    size_t size = body->bytes[1];
    check((first & 0x06) == 0 && body->size >= size + 2);
    memcpy(ws->topic, body->bytes + 2, size);
    ws->topic[size] = '\0';
    memcpy(ws->payload, body->bytes + 2 + size, body->size - size - 2);
    ws->payload[body->size - size - 2] = '\0';
    return true;
}

int websocket_subscribe(struct websocket *ws, const char *filter)
{
    struct packet packet = {.bytes = {0, 1}, .size = 2};
    unsigned first;
    packet_text(&packet, filter, true);
    packet_byte(&packet, 0);
    ws_send_packet(ws, SUBSCRIBE << 4 | 2, &packet);
    check(ws_next(ws, &first, &packet));
    check(first >> 4 == SUBACK && packet.size == 3);
    return packet.bytes[2];
}

void websocket_publish(struct websocket *ws, const char *topic, const char *payload)
{
    struct packet packet = {.size = 0};
    packet_text(&packet, topic, true);
    packet_text(&packet, payload, false);
    ws_send_packet(ws, PUBLISH << 4, &packet);
}

void websocket_expect(struct websocket *ws, const char *topic, const char *payload)
{
    struct packet packet;
    unsigned first;
    check(ws_next(ws, &first, &packet));
    check(ws_keep_message(ws, first, &packet));
    assert_string_equal(ws->topic, topic);
    assert_string_equal(ws->payload, payload);
}

void websocket_expect_gone(struct websocket *ws)
{
    struct packet packet;
    unsigned first;
    while (ws_next(ws, &first, &packet))
        ;
    check(ws->gone);
}

void websocket_close(struct websocket *ws)
{
    if (ws->fd >= 0)
        (void)close(ws->fd);
    ws->fd = -1;
    ws->gone = true;
}
