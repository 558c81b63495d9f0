#include "tests/bench/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, DISCONNECT_SIZE = 2, PACKET_SIZE = 512 };

void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)fputs("bench load: ", stderr);
    (void)vfprintf(stderr, format, list);
    (void)fputc('\n', stderr);
    va_end(list);
    exit(EXIT_FAILURE);
}

double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void address_unix(struct loop *loop, const char *path)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&loop->address;
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path)
        die("%s: too long for the path of a socket", path);
    memcpy(address->sun_path, path, strlen(path) + 1);
    loop->address_size = sizeof *address;
}

static void address_port(struct loop *loop, const char *text)
{
    struct sockaddr_in *address = (struct sockaddr_in *)&loop->address;
    char *rest;
    unsigned long port = strtoul(text, &rest, 10);
    if (port == 0 || port > UINT16_MAX || *rest)
        die("%s: neither a port nor the path of a socket", text);
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)port);
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    loop->address_size = sizeof *address;
}

void loop_open(struct loop *loop, const char *at, double patience)
{
    *loop = (struct loop){.patience = patience, .heard = now()};
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0)
        die("epoll: %s", strerror(errno));
    if (at[0] == '/')
        address_unix(loop, at);
    else
        address_port(loop, at);
}

void loop_close(struct loop *loop)
{
    (void)close(loop->epoll);
}

struct client *clients_new(const struct account *accounts, size_t count)
{
    struct client *clients = calloc(count > 0 ? count : 1, sizeof *clients);
    if (!clients)
        die("no memory for %zu clients", count);
    for (size_t i = 0; i < count; i++) {
        clients[i].fd = -1;
        clients[i].account = &accounts[i];
    }
    return clients;
}

void clients_free(struct client *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (clients[i].fd >= 0)
            (void)close(clients[i].fd);
    free(clients);
}

static void watch(struct loop *loop, struct client *client, int operation, bool room)
{
    struct epoll_event event = {.events = EPOLLIN | (room ? (uint32_t)EPOLLOUT : 0),
                                .data.ptr = client};
    if (epoll_ctl(loop->epoll, operation, client->fd, &event))
        die("epoll: %s", strerror(errno));
    client->waits_for_room = room;
}

static int socket_new(struct loop *loop)
{
    int on = 1;
    int family = loop->address.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket: %s", strerror(errno));
    if (family == AF_INET && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
        die("TCP_NODELAY: %s", strerror(errno));
    return fd;
}

static void queue_connect(struct client *client)
{
    const struct account *account = client->account;
    const struct mqtt_login login = {.client_id = account->id,
                                     .user = account->key ? account->id : NULL,
                                     .password = account->key,
                                     .keepalive = CLIENT_KEEPALIVE};
    client->out_size = mqtt_connect(client->out, sizeof client->out, &login);
    if (client->out_size == 0)
        die("%s: too long for a CONNECT", account->id);
}

bool client_open(struct loop *loop, struct client *client)
{
    int fd = socket_new(loop);
    bool done = connect(fd, (const struct sockaddr *)&loop->address, loop->address_size) == 0;
    if (!done && (errno == EAGAIN || errno == EADDRNOTAVAIL)) {
        (void)close(fd);
        return false;
    }
    if (!done && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    client->fd = fd;
    client->up = false;
    client->in_size = 0;
    queue_connect(client);
    watch(loop, client, EPOLL_CTL_ADD, !done);
    if (done)
        client_flush(loop, client);
    return true;
}

bool client_has_room(const struct client *client, size_t size)
{
    return size <= sizeof client->out - client->out_size;
}

void client_queue(struct client *client, const uint8_t *bytes, size_t size)
{
    if (size == 0 || !client_has_room(client, size))
        die("%s: more to send than fits", client->account->id);
    memcpy(client->out + client->out_size, bytes, size);
    client->out_size += size;
}

static void end_of(struct loop *loop, struct client *client, const char *why)
{
    if (!loop->gone)
        die("%s: the connection ended: %s", client->account->id, why);
    client_close(loop, client);
    loop->gone(loop, client);
}

void client_flush(struct loop *loop, struct client *client)
{
    ssize_t sent = send(client->fd, client->out, client->out_size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        end_of(loop, client, strerror(errno));
        return;
    }
    if (sent > 0) {
        client->out_size -= (size_t)sent;
        memmove(client->out, client->out + sent, client->out_size);
    }
    bool room = client->out_size > 0;
    if (room != client->waits_for_room)
        watch(loop, client, EPOLL_CTL_MOD, room);
}

void client_send(struct loop *loop, struct client *client, const uint8_t *bytes, size_t size)
{
    client_queue(client, bytes, size);
    if (!client->waits_for_room)
        client_flush(loop, client);
}

void client_subscribe(struct loop *loop, struct client *client, const char *filter, uint8_t qos)
{
    uint8_t packet[PACKET_SIZE];
    size_t size = mqtt_subscribe(packet, sizeof packet, 1, filter, qos);
    client_send(loop, client, packet, size);
}

void client_close(struct loop *loop, struct client *client)
{
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, client->fd, NULL);
    (void)close(client->fd);
    client->fd = -1;
    client->up = false;
}

void client_disconnect(struct loop *loop, struct client *client)
{
    uint8_t packet[DISCONNECT_SIZE];
    size_t size = mqtt_disconnect(packet, sizeof packet);
    if (send(client->fd, packet, size, MSG_NOSIGNAL) != (ssize_t)size)
        die("%s: DISCONNECT could not be sent", client->account->id);
    client_close(loop, client);
}

/* Hands over the whole packets in the buffer. The handler may close the client. */
static void hand_over(struct loop *loop, struct client *client)
{
    size_t at = 0;
    while (client->fd >= 0 && at < client->in_size) {
        struct mqtt_packet packet;
        size_t used = 0;
        enum mqtt_found found = mqtt_decode(client->in + at, client->in_size - at, &packet, &used);
        if (found == MQTT_BAD)
            die("%s: the broker sent what is no packet", client->account->id);
        if (found == MQTT_MORE)
            break;
        at += used;
        loop->packet(loop, client, &packet);
    }
    client->in_size -= at;
    memmove(client->in, client->in + at, client->in_size);
}

static void hear(struct loop *loop, struct client *client)
{
    size_t room = sizeof client->in - client->in_size;
    if (room == 0)
        die("%s: a packet of more than %d bytes", client->account->id, CLIENT_IN);
    ssize_t got = recv(client->fd, client->in + client->in_size, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        end_of(loop, client, got == 0 ? "by the broker" : strerror(errno));
        return;
    }
    client->in_size += (size_t)got;
    hand_over(loop, client);
}

static void handle(struct loop *loop, const struct epoll_event *event)
{
    struct client *client = event->data.ptr;
    if (client->fd >= 0 && event->events & EPOLLOUT)
        client_flush(loop, client);
    if (client->fd >= 0 && event->events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        hear(loop, client);
}

void loop_turn(struct loop *loop, int wait_ms)
{
    struct epoll_event events[EVENTS];
    double left = loop->heard + loop->patience - now();
    if (left <= 0)
        die("nothing came for %.0f seconds", loop->patience);
    int longest = (int)(left * 1000) + 1;
    int count = epoll_wait(loop->epoll, events, EVENTS,
                           wait_ms < 0 || wait_ms > longest ? longest : wait_ms);
    if (count < 0 && errno != EINTR)
        die("epoll: %s", strerror(errno));
    if (count > 0)
        loop->heard = now();
    for (int i = 0; i < count; i++)
        handle(loop, &events[i]);
}
