/* check.h - cmocka with what it needs, and a check that reads as a sentence. */
#ifndef DEVREG_TESTS_CHECK_H
#define DEVREG_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define check(expression) ((expression) ? (void)0 : check_failed(#expression, __FILE__, __LINE__))

static inline _Noreturn void check_failed(const char *expression, const char *file, int line)
{
    print_error("not so: %s\n", expression);
    _fail(file, line); /* leaves the test */
    abort();
}

/* Writes `dir` and `name`, one after the other. False where they do not fit. */
static inline bool path_join(char *path, size_t size, const char *dir, const char *name)
{
    int n = snprintf(path, size, "%s%s", dir, name);
    return n >= 0 && (size_t)n < size;
}

#endif
