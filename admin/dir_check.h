/* dir_check.h - do the owners and modes of a registry's files keep the broker from writing it, and
 * everybody else from reading it, and can the broker read it at all?
 *
 *   DIR/                 0750   the registry's owner, and the broker's group
 *     data.mdb           0640   the same
 *     lock.mdb           0660   the same
 *   presence store/      0750   the broker's user, and its group
 *     data.mdb           0640   the same
 *     lock.mdb           0660   the same
 *
 * The broker's user is whom the presence store belongs to.
 */
#ifndef DEVREG_ADMIN_DIR_CHECK_H
#define DEVREG_ADMIN_DIR_CHECK_H

/* Calls `report` with each path that is not as it should be, and what to do. */
void dir_check(const char *dir, const char *presence,
               void (*report)(void *context, const char *what, const char *problem), void *context);

#endif
