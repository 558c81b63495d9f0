/* test_guessing.c - guesses at keys and passwords, with real connections: what is refused, what is
 * said of it, and who is let in all the same. tests/plugin/test_guessing.c has a clock for the
 * rest.
 */
#include <string.h>

#include "deadline.h"
#include "scene.h"

#define CONF_GUESSING CONF CONF_TCP "plugin_opt_unknown deny\n"
#define NO_DEVICE_KEY "devreg_0000000000000000000000000000002DlIv4" /* of the form of one */
#define HERE          "127.0.0.1"
#define ELSEWHERE     "127.0.0.2"
#define PASSWORD      "correct horse battery staple"

static bool lets_in(struct scene *s, const char *user, const char *key, const char *from)
{
    return scene_knock(s, LOGIN(.user = user, .key = key, .from = from,
                                .port = s->broker.tcp_port)) == ACCEPTED;
}

static void guess(struct scene *s, const char *user, const char *from, int times)
{
    while (times-- > 0)
        scene_refuse(
            s, LOGIN(.user = user, .key = NO_DEVICE_KEY, .from = from, .port = s->broker.tcp_port));
}

/* Guesses until that is refused unseen. */
static void guess_until_unseen(struct scene *s, const char *user, const char *from)
{
    char line[100];
    bool unseen;
    (void)snprintf(line, sizeof line, "login failed from %s device=%s client=", from, user);
    WAIT_UNTIL(unseen,
               (guess(s, user, from, 1), broker_log_count(&s->broker, line) > 0 &&
                                             broker_log_count(&s->broker, "reason=guessing") > 0));
    check(unseen);
}

static void start_with_pump(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "pump-7");
}

static void a_failure_is_said_in_one_line_with_the_address_first(void **state)
{
    struct scene *s = *state;
    start_with_pump(s, CONF_GUESSING);
    scene_refuse(s, LOGIN(.user = "pump-7", .key = NO_DEVICE_KEY, .id = "probe", .from = ELSEWHERE,
                          .port = s->broker.tcp_port));
    broker_log_wait(&s->broker,
                    "devreg: login failed from 127.0.0.2 device=pump-7 client=probe "
                    "reason=wrong_key",
                    1);
    scene_refuse(s, LOGIN(.user = "no one", .key = "x", .id = "a login failed from 192.0.2.1 b",
                          .port = s->broker.tcp_port));
    broker_log_wait(&s->broker,
                    "devreg: login failed from 127.0.0.1 device=no_one "
                    "client=a_login_failed_from_192.0.2.1_b reason=unknown_device",
                    1);
    scene_refuse(s, LOGIN(.user = "pump-7", .key = NO_KEY));
    broker_log_wait(&s->broker, "devreg: refused device=pump-7 client=", 1);
    assert_int_equal(broker_log_count(&s->broker, "devreg: login failed from"), 2);
}

static void start_with_anna(struct scene *s, const char *config)
{
    bool in;
    scene_start(s, config);
    scene_write(s, "password", PASSWORD, 0600);
    scene_do(s, "add anna --password-file %s/password", s->dir);
    scene_remember(s, "anna", PASSWORD);
    WAIT_UNTIL(in, lets_in(s, "anna", NULL, HERE));
    check(in);
}

/* The right password too, which says nothing about it. But it takes a second at first, which a slow
 * machine may be too slow for; and where she got in is her home. */
static bool is_locked_out_for_a_while(struct scene *s)
{
    check(lets_in(s, "anna", NULL, HERE));
    for (int i = 0; i < 6; i++)
        scene_refuse(
            s, LOGIN(.user = "anna", .key = NO_KEY, .from = ELSEWHERE, .port = s->broker.tcp_port));
    return !lets_in(s, "anna", NULL, ELSEWHERE);
}

static void who_guesses_is_refused_with_the_right_password_as_well(void **state)
{
    struct scene *s = *state;
    bool held;
    start_with_anna(s, CONF_GUESSING);
    WAIT_UNTIL(held, is_locked_out_for_a_while(s));
    check(held);
    broker_log_wait(&s->broker, "reason=guessing", 1);
    check(lets_in(s, "anna", NULL, HERE));
    WAIT_UNTIL(held, lets_in(s, "anna", NULL, ELSEWHERE)); /* its time is over */
    check(held);
}

/* New, without a presence record, and behind the address of who guesses. */
static void a_device_gets_in_with_its_key_whoever_guesses_there(void **state)
{
    struct scene *s = *state;
    start_with_pump(s, CONF_GUESSING "plugin_opt_presence off\n");
    for (int i = 0; i < 3; i++) {
        guess_until_unseen(s, "pump-7", ELSEWHERE);
        check(lets_in(s, "pump-7", NULL, ELSEWHERE));
        guess(s, "pump-7", HERE, 10);
        check(lets_in(s, "pump-7", NULL, HERE));
    }
}

static void a_person_gets_in_with_a_password_that_is_remembered(void **state)
{
    struct scene *s = *state;
    start_with_anna(s, CONF_GUESSING);
    guess_until_unseen(s, "anna", HERE);
    check(lets_in(s, "anna", NULL, HERE));
}

static void presence_need_not_be_on_for_that(void **state)
{
    struct scene *s = *state;
    start_with_anna(s, CONF_GUESSING "plugin_opt_presence off\n");
    struct client *anna =
        scene_accept(s, LOGIN(.user = "anna", .port = s->broker.tcp_port, .id = "anna"));
    guess_until_unseen(s, "anna", HERE);
    client_drop(anna);
    check(lets_in(s, "anna", NULL, HERE));
}

/* On 2.1 some of these wait for the worker, as they do for a person. */
static void a_name_that_is_no_device_is_refused_in_the_same_way(void **state)
{
    struct scene *s = *state;
    start_with_pump(s, CONF_GUESSING);
    scene_add(s, "lamp-1");
    for (int version = 3; version <= 5; version++) {
        const int port = s->broker.tcp_port;
        scene_refuse(s,
                     LOGIN(.user = "nobody", .key = "hunter2", .version = version, .port = port));
        scene_refuse(s,
                     LOGIN(.user = "pump-7", .key = "hunter2", .version = version, .port = port));
        scene_refuse(s, LOGIN(.user = "pump-7", .key = "hunter3", .id = "lamp-1", .port = port));
        scene_refuse(s, LOGIN(.user = "nobody", .key = NO_KEY, .version = version, .port = port));
    }
    broker_log_wait(&s->broker, "device=nobody client=", 4);
    guess_until_unseen(s, "nobody", ELSEWHERE);
    check(lets_in(s, "pump-7", NULL, ELSEWHERE));
}

/* Nobody keeps a device out by knocking with its client id, and ever another name: 2.1.2 refuses it
 * only while another waits under that. */
static bool gets_in_beside(struct scene *s, int number)
{
    char user[16];
    const int port = s->broker.tcp_port;
    (void)snprintf(user, sizeof user, "user-%d", number);
    struct client *stranger =
        scene_begin(s, LOGIN(.user = user, .key = "hunter2", .id = "sensor", .port = port));
    struct client *pump = scene_connect(s, LOGIN(.user = "pump-7", .id = "sensor", .port = port));
    bool in = pump->connack == ACCEPTED;
    assert_int_not_equal(client_finish(stranger), ACCEPTED);
    if (in)
        client_expect_alive(pump);
    client_drop(pump);
    return in;
}

static void a_stranger_who_waits_does_not_hold_a_client_id(void **state)
{
    struct scene *s = *state;
    int number = 0;
    bool in;
    start_with_pump(s, CONF_GUESSING);
    for (int i = 0; i < 5; i++) {
        WAIT_UNTIL(in, gets_in_beside(s, number++));
        check(in);
    }
}

/* 2.0.21 hands over whatever a client writes into that header. */
static void an_address_that_a_client_may_have_chosen_is_not_held_against_it(void **state)
{
    struct scene *s = *state;
    start_with_pump(s, CONF_GUESSING CONF_WEBSOCKETS);
    for (int i = 0; i < 12; i++) {
        const struct login login = {.user = "pump-7",
                                    .key = NO_DEVICE_KEY,
                                    .id = "browser",
                                    .forwarded = "203.0.113.9",
                                    .port = s->broker.ws_port};
        assert_int_equal(websocket_connect(&s->websocket, &login), REFUSED_V3);
        websocket_close(&s->websocket);
    }
    broker_log_wait(&s->broker, "devreg: refused device=pump-7 client=browser address=", 12);
    (void)scene_websocket(s, LOGIN(.user = "pump-7", .id = "browser", .forwarded = "203.0.113.9",
                                   .port = s->broker.ws_port));
    check(lets_in(s, "pump-7", NULL, HERE));
    assert_int_equal(broker_log_count(&s->broker, "login failed from"), 0);
    assert_int_equal(broker_log_count(&s->broker, "reason=guessing"), 0);
}

static void a_reload_does_not_close_who_is_in(void **state)
{
    struct scene *s = *state;
    start_with_pump(s, CONF_GUESSING);
    struct client *pump =
        scene_accept(s, LOGIN(.user = "pump-7", .port = s->broker.tcp_port, .id = "pump-7"));
    guess_until_unseen(s, "pump-7", HERE);
    for (int i = 0; i < 3; i++) {
        broker_reload(&s->broker);
        client_expect_alive(pump);
    }
}

/* It has knocked for hours before somebody adds it, or gives it a new key. */
static void a_change_of_a_device_lets_it_in_at_once(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF_GUESSING);
    guess_until_unseen(s, "valve", ELSEWHERE);
    scene_add(s, "valve");
    check(lets_in(s, "valve", NULL, ELSEWHERE));
    check(lets_in(s, "valve", NULL, HERE));
    guess(s, "valve", ELSEWHERE, 10);
    (void)scene_rotate(s, "valve");
    check(lets_in(s, "valve", NULL, ELSEWHERE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_failure_is_said_in_one_line_with_the_address_first),
        SCENE_TEST(who_guesses_is_refused_with_the_right_password_as_well),
        SCENE_TEST(a_device_gets_in_with_its_key_whoever_guesses_there),
        SCENE_TEST(presence_need_not_be_on_for_that),
        SCENE_TEST(a_person_gets_in_with_a_password_that_is_remembered),
        SCENE_TEST(a_name_that_is_no_device_is_refused_in_the_same_way),
        SCENE_TEST(a_stranger_who_waits_does_not_hold_a_client_id),
        SCENE_TEST(an_address_that_a_client_may_have_chosen_is_not_held_against_it),
        SCENE_TEST(a_reload_does_not_close_who_is_in),
        SCENE_TEST(a_change_of_a_device_lets_it_in_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
