/* confirm.h - are really so many devices meant? Asked on the terminal, unless --yes says so. */
#ifndef DEVREG_ADMIN_CONFIRM_H
#define DEVREG_ADMIN_CONFIRM_H

#include "admin/command.h"

/* Could an answer be had at all? To be asked before the work begins, so that a script that lacks
 * --yes fails the first time, and not only when there is something to confirm. With --dry-run
 * nothing is asked. */
MUST_CHECK enum status confirm_possible(struct call *call);

/* Asks "QUESTION [y/N] "; the rest as printf. A complaint unless the answer is yes. Time passes: a
 * change that follows is of then (call->now). */
MUST_CHECK enum status confirm(struct call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
