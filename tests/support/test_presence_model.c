/* test_presence_model.c - the model that histories of presence are compared with. */
#include "tests/support/cmocka_all.h"
#include "tests/support/presence_model.h"

#include <stdio.h>

static const struct model_rules rules = {.tells_ends = true};
static struct model_device d;

static int begin(void **state)
{
    (void)state;
    model_init(&d, "pump-7", &rules);
    model_add(&d, 3);
    model_start(&d, true);
    return 0;
}

static void accept_client(const char *client)
{
    struct model_connection connection = {.protocol = 4, .keepalive = 60, .time = 1000};
    (void)snprintf(connection.client, sizeof connection.client, "%s", client);
    model_accept(&d, d.generation, &connection);
}

static struct model_message message(enum model_what what, uint64_t conn, const char *client)
{
    static uint64_t seq;
    struct model_message m = {.what = what,
                              .has = MODEL_HAS_GENERATION | MODEL_HAS_CONN | MODEL_HAS_CLIENT |
                                     MODEL_HAS_SEQ | MODEL_HAS_SINCE,
                              .generation = 3,
                              .seq = ++seq,
                              .conn = conn};
    (void)snprintf(m.client, sizeof m.client, "%s", client);
    return m;
}

static struct model_message offline(uint64_t conn, const char *client, enum reason reason)
{
    struct model_message m = message(MODEL_OFFLINE, conn, client);
    m.has |= MODEL_HAS_REASON;
    m.reason = reason;
    return m;
}

static const struct model_message none = {.what = MODEL_NONE};

#define RIGHT(call)    assert_null(call)
#define WRONG(call)    assert_non_null(call)
#define ONLINE(...)    (&(struct model_message[]){message(MODEL_ONLINE, __VA_ARGS__)}[0])
#define OFFLINE(...)   (&(struct model_message[]){offline(__VA_ARGS__)}[0])
#define AT_REST(looks) (model_rest(&d), looks)

static void a_device_that_never_connected_has_no_message(void **state)
{
    (void)state;
    RIGHT(model_check(&d, &none));
    WRONG(model_check(&d, ONLINE(1, "a")));
}

static void the_last_connection_that_ends_makes_it_offline(void **state)
{
    (void)state;
    accept_client("a");
    accept_client("b");
    WRONG(AT_REST(model_check(&d, ONLINE(2, "b"))));
    RIGHT(model_check(&d, ONLINE(1, "a")));
    model_end(&d, "a", MODEL_LEFT, 2000);
    WRONG(AT_REST(model_check(&d, OFFLINE(1, "a", REASON_CLIENT_DISCONNECT))));
    RIGHT(model_check(&d, ONLINE(2, "b")));
    model_end(&d, "b", MODEL_LOST, 3000);
    WRONG(AT_REST(model_check(&d, OFFLINE(2, "b", REASON_CLIENT_DISCONNECT))));
    RIGHT(model_check(&d, OFFLINE(2, "b", REASON_CONNECTION_LOST)));
}

static void a_take_over_is_never_offline(void **state)
{
    (void)state;
    accept_client("a");
    accept_client("a");
    RIGHT(model_seen(&d, ONLINE(1, "a")));
    WRONG(model_seen(&d, OFFLINE(1, "a", REASON_SESSION_TAKEN_OVER)));
    RIGHT(model_seen(&d, ONLINE(2, "a")));
    WRONG(model_seen(&d, ONLINE(1, "a")));
}

static void what_was_seen_is_there_after_a_kill(void **state)
{
    (void)state;
    accept_client("a");
    model_rest(&d);
    model_end(&d, "a", MODEL_LEFT, 2000);
    accept_client("a");
    RIGHT(model_seen(&d, ONLINE(2, "a")));
    model_kill(&d);
    model_start(&d, true);
    WRONG(AT_REST(model_check(&d, OFFLINE(1, "a", REASON_BROKER_RESTART))));
    RIGHT(model_check(&d, OFFLINE(2, "a", REASON_BROKER_RESTART)));
}

static void what_was_not_seen_may_be_there_after_a_kill(void **state)
{
    (void)state;
    accept_client("a");
    model_rest(&d);
    model_end(&d, "a", MODEL_LEFT, 2000);
    model_kill(&d);
    model_start(&d, true);
    struct model_device other = d;
    RIGHT(AT_REST(model_check(&d, OFFLINE(1, "a", REASON_BROKER_RESTART))));
    WRONG(model_check(&d, OFFLINE(1, "a", REASON_CLIENT_DISCONNECT)));
    d = other;
    RIGHT(AT_REST(model_check(&d, OFFLINE(1, "a", REASON_CLIENT_DISCONNECT))));
    WRONG(model_check(&d, OFFLINE(1, "a", REASON_BROKER_RESTART)));
    WRONG(model_check(&d, ONLINE(1, "a")));
}

static void nothing_stands_for_a_removed_device(void **state)
{
    (void)state;
    accept_client("a");
    RIGHT(AT_REST(model_check(&d, ONLINE(1, "a"))));
    model_remove(&d);
    WRONG(AT_REST(model_check(&d, ONLINE(1, "a"))));
    RIGHT(model_check(&d, &none));
    model_add(&d, 4);
    model_kill(&d);
    model_start(&d, true);
    RIGHT(AT_REST(model_check(&d, &none)));
}

static void seq_rises_with_each_change_and_stays_with_what_is_told_again(void **state)
{
    struct model_message first = message(MODEL_ONLINE, 1, "a"), second = first;
    (void)state;
    accept_client("a");
    RIGHT(AT_REST(model_check(&d, &first)));
    RIGHT(model_check(&d, &first));
    accept_client("a");
    second.conn = 2;
    WRONG(AT_REST(model_check(&d, &second)));
    second.seq--;
    WRONG(model_check(&d, &second));
    second.seq += 2;
    RIGHT(model_check(&d, &second));
}

static void what_is_lost_begins_anew_but_seq_does_not_fall(void **state)
{
    struct model_message first, again;
    (void)state;
    accept_client("a");
    accept_client("a");
    first = message(MODEL_ONLINE, 2, "a");
    RIGHT(AT_REST(model_check(&d, &first)));
    model_kill(&d);
    model_forget(&d);
    model_start(&d, true);
    RIGHT(AT_REST(model_check(&d, &none)));
    accept_client("a");
    again = message(MODEL_ONLINE, 1, "a");
    again.seq = first.seq - 1;
    WRONG(AT_REST(model_check(&d, &again)));
    again.seq = first.seq + 1;
    RIGHT(model_check(&d, &again));
}

#define MODEL_TEST(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(a_device_that_never_connected_has_no_message),
        MODEL_TEST(the_last_connection_that_ends_makes_it_offline),
        MODEL_TEST(a_take_over_is_never_offline),
        MODEL_TEST(what_was_seen_is_there_after_a_kill),
        MODEL_TEST(what_was_not_seen_may_be_there_after_a_kill),
        MODEL_TEST(nothing_stands_for_a_removed_device),
        MODEL_TEST(seq_rises_with_each_change_and_stays_with_what_is_told_again),
        MODEL_TEST(what_is_lost_begins_anew_but_seq_does_not_fall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
