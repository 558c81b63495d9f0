/* test_check.c - `devreg check` beside a broker: nothing to find where all is well, and what keeps
 * the broker from its registry, or lets it have more than it should. */
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/presence_store.h"
#include "registry/registry.h"
#include "scene.h"

enum { FOUND = 1 };

static int check_all(struct scene *s)
{
    return scene_try(s, "check --plugin %s/devreg.so", s->dir);
}

static void expect_finding(struct scene *s, const char *path, const char *problem)
{
    assert_int_equal(check_all(s), FOUND);
    const char *at = strstr(s->answer.out, path);
    if (at == NULL || strstr(at, problem) == NULL)
        fail_msg("no finding of %s '%s': %s", path, problem, s->answer.out);
}

static void a_running_broker_and_its_registry_are_sound(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = "p", .persistent = true));
    client_expect_alive(pump);
    if (check_all(s) != 0)
        fail_msg("%s", s->answer.out);
    client_disconnect(pump);
    broker_stop(&s->broker);
    if (check_all(s) != 0)
        fail_msg("%s", s->answer.out);
}

static void a_broker_that_ran_another_version_is_named(void **state)
{
    struct scene *s = *state;
    char path[BROKER_PATH_MAX], version[VERSION_TEXT_MAX + 1];
    struct store *store;
    struct txn *txn;
    scene_start(s, CONF);
    broker_stop(&s->broker);
    check(path_join(path, sizeof path, s->registry, "/" PRESENCE_SUBDIR));
    assert_int_equal(store_open(&store, path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    assert_int_equal(txn_write(&txn, store), ERR_OK);
    assert_int_equal(ran_version_get(txn, version), ERR_OK);
    assert_string_equal(version, DEVREG_VERSION);
    ran_version_put(txn, "0.0.1");
    assert_int_equal(txn_commit(txn), ERR_OK);
    store_close(store);
    expect_finding(s, path,
                   "the broker last ran devreg.so 0.0.1, and " DEVREG_VERSION
                   " is installed: restart it");
    broker_start(&s->broker);
    assert_int_equal(check_all(s), 0);
}

/* Only root can give the broker another user than itself. */
static void what_is_wrong_with_the_way_to_the_registry_is_named(void **state)
{
    struct scene *s = *state;
    const struct passwd *user = getpwnam("mosquitto");
    if (geteuid() != 0 || user == NULL)
        return;
    scene_make_registry(s);
    check(chmod(s->dir, 0700) == 0);
    expect_finding(s, s->dir, "mosquitto cannot get through it");
    check(chmod(s->dir, 0777) == 0);
    expect_finding(s, s->dir, "mosquitto can put another registry into it");
    check(chmod(s->dir, 0755) == 0);
    check(chown(s->dir, user->pw_uid, 0) == 0);
    expect_finding(s, s->dir, "mosquitto can put another registry into it");
    check(chown(s->dir, 0, 0) == 0);
    check(chown(s->registry, 0, 0) == 0);
    expect_finding(s, s->registry, "which the broker's user mosquitto is not in");
    check(chown(s->registry, 0, user->pw_gid) == 0);
    assert_int_equal(check_all(s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_running_broker_and_its_registry_are_sound),
        SCENE_TEST(a_broker_that_ran_another_version_is_named),
        SCENE_TEST(what_is_wrong_with_the_way_to_the_registry_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
