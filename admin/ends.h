/* ends.h - when a device and its credentials end, and when they were last used. */
#ifndef DEVREG_ADMIN_ENDS_H
#define DEVREG_ADMIN_ENDS_H

#include "admin/presence_view.h"

/* Has the credential ended: its time is over, or the one that replaces it was used? Within a scope
 * of the view. */
bool credential_over(const struct presence_view *view, const struct device *device,
                     const struct credential *credential, int64_t now);

/* What of a device ends next. */
struct ending {
    int64_t time;                        /* 0 for never */
    const struct credential *credential; /* NULL for the device itself; lent */
};
struct ending ending_next(const struct presence_view *view, const struct device *device,
                          int64_t now);

/* The credential that was not used for the longest time, of those that have not ended. */
struct idle {
    const struct credential *credential; /* NULL where there is none; lent */
    int64_t since;                       /* of its last use, or since it was made */
    int64_t last;                        /* its last use; 0 for never, or where nobody noted it */
};
struct idle idle_longest(const struct presence_view *view, const struct device *device,
                         enum presence_state state, const struct presence *presence, int64_t now);

/* Takes out of `device` the credentials that have ended: they make room. */
void credentials_drop_over(const struct presence_view *view, struct device *device, int64_t now);

/* "key 2", "password 1", or "device" for NULL. */
enum { CREDENTIAL_WORD_MAX = 24 };
char *credential_word(char word[static CREDENTIAL_WORD_MAX + 1],
                      const struct credential *credential);

#endif
