/* test_client_id.c - Mosquitto gives a session to whoever names its client id. devreg does not. */
#include "accounts.h"
#include "deadline.h"
#include "scene.h"
#include "watch.h"

static void start_with_two(struct scene *s, const char *config)
{
    scene_start(s, config);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
}

/* That somebody let go of a client id is known when it is on the disk. */
static void expect_free(struct scene *s, const struct login *login)
{
    bool in;
    WAIT_UNTIL(in, scene_knock(s, login) == ACCEPTED);
    check(in);
}

static void the_id_of_another_device_is_refused_as_client_id(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF);
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "pump-7"));
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "pump-7", .version = 5));
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "pump-7", .persistent = true));
    client_expect_alive(scene_accept(s, LOGIN(.user = "lamp-1", .id = "lamp-1")));
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .id = "pump-7")));
    scene_do(s, "remove pump-7");
    expect_free(s, LOGIN(.user = "lamp-1", .id = "pump-7"));
}

static void a_live_session_is_not_taken_over_by_another_device(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF);
    struct client *watch = watch_open(s, "pump-7");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "mine"));
    uint64_t seq = watch_online(watch).seq;
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine"));
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine", .persistent = true, .version = 5));
    client_expect_alive(pump);
    client_disconnect(pump);
    check(watch_offline(watch, watch_reason("client_disconnect")).seq > seq);
    expect_free(s, LOGIN(.user = "lamp-1", .id = "mine"));
}

/* A session "mine" of pump-7 in which a message waits. */
static void leave_session(struct scene *s)
{
    struct client *pump =
        scene_accept(s, LOGIN(.user = "pump-7", .id = "mine", .persistent = true));
    assert_int_equal(client_subscribe(pump, "devices/pump-7/cmd", 1), 1);
    client_disconnect(pump);
    struct client *other = scene_device(s, "pump-7");
    assert_int_equal(client_publish(other, "devices/pump-7/cmd", "waiting", 1), 0);
}

static void expect_session(struct scene *s)
{
    struct client *pump =
        scene_accept(s, LOGIN(.user = "pump-7", .id = "mine", .persistent = true));
    check(pump->session_present);
    client_expect(pump, "devices/pump-7/cmd", "waiting");
}

static void a_persistent_session_is_not_taken_over_by_another_device(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF);
    leave_session(s);
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine", .persistent = true));
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine"));
    expect_session(s);
}

static void a_persistent_session_is_not_taken_over_after_a_restart(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF_PERSISTENCE CONF);
    leave_session(s);
    broker_restart(&s->broker);
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine", .persistent = true));
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine"));
    expect_session(s);
}

static void a_persistent_session_is_not_taken_over_after_a_crash(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF_PERSISTENCE CONF);
    struct client *watch = watch_open(s, "pump-7");
    leave_session(s);
    (void)watch_until(watch, true); /* what is published was recorded */
    broker_save(&s->broker);
    broker_kill(&s->broker);
    broker_start(&s->broker);
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine", .persistent = true));
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine"));
    expect_session(s);
}

static void a_session_that_began_afresh_is_not_taken_over(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF);
    client_disconnect(scene_accept(s, LOGIN(.user = "pump-7", .id = "mine", .persistent = true,
                                            .afresh = true, .version = 5)));
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine", .persistent = true, .version = 5));
    scene_refuse(s, LOGIN(.user = "lamp-1", .id = "mine"));
    check(scene_accept(s, LOGIN(.user = "pump-7", .id = "mine", .persistent = true, .version = 5))
              ->session_present);
}

static void a_refused_connect_leaves_the_session_as_it_was(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF);
    leave_session(s);
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "mine", .key = scene_key(s, "lamp-1")));
    scene_refuse(s, LOGIN(.user = "nobody", .id = "mine", .key = "x"));
    expect_session(s);
}

static void a_session_that_its_owner_ended_is_free_for_others(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF);
    leave_session(s);
    client_disconnect(scene_accept(s, LOGIN(.user = "pump-7", .id = "mine")));
    expect_free(s, LOGIN(.user = "lamp-1", .id = "mine"));
    check(!scene_accept(s, LOGIN(.user = "lamp-1", .id = "mine", .persistent = true))
               ->session_present);
}

static void a_session_of_a_removed_device_belongs_to_nobody(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF);
    leave_session(s);
    scene_do(s, "remove pump-7");
    expect_free(s, LOGIN(.user = "lamp-1", .id = "mine"));
    struct client *lamp =
        scene_accept(s, LOGIN(.user = "lamp-1", .id = "mine", .persistent = true));
    assert_int_equal(client_subscribe(lamp, "devices/lamp-1/x", 1), 1);
    assert_int_equal(client_publish(lamp, "devices/lamp-1/x", "its own", 1), 0);
    client_expect(lamp, "devices/lamp-1/x", "its own");
}

static void a_device_keeps_its_last_sixteen_sessions(void **state)
{
    enum { KEPT = 16 };
    struct scene *s = *state;
    char id[16];
    start_with_two(s, CONF);
    for (int i = 0; i <= KEPT; i++) {
        check(snprintf(id, sizeof id, "session-%d", i) > 0);
        client_disconnect(scene_accept(s, LOGIN(.user = "pump-7", .id = id, .persistent = true)));
    }
    for (int i = KEPT; i > 0; i--) {
        check(snprintf(id, sizeof id, "session-%d", i) > 0);
        scene_refuse(s, LOGIN(.user = "lamp-1", .id = id));
    }
    expect_free(s, LOGIN(.user = "lamp-1", .id = "session-0"));
}

static void a_device_takes_over_its_own_connection(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF);
    struct client *old = scene_accept(s, LOGIN(.user = "pump-7", .id = "mine"));
    struct client *new = scene_accept(s, LOGIN(.user = "pump-7", .id = "mine", .version = 5));
    client_expect_gone(old);
    client_expect_alive(new);
}

static void an_anonymous_client_takes_nothing_over(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF "allow_anonymous true\n");
    leave_session(s);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "live"));
    scene_refuse(s, LOGIN(.id = "mine"));
    scene_refuse(s, LOGIN(.id = "mine", .persistent = true, .version = 5));
    scene_refuse(s, LOGIN(.id = "live"));
    scene_refuse(s, LOGIN(.id = "lamp-1"));
    client_expect_alive(scene_accept(s, LOGIN(.id = "free")));
    client_expect_alive(pump);
    expect_session(s);
}

static void a_user_of_the_password_file_takes_nothing_over(void **state)
{
    struct scene *s = *state;
    accounts_write(s, "");
    start_with_two(s, CONF_PERSISTENCE CONF CONF_ACCOUNTS);
    leave_session(s);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "live"));
    scene_refuse(s, LOGIN(HANS, .id = "mine", .persistent = true));
    scene_refuse(s, LOGIN(HANS, .id = "live"));
    scene_refuse(s, LOGIN(HANS, .id = "lamp-1"));
    client_expect_alive(scene_accept(s, LOGIN(HANS, .id = "hans")));
    client_expect_alive(pump);
    broker_restart(&s->broker);
    scene_refuse(s, LOGIN(HANS, .id = "mine", .persistent = true));
    expect_session(s);
}

static void the_option_device_holds_all_to_their_own_id(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF "plugin_opt_client_id device\n");
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .id = "pump-7")));
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "pump-7-a"));
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "other"));
    scene_refuse(s, LOGIN(.user = "pump-7"));
}

static void the_option_prefix_holds_all_to_ids_that_begin_with_their_own(void **state)
{
    struct scene *s = *state;
    start_with_two(s, CONF "plugin_opt_client_id prefix\n");
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .id = "pump-7")));
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .id = "pump-7-a")));
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "a-pump-7"));
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "PUMP-7"));
}

static void a_device_is_held_to_a_pattern_of_its_own(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7 --client-id esp-*-%u");
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .id = "esp-1a2b-pump-7")));
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "esp-1a2b-pump-8"));
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "pump-7"));
    scene_do(s, "set pump-7 --client-id device");
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .id = "pump-7")));
    scene_refuse(s, LOGIN(.user = "pump-7", .id = "esp-1a2b-pump-7"));
    scene_do(s, "set pump-7 --client-id any");
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-7", .id = "anything")));
}

static bool lamp_gets_in(struct scene *s, const char *id)
{
    struct client *lamp = scene_connect(s, LOGIN(.user = "lamp-1", .id = id));
    bool in = lamp->connack == 0;
    if (in)
        client_disconnect(lamp);
    return in;
}

/* Also where the session's record was still on its way when the clean connection came. */
static void with_presence_off_a_clean_connection_ends_the_session_too(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF "plugin_opt_presence off\n");
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    for (int i = 0; i < 5; i++) {
        char id[20];
        bool free;
        snprintf(id, sizeof id, "shared-%d", i);
        client_disconnect(scene_accept(s, LOGIN(.user = "pump-7", .id = id, .persistent = true)));
        client_disconnect(scene_accept(s, LOGIN(.user = "pump-7", .id = id)));
        WAIT_UNTIL(free, lamp_gets_in(s, id));
        check(free);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(the_id_of_another_device_is_refused_as_client_id),
        SCENE_TEST(a_live_session_is_not_taken_over_by_another_device),
        SCENE_TEST(a_persistent_session_is_not_taken_over_by_another_device),
        SCENE_TEST(a_persistent_session_is_not_taken_over_after_a_restart),
        SCENE_TEST(a_persistent_session_is_not_taken_over_after_a_crash),
        SCENE_TEST(a_session_that_began_afresh_is_not_taken_over),
        SCENE_TEST(a_refused_connect_leaves_the_session_as_it_was),
        SCENE_TEST(a_session_that_its_owner_ended_is_free_for_others),
        SCENE_TEST(a_session_of_a_removed_device_belongs_to_nobody),
        SCENE_TEST(a_device_keeps_its_last_sixteen_sessions),
        SCENE_TEST(a_device_takes_over_its_own_connection),
        SCENE_TEST(an_anonymous_client_takes_nothing_over),
        SCENE_TEST(a_user_of_the_password_file_takes_nothing_over),
        SCENE_TEST(the_option_device_holds_all_to_their_own_id),
        SCENE_TEST(the_option_prefix_holds_all_to_ids_that_begin_with_their_own),
        SCENE_TEST(a_device_is_held_to_a_pattern_of_its_own),
        SCENE_TEST(with_presence_off_a_clean_connection_ends_the_session_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
