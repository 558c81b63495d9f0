/* What happens between the packets: kicks, what is due, SIGHUP, TICK, the end of a run. */
#include "tests/plugin/sim_internal.h"

/* disconnect_client in plugin_public.c of the real one. */
int mosquitto_kick_client_by_clientid(const char *id, bool with_will)
{
    struct mosquitto *client = sim_client(id);
    if (sim.event == MOSQ_EVT_ACL_CHECK || sim.event == MOSQ_EVT_BASIC_AUTH)
        fail_msg("%s is kicked within a check: brokers crash", id);
    if (!client)
        return MOSQ_ERR_NOT_FOUND;
    if (client->state == SIM_OFFLINE)
        fail_msg("the offline session %s is kicked: 2.0 corrupts its memory", id);
    if (client->ends)
        return MOSQ_ERR_SUCCESS; /* by itself */
    if (sim.options.kicked)
        sim.options.kicked(client);
    client->quits = !with_will;
    sim.kicking = client;
    for (size_t i = client->expiry ? client->subscription_count : 0; i > 0; i--) {
        if (sim_ask(client, MOSQ_ACL_SUBSCRIBE, client->subscriptions[i - 1].bytes))
            sim_subscription_remove(client, i - 1);
    }
    sim_disconnect(client, ENDED_KICKED);
    sim.kicking = NULL;
    return MOSQ_ERR_SUCCESS;
}

/* The turn: loop.c of the real one. */

static void expire(struct mosquitto *client)
{
    client->expiry = client->will_delay = 0;
    client->expires_at = client->will_at = 0;
    sim_send_will(client);
    sim_dispose(client);
}

static void will_come(struct mosquitto *client)
{
    client->will_at = 0;
    client->will_delay = 0;
    sim_send_will(client);
    if (!client->expiry)
        sim_dispose(client);
}

static void do_what_is_due(void)
{
    sim.next_due = 0;
    for (size_t i = 0; i < SIM_CLIENTS; i++) {
        struct mosquitto *client = &sim.clients[i];
        if (client->state != SIM_OFFLINE || !client->listed)
            continue;
        if (client->expires_at && client->expires_at <= sim.wall)
            expire(client);
        else if (client->will_at && client->will_at <= sim.wall)
            will_come(client);
        if (client->expires_at)
            sim_due_add(client->expires_at);
        if (client->will_at)
            sim_due_add(client->will_at);
    }
}

/* lws_service */
static void close_websockets(void)
{
    for (size_t i = 0; sim.closing && i < SIM_CLIENTS; i++) {
        if (sim.clients[i].state != SIM_CLOSING)
            continue;
        sim.closing--;
        sim_finish(&sim.clients[i], sim.clients[i].reason);
    }
}

static void ask_again(struct mosquitto *client)
{
    int answer;
    if (sim_log_in(client, true, &answer))
        return;
    if (client->state == SIM_OFFLINE)
        fail_msg("the offline session %s is denied: 2.0 corrupts its memory", client->id);
    client->quits = true;
    sim_disconnect(client, MOSQ_ERR_AUTH);
}

static void reload(void)
{
    struct mosquitto_evt_reload event = {.options = NULL};
    sim.hang_up = false;
    assert_int_equal(sim_raise(MOSQ_EVT_RELOAD, &event, NULL), MOSQ_ERR_SUCCESS);
    for (struct mosquitto *client = sim_next(NULL); client; client = sim_next(client))
        ask_again(client);
}

static void tick(void)
{
    struct event_tick event = {.now_s = IS_2_1 ? (time_t)(sim.wall / 1000) : 0};
    if (sim.options.before_tick)
        sim.options.before_tick();
    assert_int_equal(sim_raise(MOSQ_EVT_TICK, &event, NULL), MOSQ_ERR_SUCCESS);
    sim.next_tick = sim.wall + (int64_t)event.next_s * 1000 + event.next_ms;
}

static void free_disused(void)
{
    while (sim.disused) {
        struct mosquitto *client = sim.disused;
        sim.disused = client->next;
        sim_place_give(client);
    }
}

void sim_turn(void)
{
    if (sim.next_due && sim.next_due <= sim.wall)
        do_what_is_due();
    if (sim.hang_up)
        reload();
    close_websockets();
    if (!IS_2_1 && !sim.options.no_ticks)
        tick();
    sim_flush();
    free_disused();
    if (IS_2_1 && sim.next_tick <= sim.wall)
        tick();
}

/* The end, and the next beginning. */

void sim_send_wills(void)
{
    for (struct mosquitto *client = sim_next(NULL); client; client = sim_next(client)) {
        client->will_delay = 0;
        sim_send_will(client);
    }
}

void sim_session_restore(struct mosquitto *client)
{
    client->state = SIM_OFFLINE;
    client->address = client->password = NULL;
    client->protocol = client->keepalive = 0;
    client->quits = client->websockets = false;
    client->will_at = 0;
}

void sim_restore(void)
{
    free_disused();
    for (size_t i = 0; i < SIM_CLIENTS; i++) {
        struct mosquitto *client = &sim.clients[i];
        if (client->state == SIM_FREE)
            continue;
        if (client->listed && client->expiry) {
            sim_session_restore(client);
        } else {
            sim_unlist(client);
            sim_place_give(client);
        }
    }
    sim.closing = 0;
}

bool sim_stalled(void)
{
    return IS_2_1 && sim.next_tick > sim.wall;
}

void sim_hang_up(void)
{
    sim.hang_up = true;
}

void sim_set_reuse(enum sim_reuse reuse)
{
    sim.options.reuse = reuse;
}
