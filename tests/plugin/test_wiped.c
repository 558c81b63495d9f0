/* test_wiped.c - what a client sent as its key or password is nowhere in the memory that is the
 * plugin's: not in use, not freed, not left on a stack. A core of the broker shows what Mosquitto
 * keeps of them, which is the password of each connection, and nothing that the plugin adds.
 *
 * The test holds the secrets in disguise, hands them to the simulated broker for the time of a
 * login, and has that forget them. Then it looks at each byte that this process can write. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/plugin/place.h"
#include "tests/plugin/sim_internal.h"

enum {
    SECRET_SIZE = KEY_TEXT_SIZE,
    DISGUISE = 0xa5,
    PART_BEGINS = 7,
    PART_ENDS = 27,
    DEADLINE_S = 120,
    PAUSE_NS = 1000000
};

struct secret {
    uint8_t disguised[SECRET_SIZE];
};

static struct {
    struct place place;
    char typed[SECRET_SIZE + 1];
    struct secret key, password, wrong;
    struct sim_options options;
} s;

static void disguise(struct secret *secret, char text[static SECRET_SIZE])
{
    for (size_t i = 0; i < SECRET_SIZE; i++)
        secret->disguised[i] = (uint8_t)text[i] ^ DISGUISE;
    crypto_wipe(text, SECRET_SIZE);
}

static const char *reveal(const struct secret *secret)
{
    for (size_t i = 0; i < SECRET_SIZE; i++)
        s.typed[i] = (char)(secret->disguised[i] ^ DISGUISE);
    return s.typed;
}

/* A part of it, behind what all keys begin with, would do. */
static bool stands_at(const struct secret *secret, const volatile uint8_t *at)
{
    size_t i = PART_BEGINS;
    while (i < PART_ENDS && (at[i] ^ DISGUISE) == secret->disguised[i])
        i++;
    return i == PART_ENDS;
}

/* Every mapping that can be written. The name of one that holds it; NULL for none. */
static const char *where_is(const struct secret *secret)
{
    static char line[500];
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    bool found = false;
    while (!found && fgets(line, sizeof line, maps)) {
        unsigned long long from, to;
        char rights[5];
        if (sscanf(line, "%llx-%llx %4s", &from, &to, rights) != 3 || memcmp(rights, "rw", 2) != 0)
            continue;
        const volatile uint8_t *at =
            (const volatile uint8_t *)(uintptr_t)from; /* NOLINT: an address */
        for (size_t size = (size_t)(to - from), i = 0; !found && i + SECRET_SIZE <= size; i++)
            found = stands_at(secret, at + i);
    }
    (void)fclose(maps);
    return found ? line : NULL;
}

/* What is left below this frame is overwritten by whoever is called next; this shows it before. */
static void expect_nowhere(const struct secret *secret, const char *what)
{
    const char *where = where_is(secret);
    if (where)
        fail_msg("%s is in memory: %s", what, where);
}

static struct mosquitto *try(const char *device, const struct secret *secret, int *answer)
{
    const struct sim_login login = {
        .id = device, .username = device, .password = reveal(secret), .protocol = 4, .clean = true};
    *answer = sim_connect(&login);
    crypto_wipe(s.typed, sizeof s.typed);
    return sim_client(device);
}

/* The simulated broker knows its clients' passwords no more. */
static void broker_forgets(void)
{
    for (size_t i = 0; i < SIM_CLIENTS; i++)
        crypto_wipe(&sim.clients[i].password_text, sizeof sim.clients[i].password_text);
}

static void turn(void)
{
    sim_clock(100);
    sim_turn();
}

static void a_secret_is_found_where_there_is_one(void **state)
{
    (void)state;
    (void)reveal(&s.key);
    const char *where = where_is(&s.key);
    crypto_wipe(s.typed, sizeof s.typed);
    assert_non_null(where);
    expect_nowhere(&s.key, "what was wiped");
}

static void a_key_is_nowhere_after_a_login(void **state)
{
    int answer;
    (void)state;
    (void)try("d", &s.key, &answer);
    broker_forgets();
    expect_nowhere(&s.key, "the key");
    assert_int_equal(answer, MOSQ_ERR_SUCCESS);
    turn();
    (void)try("d", &s.wrong, &answer);
    broker_forgets();
    expect_nowhere(&s.wrong, "a wrong key");
    assert_int_equal(answer, MOSQ_ERR_AUTH);
    (void)try("nobody", &s.wrong, &answer);
    broker_forgets();
    expect_nowhere(&s.wrong, "a stranger's key");
    assert_int_equal(answer, MOSQ_ERR_PLUGIN_DEFER);
}

#ifdef SIM_2_0 /* a login that waits is none of the simulated broker's */
/* Tries until the worker has found out. */
static struct mosquitto *log_in(const char *device, const struct secret *secret)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    const time_t end = time(NULL) + DEADLINE_S;
    struct mosquitto *client;
    int answer;
    do {
        client = try(device, secret, &answer);
        turn();
        client = sim_client(device);
        (void)nanosleep(&pause, NULL);
    } while ((!client || sim_state(client) != SIM_CONNECTED) && time(NULL) < end);
    assert_non_null(client);
    return client;
}

static void a_password_is_nowhere_once_it_was_checked(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { /* by the worker, and then from memory */
        struct mosquitto *client = log_in("anna", &s.password);
        broker_forgets();
        expect_nowhere(&s.password, "the password");
        sim_end(client, SIM_LEAVE);
        turn();
    }
}
#endif

static void add_device(const char *id, enum credential_kind kind, const char *secret)
{
    struct device device;
    char hash[CRYPTO_PASSWORD_MAX + 1];
    device_init(&device, id);
    struct credential *credential = device_new_credential(&device, kind, 1);
    assert_non_null(credential);
    if (kind == CREDENTIAL_KEY) {
        credential->secret_size = KEY_HASH_SIZE;
        key_hash(credential->secret, secret, id, credential->id, registry_secret(s.place.registry));
    } else {
        assert_int_equal(crypto_password_hash(hash, secret), ERR_OK);
        credential->secret_size = strlen(hash);
        memcpy(credential->secret, hash, credential->secret_size + 1);
    }
    place_add(&s.place, &device);
}

/* A secret that is as long as a key, and none that anything else would hold. */
static void make(struct secret *secret)
{
    char text[KEY_TEXT_SIZE + 1];
    key_generate(text);
    memcpy(text, "secret-", 7); /* all keys begin alike */
    disguise(secret, text);
}

static int begin(void **state)
{
    char text[KEY_TEXT_SIZE + 1];
    (void)state;
    place_open(&s.place);
    s.options = (struct sim_options){.registry = s.place.path};
    key_generate(text);
    add_device("d", CREDENTIAL_KEY, text);
    disguise(&s.key, text);
    key_generate(text);
    disguise(&s.wrong, text);
    make(&s.password);
    add_device("anna", CREDENTIAL_PASSWORD, reveal(&s.password));
    crypto_wipe(s.typed, sizeof s.typed);
    sim_start(&s.options);
    turn();
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(&s.place);
    return 0;
}

#define WIPED_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WIPED_TEST(a_secret_is_found_where_there_is_one),
        WIPED_TEST(a_key_is_nowhere_after_a_login),
#ifdef SIM_2_0
        WIPED_TEST(a_password_is_nowhere_once_it_was_checked),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
