/* prop_presence.c - what a subscriber sees, what is recorded and what the model says are the same.
 *
 *   round:  each device takes a step of its history -> at rest all is compared -> the next round
 *
 * A real broker, hundreds of devices, random histories: steps.c has what may happen to a device.
 * Within and between rounds the broker is sent SIGHUP and SIGUSR1, is stopped or killed at any
 * moment, also while it starts, and comes back with other options: of Mosquitto's, with another
 * topic or format of presence, with presence off, a delay, events; and now and then without its
 * presence store. A history ends with the device's removal, and another begins under its name.
 *
 * At rest means: the models agree with what stands on the topics and in the store, and still do
 * once a device that came last has been told online and offline. Then a new subscription is
 * answered with exactly what stands there. Every few rounds `devreg list`, devreg/summary and the
 * events are compared as well.
 *
 * DEVREG_HISTORIES sets how many, DEVREG_SEED which. */
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "deadline.h"
#include "play.h"

enum { HISTORIES = 5000, ACTORS_MIN = 60, ACTORS_MAX = 2000, SLOW_AT_ONCE = 20, OPS_A_TURN = 16 };

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
        if (ready && rng_percent(&p.rng, percent)) {
            actor->online_at =
                actor->settled && model_expected(actor->models[0])->what == MODEL_ONLINE
                    ? clock_ms()
                    : 0;
            step_draw(&p.steps, actor);
        }
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
    for (size_t i = 0; i < p.steps.op_count && !play_is_killed(); i++) {
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
    p.kill_at = rng_percent(&p.rng, 12) ? rng_below(&p.rng, 2 * p.actor_count) : SIZE_MAX;
    p.steps.slow = SLOW_AT_ONCE;
    draw_steps(90);
    shuffle();
    run_ops();
    if (!play_rest())
        play_go_down(rng_percent(&p.rng, 60), true);
    else if (rng_percent(&p.rng,
                         p.setting.delay || p.setting.off ? 50 : 12)) /* slow; tells little */
        play_go_down(rng_percent(&p.rng, 50), false);
}

/* The registry may change meanwhile; and a broker that just starts may be killed again. */
static void come_back(void)
{
    do {
        if (broker_alive(&p.scene->broker))
            play_go_down(rng_percent(&p.rng, 60), true);
        p.steps.down = true;
        if (!p.lost && rng_percent(&p.rng, 50))
            draw_steps(30);
        p.steps.down = false;
        p.events = 0;
        p.kill_at = rng_percent(&p.rng, 30) ? rng_below(&p.rng, p.actor_count) : SIZE_MAX;
        play_start();
    } while (!play_rest());
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
    check(registry_open(&p.fleet.registry, p.scene->registry, STORE_WRITE) == ERR_OK);
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
    scene_do(scene, "allow watcher subscribe #");
    scene_add(scene, "sentinel");
    open_stores();
    open_actors();
    swarm_open(&p.swarm, scene->broker.socket, scene->broker.tcp_port, scene->broker.ws_port);
    p.swarm.heard = play_heard;
    p.swarm.ended = play_ended;
    link_init(&p.watcher, WATCH_ROOM);
    link_init(&p.sentinel, PAYLOAD_ROOM);
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
    print_message("%zu histories, %zu steps, %zu rounds, %zu runs, %zu SIGKILLs, "
                  "%zu lost stores, %.1f s\n",
                  p.steps.histories, p.steps.taken, p.round, p.runs, p.kills, p.losses,
                  (double)(clock_ms() - begin) / 1000);
    play_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_is_seen_is_recorded_and_true),
    };
    /* Syncs are LMDB's own business, and what a SIGKILL leaves is the same in memory. */
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
