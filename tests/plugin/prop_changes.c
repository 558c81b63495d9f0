/* prop_changes.c - no decision is ever answered from before a change that was reported.
 *
 * One process makes random changes to a registry, as `devreg` does, and asks the plugin meanwhile,
 * in a simulated broker: logins, take-overs, publishes, subscriptions, deliveries, wills, kicks,
 * SIGHUP, restarts. judge.h compares each answer, also those to what the broker asks by itself.
 * DEVREG_STEPS sets how long. */
#include "tests/plugin/judge.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/tempdir.h"

#include <string.h>

enum { STEPS = 12000, CLIENTS_A_DEVICE = 3, TICK = 100 };

static struct {
    struct tempdir dir;
    char path[TEMPDIR_MAX];
    struct rng rng;
    struct world world;
    struct world_keys keys;
    struct change change; /* the latest */
    size_t step, changes;
} s;

static const char *latest(void)
{
    static char text[DEVICE_ID_MAX + 64];
    (void)snprintf(text, sizeof text, "'%s %s', at step %zu", log_verb_name(s.change.verb),
                   s.change.subject, s.step);
    return text;
}

static void broker_start(void)
{
    const struct sim_options options = {.registry = s.path,
                                        .anonymous_role = "r0",
                                        .others_admit = true,
                                        .reuse = rng_percent(&s.rng, 70) ? SIM_REUSE_LAST_FREED
                                                                         : SIM_REUSE_FIRST_FREED,
                                        .logged_in = judge_logged_in,
                                        .checked = judge_checked,
                                        .before_tick = judge_before_tick};
    judge_restart();
    sim_start(&options);
}

static void name_draw(char name[static DEVICE_ID_MAX + 1])
{
    static const char *const strangers[] = {"x0", "x1", "no device"};
    if (rng_percent(&s.rng, 5))
        strcpy(name, strangers[rng_below(&s.rng, COUNT(strangers))]);
    else
        world_name(name, 'd', rng_below(&s.rng, WORLD_DEVICES));
}

/* One of the client ids that go with the name. */
static void client_id_draw(char *id, const char *name)
{
    (void)snprintf(id, SIM_TEXT_MAX, "%s.%zu", name, rng_below(&s.rng, CLIENTS_A_DEVICE));
}

/* Mostly one of the device's keys, old ones that are on their way out among them. */
static const char *password_draw(const char *name)
{
    size_t at = world_place(name);
    if (rng_percent(&s.rng, 3))
        return NULL;
    if (at < WORLD_DEVICES && s.world.device_there[at] && s.world.devices[at].credential_count &&
        rng_percent(&s.rng, 85)) {
        const struct device *device = &s.world.devices[at];
        size_t key = rng_below(&s.rng, device->credential_count);
        return s.keys.text[device->credentials[key].secret[0]];
    }
    return s.keys.text[rng_below(&s.rng, WORLD_KEYS)];
}

static void login_draw(char *id, char *name, char *will)
{
    static const uint32_t expiries[] = {0, 1, 100, UINT32_MAX};
    name_draw(name);
    client_id_draw(id, name);
    topic_draw(&s.rng, will, false);
    judge.login = (struct sim_login){.id = id,
                                     .username = name,
                                     .password = password_draw(name),
                                     .protocol = (int)(3 + rng_below(&s.rng, 3)),
                                     .clean = rng_percent(&s.rng, 60),
                                     .expiry = expiries[rng_below(&s.rng, COUNT(expiries))],
                                     .will = rng_percent(&s.rng, 40) ? will : NULL,
                                     .will_delay = rng_percent(&s.rng, 30),
                                     .websockets = rng_percent(&s.rng, 25),
                                     .address = SIM_SOCKET};
    if (rng_percent(&s.rng, 3)) { /* without a username */
        judge.login.username = judge.login.password = NULL;
        (void)snprintf(id, SIM_TEXT_MAX, "anybody.%zu", rng_below(&s.rng, CLIENTS_A_DEVICE));
    } else if (rng_percent(&s.rng, 5)) { /* with a name that is somebody's, or may become so */
        name_draw(id);
        judge.login.protocol = 4;
        judge.login.clean = true;
    }
}

static void connect_one(void)
{
    char id[SIM_TEXT_MAX + 1], name[DEVICE_ID_MAX + 1], will[WORLD_TOPIC_MAX];
    login_draw(id, name, will);
    if (sim_connect(&judge.login) == MOSQ_ERR_SUCCESS && mosq_is_2_1())
        judge_prove(sim_client(id));
}

/* A client of that name; NULL where there is none. */
static struct mosquitto *client_of(const char *name)
{
    char id[SIM_TEXT_MAX + 1];
    client_id_draw(id, name);
    return sim_client(id);
}

static struct mosquitto *any_client(void)
{
    char name[DEVICE_ID_MAX + 1];
    name_draw(name);
    if (rng_percent(&s.rng, 5))
        return sim_client(name);
    return client_of(rng_percent(&s.rng, 3) ? "anybody" : name);
}

/* Often the same as before, since the plugin may remember the answer. */
static void ask(struct mosquitto *client)
{
    struct seat *seat = client ? &judge.seats[sim_place(client)] : NULL;
    size_t dice = rng_below(&s.rng, 100);
    bool again = rng_percent(&s.rng, 50);
    if (!client)
        return;
    if (!again || !seat->asked ||
        (sim_state(client) == SIM_OFFLINE && seat->asked != MOSQ_ACL_READ)) {
        seat->asked = sim_state(client) == SIM_OFFLINE || dice < 35 ? MOSQ_ACL_READ
                      : dice < 70                                   ? MOSQ_ACL_WRITE
                                                                    : MOSQ_ACL_SUBSCRIBE;
        topic_draw(&s.rng, seat->topic, seat->asked == MOSQ_ACL_SUBSCRIBE);
    }
    if (seat->asked == MOSQ_ACL_READ)
        (void)sim_deliver(client, seat->topic);
    else if (dice == 99)
        (void)sim_unsubscribe(client, seat->topic);
    else if (seat->asked == MOSQ_ACL_WRITE)
        (void)sim_publish(client, seat->topic);
    else
        (void)sim_subscribe(client, seat->topic);
}

static void ask_source(void)
{
    char id[SIM_TEXT_MAX + 1], name[DEVICE_ID_MAX + 1], topic[WORLD_TOPIC_MAX];
    name_draw(name);
    client_id_draw(id, name);
    topic_draw(&s.rng, topic, false);
    if (rng_percent(&s.rng, 10))
        (void)sim_source("", NULL, topic);
    else
        (void)sim_source(id, name, topic);
}

/* The log's old end goes, up to what was just written: whoever did not look meanwhile meets a gap.
 */
static void trim_log(uint64_t last)
{
    struct txn *txn;
    assert_int_equal(txn_write(&txn, registry_store(judge.registry)), ERR_OK);
    for (uint64_t seq = 1; seq < last; seq++) {
        uint8_t key[9] = {'l'};
        for (unsigned i = 0; i < 8; i++)
            key[1 + i] = (uint8_t)(seq >> (56 - 8 * i));
        txn_delete(txn, (struct bytes){key, sizeof key});
    }
    assert_int_equal(txn_commit(txn), ERR_OK);
}

static uint64_t last_entry(void)
{
    uint64_t last = 0;
    assert_int_equal(registry_read(judge.registry), ERR_OK);
    assert_int_equal(registry_last_entry(judge.registry, &last), ERR_OK);
    registry_end(judge.registry);
    return last;
}

static void change_one(void)
{
    s.world.now = sim_now();
    change_draw(&s.rng, &s.world, true, &s.change);
    assert_true(change_store(judge.registry, &s.world, &s.keys, &s.change));
    s.changes++;
}

static void change_some(void)
{
    size_t changes = rng_percent(&s.rng, 80) ? 1 : 2 + rng_below(&s.rng, 4);
    for (; changes > 0; changes--)
        change_one();
    if (rng_percent(&s.rng, 2))
        trim_log(last_entry());
    for (int i = 0; i < 3; i++)
        ask(s.change.kind == LOG_DEVICE ? client_of(s.change.subject) : any_client());
}

static void turn_after(int64_t ms)
{
    sim_clock(ms);
    sim_turn();
}

/* Nobody who has ended by now is connected two turns later. */
static void turn_twice(void)
{
    bool ended[SIM_CLIENTS] = {false};
    struct mosquitto *client;
    for (client = sim_next(NULL); client; client = sim_next(client))
        ended[sim_place(client)] = judge_ended(client);
    turn_after(TICK);
    turn_after(TICK);
    for (client = sim_next(NULL); client; client = sim_next(client)) {
        if (ended[sim_place(client)] && judge_ended(client))
            judge_fail(client, "the state", NULL, SIM_OFFLINE, SIM_CONNECTED);
    }
}

static void end_one(struct mosquitto *client)
{
    if (client && sim_state(client) == SIM_CONNECTED)
        sim_end(client, (enum sim_end)rng_below(&s.rng, 4));
}

static void restart(void)
{
    if (!s.world.role_there[0])
        return; /* without the role for the nameless it would not start */
    sim_stop();
    broker_start();
}

static void step(void)
{
    size_t dice = rng_below(&s.rng, 1000);
    if (dice < 200)
        change_some();
    else if (dice < 450)
        connect_one();
    else if (dice < 800)
        ask(any_client());
    else if (dice < 830)
        ask_source();
    else if (dice < 880)
        end_one(any_client());
    else if (dice < 920)
        sim_clock((int64_t)rng_below(&s.rng, TICK));
    else if (dice < 970)
        turn_after(mosq_is_2_1() ? TICK : (int64_t)rng_below(&s.rng, TICK));
    else if (dice < 985)
        turn_twice();
    else if (dice < 995)
        sim_knock();
    else if (dice < 999)
        sim_hang_up();
    else
        restart();
}

static void no_decision_is_older_than_a_change_that_was_reported(void **state)
{
    const char *given = getenv("DEVREG_STEPS");
    size_t steps = given ? strtoul(given, NULL, 10) : STEPS;
    (void)state;
    for (s.step = 0; s.step < steps; s.step++)
        step();
    print_message("%zu changes, %zu logins, %zu checks, %zu allowed\n", s.changes, judge.logins,
                  judge.checks, judge.allowed);
    assert_true(judge.allowed > judge.checks / 20 &&
                judge.allowed < judge.checks); /* it has tested something */
}

static int begin(void **state)
{
    (void)state;
    tempdir_make(&s.dir);
    path_join(s.path, s.dir.path, "registry");
    if (registry_create(s.path, geteuid(), getegid(), "tester", 1) ||
        registry_open(&judge.registry, s.path, STORE_WRITE))
        return -1;
    judge.latest = latest;
    world_keys_make(&s.keys);
    world_init(&s.world, WORLD_DEVICES, 1);
    if (!world_store(judge.registry, &s.world))
        return -1;
    broker_start();
    return 0;
}

static int end(void **state)
{
    (void)state;
    sim_stop();
    world_clear(&s.world);
    registry_close(judge.registry);
    tempdir_remove(&s.dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_decision_is_older_than_a_change_that_was_reported, begin,
                                        end),
    };
    s.rng = rng_start("prop_changes");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
