/* faults.h - each call to memory, LMDB, the file system, threads and the broker can be made to
 * fail.
 *
 * The linker's --wrap puts it below the plugin and the library. Calls are counted while it is
 * armed, and the one of that number fails, once or, from then on, each.
 */
#ifndef DEVREG_TESTS_FAULTS_H
#define DEVREG_TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the call of that number, 1 for the next, fails; `on`: and all that come after it. */
void fault_arm(long number, bool on);
/* Nothing fails any more. The name of the call that failed first; NULL where none did. */
const char *fault_disarm(void);

#endif
