/* lookup.h - a device or role that a verb works on: found, or complained of. Within a scope. */
#ifndef DEVREG_ADMIN_LOOKUP_H
#define DEVREG_ADMIN_LOOKUP_H

#include "admin/command.h"

/* A role's name as the user wrote it, with or without its "@". Lends. */
const char *role_word(const char *word);

bool device_holds(const struct device *device, const char *role);

/* Begins a read scope. */
MUST_CHECK enum status read_begin(struct call *call);

/* The registry answered `e` about that device (role): a complaint, or STATUS_DONE for ERR_OK. */
MUST_CHECK enum status device_error(struct call *call, enum err e, const char *id);
MUST_CHECK enum status role_error(struct call *call, enum err e, const char *name);

/* Fill `device` (`role`), which device_clear (role_clear) then ends. */
MUST_CHECK enum status device_find(struct call *call, const char *id, struct device *device);
MUST_CHECK enum status role_find(struct call *call, const char *name, struct role *role);

/* Is there each of the device's roles? */
MUST_CHECK enum status roles_check(struct call *call, const struct device *device);

/* The walk's next device behind `after`, which it moves on. What is damaged is told on stderr and
 * stepped over: then `*damaged` is set. ERR_NOT_FOUND at the end. */
MUST_CHECK enum err device_step(struct call *call, char after[static DEVICE_ID_MAX + 1],
                                struct device *device, bool *damaged);
MUST_CHECK enum err role_step(struct call *call, char after[static ROLE_NAME_MAX + 1],
                              struct role *role, bool *damaged);

#endif
