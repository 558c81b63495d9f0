/* stop.h - a verb that goes on until it is told to stop: by SIGINT or SIGTERM, or because nobody
 * reads its answers any more. */
#ifndef DEVREG_ADMIN_STOP_H
#define DEVREG_ADMIN_STOP_H

#include <stdbool.h>

/* From now on the signals are noted, and do not end the program; but one that is ignored stays so.
 */
void stop_catch(void);

/* Around what writes to stdout, and may have to wait there for as long as its reader likes:
 * meanwhile a signal ends the program at once, with status 0. */
void stop_at_once(bool at_once);

enum stop { STOP_NOT, STOP_SIGNAL, STOP_UNREAD };

/* Waits so long, or until it is told to stop. */
enum stop stop_wait(int ms);

#endif
