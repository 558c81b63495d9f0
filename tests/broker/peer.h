/* peer.h - a connection to the broker that sends bytes as they are: over the Unix socket, TCP, or
 * in frames of a WebSocket, which may be wrong as well. */
#ifndef DEVREG_TESTS_PEER_H
#define DEVREG_TESTS_PEER_H

#include "broker.h"
#include "hostile.h"

enum peer_by { PEER_UNIX, PEER_TCP, PEER_WEBSOCKET };

struct peer {
    enum peer_by by;
    int fd;                /* -1 for none */
    bool ended;            /* by the broker */
    bool ready;            /* it has answered the WebSocket's handshake */
    int64_t until;         /* and has to by then */
    const char *forbidden; /* what it may not get; lent */
    bool saw;              /* and got */
    struct stream stream;
    size_t sent;
    size_t tail_size;
    char tail[64]; /* of what came, to find what is cut in two */
};

/* With a stream that is made next, and `forbidden` set. False where nobody listens. */
bool peer_open(struct peer *peer, enum peer_by by, const struct broker *broker, struct rng *rng);
/* Sends some more of its stream. False where there is nothing left to send, or nobody to take it.
 */
bool peer_send(struct peer *peer);
/* Reads what has come. */
void peer_read(struct peer *peer);
/* By FIN, or by RST where it is TCP and `hard`. */
void peer_close(struct peer *peer, bool hard);

#endif
