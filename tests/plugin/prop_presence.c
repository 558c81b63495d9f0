/* prop_presence.c - presence is always true: thousands of random histories of a broker.
 *
 *   parent   history in shared memory: devices, the model, the clocks, mosquitto.db
 *   child    one run of the broker, all of the plugin in it; ends with SIGTERM, or with SIGKILL at
 *            any point, and then what the plugin had in memory is gone
 *
 * At rest, what stands on the retained topics, what the presence store says and what the model says
 * are the same. DEVREG_HISTORIES sets how many; one that fails says how it can be had again.
 */
#include "tests/plugin/disk.h"
#include "tests/plugin/witness.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/tempdir.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
    HISTORIES = 300,
    FEW = 20, /* fewer may miss something that counts */
    RUNS = 6,
    STEPS = 90,
    TICK = 110,
    RETRY = 1100,
    QUIET_TURNS = 4,
    TURNS_MAX = 2000
};

static struct {
    struct tempdir dir;
    char path[TEMPDIR_MAX], presence[TEMPDIR_MAX];
    struct history *h;
    struct sim_saved *saved;
    struct registry *registry;
    uint64_t seed; /* of this history */
    bool persists; /* Mosquitto's persistence is on */
} s;

static bool percent(unsigned percent)
{
    return rng_percent(&s.h->rng, percent);
}

static size_t below(size_t limit)
{
    return rng_below(&s.h->rng, limit);
}

/* Time. */

static void clock_go_on(int64_t ms)
{
    sim_clock(ms);
    s.h->wall = sim_now();
    s.h->steady = sim_steady();
    witness_changed();
}

static void clock_jump(void)
{
    static const int64_t jumps[] = {-3600000, -20000, -1500, 1500, 20000, 3600000};
    int64_t jump = jumps[below(COUNT(jumps))];
    trace(s.h, "the wall clock jumps by %" PRId64, jump);
    sim_set_clock(sim_now() + jump, sim_steady());
    s.h->wall = sim_now();
}

static void turn(int64_t ms)
{
    clock_go_on(ms);
    sim_turn();
}

/* Clients. */

/* A client without a username comes and goes: where no ticks come, the plugin works then. */
static void passer_by(void)
{
    const struct sim_login login = {.id = "passer-by", .protocol = 4, .clean = true};
    clock_go_on(1100);
    (void)sim_connect(&login);
    clock_go_on(1100);
    if (sim_client("passer-by"))
        sim_end(sim_client("passer-by"), SIM_LEAVE);
}

static struct fleet_device *device_draw(size_t *at)
{
    *at = below(FLEET_DEVICES);
    return &s.h->fleet.devices[*at];
}

static const char *key_draw(const struct fleet_device *device, uint32_t *id)
{
    *id = 0;
    if (!device->key_count || percent(8))
        return percent(50) ? SIM_NO_KEY : NULL;
    const struct fleet_key *key =
        &device->keys[percent(70) ? device->key_count - 1 : below(device->key_count)];
    *id = key->id;
    return key->text;
}

static void come(void)
{
    static const uint32_t expiries[] = {0, 1, 100, UINT32_MAX};
    char id[SIM_TEXT_MAX], will[SIM_TEXT_MAX];
    size_t at, victim;
    uint32_t key;
    const struct fleet_device *device = device_draw(&at);
    (void)snprintf(will, sizeof will, "devices/%s/will", device->id);
    victim = percent(5) ? below(FLEET_DEVICES) : at;
    witness_client_id(id, victim, below(WITNESS_CLIENTS));
    struct sim_login login = {.id = id,
                              .username = device->id,
                              .password = key_draw(device, &key),
                              .protocol = (int)(3 + below(3)),
                              .clean = percent(50),
                              .expiry = expiries[below(COUNT(expiries))],
                              .will = percent(30) ? will : NULL,
                              .will_delay = percent(30),
                              .websockets = percent(20),
                              .address = SIM_SOCKET};
    if (percent(2))
        login.username = login.password = NULL;
    witness_login(key);
    trace(s.h, "CONNECT %s of %s, key %u, v%d%s%s, expiry %u", id, device->id, key, login.protocol,
          login.clean ? " clean" : "", login.websockets ? " ws" : "", login.expiry);
    int answer = sim_connect(&login);
    if (answer == MOSQ_ERR_SUCCESS && mosq_is_2_1())
        witness_in(sim_client(id));
    if (answer == MOSQ_ERR_SUCCESS && percent(10) && sim_state(sim_client(id)) == SIM_CONNECTED) {
        trace(s.h, "  and goes at once");
        sim_end(sim_client(id), (enum sim_end)below(4));
    }
}

/* One that is connected; NULL for none. */
static struct mosquitto *client_draw(void)
{
    char id[SIM_TEXT_MAX];
    for (size_t tries = 0; tries < 20; tries++) {
        witness_client_id(id, below(FLEET_DEVICES), below(WITNESS_CLIENTS));
        struct mosquitto *client = sim_client(id);
        if (client && sim_state(client) == SIM_CONNECTED)
            return client;
    }
    return NULL;
}

static void go(void)
{
    struct mosquitto *client = client_draw();
    enum sim_end how = (enum sim_end)below(4);
    if (!client)
        return;
    trace(s.h, "%s goes (%d)", sim_id(client), how);
    sim_end(client, how);
}

static void act(void)
{
    struct mosquitto *client = client_draw();
    char topic[SIM_TEXT_MAX];
    if (!client || !sim_username(client))
        return;
    (void)snprintf(topic, sizeof topic, percent(80) ? "devices/%s/x" : "other/%s",
                   sim_username(client));
    bool publish = percent(50);
    trace(s.h, "%s %s %s", sim_id(client), publish ? "publishes" : "subscribes to", topic);
    (void)(publish ? sim_publish : sim_subscribe)(client, topic);
}

/* devreg */

static void change(void)
{
    size_t at;
    const struct fleet_device *device = device_draw(&at);
    uint64_t generation = device->there ? device->generation : 0;
    const char *what = fleet_change(&s.h->fleet, s.registry, &s.h->rng, at, s.h->wall);
    trace(s.h, "devreg %s %s", what, device->id);
    witness_changed();
    if (generation && !device->there)
        model_remove(&s.h->models[at]);
    else if (!generation)
        model_add(&s.h->models[at], device->generation);
}

/* Rest. */

/* Until nothing is written or published for some turns. */
static void settle(void)
{
    size_t quiet = 0, turns = 0, before;
    bool failed = false;
    disk_hold(false);
    disk_keep_quiet(false);
    disk_fail(false);
    while (quiet < QUIET_TURNS) {
        before = disk_jobs() + s.h->messages;
        if (sim_stalled())
            passer_by();
        failed |= disk_has_failed();
        turn(failed ? RETRY : TICK); /* what failed is written again after a second */
        if (disk_jobs() + s.h->messages == before)
            quiet++;
        else
            quiet = 0;
        if (++turns == TURNS_MAX)
            fail_msg("it does not come to rest");
    }
}

static void rest(void)
{
    trace(s.h, "rest");
    settle();
    witness_check(s.presence);
}

/* The model can hold so many events without a rest. */
static bool rest_is_due(void)
{
    for (size_t i = 0; i < FLEET_DEVICES; i++) {
        const struct model_device *model = &s.h->models[i];
        size_t states = s.h->setting.delay ? 3 * model->count : model->count;
        if (states + 8 * (model->count - model->now) > MODEL_STATES_MAX / 4)
            return true;
    }
    return false;
}

/* Steps. */

static void save(void)
{
    if (!s.persists)
        return;
    trace(s.h, "mosquitto.db is written");
    sim_save(s.saved);
}

static void trouble_with_the_disk(void)
{
    size_t dice = below(5);
    trace(s.h, "disk: %s",
          (const char *[]){"slow", "written", "not told", "full", "as it should"}[dice]);
    disk_keep_quiet(dice == 2);
    disk_fail(dice == 3);
    disk_hold(dice == 0);
}

static void hang_up(void)
{
    trace(s.h, "SIGHUP");
    sim_hang_up();
}

static void step(void)
{
    size_t dice = below(100);
    s.h->steps++;
    if (dice < 28)
        come();
    else if (dice < 40)
        go();
    else if (dice < 50)
        act();
    else if (dice < 60)
        change();
    else if (dice < 75)
        turn((int64_t)below(2 * TICK));
    else if (dice < 80)
        turn((int64_t)below(4000));
    else if (dice < 85)
        trouble_with_the_disk();
    else if (dice < 88)
        save();
    else if (dice < 90)
        hang_up();
    else if (dice < 92)
        sim_knock();
    else if (dice < 94)
        clock_jump();
    else if (dice < 95)
        witness_kill_after(1 + below(6));
    else
        rest();
    if (rest_is_due())
        rest();
}

/* Runs. */

static void setting_draw(void)
{
    static const char *const patterns[] = {"devreg/presence/%u", "p/%u/state", "site/%{site}/%u",
                                           "%{site}/%u"};
    struct setting *setting = &s.h->setting;
    if (s.h->runs && percent(60))
        return;
    setting->presence = percent(85);
    setting->plain = percent(20);
    setting->delay = percent(25) ? 1 + (unsigned)below(4) : 0;
    (void)snprintf(setting->pattern, sizeof setting->pattern, "%s",
                   patterns[percent(50) ? 0 : below(COUNT(patterns))]);
}

static void start(void)
{
    static char delay[16];
    const struct setting *setting = &s.h->setting;
    setting_draw();
    s.h->rules = (struct model_rules){
        .tells_ends = mosq_is_2_1(), .delay = setting->delay > 0, .times = true};
    (void)snprintf(delay, sizeof delay, "%u", setting->delay);
    trace(s.h, "start: presence %s, %s, delay %u, %s", setting->presence ? "on" : "off",
          setting->plain ? "plain" : "json", setting->delay, setting->pattern);
    const struct sim_options options = {.registry = s.path,
                                        .others_admit = true,
                                        .reuse = percent(70) ? SIM_REUSE_LAST_FREED
                                                             : SIM_REUSE_FIRST_FREED,
                                        .presence = setting->presence ? "on" : "off",
                                        .presence_topic = setting->pattern,
                                        .presence_format = setting->plain ? "plain" : "json",
                                        .presence_delay = delay,
                                        .events = percent(20) ? "on" : NULL,
                                        .logged_in = witness_logged_in,
                                        .checked = witness_checked,
                                        .before_tick = witness_before_tick,
                                        .published = witness_published,
                                        .ended = witness_ended,
                                        .kicked = witness_kicked};
    witness_check_counts(s.presence);
    sim_set_clock(s.h->wall, s.h->steady);
    sim_load(s.saved);
    witness_begin(s.h);
    sim_start(&options);
}

static void stop(void)
{
    turn(TICK); /* 2.0 ends a websocket then: in the ms of the last tick that is the stop's */
    turn(TICK);
    trace(s.h, "SIGTERM");
    bool written = !disk_fails() && !disk_has_failed();
    if (percent(50)) /* what was written is known by then */
        disk_keep_quiet(false);
    witness_kill_after(0);
    sim_stop();
    for (size_t i = 0; i < FLEET_DEVICES; i++) {
        if (written)
            model_stop(&s.h->models[i], s.h->wall);
        else
            model_stop_unwritten(&s.h->models[i], s.h->wall);
    }
    if (s.persists)
        sim_save(s.saved);
}

static void crash(void)
{
    if (percent(30))
        disk_let_go();
    witness_kill(s.h);
}

/* In the child. */
static _Noreturn void run(void)
{
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    assert_int_equal(registry_open(&s.registry, s.path, STORE_WRITE), ERR_OK);
    for (size_t changes = s.h->runs ? below(3) : FLEET_DEVICES; changes > 0; changes--)
        change();
    start();
    for (size_t left = below(STEPS); left > 0; left--)
        step();
    if (percent(40))
        crash();
    stop();
    _exit(0);
}

/* In the parent: no LMDB here. */
static void run_apart(void (*what)(void))
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && s.h->dies;
    if (!killed && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        trace_print(s.h);
        tempdir_remove(&s.dir);
        fail_msg("a run of the broker ended with status %x: DEVREG_SEED=%" PRIu64
                 " DEVREG_HISTORIES=1",
                 (unsigned)status, s.seed);
    }
    for (size_t i = 0; killed && i < FLEET_DEVICES; i++)
        model_kill(&s.h->models[i]);
    s.h->kills += killed;
    s.h->dies = false;
}

static void make_registry(void)
{
    assert_int_equal(registry_create(s.path, geteuid(), getegid(), "tester", 1), ERR_OK);
}

static void history_begin(uint64_t seed)
{
    memset(s.h, 0, sizeof *s.h);
    memset(s.saved, 0, sim_saved_size());
    s.h->rng.state = s.seed = seed;
    s.h->wall = SIM_BEGINNING;
    s.h->steady = 1000;
    s.persists = percent(70);
    fleet_init(&s.h->fleet);
    for (size_t i = 0; i < FLEET_DEVICES; i++)
        model_init(&s.h->models[i], s.h->fleet.devices[i].id, &s.h->rules);
    tempdir_make(&s.dir);
    path_join(s.path, s.dir.path, "registry");
    path_join(s.presence, s.path, PRESENCE_SUBDIR);
    run_apart(make_registry);
}

static void presence_is_always_true(void **state)
{
    const char *given = getenv("DEVREG_HISTORIES");
    size_t histories = given ? strtoul(given, NULL, 10) : HISTORIES;
    size_t steps = 0, runs = 0, kills = 0, rests = 0, messages = 0, accepted = 0;
    uint64_t seed = rng_start("prop_presence").state;
    (void)state;
    for (size_t i = 0; i < histories; i++) {
        history_begin(seed + i);
        for (s.h->runs = 0; s.h->runs < RUNS; s.h->runs++)
            run_apart(run);
        tempdir_remove(&s.dir);
        steps += s.h->steps;
        runs += s.h->runs;
        kills += s.h->kills;
        rests += s.h->rests;
        messages += s.h->messages;
        accepted += s.h->accepted;
    }
    print_message("%zu runs, %zu SIGKILLs, %zu steps, %zu connections, %zu messages, %zu rests\n",
                  runs, kills, steps, accepted, messages, rests);
    if (histories >= FEW) /* it has tested something */
        assert_true(kills && kills < runs && rests > histories && messages > accepted);
}

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(presence_is_always_true)};
    /* Syncs are LMDB's own business, and what a SIGKILL leaves is the same in memory. */
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1);
    s.h = shared(sizeof *s.h);
    s.saved = shared(sim_saved_size());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
