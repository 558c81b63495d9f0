#include "peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "deadline.h"

enum { PIECE_MAX = 70000, FRAME_HEAD = 14, READ_SIZE = 1 << 16 };

static bool connect_unix(struct peer *peer, const struct broker *broker)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    check(path_join(to.sun_path, sizeof to.sun_path, broker->socket, ""));
    peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(peer->fd, (const struct sockaddr *)&to, sizeof to) == 0;
}

static bool connect_port(struct peer *peer, int port)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(peer->fd, (const struct sockaddr *)&to, sizeof to) == 0;
}

/* All of it, unless the broker ends the connection. */
static void send_all(struct peer *peer, const uint8_t *bytes, size_t size)
{
    while (size && !peer->ended) {
        ssize_t done = send(peer->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd both = {.fd = peer->fd, .events = POLLIN | POLLOUT};
        if (done >= 0) {
            bytes += done;
            size -= (size_t)done;
        } else if (errno != EAGAIN && errno != EINTR) {
            peer->ended = true;
        } else {
            check(poll(&both, 1, 2 * DEADLINE_MS) > 0);
            if (both.revents & POLLIN)
                peer_read(peer);
        }
    }
}

static void shake_hands(struct peer *peer)
{
    static const char request[] = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "X-Forwarded-For: 6.6.6.6, \"}<x>\r\n"
                                  "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n"
                                  "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    send_all(peer, (const uint8_t *)request, sizeof request - 1);
    peer->ready = false;
    peer->until = clock_ms() + (int64_t)2 * DEADLINE_MS;
}

/* 2.0 looks at its WebSockets ten times a second, so others go on meanwhile. */
static bool wait_a_little(const struct peer *peer)
{
    struct pollfd ready = {.fd = peer->fd, .events = POLLIN};
    check(clock_ms() < peer->until);
    (void)poll(&ready, 1, 2); /* what comes is read after this */
    return true;
}

bool peer_open(struct peer *peer, enum peer_by by, const struct broker *broker, struct rng *rng)
{
    peer->by = by;
    peer->ended = peer->saw = false;
    peer->ready = true;
    peer->sent = peer->tail_size = 0;
    peer->stream.rng = rng;
    bool there = by == PEER_UNIX
                     ? connect_unix(peer, broker)
                     : connect_port(peer, by == PEER_TCP ? broker->tcp_port : broker->ws_port);
    if (there && by == PEER_WEBSOCKET)
        shake_hands(peer);
    return there;
}

/* The head of a frame (RFC 6455, section 5.2), mostly of a right one. The mask is all zeros. */
static size_t frame_head(struct peer *peer, uint8_t head[static FRAME_HEAD], size_t size)
{
    struct rng *rng = peer->stream.rng;
    size_t used = 2;
    memset(head, 0, FRAME_HEAD);
    head[0] = rng_percent(rng, 96) ? 0x82 : (uint8_t)rng_below(rng, 256);
    if (rng_percent(rng, 2))
        size = rng_below(rng, 2 * size + 2);
    head[1] = (uint8_t)(size < 126 ? size : size < 65536 ? 126 : 127);
    for (size_t bytes = size < 126 ? 0 : size < 65536 ? 2 : 8; bytes > 0; bytes--)
        head[used++] = (uint8_t)((uint64_t)size >> 8 * (bytes - 1));
    head[1] |= 0x80;
    return used + 4;
}

bool peer_send(struct peer *peer)
{
    uint8_t head[FRAME_HEAD];
    struct stream *stream = &peer->stream;
    size_t left = stream->size - peer->sent, most = left < PIECE_MAX ? left : PIECE_MAX;
    if (!left || peer->ended)
        return false;
    if (!peer->ready)
        return wait_a_little(peer);
    size_t size = rng_percent(stream->rng, 60) ? most : 1 + rng_below(stream->rng, most);
    if (peer->by == PEER_WEBSOCKET)
        send_all(peer, head, frame_head(peer, head, size));
    send_all(peer, stream->bytes + peer->sent, size);
    peer->sent += size;
    return !peer->ended;
}

void peer_read(struct peer *peer)
{
    static char bytes[sizeof peer->tail + READ_SIZE];
    while (!peer->ended) {
        memcpy(bytes, peer->tail, peer->tail_size);
        ssize_t got = recv(peer->fd, bytes + peer->tail_size, READ_SIZE, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            peer->ended = true;
            return;
        }
        size_t size = peer->tail_size + (size_t)got;
        peer->ready = true;
        if (memmem(bytes, size, peer->forbidden, strlen(peer->forbidden)))
            peer->saw = true;
        peer->tail_size = size < sizeof peer->tail ? size : sizeof peer->tail;
        memcpy(peer->tail, bytes + size - peer->tail_size, peer->tail_size);
    }
}

void peer_close(struct peer *peer, bool hard)
{
    const struct linger at_once = {.l_onoff = 1};
    if (peer->fd < 0)
        return;
    if (hard && peer->by != PEER_UNIX)
        (void)setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)close(peer->fd);
    peer->fd = -1;
}
