/* program.h - run a program to its end and keep what it said.
 *
 * Its output goes to memory and never to a file: it may be a key. Wipe it with program_clear.
 */
#ifndef DEVREG_TESTS_PROGRAM_H
#define DEVREG_TESTS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

struct program {
    int status; /* exit status; 128 + the signal that ended it; -1 when it had to be killed */
    char *out, *err;
    size_t out_size, err_size;
};

/* Runs argv[0], found by PATH, with nothing on its standard input. False where that could not be
 * tried. End `program` with program_clear in any case. */
bool program_run(struct program *program, char *const argv[]);
void program_clear(struct program *program);

#endif
