/* change.h - the steps of every change: begin, get, edit, put, log, commit.
 *
 * While a write scope is open the signals that stop a process from a terminal (Ctrl-Z, writing from
 * the background) are held back: a stopped writer would block every other one.
 */
#ifndef DEVREG_ADMIN_CHANGE_H
#define DEVREG_ADMIN_CHANGE_H

#include "admin/command.h"

/* Holds those signals back, or no longer. */
void change_hold_stops(bool hold);

/* Begins a write scope; main ends it where no commit does. */
MUST_CHECK enum status change_begin(struct call *call);

/* Appends the change to the log, with call->detail, and makes it so. */
MUST_CHECK enum status change_commit(struct call *call, enum log_verb verb, enum log_kind kind,
                                     const char *subject);

/* The same for what was logged already. */
MUST_CHECK enum status change_keep(struct call *call);

/* Something was changed, and is on the disk: whatever fails from now on, that is said. */
void change_made(struct call *call);

/* Ends a scope that changed nothing. */
void change_end(struct call *call);

/* Edits the device `id`: in one scope fills `device`, calls `edit`, stores and logs. Nothing is
 * changed unless all return STATUS_DONE. End `device`, which may be {0} before, with device_clear.
 */
MUST_CHECK enum status
device_change(struct call *call, const char *id, struct device *device, enum log_verb verb,
              enum status (*edit)(struct call *call, struct device *device, void *context),
              void *context);

/* The same for a role. */
MUST_CHECK enum status
role_change(struct call *call, const char *name, struct role *role, enum log_verb verb,
            enum status (*edit)(struct call *call, struct role *role, void *context),
            void *context);

/* Adds a phrase to call->detail, parted by ", ". What does not fit is cut, and ends in "...". */
void detail_add(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
