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
    bool home;
    char told[64]; /* what the worker found last: who waited, and the answer */
    uint64_t asker;
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
    const struct password_question question = {.name = fixture->device.id,
                                               .credential = credential,
                                               .password = password,
                                               .asker.home = fixture->home};
    return passwords_ask(&fixture->passwords, &question, fixture->now);
}

static void done(void *context, const struct password_found *found)
{
    struct fixture *fixture = context;
    (void)snprintf(fixture->told, sizeof fixture->told, "%s %s",
                   found->client_id ? found->client_id : "-", found->right ? "right" : "wrong");
    fixture->asker = found->asker.pair;
}

/* Waits for the worker's answer; it has `took` so long, if that is not 0. */
static void worker_ends(struct fixture *fixture, int64_t took)
{
    struct passwords *passwords = &fixture->passwords;
    for (int waited = 0; waited < DEADLINE_MS; waited++) {
        for (size_t i = 0; i < PASSWORD_JOBS; i++) {
            if (atomic_load(&passwords->jobs[i].state) != PASSWORD_DONE)
                continue;
            passwords->jobs[i].took_ms = took ? took : 1; /* not what this machine took */
            passwords_tick(passwords, done, fixture);
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

/* A guess costs 2 ms here, so three are made at once, which no turn of the broker's loop takes ill;
 * then the worker is asked. Time earns more. */
static void checks_at_once_have_a_budget(void **state)
{
    struct fixture *fixture = *state;
    fixture->passwords.round_ns = 19800;
    assert_int_equal(guess(fixture, 100), 3);
    assert_true(fixture->passwords.running);
    worker_ends(fixture, 0);
    fixture->now += 100; /* 2 ms more */
    assert_int_equal(guess(fixture, 100), 1);
    worker_ends(fixture, 0);
    fixture->now += 100000;
    assert_int_equal(guess(fixture, 100), 3);
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
    assert_int_equal(ask(fixture, HASH_SLOW, "two"), PASSWORD_UNSEEN); /* over the budget */
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

/* Who guesses elsewhere, with ever new passwords, leaves half of the budget and some places. */
static void guesses_elsewhere_do_not_use_up_what_is_for_home(void **state)
{
    struct fixture *fixture = *state;
    enum password_answer answer;
    char text[] = "a";
    fixture->passwords.cost_ms = 10;
    for (; (answer = ask(fixture, HASH_SLOW, text)) == PASSWORD_LATER; text[0]++)
        assert_in_range(text[0], 'a', 'a' + PASSWORD_JOBS - PASSWORD_HOME_JOBS);
    assert_int_equal(answer, PASSWORD_UNSEEN);
    fixture->home = true;
    assert_int_equal(ask(fixture, HASH_SLOW, "mine"), PASSWORD_LATER);
    fixture->passwords.cost_ms = 1500; /* 1900 and a little are left */
    fixture->home = false;
    assert_int_equal(ask(fixture, HASH_SLOW, "other"), PASSWORD_UNSEEN);
    fixture->home = true;
    assert_int_equal(ask(fixture, HASH_SLOW, "mine, too"), PASSWORD_LATER);
}

static enum password_answer wait_for(struct fixture *fixture, const char *hash, const char *text)
{
    struct credential *credential = &fixture->device.credentials[0];
    credential->secret_size = hash ? strlen(hash) : 0;
    memcpy(credential->secret, hash ? hash : "", credential->secret_size + 1);
    const struct password_question question = {.name = hash ? "pump-7" : "nobody",
                                               .credential = hash ? credential : NULL,
                                               .password = text,
                                               .client_id = "knock",
                                               .asker = {.pair = 7}};
    return passwords_ask(&fixture->passwords, &question, fixture->now);
}

/* On 2.1: a real hash is made of the decoy, and the answer comes at the same time. */
static void where_there_is_no_password_the_way_is_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct password_hash hash;
    const char *decoy = (const char *)fixture->passwords.decoy.secret;
    char ours[CRYPTO_PASSWORD_MAX + 1], form[2][PASSWORD_SCHEME_MAX + 1];
    assert_int_equal(crypto_password_hash(ours, PASSWORD), ERR_OK);
    assert_int_equal(strlen(decoy), strlen(ours));
    assert_null(password_hash_parse(&hash, ours));
    password_hash_describe(form[0], &hash);
    assert_null(password_hash_parse(&hash, decoy));
    password_hash_describe(form[1], &hash);
    assert_string_equal(form[0], form[1]);
    assert_int_equal(wait_for(fixture, ours, "x"), PASSWORD_LATER);
    worker_ends(fixture, 1);
    assert_string_equal(fixture->told, "knock wrong");
    assert_int_equal(wait_for(fixture, NULL, "x"), PASSWORD_LATER);
    assert_string_equal(fixture->passwords.jobs[PASSWORD_JOBS - 1].hash, decoy);
    strcpy(fixture->told, "");
    worker_ends(fixture, 1);
    assert_string_equal(fixture->told, "knock wrong");
    assert_true(fixture->asker == 7);
    assert_int_equal(wait_for(fixture, ours, "x"), PASSWORD_WRONG); /* both are remembered */
    assert_int_equal(wait_for(fixture, NULL, "x"), PASSWORD_WRONG);
}

static void a_wrong_password_that_is_cheap_to_check_takes_as_long(void **state)
{
    struct fixture *fixture = *state;
    fixture->passwords.round_ns = 1000;
    assert_int_equal(wait_for(fixture, HASH_101, PASSWORD), PASSWORD_RIGHT);
    assert_int_equal(wait_for(fixture, HASH_101, "x"), PASSWORD_LATER);
    worker_ends(fixture, 1);
    assert_string_equal(fixture->told, "knock wrong");
    int64_t before = fixture->passwords.place_us;
    assert_int_equal(wait_for(fixture, NULL, "y"), PASSWORD_LATER);
    assert_true(fixture->passwords.place_us < before); /* as a check in place */
    worker_ends(fixture, 1);
    assert_int_equal(wait_for(fixture, HASH_101, "x"), PASSWORD_WRONG);
}

/* On 2.0 no answer waits for the worker, so no decoy is hashed, and none starts it. */
static void nobody_waits_for_a_decoy_that_is_not_hashed(void **state)
{
    struct fixture *fixture = *state;
    struct password_question question = {.name = "nobody", .password = "x"};
    assert_int_equal(passwords_ask(&fixture->passwords, &question, fixture->now), PASSWORD_WRONG);
    assert_false(fixture->passwords.running);
    assert_int_equal(ask(fixture, HASH_SLOW, "x"), PASSWORD_LATER);
    worker_ends(fixture, 40);
    question.password = "y";
    assert_int_equal(passwords_ask(&fixture->passwords, &question, fixture->now), PASSWORD_LATER);
    assert_string_equal(fixture->passwords.jobs[PASSWORD_JOBS - 1].hash, "");
    worker_ends(fixture, 0);
    assert_int_equal(fixture->passwords.cost_ms, 40); /* it told nothing of what a check takes */
}

static void what_is_remembered_is_told_without_any_work(void **state)
{
    struct fixture *fixture = *state;
    struct credential *credential = &fixture->device.credentials[0];
    fixture->passwords.round_ns = 1000;
    assert_int_equal(ask(fixture, HASH_101, PASSWORD), PASSWORD_RIGHT);
    assert_int_equal(ask(fixture, HASH_101, "x"), PASSWORD_WRONG);
    fixture->passwords.place_us = 0;
    struct password_question question = {
        .name = "pump-7", .credential = credential, .password = PASSWORD};
    assert_int_equal(passwords_recall(&fixture->passwords, &question), PASSWORD_RIGHT);
    question.password = "x";
    assert_int_equal(passwords_recall(&fixture->passwords, &question), PASSWORD_WRONG);
    question.password = "y";
    assert_int_equal(passwords_recall(&fixture->passwords, &question), PASSWORD_UNSEEN);
    question = (struct password_question){
        .name = "pump-8", .credential = credential, .password = PASSWORD};
    assert_int_equal(passwords_recall(&fixture->passwords, &question), PASSWORD_UNSEEN);
}

/* 2.1.2 refuses who comes with a client id under which another waits. */
static void a_client_id_waits_only_now_and_then(void **state)
{
    struct passwords *passwords = &((struct fixture *)*state)->passwords;
    assert_true(passwords_may_wait(passwords, 7, NOW));
    passwords_waited(passwords, 7, NOW);
    assert_false(passwords_may_wait(passwords, 7, NOW + PASSWORD_WAIT_MS - 1));
    assert_true(passwords_may_wait(passwords, 8, NOW));
    assert_true(passwords_may_wait(passwords, 7 + PASSWORD_WAITED, NOW));
    assert_true(passwords_may_wait(passwords, 7, NOW + PASSWORD_WAIT_MS));
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
        test(guesses_elsewhere_do_not_use_up_what_is_for_home),
        test(where_there_is_no_password_the_way_is_the_same),
        test(a_wrong_password_that_is_cheap_to_check_takes_as_long),
        test(nobody_waits_for_a_decoy_that_is_not_hashed),
        test(a_client_id_waits_only_now_and_then),
        test(what_is_remembered_is_told_without_any_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
