/* leftover.h - what a signal that ends the program may not leave behind. */
#ifndef DEVREG_ADMIN_LEFTOVER_H
#define DEVREG_ADMIN_LEFTOVER_H

#include <stdbool.h>

/* Holds those signals back, or no longer: while that is made which leftover_begin names. */
void leftover_hold(bool hold);

/* From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT call `remove` with `path` before they end the
 * program; what it does has to be safe in a handler. One that is ignored, as by nohup, stays so.
 * There is one at a time. Lends both. */
void leftover_begin(const char *path, void (*remove)(const char *path));

/* Nothing is left behind any more. */
void leftover_end(void);

#endif
