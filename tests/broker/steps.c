#include "steps.h"

#include <string.h>

#include "check.h"
#include "deadline.h"

enum { SOON_MS = 150, KEEPALIVE = 600, HISTORY_MIN = 10, HISTORY_MAX = 20 };

static const char wrong_key[] = "devreg_000000000000000000000000000000000000";

/* ---- what a device's clients may do */

static struct op *op_new(struct steps *steps, struct slot *slot, enum op_what what)
{
    check(steps->op_count < steps->op_room);
    struct op *op = &steps->ops[steps->op_count++];
    *op = (struct op){.what = what, .slot = slot, .link = slot->at};
    return op;
}

static struct slot *slot_of(struct actor *actor, size_t slot)
{
    return &actor->slots[slot];
}

static bool is_free(const struct slot *slot)
{
    return !slot->in && slot->links[0].state == LINK_NONE && slot->links[1].state == LINK_NONE;
}

/* A slot that is in, or a free one; SLOTS for none. */
static size_t slot_draw(struct steps *steps, struct actor *actor, bool in)
{
    size_t first = rng_below(steps->fleet->rng, SLOTS);
    for (size_t i = 0; i < SLOTS; i++) {
        size_t slot = (first + i) % SLOTS;
        if (in ? actor->slots[slot].in : is_free(&actor->slots[slot]))
            return slot;
    }
    return SLOTS;
}

static size_t count_in(const struct actor *actor)
{
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++)
        count += actor->slots[i].in;
    return count;
}

static struct mqtt_login login_draw(struct steps *steps, struct actor *actor, size_t slot)
{
    struct rng *rng = steps->fleet->rng;
    struct mqtt_login login = {.client_id = actor->slots[slot].client_id,
                               .user = actor->id,
                               .password = actor->key,
                               .version = (uint8_t)(3 + rng_below(rng, 3)),
                               .keepalive = (uint16_t)(KEEPALIVE + rng_below(rng, 100)),
                               .resumes = rng_percent(rng, 40)};
    if (login.version == 5 && rng_percent(rng, 50))
        login.expiry = rng_percent(rng, 50) ? 1 : 3600;
    if (rng_percent(rng, 20)) {
        login.will_topic = "devices/will";
        login.will = "gone";
    }
    return login;
}

static enum link_by by_draw(const struct steps *steps)
{
    size_t drawn = rng_below(steps->fleet->rng, 10);
    bool websockets = !steps->fragile || !steps->limited;
    return drawn < 6 ? BY_SOCKET : drawn < 8 || !websockets ? BY_TCP : BY_WEBSOCKET;
}

static const char *by_name(enum link_by by)
{
    return by == BY_SOCKET ? "socket" : by == BY_TCP ? "TCP" : "WebSocket";
}

static struct op *op_open(struct steps *steps, struct actor *actor, size_t slot, enum want want)
{
    struct slot *at = slot_of(actor, slot);
    struct op *op = op_new(steps, at, OP_OPEN);
    op->by = by_draw(steps);
    if (steps->no_websocket && op->by == BY_WEBSOCKET)
        op->by = BY_TCP;
    op->login = login_draw(steps, actor, slot);
    if (steps->fragile && op->by == BY_WEBSOCKET)
        op->login.keepalive = 0;
    if (at->in)
        op->link = 1 - at->at;
    at->want[op->link] = want;
    return op;
}

static void note_login(struct actor *actor, const char *what, const struct op *op)
{
    const struct mqtt_login *login = &op->login;
    actor_note(actor, "%s: client %s protocol %u %s%s by %s keepalive %u", what, login->client_id,
               login->version, login->resumes ? "persistent" : "clean",
               login->expiry ? " with expiry" : "", by_name(op->by), login->keepalive);
}

static void let_in(struct actor *actor, const struct op *op, size_t slot)
{
    actor_accept(actor, slot, &op->login);
    actor->slots[slot].at = op->link;
}

static void step_connect(struct steps *steps, struct actor *actor)
{
    size_t slot = slot_draw(steps, actor, false);
    const struct op *op = op_open(steps, actor, slot, WANT_IN);
    note_login(actor, "connects", op);
    let_in(actor, op, slot);
}

static void step_take_over(struct steps *steps, struct actor *actor)
{
    size_t slot = slot_draw(steps, actor, true);
    struct slot *at = slot_of(actor, slot);
    const struct op *op = op_open(steps, actor, slot, WANT_IN);
    note_login(actor, "takes over", op);
    at->want[at->at] = WANT_END;
    let_in(actor, op, slot);
}

static void end(struct actor *actor, size_t slot, enum model_end how)
{
    struct slot *at = slot_of(actor, slot);
    at->want[at->at] = WANT_END;
    actor_end(actor, slot, how);
}

static void step_leave(struct steps *steps, struct actor *actor)
{
    size_t slot = slot_draw(steps, actor, true);
    (void)op_new(steps, slot_of(actor, slot), OP_LEAVE);
    actor_note(actor, "disconnects: client %s", actor->slots[slot].client_id);
    end(actor, slot, MODEL_LEFT);
}

static void step_drop(struct steps *steps, struct actor *actor)
{
    size_t slot = slot_draw(steps, actor, true);
    struct op *op = op_new(steps, slot_of(actor, slot), OP_DROP);
    op->hard = rng_percent(steps->fleet->rng, 50);
    actor_note(actor, "is lost: client %s", actor->slots[slot].client_id);
    end(actor, slot, MODEL_LOST);
}

/* The broker may hear of the new one first: then it is a take-over. */
static void step_come_back(struct steps *steps, struct actor *actor)
{
    size_t slot = slot_draw(steps, actor, true);
    struct slot *at = slot_of(actor, slot);
    struct op *op = op_open(steps, actor, slot, WANT_IN);
    op->what = OP_DROP_AND_OPEN;
    op->hard = rng_percent(steps->fleet->rng, 50);
    note_login(actor, "is lost and back at once", op);
    at->want[at->at] = WANT_END;
    actor_lost_perhaps(actor, slot);
    let_in(actor, op, slot);
}

/* Over a WebSocket both packets may be read in one turn of 2.0's loop, and then it was never in. */
static void step_flash(struct steps *steps, struct actor *actor)
{
    size_t slot = slot_draw(steps, actor, false);
    struct op *op = op_open(steps, actor, slot, WANT_END);
    op->what = OP_OPEN_AND_LEAVE;
    if (op->by == BY_WEBSOCKET)
        op->by = BY_TCP;
    note_login(actor, "connects and disconnects at once", op);
    let_in(actor, op, slot);
    actor_end(actor, slot, MODEL_LEFT);
}

static void step_flicker(struct steps *steps, struct actor *actor)
{
    size_t slot = slot_draw(steps, actor, false);
    struct op *op = op_open(steps, actor, slot, WANT_END);
    op->what = OP_OPEN_AND_DROP;
    op->hard = rng_percent(steps->fleet->rng, 50);
    note_login(actor, "connects and is lost at once", op);
    actor_flicker(actor, slot, &op->login);
}

static void step_keepalive(struct steps *steps, struct actor *actor)
{
    size_t slot = slot_draw(steps, actor, false);
    struct op *op = op_open(steps, actor, slot, WANT_END);
    steps->slow--;
    op->login.keepalive = 1;
    note_login(actor, "connects and falls silent", op);
    let_in(actor, op, slot);
    actor_end_perhaps(actor, slot, MODEL_TIMED_OUT);
    actor->parked = true;
}

/* ---- CONNECTs that are refused, mostly beside a connection of the same device */

/* With a client id that is in, or any. */
static struct op *open_refused(struct steps *steps, struct actor *actor, const char *why)
{
    size_t slot = slot_draw(steps, actor, true);
    if (slot == SLOTS)
        slot = slot_draw(steps, actor, false);
    struct op *op = op_open(steps, actor, slot, WANT_REFUSED);
    actor_note(actor, "is refused for %s: client %s by %s", why, op->login.client_id,
               by_name(op->by));
    return op;
}

static void step_wrong_key(struct steps *steps, struct actor *actor)
{
    open_refused(steps, actor, "a wrong key")->login.password = wrong_key;
}

static void step_foreign_client_id(struct steps *steps, struct actor *actor)
{
    open_refused(steps, actor, "another's client id")->login.client_id = FOREIGN_CLIENT_ID;
}

static void step_bad_will(struct steps *steps, struct actor *actor)
{
    struct op *op = open_refused(steps, actor, "a will with a wildcard");
    op->login.will_topic = "devices/#";
    op->login.will = "gone";
}

/* The broker takes over first, and then refuses. */
static void step_long_keepalive(struct steps *steps, struct actor *actor)
{
    struct op *op = open_refused(steps, actor, "its keepalive");
    op->login.keepalive = KEEPALIVE_MAX + 1;
    op->login.version = (uint8_t)(3 + rng_below(steps->fleet->rng, 2));
    if (op->by == BY_WEBSOCKET)
        op->by = BY_TCP;
    if (op->slot->in)
        end(actor, (size_t)(op->slot - actor->slots), MODEL_TAKEN_OVER);
}

static void step_knock(struct steps *steps, struct actor *actor)
{
    (void)open_refused(steps, actor, "its state");
}

/* ---- what `devreg` may do to it */

static bool any(const struct slot *slot)
{
    (void)slot;
    return true;
}

static bool with_an_old_key(const struct slot *slot)
{
    return slot->credential != slot->actor->credential;
}

static void want_ends(struct actor *actor, bool (*which)(const struct slot *slot))
{
    for (size_t i = 0; i < SLOTS; i++)
        if (actor->slots[i].in && which(&actor->slots[i]))
            actor->slots[i].want[actor->slots[i].at] = WANT_END;
}

static void end_all(struct actor *actor, enum model_end end)
{
    want_ends(actor, any);
    actor_end_all(actor, end, any);
}

/* Now and then the program does it. */
static bool command(struct steps *steps, struct actor *actor, const char *verb)
{
    bool drawn = rng_percent(steps->fleet->rng, 3) && steps->command_count < COMMANDS_MAX;
    actor_note(actor, "%s%s", drawn ? "devreg " : "", verb);
    if (drawn)
        (void)snprintf(steps->commands[steps->command_count++], COMMAND_ROOM, "%s %s", verb,
                       actor->id);
    return drawn;
}

static void set_state(struct steps *steps, struct actor *actor, enum log_verb verb,
                      enum phase phase)
{
    if (!command(steps, actor, log_verb_name(verb)))
        fleet_set_state(steps->fleet, actor, verb);
    actor->phase = phase;
}

static void step_disable(struct steps *steps, struct actor *actor)
{
    set_state(steps, actor, LOG_DISABLE, PHASE_DISABLED);
    end_all(actor, MODEL_DISABLED);
}

static void step_enable(struct steps *steps, struct actor *actor)
{
    set_state(steps, actor, LOG_ENABLE, PHASE_ENABLED);
}

static void step_revoke(struct steps *steps, struct actor *actor)
{
    set_state(steps, actor, LOG_REVOKE, PHASE_REVOKED);
    end_all(actor, MODEL_REVOKED);
}

static void step_add(struct steps *steps, struct actor *actor)
{
    actor_note(actor, "add");
    fleet_add(steps->fleet, actor);
    actor->left = HISTORY_MIN + rng_below(steps->fleet->rng, HISTORY_MAX - HISTORY_MIN + 1);
}

/* What is live ends with it, and no model waits for that. */
static void step_remove(struct steps *steps, struct actor *actor)
{
    want_ends(actor, any);
    if (!command(steps, actor, "remove"))
        fleet_remove(steps->fleet, actor);
    actor_removed(actor);
    steps->histories++;
}

static void step_replace(struct steps *steps, struct actor *actor)
{
    want_ends(actor, any);
    actor_note(actor, "remove, and at once:");
    fleet_remove(steps->fleet, actor);
    actor_removed(actor);
    steps->histories++;
    step_add(steps, actor);
}

static void step_note(struct steps *steps, struct actor *actor)
{
    actor_note(actor, "set --note");
    fleet_note(steps->fleet, actor);
}

static void step_move(struct steps *steps, struct actor *actor)
{
    fleet_move(steps->fleet, actor);
    actor_note(actor, "set --set site: number %zu", actor->site);
}

/* Ends at a time of its own. */
static void end_soon(struct actor *actor, int64_t at, bool (*which)(const struct slot *slot))
{
    actor->parked = true;
    actor->parked_until = at;
    want_ends(actor, which);
    actor_end_all_perhaps(actor, MODEL_EXPIRED, which);
}

static void step_expire(struct steps *steps, struct actor *actor)
{
    int64_t at = wall_ms() + SOON_MS;
    actor_note(actor, "set --expires: soon");
    fleet_expire(steps->fleet, actor, at);
    end_soon(actor, at, any);
}

static void step_expire_no_more(struct steps *steps, struct actor *actor)
{
    actor_note(actor, "set --expires never");
    fleet_expire(steps->fleet, actor, 0);
}

static void step_rotate(struct steps *steps, struct actor *actor)
{
    actor_note(actor, "rotate --grace 0");
    fleet_rotate(steps->fleet, actor, 0, false);
    end_all(actor, MODEL_EXPIRED);
}

static void step_rotate_with_grace(struct steps *steps, struct actor *actor)
{
    int64_t at = wall_ms() + SOON_MS;
    actor_note(actor, "rotate --grace: a moment");
    fleet_rotate(steps->fleet, actor, at, false);
    end_soon(actor, at, any);
}

/* And the new key is used at once, perhaps to take over. Not by a WebSocket: 2.0 ends those itself
 * when it is stopped, in any order and without a reason. One that ends so before those of the old
 * key, in the turn in which it ended these, leaves no trace: the last reason is "expired". */
static void step_rotate_until_used(struct steps *steps, struct actor *actor)
{
    bool over = rng_percent(steps->fleet->rng, 50) || slot_draw(steps, actor, false) == SLOTS;
    actor_note(actor, "rotate --until-used");
    fleet_rotate(steps->fleet, actor, 0, true);
    steps->no_websocket = !steps->fleet->rules.tells_ends; /* 2.1 does */
    if (over)
        step_take_over(steps, actor);
    else
        step_connect(steps, actor);
    steps->no_websocket = false;
    want_ends(actor, with_an_old_key);
    actor_end_all(actor, MODEL_EXPIRED, with_an_old_key);
}

/* ---- which one */

enum where { ANYWHERE, WHERE_IN, WHERE_FREE, WHERE_SLOW, WHERE_LONG };

/* How often, in which phase; with a connection, with a client id to connect with, with a broker
 * that runs. */
static const struct choice {
    void (*step)(struct steps *steps, struct actor *actor);
    enum phase phase;
    unsigned weight;
    enum where where;
    bool connects;
} choices[] = {
    {step_add, PHASE_ABSENT, 70, ANYWHERE, false},
    {step_knock, PHASE_ABSENT, 10, WHERE_FREE, true},
    {step_connect, PHASE_ENABLED, 40, WHERE_FREE, true},
    {step_leave, PHASE_ENABLED, 20, WHERE_IN, true},
    {step_drop, PHASE_ENABLED, 18, WHERE_IN, true},
    {step_take_over, PHASE_ENABLED, 16, WHERE_IN, true},
    {step_come_back, PHASE_ENABLED, 8, WHERE_IN, true},
    {step_flash, PHASE_ENABLED, 5, WHERE_FREE, true},
    {step_flicker, PHASE_ENABLED, 4, WHERE_FREE, true},
    {step_keepalive, PHASE_ENABLED, 2, WHERE_SLOW, true},
    {step_wrong_key, PHASE_ENABLED, 7, ANYWHERE, true},
    {step_foreign_client_id, PHASE_ENABLED, 4, ANYWHERE, true},
    {step_bad_will, PHASE_ENABLED, 3, ANYWHERE, true},
    {step_long_keepalive, PHASE_ENABLED, 4, WHERE_LONG, true},
    {step_note, PHASE_ENABLED, 2, ANYWHERE, false},
    {step_move, PHASE_ENABLED, 6, ANYWHERE, false},
    {step_disable, PHASE_ENABLED, 5, ANYWHERE, false},
    {step_revoke, PHASE_ENABLED, 2, ANYWHERE, false},
    {step_expire, PHASE_ENABLED, 2, ANYWHERE, false},
    {step_rotate, PHASE_ENABLED, 3, ANYWHERE, false},
    {step_rotate_with_grace, PHASE_ENABLED, 2, ANYWHERE, false},
    {step_rotate_until_used, PHASE_ENABLED, 3, WHERE_IN, true},
    {step_replace, PHASE_ENABLED, 2, ANYWHERE, false},
    {step_remove, PHASE_ENABLED, 1, ANYWHERE, false},
    {step_move, PHASE_DISABLED, 5, ANYWHERE, false},
    {step_enable, PHASE_DISABLED, 40, ANYWHERE, false},
    {step_knock, PHASE_DISABLED, 20, ANYWHERE, true},
    {step_revoke, PHASE_DISABLED, 5, ANYWHERE, false},
    {step_remove, PHASE_DISABLED, 2, ANYWHERE, false},
    {step_knock, PHASE_REVOKED, 20, ANYWHERE, true},
    {step_remove, PHASE_REVOKED, 20, ANYWHERE, false},
    {step_replace, PHASE_REVOKED, 20, ANYWHERE, false},
    {step_expire_no_more, PHASE_EXPIRED, 40, ANYWHERE, false},
    {step_knock, PHASE_EXPIRED, 20, ANYWHERE, true},
    {step_remove, PHASE_EXPIRED, 2, ANYWHERE, false},
};

static bool is_possible(const struct steps *steps, const struct actor *actor,
                        const struct choice *choice)
{
    size_t in = count_in(actor);
    if (choice->phase != actor->phase || (choice->connects && steps->down))
        return false;
    switch (choice->where) {
    case WHERE_IN:
        return in > 0;
    case WHERE_FREE:
        return in < SLOTS;
    case WHERE_SLOW:
        return in == 0 && steps->slow > 0;
    case WHERE_LONG:
        return steps->limited;
    case ANYWHERE:
        break;
    }
    return true;
}

static const struct choice *choice_draw(struct steps *steps, const struct actor *actor)
{
    unsigned sum = 0;
    const size_t count = sizeof choices / sizeof *choices;
    for (size_t i = 0; i < count; i++)
        sum += is_possible(steps, actor, &choices[i]) ? choices[i].weight : 0;
    if (sum == 0)
        return NULL;
    size_t drawn = rng_below(steps->fleet->rng, sum);
    for (size_t i = 0; i < count; i++) {
        if (!is_possible(steps, actor, &choices[i]))
            continue;
        if (drawn < choices[i].weight)
            return &choices[i];
        drawn -= choices[i].weight;
    }
    return NULL;
}

static void forget_wants(struct actor *actor)
{
    for (size_t i = 0; i < SLOTS; i++) {
        actor->slots[i].want[0] = actor->slots[i].want[1] = WANT_NOTHING;
        if (actor->slots[i].in)
            actor->slots[i].want[actor->slots[i].at] = WANT_IN;
    }
}

void step_draw(struct steps *steps, struct actor *actor)
{
    const struct choice *choice;
    forget_wants(actor);
    actor->parked = false;
    actor->parked_until = 0;
    if (actor->left == 0 && actor->phase != PHASE_ABSENT) {
        step_remove(steps, actor);
    } else if ((choice = choice_draw(steps, actor))) {
        actor->left -= actor->left > 0;
        choice->step(steps, actor);
    }
    steps->taken++;
}
