/* soak.c - `soak`: the fleet's clock.
 *
 * DEVREG_SOAK          how long it runs, in seconds (180)
 * DEVREG_SOAK_HOUR     how long an hour of the fleet takes, where the machine is quick enough (180)
 * DEVREG_SOAK_DEVICES  how many there are (5000, or as many as it may open files for)
 * DEVREG_SOAK_PLAIN    set: a broker without the plugin, to see what is its own */
#include "soak.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/broker/deadline.h"

/* An hour of a fleet: each device sends a message a minute and loses its connection once; a fifth
 * is tried with a wrong key; at three in ten something is changed. */
enum { PER_DEVICE_MESSAGES = 60, WRONG_KEY_PERCENT = 20, CHANGE_PERCENT = 30 };
enum { HOUR_S = 180, DEVICES = 5000, OPEN_MAX = 32, SAMPLES = 120, FILES_SPARE = 200 };

struct soak s;

static const char plain_conf[] = CONF_SOCKET "allow_anonymous true\n";

_Noreturn void soak_wrong(const struct unit *unit, const char *what)
{
    fail_msg("%s %s (phase %d, %s, epoch %u)", unit->id, what, (int)unit->phase,
             unit->changing ? "changing" : "at rest", unit->epoch);
    abort();
}

static size_t option(const char *name, size_t otherwise)
{
    const char *text = getenv(name);
    size_t value = text ? strtoull(text, NULL, 10) : 0;
    return value > 0 ? value : otherwise;
}

/* Each device has two connections at times, and the broker as many. */
static void raise_files(void)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur != RLIM_INFINITY && s.unit_count + FILES_SPARE > limit.rlim_cur)
        s.unit_count = (size_t)limit.rlim_cur - FILES_SPARE;
}

static void turn(void)
{
    swarm_turn(&s.swarm, 1);
    fleet_turn();
    admin_turn();
    watch_turn();
}

static bool has_room(void)
{
    return s.busy_count < OPEN_MAX;
}

/* ---- the clock: as many of each kind as are due by now */

struct kind {
    const char *name;
    double per_hour;
    bool (*one)(void);
    double done;
};

static void run_for(double seconds, struct kind *kinds, size_t count)
{
    const int64_t begin = clock_ms(), sample_every = (int64_t)(seconds * 1000 / SAMPLES) + 1;
    const double hour_s = (double)option("DEVREG_SOAK_HOUR", HOUR_S);
    int64_t sampled = begin;
    for (int64_t now = begin; now - begin < (int64_t)(seconds * 1000); now = clock_ms()) {
        double hours = (double)(now - begin) / 1000 / hour_s;
        for (size_t i = 0; i < count; i++)
            while (kinds[i].done < kinds[i].per_hour * hours && has_room() && kinds[i].one())
                kinds[i].done++;
        while (has_room() && fleet_connect_next()) {
        }
        if (now - sampled >= sample_every) {
            watch_sample();
            sampled = now;
        }
        turn();
    }
    for (size_t i = 0; i < count; i++)
        (void)printf("%s: %.0f, which is %.2f hours of the fleet\n", kinds[i].name, kinds[i].done,
                     kinds[i].done / kinds[i].per_hour);
}

static void everybody_in(void)
{
    s.filling = true;
    for (int64_t until = clock_ms() + 600000; fleet_online() < s.unit_count || s.busy_count > 0;) {
        while (has_room() && fleet_connect_next()) {
        }
        turn();
        check(clock_ms() < until);
    }
    s.filling = false;
}

static void come_to_rest(void)
{
    for (int64_t until = clock_ms() + 120000; s.busy_count > 0 || admin_busy();) {
        turn();
        check(clock_ms() < until);
    }
}

/* What `devreg` says of who is online is what is: `clock` is, too. */
static bool presence_agrees(void)
{
    size_t lines = 0;
    scene_do(s.scene, "list --online");
    for (const char *at = s.scene->answer.out; (at = strchr(at, '\n')); at++)
        lines++;
    return lines == fleet_online() + 1;
}

static void presence_is_right(void)
{
    bool right = s.plain;
    for (int64_t until = clock_ms() + 120000; !right && clock_ms() < until;) {
        turn();
        right = fleet_at_rest() && presence_agrees();
    }
    if (!right)
        fail_msg("%zu are online, and devreg says otherwise: %.200s", fleet_online(),
                 s.scene->answer.out);
}

/* ---- */

static void begin(struct scene *scene)
{
    char keys[BROKER_PATH_MAX + 16];
    s.scene = scene;
    scene_make_registry(scene);
    (void)snprintf(keys, sizeof keys, "%s/keys", scene->dir);
    scene_do(scene, "add --count %zu --prefix soak- --keys %s", s.unit_count, keys);
    scene_add(scene, "clock");
    (void)snprintf(s.clock.id, sizeof s.clock.id, "clock");
    (void)snprintf(s.clock.key, sizeof s.clock.key, "%s", scene_key(scene, "clock"));
    broker_configure(&scene->broker, s.plain ? plain_conf : CONF);
    broker_start(&scene->broker);
    swarm_open(&s.swarm, scene->broker.socket, scene->broker.tcp_port, scene->broker.ws_port);
    fleet_open(keys);
    watch_open();
}

static void a_fleet_lives_through_its_hours(void **state)
{
    const double devices = (double)s.unit_count, seconds = (double)option("DEVREG_SOAK", HOUR_S);
    struct kind kinds[] = {{"messages", devices * PER_DEVICE_MESSAGES, fleet_message, 0},
                           {"reconnects", devices, fleet_reconnect, 0},
                           {"wrong keys", devices * WRONG_KEY_PERCENT / 100, fleet_wrong_key, 0},
                           {"changes", devices * CHANGE_PERCENT / 100, admin_begin, 0}};
    begin(*state);
    everybody_in();
    run_for(seconds, kinds, s.plain ? 4 : sizeof kinds / sizeof *kinds);
    come_to_rest();
    presence_is_right();
    (void)printf(
        "%zu devices, %zu messages, %zu CONNECTs, %zu refused, %zu denied, %zu taken over, "
        "%zu changes, %zu connections ended by them\n",
        s.unit_count, s.messages, s.connects, s.refused, s.denied, s.takeovers, s.changes, s.kills);
    bool steady = watch_judge();
    check(s.messages > 0 && s.changes > 0 && s.takeovers > 0);
    fleet_close();
    watch_close();
    swarm_close(&s.swarm);
    check(steady);
}

int main(void)
{
    s.rng = rng_start("soak");
    s.unit_count = option("DEVREG_SOAK_DEVICES", DEVICES);
    s.plain = getenv("DEVREG_SOAK_PLAIN") != NULL;
    raise_files();
    const struct CMUnitTest tests[] = {SCENE_TEST(a_fleet_lives_through_its_hours)};
    return cmocka_run_group_tests_name("soak", tests, NULL, NULL);
}
