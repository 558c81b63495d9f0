/* guard.h - no broker outlives its test program, however that one ends.
 *
 * A small process holds the far end of a pipe. When the pipe closes, be it by SIGKILL, it ends the
 * brokers that it was told of. (PR_SET_PDEATHSIG does not do: the broker changes its user, and that
 * clears it.)
 */
#ifndef DEVREG_TESTS_GUARD_H
#define DEVREG_TESTS_GUARD_H

#include <sys/types.h>

enum { GUARDED_MAX = 16 };

/* Starts that process, so that a broker that is started after it does not hold the pipe. */
void guard_begin(void);
/* A broker to end with this process, until it is forgotten. */
void guard_watch(pid_t pid);
void guard_forget(pid_t pid);

#endif
