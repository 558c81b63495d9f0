/* test_soak.c - clients come and go, and the plugin's memory ends where it began.
 *
 * Clean and persistent sessions, MQTT 3.1 to 5, wills, take-overs, refused logins, websockets. What
 * the plugin may keep is bounded by devices and by places in memory at which the broker ever had a
 * client, so before each measurement every session is ended and every such place used once more.
 * DEVREG_CONNECTS sets how long. */
#include "registry/key.h"
#include "registry/registry.h"
#include "tests/plugin/memory.h"
#include "tests/plugin/sim.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/rng.h"
#include "tests/support/tempdir.h"

#include <sched.h>
#include <string.h>

enum {
    CONNECTS = 200000,
    DEVICES = 500,
    CLIENTS_A_DEVICE = 2,
    TICK = 100,
    SUMMARY_TURNS = 1500 / TICK, /* at most one a second, and a turn until it is published */
    DEADLINE = 60                /* s */
};

static struct {
    struct tempdir dir;
    char path[TEMPDIR_MAX];
    struct rng rng;
    char keys[DEVICES][KEY_TEXT_SIZE + 1];
    size_t connects, refused, settled;
} s;

static void device_name(char name[static DEVICE_ID_MAX + 1], size_t at)
{
    (void)snprintf(name, DEVICE_ID_MAX + 1, "d%zu", at);
}

static enum err device_add(struct registry *registry, size_t at)
{
    struct device device;
    char name[DEVICE_ID_MAX + 1];
    device_name(name, at);
    device_init(&device, name);
    struct credential *key = device_new_credential(&device, CREDENTIAL_KEY, 1);
    key_generate(s.keys[at]);
    key->secret_size = KEY_HASH_SIZE;
    key_hash(key->secret, s.keys[at], name, key->id, registry_secret(registry));
    enum err e = device_add_role(&device, DEFAULT_ROLE);
    if (!e)
        e = registry_add_device(registry, &device);
    device_clear(&device);
    return e;
}

static enum err registry_fill(void)
{
    struct registry *registry;
    enum err e = registry_create(s.path, geteuid(), getegid(), "tester", 1);
    if (!e)
        e = registry_open(&registry, s.path, STORE_WRITE);
    if (e)
        return e;
    e = registry_write(registry, "tester", 1);
    for (size_t i = 0; !e && i < DEVICES; i++)
        e = device_add(registry, i);
    if (!e) {
        registry_log(registry, LOG_IMPORT, LOG_BULK, "", "");
        e = registry_commit(registry);
    }
    registry_close(registry);
    return e;
}

static void turn(void)
{
    sim_clock(TICK);
    sim_turn();
}

/* Logs in with the client id of that number. */
static int log_in(size_t at, size_t client, struct sim_login login)
{
    char name[DEVICE_ID_MAX + 1], id[SIM_TEXT_MAX + 1];
    device_name(name, at);
    (void)snprintf(id, sizeof id, "%s-%zu", name, client);
    login.id = id;
    login.username = name;
    login.password = login.password ? login.password : s.keys[at];
    return sim_connect(&login);
}

static int log_in_clean(size_t at, size_t client)
{
    return log_in(at, client, (struct sim_login){.protocol = 4, .clean = true});
}

static void connect_any(void)
{
    static const uint32_t expiries[] = {0, 1, 5, UINT32_MAX};
    const struct sim_login login = {.password = rng_percent(&s.rng, 4) ? SIM_NO_KEY : NULL,
                                    .protocol = (int)(3 + rng_below(&s.rng, 3)),
                                    .clean = rng_percent(&s.rng, 50),
                                    .expiry = expiries[rng_below(&s.rng, COUNT(expiries))],
                                    .will = rng_percent(&s.rng, 50) ? "devices/d1/gone" : NULL,
                                    .will_delay = rng_percent(&s.rng, 20),
                                    .websockets = rng_percent(&s.rng, 10)};
    s.connects++;
    if (log_in(rng_below(&s.rng, DEVICES), rng_below(&s.rng, CLIENTS_A_DEVICE), login))
        s.refused++;
}

static struct mosquitto *any_client(void)
{
    char id[SIM_TEXT_MAX + 1];
    (void)snprintf(id, sizeof id, "d%zu-%zu", rng_below(&s.rng, DEVICES),
                   rng_below(&s.rng, CLIENTS_A_DEVICE));
    return sim_client(id);
}

static void end_any(void)
{
    struct mosquitto *client = any_client();
    if (client && sim_state(client) == SIM_CONNECTED)
        sim_end(client, (enum sim_end)rng_below(&s.rng, 4));
}

static void ask_any(void)
{
    struct mosquitto *client = any_client();
    if (!client)
        return;
    (void)sim_deliver(client, "devices/d1/x");
    if (sim_state(client) != SIM_CONNECTED)
        return;
    (void)sim_publish(client, "devices/d1/x");
    (void)sim_subscribe(client, "devices/d1/#");
}

static void come_and_go(size_t connects, enum sim_reuse reuse)
{
    sim_set_reuse(reuse);
    for (size_t until = s.connects + connects; s.connects < until;) {
        size_t dice = rng_below(&s.rng, 100);
        if (dice < 45)
            connect_any();
        else if (dice < 80)
            end_any();
        else if (dice < 88)
            ask_any();
        else if (dice < 90)
            sim_knock();
        else
            turn();
    }
}

/* Before a measurement. */

/* Is it told that the device is in that state, as of its client of that number? */
static bool told(size_t at, size_t client, const char *state)
{
    char topic[SIM_TEXT_MAX + 1], id[SIM_TEXT_MAX + 1];
    (void)snprintf(topic, sizeof topic, "devreg/presence/d%zu", at);
    (void)snprintf(id, sizeof id, "\"d%zu-%zu\"", at, client);
    const char *message = sim_retained(topic);
    return message && strstr(message, state) && strstr(message, id);
}

/* The writer's thread needs its time. */
static void wait_until_told(size_t client, const char *state)
{
    time_t begun = time(NULL);
    for (size_t at = 0; at < DEVICES;) {
        if (told(at, client, state)) {
            at++;
            continue;
        }
        assert_true(time(NULL) - begun < DEADLINE);
        (void)sched_yield();
        turn();
    }
}

static void end_all(void)
{
    for (struct mosquitto *client = sim_next(NULL); client; client = sim_next(client)) {
        if (sim_state(client) == SIM_CONNECTED)
            sim_end(client, SIM_LEAVE);
    }
    turn();
    turn();
}

static void end_sessions(void)
{
    end_all();
    for (size_t i = 0; i < (size_t)DEVICES * CLIENTS_A_DEVICE; i++) {
        assert_int_equal(log_in_clean(i / CLIENTS_A_DEVICE, i % CLIENTS_A_DEVICE), 0);
        if (i % 100 == 0)
            turn();
    }
    end_all();
    assert_null(sim_next(NULL));
}

/* Each device tells of a client that it never had before: then all that was before is told too. */
static void settle(void)
{
    size_t client = 1000 + ++s.settled;
    for (size_t i = 0; i < DEVICES; i++)
        assert_int_equal(log_in_clean(i, client), 0);
    wait_until_told(client, "\"online\"");
    end_all();
    wait_until_told(client, "\"offline\"");
    /* Now that all is on the disk, the last ones are let go, and the summary says so. */
    for (int i = 0; i < SUMMARY_TURNS; i++)
        turn();
}

/* A clean client of MQTT 3.1.1 at each place: nothing of it is kept once it has gone. */
static void use_all_places(void)
{
    for (size_t i = 0; i < SIM_CLIENTS; i++)
        assert_int_equal(log_in_clean(i % DEVICES, i / DEVICES), 0);
    end_all();
    settle();
}

/* A refused client of MQTT 5 at each place: the plugin remembers the place, since a will may come
 * later. */
static void refuse_at_all_places(void)
{
    const struct sim_login login = {.password = SIM_NO_KEY, .protocol = 5, .clean = true};
    for (size_t i = 0; i < SIM_CLIENTS; i++)
        assert_int_equal(log_in(0, SIM_CLIENTS, login), MOSQ_ERR_AUTH);
    turn();
}

static size_t measure(const char *what)
{
    size_t before = memory_used();
    end_sessions();
    use_all_places();
    print_message("%s: %zu bytes, then %zu\n", what, before, memory_used());
    return memory_used();
}

static void print_bytes_a_device(void)
{
    size_t before = memory_used();
    for (size_t i = 0; i < DEVICES; i++)
        assert_int_equal(log_in_clean(i, 0), 0);
    wait_until_told(0, "\"online\"");
    print_message("%zu bytes a connected device\n", (memory_used() - before) / DEVICES);
}

static void memory_ends_where_it_began(void **state)
{
    const char *given = getenv("DEVREG_CONNECTS");
    size_t connects = given ? strtoul(given, NULL, 10) : CONNECTS;
    (void)state;
    print_bytes_a_device();
    end_all();
    use_all_places();
    refuse_at_all_places();
    come_and_go((size_t)SIM_CLIENTS * 4, SIM_REUSE_FIRST_FREED);
    size_t begun = measure("warm-up");
    come_and_go(connects / 2, SIM_REUSE_LAST_FREED);
    assert_int_equal(measure("places that were freed last"), begun);
    come_and_go(connects / 2, SIM_REUSE_FIRST_FREED);
    assert_int_equal(measure("places that were freed first"), begun);
    print_message("%zu connects, %zu refused\n", s.connects, s.refused);
    assert_true(s.refused > 0 && s.refused < s.connects / 4);
}

static void a_byte_more_is_noticed(void **state)
{
    size_t before = memory_used();
    void *volatile memory = malloc(1); /* which no compiler may leave out */
    (void)state;
    assert_true(memory && memory_used() > before);
    free(memory);
    assert_int_equal(memory_used(), before);
}

static void what_was_in_use_is_freed_at_the_end(void **state)
{
    const struct sim_options options = {.registry = s.path};
    (void)state;
    sim_forget();
    size_t before = memory_used();
    sim_start(&options);
    come_and_go(1000, SIM_REUSE_LAST_FREED);
    sim_stop();
    assert_int_equal(memory_used(), before);
}

static int begin(void **state)
{
    const struct sim_options options = {.registry = s.path};
    (void)state;
    sim_start(&options);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sim_stop();
    return 0;
}

static int group_begin(void **state)
{
    (void)state;
    tempdir_make(&s.dir);
    path_join(s.path, s.dir.path, "registry");
    return registry_fill() == ERR_OK ? 0 : -1;
}

static int group_end(void **state)
{
    (void)state;
    tempdir_remove(&s.dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_more_is_noticed),
        cmocka_unit_test_setup_teardown(memory_ends_where_it_began, begin, end),
        cmocka_unit_test(what_was_in_use_is_freed_at_the_end),
    };
    s.rng = rng_start("test_soak");
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
