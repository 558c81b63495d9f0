/* What `add`, `rotate` and `password` give out is what the broker will accept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry/key.h"
#include "registry/registry.h"

#define DAY ((int64_t)24 * 3600 * 1000)

static char directory[] = "/tmp/devreg-credentials.XXXXXX";

/* Runs devreg, which has to succeed, and copies the first line that it says on stdout. */
static void devreg(const char *arguments, char *line, size_t size)
{
    char command[2000];
    snprintf(command, sizeof command, "{ " DEVREG " -r %s %s\n} 2>/dev/null", directory, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    if (!fgets(line, (int)size, pipe))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

static void devreg_key(const char *arguments, char key[static KEY_TEXT_SIZE + 2])
{
    devreg(arguments, key, KEY_TEXT_SIZE + 2);
    assert_true(key_well_formed(key));
}

static int64_t now_ms(void)
{
    return (int64_t)time(NULL) * 1000 + 999;
}

/* Reads the device `id` of the registry in `path`; the caller clears it. */
static void read_device(const char *path, const char *id, struct device *device,
                        uint8_t secret[static CRYPTO_KEY_SIZE])
{
    struct registry *registry;
    assert_int_equal(registry_open(&registry, path, STORE_READ), ERR_OK);
    assert_int_equal(registry_read(registry), ERR_OK);
    assert_int_equal(registry_get_device(registry, id, device), ERR_OK);
    memcpy(secret, registry_secret(registry), CRYPTO_KEY_SIZE);
    registry_end(registry);
    registry_close(registry);
}

/* Would the broker of the registry in `path` take `key` for the device `id` at `now`? */
static bool key_opens_in(const char *path, const char *id, const char *key, int64_t now)
{
    struct device device;
    uint8_t secret[CRYPTO_KEY_SIZE];
    read_device(path, id, &device, secret);
    bool opens = credential_of_key(&device, key, secret, now);
    device_clear(&device);
    return opens;
}

static bool key_opens(const char *id, const char *key, int64_t now)
{
    return key_opens_in(directory, id, key, now);
}

static bool password_opens(const char *id, const char *password)
{
    struct device device;
    uint8_t secret[CRYPTO_KEY_SIZE];
    read_device(directory, id, &device, secret);
    const struct credential *credential = credential_password(&device, now_ms());
    bool opens = credential && crypto_password_verify((const char *)credential->secret, password);
    device_clear(&device);
    return opens;
}

static void the_key_that_add_shows_opens_that_device_alone(void **state)
{
    char a[KEY_TEXT_SIZE + 2], b[KEY_TEXT_SIZE + 2];
    (void)state;
    devreg_key("add a", a);
    devreg_key("add b", b);
    assert_true(key_opens("a", a, now_ms()));
    assert_true(key_opens("b", b, now_ms()));
    assert_false(key_opens("a", b, now_ms()));
    assert_false(key_opens("b", a, now_ms()));
}

static void both_keys_open_during_the_grace_and_then_the_new_one(void **state)
{
    char first[KEY_TEXT_SIZE + 2], second[KEY_TEXT_SIZE + 2];
    (void)state;
    devreg_key("add rotating", first);
    devreg_key("rotate rotating --grace 2d", second);
    assert_true(key_opens("rotating", first, now_ms()));
    assert_true(key_opens("rotating", first, now_ms() + DAY));
    assert_false(key_opens("rotating", first, now_ms() + 2 * DAY));
    assert_true(key_opens("rotating", second, now_ms() + 1000 * DAY));
}

static void without_a_grace_the_old_key_ends_at_once(void **state)
{
    char first[KEY_TEXT_SIZE + 2], second[KEY_TEXT_SIZE + 2];
    (void)state;
    devreg_key("add leaked", first);
    devreg_key("rotate leaked --grace 0", second);
    assert_false(key_opens("leaked", first, now_ms()));
    assert_true(key_opens("leaked", second, now_ms()));
}

static void a_revoked_device_has_no_key_left(void **state)
{
    char key[KEY_TEXT_SIZE + 2], line[10];
    (void)state;
    devreg_key("add stolen", key);
    devreg("revoke stolen", line, sizeof line);
    assert_false(key_opens("stolen", key, now_ms()));
}

static void a_password_opens_until_it_is_replaced(void **state)
{
    char line[10];
    (void)state;
    devreg("add alice --password-file - <<END\ncorrect horse\nEND\n", line, sizeof line);
    assert_true(password_opens("alice", "correct horse"));
    assert_false(password_opens("alice", "correct hors"));
    assert_false(password_opens("alice", "correct horse\n"));
    devreg("password alice --password-file - <<END\nbattery staple\nEND\n", line, sizeof line);
    assert_true(password_opens("alice", "battery staple"));
    assert_false(password_opens("alice", "correct horse"));
}

/* The hashing secret moves with the hashes, so every key goes on working. */
static void keys_survive_an_export_with_hashes(void **state)
{
    char key[KEY_TEXT_SIZE + 2], line[10], arguments[1000], path[sizeof directory + 10];
    (void)state;
    devreg_key("add moved", key);
    snprintf(path, sizeof path, "%s/new", directory);
    snprintf(arguments, sizeof arguments,
             "export --with-hashes %s/backup && " DEVREG " -r %s init && " DEVREG
             " -r %s import %s/backup",
             directory, path, path, directory);
    devreg(arguments, line, sizeof line);
    assert_true(key_opens_in(path, "moved", key, now_ms()));
}

static int make_registry(void **state)
{
    char line[10];
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    devreg("init", line, sizeof line);
    return 0;
}

static int remove_registry(void **state)
{
    char command[sizeof directory + 20];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_that_add_shows_opens_that_device_alone),
        cmocka_unit_test(both_keys_open_during_the_grace_and_then_the_new_one),
        cmocka_unit_test(without_a_grace_the_old_key_ends_at_once),
        cmocka_unit_test(a_revoked_device_has_no_key_left),
        cmocka_unit_test(a_password_opens_until_it_is_replaced),
        cmocka_unit_test(keys_survive_an_export_with_hashes),
    };
    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
