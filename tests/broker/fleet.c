#include "fleet.h"

#include <stdarg.h>
#include <string.h>

#include "check.h"
#include "deadline.h"

enum { LINK_ROOM = 1024 };

static struct model_device *model_new(void)
{
    struct model_device *model = malloc(sizeof *model);
    check(model != NULL);
    return model;
}

/* All but what nobody looks at. */
static void model_copy(struct model_device *to, const struct model_device *from)
{
    memcpy(to, from, offsetof(struct model_device, states) + from->count * sizeof *from->states);
    to->latest = from->latest;
}

void actor_init(struct fleet *fleet, struct actor *actor, size_t number)
{
    *actor = (struct actor){.model_count = 1, .rules = &fleet->rules};
    (void)snprintf(actor->id, sizeof actor->id, "d%zu", number);
    actor->models[0] = model_new();
    model_init(actor->models[0], actor->id, &fleet->rules);
    model_start(actor->models[0], true);
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &actor->slots[i];
        slot->actor = actor;
        (void)snprintf(slot->client_id, sizeof slot->client_id, "%.12s%s", actor->id,
                       i == 0   ? ""
                       : i == 1 ? ".b"
                                : ".c");
        for (size_t k = 0; k < 2; k++) {
            link_init(&slot->links[k], LINK_ROOM);
            slot->links[k].owner = slot;
        }
    }
}

static void drop_models(struct actor *actor, size_t from)
{
    while (actor->model_count > from)
        free(actor->models[--actor->model_count]);
}

void actor_clear(struct swarm *swarm, struct actor *actor)
{
    for (size_t i = 0; i < SLOTS; i++)
        for (size_t k = 0; k < 2; k++)
            link_clear(swarm, &actor->slots[i].links[k]);
    drop_models(actor, 0);
    crypto_wipe(actor->key, sizeof actor->key);
}

void actor_note(struct actor *actor, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(actor->steps[actor->step_count++ % STEPS_KEPT], STEP_TEXT, format, list);
    va_end(list);
}

struct place *actor_place(struct actor *actor, const char *topic)
{
    for (size_t i = 0; i < actor->place_count; i++)
        if (strcmp(actor->places[i].topic, topic) == 0)
            return &actor->places[i];
    check(actor->place_count < PLACES_MAX);
    struct place *place = &actor->places[actor->place_count++];
    *place = (struct place){.says = {.what = MODEL_NONE}};
    (void)snprintf(place->topic, sizeof place->topic, "%s", topic);
    return place;
}

/* ---- models */

static void touch(struct actor *actor)
{
    actor->settled = false;
}

/* One more like that. */
static struct model_device *another(struct actor *actor, size_t like)
{
    check(actor->model_count < MODELS_MAX);
    struct model_device *model = model_new();
    model_copy(model, actor->models[like]);
    actor->models[actor->model_count++] = model;
    return model;
}

static struct model_connection connection_of(const struct slot *slot,
                                             const struct mqtt_login *login)
{
    struct model_connection connection = {.protocol = login->version,
                                          .persistent = login->resumes,
                                          .keepalive = login->keepalive,
                                          .time = wall_ms()};
    (void)snprintf(connection.client, sizeof connection.client, "%s", slot->client_id);
    return connection;
}

void actor_accept(struct actor *actor, size_t slot, const struct mqtt_login *login)
{
    const struct model_connection connection = connection_of(&actor->slots[slot], login);
    touch(actor);
    actor->slots[slot].in = true;
    actor->slots[slot].credential = actor->credential;
    for (size_t i = 0; i < actor->model_count; i++)
        model_accept(actor->models[i], actor->generation, &connection);
}

void actor_end(struct actor *actor, size_t slot, enum model_end end)
{
    touch(actor);
    actor->slots[slot].in = false;
    for (size_t i = 0; i < actor->model_count; i++)
        model_end(actor->models[i], actor->slots[slot].client_id, end, wall_ms());
}

enum { ORDERS = 6 }; /* of three things */

static size_t permuted(size_t order, size_t at)
{
    static const uint8_t all[ORDERS][SLOTS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                               {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    return all[order][at];
}

static void end_in_order(const struct actor *actor, struct model_device *model,
                         const bool ends[static SLOTS], enum model_end end, size_t order)
{
    for (size_t at = 0; at < SLOTS; at++) {
        size_t slot = permuted(order, at);
        if (ends[slot])
            model_end(model, actor->slots[slot].client_id, end, wall_ms());
    }
}

/* One model for each order. */
void actor_end_all(struct actor *actor, enum model_end end, bool (*which)(const struct slot *slot))
{
    bool ends[SLOTS];
    size_t count = 0, models = actor->model_count;
    touch(actor);
    for (size_t i = 0; i < SLOTS; i++) {
        ends[i] = actor->slots[i].in && which(&actor->slots[i]);
        actor->slots[i].in &= !ends[i];
        count += ends[i];
    }
    for (size_t i = 0; i < models; i++)
        for (size_t order = count > 1 ? ORDERS : 1; order-- > 0;)
            if (actor->models[i] != actor->waiting)
                end_in_order(actor, order > 0 ? another(actor, i) : actor->models[i], ends, end,
                             order);
}

void actor_end_perhaps(struct actor *actor, size_t slot, enum model_end end)
{
    touch(actor);
    actor->waiting = actor->models[0];
    actor->slots[slot].in = false;
    model_end(another(actor, 0), actor->slots[slot].client_id, end, wall_ms());
}

void actor_end_all_perhaps(struct actor *actor, enum model_end end,
                           bool (*which)(const struct slot *slot))
{
    actor->waiting = actor->models[0];
    (void)another(actor, 0);
    actor_end_all(actor, end, which);
}

void actor_lost_perhaps(struct actor *actor, size_t slot)
{
    touch(actor);
    model_end(another(actor, 0), actor->slots[slot].client_id, MODEL_LOST, wall_ms());
}

static void model_drop(struct actor *actor, size_t at)
{
    if (actor->models[at] == actor->waiting)
        actor->waiting = NULL;
    free(actor->models[at]);
    actor->models[at] = actor->models[--actor->model_count];
}

void actor_waited(struct actor *actor)
{
    for (size_t i = actor->model_count; i-- > 0 && actor->waiting;)
        if (actor->models[i] == actor->waiting && actor->model_count > 1)
            model_drop(actor, i);
    actor->waiting = NULL;
}

void actor_drop_links(struct swarm *swarm, struct actor *actor)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &actor->slots[i];
        slot->in = false;
        slot->want[0] = slot->want[1] = WANT_NOTHING;
        link_drop(swarm, &slot->links[0], false);
        link_drop(swarm, &slot->links[1], false);
    }
}

/* Drops the model unless it is the last one. */
static bool model_fails(struct actor *actor, size_t at, const char *why)
{
    if (actor->model_count == 1) {
        (void)snprintf(actor->why, sizeof actor->why, "%s", why);
        return false;
    }
    model_drop(actor, at);
    return true;
}

static bool is_as_before(const struct actor *actor, const struct presence *record)
{
    return actor->was_down && actor->was_recorded == (record != NULL) &&
           (!record || (record->seq == actor->recorded.seq &&
                        record->connections == actor->recorded.connections &&
                        record->online == actor->recorded.online &&
                        record->generation == actor->recorded.generation));
}

/* Of the states that may have been recorded last only the one that was is left. */
static const char *model_recorded(struct model_device *model, const struct model_message *record)
{
    size_t count = 0;
    const char *why = model_seen(model, record);
    if (why)
        return why;
    while (count < model->count && model->states[count].event == model->states[0].event)
        count++;
    model->count = count;
    model->now = 0;
    return NULL;
}

static void note_record(struct actor *actor, const struct presence *record)
{
    actor->was_down = true;
    actor->was_recorded = record != NULL;
    if (record)
        actor->recorded = *record;
}

bool actor_killed(struct actor *actor, const struct presence *record)
{
    struct model_message message = {.what = MODEL_NONE};
    const char *why;
    touch(actor);
    if (record)
        model_message_of_record(&message, record);
    /* It was killed before it came to this one, or nothing was to be told. */
    bool before = is_as_before(actor, record) || actor->models[0]->off;
    for (size_t i = actor->model_count; i-- > 0 && !before;)
        if ((why = model_recorded(actor->models[i], &message)) && !model_fails(actor, i, why))
            return false;
    actor_broker(actor, model_kill);
    note_record(actor, record);
    return true;
}

/* One way in which the broker may have ended: in the state `at` of the model. */
struct stop {
    size_t at;
    unsigned closed; /* slots: 2.0 ends WebSockets before it stops, and says so */
    unsigned taken;  /* slots: taken over by one that was not in yet */
};

static void end_slots(const struct actor *actor, struct model_device *model, unsigned slots,
                      enum model_end end)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (slots >> i & 1)
            model_end(model, actor->slots[i].client_id, end, wall_ms());
}

/* What becomes of the model then, in `after`. NULL, or what disagrees with the record. */
static const char *stop_try(const struct actor *actor, const struct model_device *model,
                            const struct stop *stop, const struct model_message *record,
                            struct model_device *after)
{
    const struct model_state *state = &model->states[stop->at];
    const uint64_t generation = record->what == MODEL_NONE ? 0 : record->generation;
    model_copy(after, model);
    after->states[0] = *state;
    after->now = 0;
    after->count = 1;
    if (model->lapsed && generation && generation != model->generation) {
        model_forget(after); /* what is left of the one that was removed */
        return NULL;
    }
    end_slots(actor, after, stop->closed, MODEL_UNTOLD);
    end_slots(actor, after, stop->taken, MODEL_TAKEN_OVER);
    model_stop(after, wall_ms());
    after->lapsed = model->lapsed;
    return model_check_record(after, record);
}

static unsigned websockets_of(const struct actor *actor)
{
    unsigned all = 0;
    for (size_t i = 0; i < SLOTS; i++)
        for (size_t k = 0; k < 2 && !actor->rules->tells_ends; k++)
            all |= (unsigned)(actor->slots[i].links[k].by == BY_WEBSOCKET) << i;
    return all;
}

static unsigned live_in(const struct actor *actor, const struct model_state *state)
{
    unsigned all = 0;
    for (size_t i = 0; i < SLOTS; i++)
        for (size_t n = 0; n < state->live_count; n++)
            all |= (unsigned)(strcmp(state->live[n].client, actor->slots[i].client_id) == 0) << i;
    return all;
}

/* Tries all ways from that state. */
static bool stop_from(struct actor *actor, const struct model_device *model, size_t at, bool early,
                      const struct model_message *record, struct model_device *after)
{
    const unsigned live = live_in(actor, &model->states[at]);
    const unsigned websockets = websockets_of(actor) & live;
    for (unsigned taken = 0; taken <= (early ? live : 0); taken++)
        for (unsigned closed = 0; closed <= websockets; closed++) {
            const struct stop stop = {at, closed, taken};
            if ((closed & ~websockets) || (taken & ~live) || (closed && closed == live))
                continue;
            const char *why = stop_try(actor, model, &stop, record, after);
            if (!why)
                return true;
            (void)snprintf(actor->why, sizeof actor->why, "%s", why);
        }
    return false;
}

bool actor_stopped(struct actor *actor, const struct presence *record, bool early)
{
    static struct model_device after;
    struct model_message message = {.what = MODEL_NONE};
    touch(actor);
    if (record)
        model_message_of_record(&message, record);
    if (actor->models[0]->off || is_as_before(actor, record)) {
        actor_broker(actor, model_kill); /* it did not come to this one */
        note_record(actor, record);
        return true;
    }
    for (size_t i = 0; i < actor->model_count; i++) {
        const struct model_device *model = actor->models[i];
        for (size_t at = model->count; at-- > (early ? 0 : model->now);) {
            if (!stop_from(actor, model, at, early, &message, &after))
                continue;
            drop_models(actor, 1);
            actor->waiting = NULL;
            model_copy(actor->models[0], &after);
            note_record(actor, record);
            return true;
        }
    }
    return false;
}

void actor_forgotten(struct actor *actor)
{
    actor_broker(actor, model_forget);
    actor->was_recorded = false;
}

void actor_removed(struct actor *actor)
{
    touch(actor);
    actor->phase = PHASE_ABSENT;
    actor->told.unsure = true;
    for (size_t i = 0; i < SLOTS; i++)
        actor->slots[i].in = false;
    for (size_t i = 0; i < actor->model_count; i++)
        model_remove(actor->models[i]);
}

void actor_flicker(struct actor *actor, size_t slot, const struct mqtt_login *login)
{
    const struct model_connection connection = connection_of(&actor->slots[slot], login);
    touch(actor);
    /* With presence off only the highest number counts that it may have had. */
    struct model_device *model = actor->models[0]->off ? actor->models[0] : another(actor, 0);
    actor->flickered = true;
    model_accept(model, actor->generation, &connection);
    model_end(model, actor->slots[slot].client_id, MODEL_LOST, wall_ms());
}

void actor_broker(struct actor *actor, void (*what)(struct model_device *model))
{
    touch(actor);
    for (size_t i = 0; i < actor->model_count; i++)
        what(actor->models[i]);
}

bool actor_seen(struct actor *actor, const struct model_message *message)
{
    touch(actor);
    for (size_t i = actor->model_count; i-- > 0;) {
        const char *why = model_seen(actor->models[i], message);
        if (why && !model_fails(actor, i, why))
            return false;
    }
    return true;
}

/* What agrees with a model rules out what was before, in the model too. So it has to agree with
 * both: the record may be ahead of the message, and what it rules out may still be told. */
static const char *disagrees(struct model_device *model, const struct model_message *standing,
                             const struct model_message *record)
{
    static struct model_device scratch;
    const char *why;
    model_copy(&scratch, model);
    why = model_check(&scratch, standing);
    if (!why && !model->off)
        why = model_check_record(&scratch, record);
    if (!why)
        model_copy(model, &scratch);
    return why;
}

bool actor_agrees(struct actor *actor, const struct model_message *standing,
                  const struct model_message *record)
{
    for (size_t i = 0; i < actor->model_count; i++) {
        const char *why = disagrees(actor->models[i], standing, record);
        if (why) {
            (void)snprintf(actor->why, sizeof actor->why, "%s", why);
            continue;
        }
        struct model_device *right = actor->models[i];
        actor->models[i] = actor->models[0];
        actor->models[0] = right;
        drop_models(actor, 1);
        model_rest(right);
        actor->waiting = NULL;
        actor->was_down = actor->flickered = false;
        return true;
    }
    return false;
}
