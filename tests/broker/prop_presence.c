/* prop_presence.c - what a subscriber sees, what is recorded and what the model says are the same.
 *
 *   round:  each device takes a step of its history -> at rest all is compared -> the next round
 *
 * A real broker, hundreds of devices, random histories: steps.c has what may happen to a device.
 * Within and between rounds the broker is sent SIGHUP and SIGUSR1, is stopped, and is killed at any
 * moment, also while it starts, and comes back with other options. A history ends with the device's
 * removal, and another begins under its name.
 *
 * At rest means: the models agree with what stands on the topics and in the store, and still do
 * once a device that came last has been told online and offline. Then a new subscription is
 * answered with exactly what stands there.
 *
 * DEVREG_HISTORIES sets how many, DEVREG_SEED which. */
#include <cjson/cJSON.h>
#include <string.h>
#include <sys/resource.h>

#include "deadline.h"
#include "scene.h"
#include "steps.h"

enum {
    HISTORIES = 1500,
    ACTORS_MIN = 60,
    ACTORS_MAX = 2000,
    WATCH_KEEPALIVE = 900,
    SLOW_AT_ONCE = 20,
    PATIENCE_MS = 30000,
    WATCH_ROOM = 1 << 18,
    OPS_A_TURN = 16,
    LOOK_MS = 8,
    LIST_EACH = 5, /* rounds */
    DELAY_S = 1,
    DELAY_MORE_MS = 500
};

#define TOPIC "devreg/presence/"

/* The rest of the configuration, as it is drawn for each run of the broker. */
struct setting {
    bool persistence, no_retain_source, limited, delay;
};

static struct play {
    struct scene *scene;
    struct rng rng;
    uint64_t seed;
    struct fleet fleet;
    struct swarm swarm;
    struct store *store;
    struct txn *reader;
    size_t actor_count;
    struct actor *actors;
    struct steps steps;
    struct setting setting;
    struct link watcher, sentinel;
    size_t round, rounds_since_start;
    size_t events;  /* of this round: what the clients did and what was seen */
    size_t kill_at; /* after so many; SIZE_MAX for not in this round */
    uint16_t subscription;
    bool subscribed, answering;
    bool sentinel_online, sentinel_told;
    size_t runs, kills;
} p;

/* ---- what a subscriber sees */

static struct actor *actor_of(const char *device)
{
    char *end;
    if (device[0] != 'd')
        return NULL;
    unsigned long number = strtoul(device + 1, &end, 10);
    return *end == '\0' && number < p.actor_count ? &p.actors[number] : NULL;
}

static _Noreturn void report(const struct actor *actor, const char *what);

static void seen(struct actor *actor, const char *payload, bool retained)
{
    const char *error;
    if (retained && p.rounds_since_start > 0 && strcmp(actor->standing, payload) != 0) {
        print_error("a new subscription is answered with: %s\n", payload);
        report(actor, "that is not what was published last");
    }
    check(path_join(actor->standing, sizeof actor->standing, payload, ""));
    if (!model_message_parse(&actor->says, actor->id, false, payload, &error))
        report(actor, error);
    actor->answered |= retained;
    actor->settled &= retained;
    /* An older one may have been brought back, for a moment. */
    if (!retained && !actor_seen(actor, &actor->says))
        report(actor, actor->why);
}

static void sentinel_seen(const char *payload)
{
    p.sentinel_told = true;
    p.sentinel_online = strstr(payload, "\"state\":\"online\"") != NULL;
}

static void take_message(const struct mqtt_packet *packet)
{
    char topic[TOPIC_ROOM], payload[PAYLOAD_ROOM];
    const size_t prefix = sizeof TOPIC - 1;
    check(packet->topic_size < sizeof topic && packet->payload_size < sizeof payload);
    memcpy(topic, packet->topic, packet->topic_size);
    topic[packet->topic_size] = '\0';
    memcpy(payload, packet->payload, packet->payload_size);
    payload[packet->payload_size] = '\0';
    check(strncmp(topic, TOPIC, prefix) == 0);
    struct actor *actor = actor_of(topic + prefix);
    p.events++;
    if (actor)
        seen(actor, payload, packet->retained);
    else if (strcmp(topic + prefix, "sentinel") == 0 && !packet->retained)
        sentinel_seen(payload);
}

static void heard(struct swarm *swarm, struct link *link, const struct mqtt_packet *packet)
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

static void ended(struct swarm *swarm, struct link *link, enum link_state before)
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

static bool record_of(const struct actor *actor, struct presence *record)
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
    if (!record_of(actor, &r)) {
        print_error("recorded: nothing\n");
        return;
    }
    print_error("recorded: %s %s generation %" PRIu64 " seq %" PRIu64 " conn %" PRIu64
                " of %" PRIu64 " client %s\n",
                r.online ? "online" : "offline", reason_name(r.reason), r.generation, r.seq, r.conn,
                r.connections, r.client);
}

static _Noreturn void report(const struct actor *actor, const char *what)
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
static void subscribe(void)
{
    uint8_t packet[64];
    int64_t until = clock_ms() + PATIENCE_MS;
    p.subscribed = false;
    p.subscription++;
    link_send(&p.swarm, &p.watcher, packet,
              mqtt_subscribe(packet, sizeof packet, p.subscription, TOPIC "#", 1));
    while (!p.subscribed) {
        check(clock_ms() < until);
        swarm_turn(&p.swarm, 10);
    }
    link_ping(&p.swarm, &p.watcher);
    link_await(&p.watcher, LINK_SURE);
}

static void configure(void)
{
    char config[1024], limit[32] = "", delay[48] = "";
    p.setting = (struct setting){rng_percent(&p.rng, 60), rng_percent(&p.rng, 30),
                                 rng_percent(&p.rng, 50), rng_percent(&p.rng, 10)};
    p.fleet.rules.delay = p.setting.delay;
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

static void start(void)
{
    if (p.setting.delay || rng_percent(&p.rng, 50))
        configure();
    broker_start(&p.scene->broker);
    p.runs++;
    p.rounds_since_start = 0;
    for (size_t i = 0; i < p.actor_count; i++) {
        struct actor *actor = &p.actors[i];
        actor_note(actor, "the broker starts");
        actor_broker(actor, started);
        actor->standing[0] = '\0';
        actor->says = (struct model_message){.what = MODEL_NONE};
    }
    watcher_open();
    link_await(&p.watcher, LINK_SURE);
    subscribe();
}

static void actor_goes_down(struct actor *actor, bool kill)
{
    struct presence record;
    const struct presence *recorded = record_of(actor, &record) ? &record : NULL;
    actor_note(actor, kill ? "SIGKILL" : "SIGTERM");
    if (kill ? !actor_killed(actor, recorded) : !actor_stopped(actor, recorded))
        report(actor, actor->why);
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

static void go_down(bool kill)
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

/* ---- rest */

static bool agrees(struct actor *actor)
{
    struct model_message recorded = {.what = MODEL_NONE};
    struct presence record;
    if (record_of(actor, &record))
        model_message_of_record(&recorded, &record);
    return actor_agrees(actor, &actor->says, &recorded);
}

/* Those that wait for what takes its time are left out until it has come. */
static struct actor *unsettled(bool past)
{
    struct actor *found = NULL;
    for (size_t i = 0; i < p.actor_count; i++) {
        struct actor *actor = &p.actors[i];
        if (actor->settled)
            continue;
        bool over = step_is_over(actor);
        if ((!over && actor->parked) || (!past && actor->flickered))
            continue;
        if (over)
            actor_waited(actor);
        actor->settled = over && agrees(actor);
        if (!actor->settled)
            found = actor;
    }
    return found;
}

static bool is_killed(void)
{
    return p.events >= p.kill_at;
}

/* Each packet makes 2.0 tick, which an idle one does ten times a second. */
static void wait_a_little(void)
{
    int64_t next = clock_ms() + LOOK_MS;
    link_ping(&p.swarm, &p.watcher);
    while (!is_killed() && clock_ms() < next)
        swarm_turn(&p.swarm, LOOK_MS);
}

/* False where the moment for the SIGKILL came first. `past`: is the broker past all that the
 * clients did? */
static bool settle(bool past)
{
    struct actor *actor = NULL;
    int64_t until = clock_ms() + PATIENCE_MS;
    while (!is_killed() && (actor = unsettled(past)) && clock_ms() < until)
        wait_a_little();
    if (!is_killed() && actor)
        report(actor, step_is_over(actor) ? actor->why : "a client is not where it should be");
    return !is_killed();
}

static void sentinel_await(bool online)
{
    int64_t until = clock_ms() + PATIENCE_MS;
    while (!p.sentinel_told || p.sentinel_online != online) {
        check(clock_ms() < until);
        wait_a_little();
    }
    p.sentinel_told = false;
}

/* What the broker knew before is recorded and told by now. */
static void sentinel(void)
{
    const struct mqtt_login login = {.client_id = "sentinel",
                                     .user = "sentinel",
                                     .password = scene_key(p.scene, "sentinel"),
                                     .keepalive = WATCH_KEEPALIVE};
    p.sentinel_told = false;
    check(link_open(&p.swarm, &p.sentinel, BY_SOCKET, &login));
    sentinel_await(true);
    link_disconnect(&p.swarm, &p.sentinel);
    sentinel_await(false);
}

static void check_answer(void)
{
    for (size_t i = 0; i < p.actor_count; i++)
        p.actors[i].answered = false;
    p.rounds_since_start++;
    subscribe();
    for (size_t i = 0; i < p.actor_count; i++) {
        struct actor *actor = &p.actors[i];
        if (actor->settled && actor->answered != (actor->standing[0] != '\0'))
            report(actor, actor->answered ? "a message stands there"
                                          : "a new subscription is not answered with it");
    }
}

/* `devreg list` says the same. */
static void check_row(const char *line)
{
    static const char *const words[] = {"never", "online", "offline"};
    cJSON *row = cJSON_ParseWithOpts(line, NULL, true);
    const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(row, "device"));
    const char *says = cJSON_GetStringValue(cJSON_GetObjectItem(row, "presence"));
    check(id != NULL && says != NULL);
    struct actor *actor = actor_of(id);
    if (actor && actor->settled) {
        actor->answered = true;
        if (strcmp(says, words[model_expected(actor->models[0])->what]) != 0) {
            print_error("devreg list: %s\n", line);
            report(actor, "devreg list says otherwise");
        }
    }
    cJSON_Delete(row);
}

static void check_list(void)
{
    for (size_t i = 0; i < p.actor_count; i++)
        p.actors[i].answered = false;
    scene_do(p.scene, "list --json");
    char *rest = NULL;
    for (char *line = strtok_r(p.scene->answer.out, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        check_row(line);
    for (size_t i = 0; i < p.actor_count; i++)
        if (p.actors[i].settled && p.actors[i].answered != (p.actors[i].phase != PHASE_ABSENT))
            report(&p.actors[i], "devreg list has it not, or should not");
}

static void delay_is_over(struct model_device *model)
{
    model_delay_over(model, true);
}

/* Until then an offline may be told or not. False as settle. */
static bool wait_out_delay(void)
{
    int64_t end = clock_ms() + DELAY_S * 1000 + DELAY_MORE_MS;
    while (!is_killed() && clock_ms() < end)
        wait_a_little();
    for (size_t i = 0; i < p.actor_count && !is_killed(); i++)
        actor_broker(&p.actors[i], delay_is_over);
    return !is_killed();
}

static bool rest(void)
{
    if ((p.setting.delay && !wait_out_delay()) || !settle(false))
        return false;
    sentinel();
    for (size_t i = 0; i < p.actor_count; i++)
        p.actors[i].settled = false;
    if (!settle(true))
        return false;
    check_answer();
    if (!settle(true))
        return false;
    if (p.round % LIST_EACH == 0)
        check_list();
    return true;
}

/* ---- rounds */

static void commands_run(void)
{
    for (size_t i = 0; i < p.steps.command_count; i++)
        scene_do(p.scene, "%s", p.steps.commands[i]);
    p.steps.command_count = 0;
}

/* While the broker is down nothing is compared, and one step after the other may be taken. */
static void draw_steps(unsigned percent)
{
    check(registry_write(p.fleet.registry, "prop_presence", wall_ms()) == ERR_OK);
    p.steps.op_count = 0;
    for (size_t i = 0; i < p.actor_count; i++) {
        struct actor *actor = &p.actors[i];
        bool ready = p.steps.down ? step_is_over(actor) : actor->settled;
        if (ready && rng_percent(&p.rng, percent))
            step_draw(&p.steps, actor);
    }
    check(registry_commit(p.fleet.registry) == ERR_OK);
    commands_run();
}

static void shuffle(void)
{
    for (size_t i = p.steps.op_count; i > 1; i--) {
        size_t at = rng_below(&p.rng, i);
        struct op op = p.steps.ops[i - 1];
        p.steps.ops[i - 1] = p.steps.ops[at];
        p.steps.ops[at] = op;
    }
}

/* SIGHUP or SIGUSR1, after so many of the clients' steps. */
static void disturb(void)
{
    if (rng_percent(&p.rng, 50))
        broker_reload(&p.scene->broker);
    else if (p.setting.persistence)
        broker_save(&p.scene->broker);
}

static void run_ops(void)
{
    size_t disturbed = rng_percent(&p.rng, 20) ? rng_below(&p.rng, p.steps.op_count + 1) : SIZE_MAX;
    for (size_t i = 0; i < p.steps.op_count && !is_killed(); i++) {
        if (i == disturbed)
            disturb();
        op_run(&p.swarm, &p.steps.ops[i]);
        p.events++;
        if (i % OPS_A_TURN == 0)
            swarm_turn(&p.swarm, 0);
    }
}

static void play_round(void)
{
    p.round++;
    p.events = 0;
    p.kill_at = rng_percent(&p.rng, 8) ? rng_below(&p.rng, 2 * p.actor_count) : SIZE_MAX;
    p.steps.slow = SLOW_AT_ONCE;
    draw_steps(90);
    shuffle();
    run_ops();
    if (!rest())
        go_down(true);
    else if (rng_percent(&p.rng, p.setting.delay ? 50 : 6)) /* each rest takes its time there */
        go_down(rng_percent(&p.rng, 50));
}

/* The registry may change meanwhile; and a broker that just starts may be killed again. */
static void come_back(void)
{
    do {
        if (broker_alive(&p.scene->broker))
            go_down(true);
        p.steps.down = true;
        if (rng_percent(&p.rng, 50))
            draw_steps(30);
        p.steps.down = false;
        p.events = 0;
        p.kill_at = rng_percent(&p.rng, 30) ? rng_below(&p.rng, p.actor_count) : SIZE_MAX;
        start();
    } while (!rest());
}

/* ---- the play */

static void open_files(void)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void open_stores(void)
{
    char path[BROKER_PATH_MAX];
    check(path_join(path, sizeof path, p.scene->registry, "/" PRESENCE_SUBDIR));
    check(registry_open(&p.fleet.registry, p.scene->registry, STORE_WRITE) == ERR_OK);
    check(store_open(&p.store, path, STORE_PRESENCE, STORE_WRITE) == ERR_OK);
    check(txn_reader(&p.reader, p.store) == ERR_OK);
}

static void open_actors(void)
{
    p.fleet.rng = &p.rng;
    p.fleet.rules.tells_ends = broker_version() >= 20100;
    p.steps = (struct steps){.fleet = &p.fleet,
                             .version = broker_version(),
                             .fragile = broker_version() / 100 == 200 && broker_version() > 20011,
                             .op_room = 2 * p.actor_count};
    p.steps.ops = calloc(p.steps.op_room, sizeof *p.steps.ops);
    p.actors = calloc(p.actor_count, sizeof *p.actors);
    check(p.steps.ops != NULL && p.actors != NULL);
    for (size_t i = 0; i < p.actor_count; i++)
        actor_init(&p.fleet, &p.actors[i], i);
}

static void play_begin(struct scene *scene)
{
    p.scene = scene;
    p.rng = rng_start("prop_presence");
    p.seed = p.rng.state;
    open_files();
    scene_make_registry(scene);
    scene_add(scene, "watcher");
    scene_do(scene, "allow watcher subscribe devreg/#");
    scene_add(scene, "sentinel");
    open_stores();
    open_actors();
    swarm_open(&p.swarm, scene->broker.socket, scene->broker.tcp_port, scene->broker.ws_port);
    p.swarm.heard = heard;
    p.swarm.ended = ended;
    link_init(&p.watcher, WATCH_ROOM);
    link_init(&p.sentinel, PAYLOAD_ROOM);
    configure();
}

static void play_end(void)
{
    for (size_t i = 0; i < p.actor_count; i++)
        actor_clear(&p.swarm, &p.actors[i]);
    link_clear(&p.swarm, &p.watcher);
    link_clear(&p.swarm, &p.sentinel);
    swarm_close(&p.swarm);
    free(p.actors);
    free(p.steps.ops);
    txn_close(p.reader);
    store_close(p.store);
    registry_close(p.fleet.registry);
}

static void what_is_seen_is_recorded_and_true(void **state)
{
    const char *given = getenv("DEVREG_HISTORIES");
    size_t histories = given ? strtoul(given, NULL, 10) : HISTORIES;
    p.actor_count = histories / 2 < ACTORS_MIN   ? ACTORS_MIN
                    : histories / 2 > ACTORS_MAX ? ACTORS_MAX
                                                 : histories / 2;
    int64_t begin = clock_ms();
    play_begin(*state);
    come_back();
    while (p.steps.histories < histories) {
        play_round();
        if (!broker_alive(&p.scene->broker))
            come_back();
    }
    print_message("%zu histories, %zu steps, %zu rounds, %zu runs, %zu SIGKILLs, %.1f s\n",
                  p.steps.histories, p.steps.taken, p.round, p.runs, p.kills,
                  (double)(clock_ms() - begin) / 1000);
    play_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_is_seen_is_recorded_and_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
