/* What steps.h writes down, as it is done. */
#include "check.h"
#include "deadline.h"
#include "steps.h"

static bool want_is_met(const struct slot *slot, size_t link)
{
    enum link_state state = slot->links[link].state;
    switch (slot->want[link]) {
    case WANT_IN:
        return state == LINK_SURE;
    case WANT_REFUSED:
    case WANT_END:
        return state == LINK_NONE;
    case WANT_NOTHING:
        break;
    }
    return true;
}

bool step_is_over(const struct actor *actor)
{
    for (size_t i = 0; i < SLOTS; i++)
        for (size_t k = 0; k < 2; k++)
            if (!want_is_met(&actor->slots[i], k))
                return false;
    return !actor->parked || actor->parked_until == 0 || wall_ms() > actor->parked_until;
}

static void open_link(struct swarm *swarm, const struct op *op, struct link *link)
{
    uint8_t packet[4];
    check(link_open(swarm, link, op->by, &op->login));
    if (op->what == OP_OPEN_AND_LEAVE)
        link_send(swarm, link, packet, mqtt_disconnect(packet, sizeof packet));
    if (op->what == OP_OPEN_AND_DROP)
        link_drop(swarm, link, op->hard);
}

void op_run(struct swarm *swarm, const struct op *op)
{
    struct link *link = &op->slot->links[op->link];
    switch (op->what) {
    case OP_DROP_AND_OPEN:
        link_drop(swarm, &op->slot->links[1 - op->link], op->hard);
        open_link(swarm, op, link);
        break;
    case OP_OPEN:
    case OP_OPEN_AND_LEAVE:
    case OP_OPEN_AND_DROP:
        open_link(swarm, op, link);
        break;
    case OP_LEAVE:
        link_disconnect(swarm, link);
        break;
    case OP_DROP:
        link_drop(swarm, link, op->hard);
        break;
    }
}
