/* test_passwords.c - which passwords are checked at once, which are handed to the worker, and what
 * of both is paid for. */
#include "tests/support/cmocka_all.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plugin/passwords.h"
#include "registry/password_hash.h"

#define PASSWORD "correct horse"
#define SALT_12  "AAECAwQFBgcICQoL"
#define HASH_101                                                                                   \
    "$7$101$" SALT_12                                                                              \
    "$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg=="
#define HASH_SHA512                                                                                \
    "$6$" SALT_12                                                                                  \
    "$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg=="
/* The worker has more to do, and nobody needs to be right. */
#define HASH_SLOW                                                                                  \
    "$7$20000$" SALT_12                                                                            \
    "$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg=="

enum { DEADLINE_MS = 60000, NOW = 1000000 };

struct fixture {
    struct passwords passwords;
    struct device device;
    int64_t now;
};

static int begin(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.now = NOW};
    if (crypto_init() != ERR_OK)
        return -1;
    passwords_open(&fixture.passwords);
    device_init(&fixture.device, "pump-7");
    (void)device_new_credential(&fixture.device, CREDENTIAL_IMPORTED, 0);
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    passwords_close(&fixture->passwords);
    device_clear(&fixture->device);
    return 0;
}

static enum password_answer ask(struct fixture *fixture, const char *hash, const char *password)
{
    struct credential *credential = &fixture->device.credentials[0];
    credential->secret_size = strlen(hash);
    memcpy(credential->secret, hash, credential->secret_size + 1);
    return passwords_ask(&fixture->passwords, &fixture->device, credential, password, NULL, NULL,
                         fixture->now);
}

static void done(void *context, const char *client_id, const void *pointer, bool right)
{
    (void)context, (void)client_id, (void)pointer, (void)right;
}

/* Waits for the worker's answer; it has `took` so long, if that is not 0. */
static void worker_ends(struct fixture *fixture, int64_t took)
{
    struct passwords *passwords = &fixture->passwords;
    for (int waited = 0; waited < DEADLINE_MS; waited++) {
        for (size_t i = 0; i < PASSWORD_JOBS; i++) {
            if (atomic_load(&passwords->jobs[i].state) != PASSWORD_DONE)
                continue;
            passwords->jobs[i].took_ms = took ? took : passwords->jobs[i].took_ms;
            passwords_tick(passwords, done, NULL);
            return;
        }
        (void)poll(NULL, 0, 1);
    }
    fail_msg("the worker does not end");
}

static void what_is_cheap_is_checked_at_once_and_needs_no_thread(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, HASH_101, PASSWORD), PASSWORD_RIGHT);
    assert_int_equal(ask(fixture, HASH_101, "correct hors"), PASSWORD_WRONG);
    assert_int_equal(ask(fixture, HASH_SHA512, PASSWORD), PASSWORD_RIGHT);
    assert_int_equal(ask(fixture, HASH_SHA512, "x"), PASSWORD_WRONG);
    assert_false(fixture->passwords.running);
}

static void what_takes_longer_goes_to_the_worker(void **state)
{
    struct fixture *fixture = *state;
    char ours[CRYPTO_PASSWORD_MAX + 1];
    assert_int_equal(ask(fixture, HASH_SLOW, PASSWORD), PASSWORD_LATER);
    worker_ends(fixture, 0);
    assert_int_equal(ask(fixture, HASH_SLOW, PASSWORD), PASSWORD_WRONG);
    assert_int_equal(crypto_password_hash(ours, PASSWORD), ERR_OK);
    assert_int_equal(ask(fixture, ours, PASSWORD), PASSWORD_LATER);
    worker_ends(fixture, 0);
    assert_int_equal(ask(fixture, ours, PASSWORD), PASSWORD_RIGHT);
}

/* A machine on which a round takes 100 us: 101 of them are too many to wait for. */
static void what_is_cheap_depends_on_the_machine(void **state)
{
    struct fixture *fixture = *state;
    fixture->passwords.round_ns = 100000;
    assert_int_equal(ask(fixture, HASH_101, PASSWORD), PASSWORD_LATER);
    assert_int_equal(ask(fixture, HASH_SHA512, PASSWORD), PASSWORD_RIGHT);
    worker_ends(fixture, 0);
    assert_int_equal(ask(fixture, HASH_101, PASSWORD), PASSWORD_RIGHT);
}

/* How many new guesses, up to `most`, are answered at once; the first that is not ends it. */
static int guess(struct fixture *fixture, int most)
{
    static int number;
    char text[16];
    for (int made = 0; made < most; made++) {
        snprintf(text, sizeof text, "guess %d", number++);
        if (ask(fixture, HASH_101, text) != PASSWORD_WRONG)
            return made;
    }
    return most;
}

/* A guess costs 2 ms here, so ten are made at once; then the worker is asked. Time earns more. */
static void checks_at_once_have_a_budget(void **state)
{
    struct fixture *fixture = *state;
    fixture->passwords.round_ns = 19800;
    assert_int_equal(guess(fixture, 100), 10);
    assert_true(fixture->passwords.running);
    worker_ends(fixture, 0);
    fixture->now += 100; /* 2 ms more */
    assert_int_equal(guess(fixture, 100), 1);
    worker_ends(fixture, 0);
    fixture->now += 100000;
    assert_int_equal(guess(fixture, 100), 10);
    worker_ends(fixture, 0);
}

static void an_answer_that_is_known_costs_nothing(void **state)
{
    struct fixture *fixture = *state;
    fixture->passwords.round_ns = 19800;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(ask(fixture, HASH_101, PASSWORD), PASSWORD_RIGHT);
}

/* Symptom: after a check of more than two seconds no password was ever checked again. */
static void a_very_slow_check_does_not_end_all_others(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, HASH_SLOW, "one"), PASSWORD_LATER);
    worker_ends(fixture, 60000);
    assert_int_equal(ask(fixture, HASH_SLOW, "two"), PASSWORD_WRONG); /* over the budget */
    fixture->now += 60000;
    assert_int_equal(ask(fixture, HASH_SLOW, "three"), PASSWORD_LATER);
    worker_ends(fixture, 0);
}

/* One that was slow does not make the quick ones expensive: what was reckoned is set right. */
static void a_quick_check_gives_back_what_it_did_not_need(void **state)
{
    struct fixture *fixture = *state;
    char text[] = "a";
    for (; text[0] < 'a' + 20; text[0]++) {
        fixture->passwords.cost_ms = 500;
        assert_int_equal(ask(fixture, HASH_SLOW, text), PASSWORD_LATER);
        worker_ends(fixture, 1);
    }
}

static void a_password_over_the_limit_is_wrong(void **state)
{
    struct fixture *fixture = *state;
    char text[PASSWORD_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(ask(fixture, HASH_SLOW, text), PASSWORD_WRONG);
    text[PASSWORD_MAX] = '\0';
    assert_int_equal(ask(fixture, HASH_SLOW, text), PASSWORD_LATER);
    worker_ends(fixture, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_cheap_is_checked_at_once_and_needs_no_thread),
        test(what_takes_longer_goes_to_the_worker),
        test(what_is_cheap_depends_on_the_machine),
        test(checks_at_once_have_a_budget),
        test(an_answer_that_is_known_costs_nothing),
        test(a_very_slow_check_does_not_end_all_others),
        test(a_quick_check_gives_back_what_it_did_not_need),
        test(a_password_over_the_limit_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
