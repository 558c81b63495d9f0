/* clock.h - what time it is. In a file of its own, so that a test can have a clock of its own. */
#ifndef DEVREG_PLUGIN_CLOCK_H
#define DEVREG_PLUGIN_CLOCK_H

#include <stdint.h>

/* ms since 1970. */
int64_t clock_wall(void);

/* ms of a clock that never goes back. Moves in steps of the kernel's tick (1 to 10 ms): it is asked
 * after every packet, and has to cost nothing. */
int64_t clock_steady(void);

#endif
