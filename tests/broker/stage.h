/* stage.h - one broker, and peers that speak to it in raw bytes and keep each packet that it
 * answers.
 *
 * Nothing is timed: after each step stage_settle waits until the broker has done with all that was
 * sent to it. Whoever is connected sends a PINGREQ; its answer comes behind all that the broker had
 * to say. One more connection does the same for those who cannot ask, since they are not in, or
 * have sent half a packet: when it was answered a few times, the broker has read what they sent
 * before.
 */
#ifndef DEVREG_TESTS_STAGE_H
#define DEVREG_TESTS_STAGE_H

#include "broker.h"
#include "script.h"

enum { PEERS = 26 };

/* A packet that the broker sent; of no size: it ended the connection. */
struct answer {
    uint8_t *bytes;
    size_t size;
    bool named; /* the user's, false at first */
};

struct peer {
    int fd;         /* -1 */
    bool in;        /* its CONNECT was accepted */
    bool quiet;     /* it sends no PINGREQ */
    uint16_t id;    /* of the last PUBLISH that came */
    size_t pings;   /* its own PINGREQs that are not answered yet */
    size_t pinged;  /* and those of stage_settle */
    uint8_t *bytes; /* not a whole packet yet */
    size_t size, room;
    struct answer *answers; /* since stage_forget */
    size_t answer_count, answer_room;
};

struct stage {
    struct broker *broker;
    const uint8_t *hello; /* CONNECT of the one who only asks */
    size_t hello_size;
    struct peer control, peers[PEERS];
};

void stage_init(struct stage *stage, struct broker *broker);
/* Ends all connections. */
void stage_clear(struct stage *stage);

/* Opens a connection where the peer has none. A `quiet` peer sends nothing but that. */
void stage_send(struct stage *stage, size_t peer, const struct units *units, bool quiet);
/* Closes it without a word. */
void stage_drop(struct stage *stage, size_t peer);
/* Waits until the broker has done. */
void stage_settle(struct stage *stage);
/* Waits until something has come to that peer, and then until the broker has done. */
void stage_wait(struct stage *stage, size_t peer);
/* Begins a new step: the answers so far are forgotten. */
void stage_forget(struct stage *stage);

#endif
