/* steps.h - one step of a device's history: drawn, told to its models, and written down as what
 * its clients and `devreg` are to do.
 */
#ifndef DEVREG_TESTS_STEPS_H
#define DEVREG_TESTS_STEPS_H

#include "fleet.h"

enum op_what {
    OP_OPEN,
    OP_OPEN_AND_LEAVE, /* CONNECT and DISCONNECT in one go */
    OP_OPEN_AND_DROP,  /* CONNECT, and the socket is closed */
    OP_LEAVE,          /* DISCONNECT */
    OP_DROP,
    OP_DROP_AND_OPEN /* the other link of the slot is closed, and this one opened */
};

/* What a client is to do. */
struct op {
    enum op_what what;
    struct slot *slot;
    size_t link;
    enum link_by by;
    bool hard;
    struct mqtt_login login;
};

enum { COMMAND_ROOM = 64, COMMANDS_MAX = 32 };

/* A round. Its registry changes are made while it is drawn, in the open write scope; those in
 * `commands` are for the program to make, before the clients begin. */
struct steps {
    struct fleet *fleet;
    int version; /* broker_version() */
    bool down;   /* the broker: nobody connects */
    size_t slow; /* steps that take seconds and may still be begun */
    /* Mosquitto 2.0.21 to 2.0.23 corrupt the list of their clients' keepalives, and crash, where a
     * WebSocket has one (eclipse-mosquitto/mosquitto issue 3499). */
    bool fragile;
    bool no_websocket; /* the step that is being drawn connects by none */
    bool limited;      /* the broker refuses a keepalive above KEEPALIVE_MAX, and none */
    size_t op_count, op_room;
    struct op *ops;
    size_t command_count;
    char commands[COMMANDS_MAX][COMMAND_ROOM];
    size_t histories; /* that have ended */
    size_t taken;
};

/* Where the broker is told so, and can: 2.0.21 and later. */
enum { KEEPALIVE_MAX = 1000 };

/* Another device's, which is always there. */
#define FOREIGN_CLIENT_ID "watcher"

/* Draws one step. */
void step_draw(struct steps *steps, struct actor *actor);
/* Has what it waits for happened, as far as its clients can see? */
bool step_is_over(const struct actor *actor);
/* Begins it. */
void op_run(struct swarm *swarm, const struct op *op);

#endif
