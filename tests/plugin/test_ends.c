/* test_ends.c - nothing outlives what a connection was let in with, and wills that come late. */
#include "tests/plugin/place.h"

static struct {
    struct place place;
    char key[KEY_TEXT_SIZE + 1];
    int written; /* the answer to the latest publish or will */
} s;

static void note_write(struct mosquitto *client, int access, const char *topic, int answer)
{
    (void)client;
    (void)topic;
    if (access == MOSQ_ACL_WRITE)
        s.written = answer;
}

#define TOPIC "devices/d/x"

/* As `devreg rotate --grace` does it. */
static void end_credential_at(int64_t time)
{
    struct device device;
    assert_int_equal(registry_write(s.place.registry, "tester", sim_now()), ERR_OK);
    assert_int_equal(registry_get_device(s.place.registry, "d", &device), ERR_OK);
    device.credentials[0].expires = time;
    assert_int_equal(registry_put_device(s.place.registry, &device), ERR_OK);
    registry_log(s.place.registry, LOG_ROTATE, LOG_DEVICE, "d", "");
    assert_int_equal(registry_commit(s.place.registry), ERR_OK);
    device_clear(&device);
}

static struct mosquitto *log_in(struct sim_login login)
{
    login.id = login.username = "d";
    login.password = s.key;
    assert_int_equal(sim_connect(&login), MOSQ_ERR_SUCCESS);
    return sim_client("d");
}

static void turn(void)
{
    sim_clock(100);
    sim_turn();
}

static void an_answer_is_not_given_again_after_its_credential_ended(void **state)
{
    struct mosquitto *client = log_in((struct sim_login){.protocol = 4, .clean = true});
    (void)state;
    turn();
    assert_int_equal(sim_publish(client, TOPIC), MOSQ_ERR_SUCCESS);
    end_credential_at(sim_now() + 3000);
    assert_int_equal(sim_publish(client, TOPIC), MOSQ_ERR_SUCCESS);
    turn();
    assert_int_equal(sim_publish(client, TOPIC), MOSQ_ERR_SUCCESS);
    sim_clock(3000);
    assert_int_equal(sim_publish(client, TOPIC), MOSQ_ERR_ACL_DENIED);
    turn();
    assert_null(sim_client("d"));
}

static void a_will_is_not_published_once_its_credential_ended(void **state)
{
    const struct sim_login with_will = {
        .protocol = 5, .clean = true, .expiry = 60, .will = TOPIC, .will_delay = 5};
    struct mosquitto *client = log_in(with_will);
    (void)state;
    turn();
    end_credential_at(sim_now() + 3000);
    sim_end(client, SIM_LOSE);
    turn();
    s.written = MOSQ_ERR_SUCCESS;
    sim_clock(5000);
    sim_turn();
    assert_int_equal(s.written, MOSQ_ERR_ACL_DENIED);
    sim_turn();
    assert_int_equal(sim_state(client), SIM_OFFLINE);
}

/* 2.0 sends a will where the socket dies before CONNACK is written. */
static void a_will_of_a_connection_that_was_never_confirmed_is_no_intruder(void **state)
{
    const struct sim_login with_will = {.protocol = 5, .clean = true, .expiry = 2, .will = TOPIC};
    (void)state;
    for (int i = 0; i < 3; i++) {
        s.written = MOSQ_ERR_ACL_DENIED;
        sim_end(log_in(with_will), SIM_LOSE);
        assert_int_equal(s.written, MOSQ_ERR_SUCCESS);
        turn();
    }
    assert_false(sim_logged("came in without a login"));
}

static int begin(void **state)
{
    static struct sim_options options = {.checked = note_write};
    (void)state;
    place_open(&s.place);
    options.registry = s.place.path;
    place_add_with_key(&s.place, "d", s.key);
    sim_start(&options);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(&s.place);
    return 0;
}

#define ENDS_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENDS_TEST(an_answer_is_not_given_again_after_its_credential_ended),
        ENDS_TEST(a_will_is_not_published_once_its_credential_ended),
        ENDS_TEST(a_will_of_a_connection_that_was_never_confirmed_is_no_intruder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
