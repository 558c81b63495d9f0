/* fault_internal.h - what the parts of fault.h share.
 *
 * A function here has the name of the one that it stands before, which is looked up when it is
 * first needed. */
#ifndef DEVREG_TESTS_FAULT_INTERNAL_H
#define DEVREG_TESTS_FAULT_INTERNAL_H

#include "tests/fault/fault.h"

#define EXPORT __attribute__((visibility("default")))

/* Sets `real_name` to the next library's function of that name. */
#define FIND_REAL(name)                                                                            \
    static __typeof__(name)(*real_##name);                                                         \
    fault_find((void *)&real_##name, #name)

/* The whole of a function that fails as told, and else is the next library's. */
#define FAULTY(kind, type, bad, name, parameters, arguments)                                       \
    EXPORT type name parameters                                                                    \
    {                                                                                              \
        FIND_REAL(name);                                                                           \
        return fault_hits(kind, #name) ? (bad) : real_##name arguments;                            \
    }

/* Stores the address of the next function of that name in `*function`, unless it is there. */
void fault_find(void *function, const char *name);

/* Is it this call's turn? Then errno is set. */
bool fault_hits(enum fault kind, const char *name);

#endif
