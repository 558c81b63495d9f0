/* device_options.h - the options that describe a device, as `add` and `set` take them. */
#ifndef DEVREG_ADMIN_DEVICE_OPTIONS_H
#define DEVREG_ADMIN_DEVICE_OPTIONS_H

#include "admin/command.h"

/* Reads when a device or key ends: never (0), a duration from `now` on, or a date. */
enum expiry { EXPIRY_OK, EXPIRY_NONE /* it is none */, EXPIRY_OVER /* it is over already */ };
MUST_CHECK enum expiry expiry_parse(int64_t *time, const char *text, int64_t now);
#define EXPIRY_FORMS "90d, 2027-01-31, 2027-01-31T12:00:00Z, or never"

/* Sets the pattern of its client ids; "" and "any" are no pattern. False for a bad one: then
 * CLIENT_ID_FORMS says what it is, with CLIENT_ID_PATTERN_MAX for the number in it. */
MUST_CHECK bool client_id_set(struct device *device, const char *pattern);
#define CLIENT_ID_FORMS                                                                            \
    "a pattern is any, device, prefix, or UTF-8 of at most %d bytes with %%u for the device's id " \
    "and * for any text"

/* Puts --note, --expires, --client-id and --set into `device`, noting in call->detail what. */
MUST_CHECK enum status device_take_options(struct call *call, struct device *device);

/* Sets the attribute that "name=value" says. */
MUST_CHECK enum status device_take_pair(struct call *call, struct device *device, const char *pair);

/* Adds, or removes, the roles that an option names. */
MUST_CHECK enum status device_take_roles(struct call *call, struct device *device,
                                         enum option option);
MUST_CHECK enum status device_drop_roles(struct call *call, struct device *device,
                                         enum option option);

/* Are the roles of a new device there? Within a scope. */
MUST_CHECK enum status new_roles_check(struct call *call, const struct device *device);

/* Cuts "name=value": writes the name, and lends the value. */
MUST_CHECK enum status pair_split(struct call *call, const char *pair,
                                  char name[static ATTRIBUTE_NAME_MAX + 1], const char **value);

/* A text that goes into a record: a complaint where it is too long or not plain. */
MUST_CHECK enum status text_take(struct call *call, enum option option, char *to, size_t max);

#endif
