/* test_guessing.c - who guesses is refused for ever longer, and never keeps a device out, nor a
 * person out of home; with a clock of the test's. plugin/test_guesses.c has the table alone. */
#include <stdio.h>
#include <string.h>

#include "plugin/events.h"
#include "plugin/presence.h"
#include "tests/plugin/place.h"

#define HOME      "192.0.2.1"
#define ELSEWHERE "203.0.113.5"
#define HOME_6    "2001:db8:1:2::3"

#define PASSWORD "correct horse"
/* As Mosquitto before 2.0 hashes it. */
#define PASSWORD_HASHED                                                                            \
    "$6$dHdlbHZlIGJ5dGVz$YYM06ssfmQH9NV69YjPqpNXGPKzgBzqazj7DavYb1aEG8UUkAToyJ8azRLUtfRmNtHCy4O"   \
    "jw0B8kg4wPIp/p0Q=="

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)

static struct {
    struct place place;
    char key[KEY_TEXT_SIZE + 1], other_key[KEY_TEXT_SIZE + 1];
} s;

/* What a refusal is made of, counted. */
static struct work {
    unsigned key_hashes, keyed_hashes, seals, table_hashes, told;
} work;

void __real_key_hash(uint8_t *hash, const char *text, const char *device, uint32_t credential,
                     const uint8_t *secret);
void __wrap_key_hash(uint8_t *hash, const char *text, const char *device, uint32_t credential,
                     const uint8_t *secret);
void __wrap_key_hash(uint8_t *hash, const char *text, const char *device, uint32_t credential,
                     const uint8_t *secret)
{
    work.key_hashes++;
    __real_key_hash(hash, text, device, credential, secret);
}

void __real_crypto_keyed_hash(uint8_t *out, const uint8_t *key, const struct crypto_part *parts,
                              size_t count);
void __wrap_crypto_keyed_hash(uint8_t *out, const uint8_t *key, const struct crypto_part *parts,
                              size_t count);
void __wrap_crypto_keyed_hash(uint8_t *out, const uint8_t *key, const struct crypto_part *parts,
                              size_t count)
{
    work.keyed_hashes++;
    __real_crypto_keyed_hash(out, key, parts, count);
}

void __real_crypto_mac(uint8_t *out, const void *data, size_t size, const uint8_t *key);
void __wrap_crypto_mac(uint8_t *out, const void *data, size_t size, const uint8_t *key);
void __wrap_crypto_mac(uint8_t *out, const void *data, size_t size, const uint8_t *key)
{
    work.seals++;
    __real_crypto_mac(out, data, size, key);
}

uint64_t __real_crypto_table_hash(const void *data, size_t size, const uint8_t *key);
uint64_t __wrap_crypto_table_hash(const void *data, size_t size, const uint8_t *key);
uint64_t __wrap_crypto_table_hash(const void *data, size_t size, const uint8_t *key)
{
    work.table_hashes++;
    return __real_crypto_table_hash(data, size, key);
}

void __real_event_auth_failed(struct events *events, const char *device, const char *client_id,
                              const char *address, const char *reason, int64_t now);
void __wrap_event_auth_failed(struct events *events, const char *device, const char *client_id,
                              const char *address, const char *reason, int64_t now);
void __wrap_event_auth_failed(struct events *events, const char *device, const char *client_id,
                              const char *address, const char *reason, int64_t now)
{
    work.told++;
    __real_event_auth_failed(events, device, client_id, address, reason, now);
}

void __real_presence_refused(struct presences *presences, const char *device, uint64_t generation,
                             int64_t now);
void __wrap_presence_refused(struct presences *presences, const char *device, uint64_t generation,
                             int64_t now);
void __wrap_presence_refused(struct presences *presences, const char *device, uint64_t generation,
                             int64_t now)
{
    work.told++;
    __real_presence_refused(presences, device, generation, now);
}

/* What cannot be read at the moment. */
static enum unreadable { NOTHING, A_DEVICE, A_GENERATION, AN_OWNER, A_USE } unreadable;

enum err __real_registry_get_device(struct registry *registry, const char *id,
                                    struct device *device);
enum err __wrap_registry_get_device(struct registry *registry, const char *id,
                                    struct device *device);
enum err __wrap_registry_get_device(struct registry *registry, const char *id,
                                    struct device *device)
{
    bool fails = unreadable == A_DEVICE && strcmp(id, "knock") != 0; /* which is the client id */
    return fails ? ERR_BROKEN : __real_registry_get_device(registry, id, device);
}

enum err __real_cache_generation(struct cache *cache, const char *id, uint64_t *generation);
enum err __wrap_cache_generation(struct cache *cache, const char *id, uint64_t *generation);
enum err __wrap_cache_generation(struct cache *cache, const char *id, uint64_t *generation)
{
    return unreadable == A_GENERATION ? ERR_BROKEN : __real_cache_generation(cache, id, generation);
}

enum err __real_presence_owner(struct presences *presences, const char *client_id, int64_t now,
                               char *owner, uint64_t *generation);
enum err __wrap_presence_owner(struct presences *presences, const char *client_id, int64_t now,
                               char *owner, uint64_t *generation);
enum err __wrap_presence_owner(struct presences *presences, const char *client_id, int64_t now,
                               char *owner, uint64_t *generation)
{
    return unreadable == AN_OWNER
               ? ERR_BROKEN
               : __real_presence_owner(presences, client_id, now, owner, generation);
}

enum err __real_presence_credential_used(struct presences *presences, const char *device,
                                         uint64_t generation, uint32_t credential);
enum err __wrap_presence_credential_used(struct presences *presences, const char *device,
                                         uint64_t generation, uint32_t credential);
enum err __wrap_presence_credential_used(struct presences *presences, const char *device,
                                         uint64_t generation, uint32_t credential)
{
    return unreadable == A_USE
               ? ERR_BROKEN
               : __real_presence_credential_used(presences, device, generation, credential);
}

/* Of the kind that is checked in place. */
static void add_anna(void)
{
    struct device device;
    device_init(&device, "anna");
    struct credential *credential = device_new_credential(&device, CREDENTIAL_PASSWORD, 1);
    credential->secret_size = strlen(PASSWORD_HASHED);
    memcpy(credential->secret, PASSWORD_HASHED, sizeof PASSWORD_HASHED);
    place_add(&s.place, &device);
}

static void set_state(enum device_state state, enum log_verb verb)
{
    struct device device;
    assert_int_equal(registry_write(s.place.registry, "tester", 1), ERR_OK);
    assert_int_equal(registry_get_device(s.place.registry, "pump-7", &device), ERR_OK);
    device.state = state;
    assert_int_equal(registry_put_device(s.place.registry, &device), ERR_OK);
    registry_log(s.place.registry, verb, LOG_DEVICE, "pump-7", "");
    assert_int_equal(registry_commit(s.place.registry), ERR_OK);
    device_clear(&device);
}

static void start(void)
{
    sim_start(&(struct sim_options){.registry = s.place.path, .unknown = "deny", .events = "on"});
}

static void turn(int64_t ms)
{
    sim_clock(ms);
    sim_turn();
}

/* 2.1 ticks ten times a second. */
static bool logged(const char *text)
{
    turn(200);
    return sim_logged(text);
}

static int knock(const char *user, const char *password, const char *address)
{
    const struct sim_login login = {.id = "knock",
                                    .username = user,
                                    .password = password,
                                    .protocol = 4,
                                    .clean = true,
                                    .address = address};
    int answer = sim_connect(&login);
    turn(20);
    if (answer == MOSQ_ERR_SUCCESS) {
        assert_int_equal(sim_state(sim_client("knock")), SIM_CONNECTED);
        sim_end(sim_client("knock"), SIM_LEAVE);
        turn(20);
    }
    return answer;
}

static bool lets_in(const char *address)
{
    return knock("pump-7", s.key, address) == MOSQ_ERR_SUCCESS;
}

static void guess(const char *user, const char *address, int times)
{
    while (times-- > 0)
        assert_int_equal(knock(user, SIM_NO_KEY, address), MOSQ_ERR_AUTH);
}

/* Begins a penalty of 15 minutes, which needs some more of its own. */
static void guess_for_long(const char *user, const char *address)
{
    for (int i = 0; i < 17; i++) {
        guess(user, address, 1);
        turn(i < 16 ? SECOND << (i > 5 ? i - 5 : 0) : 0);
    }
}

static struct work work_at_once(const char *user, const char *password, const char *address)
{
    struct work before = work, after;
    const struct sim_login login = {.id = "knock",
                                    .username = user,
                                    .password = password,
                                    .protocol = 4,
                                    .clean = true,
                                    .address = address};
    assert_int_equal(sim_connect(&login), MOSQ_ERR_AUTH);
    after = work;
    return (struct work){after.key_hashes - before.key_hashes,
                         after.keyed_hashes - before.keyed_hashes, after.seals - before.seals,
                         after.table_hashes - before.table_hashes, after.told - before.told};
}

static struct work work_of(const char *user, const char *password, const char *address)
{
    struct work w = work_at_once(user, password, address);
    turn(20);
    return w;
}

static bool is_held(const char *user, const char *address)
{
    turn(200);
    sim_forget_log();
    guess(user, address, 1);
    return logged("reason=guessing");
}

static bool anna_gets_in(const char *address)
{
    return knock("anna", PASSWORD, address) == MOSQ_ERR_SUCCESS;
}

static void six_failures_are_refused_for_a_second(void **state)
{
    (void)state;
    assert_true(anna_gets_in(HOME));
    guess("anna", ELSEWHERE, 6);
    assert_false(logged("reason=guessing"));
    assert_false(anna_gets_in(ELSEWHERE));
    assert_true(logged("reason=guessing"));
    assert_true(anna_gets_in(HOME));
    assert_true(anna_gets_in(HOME_6));
    turn(SECOND);
    assert_true(anna_gets_in(ELSEWHERE));
    guess("anna", ELSEWHERE, 5); /* which began anew */
    assert_true(anna_gets_in(HOME));
    assert_true(anna_gets_in(ELSEWHERE));
}

static void who_tries_all_the_time_gets_in_once_the_time_is_over(void **state)
{
    int64_t waited = 0;
    (void)state;
    guess_for_long("anna", ELSEWHERE);
    while (!anna_gets_in(ELSEWHERE)) {
        turn(SECOND);
        waited += SECOND + 20;
        assert_true(waited < 16 * MINUTE);
    }
    assert_true(waited > 5 * MINUTE);
    guess("anna", ELSEWHERE, 5); /* from the beginning */
    assert_true(anna_gets_in(ELSEWHERE));
}

/* Also from where it has never been. What is no key is not looked at meanwhile. */
static void a_device_gets_in_with_its_key_from_anywhere_whoever_guesses_there(void **state)
{
    (void)state;
    guess_for_long("pump-7", ELSEWHERE);
    assert_int_equal(work_of("pump-7", "hunter2", ELSEWHERE).keyed_hashes, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(is_held("pump-7", ELSEWHERE));
        assert_true(lets_in(ELSEWHERE));
        assert_false(is_held("pump-7", ELSEWHERE));
        guess_for_long("pump-7", ELSEWHERE);
    }
}

static void a_person_gets_in_from_home_with_a_password_that_is_remembered(void **state)
{
    (void)state;
    assert_true(anna_gets_in(HOME));
    guess_for_long("anna", HOME);
    for (int i = 0; i < 3; i++) {
        guess("anna", HOME, 20);
        assert_true(anna_gets_in(HOME));
        guess_for_long("anna", HOME);
    }
    assert_int_equal(knock("anna", "hunter2", HOME), MOSQ_ERR_AUTH);
    assert_true(logged("reason=guessing"));
}

/* Where home is tells the presence record, of IPv6 by its first 64 bits. */
static void a_home_is_known_after_a_restart(void **state)
{
    (void)state;
    assert_true(anna_gets_in(HOME_6));
    turn(SECOND);
    sim_stop();
    start();
    assert_true(anna_gets_in("2001:db8:1:2:ffff::1")); /* remembered from here on */
    turn(SECOND);
    guess_for_long("anna", HOME_6);
    assert_true(anna_gets_in(HOME_6));
    guess_for_long("anna", "2001:db8:1:3::1");
    assert_false(anna_gets_in("2001:db8:1:3::1"));
}

/* Its own connection tells where it is at home, also while others come. */
static void a_connection_that_is_there_is_at_home(void **state)
{
    const struct sim_login login = {.id = "first",
                                    .username = "anna",
                                    .password = PASSWORD,
                                    .protocol = 4,
                                    .clean = true,
                                    .address = HOME};
    (void)state;
    assert_int_equal(sim_connect(&login), MOSQ_ERR_SUCCESS);
    turn(20);
    assert_true(anna_gets_in(ELSEWHERE));
    guess_for_long("anna", HOME);
    assert_true(anna_gets_in(HOME));
    sim_end(sim_client("first"), SIM_LEAVE);
}

/* Where names come that fast no further one is looked at, but for keys and at home. */
static void a_flood_of_names_keeps_neither_a_device_out_nor_who_is_at_home(void **state)
{
    char name[32];
    (void)state;
    assert_true(anna_gets_in(HOME));
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "name-%d", i);
        (void)work_at_once(name, SIM_NO_KEY, HOME);
        (void)work_at_once(name, SIM_NO_KEY, ELSEWHERE);
    }
    assert_int_equal(work_of("bert", "hunter2", HOME).keyed_hashes, 0);
    assert_false(anna_gets_in(ELSEWHERE));
    assert_true(anna_gets_in(HOME));
    turn(MINUTE);
    assert_true(anna_gets_in(ELSEWHERE));
    turn(MINUTE);
    assert_true(lets_in(ELSEWHERE));
}

static void a_name_that_is_no_device_is_refused_alike(void **state)
{
    (void)state;
    guess("nobody", ELSEWHERE, 6);
    assert_false(logged("device=nobody client=knock reason=guessing"));
    guess("nobody", ELSEWHERE, 1);
    assert_true(logged("device=nobody client=knock reason=guessing"));
    assert_true(lets_in(ELSEWHERE));
}

static void a_change_of_the_device_ends_it(void **state)
{
    (void)state;
    guess_for_long("valve", ELSEWHERE);
    guess("pump-7", ELSEWHERE, 7);
    set_state(DEVICE_ENABLED, LOG_SET);
    assert_false(is_held("pump-7", ELSEWHERE));
    char key[KEY_TEXT_SIZE + 1];
    place_add_with_key(&s.place, "valve", key); /* it knocked before anybody knew it */
    assert_false(is_held("valve", ELSEWHERE));
}

/* A device that retries for a week while it is disabled has not guessed. */
static void who_has_the_right_key_is_never_counted(void **state)
{
    (void)state;
    set_state(DEVICE_DISABLED, LOG_DISABLE);
    for (int i = 0; i < 30; i++)
        assert_false(lets_in(ELSEWHERE));
    const struct sim_login foreign = {.id = "lamp-1",
                                      .username = "pump-7",
                                      .password = s.key,
                                      .protocol = 4,
                                      .clean = true,
                                      .address = ELSEWHERE};
    for (int i = 0; i < 30; i++) {
        assert_int_equal(sim_connect(&foreign), MOSQ_ERR_AUTH);
        turn(20);
    }
    assert_false(logged("reason=guessing"));
    turn(MINUTE);
    guess("pump-7", ELSEWHERE, 7); /* but these have */
    assert_true(logged("reason=guessing"));
}

static void expect_unreadable(enum unreadable what, const char *user, const char *password)
{
    unreadable = what;
    for (int i = 0; i < 30; i++)
        assert_int_equal(knock(user, password, ELSEWHERE), MOSQ_ERR_AUTH);
    unreadable = NOTHING;
    assert_true(logged(what == AN_OWNER || what == A_USE ? "reason=presence_unreadable"
                                                         : "reason=registry_unreadable"));
    sim_forget_log();
    assert_true(lets_in(ELSEWHERE));
    turn(MINUTE);
}

/* As in a rotation: the key ends when the next one is used. */
static void replace_key(void)
{
    struct device device;
    assert_int_equal(registry_write(s.place.registry, "tester", 1), ERR_OK);
    assert_int_equal(registry_get_device(s.place.registry, "pump-7", &device), ERR_OK);
    struct credential *next = device_new_credential(&device, CREDENTIAL_KEY, 1);
    next->secret_size = KEY_HASH_SIZE;
    key_hash(next->secret, s.other_key, "pump-7", next->id, registry_secret(s.place.registry));
    device.credentials[0].ended_by = next->id;
    assert_int_equal(registry_put_device(s.place.registry, &device), ERR_OK);
    registry_log(s.place.registry, LOG_SET, LOG_DEVICE, "pump-7", "");
    assert_int_equal(registry_commit(s.place.registry), ERR_OK);
    device_clear(&device);
}

/* Nobody knows whether it was right. */
static void what_cannot_be_read_is_no_guess_and_nobody_elses(void **state)
{
    static const enum unreadable all[] = {A_DEVICE, A_GENERATION, AN_OWNER};
    (void)state;
    assert_true(lets_in(ELSEWHERE)); /* from now on a session may have an owner */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        expect_unreadable(all[i], "pump-7", SIM_NO_KEY);
        expect_unreadable(all[i], "pump-7", "a password");
        expect_unreadable(all[i], "pump-7", s.key);
        expect_unreadable(all[i], "nobody", SIM_NO_KEY);
    }
    expect_unreadable(AN_OWNER, NULL, NULL);
    replace_key();
    expect_unreadable(A_USE, "pump-7", s.key);
    assert_false(logged("reason=guessing"));
}

static void who_has_no_ip_address_is_never_counted(void **state)
{
    (void)state;
    guess("pump-7", SIM_SOCKET, 30);
    assert_true(lets_in(SIM_SOCKET));
    for (int i = 0; i < 30; i++) {
        const struct sim_login login = {.id = "ws",
                                        .username = "pump-7",
                                        .password = SIM_NO_KEY,
                                        .protocol = 4,
                                        .websockets = true,
                                        .address = ELSEWHERE};
        assert_int_equal(sim_connect(&login), MOSQ_ERR_AUTH);
        turn(20);
    }
    assert_true(logged("devreg: refused device=pump-7 client=ws address=203.0.113.5 "
                       "reason=wrong_key"));
    assert_false(logged("login failed"));
    assert_true(lets_in(ELSEWHERE));
}

static void a_failure_is_one_line_of_a_fixed_form(void **state)
{
    (void)state;
    guess("pump-7", ELSEWHERE, 1);
    assert_true(logged(
        "devreg: login failed from 203.0.113.5 device=pump-7 client=knock reason=wrong_key"));
    guess("no body from 192.0.2.7 device=x", ELSEWHERE, 1);
    assert_true(logged("devreg: login failed from 203.0.113.5 "
                       "device=no_body_from_192.0.2.7_device=x client=knock "
                       "reason=unknown_device"));
}

/* And none of them uses up the lines of the other. */
static void a_network_has_some_lines_and_the_rest_is_counted(void **state)
{
    char name[32];
    (void)state;
    for (int i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof name, "guess-%d", i);
        guess(name, ELSEWHERE, 1);
    }
    guess("pump-7", HOME, 1);
    turn(20);
    assert_true(logged("login failed from 192.0.2.1 device=pump-7"));
    assert_true(logged("device=guess-4 "));
    assert_false(logged("device=guess-30 "));
    turn(11 * SECOND);
    turn(SECOND);
    assert_true(logged("more failed logins were left out"));
}

static void same_work(struct work a, struct work b)
{
    assert_int_equal(a.key_hashes, b.key_hashes);
    assert_int_equal(a.keyed_hashes, b.keyed_hashes);
    assert_int_equal(a.seals, b.seals);
    assert_int_equal(a.table_hashes, b.table_hashes);
    assert_int_equal(a.told, b.told);
}

/* Also while it is refused unseen. What is told of it is told after the answer. */
static void a_name_that_is_no_device_takes_the_same_work(void **state)
{
    (void)state;
    guess("pump-7", HOME, 1); /* a first failure makes the table */
    for (int i = 0; i < 8; i++) {
        struct work known = work_of("pump-7", SIM_NO_KEY, ELSEWHERE);
        assert_int_equal(known.key_hashes, 1);
        same_work(known, work_of("nobody", SIM_NO_KEY, ELSEWHERE));
    }
    for (int i = 0; i < 8; i++)
        same_work(work_of("lamp-1", NULL, ELSEWHERE), work_of("no-lamp", NULL, ELSEWHERE));
#ifndef SIM_2_1
    for (int i = 0; i < 5; i++)
        same_work(work_of("disabled", "hunter2", ELSEWHERE),
                  work_of("no-one", "hunter2", ELSEWHERE));
#endif
}

static void a_failure_is_told_after_the_answer(void **state)
{
    (void)state;
    assert_int_equal(work_of("pump-7", SIM_NO_KEY, ELSEWHERE).told, 0);
    assert_int_equal(work.told, 2); /* by an event, and in its record */
}

static int begin(void **state)
{
    (void)state;
    work = (struct work){0};
    place_open(&s.place);
    place_add_with_key(&s.place, "pump-7", s.key);
    place_add_with_key(&s.place, "lamp-1", s.other_key);
    place_add_with_key(&s.place, "disabled", s.other_key);
    add_anna();
    start();
    turn(MINUTE); /* no line is written in the first second of the clock */
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(&s.place);
    return 0;
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(six_failures_are_refused_for_a_second),
        test(who_tries_all_the_time_gets_in_once_the_time_is_over),
        test(a_device_gets_in_with_its_key_from_anywhere_whoever_guesses_there),
        test(a_home_is_known_after_a_restart),
        test(a_person_gets_in_from_home_with_a_password_that_is_remembered),
        test(a_connection_that_is_there_is_at_home),
        test(a_flood_of_names_keeps_neither_a_device_out_nor_who_is_at_home),
        test(a_name_that_is_no_device_is_refused_alike),
        test(a_change_of_the_device_ends_it),
        test(who_has_the_right_key_is_never_counted),
        test(what_cannot_be_read_is_no_guess_and_nobody_elses),
        test(who_has_no_ip_address_is_never_counted),
        test(a_failure_is_one_line_of_a_fixed_form),
        test(a_network_has_some_lines_and_the_rest_is_counted),
        test(a_name_that_is_no_device_takes_the_same_work),
        test(a_failure_is_told_after_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
