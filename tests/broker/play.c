#include "play.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <unistd.h>

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
static bool is_too_early(const struct actor *actor, const struct place *place)
{
    return p.setting.delay && actor->online_at &&
           clock_ms() < actor->online_at + (int64_t)DELAY_S * 1000 &&
           place->says.what == MODEL_OFFLINE;
}

static bool is_plain(const char *payload)
{
    return strcmp(payload, "online") == 0 || strcmp(payload, "offline") == 0;
}

/* As it is published. */
static void published(struct actor *actor, const struct place *place)
{
    const bool there = place->says.what != MODEL_NONE;
    if (there && p.setting.off)
        play_report(actor, "presence is off");
    if (there && place->plain != p.setting.plain)
        play_report(actor, "that is the other format");
    if (is_too_early(actor, place))
        play_report(actor, "it is told before the delay is over");
    /* A start clears what a message has left, and may then come back to it. */
    if (there && !actor_seen(actor, &place->says))
        play_report(actor, actor->why);
}

static void seen(struct actor *actor, const char *topic, const char *payload, bool retained)
{
    const char *error;
    struct place *place = actor_place(actor, topic);
    if (retained && p.rounds_since_start > 0 && strcmp(place->payload, payload) != 0) {
        print_error("a new subscription is answered with: %s\n", payload);
        play_report(actor, "that is not what was published last");
    }
    check(path_join(place->payload, sizeof place->payload, payload, ""));
    place->plain = is_plain(payload);
    if (!model_message_parse(&place->says, actor->id, place->plain, payload, &error))
        play_report(actor, error);
    place->answered |= retained;
    actor->settled &= retained;
    /* An older one may have been brought back, for a moment. */
    if (!retained)
        published(actor, place);
}

static void sentinel_seen(const char *payload)
{
    p.sentinel_told = true;
    p.sentinel_online = is_plain(payload) ? strcmp(payload, "online") == 0
                                          : strstr(payload, "\"state\":\"online\"") != NULL;
}

static size_t count_in_json(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    check(cJSON_IsNumber(item));
    return (size_t)item->valuedouble;
}

static void summary_seen(const char *payload)
{
    cJSON *json = cJSON_Parse(payload);
    p.summary = (struct summary){.there = json != NULL};
    if (json != NULL)
        p.summary = (struct summary){.there = true,
                                     .online = count_in_json(json, "online"),
                                     .offline = count_in_json(json, "offline"),
                                     .never_seen = count_in_json(json, "never_seen"),
                                     .total = count_in_json(json, "total")};
    cJSON_Delete(json);
}

static void event_seen(struct actor *actor, const char *kind)
{
    if (!p.setting.events)
        play_report(actor, "events are off");
    actor->told.all++;
    actor->told.connects += strcmp(kind, "connect") == 0;
    actor->told.ends += strcmp(kind, "disconnect") == 0;
}

/* The device that has a level of the topic. */
static struct actor *actor_of_topic(const char *topic)
{
    char copy[2 * TOPIC_ROOM], *rest = NULL;
    struct actor *actor = NULL;
    check(path_join(copy, sizeof copy, topic, ""));
    for (char *level = strtok_r(copy, "/", &rest); level && !actor;
         level = strtok_r(NULL, "/", &rest))
        actor = play_actor(level);
    return actor;
}

static void take_message(const struct mqtt_packet *packet)
{
    static const char events[] = "devreg/event/";
    char topic[2 * TOPIC_ROOM], payload[PAYLOAD_ROOM];
    check(packet->topic_size < sizeof topic && packet->payload_size < sizeof payload);
    memcpy(topic, packet->topic, packet->topic_size);
    topic[packet->topic_size] = '\0';
    memcpy(payload, packet->payload, packet->payload_size);
    payload[packet->payload_size] = '\0';
    struct actor *actor = actor_of_topic(topic);
    p.events++;
    if (actor && strncmp(topic, events, sizeof events - 1) == 0)
        event_seen(actor, strrchr(topic, '/') + 1);
    else if (actor)
        seen(actor, topic, payload, packet->retained);
    else if (strcmp(topic, "devreg/summary") == 0)
        summary_seen(payload);
    else if (strcmp(topic, p.sentinel_topic) == 0 && !packet->retained)
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
    print_error(
        "DEVREG_SEED=%" PRIu64
        ", round %zu, Mosquitto %d, persistence %d, delay %d, presence %s%s on %s, run %zu\n",
        p.seed, p.round, broker_version(), p.setting.persistence, p.setting.delay,
        p.setting.off ? "off" : "on", p.setting.plain ? " plain" : "", p.setting.pattern, p.runs);
    print_error("device %s, of generation %" PRIu64 ":\n", actor->id, actor->generation);
    for (size_t i = first; i < actor->step_count; i++)
        print_error("  %s\n", actor->steps[i % STEPS_KEPT]);
    for (size_t i = 0; i < SLOTS; i++)
        print_slot(&actor->slots[i]);
    for (size_t i = 0; i < actor->model_count; i++)
        print_error("expected: %s\n", model_text(actor->models[i]));
    for (size_t i = 0; i < actor->place_count; i++)
        print_error("seen on %s: %s\n", actor->places[i].topic, actor->places[i].payload);
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
              mqtt_subscribe(packet, sizeof packet, p.subscription, "#", 1));
    while (!p.subscribed) {
        check(clock_ms() < until);
        swarm_turn(&p.swarm, 10);
    }
    link_ping(&p.swarm, &p.watcher);
    link_await(&p.watcher, LINK_SURE);
}

static const char *const patterns[] = {"devreg/presence/%u", "state/%u/now", "site/%{site}/%u",
                                       "%{site}/%u/state"};
enum { PATTERNS = sizeof patterns / sizeof *patterns };

static void setting_draw(void)
{
    const char *pattern = p.setting.pattern;
    struct rng *rng = &p.rng;
    p.setting =
        (struct setting){.persistence = rng_percent(rng, 60),
                         .no_retain_source = rng_percent(rng, 30),
                         .limited = rng_percent(rng, 50),
                         .delay = rng_percent(rng, 10),
                         .off = rng_percent(rng, 8),
                         .plain = rng_percent(rng, 20),
                         .events = rng_percent(rng, 30),
                         .pattern = patterns[rng_percent(rng, 40) ? 0 : rng_below(rng, PATTERNS)]};
    if (p.lost) { /* what the broker shows can be found only where it shows it, by one who looks */
        p.setting.persistence = true;
        p.setting.off = false;
        p.setting.pattern = pattern;
    }
    p.setting.delay &= !p.setting.off;
}

void play_configure(void)
{
    char config[1024], plugin[160], limit[32] = "", delay[48] = "";
    setting_draw();
    /* How long a step takes is the machine's to say, so its delay may be over before the step is.
     */
    p.fleet.rules.delay = p.fleet.rules.delay_at_any_time = p.setting.delay;
    p.steps.limited = p.setting.limited && broker_version() > 20011;
    fleet_topic(p.sentinel_topic, p.setting.pattern, "sentinel", 0);
    if (p.setting.limited)
        check(snprintf(limit, sizeof limit, "max_keepalive %d\n", KEEPALIVE_MAX) > 0);
    if (p.setting.delay)
        check(snprintf(delay, sizeof delay, "plugin_opt_presence_delay %d\n", DELAY_S) > 0);
    check(snprintf(plugin, sizeof plugin,
                   "plugin_opt_presence %s\nplugin_opt_presence_topic %s\n"
                   "plugin_opt_presence_format %s\nplugin_opt_events %s\n",
                   p.setting.off ? "off" : "on", p.setting.pattern,
                   p.setting.plain ? "plain" : "json",
                   p.setting.events ? "on" : "off") < (int)sizeof plugin);
    check(snprintf(config, sizeof config,
                   "log_type none\nlog_type error\nlog_type warning\nlog_type information\n"
                   "%smax_inflight_messages 0\nmax_queued_messages 0\n"
                   "allow_anonymous false\n%s%s%s%s%s",
                   limit, p.setting.persistence ? CONF_PERSISTENCE : "",
                   p.setting.no_retain_source ? "check_retain_source false\n" : "",
                   CONF_SOCKET CONF_TCP CONF_WEBSOCKETS CONF_PLUGIN, plugin,
                   delay) < (int)sizeof config);
    broker_configure(&p.scene->broker, config);
}

static void started(struct model_device *model)
{
    model_start(model, !p.setting.off);
}

/* The plugin makes one where there is none. */
static void open_store(void)
{
    char path[BROKER_PATH_MAX];
    check(path_join(path, sizeof path, p.scene->registry, "/" PRESENCE_SUBDIR));
    check(store_open(&p.store, path, STORE_PRESENCE, STORE_WRITE) == ERR_OK);
    check(txn_reader(&p.reader, p.store) == ERR_OK);
}

void play_start(void)
{
    if (!p.setting.pattern || p.lost || p.setting.delay || p.setting.off || rng_percent(&p.rng, 50))
        play_configure();
    broker_start(&p.scene->broker);
    if (!p.store)
        open_store();
    p.stale |= p.lost;
    p.lost = false;
    p.summary = (struct summary){.there = false};
    p.runs++;
    p.rounds_since_start = 0;
    for (size_t i = 0; i < p.actor_count; i++) {
        struct actor *actor = &p.actors[i];
        actor_note(actor, "the broker starts");
        actor_broker(actor, started);
        actor->place_count = 0;
        memset(&actor->told, 0, sizeof actor->told);
        actor->online_at = 0;
    }
    watcher_open();
    link_await(&p.watcher, LINK_SURE);
    play_subscribe();
}

static void actor_goes_down(struct actor *actor, bool kill, bool early)
{
    struct presence record;
    const struct presence *recorded = play_record(actor, &record) ? &record : NULL;
    actor_note(actor, kill ? "SIGKILL" : "SIGTERM");
    if (kill ? !actor_killed(actor, recorded) : !actor_stopped(actor, recorded, early))
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

static void remove_file(const char *dir, const char *name)
{
    char path[BROKER_PATH_MAX];
    check(path_join(path, sizeof path, dir, name));
    (void)unlink(path);
}

/* Nobody knows any more where messages stand. The first start afterwards finds those of registered
 * devices on the topics that they have, so what else mosquitto.db may have goes with it. */
static void lose_store(bool shown)
{
    p.losses++;
    txn_close(p.reader);
    store_close(p.store);
    p.reader = NULL;
    p.store = NULL;
    remove_file(p.scene->registry, "/" PRESENCE_SUBDIR "/data.mdb");
    if (rng_percent(&p.rng, 50))
        remove_file(p.scene->registry, "/" PRESENCE_SUBDIR "/lock.mdb");
    p.lost = shown;
    if (!shown)
        remove_file(p.scene->broker.dir, "/broker/mosquitto.db");
    for (size_t i = 0; i < p.actor_count; i++) {
        actor_note(&p.actors[i], "the presence store is lost");
        actor_forgotten(&p.actors[i]);
    }
}

void play_go_down(bool kill, bool early)
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
        actor_goes_down(&p.actors[i], kill, early);
    /* What is of the store before is found again after a SIGKILL where it stood and whose it was,
     * but devices are removed and move meanwhile. A clean stop counts as saved, unless it comes
     * before all of that was looked for. */
    if (p.stale && (kill || early || !p.setting.persistence))
        remove_file(p.scene->broker.dir, "/broker/mosquitto.db");
    p.stale = false;
    bool shown = !kill && !early && !p.setting.off && p.setting.persistence;
    if (rng_percent(&p.rng, shown ? 40 : 10))
        lose_store(shown);
}
