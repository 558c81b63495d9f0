#include "play.h"

#include <string.h>

#include "deadline.h"

struct play p;

/* ---- what a subscriber sees */

struct actor *play_actor(const char *device)
{
    char *end;
    if (device[0] != 'd')
        return NULL;
    unsigned long number = strtoul(device + 1, &end, 10);
    return *end == '\0' && number < p.actor_count ? &p.actors[number] : NULL;
}

/* Who was online when the step was drawn has the whole delay from then on. */
static bool is_too_early(const struct actor *actor)
{
    return p.setting.delay && actor->online_at &&
           clock_ms() < actor->online_at + (int64_t)DELAY_S * 1000 &&
           actor->says.what == MODEL_OFFLINE;
}

static void seen(struct actor *actor, const char *payload, bool retained)
{
    const char *error;
    if (retained && p.rounds_since_start > 0 && strcmp(actor->standing, payload) != 0) {
        print_error("a new subscription is answered with: %s\n", payload);
        play_report(actor, "that is not what was published last");
    }
    check(path_join(actor->standing, sizeof actor->standing, payload, ""));
    if (!model_message_parse(&actor->says, actor->id, false, payload, &error))
        play_report(actor, error);
    if (!retained && is_too_early(actor))
        play_report(actor, "it is told before the delay is over");
    actor->answered |= retained;
    actor->settled &= retained;
    /* An older one may have been brought back, for a moment. */
    if (!retained && !actor_seen(actor, &actor->says))
        play_report(actor, actor->why);
}

static void sentinel_seen(const char *payload)
{
    p.sentinel_told = true;
    p.sentinel_online = strstr(payload, "\"state\":\"online\"") != NULL;
}

static void take_message(const struct mqtt_packet *packet)
{
    char topic[TOPIC_ROOM], payload[PAYLOAD_ROOM];
    const size_t prefix = sizeof PRESENCE - 1;
    check(packet->topic_size < sizeof topic && packet->payload_size < sizeof payload);
    memcpy(topic, packet->topic, packet->topic_size);
    topic[packet->topic_size] = '\0';
    memcpy(payload, packet->payload, packet->payload_size);
    payload[packet->payload_size] = '\0';
    check(strncmp(topic, PRESENCE, prefix) == 0);
    struct actor *actor = play_actor(topic + prefix);
    p.events++;
    if (actor)
        seen(actor, payload, packet->retained);
    else if (strcmp(topic + prefix, "sentinel") == 0 && !packet->retained)
        sentinel_seen(payload);
}

void play_heard(struct swarm *swarm, struct link *link, const struct mqtt_packet *packet)
{
    uint8_t ack[4];
    if (link != &p.watcher)
        return; /* MQTT 5's DISCONNECT */
    if (packet->type == MQTT_SUBACK)
        p.subscribed = packet->id == p.subscription && packet->code == 1;
    if (packet->type != MQTT_PUBLISH)
        return;
    take_message(packet);
    if (packet->qos == 1)
        link_send(swarm, link, ack, mqtt_puback(ack, sizeof ack, packet->id));
}

void play_ended(struct swarm *swarm, struct link *link, enum link_state before)
{
    (void)swarm;
    (void)before;
    check(link != &p.watcher);
}

/* ---- reports */

static void print_slot(const struct slot *slot)
{
    static const char *const states[] = {"none", "upgrade", "asked", "in", "sure"};
    static const char *const wants[] = {"nothing", "in", "refused", "end"};
    for (size_t i = 0; i < 2; i++)
        if (slot->links[i].state != LINK_NONE || slot->want[i] != WANT_NOTHING)
            print_error("  client %s: %s, code %u; wanted: %s\n", slot->client_id,
                        states[slot->links[i].state], slot->links[i].code, wants[slot->want[i]]);
}

bool play_record(const struct actor *actor, struct presence *record)
{
    check(txn_renew(p.reader) == ERR_OK);
    enum err e = presence_get(p.reader, actor->id, record);
    txn_reset(p.reader);
    check(e == ERR_OK || e == ERR_NOT_FOUND);
    return e == ERR_OK;
}

static void print_record(const struct actor *actor)
{
    struct presence r;
    if (!play_record(actor, &r)) {
        print_error("recorded: nothing\n");
        return;
    }
    print_error("recorded: %s %s generation %" PRIu64 " seq %" PRIu64 " conn %" PRIu64
                " of %" PRIu64 " client %s\n",
                r.online ? "online" : "offline", reason_name(r.reason), r.generation, r.seq, r.conn,
                r.connections, r.client);
}

_Noreturn void play_report(const struct actor *actor, const char *what)
{
    size_t first = actor->step_count > STEPS_KEPT ? actor->step_count - STEPS_KEPT : 0;
    print_error("DEVREG_SEED=%" PRIu64
                ", round %zu, Mosquitto %d, persistence %d, delay %d, run %zu\n",
                p.seed, p.round, broker_version(), p.setting.persistence, p.setting.delay, p.runs);
    print_error("device %s, of generation %" PRIu64 ":\n", actor->id, actor->generation);
    for (size_t i = first; i < actor->step_count; i++)
        print_error("  %s\n", actor->steps[i % STEPS_KEPT]);
    for (size_t i = 0; i < SLOTS; i++)
        print_slot(&actor->slots[i]);
    for (size_t i = 0; i < actor->model_count; i++)
        print_error("expected: %s\n", model_text(actor->models[i]));
    print_error("seen: %s\n", actor->standing);
    print_record(actor);
    fail_msg("%s: %s", actor->id, what);
    abort();
}

/* ---- the broker */

static void watcher_open(void)
{
    struct mqtt_login login = {.client_id = "watcher",
                               .user = "watcher",
                               .password = scene_key(p.scene, "watcher"),
                               .keepalive = WATCH_KEEPALIVE};
    check(link_open(&p.swarm, &p.watcher, BY_SOCKET, &login));
}

static void link_await(const struct link *link, enum link_state state)
{
    int64_t until = clock_ms() + PATIENCE_MS;
    while (link->state != state) {
        check(clock_ms() < until);
        swarm_turn(&p.swarm, 10);
    }
}

/* Subscribes anew, and waits until all that stands there has come. */
void play_subscribe(void)
{
    uint8_t packet[64];
    int64_t until = clock_ms() + PATIENCE_MS;
    p.subscribed = false;
    p.subscription++;
    link_send(&p.swarm, &p.watcher, packet,
              mqtt_subscribe(packet, sizeof packet, p.subscription, PRESENCE "#", 1));
    while (!p.subscribed) {
        check(clock_ms() < until);
        swarm_turn(&p.swarm, 10);
    }
    link_ping(&p.swarm, &p.watcher);
    link_await(&p.watcher, LINK_SURE);
}

void play_configure(void)
{
    char config[1024], limit[32] = "", delay[48] = "";
    p.setting = (struct setting){rng_percent(&p.rng, 60), rng_percent(&p.rng, 30),
                                 rng_percent(&p.rng, 50), rng_percent(&p.rng, 10)};
    /* How long a step takes is the machine's to say, so its delay may be over before the step is.
     */
    p.fleet.rules.delay = p.fleet.rules.delay_at_any_time = p.setting.delay;
    p.steps.limited = p.setting.limited && broker_version() > 20011;
    if (p.setting.limited)
        check(snprintf(limit, sizeof limit, "max_keepalive %d\n", KEEPALIVE_MAX) > 0);
    if (p.setting.delay)
        check(snprintf(delay, sizeof delay, "plugin_opt_presence_delay %d\n", DELAY_S) > 0);
    check(snprintf(config, sizeof config,
                   "log_type none\nlog_type error\nlog_type warning\nlog_type information\n"
                   "%smax_inflight_messages 0\nmax_queued_messages 0\n"
                   "allow_anonymous false\n%s%s%s%s",
                   limit, p.setting.persistence ? CONF_PERSISTENCE : "",
                   p.setting.no_retain_source ? "check_retain_source false\n" : "",
                   CONF_SOCKET CONF_TCP CONF_WEBSOCKETS CONF_PLUGIN, delay) < (int)sizeof config);
    broker_configure(&p.scene->broker, config);
}

static void started(struct model_device *model)
{
    model_start(model, true);
}

void play_start(void)
{
    if (p.setting.delay || rng_percent(&p.rng, 50))
        play_configure();
    broker_start(&p.scene->broker);
    p.runs++;
    p.rounds_since_start = 0;
    for (size_t i = 0; i < p.actor_count; i++) {
        struct actor *actor = &p.actors[i];
        actor_note(actor, "the broker starts");
        actor_broker(actor, started);
        actor->standing[0] = '\0';
        actor->says = (struct model_message){.what = MODEL_NONE};
        actor->online_at = 0;
    }
    watcher_open();
    link_await(&p.watcher, LINK_SURE);
    play_subscribe();
}

static void actor_goes_down(struct actor *actor, bool kill)
{
    struct presence record;
    const struct presence *recorded = play_record(actor, &record) ? &record : NULL;
    actor_note(actor, kill ? "SIGKILL" : "SIGTERM");
    if (kill ? !actor_killed(actor, recorded) : !actor_stopped(actor, recorded))
        play_report(actor, actor->why);
    actor_drop_links(&p.swarm, actor);
}

/* A writer that was killed as it committed may have written it all, and not said so: who writes
 * next finds that out. */
static void recover_store(void)
{
    struct txn *txn;
    check(txn_write(&txn, p.store) == ERR_OK);
    txn_abort(txn);
}

void play_go_down(bool kill)
{
    if (kill)
        broker_kill(&p.scene->broker);
    else
        broker_stop(&p.scene->broker);
    p.kills += kill;
    recover_store();
    link_drop(&p.swarm, &p.watcher, false);
    link_drop(&p.swarm, &p.sentinel, false);
    for (size_t i = 0; i < p.actor_count; i++)
        actor_goes_down(&p.actors[i], kill);
}
