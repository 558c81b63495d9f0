/* change_many.h - one change of all devices that --where selects.
 *
 *   select    in short scopes: each is tried, and noted if it would change    nothing is changed
 *   ask       so many: are they meant?
 *   keys      where there are to be new ones: made, written and synced (key_file.h)
 *   store     one transaction; one entry in the log, of all
 *
 * What was confirmed is a set of devices. Between the question and the transaction, for which a
 * person may take an hour, devices come, go and change. So the transaction looks at each again: one
 * that is no longer selected, or was changed or removed, is left alone and counted, and no other is
 * touched: nothing happens that was not confirmed, and a fleet that is never still can be changed.
 * But new keys are for all of them or for nobody, since they are written by then.
 */
#ifndef DEVREG_ADMIN_CHANGE_MANY_H
#define DEVREG_ADMIN_CHANGE_MANY_H

#include "admin/picks.h"
#include "admin/presence_view.h"

/* What a change makes of one device. */
enum outcome {
    OUTCOME_CHANGED,
    OUTCOME_SAME,    /* it is so already */
    OUTCOME_REVOKED, /* it cannot be, since it is revoked for good */
    OUTCOME_REFUSED, /* it cannot be: a complaint, and nothing is changed */
    OUTCOME_FAILED   /* the same, but the system failed */
};

struct many_change {
    const char *does, *did; /* "disable", "disabled" */
    const char *rest;       /* behind the devices, as " new keys"; or "" */
    enum log_verb verb;
    bool removes;
    bool makes_keys;
    /* Edits a device, within a scope. It is tried while devices are selected, and done when they
     * are stored: then `pick` has the hash of the new key, before it is NULL. Notes what it does in
     * call->detail, the same for each. */
    enum outcome (*edit)(struct call *call, struct device *device, const struct presence_view *view,
                         const struct pick *pick, void *context);
    void *context;
};

/* Does the call mean many: is there --where? Else options that only many have are refused, and an
 * ID is asked for. */
MUST_CHECK enum status many_asked(struct call *call, bool *many);

/* Does it, and answers. */
MUST_CHECK enum status change_many(struct call *call, const struct many_change *change);

#endif
