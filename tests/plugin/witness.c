#include "tests/plugin/witness.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "registry/presence_feed.h"
#include "tests/support/cmocka_all.h"

/* Who sits at a place in the broker's memory. One that was let in is pending until it is in. */
enum seat_state { SEAT_EMPTY, SEAT_PENDING, SEAT_IN, SEAT_REPLACED };

struct seat {
    enum seat_state state;
    size_t device, client;
    uint64_t generation;
    uint32_t credential;
    struct model_connection connection;
    unsigned kicked; /* why, as fleet_why has it; 0 for not */
    bool replaced;   /* another key came into use that ends its key */
    unsigned causes; /* that there were since the last rest, if only for a moment */
};

/* What the model holds of one client id. */
struct line {
    bool live;     /* a connection that is in, */
    size_t device; /* of that one, */
    size_t place;  /* there, */
    bool gone;     /* which has ended, since another login took it over that is not in yet */
    int64_t gone_at, gone_steady;
};

static struct {
    struct history *history;
    struct seat seats[SIM_CLIENTS];
    struct line lines[FLEET_DEVICES * WITNESS_CLIENTS];
    size_t pending[SIM_CLIENTS], pending_count; /* places, in the order of their logins */
    uint32_t credential;
    size_t kill_after;
} w;

void trace(struct history *history, const char *format, ...)
{
    char *line = history->trace[history->trace_count++ % TRACE_LINES];
    va_list arguments;
    va_start(arguments, format);
    int used = snprintf(line, TRACE_LINE_MAX, "%8.3f ", (double)history->steady / 1000);
    (void)vsnprintf(line + used, TRACE_LINE_MAX - (size_t)used, format, arguments);
    va_end(arguments);
}

void trace_print(const struct history *history)
{
    size_t count = history->trace_count;
    for (size_t i = count > TRACE_LINES ? count - TRACE_LINES : 0; i < count; i++)
        print_message("%s\n", history->trace[i % TRACE_LINES]);
}

void witness_begin(struct history *history)
{
    memset(&w, 0, sizeof w);
    w.history = history;
    for (size_t i = 0; i < FLEET_DEVICES; i++)
        model_start(&history->models[i], history->setting.presence);
}

void witness_client_id(char id[static SIM_TEXT_MAX], size_t device, size_t client)
{
    if (client)
        (void)snprintf(id, SIM_TEXT_MAX, "d%zu.%zu", device, client);
    else
        (void)snprintf(id, SIM_TEXT_MAX, "d%zu", device);
}

static void must_be(const char *wrong)
{
    if (wrong)
        fail_msg("%s", wrong);
}

/* Is the delay of a device that is away over by now? Before a tick nobody has noticed. */
static void look_at_delay(size_t device, bool ticked)
{
    struct history *h = w.history;
    const int64_t delay = (int64_t)h->setting.delay * 1000;
    if (delay)
        model_delay_over_since(&h->models[device], h->steady - delay, ticked);
}

static void tell_end(const struct seat *seat, unsigned ends, int64_t time, int64_t steady)
{
    struct history *h = w.history;
    const char *id = seat->connection.client;
    trace(h, "    %s ends (%x)", id, ends);
    struct model_device *model = &h->models[seat->device];
    for (size_t i = 0; i < w.pending_count; i++)
        w.seats[w.pending[i]].connection.crowded |= w.seats[w.pending[i]].client == seat->client;
    look_at_delay(seat->device, false);
    model->clock = steady;
    model_end_either(model, id, ends, time);
    w.lines[seat->client].live = false;
}

/* Whose topic, or username, is it? One of its levels is the device. FLEET_DEVICES for nobody's. */
static size_t device_of(const char *topic)
{
    for (const char *level = topic; level; level = strchr(level, '/')) {
        size_t device = 0;
        int used = 0;
        level += *level == '/';
        if (sscanf(level, "d%zu%n", &device, &used) == 1 && device < FLEET_DEVICES &&
            (level[used] == '/' || !level[used]))
            return device;
    }
    return FLEET_DEVICES;
}

/* Logins. */

void witness_login(uint32_t credential)
{
    w.credential = credential;
}

static void pending_remove(size_t place)
{
    size_t at = 0;
    while (at < w.pending_count && w.pending[at] != place)
        at++;
    if (at == w.pending_count)
        return;
    w.pending_count--;
    memmove(&w.pending[at], &w.pending[at + 1], (w.pending_count - at) * sizeof *w.pending);
}

static bool is_pending(const struct seat *as)
{
    for (size_t i = 0; i < w.pending_count; i++) {
        const struct seat *seat = &w.seats[w.pending[i]];
        if (seat->client == as->client)
            return true;
    }
    return false;
}

/* What it took over has ended, and not in its favour. */
static void never_in(const struct seat *seat)
{
    const struct line *line = &w.lines[seat->client];
    trace(w.history, "    %s was never in", seat->connection.client);
    if (line->live && line->gone)
        tell_end(seat, 1u << MODEL_TAKEN_OVER, line->gone_at, line->gone_steady);
}

void witness_logged_in(struct mosquitto *client, bool again, int answer)
{
    struct history *h = w.history;
    size_t place = sim_place(client), owner = 0, number = 0;
    size_t device = again || answer ? FLEET_DEVICES : device_of(sim_username(client));
    struct seat *seat = &w.seats[place];
    if (again && answer != MOSQ_ERR_SUCCESS && seat->state == SEAT_IN)
        model_leaving(&h->models[seat->device], seat->connection.client, true);
    if (device == FLEET_DEVICES)
        return;
    if (sscanf(sim_id(client), "d%zu.%zu", &owner, &number) < 1)
        fail_msg("%s was let in", sim_id(client));
    size_t at = owner * WITNESS_CLIENTS + number;
    if (w.lines[at].live && w.lines[at].device != device)
        fail_msg("d%zu takes over %s of d%zu", device, sim_id(client), w.lines[at].device);
    *seat = (struct seat){.state = SEAT_PENDING,
                          .device = device,
                          .client = at,
                          .generation = h->fleet.devices[device].generation,
                          .credential = w.credential,
                          .kicked = 0};
    seat->connection = (struct model_connection){.protocol = sim_protocol(client),
                                                 .keepalive = SIM_KEEPALIVE_S,
                                                 .persistent = !sim_clean(client),
                                                 .time = sim_now()};
    (void)snprintf(seat->connection.client, sizeof seat->connection.client, "%s", sim_id(client));
    w.pending[w.pending_count++] = place;
}

static unsigned why_now(const struct seat *seat)
{
    return fleet_why(&w.history->fleet.devices[seat->device], seat->generation, seat->credential,
                     sim_now());
}

/* Why it has to go, or had to a moment ago. */
static unsigned why(const struct seat *seat)
{
    return seat->causes | why_now(seat);
}

void witness_changed(void)
{
    for (size_t i = 0; i < SIM_CLIENTS; i++) {
        if (w.seats[i].state != SEAT_EMPTY)
            w.seats[i].causes = why(&w.seats[i]);
    }
}

/* Of the logins that are under way, those with an older key are closed. */
static void replace_keys(const struct seat *by)
{
    struct fleet_device *device = &w.history->fleet.devices[by->device];
    if (device->generation != by->generation)
        return;
    fleet_use(device, by->credential);
    for (size_t i = 0; i < w.pending_count; i++) {
        struct seat *seat = &w.seats[w.pending[i]];
        seat->replaced |= seat->device == by->device && seat->generation == by->generation &&
                          fleet_ended_by(device, seat->credential, by->credential);
    }
    witness_changed();
}

static void accept_place(size_t place)
{
    struct history *h = w.history;
    struct seat *seat = &w.seats[place];
    struct line *line = &w.lines[seat->client];
    pending_remove(place);
    seat->state = SEAT_IN;
    if (line->live && !line->gone)
        w.seats[line->place].state = SEAT_REPLACED;
    trace(h, "    %s is in", seat->connection.client);
    look_at_delay(seat->device, false);
    model_accept(&h->models[seat->device], seat->generation, &seat->connection);
    *line = (struct line){.live = true, .device = seat->device, .place = place};
    h->accepted++;
    replace_keys(seat);
}

void witness_in(const struct mosquitto *client)
{
    if (w.seats[sim_place(client)].state == SEAT_PENDING)
        accept_place(sim_place(client));
}

/* A publish or subscription proves it; so does the will that comes when it is taken over. */
void witness_checked(struct mosquitto *client, int access, const char *topic, int answer)
{
    (void)topic;
    (void)answer;
    if (!mosq_is_2_1() && sim_state(client) != SIM_STAND_IN && access != MOSQ_ACL_READ &&
        w.seats[sim_place(client)].state == SEAT_PENDING && !why_now(&w.seats[sim_place(client)]))
        witness_in(client);
}

/* Whoever is connected by now is in, unless one before it ended what it was let in with. */
void witness_before_tick(void)
{
    for (size_t i = 0; i < w.pending_count;) {
        if (w.seats[w.pending[i]].replaced)
            i++;
        else
            accept_place(w.pending[i]);
    }
}

/* Ends. */

/* Is its client id by now the id of another device? */
static bool is_anothers(const struct seat *seat)
{
    const size_t owner = seat->client / WITNESS_CLIENTS;
    return seat->client % WITNESS_CLIENTS == 0 && owner != seat->device &&
           w.history->fleet.devices[owner].there;
}

static unsigned ends_of(const struct seat *seat, int reason)
{
    unsigned also = why(seat); /* devreg was about to close it */
    switch (reason) {
    case MOSQ_ERR_SUCCESS:
        return 1u << MODEL_LEFT | also;
    case MOSQ_ERR_CONN_LOST:
        return 1u << MODEL_LOST | also;
    case ENDED_KEEPALIVE:
        return 1u << MODEL_TIMED_OUT | also;
    case MOSQ_ERR_PROTOCOL:
        return 1u << MODEL_BROKE_PROTOCOL | also;
    case ENDED_KICKED:
        return seat->kicked;
    case MOSQ_ERR_AUTH: /* SIGHUP */
        if (!also && !mosq_is_2_1() && is_anothers(seat))
            return 1u << MODEL_UNTOLD; /* 2.0 asks about a websocket as if it were another login */
        if (!also)
            fail_msg("%s is denied at a SIGHUP without a cause", seat->connection.client);
        return also;
    default:
        fail_msg("%s ends for reason %d", seat->connection.client, reason);
        return 0;
    }
}

/* Several connections of the device are being taken over at a time. */
static void note_crowd(size_t device)
{
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < w.pending_count; i++) {
            struct seat *seat = &w.seats[w.pending[i]];
            bool takes_over = seat->device == device && w.lines[seat->client].gone;
            count += takes_over && !pass;
            seat->connection.crowded |= takes_over && pass && count > 1;
        }
    }
}

/* Taken over by a login that is not in yet: if it comes in, nothing has ended. */
static void taken_over(const struct seat *seat)
{
    struct line *line = &w.lines[seat->client];
    line->gone = true;
    line->gone_at = sim_now();
    line->gone_steady = sim_steady();
    note_crowd(seat->device);
    if (!is_pending(seat)) {
        tell_end(seat, 1u << MODEL_TAKEN_OVER, line->gone_at, line->gone_steady);
    } else if (!mosq_is_2_1()) {
        struct model_device *model = &w.history->models[seat->device];
        model->clock = line->gone_steady;
        model_may_end(model, seat->connection.client, MODEL_TAKEN_OVER, line->gone_at);
    }
}

/* devreg closes all of the device's connections that have ended, one after the other. */
static void all_leave(size_t device, bool surely)
{
    for (size_t i = 0; i < SIM_CLIENTS; i++) {
        const struct seat *seat = &w.seats[i];
        if (seat->state == SEAT_IN && seat->device == device && why(seat))
            model_leaving(&w.history->models[device], seat->connection.client,
                          surely && why_now(seat));
    }
}

void witness_ended(struct mosquitto *client, int reason)
{
    struct seat *seat = &w.seats[sim_place(client)], ended = *seat;
    seat->state = SEAT_EMPTY;
    pending_remove(sim_place(client));
    if (ended.state != SEAT_EMPTY)
        all_leave(ended.device, false);
    if (ended.state == SEAT_PENDING)
        never_in(&ended);
    else if (ended.state == SEAT_IN && reason == ENDED_TAKEN_OVER)
        taken_over(&ended);
    else if (ended.state == SEAT_IN)
        tell_end(&ended, ends_of(&ended, reason), sim_now(), sim_steady());
}

void witness_kicked(struct mosquitto *client)
{
    struct seat *seat = &w.seats[sim_place(client)];
    if (seat->state == SEAT_EMPTY)
        return; /* nobody let it in */
    seat->kicked = why(seat);
    all_leave(seat->device, true);
    if (!seat->kicked)
        fail_msg("%s is kicked without a cause", seat->connection.client);
}

/* SIGKILL. */

void witness_kill_after(size_t messages)
{
    w.kill_after = messages;
}

_Noreturn void witness_kill(struct history *history)
{
    trace(history, "SIGKILL");
    for (size_t i = 0; i < FLEET_DEVICES; i++)
        look_at_delay(i, false);
    history->dies = true;
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

/* Messages. */

static void parse(struct model_message *message, size_t device, const char *payload)
{
    const struct history *h = w.history;
    const char *error;
    if (!model_message_parse(message, h->fleet.devices[device].id, h->setting.plain, payload,
                             &error))
        fail_msg("d%zu: %s is wrong in %s", device, error, payload);
}

void witness_published(const char *topic, const char *payload)
{
    struct history *h = w.history;
    struct model_message message;
    trace(h, "    %s %.150s", topic, payload);
    h->messages++;
    size_t device = device_of(topic);
    if (device < FLEET_DEVICES && *payload) {
        parse(&message, device, payload);
        look_at_delay(device, false);
        must_be(model_seen(&h->models[device], &message));
    }
    if (w.kill_after && !--w.kill_after)
        witness_kill(h);
}

/* At rest. */

static bool is_expected(const char *topic)
{
    const struct history *h = w.history;
    char expected[SIM_TEXT_MAX];
    size_t device = device_of(topic);
    if (strcmp(topic, "devreg/summary") == 0)
        return h->setting.presence;
    if (device == FLEET_DEVICES)
        return false;
    fleet_topic(&h->fleet.devices[device], h->setting.pattern, expected, sizeof expected);
    return h->setting.presence && strcmp(topic, expected) == 0;
}

static void check_message(size_t device)
{
    struct history *h = w.history;
    struct model_message message;
    char topic[SIM_TEXT_MAX];
    fleet_topic(&h->fleet.devices[device], h->setting.pattern, topic, sizeof topic);
    parse(&message, device, sim_retained(topic));
    must_be(model_check(&h->models[device], &message));
    if (message.what != MODEL_NONE && sim_source("", NULL, topic) != MOSQ_ERR_SUCCESS)
        fail_msg("%s is hidden by check_retain_source", topic);
}

/* As `devreg list` sees it. */
static void check_record(struct txn *txn, size_t device)
{
    struct history *h = w.history;
    struct model_message message = {.has = MODEL_HAS_CONNECTIONS};
    struct presence record;
    enum err e = presence_get(txn, h->fleet.devices[device].id, &record);
    bool of_it = !e && h->fleet.devices[device].there &&
                 record.generation == h->fleet.devices[device].generation;
    assert_true(!e || e == ERR_NOT_FOUND);
    if (!e && !of_it && h->setting.presence)
        fail_msg("d%zu: the record of generation %" PRIu64 " is still there", device,
                 record.generation);
    if (!e)
        model_message_of_record(&message, &record);
    if (h->setting.presence)
        must_be(model_check_record(&h->models[device], &message));
}

static void with_records(const char *dir, void (*look)(struct txn *txn))
{
    struct store *store;
    struct txn *txn;
    assert_int_equal(store_open(&store, dir, STORE_PRESENCE, STORE_READ), ERR_OK);
    assert_int_equal(txn_reader(&txn, store), ERR_OK);
    assert_int_equal(txn_renew(txn), ERR_OK);
    look(txn);
    txn_close(txn);
    store_close(store);
}

static void look_at_counts(struct txn *txn)
{
    struct presence_counts counts, found;
    assert_int_equal(presence_counts_get(txn, &counts), ERR_OK);
    assert_int_equal(presence_counts_find(txn, &found), ERR_OK);
    if (counts.seen != found.seen || counts.online != found.online)
        fail_msg("%" PRIu64 " seen and %" PRIu64 " online are counted, %" PRIu64 " and %" PRIu64
                 " are",
                 counts.seen, counts.online, found.seen, found.online);
}

void witness_check_counts(const char *dir)
{
    with_records(dir, look_at_counts);
}

static void look_at_records(struct txn *txn)
{
    for (size_t i = 0; i < FLEET_DEVICES; i++)
        check_record(txn, i);
    look_at_counts(txn);
}

void witness_check(const char *dir)
{
    struct history *h = w.history;
    const char *topic, *payload;
    h->rests++;
    for (size_t i = 0; i < FLEET_DEVICES; i++) {
        look_at_delay(i, true);
        model_rest(&h->models[i]);
        check_message(i);
    }
    with_records(dir, look_at_records);
    for (size_t i = 0; i < SIM_CLIENTS; i++)
        w.seats[i].causes = 0;
    for (size_t at = 0; (topic = sim_retained_next(&at, &payload));) {
        if (!is_expected(topic))
            fail_msg("%s is not cleared: %s", topic, payload);
    }
}
