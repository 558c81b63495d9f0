/* test_registry_secret.c - the secret that keys are hashed under: its own, kept, and replaced only
 * while nothing depends on it. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registry/registry.h"
#include "tests/support/registry_fixture.h"

static void add_device(struct registry *registry)
{
    struct device device;
    device_init(&device, "d");
    write_begin(registry, NOW);
    assert_int_equal(registry_add_device(registry, &device), ERR_OK);
    write_end(registry);
    device_clear(&device);
}

static void each_registry_has_a_secret_of_its_own_and_keeps_it(void **state)
{
    struct fixture *fixture = *state;
    struct registry *other;
    uint8_t kept[CRYPTO_KEY_SIZE];
    char path[TEMPDIR_MAX];
    memcpy(kept, registry_secret(fixture->registry), sizeof kept);
    path_join(path, fixture->dir.path, "other");
    assert_int_equal(registry_create(path, geteuid(), getegid(), "x", NOW), ERR_OK);
    assert_int_equal(registry_open(&other, path, STORE_READ), ERR_OK);
    assert_memory_not_equal(kept, registry_secret(other), sizeof kept);
    registry_close(other);
    registry_close(fixture->registry);
    assert_int_equal(registry_open(&fixture->registry, fixture->path, STORE_WRITE), ERR_OK);
    assert_memory_equal(kept, registry_secret(fixture->registry), sizeof kept);
}

static void the_secret_is_replaced_only_while_no_device_depends_on_it(void **state)
{
    struct fixture *fixture = *state;
    uint8_t secret[CRYPTO_KEY_SIZE];
    memset(secret, 0x11, sizeof secret);
    write_begin(fixture->registry, NOW);
    assert_int_equal(registry_replace_secret(fixture->registry, secret), ERR_OK);
    write_end(fixture->registry);
    assert_memory_equal(registry_secret(fixture->registry), secret, sizeof secret);
    add_device(fixture->registry);
    secret[0] = 0x22;
    write_begin(fixture->registry, NOW);
    assert_int_equal(registry_replace_secret(fixture->registry, secret), ERR_IN_USE);
    registry_end(fixture->registry);
    assert_int_equal(registry_secret(fixture->registry)[0], 0x11);
}

static void an_undone_replacement_leaves_the_old_secret(void **state)
{
    struct fixture *fixture = *state;
    uint8_t kept[CRYPTO_KEY_SIZE], secret[CRYPTO_KEY_SIZE] = {1, 2, 3};
    memcpy(kept, registry_secret(fixture->registry), sizeof kept);
    write_begin(fixture->registry, NOW);
    assert_int_equal(registry_replace_secret(fixture->registry, secret), ERR_OK);
    registry_end(fixture->registry);
    assert_memory_equal(registry_secret(fixture->registry), kept, sizeof kept);
}

/* In another process, once `go` is told. Ends without a word, so that no leak is looked for in what
 * it inherited. */
static void replace_elsewhere(const char *path, int go, int done)
{
    const uint8_t secret[CRYPTO_KEY_SIZE] = {7};
    struct registry *other;
    char told;
    bool good = read(go, &told, 1) == 1 && !registry_open(&other, path, STORE_WRITE) &&
                !registry_write(other, "importer", NOW) &&
                !registry_replace_secret(other, secret) && !registry_commit(other);
    if (write(done, good ? "y" : "n", 1) != 1)
        good = false;
    (void)kill(getpid(), SIGKILL);
}

/* What was hashed before would open nothing. LMDB forbids to take an environment across a fork. */
static void who_holds_a_secret_that_was_replaced_cannot_write(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t other[CRYPTO_KEY_SIZE] = {7};
    uint8_t kept[CRYPTO_KEY_SIZE];
    int go[2], done[2];
    char answer = 0;
    registry_close(fixture->registry);
    assert_true(pipe(go) == 0 && pipe(done) == 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        replace_elsewhere(fixture->path, go[0], done[1]);
    assert_int_equal(registry_open(&fixture->registry, fixture->path, STORE_WRITE), ERR_OK);
    memcpy(kept, registry_secret(fixture->registry), sizeof kept);
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(read(done[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (int i = 0; i < 2; i++)
        assert_true(close(go[i]) == 0 && close(done[i]) == 0);
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_REPLACED);
    assert_memory_equal(registry_secret(fixture->registry), kept, sizeof kept);
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    assert_int_equal(registry_refresh_secret(fixture->registry), ERR_OK);
    registry_end(fixture->registry);
    assert_memory_equal(registry_secret(fixture->registry), other, sizeof other);
    assert_int_equal(registry_write(fixture->registry, "tester", NOW), ERR_OK);
    registry_end(fixture->registry);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        test(each_registry_has_a_secret_of_its_own_and_keeps_it),
        test(the_secret_is_replaced_only_while_no_device_depends_on_it),
        test(an_undone_replacement_leaves_the_old_secret),
        test(who_holds_a_secret_that_was_replaced_cannot_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
