/* What is seen of presence, compared with the model. */
#include "tests/support/presence_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ONE(reason) (1u << (reason))

enum { SHOWN_STATES = 3 };

#define DIFFERS(field, bit) ((message->has & (bit)) && message->field != about->field)

/* NULL, or what differs. */
static const char *connection_differs(const struct model_connection *about,
                                      const struct model_message *message)
{
    if (DIFFERS(conn, MODEL_HAS_CONN))
        return "conn";
    if ((message->has & MODEL_HAS_CLIENT) && strcmp(message->client, about->client) != 0)
        return "client";
    if (DIFFERS(protocol, MODEL_HAS_PROTOCOL))
        return "protocol";
    if (DIFFERS(keepalive, MODEL_HAS_KEEPALIVE))
        return "keepalive";
    return DIFFERS(persistent, MODEL_HAS_SESSION) ? "session" : NULL;
}

/* Offline after a run with presence off: some connection's, or as before. */
static const char *vague_differs(const struct model_state *state,
                                 const struct model_message *message)
{
    bool never = state->connections == 0 && message->what == MODEL_NONE;
    if (message->what != MODEL_OFFLINE && !never)
        return "state";
    if ((message->has & MODEL_HAS_CONN) &&
        (message->conn < state->about.conn || message->conn > state->connections))
        return "conn";
    return NULL;
}

/* What it says of the connection that it is about, its times included. */
static const char *about_differs(const struct model_connection *about, bool times,
                                 const struct model_message *message)
{
    const char *what = connection_differs(about, message);
    bool wrong =
        times && (message->has & MODEL_HAS_CONNECTED_AT) && message->connected_at != about->time;
    return !what && wrong ? "connected_at" : what;
}

static const char *state_differs(const struct model_device *device, const struct model_state *state,
                                 const struct model_message *message)
{
    if ((message->has & MODEL_HAS_GENERATION) && message->generation != state->generation)
        return "generation";
    if ((message->has & MODEL_HAS_CONNECTIONS) && message->connections != state->connections)
        return "connections";
    if (state->provisional)
        return "state";
    if (state->vague)
        return vague_differs(state, message);
    if (message->what != state->what)
        return "state";
    if (message->what == MODEL_NONE)
        return NULL;
    const bool times = device->rules->times;
    const char *what = about_differs(&state->about, times, message);
    if (what && state->held && !about_differs(&state->latest, times, message))
        what = NULL;
    if (!what && message->what == MODEL_OFFLINE && (message->has & MODEL_HAS_REASON) &&
        !(state->reasons & ONE(message->reason)))
        what = "reason";
    if (!what && times && (message->has & MODEL_HAS_SINCE) &&
        (message->since < state->since_first || message->since > state->since_last))
        what = "since";
    return what;
}

/* One that came back within the delay, and is told as well: a message that moved shows it. So it is
 * what stands there, whatever came back since. */
static void show(struct model_device *device, size_t at, const struct model_message *message)
{
    const struct model_state *first = &device->states[at];
    bool is_record = message->has & MODEL_HAS_CONNECTIONS;
    if (is_record || !first->held || !connection_differs(&first->about, message))
        return;
    const struct model_connection shown = first->latest;
    for (; at < device->count; at++) {
        struct model_state *state = &device->states[at];
        if (state->held && state->about.conn == shown.conn)
            state->about = shown;
    }
}

/* A vague state is the one that is seen. */
static void state_settle(struct model_state *state, const struct model_message *message)
{
    const unsigned all = MODEL_HAS_CONN | MODEL_HAS_CLIENT | MODEL_HAS_REASON | MODEL_HAS_SESSION |
                         MODEL_HAS_KEEPALIVE | MODEL_HAS_PROTOCOL | MODEL_HAS_CONNECTED_AT;
    if (state->vague && message->what == MODEL_NONE)
        state->vague = false;
    if (!state->vague || (message->has & all) != all)
        return;
    state->vague = false;
    state->what = message->what;
    state->about = (struct model_connection){.conn = message->conn,
                                             .protocol = message->protocol,
                                             .persistent = message->persistent,
                                             .keepalive = message->keepalive,
                                             .time = message->connected_at};
    memcpy(state->about.client, message->client, sizeof state->about.client - 1);
    state->reasons = ONE(message->reason);
    state->since_first = state->since_last = message->since;
}

/* As far as both are known. One that came back within the delay is in the record, and not told. */
static bool same_content(const struct model_message *a, const struct model_message *b, bool delay)
{
    const unsigned both = a->has & b->has;
    bool same = delay || (strcmp(a->client, b->client) == 0 &&
                          (!(both & MODEL_HAS_CONNECTED_AT) || a->connected_at == b->connected_at));
    return same && a->what == b->what && a->conn == b->conn && a->since == b->since &&
           (a->what == MODEL_ONLINE || !(both & MODEL_HAS_REASON) || a->reason == b->reason);
}

/* It rises with each change of the device, whatever its generation; told again it is what it was.
 */
static bool seq_rises(struct model_device *device, const struct model_message *message)
{
    const unsigned all = MODEL_HAS_SEQ | MODEL_HAS_CONN | MODEL_HAS_CLIENT | MODEL_HAS_SINCE;
    struct model_message *latest = &device->latest;
    if (message->what == MODEL_NONE || (message->has & all) != all)
        return true;
    if (message->seq == latest->seq)
        return same_content(message, latest, device->rules->delay);
    if (message->seq < latest->seq)
        return false;
    *latest = *message;
    return true;
}

static size_t message_text(char *line, size_t size, const struct model_message *m)
{
    static const char *const words[] = {"nothing", "online", "offline"};
    int n = snprintf(line, size, "%s", words[m->what]);
    if (n > 0 && m->what != MODEL_NONE && m->has)
        n += snprintf(line + n, size - (size_t)n,
                      " generation %" PRIu64 " seq %" PRIu64 " conn %" PRIu64 " of %" PRIu64
                      " client %s protocol %d keepalive %d %s reason %s since %" PRId64
                      " connected_at %" PRId64,
                      m->generation, m->seq, m->conn, m->connections, m->client, m->protocol,
                      m->keepalive, m->persistent ? "persistent" : "clean", reason_name(m->reason),
                      m->since, m->connected_at);
    return n > 0 && (size_t)n < size ? (size_t)n : size - 1;
}

static size_t reasons_text(char *line, size_t size, unsigned reasons)
{
    size_t used = 0;
    for (enum reason reason = REASON_NONE; used < size && reason < REASON_COUNT; reason++) {
        if (reasons & ONE(reason))
            used += (size_t)snprintf(line + used, size - used, " %s", reason_name(reason));
    }
    return used < size ? used : size - 1;
}

static size_t state_text(char *line, size_t size, const struct model_state *state)
{
    struct model_message shown = {.what = state->what};
    const struct model_connection *about = &state->about;
    size_t used = message_text(line, size, &shown);
    used += (size_t)snprintf(line + used, size - used,
                             "%s%s generation %" PRIu64 " conn %" PRIu64 " of %" PRIu64
                             " client %s protocol %d keepalive %d %s connected_at %" PRId64
                             " since %" PRId64 " to %" PRId64 " live %zu",
                             state->vague ? " (or some other)" : "", state->waits ? " waits" : "",
                             state->generation, about->conn, state->connections, about->client,
                             about->protocol, about->keepalive,
                             about->persistent ? "persistent" : "clean", about->time,
                             state->since_first, state->since_last, state->live_count);
    used = used < size ? used : size - 1;
    return used + reasons_text(line + used, size - used, state->reasons);
}

const char *model_text(struct model_device *device)
{
    size_t used = 0, size = sizeof device->line;
    device->line[0] = '\0';
    for (size_t i = device->now; i < device->count && i < device->now + SHOWN_STATES; i++) {
        if (i > device->now)
            used += (size_t)snprintf(device->line + used, size - used, "; or ");
        used += state_text(device->line + used, size - used, &device->states[i]);
    }
    return device->line;
}

const struct model_state *model_expected(const struct model_device *device)
{
    return &device->states[device->now];
}

static const char *complain(struct model_device *device, const char *what,
                            const struct model_message *message)
{
    char expected[MODEL_LINE_MAX / 2], seen[MODEL_LINE_MAX / 2 - 100];
    (void)snprintf(expected, sizeof expected, "%s", model_text(device));
    (void)message_text(seen, sizeof seen, message);
    (void)snprintf(device->line, sizeof device->line, "%s: %s: is %s; expected %s", device->id,
                   what, seen, expected);
    return device->line;
}

/* Of the states that the message fits, `*first` is the oldest; all of those before it go. NULL, or
 * what differs from the newest. */
static const char *look(struct model_device *device, const struct model_message *message,
                        size_t from)
{
    const char *differs = "state";
    size_t at = from;
    while (at < device->count && (differs = state_differs(device, &device->states[at], message)))
        at++;
    if (differs)
        return differs;
    const unsigned event = device->states[at].event;
    for (size_t i = at; i < device->count && device->states[i].event == event; i++) {
        if (!state_differs(device, &device->states[i], message))
            show(device, i, message);
    }
    for (size_t i = device->count; i-- > 0;) {
        struct model_state *state = &device->states[i];
        bool fits = !state_differs(device, state, message);
        if (state->event < event || (state->event == event && !fits)) {
            model_state_drop(device, i);
            continue;
        }
        if (fits && state->event == event)
            state_settle(state, message);
    }
    return NULL;
}

static const char *look_at(struct model_device *device, const struct model_message *message,
                           size_t from)
{
    const char *differs = look(device, message, from);
    if (!differs && !seq_rises(device, message))
        differs = "seq";
    return differs ? complain(device, differs, message) : NULL;
}

const char *model_seen(struct model_device *device, const struct model_message *message)
{
    bool of_it = (message->has & MODEL_HAS_GENERATION) && message->generation == device->generation;
    return device->lapsed && !of_it ? NULL : look_at(device, message, 0);
}

const char *model_check(struct model_device *device, const struct model_message *message)
{
    if (device->off)
        return message->what == MODEL_NONE ? NULL : complain(device, "presence is off", message);
    return look_at(device, message, device->now);
}

const char *model_check_record(struct model_device *device, const struct model_message *record)
{
    return look_at(device, record, device->now);
}
