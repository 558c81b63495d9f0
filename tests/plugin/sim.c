#include "tests/plugin/sim_internal.h"

#include <string.h>

struct sim sim;

uint64_t sim_hash(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

static const char *text_set(struct text *to, const char *from)
{
    if (!from)
        return NULL;
    assert_true(strlen(from) <= SIM_TEXT_MAX);
    return strcpy(to->bytes, from);
}

/* Places. */

void sim_place_give(struct mosquitto *client)
{
    client->state = SIM_FREE;
    sim.places[(sim.first_place + sim.place_count++) % SIM_CLIENTS] = client;
}

void sim_places_fill(void)
{
    for (size_t i = SIM_CLIENTS; !sim.places_filled && i > 0; i--)
        sim_place_give(&sim.clients[i - 1]);
    sim.places_filled = true;
}

struct mosquitto *sim_place_take(void)
{
    assert_true(sim.place_count > 0);
    sim.place_count--;
    size_t at = sim.first_place + sim.place_count;
    if (sim.options.reuse == SIM_REUSE_FIRST_FREED)
        at = sim.first_place++;
    struct mosquitto *client = sim.places[at % SIM_CLIENTS];
    sim.first_place %= SIM_CLIENTS;
    *client = (struct mosquitto){.state = SIM_KNOCKING};
    return client;
}

/* Sessions by their client id. */

struct mosquitto *sim_client(const char *id)
{
    struct mosquitto *client = sim.by_id[sim_hash(id) & (HEADS - 1)];
    while (client && strcmp(client->id, id) != 0)
        client = client->next;
    return client;
}

void sim_list(struct mosquitto *client)
{
    struct mosquitto **head = &sim.by_id[sim_hash(client->id) & (HEADS - 1)];
    client->next = *head;
    client->listed = true;
    *head = client;
}

void sim_unlist(struct mosquitto *client)
{
    if (!client->listed)
        return;
    struct mosquitto **link = &sim.by_id[sim_hash(client->id) & (HEADS - 1)];
    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    client->listed = false;
}

struct mosquitto *sim_next(struct mosquitto *client)
{
    size_t at = client ? sim_place(client) + 1 : 0;
    while (at < SIM_CLIENTS && !sim.clients[at].listed)
        at++;
    return at < SIM_CLIENTS ? &sim.clients[at] : NULL;
}

enum sim_state sim_state(const struct mosquitto *client)
{
    return client->state;
}

size_t sim_place(const struct mosquitto *client)
{
    return (size_t)(client - sim.clients);
}

const char *sim_id(const struct mosquitto *client)
{
    return client->id;
}

const char *sim_username(const struct mosquitto *client)
{
    return client->username;
}

int sim_protocol(const struct mosquitto *client)
{
    return client->protocol;
}

bool sim_clean(const struct mosquitto *client)
{
    return client->clean;
}

size_t sim_subscriptions(const struct mosquitto *client)
{
    return client->subscription_count;
}

bool sim_kicking(const struct mosquitto *client)
{
    return sim.kicking == client;
}

/* Events. */

int sim_raise(int event, void *data, const struct mosquitto *subject)
{
    int outer = sim.event;
    const struct mosquitto *outer_subject = sim.subject;
    if (!sim.callbacks[event].call)
        return MOSQ_ERR_PLUGIN_DEFER;
    sim.event = event;
    sim.subject = subject;
    int answer = sim.callbacks[event].call(event, data, sim.callbacks[event].userdata);
    sim.event = outer;
    sim.subject = outer_subject;
    return answer;
}

/* Some topics the broker keeps for itself: acl__check_dollar. */
static bool broker_denies(int access, const char *topic)
{
    return access == MOSQ_ACL_WRITE &&
           (strncmp(topic, "$SYS", 4) == 0 || strncmp(topic, "$share", 6) == 0);
}

int sim_ask(struct mosquitto *client, int access, const char *topic)
{
    struct mosquitto_evt_acl_check event = {.client = client,
                                            .access = access,
                                            .topic = topic,
                                            .payloadlen = sim.message.size,
                                            .qos = sim.message.qos,
                                            .retain = sim.message.retain};
    if (!client->id || broker_denies(access, topic))
        return MOSQ_ERR_ACL_DENIED;
    int answer = sim_raise(MOSQ_EVT_ACL_CHECK, &event, client);
    if (answer != MOSQ_ERR_SUCCESS && answer != MOSQ_ERR_ACL_DENIED &&
        answer != MOSQ_ERR_PLUGIN_DEFER)
        fail_msg("ACL_CHECK answers %d, which cuts clients off", answer);
    if (sim.options.checked)
        sim.options.checked(client, access, topic, answer);
    return answer;
}

/* True where the plugin, or who else is asked, lets it in. */
bool sim_log_in(struct mosquitto *client, bool again, int *answer)
{
    struct mosquitto_evt_basic_auth event = {.client = client,
                                             .username = (char *)client->username,
                                             .password = (char *)client->password};
    *answer = sim_raise(MOSQ_EVT_BASIC_AUTH, &event, client);
    if (*answer != MOSQ_ERR_SUCCESS && *answer != MOSQ_ERR_AUTH && *answer != MOSQ_ERR_PLUGIN_DEFER)
        fail_msg("BASIC_AUTH answers %d, which closes without a CONNACK", *answer);
    if (sim.options.logged_in)
        sim.options.logged_in(client, again, *answer);
    return *answer == MOSQ_ERR_SUCCESS ||
           (*answer == MOSQ_ERR_PLUGIN_DEFER && sim.options.others_admit);
}

static void tell_end(struct mosquitto *client, int reason)
{
    struct mosquitto_evt_disconnect event = {.client = client, .reason = IS_2_1 ? reason : -1};
    bool offline = IS_2_1 && client->expiry > 0;
    if (IS_2_1 && !client->id)
        return;
    int answer = sim_raise(offline ? EVENT_CLIENT_OFFLINE : MOSQ_EVT_DISCONNECT, &event, client);
    assert_int_equal(answer, MOSQ_ERR_SUCCESS);
    if (sim.options.ended)
        sim.options.ended(client, reason);
}

/* Wills, and the end of connections: context.c of the real one. */

void sim_due_add(int64_t at)
{
    if (!sim.next_due || at < sim.next_due)
        sim.next_due = at;
}

void sim_send_will(struct mosquitto *client)
{
    if (client->will.bytes[0] && !client->quits && client->will_delay) {
        client->will_at = sim.wall + (int64_t)client->will_delay * 1000;
        sim_due_add(client->will_at);
        return;
    }
    if (client->will.bytes[0] && !client->quits)
        (void)sim_ask(client, MOSQ_ACL_WRITE, client->will.bytes);
    client->will.bytes[0] = '\0';
}

void sim_dispose(struct mosquitto *client)
{
    sim_unlist(client);
    client->id = NULL;
    client->next = sim.disused;
    sim.disused = client;
}

/* context__disconnect */
void sim_finish(struct mosquitto *client, int reason)
{
    client->websockets = client->websockets && IS_2_1;
    client->ends = true;
    tell_end(client, reason);
    client->ends = false;
    client->state = SIM_OFFLINE;
    sim_send_will(client);
    if (client->expiry && client->expiry != NEVER) {
        client->expires_at = sim.wall + (int64_t)client->expiry * 1000;
        sim_due_add(client->expires_at);
    }
    if (!client->expiry && !client->will_at)
        sim_dispose(client);
}

/* do_disconnect */
void sim_disconnect(struct mosquitto *client, int reason)
{
    if (client->state == SIM_CLOSING || client->ends)
        return;
    if (!client->websockets || IS_2_1) {
        sim_finish(client, reason);
        return;
    }
    client->state = SIM_CLOSING;
    client->reason = reason;
    sim.closing++;
    if (reason == ENDED_TAKEN_OVER)
        sim_unlist(client);
}

void sim_end(struct mosquitto *client, enum sim_end how)
{
    static const int reasons[] = {MOSQ_ERR_SUCCESS, MOSQ_ERR_CONN_LOST, ENDED_KEEPALIVE,
                                  MOSQ_ERR_PROTOCOL};
    assert_int_equal(client->state, SIM_CONNECTED);
    client->quits = how == SIM_LEAVE;
    sim_finish(client, reasons[how]);
}

void sim_knock(void)
{
    struct mosquitto *client = sim_place_take();
    client->address = "192.0.2.9";
    sim_finish(client, MOSQ_ERR_CONN_LOST);
}

/* CONNECT: handle_connect.c of the real one. */

static void describe(struct mosquitto *client, const struct sim_login *login)
{
    client->id = text_set(&client->id_text, login->id);
    client->username = text_set(&client->username_text, login->username);
    client->password = text_set(&client->password_text, login->password);
    client->address = login->address ? login->address : "192.0.2.1";
    client->protocol = login->protocol;
    client->keepalive = SIM_KEEPALIVE_S;
    client->clean = login->clean;
    client->expiry = login->protocol == 5 ? login->expiry : login->clean ? 0 : NEVER;
    client->websockets = login->websockets;
}

static void inherit(struct mosquitto *client, struct mosquitto *old)
{
    if (client->clean || !old->expiry)
        return;
    client->subscription_count = old->subscription_count;
    memcpy(client->subscriptions, old->subscriptions, sizeof old->subscriptions);
}

static void take_over(struct mosquitto *client, struct mosquitto *old)
{
    inherit(client, old);
    if (!old->expiry || client->clean)
        sim_send_will(old);
    old->will.bytes[0] = '\0';
    old->will_at = old->expires_at = 0;
    old->clean = true;
    old->expiry = 0;
    sim_disconnect(old, ENDED_TAKEN_OVER);
}

static void come_in(struct mosquitto *client, const struct sim_login *login)
{
    struct mosquitto *old = sim_client(client->id);
    struct event_connect event = {.client = client};
    (void)text_set(&client->will, login->will);
    client->will_delay = login->protocol == 5 ? login->will_delay : 0;
    if (old)
        take_over(client, old);
    client->state = SIM_CONNECTED;
    sim_list(client);
    if (IS_2_1)
        (void)sim_raise(EVENT_CONNECT, &event, client);
}

int sim_connect(const struct sim_login *login)
{
    struct mosquitto *client = sim_place_take();
    int answer;
    describe(client, login);
    if (sim_log_in(client, false, &answer)) {
        come_in(client, login);
    } else {
        client->expiry = 0;
        sim_finish(client, MOSQ_ERR_AUTH);
    }
    return answer;
}

/* What a client sends, and is sent. */

int sim_publish(struct mosquitto *client, const char *topic)
{
    return sim_ask(client, MOSQ_ACL_WRITE, topic);
}

int sim_deliver(struct mosquitto *client, const char *topic)
{
    return sim_ask(client, MOSQ_ACL_READ, topic);
}

static size_t subscription_find(const struct mosquitto *client, const char *filter)
{
    size_t at = 0;
    while (at < client->subscription_count && strcmp(client->subscriptions[at].bytes, filter) != 0)
        at++;
    return at;
}

void sim_subscription_remove(struct mosquitto *client, size_t at)
{
    client->subscriptions[at] = client->subscriptions[--client->subscription_count];
}

/* One more than fits replaces the first. */
int sim_subscribe(struct mosquitto *client, const char *filter)
{
    int answer = sim_ask(client, MOSQ_ACL_SUBSCRIBE, filter);
    if (answer || subscription_find(client, filter) < client->subscription_count)
        return answer;
    if (client->subscription_count == SIM_SUBSCRIPTIONS)
        sim_subscription_remove(client, 0);
    (void)text_set(&client->subscriptions[client->subscription_count++], filter);
    return answer;
}

int sim_send(struct mosquitto *client, const char *topic, struct sim_message message)
{
    sim.message = message;
    int answer = sim_publish(client, topic);
    sim.message = (struct sim_message){.size = 0};
    return answer;
}

int sim_subscribe_at(struct mosquitto *client, const char *filter, uint8_t qos)
{
    sim.message.qos = qos;
    int answer = sim_subscribe(client, filter);
    sim.message.qos = 0;
    return answer;
}

int sim_unsubscribe(struct mosquitto *client, const char *filter)
{
    int answer = sim_ask(client, MOSQ_ACL_UNSUBSCRIBE, filter);
    size_t at = subscription_find(client, filter);
    if (!answer && at < client->subscription_count)
        sim_subscription_remove(client, at);
    return answer;
}

int sim_source(const char *id, const char *username, const char *topic)
{
    struct mosquitto stand_in = {.state = SIM_STAND_IN, .id = id, .username = username};
    return sim_ask(&stand_in, MOSQ_ACL_WRITE, topic);
}
