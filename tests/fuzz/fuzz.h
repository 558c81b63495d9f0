/* fuzz.h - what the fuzz targets share.
 *
 * A target is one function of any bytes at all, which holds what it tests to its laws: a plain
 * oracle, or that there and back is the same. It may not crash, nor may a law break.
 *
 *   fuzz_NAME.c    the target, with what its input looks like at the top
 *   corpus/NAME/   inputs that are kept: seeds by hand, and what the fuzzer found to go elsewhere
 *   replay.c       main of an ordinary build: the corpus is a test there (label fuzz)
 *
 * To fuzz: `cmake --preset fuzz`, build, and build/fuzz/tests/fuzz/fuzz_NAME
 * tests/fuzz/corpus/NAME. An input that breaks a law goes into the corpus once the fault is mended.
 */
#ifndef DEVREG_TESTS_FUZZ_H
#define DEVREG_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer inputs are not looked at: what is long by nature has targets that repeat what is short. */
enum { FUZZ_INPUT_MAX = 8192 };

/* libFuzzer's names. What is made once, before the first input; and one input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(expression) ((expression) ? (void)0 : fuzz_broken(#expression, __FILE__, __LINE__))

static inline _Noreturn void fuzz_broken(const char *expression, const char *file, int line)
{
    (void)dprintf(2, "%s:%d: not so: %s\n", file, line, expression);
    abort();
}

/* What is left of an input. */
struct input {
    const uint8_t *at;
    size_t size;
};

/* Exactly as much memory as the text and its NUL take, so that a checker sees a read behind it. */
static inline char *input_copy(const uint8_t *at, size_t size)
{
    char *text = malloc(size + 1);
    HOLDS(text);
    if (size)
        memcpy(text, at, size);
    text[size] = '\0';
    return text;
}

/* The next line, without its end, up to a NUL in it. The caller frees. */
static inline char *input_line(struct input *input)
{
    size_t size = 0;
    while (size < input->size && input->at[size] != '\n')
        size++;
    char *line = input_copy(input->at, size);
    size += size < input->size;
    input->at += size;
    input->size -= size;
    size_t length = strlen(line);
    char *shorter = realloc(line, length + 1);
    HOLDS(shorter);
    return shorter;
}

/* The next byte; 0 where there is none. */
static inline uint8_t input_byte(struct input *input)
{
    if (!input->size)
        return 0;
    input->size--;
    return *input->at++;
}

/* A seed out of all that is left: FNV-1a. */
static inline uint64_t input_seed(const struct input *input)
{
    uint64_t seed = 0xcbf29ce484222325;
    for (size_t i = 0; i < input->size; i++)
        seed = (seed ^ input->at[i]) * 0x100000001b3;
    return seed;
}

#endif
