/* device_options.h - the options that describe a device, as `add` and `set` take them. */
#ifndef DEVREG_ADMIN_DEVICE_OPTIONS_H
#define DEVREG_ADMIN_DEVICE_OPTIONS_H

#include "admin/command.h"

/* Puts --note, --expires, --client-id and --set into `device`, noting in call->detail what. */
MUST_CHECK enum status device_take_options(struct call *call, struct device *device);

/* Sets the attribute that "name=value" says. */
MUST_CHECK enum status device_take_pair(struct call *call, struct device *device, const char *pair);

/* Adds, or removes, the roles that an option names. */
MUST_CHECK enum status device_take_roles(struct call *call, struct device *device,
                                         enum option option);
MUST_CHECK enum status device_drop_roles(struct call *call, struct device *device,
                                         enum option option);

/* Cuts "name=value": writes the name, and lends the value. */
MUST_CHECK enum status pair_split(struct call *call, const char *pair,
                                  char name[static ATTRIBUTE_NAME_MAX + 1], const char **value);

/* A text that goes into a record: a complaint where it is too long or not plain. */
MUST_CHECK enum status text_take(struct call *call, enum option option, char *to, size_t max);

#endif
