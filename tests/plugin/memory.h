/* memory.h - bytes that the code linked into this program has asked for and not freed.
 *
 * Counted by the linker's --wrap: memory that a shared library asks for is not in it, and so may
 * not be freed by what is linked in. */
#ifndef DEVREG_TESTS_MEMORY_H
#define DEVREG_TESTS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* As malloc rounds them up, of all threads. */
size_t memory_used(void);

/* Is there none for what is asked now? No, unless the program has its own answer. */
bool memory_fails(void);

#endif
