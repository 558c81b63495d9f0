/* client.h - many MQTT clients in one thread.
 *
 *   loop_turn --> epoll --> bytes of a client --> mqtt_decode --> loop.packet(client, packet)
 *                                            broker closed it --> loop.gone(client)
 *
 * A load generator has no use for half a result: whatever is unexpected ends the program with one
 * line on stderr (die).
 */
#ifndef DEVREG_TESTS_BENCH_CLIENT_H
#define DEVREG_TESTS_BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tests/support/mqtt.h"

enum {
    CLIENT_IN = 2048,
    CLIENT_OUT = 8192,
    CLIENT_KEEPALIVE = 1800 /* seconds: longer than any measurement, since nobody sends pings */
};

/* Who a client is. `key` is NULL where the broker asks for none. */
struct account {
    char *id, *key;
};

struct client {
    int fd; /* -1 while it has no connection */
    bool waits_for_room;
    bool up; /* the broker has accepted its CONNECT */
    const struct account *account;
    uint64_t received; /* messages: for the verb to count */
    size_t in_size, out_size;
    uint8_t in[CLIENT_IN], out[CLIENT_OUT];
};

struct loop {
    int epoll;
    double patience; /* seconds without any news after which it gives up */
    double heard;    /* when the last news came */
    struct sockaddr_storage address;
    socklen_t address_size;
    void *context; /* the verb's */
    /* Handlers may close clients, not open them. */
    void (*packet)(struct loop *loop, struct client *client, const struct mqtt_packet *packet);
    /* The broker has closed the connection; the client is free again. NULL: that is an error. */
    void (*gone)(struct loop *loop, struct client *client);
};

/* One line on stderr, and the end. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Of a clock that never goes back. */
double now(void);

/* `at` is a Unix socket's path, or a port on 127.0.0.1. */
void loop_open(struct loop *loop, const char *at, double patience);
void loop_close(struct loop *loop);
/* Handles what has come, and waits up to `wait_ms` for it (-1: until the patience ends). */
void loop_turn(struct loop *loop, int wait_ms);

/* `count` clients without a connection, for the accounts from the first on. */
struct client *clients_new(const struct account *accounts, size_t count);
void clients_free(struct client *clients, size_t count);

/* Connects, and sends CONNECT. False where the broker's backlog is full or all ports
 * are in use: try again later. */
bool client_open(struct loop *loop, struct client *client);
/* Is there room for a packet of this size? */
bool client_has_room(const struct client *client, size_t size);
/* Queues and sends. Dies where there is no room. */
void client_send(struct loop *loop, struct client *client, const uint8_t *bytes, size_t size);
/* Only queues, for whoever has more to say: client_flush sends it. */
void client_queue(struct client *client, const uint8_t *bytes, size_t size);
void client_flush(struct loop *loop, struct client *client);
void client_subscribe(struct loop *loop, struct client *client, const char *filter, uint8_t qos);
/* DISCONNECT, and closes. */
void client_disconnect(struct loop *loop, struct client *client);
/* Closes without a word. */
void client_close(struct loop *loop, struct client *client);

#endif
