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

/* Of the states that hold, those that are the same count once. */
static void event_end(struct model_device *device)
{
    for (size_t i = device->now; i < device->count; i++) {
        for (size_t n = device->count; n-- > i + 1;) {
            if (memcmp(&device->states[i], &device->states[n], sizeof *device->states) == 0)
                model_state_drop(device, n);
        }
    }
}

void model_init(struct model_device *device, const char *id, const struct model_rules *rules)
{
    /* Not the states that it may never come to, which are most of it. */
    memset(device, 0, offsetof(struct model_device, states));
    device->latest = (struct model_message){.what = MODEL_NONE};
    device->line[0] = '\0';
    device->rules = rules;
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
    device->lapsed = true;
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

static bool state_has(const struct model_state *state, const char *client)
{
    bool has = false;
    for (size_t i = 0; i < state->live_count; i++)
        has |= strcmp(state->live[i].client, client) == 0;
    return has;
}

static void live_drop(struct model_state *state, struct model_connection *connection)
{
    *connection = state->live[--state->live_count];
}

/* The newest that stays; NULL for none. */
static const struct model_connection *live_newest(const struct model_state *state)
{
    const struct model_connection *newest = NULL;
    for (size_t i = 0; i < state->live_count; i++) {
        const struct model_connection *c = &state->live[i];
        if (!c->leaving && (!newest || c->order > newest->order))
            newest = c;
    }
    return newest;
}

static void since_widen(struct model_state *state, int64_t first, int64_t last)
{
    state->since_first = first < state->since_first ? first : state->since_first;
    state->since_last = last > state->since_last ? last : state->since_last;
}

/* It is online since now. But if an offline in between was not told, since then; and if the online
 * that it takes over was not told, since then or now. */
static void since_when(const struct model_device *device, struct model_state *state, int64_t time)
{
    bool begins = state->what != MODEL_ONLINE;
    if (begins)
        state->since_first = state->since_last = time;
    for (size_t i = 0; i < device->now; i++) {
        const struct model_state *past = &device->states[i];
        if (past->generation != state->generation || past->what == state->what)
            continue;
        if (!begins)
            since_widen(state, time, time);
        else if (past->what == MODEL_ONLINE)
            since_widen(state, past->since_first, past->since_last);
    }
}

static void state_accept(const struct model_device *device, struct model_state *state,
                         const struct model_connection *connection)
{
    struct model_connection *old = live_find(state, connection->client);
    bool stands = old && old->conn == state->current;
    bool alone = !state->current;
    if (old)
        live_drop(state, old);
    if (state->live_count == MODEL_LIVE_MAX)
        give_up(device, "too many connections at a time");
    struct model_connection *new = &state->live[state->live_count++];
    *new = *connection;
    new->order = new->conn = ++state->connections;
    if (!alone && !stands)
        return;         /* another one lives, and the state is about that */
    if (state->waits) { /* it came back in time: nothing is told */
        new->conn = state->about.conn;
        state->latest = *new;
        state->held = true;
        state->waits = false;
        state->current = new->conn;
        return;
    }
    state->current = new->conn;
    since_when(device, state, connection->time);
    state->what = MODEL_ONLINE;
    state->about = *new;
    state->reasons = 0;
    state->vague = state->held = state->provisional = false;
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

/* Offline since the last connection ended. */
static void state_leave(struct model_state *state)
{
    state->what = MODEL_OFFLINE;
    state->since_first = state->since_last = state->left_at;
    state->waits = state->provisional = false;
}

static void state_end(struct model_state *state, const char *client, unsigned reasons, int64_t time,
                      bool delay)
{
    struct model_connection *gone = live_find(state, client);
    if (!gone) {
        state->provisional = false; /* it ended before, in this state */
        return;
    }
    bool stood = gone->conn == state->current;
    live_drop(state, gone);
    if (!stood)
        return;
    const struct model_connection *newest = live_newest(state);
    if (newest) {
        state->about = *newest;
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
    state_leave(state);
}

static struct model_connection *live_current(struct model_state *state)
{
    for (size_t i = 0; i < state->live_count; i++) {
        if (state->live[i].conn == state->current)
            return &state->live[i];
    }
    return NULL;
}

/* It comes back in time, in place of the one that stands for the device, if there is one yet: what
 * was told last stays. */
static void accept_back(struct model_device *device, const struct model_state *state,
                        const struct model_state *told, const struct model_connection *connection)
{
    struct model_state *back = state_push(device);
    *back = *state;
    struct model_connection *gone = live_current(back);
    if (gone)
        live_drop(back, gone);
    back->current = 0;
    back->about = told->about;
    back->since_first = told->since_first;
    back->since_last = told->since_last;
    back->waits = true;
    state_accept(device, back, connection);
    for (size_t i = device->now; i + 1 < device->count; i++) {
        if (memcmp(&device->states[i], back, sizeof *back) == 0) {
            device->count--; /* there already */
            return;
        }
    }
}

/* With a delay, one that comes in place of the connection that the state is about may count as one
 * that came back in time: then that, or one before it since the last rest, stays. */
static void accept_either(struct model_device *device, struct model_state *state,
                          const struct model_connection *connection)
{
    const struct model_connection *old = live_find(state, connection->client);
    const bool stands = old && old->conn == state->current;
    const bool crowded = connection->crowded && !stands && state->current;
    const bool back = device->rules->delay && (state->waits || stands || crowded);
    for (size_t i = 0; back && i < device->now; i++) {
        const struct model_state *past = &device->states[i];
        if (past->what == MODEL_ONLINE && past->generation == state->generation &&
            past->about.conn != state->about.conn)
            accept_back(device, state, past, connection);
    }
    if (crowded) {
        struct model_state *passed = state_push(device);
        *passed = *state;
        passed->current = 0;
        state_accept(device, passed, connection);
    }
    if (back && !state->waits)
        accept_back(device, state, state, connection);
    state_accept(device, state, connection);
}

void model_accept(struct model_device *device, uint64_t generation,
                  const struct model_connection *connection)
{
    if (!device->there || generation != device->generation)
        return;
    event_begin(device);
    for (size_t i = device->now, end = device->count; i < end; i++) {
        struct model_state *state = &device->states[i];
        state->unwatched += device->off;
        state->vague |= device->off;
        if (!device->off)
            accept_either(device, state, connection);
    }
    event_end(device);
}

static bool is_there(const struct model_device *device, const struct model_state *state)
{
    for (size_t i = device->now; i < device->count; i++) {
        if (memcmp(&device->states[i], state, sizeof *state) == 0)
            return true;
    }
    return false;
}

/* Of one that waits: the offline that it comes to may be told as well. */
static void state_fork(struct model_device *device, const struct model_state *state)
{
    struct model_state left;
    memcpy(&left, state, sizeof left);
    state_leave(&left);
    if (!is_there(device, &left))
        memcpy(state_push(device), &left, sizeof left);
}

static bool online_may_be_untold(const struct model_device *device)
{
    bool may = false;
    for (size_t i = 0; i < device->now; i++)
        may |= device->states[i].what != MODEL_ONLINE;
    return may;
}

void model_leaving(struct model_device *device, const char *client, bool surely)
{
    for (size_t i = device->now; i < device->count; i++) {
        struct model_connection *connection = live_find(&device->states[i], client);
        if (!connection)
            continue;
        connection->leaving |= surely;
        connection->may_leave |= !surely;
    }
}

/* If those leave that may. False where none may. */
static bool all_leave(struct model_state *state)
{
    bool may = false;
    for (size_t i = 0; i < state->live_count; i++) {
        may |= state->live[i].may_leave;
        state->live[i].leaving |= state->live[i].may_leave;
    }
    return may;
}

/* The device has more connections than one to which the state could pass: any will do. */
static void pass_on(struct model_device *device, const struct model_state *passed)
{
    for (size_t i = 0; i < passed->live_count; i++) {
        const struct model_connection *c = &passed->live[i];
        if (c->leaving || c->conn == passed->current)
            continue;
        struct model_state *other = state_push(device);
        *other = *passed;
        other->about = *c;
        other->current = c->conn;
    }
}

/* One of the states that hold: there may be more of them. */
static void end_either(struct model_device *device, struct model_state *state, const char *client,
                       unsigned reasons, int64_t time)
{
    bool delay = device->rules->delay, untold = online_may_be_untold(device);
    const uint64_t current = state->current;
    state_end(state, client, reasons, time, delay);
    if (current && !state->current)
        state->left_clock = device->clock;
    if (state->current && state->current != current)
        pass_on(device, state);
    if (state->what == MODEL_ONLINE && untold)
        since_widen(state, state->about.time, state->about.time);
    /* Where the offline from before goes on, there is no delay. */
    if (state->waits && (untold || device->rules->delay_at_any_time))
        state_fork(device, state);
}

void model_end_either(struct model_device *device, const char *client, unsigned ends, int64_t time)
{
    unsigned reasons = reasons_of(device->rules, ends);
    bool live = false;
    for (size_t i = device->now; i < device->count; i++)
        live |= state_has(&device->states[i], client);
    if (!live)
        return;
    event_begin(device);
    for (size_t i = device->now, stop = device->count; i < stop; i++) {
        struct model_state others = device->states[i];
        if (all_leave(&others)) {
            struct model_state *state = state_push(device);
            *state = others;
            end_either(device, state, client, reasons, time);
        }
        end_either(device, &device->states[i], client, reasons, time);
    }
    event_end(device);
}

void model_end(struct model_device *device, const char *client, enum model_end end, int64_t time)
{
    model_end_either(device, client, 1u << end, time);
}

void model_may_end(struct model_device *device, const char *client, enum model_end end,
                   int64_t time)
{
    unsigned reasons = reasons_of(device->rules, 1u << end);
    for (size_t i = device->now, stop = device->count; i < stop; i++) {
        const struct model_state *state = &device->states[i];
        struct model_state *passed;
        if (!state_has(state, client) || (device->rules->delay && state->live_count < 2))
            continue;
        passed = state_push(device);
        *passed = *state;
        end_either(device, passed, client, reasons, time);
        passed->provisional = passed->what == MODEL_OFFLINE;
    }
    event_end(device);
}

void model_delay_over_since(struct model_device *device, int64_t clock, bool surely)
{
    for (size_t i = device->now, stop = device->count; i < stop; i++) {
        if (device->states[i].waits && device->states[i].left_clock <= clock)
            state_fork(device, &device->states[i]);
    }
    for (size_t i = device->count; surely && i-- > device->now;) {
        if (device->states[i].waits && device->states[i].left_clock <= clock)
            model_state_drop(device, i);
    }
}

void model_delay_over(struct model_device *device, bool surely)
{
    model_delay_over_since(device, INT64_MAX, surely);
}

/* The broker. */

/* With nobody connected, offline for that reason. */
static void state_close(struct model_state *state, enum reason reason)
{
    state->live_count = 0;
    state->current = 0;
    state->waits = false;
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

static void all_stop(struct model_device *device, int64_t time)
{
    event_begin(device);
    for (size_t i = device->now; i < device->count; i++)
        state_stop(&device->states[i], time);
}

void model_stop(struct model_device *device, int64_t time)
{
    all_stop(device, time);
    model_rest(device);
}

void model_stop_unwritten(struct model_device *device, int64_t time)
{
    all_stop(device, time);
    model_kill(device);
}

void model_kill(struct model_device *device)
{
    device->now = 0;
    for (size_t i = device->count; i-- > 0;) {
        struct model_state *state = &device->states[i];
        if (state->generation == device->generation)
            state_close(state, REASON_BROKER_RESTART);
        else
            *state = (struct model_state){.generation = device->generation};
        state->event = device->events;
    }
}

/* Nobody knows how many connections were counted while presence was off: each number is a state. */
static void count_each(struct model_device *device)
{
    for (size_t i = 0, stop = device->count; i < stop; i++) {
        const uint64_t unwatched = device->states[i].unwatched;
        device->states[i].unwatched = 0;
        for (uint64_t more = 1; more <= unwatched; more++) {
            struct model_state *state = state_push(device);
            *state = device->states[i];
            state->connections += more;
        }
    }
    event_end(device);
}

void model_start(struct model_device *device, bool presence)
{
    device->off = !presence;
    if (presence)
        count_each(device);
}

void model_forget(struct model_device *device)
{
    state_set(device,
              &(struct model_state){.generation = device->generation, .event = device->events});
}

void model_rest(struct model_device *device)
{
    device->lapsed = false;
    while (device->now)
        model_state_drop(device, device->now - 1);
}
