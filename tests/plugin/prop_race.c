/* prop_race.c - no decision is older than a change that was reported, while changes are being made.
 *
 *   child    begun = k    change k, commit    reported = k    begun = k + 1 ...     as fast as it
 * can parent       r = reported     asks the plugin     b = begun
 *
 * The answer has to be the oracle's for one of the states r..b. What the registry holds after each
 * change follows from the seed, so the parent knows all states and opens no registry to ask. Nor
 * may an answer be older than the one before. DEVREG_CHANGES sets how long. */
#include "tests/plugin/oracle.h"
#include "tests/plugin/sim.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/tempdir.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { CHANGES = 2500, DEVICES = 5, CLIENTS_A_DEVICE = 2, DEADLINE = 60 /* s */ };

/* What both processes see. */
struct shared {
    _Atomic(uint64_t) begun, reported;
    atomic_bool made, go, stop, failed;
    struct world_keys keys;
};

/* The world after change number `at`. */
struct line {
    struct world world;
    struct rng rng;
    uint64_t at;
};

/* A question, and the plugin's answer. */
struct asked {
    const char *id, *username, *topic;
    int access;           /* MOSQ_ACL_*; 0 for a login */
    const char *password; /* of a login */
    bool seated;          /* as the connection below; else by the name alone */
    struct seat {
        uint64_t generation;
        uint32_t credential;
    } seat;
    int answer;
};

static struct {
    struct tempdir dir;
    struct shared *shared;
    pid_t child;
    struct rng rng;
    struct line base;    /* the oldest state that an answer may still come from */
    struct line scratch; /* a later one */
    struct seat seats[SIM_CLIENTS];
    struct question {
        int access; /* 0 for none */
        char topic[WORLD_TOPIC_MAX];
    } last[SIM_CLIENTS]; /* what the connection asked last */
    bool accepted[DEVICES];
    size_t asked, raced, allowed;
} s;

static void line_init(struct line *line, uint64_t seed)
{
    world_init(&line->world, DEVICES, SIM_BEGINNING);
    line->world.timeless = true;
    line->rng.state = seed;
    line->at = 0;
}

static void line_advance(struct line *line, struct change *change)
{
    change_draw(&line->rng, &line->world, true, change);
    line->at++;
}

/* The child. */

static bool make_registry(const struct world *world, struct registry **registry)
{
    return registry_create(s.dir.path, geteuid(), getegid(), "tester", SIM_BEGINNING) == ERR_OK &&
           registry_open(registry, s.dir.path, STORE_WRITE) == ERR_OK &&
           world_store(*registry, world);
}

static bool make_changes(struct shared *shared, struct line *line, struct registry *registry)
{
    struct change change;
    while (!atomic_load(&shared->stop)) {
        line_advance(line, &change);
        atomic_store(&shared->begun, line->at);
        if (!change_store(registry, &line->world, &shared->keys, &change))
            return false;
        atomic_store(&shared->reported, line->at);
    }
    return true;
}

static void child_run(struct shared *shared, struct line *line)
{
    struct registry *registry = NULL;
    bool good = make_registry(&line->world, &registry);
    atomic_store(&shared->made, good);
    while (good && !atomic_load(&shared->go) && !atomic_load(&shared->stop))
        (void)sched_yield();
    good = good && make_changes(shared, line, registry);
    atomic_store(&shared->failed, !good);
    registry_close(registry);
    world_clear(&line->world);
    _exit(good ? 0 : 1);
}

/* The oracle. */

static int expected_login(const struct facts *facts, const struct asked *asked, struct seat *seat)
{
    const struct device *device = &facts->device;
    if (!facts->there)
        return MOSQ_ERR_PLUGIN_DEFER;
    for (size_t i = 0; i < device->credential_count; i++) {
        const struct credential *key = &device->credentials[i];
        if (strcmp(s.shared->keys.text[key->secret[0]], asked->password) != 0)
            continue;
        *seat = (struct seat){device->generation, key->id};
        bool admitted =
            !device->client_id[0] || client_id_matches(device->client_id, device->id, asked->id);
        return facts_live(facts, SIM_BEGINNING) && admitted ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH;
    }
    return MOSQ_ERR_AUTH;
}

static bool seat_good(const struct facts *facts, const struct seat *seat)
{
    return facts_live(facts, SIM_BEGINNING) && facts->device.generation == seat->generation &&
           facts_credential(facts, seat->credential, SIM_BEGINNING);
}

static int expected_check(const struct facts *facts, const struct asked *asked)
{
    if (!facts->there) {
        bool reserved = asked->access == MOSQ_ACL_WRITE && oracle_reserved(asked->topic);
        return reserved || s.accepted[world_place(asked->username)] ? MOSQ_ERR_ACL_DENIED
                                                                    : MOSQ_ERR_PLUGIN_DEFER;
    }
    bool may = asked->seated ? seat_good(facts, &asked->seat) : facts_live(facts, SIM_BEGINNING);
    return may && facts_allow(facts, asked->id, asked->access, asked->topic) ? MOSQ_ERR_SUCCESS
                                                                             : MOSQ_ERR_ACL_DENIED;
}

/* What the answer would be in that world. */
static int expected_in(const struct world *world, const struct asked *asked, struct seat *seat)
{
    static struct facts facts;
    facts_of_world(&facts, world, asked->username);
    return asked->access ? expected_check(&facts, asked) : expected_login(&facts, asked, seat);
}

static void fail_here(const struct asked *asked, uint64_t first, uint64_t last)
{
    struct seat seat;
    sim_print_log();
    fail_msg("after %zu questions: the answer to %s of client %s, user %s, %s%s%s is %d, which "
             "it was in no state from %" PRIu64 " to %" PRIu64 "; in the first of them it was %d",
             s.asked,
             asked->access == MOSQ_ACL_WRITE       ? "a publish"
             : asked->access == MOSQ_ACL_READ      ? "a delivery"
             : asked->access == MOSQ_ACL_SUBSCRIBE ? "a subscription"
                                                   : "a login",
             asked->id, asked->username, asked->seated ? "connected" : "not connected",
             asked->topic ? ", on " : "", asked->topic ? asked->topic : "", asked->answer, first,
             last, expected_in(&s.base.world, asked, &seat));
}

static void base_advance(uint64_t to)
{
    struct change change;
    while (s.base.at < to)
        line_advance(&s.base, &change);
}

static void scratch_from_base(void)
{
    world_clear(&s.scratch.world);
    world_copy(&s.scratch.world, &s.base.world);
    s.scratch.rng = s.base.rng;
    s.scratch.at = s.base.at;
}

/* The first state from the base to `last` in which the answer is right. */
static uint64_t first_right(const struct asked *asked, uint64_t last)
{
    struct seat seat;
    struct change change;
    if (expected_in(&s.base.world, asked, &seat) == asked->answer)
        return s.base.at;
    for (scratch_from_base(); s.scratch.at < last;) {
        line_advance(&s.scratch, &change);
        if (expected_in(&s.scratch.world, asked, &seat) == asked->answer)
            return s.scratch.at;
    }
    fail_here(asked, s.base.at, last);
    return last;
}

/* The one seat that the login may have got; false where there are several. */
static bool seat_of_login(const struct asked *asked, uint64_t last, struct seat *seat)
{
    struct change change;
    bool found = expected_in(&s.base.world, asked, seat) == MOSQ_ERR_SUCCESS;
    for (scratch_from_base(); s.scratch.at < last;) {
        struct seat other = {0};
        line_advance(&s.scratch, &change);
        if (expected_in(&s.scratch.world, asked, &other) != MOSQ_ERR_SUCCESS)
            continue;
        if (found && (other.generation != seat->generation || other.credential != seat->credential))
            return false;
        found = true;
        *seat = other;
    }
    return found;
}

/* Around each question. */

static void ask_begin(void)
{
    base_advance(atomic_load(&s.shared->reported));
}

static void ask_end(const struct asked *asked)
{
    uint64_t last = atomic_load(&s.shared->begun);
    s.asked++;
    s.raced += last > s.base.at;
    s.allowed += asked->answer == MOSQ_ERR_SUCCESS;
    base_advance(first_right(asked, last));
}

/* What the parent does. */

static size_t name_draw(char name[static DEVICE_ID_MAX + 1])
{
    size_t at = rng_below(&s.rng, DEVICES);
    world_name(name, 'd', at);
    return at;
}

static void client_id_draw(char *id, const char *name)
{
    (void)snprintf(id, SIM_TEXT_MAX, "%s.%zu", name, rng_below(&s.rng, CLIENTS_A_DEVICE));
}

static const char *password_draw(size_t at)
{
    const struct device *device = &s.base.world.devices[at];
    if (!s.base.world.device_there[at] || !device->credential_count || rng_percent(&s.rng, 10))
        return s.shared->keys.text[rng_below(&s.rng, WORLD_KEYS)];
    size_t key = rng_below(&s.rng, device->credential_count);
    return s.shared->keys.text[device->credentials[key].secret[0]];
}

static void log_in(void)
{
    char name[DEVICE_ID_MAX + 1], id[SIM_TEXT_MAX + 1];
    size_t at = name_draw(name);
    client_id_draw(id, name);
    ask_begin();
    struct asked asked = {.id = id, .username = name, .password = password_draw(at)};
    const struct sim_login login = {.id = id,
                                    .username = name,
                                    .password = asked.password,
                                    .protocol = 4,
                                    .clean = true,
                                    .address = SIM_SOCKET};
    asked.answer = sim_connect(&login);
    uint64_t first = s.base.at, last = atomic_load(&s.shared->begun);
    struct seat seat = {0, 0};
    bool sure = asked.answer == MOSQ_ERR_SUCCESS && seat_of_login(&asked, last, &seat);
    assert_true(s.base.at == first);
    ask_end(&asked);
    if (asked.answer != MOSQ_ERR_SUCCESS)
        return;
    s.accepted[at] = true;
    s.seats[sim_place(sim_client(id))] = seat;
    s.last[sim_place(sim_client(id))].access = 0;
    if (!sure)
        sim_end(sim_client(id), SIM_LEAVE);
}

/* Often the same as before, since the plugin may remember the answer. */
static void question_draw(struct question *question)
{
    static const int accesses[] = {MOSQ_ACL_READ, MOSQ_ACL_WRITE, MOSQ_ACL_SUBSCRIBE};
    if (question->access && rng_percent(&s.rng, 70))
        return;
    question->access = accesses[rng_below(&s.rng, COUNT(accesses))];
    topic_draw(&s.rng, question->topic, question->access == MOSQ_ACL_SUBSCRIBE);
}

static void ask_of_connection(void)
{
    char name[DEVICE_ID_MAX + 1], id[SIM_TEXT_MAX + 1];
    (void)name_draw(name);
    client_id_draw(id, name);
    struct mosquitto *client = sim_client(id);
    if (!client)
        return;
    struct question *question = &s.last[sim_place(client)];
    question_draw(question);
    struct asked asked = {.id = id,
                          .username = name,
                          .topic = question->topic,
                          .access = question->access,
                          .seated = true,
                          .seat = s.seats[sim_place(client)]};
    ask_begin();
    asked.answer = asked.access == MOSQ_ACL_READ    ? sim_deliver(client, asked.topic)
                   : asked.access == MOSQ_ACL_WRITE ? sim_publish(client, asked.topic)
                                                    : sim_subscribe(client, asked.topic);
    ask_end(&asked);
}

static void ask_of_name(void)
{
    char name[DEVICE_ID_MAX + 1], id[SIM_TEXT_MAX + 1], topic[WORLD_TOPIC_MAX];
    (void)name_draw(name);
    client_id_draw(id, name);
    topic_draw(&s.rng, topic, false);
    struct asked asked = {.id = id, .username = name, .topic = topic, .access = MOSQ_ACL_WRITE};
    ask_begin();
    asked.answer = sim_source(id, name, topic);
    ask_end(&asked);
}

static bool good_in(const struct world *world, const struct mosquitto *client)
{
    static struct facts facts;
    facts_of_world(&facts, world, sim_username(client));
    return seat_good(&facts, &s.seats[sim_place(client)]);
}

/* After a turn only those are connected that were good in some state since. */
static void turn(void)
{
    struct change change;
    bool good[SIM_CLIENTS] = {false};
    ask_begin();
    sim_clock(100);
    sim_turn();
    uint64_t last = atomic_load(&s.shared->begun);
    for (scratch_from_base();; line_advance(&s.scratch, &change)) {
        for (struct mosquitto *client = sim_next(NULL); client; client = sim_next(client))
            good[sim_place(client)] |= good_in(&s.scratch.world, client);
        if (s.scratch.at >= last)
            break;
    }
    for (struct mosquitto *client = sim_next(NULL); client; client = sim_next(client)) {
        if (!good[sim_place(client)])
            fail_msg("client %s is connected after a turn, and was good in no state from %" PRIu64
                     " to %" PRIu64,
                     sim_id(client), s.base.at, last);
    }
}

static void leave(void)
{
    char name[DEVICE_ID_MAX + 1], id[SIM_TEXT_MAX + 1];
    (void)name_draw(name);
    client_id_draw(id, name);
    if (sim_client(id))
        sim_end(sim_client(id), SIM_LEAVE);
}

static void step(void)
{
    size_t dice = rng_below(&s.rng, 100);
    if (dice < 50)
        ask_of_name();
    else if (dice < 75)
        ask_of_connection();
    else if (dice < 90)
        log_in();
    else if (dice < 98)
        turn();
    else
        leave();
}

static void assert_child_works(time_t begun)
{
    assert_false(atomic_load(&s.shared->failed));
    assert_true(time(NULL) - begun < DEADLINE);
}

static void a_decision_is_right_for_a_state_since_the_last_report(void **state)
{
    const char *given = getenv("DEVREG_CHANGES");
    uint64_t changes = given ? strtoull(given, NULL, 10) : CHANGES;
    time_t begun = time(NULL);
    (void)state;
    while (s.base.at < changes) {
        uint64_t before = s.base.at;
        step();
        if (s.base.at == before)
            assert_child_works(begun);
        else
            begun = time(NULL);
    }
    print_message("%" PRIu64 " changes, %zu questions, %zu of them in a race, %zu allowed\n",
                  s.base.at, s.asked, s.raced, s.allowed);
    assert_true(s.raced > 0 && s.allowed > s.asked / 20 && s.allowed < s.asked);
}

/* The child comes first: nothing of LMDB may be open when a process forks. */
static int begin(void **state)
{
    const struct sim_options options = {.registry = s.dir.path};
    uint64_t seed = rng_next(&s.rng);
    (void)state;
    tempdir_make(&s.dir);
    s.shared =
        mmap(NULL, sizeof *s.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s.shared == MAP_FAILED || crypto_init() != ERR_OK)
        return -1;
    world_keys_make(&s.shared->keys);
    line_init(&s.base, seed);
    s.child = fork();
    if (s.child == 0)
        child_run(s.shared, &s.base);
    while (!atomic_load(&s.shared->made) && !atomic_load(&s.shared->failed))
        (void)sched_yield();
    sim_start(&options);
    atomic_store(&s.shared->go, true);
    return s.child < 0 || atomic_load(&s.shared->failed) ? -1 : 0;
}

static int end(void **state)
{
    int status = 0;
    (void)state;
    atomic_store(&s.shared->stop, true);
    bool ended =
        waitpid(s.child, &status, 0) == s.child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    sim_stop();
    world_clear(&s.base.world);
    world_clear(&s.scratch.world);
    (void)munmap(s.shared, sizeof *s.shared);
    tempdir_remove(&s.dir);
    return ended ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_decision_is_right_for_a_state_since_the_last_report,
                                        begin, end),
    };
    s.rng = rng_start("prop_race");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
