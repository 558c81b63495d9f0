/* test_faults.c - each call that the plugin makes fails in turn: to memory, LMDB, the file system,
 * threads and the broker. Nothing is allowed that the registry does not allow, nothing leaks, and
 * when the fault is over all is right again.
 *
 * One play is a life of the broker: init, logins, checks, changes by devreg, SIGHUP, presence,
 * stop. It is played again and again, and each time the next call of it fails: once, or from then
 * on for the rest of the scene. $DEVREG_FAULT plays the one of that number alone.
 */
#include <dirent.h>
#include <string.h>

#include "registry/key.h"
#include "registry/registry.h"
#include "tests/plugin/faults.h"
#include "tests/plugin/memory.h"
#include "tests/plugin/sim.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/tempdir.h"

enum { MOST_CALLS = 5000, AFTERWARDS = 12 };

static struct {
    struct tempdir dir;
    struct registry *registry; /* of devreg; NULL where the plugin is to open it by itself */
    char path[TEMPDIR_MAX], keys[3][KEY_TEXT_SIZE + 1];
    bool enabled;   /* is `on` enabled now? */
    bool right_key; /* does the latest login bring it? */
    bool faulty;    /* may answers be a no that should be a yes? */
    size_t wronged; /* that were */
    const char *wronged_by;
    long number;
    bool stays;
    const char *failed;
} s;

#define ON  "on"
#define OFF "off"

/* ---- what devreg does, which no fault concerns */

static void registry_begin(void)
{
    assert_int_equal(registry_open(&s.registry, s.path, STORE_WRITE), ERR_OK);
}

static void registry_done(void)
{
    registry_close(s.registry);
    s.registry = NULL;
}

static void device_add(const char *id, size_t at, enum device_state state)
{
    struct registry *registry = s.registry;
    struct device device;
    device_init(&device, id);
    struct credential *key = device_new_credential(&device, CREDENTIAL_KEY, 1);
    key_generate(s.keys[at]);
    key->secret_size = KEY_HASH_SIZE;
    key_hash(key->secret, s.keys[at], id, key->id, registry_secret(registry));
    assert_int_equal(device_add_role(&device, DEFAULT_ROLE), ERR_OK);
    device.state = state;
    assert_int_equal(registry_write(registry, "tester", 1), ERR_OK);
    assert_int_equal(registry_add_device(registry, &device), ERR_OK);
    registry_log(registry, LOG_ADD, LOG_DEVICE, id, "");
    assert_int_equal(registry_commit(registry), ERR_OK);
    device_clear(&device);
}

static void device_enable(bool enable)
{
    struct device device;
    struct registry *registry = s.registry;
    assert_int_equal(registry_write(registry, "tester", sim_now()), ERR_OK);
    assert_int_equal(registry_get_device(registry, ON, &device), ERR_OK);
    device.state = enable ? DEVICE_ENABLED : DEVICE_DISABLED;
    assert_int_equal(registry_put_device(registry, &device), ERR_OK);
    registry_log(registry, enable ? LOG_ENABLE : LOG_DISABLE, LOG_DEVICE, ON, "");
    assert_int_equal(registry_commit(registry), ERR_OK);
    device_clear(&device);
    s.enabled = enable;
}

/* ---- what the plugin answers */

static bool is_device(const char *username)
{
    return username && (strcmp(username, ON) == 0 || strcmp(username, OFF) == 0);
}

static void judge(const char *what, bool may, bool known, int answer, int no)
{
    const bool yes = answer == MOSQ_ERR_SUCCESS;
    const bool fine = yes ? may : known ? answer == no : answer == no || answer == 17;
    if (!fine)
        fail_msg("fault %ld%s (%s): %s is answered with %d", s.number, s.stays ? "+" : "", s.failed,
                 what, answer);
    if (may && !yes) {
        s.wronged++;
        s.wronged_by = what;
        if (!s.faulty)
            fail_msg("fault %ld%s (%s): %s is denied, though the fault is over", s.number,
                     s.stays ? "+" : "", s.failed, what);
    }
}

static void logged_in(struct mosquitto *client, bool again, int answer)
{
    const char *username = sim_username(client);
    bool may = username && strcmp(username, ON) == 0 && s.enabled && s.right_key;
    if (!again) /* a re-check leaves alone whom it gains nothing to deny */
        judge("a login", may, is_device(username), answer, MOSQ_ERR_AUTH);
}

static void checked(struct mosquitto *client, int access, const char *topic, int answer)
{
    const char *username = sim_username(client);
    char prefix[32];
    (void)snprintf(prefix, sizeof prefix, "devices/%s/", username ? username : "");
    bool may = username && strcmp(username, ON) == 0 && s.enabled &&
               strncmp(topic, prefix, strlen(prefix)) == 0;
    if (access == MOSQ_ACL_UNSUBSCRIBE || sim_kicking(client) || sim_state(client) != SIM_CONNECTED)
        return;
    judge(topic, may, true, answer, MOSQ_ERR_ACL_DENIED);
}

/* ---- a life */

static const struct sim_options *options(void)
{
    static struct sim_options all = {
        .logged_in = logged_in, .checked = checked, .events = "on", .presence_delay = "0"};
    all.registry = s.path;
    return &all;
}

static void turns(int count)
{
    for (int i = 0; i < count; i++) {
        sim_clock(1000);
        sim_turn();
    }
}

static void log_in(const char *id, const char *username, const char *key, bool clean)
{
    const struct sim_login login = {.id = id,
                                    .username = username,
                                    .password = key,
                                    .protocol = 4,
                                    .clean = clean,
                                    .will = "devices/on/will"};
    s.right_key = key == s.keys[0];
    (void)sim_connect(&login);
}

static void act(const char *id)
{
    struct mosquitto *client = sim_client(id);
    if (!client || sim_state(client) != SIM_CONNECTED)
        return;
    (void)sim_subscribe(client, "devices/on/#");
    (void)sim_subscribe(client, "#");
    (void)sim_publish(client, "devices/on/x");
    (void)sim_publish(client, "elsewhere/x");
    (void)sim_deliver(client, "devices/on/y");
    (void)sim_deliver(client, "elsewhere/y");
}

static void end_all(void)
{
    for (struct mosquitto *client = sim_next(NULL), *next; client; client = next) {
        next = sim_next(client);
        if (sim_state(client) == SIM_CONNECTED)
            sim_end(client, SIM_LOSE);
    }
}

/* Whoever wants in, is in, and goes. */
static void scene_visits(void)
{
    log_in("a", ON, s.keys[0], true);
    log_in("b", ON, s.keys[0], false);
    log_in("c", OFF, s.keys[1], true);
    log_in("d", ON, s.keys[2], true);
    log_in("e", "nobody", s.keys[2], true);
    turns(1);
    act("a");
    act("b");
    turns(1);
    log_in("a", ON, s.keys[0], true); /* a take-over */
    turns(1);
    act("a");
    sim_hang_up();
    turns(2);
    act("b");
    end_all();
    turns(3);
}

/* devreg disables and enables again, what the log tells. */
static void scene_changes(void)
{
    log_in("a", ON, s.keys[0], true);
    turns(1);
    act("a");
    const char *failed = fault_disarm(); /* devreg is another process */
    s.failed = s.failed ? s.failed : failed;
}

static void changed(long left)
{
    if (!s.failed)
        fault_arm(left, s.stays);
}

static const char *const lines[] = {"cannot ", "out of memory", "registry_unreadable",
                                    "presence_unreadable", "no_password"};

/* Somebody was wronged: the log has to say why. */
static void expect_said(void)
{
    bool said = !s.wronged;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        said |= sim_logged(lines[i]);
    if (!said) {
        sim_print_log();
        fail_msg("fault %ld%s (%s): nothing is said of %s", s.number, s.stays ? "+" : "", s.failed,
                 s.wronged_by);
    }
}

/* The fault is over: all is right, and presence is told as it is. */
static void expect_right(void)
{
    const char *told;
    turns(AFTERWARDS);
    s.faulty = false;
    log_in("a", ON, s.keys[0], true);
    log_in("c", OFF, s.keys[1], true);
    turns(3);
    act("a");
    told = sim_retained("devreg/presence/" ON);
    if (!told || !strstr(told, "\"online\"")) {
        sim_print_log();
        fail_msg("fault %ld%s (%s): presence says %s", s.number, s.stays ? "+" : "", s.failed,
                 told ? told : "nothing");
    }
    if (s.registry) {
        device_enable(false);
        turns(2);
        assert_null(sim_client("a"));
        log_in("a", ON, s.keys[0], true);
        device_enable(true);
    }
    end_all();
    turns(5);
    told = sim_retained("devreg/presence/" ON);
    assert_true(told && strstr(told, "\"offline\"") && !strstr(told, "\"online\""));
    assert_null(sim_retained("devreg/presence/" OFF));
}

static size_t open_files(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    if (dir)
        (void)closedir(dir);
    return count;
}

enum scene { SCENE_START, SCENE_VISITS, SCENE_CHANGES, SCENE_STOP, SCENES };

static void begin_faulty(void)
{
    s.faulty = true;
    s.failed = NULL;
    s.wronged = 0;
    sim_forget_log();
    fault_arm(s.number, s.stays);
}

static void end_faulty(void)
{
    const char *failed = fault_disarm();
    s.failed = s.failed ? s.failed : failed;
}

/* False where the scene has fewer calls than that. */
static bool play(enum scene scene)
{
    const size_t memory = memory_used(), files = open_files();
    bool runs = true;
    if (scene != SCENE_START)
        registry_begin();
    if (scene == SCENE_START) {
        begin_faulty();
        runs = sim_try_start(options()) == MOSQ_ERR_SUCCESS;
        end_faulty();
        /* A damaged presence store that was put aside is told, too. */
        if (!runs && (sim_log_count() < 1 || sim_log_count() > 2)) {
            sim_print_log();
            fail_msg("fault %ld%s (%s): %zu lines", s.number, s.stays ? "+" : "", s.failed,
                     sim_log_count());
        }
    }
    if (scene != SCENE_START || !runs)
        sim_start(options());
    turns(2);
    if (scene == SCENE_VISITS || scene == SCENE_CHANGES) {
        begin_faulty();
        if (scene == SCENE_VISITS) {
            scene_visits();
        } else {
            scene_changes();
            device_enable(false);
            changed(s.number);
            turns(2);
            act("a");
            log_in("b", ON, s.keys[0], false);
            turns(2);
        }
        end_faulty();
        if (scene == SCENE_CHANGES)
            device_enable(true);
        expect_said();
    }
    expect_right();
    end_all();
    turns(5);
    if (scene == SCENE_STOP)
        begin_faulty();
    sim_stop();
    end_faulty();
    s.faulty = false;
    sim_forget();
    registry_done();
    if (memory_used() > memory || open_files() > files)
        fail_msg("fault %ld%s (%s): %zd bytes and %zd files leak", s.number, s.stays ? "+" : "",
                 s.failed, (ssize_t)(memory_used() - memory), (ssize_t)(open_files() - files));
    return s.failed != NULL;
}

static void play_all(enum scene scene)
{
    const char *only = getenv("DEVREG_FAULT");
    for (int stays = 0; stays < 2; stays++) {
        s.stays = stays;
        s.number = only ? strtol(only, NULL, 10) : 1;
        while (play(scene) && !only)
            s.number++;
        assert_true(only || (s.number > 5 && s.number < MOST_CALLS));
    }
}

static void a_start_with_a_fault_starts_or_says_why(void **state)
{
    (void)state;
    play_all(SCENE_START);
}

static void logins_and_checks_with_a_fault_allow_nothing_more(void **state)
{
    (void)state;
    play_all(SCENE_VISITS);
}

static void changes_with_a_fault_are_followed_at_last(void **state)
{
    (void)state;
    play_all(SCENE_CHANGES);
}

static void a_stop_with_a_fault_ends_all_the_same(void **state)
{
    (void)state;
    play_all(SCENE_STOP);
}

static int begin(void **state)
{
    (void)state;
    tempdir_make(&s.dir);
    path_join(s.path, s.dir.path, "registry");
    assert_int_equal(registry_create(s.path, geteuid(), getegid(), "tester", 1), ERR_OK);
    registry_begin();
    device_add(ON, 0, DEVICE_ENABLED);
    device_add(OFF, 1, DEVICE_DISABLED);
    registry_done();
    key_generate(s.keys[2]);
    s.enabled = true;
    return 0;
}

static int end(void **state)
{
    (void)state;
    (void)fault_disarm();
    tempdir_remove(&s.dir);
    return 0;
}

#define FAULTS_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULTS_TEST(a_start_with_a_fault_starts_or_says_why),
        FAULTS_TEST(logins_and_checks_with_a_fault_allow_nothing_more),
        FAULTS_TEST(changes_with_a_fault_are_followed_at_last),
        FAULTS_TEST(a_stop_with_a_fault_ends_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
