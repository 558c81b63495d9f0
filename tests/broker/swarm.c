#include "swarm.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "registry/crypto.h"

enum { EVENTS = 256, PACKET_MAX = 512 };

/* RFC 6455, as small as it can be: one packet in one frame below 64 KiB. The mask is all zeros. */
enum { WS_BINARY = 0x82, WS_CLOSE = 8, WS_MASKED = 0x80, WS_TWO_BYTES = 126, WS_HEAD_MAX = 8 };

static const char ws_request[] = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                 "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n"
                                 "Sec-WebSocket-Protocol: mqtt\r\n\r\n";

static void address_port(struct swarm *swarm, enum link_by by, int port)
{
    struct sockaddr_in *address = (struct sockaddr_in *)&swarm->address[by];
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)port);
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    swarm->address_size[by] = sizeof *address;
}

void swarm_open(struct swarm *swarm, const char *socket, int tcp_port, int ws_port)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&swarm->address[BY_SOCKET];
    address->sun_family = AF_UNIX;
    check(path_join(address->sun_path, sizeof address->sun_path, socket, ""));
    swarm->address_size[BY_SOCKET] = sizeof *address;
    address_port(swarm, BY_TCP, tcp_port);
    address_port(swarm, BY_WEBSOCKET, ws_port);
    swarm->epoll = epoll_create1(EPOLL_CLOEXEC);
    check(swarm->epoll >= 0);
}

void swarm_close(struct swarm *swarm)
{
    (void)close(swarm->epoll);
}

void link_init(struct link *link, size_t room)
{
    *link = (struct link){.fd = -1, .room = room, .in = malloc(room), .out = malloc(room)};
    check(link->in != NULL && link->out != NULL);
}

void link_clear(struct swarm *swarm, struct link *link)
{
    link_drop(swarm, link, false);
    free(link->in);
    free(link->out);
    link->in = link->out = NULL;
}

static bool is_unanswered(const struct link *link)
{
    return link->state != LINK_NONE && link->state != LINK_SURE;
}

static void link_become(struct swarm *swarm, struct link *link, enum link_state state)
{
    swarm->unanswered -= is_unanswered(link);
    link->state = state;
    swarm->unanswered += is_unanswered(link);
}

static void watch(struct swarm *swarm, struct link *link, int operation, bool room)
{
    struct epoll_event event = {.events = EPOLLIN | (room ? (uint32_t)EPOLLOUT : 0),
                                .data.ptr = link};
    check(epoll_ctl(swarm->epoll, operation, link->fd, &event) == 0);
    link->waits_for_room = room;
}

/* Waits while the broker's backlog is full. */
static int dial(struct swarm *swarm, enum link_by by)
{
    int on = 1, family = swarm->address[by].ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0);
    check(family != AF_INET || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    if (connect(fd, (const struct sockaddr *)&swarm->address[by], swarm->address_size[by]) == 0 &&
        fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static void link_close(struct swarm *swarm, struct link *link)
{
    (void)epoll_ctl(swarm->epoll, EPOLL_CTL_DEL, link->fd, NULL);
    (void)close(link->fd);
    crypto_wipe(link->out, link->room); /* a key stood there */
    link->fd = -1;
    link->in_size = link->out_size = 0;
    link_become(swarm, link, LINK_NONE);
}

static void link_end(struct swarm *swarm, struct link *link)
{
    enum link_state before = link->state;
    link_close(swarm, link);
    swarm->ended(swarm, link, before);
}

static void link_flush(struct swarm *swarm, struct link *link)
{
    ssize_t sent = send(link->fd, link->out, link->out_size, MSG_NOSIGNAL);
    bool room = sent < 0 && (errno == EAGAIN || errno == EINTR);
    if (sent > 0) {
        link->out_size -= (size_t)sent;
        memmove(link->out, link->out + sent, link->out_size);
    } else if (!room) {
        link->out_size = 0; /* its end is read, after what came before */
    }
    room |= link->out_size > 0;
    if (room != link->waits_for_room)
        watch(swarm, link, EPOLL_CTL_MOD, room);
}

static void queue(struct link *link, const void *bytes, size_t size)
{
    if (size > link->room - link->out_size)
        fail_msg("%zu bytes do not fit: %zu wait already, state %d", size, link->out_size,
                 (int)link->state);
    memcpy(link->out + link->out_size, bytes, size);
    link->out_size += size;
}

/* The head of the frame that a packet of that size goes in. */
static void queue_head(struct link *link, size_t size)
{
    uint8_t head[WS_HEAD_MAX] = {WS_BINARY, (uint8_t)(WS_MASKED | size)};
    if (link->by != BY_WEBSOCKET)
        return;
    if (size >= WS_TWO_BYTES) {
        head[1] = WS_MASKED | WS_TWO_BYTES;
        head[2] = (uint8_t)(size >> 8);
        head[3] = (uint8_t)size;
    }
    queue(link, head, size >= WS_TWO_BYTES ? WS_HEAD_MAX : WS_HEAD_MAX - 2);
}

void link_send(struct swarm *swarm, struct link *link, const uint8_t *bytes, size_t size)
{
    check(size > 0);
    queue_head(link, size);
    queue(link, bytes, size);
    if (!link->waits_for_room && link->state != LINK_UPGRADE)
        link_flush(swarm, link);
}

void link_ping(struct swarm *swarm, struct link *link)
{
    uint8_t ping[4];
    link_become(swarm, link, LINK_IN);
    link_send(swarm, link, ping, mqtt_pingreq(ping, sizeof ping));
}

/* A WebSocket's CONNECT waits in `out` until the request before it is answered. */
bool link_open(struct swarm *swarm, struct link *link, enum link_by by,
               const struct mqtt_login *login)
{
    uint8_t packet[PACKET_MAX];
    check(link->state == LINK_NONE);
    int fd = dial(swarm, by);
    if (fd < 0)
        return false;
    link->fd = fd;
    link->by = by;
    link->in_size = link->out_size = 0;
    watch(swarm, link, EPOLL_CTL_ADD, false);
    if (by == BY_WEBSOCKET)
        (void)send(fd, ws_request, sizeof ws_request - 1, MSG_NOSIGNAL); /* else it ends soon */
    link_become(swarm, link, by == BY_WEBSOCKET ? LINK_UPGRADE : LINK_ASKED);
    size_t size = mqtt_connect(packet, sizeof packet, login);
    link_send(swarm, link, packet, size);
    crypto_wipe(packet, sizeof packet);
    return true;
}

void link_disconnect(struct swarm *swarm, struct link *link)
{
    uint8_t packet[4];
    size_t size = mqtt_disconnect(packet, sizeof packet);
    link_send(swarm, link, packet, size);
    link_close(swarm, link);
}

void link_drop(struct swarm *swarm, struct link *link, bool hard)
{
    const struct linger at_once = {.l_onoff = 1};
    if (link->state == LINK_NONE)
        return;
    if (hard && link->by != BY_SOCKET)
        check(setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    link_close(swarm, link);
}

/* ---- what comes */

static void take_connack(struct swarm *swarm, struct link *link, const struct mqtt_packet *packet)
{
    check(link->state == LINK_ASKED);
    link->code = packet->code;
    link->session_present = packet->session_present;
    if (packet->code == 0)
        link_ping(swarm, link); /* else the broker closes it */
}

static void take(struct swarm *swarm, struct link *link, const struct mqtt_packet *packet)
{
    if (packet->type == MQTT_CONNACK)
        take_connack(swarm, link, packet);
    else if (packet->type == MQTT_PINGRESP && link->state == LINK_IN)
        link_become(swarm, link, LINK_SURE);
    else
        swarm->heard(swarm, link, packet);
}

/* The whole packets in `size` bytes: how many bytes they are. */
static size_t take_packets(struct swarm *swarm, struct link *link, const uint8_t *bytes,
                           size_t size)
{
    size_t at = 0;
    while (link->state != LINK_NONE && at < size) {
        struct mqtt_packet packet;
        size_t used = 0;
        enum mqtt_found found = mqtt_decode(bytes + at, size - at, &packet, &used);
        check(found != MQTT_BAD);
        if (found == MQTT_MORE)
            break;
        at += used;
        take(swarm, link, &packet);
    }
    return at;
}

/* The answer to the request, with no body: its size once it is there. */
static size_t take_upgrade(struct swarm *swarm, struct link *link)
{
    const uint8_t *end = memmem(link->in, link->in_size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t size = (size_t)(end + 4 - link->in);
    check(memmem(link->in, size, " 101 ", 5) != NULL);
    link_become(swarm, link, LINK_ASKED);
    link_flush(swarm, link);
    return size;
}

/* The first frame, which holds whole packets: a broker that speaks to such clients has no reason to
 * part them. Its size once it is there. */
static size_t take_frame(struct swarm *swarm, struct link *link)
{
    size_t head = 2, size = link->in_size < 2 ? 0 : link->in[1];
    if (size == WS_TWO_BYTES) {
        head = 4;
        size = link->in_size < 4 ? 0 : (size_t)link->in[2] << 8 | link->in[3];
    }
    if (link->in_size < head || link->in_size < head + size)
        return 0;
    if ((link->in[0] & 0x0F) != WS_CLOSE) {
        size_t used = take_packets(swarm, link, link->in + head, size);
        check(used == size || link->state == LINK_NONE);
    }
    return head + size;
}

static size_t take_some(struct swarm *swarm, struct link *link)
{
    if (link->state == LINK_UPGRADE)
        return take_upgrade(swarm, link);
    if (link->by == BY_WEBSOCKET)
        return take_frame(swarm, link);
    return take_packets(swarm, link, link->in, link->in_size);
}

static void hear(struct swarm *swarm, struct link *link)
{
    size_t used = 1;
    check(link->in_size < link->room);
    ssize_t got = recv(link->fd, link->in + link->in_size, link->room - link->in_size, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        link_end(swarm, link);
        return;
    }
    link->in_size += (size_t)got;
    while (link->state != LINK_NONE && link->in_size > 0 && used > 0) {
        used = take_some(swarm, link);
        if (link->state == LINK_NONE)
            break; /* and `in` is empty */
        link->in_size -= used;
        memmove(link->in, link->in + used, link->in_size);
    }
}

void swarm_turn(struct swarm *swarm, int wait_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(swarm->epoll, events, EVENTS, wait_ms);
    check(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        struct link *link = events[i].data.ptr;
        if (link->state != LINK_NONE && events[i].events & EPOLLOUT)
            link_flush(swarm, link);
        if (link->state != LINK_NONE && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            hear(swarm, link);
    }
}
