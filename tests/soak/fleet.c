#include <string.h>

#include "soak.h"
#include "tests/broker/deadline.h"

enum { CLOSE_MS = 120000, PACKET_MAX = 256, OTHER_TRIES = 20 };

static const char foreign[] = "foreign";

static struct conn *conn_of(const struct link *link)
{
    return link->owner;
}

static bool is_open(const struct conn *conn)
{
    return conn->link.state != LINK_NONE;
}

static struct conn *active(struct unit *unit)
{
    return &unit->conns[unit->active];
}

/* ---- questions */

static void ask(struct conn *conn, enum op op, enum expect expect)
{
    check(conn->op == OP_NONE && s.busy_count < BUSY_MAX);
    conn->op = op;
    conn->expect = s.plain ? MAY : expect;
    conn->yes = false;
    s.busy[s.busy_count++] = conn;
}

static enum expect expect_of(const struct conn *conn, bool allowed)
{
    if (conn->ended_by)
        return MUST_NOT;
    return conn->unit->changing ? MAY : allowed ? MUST : MUST_NOT;
}

static void open_conn(struct conn *conn, const char *key, enum expect expect)
{
    struct unit *unit = conn->unit;
    const struct mqtt_login login = {
        .client_id = unit->id, .user = unit->id, .password = key, .keepalive = 3600};
    conn->link.code = UINT8_MAX;
    conn->subscribed = conn->leaves = false;
    conn->epoch = unit->epoch;
    conn->ended_by = 0;
    if (!link_open(&s.swarm, &conn->link, BY_SOCKET, &login))
        soak_wrong(unit, "the broker does not listen");
    ask(conn, OP_OPEN, expect);
    s.connects++;
}

static void subscribe(struct conn *conn)
{
    uint8_t packet[PACKET_MAX];
    char filter[UNIT_ID + 16];
    (void)snprintf(filter, sizeof filter, "devices/%s/#", conn->unit->id);
    link_send(&s.swarm, &conn->link, packet, mqtt_subscribe(packet, sizeof packet, 1, filter, 0));
    link_ping(&s.swarm, &conn->link);
    ask(conn, OP_SUBSCRIBE, expect_of(conn, true));
}

static void send_publish(struct conn *conn, const char *to, const char *payload)
{
    uint8_t packet[PACKET_MAX];
    char topic[UNIT_ID + 16];
    (void)snprintf(topic, sizeof topic, "devices/%s/x", to);
    link_send(&s.swarm, &conn->link, packet,
              mqtt_publish(packet, sizeof packet, topic, 0, 0, payload, strlen(payload)));
}

static void publish(struct conn *conn)
{
    char payload[16];
    (void)snprintf(payload, sizeof payload, "%u", ++conn->asked);
    const struct unit *other = &s.units[rng_below(&s.rng, s.unit_count)];
    if (!s.plain && other != conn->unit && rng_percent(&s.rng, 2))
        send_publish(conn, other->id, foreign); /* nobody may get that */
    send_publish(conn, conn->unit->id, payload);
    link_ping(&s.swarm, &conn->link);
    ask(conn, OP_PUBLISH, expect_of(conn, !conn->unit->muted));
    s.messages++;
}

/* ---- answers */

static void judge(struct conn *conn, const char *denied, const char *allowed)
{
    if (conn->yes && conn->expect == MUST_NOT)
        soak_wrong(conn->unit, allowed);
    if (!conn->yes && conn->expect == MUST)
        soak_wrong(conn->unit, denied);
    s.denied += !conn->yes && conn->op != OP_OPEN;
}

/* In, by what may have ended meanwhile. */
static void came_in(struct conn *conn)
{
    struct unit *unit = conn->unit;
    unit->active = (size_t)(conn - unit->conns);
    if (conn->epoch != unit->epoch && !conn->ended_by && !s.plain)
        conn->ended_by = clock_ms();
}

/* The broker has answered all that the connection asked. */
static void answered(struct conn *conn)
{
    enum op op = conn->op;
    if (op == OP_OPEN) {
        conn->yes = true;
        judge(conn, "was not let in", "was let in");
        came_in(conn);
    } else {
        judge(conn, op == OP_PUBLISH ? "published, and it did not come back" : "may not subscribe",
              op == OP_PUBLISH ? "published what was denied" : "may subscribe, and was denied");
        conn->subscribed |= op == OP_SUBSCRIBE && conn->yes;
    }
    conn->op = OP_NONE;
    if (op == OP_OPEN || (op == OP_SUBSCRIBE && !conn->yes && s.plain))
        subscribe(conn);
}

static void unbusy(size_t at)
{
    s.busy[at] = s.busy[--s.busy_count];
}

static void heard(struct swarm *swarm, struct link *link, const struct mqtt_packet *packet)
{
    struct conn *conn = conn_of(link);
    char own[UNIT_ID + 16], number[16];
    (void)swarm;
    if (packet->type == MQTT_SUBACK && conn->op == OP_SUBSCRIBE) {
        conn->yes = packet->code == 0;
        return;
    }
    int size = snprintf(own, sizeof own, "devices/%s/x", conn->unit->id);
    int digits = snprintf(number, sizeof number, "%u", conn->asked);
    if (packet->type != MQTT_PUBLISH || packet->topic_size != (size_t)size ||
        memcmp(packet->topic, own, (size_t)size) != 0)
        soak_wrong(conn->unit, "is handed what it must not have");
    if (packet->payload_size == (size_t)digits &&
        memcmp(packet->payload, number, (size_t)digits) == 0 && conn->op == OP_PUBLISH)
        conn->yes = true;
    else if (packet->payload_size == sizeof foreign - 1)
        soak_wrong(conn->unit, "is handed what another published on its topic");
}

static void conn_ended(struct swarm *swarm, struct link *link, enum link_state before)
{
    struct conn *conn = conn_of(link);
    (void)swarm;
    if (conn->op == OP_OPEN && before == LINK_ASKED) {
        if (link->code == UINT8_MAX && conn->expect == MUST)
            soak_wrong(conn->unit, "was not answered");
        judge(conn, "was refused", "");
        s.refused++;
        if (conn->unit->active == (size_t)(conn - conn->unit->conns))
            conn->unit->active = 0;
        return;
    }
    bool may = conn->leaves || conn->ended_by || conn->unit->changing || s.plain ||
               conn->epoch != conn->unit->epoch;
    if (!may)
        soak_wrong(conn->unit, "lost its connection");
    s.kills += conn->ended_by != 0;
    s.takeovers += conn->leaves;
}

void fleet_turn(void)
{
    for (size_t i = s.busy_count; i-- > 0;) {
        struct conn *conn = s.busy[i];
        if (conn->link.state == LINK_NONE) {
            conn->op = OP_NONE;
            unbusy(i);
        } else if (conn->link.state == LINK_SURE) {
            unbusy(i);
            answered(conn);
        }
    }
}

/* ---- changes */

void fleet_unsure(struct unit *unit)
{
    for (size_t i = 0; i < 2; i++) {
        struct conn *conn = &unit->conns[i];
        bool stays = conn->op == OP_OPEN && conn->expect == MUST_NOT; /* the key is none any more */
        if (conn->op != OP_NONE && !conn->ended_by && !stays)
            conn->expect = MAY;
    }
}

void fleet_ended(struct unit *unit)
{
    unit->epoch++;
    for (size_t i = 0; i < 2 && !s.plain; i++)
        if (is_open(&unit->conns[i]) && unit->conns[i].op != OP_OPEN)
            unit->conns[i].ended_by = clock_ms();
    for (size_t i = 0; i < 2 && s.plain; i++)
        link_drop(&s.swarm, &unit->conns[i].link, false);
}

void fleet_ask(struct unit *unit)
{
    for (size_t i = 0; i < 2; i++) {
        struct conn *conn = &unit->conns[i];
        if (conn->op == OP_NONE && conn->link.state == LINK_SURE && conn->subscribed)
            publish(conn);
    }
    /* And a CONNECT with a key that has just ended, or while it is disabled. */
    struct conn *conn = &unit->conns[1 - unit->active];
    if (unit->phase != UNIT_ENABLED && !is_open(conn) && conn->op == OP_NONE && !s.plain)
        open_conn(conn, unit->key, MUST_NOT);
    else if (unit->old_key[0] && !is_open(conn) && conn->op == OP_NONE && !s.plain)
        open_conn(conn, unit->old_key, MUST_NOT);
}

bool fleet_rests(const struct unit *unit)
{
    for (size_t i = 0; i < 2; i++) {
        const struct conn *conn = &unit->conns[i];
        if (conn->op == OP_OPEN || (is_open(conn) && (conn->ended_by || conn->leaves)))
            return false;
    }
    return true;
}

/* ---- events */

static struct unit *some_unit(void)
{
    return &s.units[rng_below(&s.rng, s.unit_count)];
}

static bool is_ready(const struct conn *conn)
{
    return conn->op == OP_NONE && conn->link.state == LINK_SURE && conn->subscribed &&
           !conn->leaves;
}

bool fleet_message(void)
{
    for (int i = 0; i < OTHER_TRIES; i++) {
        struct conn *conn = active(some_unit());
        if (is_ready(conn)) {
            publish(conn);
            return true;
        }
    }
    return false;
}

static bool may_open(const struct unit *unit)
{
    return unit->phase == UNIT_ENABLED && fleet_rests(unit);
}

static void open_again(struct unit *unit, struct conn *conn)
{
    open_conn(conn, unit->key, unit->changing ? MAY : MUST);
}

bool fleet_reconnect(void)
{
    struct unit *unit = some_unit();
    struct conn *conn = active(unit), *other = &unit->conns[1 - unit->active];
    if (!is_ready(conn) || is_open(other) || other->op != OP_NONE || !may_open(unit))
        return false;
    switch (rng_below(&s.rng, 4)) {
    case 0:
    case 1:
        link_disconnect(&s.swarm, &conn->link);
        break;
    case 2:
        link_drop(&s.swarm, &conn->link, true);
        break;
    default:
        if (unit->changing)
            return false;
        conn->leaves = true; /* it is taken over */
        break;
    }
    open_again(unit, other);
    return true;
}

bool fleet_wrong_key(void)
{
    struct unit *unit = some_unit(), *other = some_unit();
    struct conn *conn = &unit->conns[1 - unit->active];
    if (s.plain || unit == other || !other->key[0] || is_open(conn) || conn->op != OP_NONE)
        return false;
    open_conn(conn, other->key, MUST_NOT);
    return true;
}

bool fleet_connect_next(void)
{
    static size_t next;
    for (size_t i = 0; i < s.unit_count; i++) {
        struct unit *unit = &s.units[next++ % s.unit_count];
        struct conn *conn = active(unit);
        if (conn->ended_by && is_open(conn) && clock_ms() - conn->ended_by > CLOSE_MS)
            soak_wrong(unit, "is still connected");
        if (!is_open(conn) && conn->op == OP_NONE && !is_open(&unit->conns[1 - unit->active]) &&
            may_open(unit)) {
            open_again(unit, conn);
            return true;
        }
    }
    return false;
}

size_t fleet_online(void)
{
    size_t count = 0;
    for (size_t i = 0; i < s.unit_count; i++)
        count += is_open(&s.units[i].conns[0]) || is_open(&s.units[i].conns[1]);
    return count;
}

bool fleet_at_rest(void)
{
    for (size_t i = 0; i < s.unit_count; i++)
        if (!fleet_rests(&s.units[i]))
            return false;
    return s.busy_count == 0;
}

/* ---- its beginning and end */

static void unit_init(struct unit *unit)
{
    for (size_t i = 0; i < 2; i++) {
        link_init(&unit->conns[i].link, LINK_ROOM);
        unit->conns[i].link.owner = &unit->conns[i];
        unit->conns[i].unit = unit;
    }
}

/* "device,key" and then a line for each. */
void fleet_open(const char *keys_file)
{
    char line[256];
    FILE *file = fopen(keys_file, "re");
    check(file != NULL && fgets(line, sizeof line, file) != NULL);
    s.units = calloc(s.unit_count, sizeof *s.units);
    check(s.units != NULL);
    for (size_t i = 0; i < s.unit_count; i++) {
        struct unit *unit = &s.units[i];
        check(fgets(line, sizeof line, file) != NULL);
        check(sscanf(line, "%23[^,],%43[^,\n]", unit->id, unit->key) == 2);
        unit_init(unit);
    }
    check(fclose(file) == 0);
    s.swarm.heard = heard;
    s.swarm.ended = conn_ended;
}

void fleet_close(void)
{
    for (size_t i = 0; i < s.unit_count; i++)
        for (size_t k = 0; k < 2; k++)
            link_clear(&s.swarm, &s.units[i].conns[k].link);
    free(s.units);
}
