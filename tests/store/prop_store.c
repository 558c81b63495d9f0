/* prop_store.c - random changes to a registry and to a plain array, which always agree. */
#include "tests/support/cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/store/model.h"
#include "tests/support/tempdir.h"

enum { SCOPES = 1500, CHANGES_MAX = 4, START = 1000 };

struct fixture {
    struct tempdir dir;
    struct registry *registry;
    struct model model, before;
};

static struct rng rng;

static int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    char path[TEMPDIR_MAX];
    *state = fixture;
    tempdir_make(&fixture->dir);
    path_join(path, fixture->dir.path, "registry");
    if (registry_create(path, geteuid(), getegid(), MODEL_WHO, START) ||
        registry_open(&fixture->registry, path, STORE_WRITE))
        return -1;
    model_init(&fixture->model, START);
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    registry_close(fixture->registry);
    model_clear(&fixture->model);
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

static void assert_agreement(struct fixture *fixture)
{
    const char *what = "";
    assert_int_equal(registry_read(fixture->registry), ERR_OK);
    if (!model_agrees(&fixture->model, fixture->registry, &what))
        fail_msg("%s differs", what);
    registry_end(fixture->registry);
}

static void reopen(struct fixture *fixture)
{
    char path[TEMPDIR_MAX];
    registry_close(fixture->registry);
    fixture->registry = NULL;
    path_join(path, fixture->dir.path, "registry");
    assert_int_equal(registry_open(&fixture->registry, path, STORE_WRITE), ERR_OK);
}

/* Some changes in one scope, which is then committed or undone. */
static void change_some(struct fixture *fixture, int64_t now)
{
    bool undo = rng_percent(&rng, 20);
    model_copy(&fixture->before, &fixture->model);
    assert_int_equal(registry_write(fixture->registry, MODEL_WHO, now), ERR_OK);
    for (size_t count = 1 + rng_below(&rng, CHANGES_MAX); count > 0; count--) {
        struct change change = change_draw(&rng, now);
        enum err expected = model_apply(&fixture->model, &change);
        enum err e = registry_apply(fixture->registry, &change);
        if (e != expected)
            fail_msg("change %d: '%s' instead of '%s'", change.kind, err_text(e),
                     err_text(expected));
    }
    if (undo) {
        registry_end(fixture->registry);
        model_clear(&fixture->model);
        fixture->model = fixture->before;
    } else {
        assert_int_equal(registry_commit(fixture->registry), ERR_OK);
        model_clear(&fixture->before);
    }
}

static void a_registry_holds_what_a_plain_array_holds(void **state)
{
    struct fixture *fixture = *state;
    assert_agreement(fixture);
    for (int scope = 0; scope < SCOPES; scope++) {
        change_some(fixture, START + scope);
        if (rng_percent(&rng, 5))
            reopen(fixture);
        if (rng_percent(&rng, 25))
            assert_agreement(fixture);
    }
    reopen(fixture);
    assert_agreement(fixture);
    assert_true(fixture->model.log_count > SCOPES / 4); /* most changes are possible */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_registry_holds_what_a_plain_array_holds, begin, end),
    };
    rng = rng_start("prop_store");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
