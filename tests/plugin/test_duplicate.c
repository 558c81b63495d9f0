/* test_duplicate.c - two networks that take a device's connection from each other are told, and
 * quarantined where the option says so; nobody else is. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "plugin/duplicate.h"
#include "registry/quarantine.h"
#include "tests/plugin/place.h"

#define A     "192.0.2.1"
#define B     "198.51.100.7"
#define C     "203.0.113.5"
#define TOPIC "devices/d/x"

enum { EVENT_ROOM = 500, STEP_MS = 1000 };

static struct {
    struct place place;
    char store[TEMPDIR_MAX], key[KEY_TEXT_SIZE + 1], other[KEY_TEXT_SIZE + 1];
    struct sim_options options;
    unsigned told;
    char event[EVENT_ROOM]; /* the latest duplicate_use */
} s;

static void note_event(const char *topic, const char *payload)
{
    if (strcmp(topic, "devreg/event/d/duplicate_use") != 0)
        return;
    s.told++;
    (void)snprintf(s.event, sizeof s.event, "%s", payload);
}

/* Any change of its record. */
static void change_device(void)
{
    struct device device;
    assert_int_equal(registry_write(s.place.registry, "tester", sim_now()), ERR_OK);
    assert_int_equal(registry_get_device(s.place.registry, "d", &device), ERR_OK);
    (void)snprintf(device.note, sizeof device.note, "changed");
    assert_int_equal(registry_put_device(s.place.registry, &device), ERR_OK);
    registry_log(s.place.registry, LOG_SET, LOG_DEVICE, "d", "");
    assert_int_equal(registry_commit(s.place.registry), ERR_OK);
    device_clear(&device);
}

/* A change of its role, which leaves its record as it is. */
static void change_role(void)
{
    struct role role;
    assert_int_equal(registry_write(s.place.registry, "tester", sim_now()), ERR_OK);
    assert_int_equal(registry_get_role(s.place.registry, DEFAULT_ROLE, &role), ERR_OK);
    (void)snprintf(role.note, sizeof role.note, "changed");
    assert_int_equal(registry_put_role(s.place.registry, &role), ERR_OK);
    registry_log(s.place.registry, LOG_SET, LOG_ROLE, DEFAULT_ROLE, "");
    assert_int_equal(registry_commit(s.place.registry), ERR_OK);
    role_clear(&role);
}

static void turn(void)
{
    sim_clock(100);
    sim_turn();
}

/* What was on its way to the disk is there, and read again. */
static void restart(void)
{
    sim_stop();
    sim_start(&s.options);
    for (int i = 0; i < 20; i++)
        turn();
}

static int try(struct sim_login login)
{
    login.username = "d";
    login.password = s.key;
    login.id = login.id ? login.id : "d";
    login.protocol = login.protocol ? login.protocol : 4;
    int answer = sim_connect(&login);
    turn();
    return answer;
}

static int connect_from(const char *address)
{
    return try((struct sim_login){.address = address, .clean = true});
}

/* One after the other, each after a second. */
static void fight(const char *const *addresses)
{
    for (; *addresses; addresses++) {
        assert_int_equal(connect_from(*addresses), MOSQ_ERR_SUCCESS);
        sim_clock(STEP_MS);
    }
}
#define FIGHT(...) fight((const char *const[]){__VA_ARGS__, NULL})

static void begin_with(const char *duplicate_use)
{
    s.options = (struct sim_options){.registry = s.place.path,
                                     .events = "on",
                                     .duplicate_use = duplicate_use,
                                     .told = note_event};
    s.told = 0;
    sim_start(&s.options);
}

static void expect_text(const char *text)
{
    if (!strstr(s.event, text))
        fail_msg("no %s in %s", text, s.event);
}

static void the_fourth_take_over_to_and_fro_is_told_with_both_addresses(void **state)
{
    (void)state;
    begin_with(NULL);
    FIGHT(A, B, A, B);
    assert_int_equal(s.told, 0);
    assert_false(sim_logged("duplicate_use"));
    FIGHT(A);
    assert_int_equal(s.told, 1);
    expect_text("\"device\":\"d\",\"kind\":\"duplicate_use\"");
    expect_text("\"client\":\"d\",\"address\":\"" A "\",\"other\":\"" B
                "\",\"action\":\"reported\"");
    assert_true(sim_logged("duplicate_use device=d addresses=" A "," B " client=d: "));
    assert_non_null(sim_client("d")); /* told, and no more than that */
    assert_int_equal(sim_publish(sim_client("d"), TOPIC), MOSQ_ERR_SUCCESS);
}

static void it_is_told_again_after_ten_minutes_and_not_before(void **state)
{
    (void)state;
    begin_with("report");
    FIGHT(A, B, A, B, A);
    for (int i = 0; i < 20; i++)
        FIGHT(B, A);
    assert_int_equal(s.told, 1);
    sim_clock(DUPLICATE_AGAIN_MS);
    FIGHT(B, A, B, A);
    assert_int_equal(s.told, 2);
}

static void who_moves_once_or_twice_is_never_told(void **state)
{
    (void)state;
    begin_with("quarantine");
    FIGHT(A, B, A, B); /* to and fro, and to: three */
    FIGHT(B, B, B);    /* the same device, again from there */
    sim_clock(DUPLICATE_WINDOW_MS);
    FIGHT(A, B, A);
    assert_int_equal(s.told, 0);
    FIGHT(B);
    assert_int_equal(s.told, 1);
}

static void a_device_that_leaves_before_it_comes_from_elsewhere_is_never_told(void **state)
{
    (void)state;
    begin_with("quarantine");
    for (int i = 0; i < 20; i++) {
        FIGHT(i % 2 ? A : B);
        sim_end(sim_client("d"), i % 3 ? SIM_LEAVE : SIM_LOSE);
        turn();
    }
    assert_int_equal(s.told, 0);
    assert_int_equal(connect_from(A), MOSQ_ERR_SUCCESS);
}

static void take_overs_more_than_ten_minutes_apart_are_never_told(void **state)
{
    (void)state;
    begin_with("quarantine");
    for (int i = 0; i < 20; i++) {
        FIGHT(i % 2 ? A : B);
        sim_clock(DUPLICATE_WINDOW_MS / (DUPLICATE_TAKEOVERS - 1));
    }
    assert_int_equal(s.told, 0);
}

static void one_network_is_one_place(void **state)
{
    (void)state;
    begin_with("quarantine");
    for (int i = 0; i < 10; i++) {
        FIGHT("2001:db8:1:2::1", "2001:db8:1:2:aaaa::1");
        FIGHT("2001:db8:1:2::2");
    }
    for (int i = 0; i < 10; i++)
        FIGHT(A, "::ffff:" A);
    assert_int_equal(s.told, 0);
    FIGHT("2001:db8:1:3::1", "2001:db8:1:2::1", "2001:db8:1:3::2", "2001:db8:1:2::2",
          "2001:db8:1:3::3");
    assert_int_equal(s.told, 1);
}

static void a_third_network_begins_anew(void **state)
{
    (void)state;
    begin_with("quarantine");
    for (int i = 0; i < 10; i++)
        FIGHT(A, B, C);
    FIGHT(A, B, A, C, A, B, A, C);
    assert_int_equal(s.told, 0);
}

static void what_has_no_address_that_counts_is_never_told(void **state)
{
    (void)state;
    begin_with("quarantine");
    for (int i = 0; i < 10; i++)
        FIGHT("/run/mosquitto.sock", A);
    for (int i = 0; i < 10; i++) { /* 2.0.21: the client chooses what it comes from */
        const char *address = i % 2 ? A : B;
        assert_int_equal(
            try((struct sim_login){.address = address, .clean = true, .websockets = true}),
            MOSQ_ERR_SUCCESS);
        turn();
    }
    assert_int_equal(s.told, 0);
}

static void client_ids_of_a_device_are_looked_at_one_by_one(void **state)
{
    (void)state;
    begin_with("report");
    for (int i = 0; i < 4; i++) {
        const char *address = i % 2 ? A : B;
        assert_int_equal(try((struct sim_login){.id = "x", .address = address, .clean = true}),
                         MOSQ_ERR_SUCCESS);
        assert_int_equal(try((struct sim_login){.id = "y", .address = address, .clean = true}),
                         MOSQ_ERR_SUCCESS);
    }
    assert_int_equal(s.told, 0); /* six in all, three of each */
    assert_int_equal(try((struct sim_login){.id = "y", .address = B, .clean = true}),
                     MOSQ_ERR_SUCCESS);
    assert_int_equal(s.told, 1);
    assert_int_equal(try((struct sim_login){.id = "x", .address = B, .clean = true}),
                     MOSQ_ERR_SUCCESS);
    assert_int_equal(s.told, 1); /* the device was told of a moment ago */
}

static void a_quarantined_device_is_closed_and_refused(void **state)
{
    (void)state;
    begin_with("quarantine");
    assert_int_equal(try((struct sim_login){.id = "second", .address = C, .clean = true}),
                     MOSQ_ERR_SUCCESS);
    FIGHT(A, B, A, B);
    struct sim_login last = {
        .id = "d", .username = "d", .password = s.key, .protocol = 4, .clean = true, .address = A};
    assert_int_equal(sim_connect(&last), MOSQ_ERR_SUCCESS);
    /* From here on nothing goes through, though it is closed only at the turn. */
    assert_int_equal(sim_publish(sim_client("d"), TOPIC), MOSQ_ERR_ACL_DENIED);
    assert_int_equal(sim_deliver(sim_client("d"), TOPIC), MOSQ_ERR_ACL_DENIED);
    assert_int_equal(sim_publish(sim_client("second"), TOPIC), MOSQ_ERR_ACL_DENIED);
    turn();
    assert_null(sim_client("d"));
    assert_null(sim_client("second"));
    assert_int_equal(s.told, 1);
    expect_text("\"action\":\"quarantined\"");
    assert_true(sim_logged("and it is refused from now on"));
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
    assert_int_equal(connect_from(B), MOSQ_ERR_AUTH);
    assert_int_equal(connect_from(C), MOSQ_ERR_AUTH);
    assert_true(sim_logged("reason=quarantined"));
}

static void presence_says_that_it_was_kicked(void **state)
{
    (void)state;
    begin_with("quarantine");
    FIGHT(A, B, A, B, A);
    restart();
    const char *message = sim_retained("devreg/presence/d");
    assert_non_null(message);
    if (!strstr(message, "\"state\":\"offline\"") || !strstr(message, "\"reason\":\"kicked\""))
        fail_msg("%s", message);
}

static void others_are_left_alone(void **state)
{
    (void)state;
    begin_with("quarantine");
    const struct sim_login other = {.id = "e",
                                    .username = "e",
                                    .password = s.other,
                                    .protocol = 4,
                                    .clean = true,
                                    .address = A};
    assert_int_equal(sim_connect(&other), MOSQ_ERR_SUCCESS);
    FIGHT(A, B, A, B, A);
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
    assert_int_equal(sim_publish(sim_client("e"), "devices/e/x"), MOSQ_ERR_SUCCESS);
    assert_int_equal(sim_connect(&other), MOSQ_ERR_SUCCESS);
}

static void a_quarantine_lasts_until_the_record_changes(void **state)
{
    (void)state;
    begin_with("quarantine");
    FIGHT(A, B, A, B, A);
    change_role();
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
    sim_clock(365 * (int64_t)86400000);
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
    change_device();
    assert_int_equal(connect_from(A), MOSQ_ERR_SUCCESS);
    assert_int_equal(sim_publish(sim_client("d"), TOPIC), MOSQ_ERR_SUCCESS);
    FIGHT(B, A, B); /* counted anew */
    assert_int_equal(s.told, 1);
    assert_int_equal(connect_from(A), MOSQ_ERR_SUCCESS);
    assert_int_equal(s.told, 2);
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
}

static void a_quarantine_lasts_over_restarts(void **state)
{
    (void)state;
    begin_with("quarantine");
    FIGHT(A, B, A, B, A);
    restart();
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
    s.options.duplicate_use = "report"; /* that is for those to come */
    restart();
    assert_int_equal(connect_from(B), MOSQ_ERR_AUTH);
    change_device();
    restart(); /* the change was made while the broker was down */
    assert_int_equal(connect_from(A), MOSQ_ERR_SUCCESS);
    restart();
    assert_int_equal(connect_from(A), MOSQ_ERR_SUCCESS);
}

static void without_presence_a_quarantine_lasts_as_well(void **state)
{
    (void)state;
    s.options = (struct sim_options){
        .registry = s.place.path, .presence = "off", .duplicate_use = "quarantine", .events = "on"};
    sim_start(&s.options);
    FIGHT(A, B, A, B, A);
    restart();
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
}

/* What is recorded of the device's quarantine. */
static enum err recorded(struct quarantine *quarantine)
{
    struct store *store;
    struct txn *txn;
    assert_int_equal(store_open(&store, s.store, STORE_PRESENCE, STORE_READ), ERR_OK);
    assert_int_equal(txn_reader(&txn, store), ERR_OK);
    assert_int_equal(txn_renew(txn), ERR_OK);
    enum err e = quarantine_get(txn, "d", quarantine);
    txn_close(txn);
    store_close(store);
    return e;
}

static void what_is_recorded_says_whom_and_goes_when_it_ended(void **state)
{
    struct quarantine q;
    (void)state;
    begin_with("quarantine");
    FIGHT(A, B, A, B, A);
    sim_stop();
    assert_int_equal(recorded(&q), ERR_OK);
    assert_string_equal(q.addresses[0], A);
    assert_string_equal(q.addresses[1], B);
    assert_true(q.since > SIM_BEGINNING && q.since <= sim_now());
    change_device();
    sim_start(&s.options);
    turn();
    sim_stop();
    assert_int_equal(recorded(&q), ERR_NOT_FOUND);
    sim_start(&s.options);
}

/* The writer's thread may have to make it. */
static void await_other_store(void)
{
    for (int i = 0; i < 60000 && !sim_logged("is another one than before"); i++) {
        const struct timespec pause = {0, 1000000};
        (void)nanosleep(&pause, NULL);
        turn();
    }
    assert_true(sim_logged("is another one than before"));
    sim_forget_log();
}

static void a_quarantine_lasts_in_another_store(void **state)
{
    char away[TEMPDIR_MAX + 8], new[TEMPDIR_MAX + 8];
    struct quarantine q;
    (void)state;
    (void)snprintf(away, sizeof away, "%s.away", s.store);
    (void)snprintf(new, sizeof new, "%s.new", s.store);
    begin_with("quarantine");
    FIGHT(A, B, A, B, A);
    assert_int_equal(rename(s.store, away), 0);
    assert_int_equal(mkdir(s.store, 0700), 0);
    await_other_store();
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
    sim_stop();
    assert_int_equal(recorded(&q), ERR_OK);
    assert_string_equal(q.addresses[1], B);
    change_device(); /* it ends in the one, */
    sim_start(&s.options);
    turn();
    FIGHT(A, B, A, B, A); /* and begins anew */
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
    sim_stop();
    assert_int_equal(rename(s.store, new), 0);
    assert_int_equal(rename(away, s.store), 0);
    sim_start(&s.options);
    turn();
    assert_int_equal(connect_from(A), MOSQ_ERR_SUCCESS); /* which the other does not know */
    sim_end(sim_client("d"), SIM_LEAVE);
    assert_int_equal(rename(s.store, away), 0);
    assert_int_equal(rename(new, s.store), 0);
    await_other_store();
    assert_int_equal(connect_from(B), MOSQ_ERR_AUTH);
}

static void a_damaged_quarantine_lets_nobody_in(void **state)
{
    static const uint8_t rubbish[] = {9, 9, 9};
    struct store *store;
    struct txn *txn;
    (void)state;
    begin_with("quarantine");
    FIGHT(A, B, A, B, A);
    sim_stop();
    assert_int_equal(store_open(&store, s.store, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    assert_int_equal(txn_write(&txn, store), ERR_OK);
    quarantine_put(txn, "d", (struct bytes){rubbish, sizeof rubbish});
    quarantine_put(txn, "nobody", (struct bytes){rubbish, sizeof rubbish});
    assert_int_equal(txn_commit(txn), ERR_OK);
    store_close(store);
    sim_start(&s.options);
    turn();
    assert_true(sim_logged("the quarantine of device d cannot be read"));
    assert_false(sim_logged("device nobody"));
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
    change_device();
    assert_int_equal(connect_from(A), MOSQ_ERR_SUCCESS);
}

/* Puts `record` in the place of the device's, with a seal that is right. Returns what it was, which
 * the caller frees. */
static struct bytes device_exchange(struct bytes record)
{
    const struct bytes key = {(const uint8_t *)"dd", 2};
    struct bytes lent;
    struct txn *txn;
    assert_int_equal(txn_write(&txn, registry_store(s.place.registry)), ERR_OK);
    assert_int_equal(txn_get(txn, key, &lent), ERR_OK);
    uint8_t *before = test_malloc(lent.size);
    memcpy(before, lent.data, lent.size);
    const struct bytes was = {before, lent.size};
    txn_put(txn, key, record);
    assert_int_equal(txn_commit(txn), ERR_OK);
    return was;
}

/* What cannot be known ends nothing, once it can be. */
static void a_damaged_quarantine_outlives_a_device_that_cannot_be_read(void **state)
{
    static const uint8_t rubbish[] = {9, 9, 9};
    const struct bytes bad = {rubbish, sizeof rubbish};
    struct store *store;
    struct txn *txn;
    struct quarantine q;
    (void)state;
    begin_with("quarantine");
    FIGHT(A, B, A, B, A);
    sim_stop();
    assert_int_equal(store_open(&store, s.store, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    assert_int_equal(txn_write(&txn, store), ERR_OK);
    quarantine_put(txn, "d", bad);
    assert_int_equal(txn_commit(txn), ERR_OK);
    store_close(store);
    const struct bytes device = device_exchange(bad);
    sim_start(&s.options);
    turn();
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
    const struct bytes again = device_exchange(device);
    assert_int_equal(connect_from(A), MOSQ_ERR_AUTH);
    assert_true(sim_logged("reason=quarantined"));
    restart();
    assert_int_equal(recorded(&q), ERR_OK);
    change_device();
    assert_int_equal(connect_from(A), MOSQ_ERR_SUCCESS);
    test_free((void *)device.data);
    test_free((void *)again.data);
}

static int begin(void **state)
{
    (void)state;
    place_open(&s.place);
    path_join(s.store, s.place.path, PRESENCE_SUBDIR);
    place_add_with_key(&s.place, "d", s.key);
    place_add_with_key(&s.place, "e", s.other);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(&s.place);
    return 0;
}

#define DUPLICATE_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DUPLICATE_TEST(the_fourth_take_over_to_and_fro_is_told_with_both_addresses),
        DUPLICATE_TEST(it_is_told_again_after_ten_minutes_and_not_before),
        DUPLICATE_TEST(who_moves_once_or_twice_is_never_told),
        DUPLICATE_TEST(a_device_that_leaves_before_it_comes_from_elsewhere_is_never_told),
        DUPLICATE_TEST(take_overs_more_than_ten_minutes_apart_are_never_told),
        DUPLICATE_TEST(one_network_is_one_place),
        DUPLICATE_TEST(a_third_network_begins_anew),
        DUPLICATE_TEST(what_has_no_address_that_counts_is_never_told),
        DUPLICATE_TEST(client_ids_of_a_device_are_looked_at_one_by_one),
        DUPLICATE_TEST(a_quarantined_device_is_closed_and_refused),
        DUPLICATE_TEST(presence_says_that_it_was_kicked),
        DUPLICATE_TEST(others_are_left_alone),
        DUPLICATE_TEST(a_quarantine_lasts_until_the_record_changes),
        DUPLICATE_TEST(a_quarantine_lasts_over_restarts),
        DUPLICATE_TEST(without_presence_a_quarantine_lasts_as_well),
        DUPLICATE_TEST(what_is_recorded_says_whom_and_goes_when_it_ended),
        DUPLICATE_TEST(a_quarantine_lasts_in_another_store),
        DUPLICATE_TEST(a_damaged_quarantine_lets_nobody_in),
        DUPLICATE_TEST(a_damaged_quarantine_outlives_a_device_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
