/* guard.h - no broker outlives its test program, however that one ends.
 *
 * A small process holds the far end of a pipe. When the pipe closes, be it by SIGKILL, it ends the
 * broker that it was last told of. (PR_SET_PDEATHSIG does not do: the broker changes its user, and
 * that clears it.)
 */
#ifndef DEVREG_TESTS_GUARD_H
#define DEVREG_TESTS_GUARD_H

#include <sys/types.h>

/* The broker to end with this process; 0 for none. */
void guard_watch(pid_t pid);

#endif
