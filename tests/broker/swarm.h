/* swarm.h - many small MQTT clients in one thread, over Unix sockets, TCP and WebSockets.
 *
 *   swarm_turn --> epoll --> bytes of a link --> mqtt_decode --> swarm.heard(link, packet)
 *                                           the connection ended --> swarm.ended(link)
 *
 * client.h leads one client by the hand; here nobody waits: what is to be done is begun, and what
 * comes of it is told by the link's state.
 */
#ifndef DEVREG_TESTS_SWARM_H
#define DEVREG_TESTS_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tests/support/mqtt.h"

enum link_state {
    LINK_NONE,    /* no connection; it may be opened */
    LINK_UPGRADE, /* a WebSocket, which is not there yet */
    LINK_ASKED,   /* CONNECT is sent */
    LINK_IN,      /* and accepted */
    LINK_SURE,    /* and the broker's loop has turned since: it answered a PINGREQ */
};

enum link_by { BY_SOCKET, BY_TCP, BY_WEBSOCKET };

/* One client. Begin with {0} and link_init; it is closed by link_drop, or when the other end is. */
struct link {
    enum link_state state;
    enum link_by by;
    void *owner; /* the user's */
    int fd;
    uint8_t code; /* of CONNACK */
    bool session_present;
    bool waits_for_room;
    size_t room, in_size, out_size;
    uint8_t *in, *out; /* bytes as they come and go; frames, for a WebSocket */
};

struct swarm {
    int epoll;
    struct sockaddr_storage address[3]; /* by enum link_by */
    socklen_t address_size[3];
    size_t unanswered; /* links that wait for CONNACK or PINGRESP */
    void *context;
    /* Any packet but CONNACK and PINGRESP. It may drop its own link. */
    void (*heard)(struct swarm *swarm, struct link *link, const struct mqtt_packet *packet);
    /* The broker has ended the connection: in `before` it was until then. The link is free. */
    void (*ended)(struct swarm *swarm, struct link *link, enum link_state before);
};

void swarm_open(struct swarm *swarm, const char *socket, int tcp_port, int ws_port);
void swarm_close(struct swarm *swarm);

/* `room` bytes for what comes, and for what cannot be sent yet. */
void link_init(struct link *link, size_t room);
void link_clear(struct swarm *swarm, struct link *link);

/* Sends CONNECT, and PINGREQ once it is accepted. False where nobody listens. */
bool link_open(struct swarm *swarm, struct link *link, enum link_by by,
               const struct mqtt_login *login);
void link_send(struct swarm *swarm, struct link *link, const uint8_t *bytes, size_t size);
/* It is LINK_IN until that is answered. */
void link_ping(struct swarm *swarm, struct link *link);
/* DISCONNECT, and closes. */
void link_disconnect(struct swarm *swarm, struct link *link);
/* Closes without a word; by RST where it is TCP and `hard`. Fine for LINK_NONE. */
void link_drop(struct swarm *swarm, struct link *link, bool hard);

/* Handles what has come, and waits up to `wait_ms` for it. */
void swarm_turn(struct swarm *swarm, int wait_ms);

#endif
