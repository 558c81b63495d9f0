/* test_mapping.c - what is given back of a mapped file is no longer memory of this program, and is
 * there all the same. */
#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "registry/mapping.h"
#include "tests/support/tempdir.h"

enum { SIZE = 8 << 20, PAGE = 4096 };

struct fixture {
    struct tempdir dir;
    int file;
    unsigned char *shared, *own;
};

static unsigned char byte_of(size_t at)
{
    return (unsigned char)(at / PAGE * 7 + 1);
}

static int begin(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    char path[TEMPDIR_MAX];
    unsigned char page[PAGE];
    *state = fixture;
    tempdir_make(&fixture->dir);
    fixture->file = open(path_join(path, fixture->dir.path, "file"), O_RDWR | O_CREAT, 0600);
    for (size_t at = 0; at < SIZE; at += PAGE) {
        memset(page, byte_of(at), PAGE);
        if (write(fixture->file, page, PAGE) != PAGE)
            return -1;
    }
    fixture->shared = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fixture->file, 0);
    fixture->own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fixture->file, 0);
    return fixture->shared == MAP_FAILED || fixture->own == MAP_FAILED ? -1 : 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    (void)munmap(fixture->shared, SIZE);
    (void)munmap(fixture->own, SIZE);
    (void)close(fixture->file);
    tempdir_remove(&fixture->dir);
    test_free(fixture);
    return 0;
}

/* Kilobytes of files that count as this program's. */
static long file_memory(void)
{
    char line[200];
    long size = -1;
    FILE *status = fopen("/proc/self/status", "r");
    assert_non_null(status);
    while (fgets(line, sizeof line, status)) {
        if (strncmp(line, "RssFile:", 8) == 0)
            size = strtol(line + 8, NULL, 10);
    }
    assert_int_equal(fclose(status), 0);
    assert_true(size >= 0);
    return size;
}

static void assert_bytes(const volatile unsigned char *bytes)
{
    for (size_t at = 0; at < SIZE; at += PAGE)
        assert_int_equal(bytes[at], byte_of(at));
}

static void what_was_read_is_given_back_and_can_be_read_again(void **state)
{
    const struct fixture *fixture = *state;
    assert_bytes(fixture->shared);
    long before = file_memory();
    mapping_forget(fixture->file);
    assert_true(file_memory() <= before - SIZE / 2 / 1024);
    assert_bytes(fixture->shared);
}

/* To drop that would lose it. */
static void what_is_written_in_a_mapping_of_ones_own_stays(void **state)
{
    const struct fixture *fixture = *state;
    fixture->own[PAGE] = 99;
    mapping_forget(fixture->file);
    assert_int_equal(fixture->own[PAGE], 99);
    assert_bytes(fixture->shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_read_is_given_back_and_can_be_read_again, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_written_in_a_mapping_of_ones_own_stays, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
