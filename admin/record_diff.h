/* record_diff.h - in which fields do two devices, or two roles, differ? */
#ifndef DEVREG_ADMIN_RECORD_DIFF_H
#define DEVREG_ADMIN_RECORD_DIFF_H

#include "admin/json.h"
#include "registry/role.h"

/* Bits, in the order in which they are told. */
enum field {
    FIELD_STATE = 1 << 0,
    FIELD_REASON = 1 << 1,
    FIELD_NOTE = 1 << 2,
    FIELD_CLIENT_ID = 1 << 3,
    FIELD_ROLES = 1 << 4,
    FIELD_RULES = 1 << 5,
    FIELD_ATTRIBUTES = 1 << 6,
    FIELD_EXPIRES = 1 << 7,
    FIELD_CREDENTIALS = 1 << 8,
    FIELD_GENERATION = 1 << 9,
    FIELD_LIMITS = 1 << 10,
    FIELD_END = 1 << 11
};

/* As record_json.h spells it. */
const char *field_name(enum field field);

/* What people declare: all but credentials, version, generation and times. */
unsigned device_diff(const struct device *a, const struct device *b);
unsigned role_diff(const struct role *a, const struct role *b);

/* 0 or FIELD_CREDENTIALS; with FIELD_GENERATION where a credential of `to` has the id of another
 * one of `from`: what came in with that one must not go on as if it had come in with this one. */
unsigned credentials_diff(const struct device *from, const struct device *to);

#endif
