#include "stage.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"

/* 2.0.11 reads one packet of a connection in each turn of its loop. */
enum { CONTROL_ROUNDS = 8, PATIENCE_MS = 60000, STEP = 1 << 16 };
enum { TYPE = 0xf0, CONNACK = 0x20, PUBLISH = 0x30, PINGRESP = 0xd0, QOS = 0x06 };

static const uint8_t pingreq[] = {0xc0, 0};

void stage_init(struct stage *stage, struct broker *broker)
{
    *stage = (struct stage){.broker = broker, .control.fd = -1};
    for (size_t i = 0; i < PEERS; i++)
        stage->peers[i].fd = -1;
}

static void peer_forget(struct peer *peer)
{
    for (size_t i = 0; i < peer->answer_count; i++)
        free(peer->answers[i].bytes);
    peer->answer_count = 0;
}

static void peer_close(struct peer *peer)
{
    if (peer->fd >= 0)
        (void)close(peer->fd);
    peer->fd = -1;
    peer->in = peer->quiet = false;
    peer->size = peer->pings = peer->pinged = 0;
}

static void peer_clear(struct peer *peer)
{
    peer_close(peer);
    peer_forget(peer);
    free(peer->answers);
    free(peer->bytes);
    *peer = (struct peer){.fd = -1};
}

void stage_clear(struct stage *stage)
{
    peer_clear(&stage->control);
    for (size_t i = 0; i < PEERS; i++)
        peer_clear(&stage->peers[i]);
}

static void peer_open(const struct stage *stage, struct peer *peer)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    check(path_join(to.sun_path, sizeof to.sun_path, stage->broker->socket, ""));
    peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(peer->fd >= 0);
    check(connect(peer->fd, (const struct sockaddr *)&to, sizeof to) == 0);
}

/* Where the broker has ended the connection, that is read. */
static void peer_write(struct peer *peer, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(peer->fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            break;
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void answer_add(struct peer *peer, const uint8_t *bytes, size_t size)
{
    if (peer->answer_count == peer->answer_room) {
        peer->answer_room = peer->answer_room * 2 + 16;
        peer->answers = realloc(peer->answers, peer->answer_room * sizeof *peer->answers);
        check(peer->answers != NULL);
    }
    struct answer *answer = &peer->answers[peer->answer_count++];
    *answer = (struct answer){.bytes = malloc(size + 1), .size = size};
    check(answer->bytes != NULL);
    if (size > 0)
        memcpy(answer->bytes, bytes, size);
}

/* The size of the packet at the front of `bytes`, 0 where it is not there as a whole. */
static size_t packet_size(const uint8_t *bytes, size_t size, size_t *body)
{
    size_t length = 0;
    for (size_t i = 0; i < 4 && i + 1 < size; i++) {
        length |= (size_t)(bytes[i + 1] & 0x7f) << (7 * i);
        *body = i + 2;
        if (!(bytes[i + 1] & 0x80))
            return i + 2 + length <= size ? i + 2 + length : 0;
    }
    return 0;
}

static void take(struct peer *peer, const uint8_t *packet, size_t size, size_t body)
{
    if ((packet[0] & TYPE) == PINGRESP && peer->pings > 0) {
        peer->pings--;
    } else if ((packet[0] & TYPE) == PINGRESP && peer->pinged > 0) {
        peer->pinged--;
        return;
    }
    if ((packet[0] & TYPE) == CONNACK && size >= body + 2)
        peer->in = packet[body + 1] == 0;
    if ((packet[0] & TYPE) == PUBLISH && packet[0] & QOS && size >= body + 2) {
        size_t topic = (size_t)packet[body] << 8 | packet[body + 1], at = body + 2 + topic;
        check(at + 2 <= size);
        peer->id = (uint16_t)(packet[at] << 8 | packet[at + 1]);
    }
    answer_add(peer, packet, size);
}

static void take_all(struct peer *peer)
{
    size_t at = 0, size, body = 0;
    while ((size = packet_size(peer->bytes + at, peer->size - at, &body)) > 0) {
        take(peer, peer->bytes + at, size, body);
        at += size;
    }
    peer->size -= at;
    memmove(peer->bytes, peer->bytes + at, peer->size);
}

/* Reads what is there. False where nothing is. */
static bool peer_read(struct peer *peer, bool wait)
{
    struct pollfd ready = {.fd = peer->fd, .events = POLLIN};
    if (peer->room - peer->size < STEP) {
        peer->room += 2 * (size_t)STEP;
        peer->bytes = realloc(peer->bytes, peer->room);
        check(peer->bytes != NULL);
    }
    int got = poll(&ready, 1, wait ? PATIENCE_MS : 0);
    check(got > 0 || !wait);
    if (got <= 0)
        return false;
    ssize_t size = recv(peer->fd, peer->bytes + peer->size, peer->room - peer->size, 0);
    if (size < 0 && errno == EINTR)
        return true;
    if (size <= 0) {
        if (peer->size > 0) /* half a packet is one as well */
            answer_add(peer, peer->bytes, peer->size);
        answer_add(peer, NULL, 0);
        peer_close(peer);
        return false;
    }
    peer->size += (size_t)size;
    take_all(peer);
    return true;
}

void stage_send(struct stage *stage, size_t number, const struct units *units, bool quiet)
{
    struct peer *peer = &stage->peers[number];
    uint8_t *bytes = malloc(units->count + 1);
    check(bytes != NULL);
    for (size_t i = 0; i < units->count; i++)
        bytes[i] = (uint8_t)units->at[i];
    if (peer->fd < 0)
        peer_open(stage, peer);
    peer->quiet = quiet;
    peer->pings += units->count == sizeof pingreq && memcmp(bytes, pingreq, sizeof pingreq) == 0;
    peer_write(peer, bytes, units->count);
    free(bytes);
}

void stage_drop(struct stage *stage, size_t peer)
{
    peer_close(&stage->peers[peer]);
}

static void ping(struct peer *peer)
{
    peer->pinged++;
    peer_write(peer, pingreq, sizeof pingreq);
    while (peer->fd >= 0 && peer->pinged > 0)
        (void)peer_read(peer, true);
}

static void control_turns(struct stage *stage)
{
    struct peer *control = &stage->control;
    if (control->fd < 0) {
        peer_open(stage, control);
        peer_write(control, stage->hello, stage->hello_size);
    }
    for (int i = 0; i < CONTROL_ROUNDS; i++)
        ping(control);
    check(control->fd >= 0);
    peer_forget(control);
}

void stage_settle(struct stage *stage)
{
    control_turns(stage);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < PEERS; i++) {
            struct peer *peer = &stage->peers[i];
            while (peer->fd >= 0 && peer_read(peer, false)) {
            }
            if (peer->fd >= 0 && peer->in && !peer->quiet)
                ping(peer);
        }
    }
}

void stage_wait(struct stage *stage, size_t number)
{
    struct peer *peer = &stage->peers[number];
    check(peer->fd >= 0);
    while (peer->fd >= 0 && peer->answer_count == 0)
        (void)peer_read(peer, true);
    stage_settle(stage);
}

void stage_forget(struct stage *stage)
{
    for (size_t i = 0; i < PEERS; i++)
        peer_forget(&stage->peers[i]);
}
