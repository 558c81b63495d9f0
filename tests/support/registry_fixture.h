/* registry_fixture.h - a registry in a directory of its own, open for writing. */
#ifndef DEVREG_TESTS_REGISTRY_FIXTURE_H
#define DEVREG_TESTS_REGISTRY_FIXTURE_H

#include <unistd.h>

#include "registry/registry.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/tempdir.h"

enum { NOW = 5000 };

struct fixture {
    struct tempdir dir;
    char path[TEMPDIR_MAX];
    struct registry *registry;
};

static inline int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    *state = fixture;
    tempdir_make(&fixture->dir);
    path_join(fixture->path, fixture->dir.path, "registry");
    if (registry_create(fixture->path, geteuid(), getegid(), "maker", NOW - 1000))
        return -1;
    return registry_open(&fixture->registry, fixture->path, STORE_WRITE) ? -1 : 0;
}

static inline int end(void **state)
{
    struct fixture *fixture = *state;
    registry_close(fixture->registry);
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

static inline void write_begin(struct registry *registry, int64_t now)
{
    assert_int_equal(registry_write(registry, "tester", now), ERR_OK);
}

static inline void write_end(struct registry *registry)
{
    assert_int_equal(registry_commit(registry), ERR_OK);
}

#endif
