/* fault.h - calls that fail when a test says so: the n-th of a kind, or all from the n-th on.
 *
 * fault.c defines the functions themselves (malloc, open, pwrite, mdb_put, getrandom ...) and hands
 * on to the next library what it does not fail. A program's own come before those of its libraries,
 * so calls from within LMDB, libsodium and cJSON are counted too; what the C library calls within
 * itself is not, but for memory.
 */
#ifndef DEVREG_TESTS_FAULT_H
#define DEVREG_TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

enum fault {
    FAULT_NONE,
    FAULT_MEMORY, /* NULL */
    FAULT_FILES,  /* any call that has to do with files: EIO */
    FAULT_DISK,   /* what needs room on the disk: ENOSPC, and a write that took only a part */
    FAULT_LMDB,   /* what LMDB says of a bad disk, a full one, a damaged file */
    FAULT_RANDOM, /* but libsodium's own draws, at which it ends the process by itself */
    FAULT_COUNT
};

struct fault_plan {
    enum fault kind;
    bool lasts;      /* all from the n-th on fail */
    unsigned long n; /* from 1 on */
};

/* What came of it. A test whose children are to tell it puts shared memory in its place. */
struct fault_report {
    unsigned long calls; /* of that kind */
    char name[32];       /* of the call that failed last; "" for none */
    unsigned long failed;
};
extern struct fault_report *fault_report;

/* From here on, until fault_end, with a fresh report. */
void fault_begin(struct fault_plan plan);
void fault_end(void);

/* The clock stands still, and random numbers are the same after each fault_begin: so what a program
 * writes can be compared byte by byte. Not those that the C library draws by itself, for names. */
void fault_make_same(void);

/* Pieces of memory that were asked for and not freed. */
long fault_pieces(void);

/* Maps have this size from now on, and what they are grown by more; 0 for what is asked for. */
void fault_set_map_size(size_t size);
/* The same for the number of readers. */
void fault_set_readers(unsigned readers);

#endif
