#include "tests/support/presence_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONE(reason) (1u << (reason))

static _Noreturn void give_up(const struct model_device *device, const char *why)
{
    (void)fprintf(stderr, "presence_model: %s: %s\n", device->id, why);
    abort();
}

/* States. */

static struct model_state *state_push(struct model_device *device)
{
    if (device->count == MODEL_STATES_MAX)
        give_up(device, "too much happens without a rest");
    return &device->states[device->count++];
}

/* Something happens: what holds now becomes what may still be recorded, and a copy of it, which the
 * caller changes, holds. */
static void event_begin(struct model_device *device)
{
    size_t end = device->count;
    device->events++;
    for (size_t i = device->now; i < end; i++) {
        struct model_state *state = state_push(device);
        *state = device->states[i];
        state->event = device->events;
        state->cut_short = false;
    }
    device->now = end;
}

void model_state_drop(struct model_device *device, size_t at)
{
    device->count--;
    if (at < device->now)
        device->now--;
    memmove(&device->states[at], &device->states[at + 1],
            (device->count - at) * sizeof *device->states);
}

/* Only this one holds. */
static void state_set(struct model_device *device, const struct model_state *state)
{
    device->states[0] = *state;
    device->now = 0;
    device->count = 1;
}

void model_init(struct model_device *device, const char *id, const struct model_rules *rules)
{
    *device = (struct model_device){.rules = rules};
    (void)snprintf(device->id, sizeof device->id, "%s", id);
    state_set(device, &(struct model_state){.what = MODEL_NONE});
}

/* Nothing is known of the device's present generation, which may be none. */
static void begin_anew(struct model_device *device)
{
    event_begin(device);
    size_t end = device->now;
    device->count = end;
    *state_push(device) =
        (struct model_state){.generation = device->generation, .event = device->events};
}

void model_add(struct model_device *device, uint64_t generation)
{
    device->there = true;
    device->generation = generation;
    begin_anew(device);
}

void model_remove(struct model_device *device)
{
    device->there = false;
    device->generation = 0;
    begin_anew(device);
}

/* Connections. */

static struct model_connection *live_find(struct model_state *state, const char *client)
{
    for (size_t i = 0; i < state->live_count; i++) {
        if (strcmp(state->live[i].client, client) == 0)
            return &state->live[i];
    }
    return NULL;
}

static void live_drop(struct model_state *state, struct model_connection *connection)
{
    *connection = state->live[--state->live_count];
}

/* The newest. */
static const struct model_connection *live_newest(const struct model_state *state)
{
    const struct model_connection *newest = state->live;
    for (size_t i = 1; i < state->live_count; i++)
        newest = state->live[i].order > newest->order ? &state->live[i] : newest;
    return newest;
}

/* Where an offline in between was not told, the device was online all the time. */
static void since_when(const struct model_device *device, struct model_state *state, int64_t time)
{
    state->since_first = state->since_last = time;
    for (size_t i = 0; i < device->now; i++) {
        const struct model_state *past = &device->states[i];
        if (past->what != MODEL_ONLINE || past->generation != state->generation)
            continue;
        if (past->since_first < state->since_first)
            state->since_first = past->since_first;
        if (past->since_last > state->since_last)
            state->since_last = past->since_last;
    }
}

static void state_accept(const struct model_device *device, struct model_state *state,
                         const struct model_connection *connection)
{
    struct model_connection *old = live_find(state, connection->client);
    bool stands = old && old->conn == state->current;
    bool alone = !state->live_count;
    if (old)
        live_drop(state, old);
    if (state->live_count == MODEL_LIVE_MAX)
        give_up(device, "too many connections at a time");
    struct model_connection *new = &state->live[state->live_count++];
    *new = *connection;
    new->order = new->conn = ++state->connections;
    new->conn_more = state->unwatched;
    if (!alone && !stands)
        return;         /* another one lives, and the state is about that */
    if (state->waits) { /* it came back in time: nothing is told */
        new->conn = state->about.conn;
        new->conn_more = state->about.conn_more;
        state->latest = *new;
        state->held = true;
        state->waits = false;
        state->current = new->conn;
        return;
    }
    state->current = new->conn;
    if (state->what != MODEL_ONLINE)
        since_when(device, state, connection->time);
    state->what = MODEL_ONLINE;
    state->about = *new;
    state->reasons = 0;
    state->vague = state->held = false;
}

void model_accept(struct model_device *device, uint64_t generation,
                  const struct model_connection *connection)
{
    if (!device->there || generation != device->generation)
        return;
    event_begin(device);
    for (size_t i = device->now; i < device->count; i++) {
        struct model_state *state = &device->states[i];
        state->unwatched += device->off;
        state->vague |= device->off;
        if (!device->off)
            state_accept(device, state, connection);
    }
}

static unsigned reasons_of(const struct model_rules *rules, unsigned ends)
{
    static const enum reason told[MODEL_ENDS] = {REASON_CLIENT_DISCONNECT,
                                                 REASON_CONNECTION_LOST,
                                                 REASON_KEEPALIVE_TIMEOUT,
                                                 REASON_PROTOCOL_ERROR,
                                                 REASON_SESSION_TAKEN_OVER,
                                                 REASON_UNKNOWN,
                                                 REASON_DISABLED,
                                                 REASON_REVOKED,
                                                 REASON_EXPIRED};
    unsigned reasons = 0;
    for (unsigned end = 0; end < MODEL_ENDS; end++) {
        if (ends & 1u << end)
            reasons |= ONE(end < MODEL_UNTOLD && !rules->tells_ends ? REASON_UNKNOWN : told[end]);
    }
    return reasons;
}

static void state_end(struct model_state *state, const char *client, unsigned reasons, int64_t time,
                      bool delay)
{
    struct model_connection *gone = live_find(state, client);
    if (!gone)
        return;
    bool stood = gone->conn == state->current;
    live_drop(state, gone);
    if (!stood)
        return;
    if (state->live_count) {
        state->about = *live_newest(state);
        state->current = state->about.conn;
        state->held = false;
        return;
    }
    state->current = 0;
    state->reasons = reasons;
    state->left_at = time;
    if (delay) {
        state->waits = true;
        return;
    }
    state->what = MODEL_OFFLINE;
    state->since_first = state->since_last = time;
    state->cut_short = true;
}

void model_end_either(struct model_device *device, const char *client, unsigned ends, int64_t time)
{
    unsigned reasons = reasons_of(device->rules, ends);
    if (!live_find(&device->states[device->now], client))
        return;
    event_begin(device);
    size_t stop = device->count;
    for (size_t i = device->now; i < stop; i++) {
        struct model_state told = device->states[i];
        state_end(&told, client, reasons, time, false);
        bool left = told.what == MODEL_OFFLINE;
        if (device->rules->delay && left)
            *state_push(device) = told; /* when the delay is over */
        state_end(&device->states[i], client, reasons, time, device->rules->delay);
    }
}

void model_end(struct model_device *device, const char *client, enum model_end end, int64_t time)
{
    model_end_either(device, client, 1u << end, time);
}

void model_delay_over(struct model_device *device, bool over)
{
    for (size_t i = device->count; i-- > device->now;) {
        const struct model_state *state = &device->states[i];
        if (over ? state->waits : state->cut_short)
            model_state_drop(device, i);
    }
    if (device->now == device->count)
        give_up(device, "the delay that was seen to be over is not, or the other way round");
}

/* The broker. */

/* With nobody connected, offline for that reason. */
static void state_close(struct model_state *state, enum reason reason)
{
    state->live_count = 0;
    state->current = 0;
    state->waits = state->cut_short = false;
    if (state->what != MODEL_ONLINE)
        return;
    state->what = MODEL_OFFLINE;
    state->reasons = ONE(reason);
    state->since_first = INT64_MIN; /* when the next start comes to it */
    state->since_last = INT64_MAX;
}

/* A delay that runs is cut short: time and reason are those of the end. */
static void state_stop(struct model_state *state, int64_t time)
{
    bool was_online = state->what == MODEL_ONLINE, waited = state->waits;
    unsigned reasons = waited ? state->reasons : ONE(REASON_SERVER_SHUTDOWN);
    state_close(state, REASON_SERVER_SHUTDOWN);
    if (!was_online)
        return;
    state->reasons = reasons;
    state->since_first = state->since_last = waited ? state->left_at : time;
}

void model_stop(struct model_device *device, int64_t time)
{
    event_begin(device);
    for (size_t i = device->now; i < device->count; i++)
        state_stop(&device->states[i], time);
    model_rest(device);
}

void model_kill(struct model_device *device)
{
    device->now = 0;
    for (size_t i = device->count; i-- > 0;) {
        struct model_state *state = &device->states[i];
        state->event = device->events;
        if (state->generation == device->generation)
            state_close(state, REASON_BROKER_RESTART);
        else
            *state =
                (struct model_state){.generation = device->generation, .event = device->events};
    }
}

void model_start(struct model_device *device, bool presence)
{
    device->off = !presence;
}

void model_rest(struct model_device *device)
{
    while (device->now)
        model_state_drop(device, device->now - 1);
}
