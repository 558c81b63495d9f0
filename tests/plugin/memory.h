/* memory.h - bytes that the code linked into this program has asked for and not freed.
 *
 * Counted by the linker's --wrap: memory that a shared library asks for is not in it, and so may
 * not be freed by what is linked in. */
#ifndef DEVREG_TESTS_MEMORY_H
#define DEVREG_TESTS_MEMORY_H

#include <stddef.h>

/* As malloc rounds them up, of all threads. */
size_t memory_used(void);

#endif
