/* test_guesses.c - plugin/guesses.h, with a clock of the test's own. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>

#include "plugin/guesses.h"
#include "tests/support/rng.h"

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define NOW    (5 * HOUR)

struct fixture {
    struct guesses guesses;
    int64_t now;
};

static int begin(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.now = NOW};
    if (crypto_init() != ERR_OK)
        return -1;
    guesses_open(&fixture.guesses);
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    guesses_close(&fixture->guesses);
    return 0;
}

static struct network ipv4(uint32_t address)
{
    return (struct network){.prefix = address, .family = 4};
}

static struct guesser who(struct fixture *fixture, const char *name, uint32_t address)
{
    const struct network network = ipv4(address);
    return guesser_of(&fixture->guesses, name, &network);
}

static void fail_times(struct fixture *fixture, const char *name, uint32_t address, int times)
{
    const struct guesser guesser = who(fixture, name, address);
    while (times-- > 0)
        guesses_count(&fixture->guesses, &guesser, fixture->now);
}

static bool refused(struct fixture *fixture, const char *name, uint32_t address)
{
    const struct guesser guesser = who(fixture, name, address);
    return guesses_refuse(&fixture->guesses, &guesser, fixture->now);
}

/* How long it is refused from now on, in ms. */
static int64_t penalty(struct fixture *fixture, const char *name, uint32_t address)
{
    int64_t begin = fixture->now, took;
    while (refused(fixture, name, address))
        fixture->now += 500;
    took = fixture->now - begin;
    fixture->now = begin;
    return took;
}

static void nothing_is_allocated_before_the_first_failure(void **state)
{
    struct fixture *fixture = *state;
    const struct guesser guesser = who(fixture, "pump-7", 1);
    assert_false(guesses_may_concern(&fixture->guesses, "pump-7"));
    assert_false(refused(fixture, "pump-7", 1));
    guesses_forgive(&fixture->guesses, &guesser);
    guesses_pardon(&fixture->guesses, "pump-7");
    guesses_pardon_all(&fixture->guesses);
    assert_null(fixture->guesses.table);
    guesses_count(&fixture->guesses, &guesser, fixture->now);
    assert_true(guesses_may_concern(&fixture->guesses, "pump-7"));
    assert_false(guesses_may_concern(&fixture->guesses, "pump-8"));
}

static void five_failures_are_free_and_then_the_time_doubles(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 5; i++) {
        fail_times(fixture, "pump-7", 1, 1);
        assert_false(refused(fixture, "pump-7", 1));
    }
    for (int64_t ms = SECOND; ms < 15 * MINUTE; ms *= 2) {
        fail_times(fixture, "pump-7", 1, 1);
        assert_int_equal(penalty(fixture, "pump-7", 1), ms);
        fixture->now += ms;
    }
    for (int i = 0; i < 100; i++) {
        fail_times(fixture, "pump-7", 1, 1);
        assert_int_equal(penalty(fixture, "pump-7", 1), 15 * MINUTE);
        fixture->now += 15 * MINUTE;
        assert_false(refused(fixture, "pump-7", 1));
    }
}

static void other_names_and_other_networks_are_not_concerned(void **state)
{
    struct fixture *fixture = *state;
    fail_times(fixture, "pump-7", 1, 20);
    assert_true(refused(fixture, "pump-7", 1));
    assert_false(refused(fixture, "pump-7", 2));
    assert_false(refused(fixture, "pump-8", 1));
    const struct network v6 = {.prefix = 1, .family = 6};
    const struct guesser guesser = guesser_of(&fixture->guesses, "pump-7", &v6);
    assert_false(guesses_refuse(&fixture->guesses, &guesser, fixture->now));
}

static void who_has_no_network_is_never_counted(void **state)
{
    struct fixture *fixture = *state;
    const struct guesser nobody = guesser_of(&fixture->guesses, "pump-7", &(struct network){0});
    for (int i = 0; i < 20; i++)
        guesses_count(&fixture->guesses, &nobody, fixture->now);
    assert_false(guesses_refuse(&fixture->guesses, &nobody, fixture->now));
    assert_null(fixture->guesses.table);
}

static void a_success_an_hour_and_a_change_end_it(void **state)
{
    struct fixture *fixture = *state;
    fail_times(fixture, "pump-7", 1, 30);
    fail_times(fixture, "pump-7", 2, 30);
    fail_times(fixture, "pump-8", 1, 30);
    const struct guesser guesser = who(fixture, "pump-7", 1);
    guesses_forgive(&fixture->guesses, &guesser);
    assert_false(refused(fixture, "pump-7", 1));
    assert_true(refused(fixture, "pump-7", 2));
    fail_times(fixture, "pump-7", 1, 5); /* from the beginning */
    assert_false(refused(fixture, "pump-7", 1));
    guesses_pardon(&fixture->guesses, "pump-7");
    assert_false(refused(fixture, "pump-7", 2));
    fail_times(fixture, "pump-7", 1, 1);
    assert_false(refused(fixture, "pump-7", 1));
    assert_true(refused(fixture, "pump-8", 1));
    fixture->now += HOUR;
    fail_times(fixture, "pump-8", 1, 1);
    assert_false(refused(fixture, "pump-8", 1));
    fail_times(fixture, "pump-8", 1, 30);
    guesses_pardon_all(&fixture->guesses);
    assert_false(refused(fixture, "pump-8", 1));
    assert_false(guesses_may_concern(&fixture->guesses, "pump-8"));
}

/* All of it, also where others fail meanwhile. */
static void an_hour_of_quiet_is_an_hour(void **state)
{
    struct fixture *fixture = *state;
    fail_times(fixture, "pump-7", 1, 16);
    fixture->now += HOUR - 1;
    fail_times(fixture, "pump-8", 1, 1);
    fail_times(fixture, "pump-7", 1, 1);
    assert_true(refused(fixture, "pump-7", 1));
    fixture->now += HOUR;
    fail_times(fixture, "pump-8", 1, 1);
    fail_times(fixture, "pump-7", 1, 5);
    assert_false(refused(fixture, "pump-7", 1));
}

/* Whatever else a flood brings: those counted most stay. */
static void the_least_guilty_makes_room(void **state)
{
    struct fixture *fixture = *state;
    char name[32];
    fail_times(fixture, "pump-7", 1, 12);
    for (uint32_t i = 0; i < 50000; i++) {
        (void)snprintf(name, sizeof name, "guess-%u", i);
        fail_times(fixture, name, 100 + i, 1 + (int)(i % 6));
    }
    assert_true(refused(fixture, "pump-7", 1));
    fail_times(fixture, "last", 3, 6); /* and there is always room for one more */
    assert_true(refused(fixture, "last", 3));
}

static void what_is_forgotten_makes_room_before_what_is_not(void **state)
{
    struct fixture *fixture = *state;
    char name[32];
    for (uint32_t i = 0; i < 50000; i++) {
        (void)snprintf(name, sizeof name, "old-%u", i);
        fail_times(fixture, name, 100 + i, 3);
    }
    fixture->now += HOUR - 1;
    fail_times(fixture, "pump-7", 1, 1); /* so that the table is not begun anew */
    fixture->now += 1;
    for (uint32_t i = 0; i < 2000; i++) {
        (void)snprintf(name, sizeof name, "new-%u", i);
        fail_times(fixture, name, 100 + i, 1);
    }
    fail_times(fixture, "pump-7", 1, 5);
    assert_true(refused(fixture, "pump-7", 1));
}

static bool flooded(struct fixture *fixture, const char *name, struct network network, bool home)
{
    struct guesser guesser = guesser_of(&fixture->guesses, name, &network);
    guesser.home = home;
    return guesses_flooded(&fixture->guesses, &guesser, fixture->now);
}

static void a_network_has_some_names_and_then_one_a_second(void **state)
{
    struct fixture *fixture = *state;
    char name[32];
    fail_times(fixture, "pump-7", 1, 5);
    for (int i = 1; i < 9000; i++) {
        assert_int_equal(flooded(fixture, "new", ipv4(1), false), i >= GUESS_NAMES);
        (void)snprintf(name, sizeof name, "guess-%d", i);
        fail_times(fixture, name, 1, 6);
    }
    assert_true(refused(fixture, "guess-99", 1));
    assert_false(refused(fixture, "guess-100", 1)); /* not counted, nor looked at */
    assert_false(flooded(fixture, "new", ipv4(1), true));
    assert_false(flooded(fixture, "new", ipv4(2), false));
    assert_false(flooded(fixture, "pump-7", ipv4(1), false));
    fail_times(fixture, "pump-7", 1, 1); /* the sixth */
    assert_true(refused(fixture, "pump-7", 1));
    fixture->now += GUESS_NAME_MS;
    assert_false(flooded(fixture, "new", ipv4(1), false));
    fail_times(fixture, "new", 1, 1);
    assert_true(flooded(fixture, "newer", ipv4(1), false));
}

/* Whoever has a /64 of IPv6 has 65,536 of them, often. */
static void the_names_of_48_bits_of_ipv6_are_counted_together(void **state)
{
    struct fixture *fixture = *state;
    struct network network = {.prefix = 0x20010db800010000, .family = 6};
    for (int i = 0; i < GUESS_NAMES; i++) {
        const struct guesser guesser = guesser_of(&fixture->guesses, "pump-7", &network);
        guesses_count(&fixture->guesses, &guesser, fixture->now);
        network.prefix++;
    }
    assert_true(flooded(fixture, "pump-7", network, false));
    network.prefix += 0x10000;
    assert_false(flooded(fixture, "pump-7", network, false));
}

static void at_home_some_passwords_are_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct guesser guesser = who(fixture, "pump-7", 1);
    guesser.home = true;
    assert_false(guesses_at_home(&fixture->guesses, &guesser));
    assert_false(guesses_look(&fixture->guesses, &guesser, fixture->now));
    guesses_count(&fixture->guesses, &guesser, fixture->now);
    assert_true(guesses_at_home(&fixture->guesses, &guesser));
    for (int i = 0; i < GUESS_LOOKS; i++)
        assert_true(guesses_look(&fixture->guesses, &guesser, fixture->now));
    assert_false(guesses_look(&fixture->guesses, &guesser, fixture->now));
    fixture->now += GUESS_LOOK_MS;
    assert_true(guesses_look(&fixture->guesses, &guesser, fixture->now));
    assert_false(guesses_look(&fixture->guesses, &guesser, fixture->now));
    guesses_count(&fixture->guesses, &guesser, fixture->now); /* brings no new ones */
    assert_false(guesses_look(&fixture->guesses, &guesser, fixture->now));
}

static void a_network_has_a_few_lines_and_then_one_a_second(void **state)
{
    struct fixture *fixture = *state;
    const struct network one = ipv4(1), two = ipv4(2);
    for (int i = 0; i < GUESS_LINES; i++)
        assert_true(guesses_may_tell(&fixture->guesses, &one, fixture->now));
    assert_false(guesses_may_tell(&fixture->guesses, &one, fixture->now));
    assert_true(guesses_may_tell(&fixture->guesses, &two, fixture->now));
    fixture->now += (int64_t)2 * GUESS_LINE_MS;
    assert_true(guesses_may_tell(&fixture->guesses, &one, fixture->now));
    assert_true(guesses_may_tell(&fixture->guesses, &one, fixture->now));
    assert_false(guesses_may_tell(&fixture->guesses, &one, fixture->now));
    fixture->now += HOUR;
    for (int i = 0; i < GUESS_LINES; i++)
        assert_true(guesses_may_tell(&fixture->guesses, &one, fixture->now));
    assert_false(guesses_may_tell(&fixture->guesses, &one, fixture->now));
}

/* Against what the rules say, as plainly as they can be written. */
static void random_histories_agree_with_the_rules(void **state)
{
    enum { NAMES = 5, NETWORKS = 4, STEPS = 200000 };
    static struct {
        int failures;
        int64_t last;
    } model[NAMES][NETWORKS];
    struct fixture *fixture = *state;
    static const char *const names[NAMES] = {"a", "b", "pump-7", "pump-8", "nobody"};
    struct rng rng = rng_start("guesses");
    for (int step = 0; step < STEPS; step++) {
        size_t n = rng_below(&rng, NAMES), a = rng_below(&rng, NETWORKS);
        const struct guesser guesser = who(fixture, names[n], (uint32_t)a);
        int over = model[n][a].failures - GUESS_FREE - 1;
        int64_t ms = over < 0 ? 0 : over > 9 ? 15 * MINUTE : SECOND << over;
        bool expected = fixture->now - model[n][a].last < ms;
        assert_int_equal(guesses_refuse(&fixture->guesses, &guesser, fixture->now), expected);
        if (rng_below(&rng, 100) == 0) {
            guesses_forgive(&fixture->guesses, &guesser);
            model[n][a].failures = 0;
        } else if (rng_below(&rng, 1000) == 0) {
            guesses_pardon(&fixture->guesses, names[n]);
            for (a = 0; a < NETWORKS; a++)
                model[n][a].failures = 0;
        } else if (!expected) {
            guesses_count(&fixture->guesses, &guesser, fixture->now);
            if (fixture->now - model[n][a].last >= HOUR)
                model[n][a].failures = 0;
            model[n][a].failures++;
            model[n][a].last = fixture->now;
        }
        fixture->now +=
            (int64_t)rng_below(&rng, rng_below(&rng, 50) == 0 ? (size_t)(2 * HOUR) : 3000);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(nothing_is_allocated_before_the_first_failure),
        test(five_failures_are_free_and_then_the_time_doubles),
        test(other_names_and_other_networks_are_not_concerned),
        test(who_has_no_network_is_never_counted),
        test(a_success_an_hour_and_a_change_end_it),
        test(an_hour_of_quiet_is_an_hour),
        test(the_least_guilty_makes_room),
        test(what_is_forgotten_makes_room_before_what_is_not),
        test(a_network_has_some_names_and_then_one_a_second),
        test(the_names_of_48_bits_of_ipv6_are_counted_together),
        test(at_home_some_passwords_are_looked_at),
        test(a_network_has_a_few_lines_and_then_one_a_second),
        test(random_histories_agree_with_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
