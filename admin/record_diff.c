#include "admin/record_diff.h"

#include <string.h>

const char *field_name(enum field field)
{
    switch (field) {
    case FIELD_STATE:
        return "state";
    case FIELD_REASON:
        return "reason";
    case FIELD_NOTE:
        return "note";
    case FIELD_CLIENT_ID:
        return "client_id";
    case FIELD_ROLES:
        return "roles";
    case FIELD_RULES:
        return "rules";
    case FIELD_ATTRIBUTES:
        return "attributes";
    case FIELD_EXPIRES:
        return "expires";
    case FIELD_CREDENTIALS:
        return "credentials";
    case FIELD_GENERATION:
        return "generation";
    case FIELD_LIMITS:
        return "limits";
    case FIELD_END:
        break;
    }
    return "";
}

static bool same_roles(const struct device *a, const struct device *b)
{
    if (a->role_count != b->role_count)
        return false;
    for (size_t i = 0; i < a->role_count; i++) {
        if (strcmp(a->roles[i], b->roles[i]) != 0)
            return false;
    }
    return true;
}

static bool same_attributes(const struct device *a, const struct device *b)
{
    if (a->attribute_count != b->attribute_count)
        return false;
    for (size_t i = 0; i < a->attribute_count; i++) {
        const struct attribute *x = &a->attributes[i], *y = &b->attributes[i];
        if (strcmp(x->name, y->name) != 0 || strcmp(x->value, y->value) != 0)
            return false;
    }
    return true;
}

unsigned device_diff(const struct device *a, const struct device *b)
{
    unsigned fields = 0;
    fields |= a->state != b->state ? FIELD_STATE : 0;
    fields |= strcmp(a->reason, b->reason) != 0 ? FIELD_REASON : 0;
    fields |= strcmp(a->note, b->note) != 0 ? FIELD_NOTE : 0;
    fields |= strcmp(a->client_id, b->client_id) != 0 ? FIELD_CLIENT_ID : 0;
    fields |= same_roles(a, b) ? 0 : FIELD_ROLES;
    fields |= rules_equal(&a->rules, &b->rules) ? 0 : FIELD_RULES;
    fields |= limits_equal(&a->limits, &b->limits) ? 0 : FIELD_LIMITS;
    fields |= same_attributes(a, b) ? 0 : FIELD_ATTRIBUTES;
    fields |= a->expires != b->expires ? FIELD_EXPIRES : 0;
    return fields;
}

unsigned role_diff(const struct role *a, const struct role *b)
{
    unsigned fields = 0;
    fields |= strcmp(a->note, b->note) != 0 ? FIELD_NOTE : 0;
    fields |= rules_equal(&a->rules, &b->rules) ? 0 : FIELD_RULES;
    fields |= limits_equal(&a->limits, &b->limits) ? 0 : FIELD_LIMITS;
    return fields;
}

static bool same_secret(const struct credential *a, const struct credential *b)
{
    return a->kind == b->kind && a->secret_size == b->secret_size &&
           memcmp(a->secret, b->secret, a->secret_size) == 0;
}

static bool same_credential(const struct credential *a, const struct credential *b)
{
    return a->id == b->id && same_secret(a, b) && strcmp(a->label, b->label) == 0 &&
           a->created == b->created && a->not_before == b->not_before && a->expires == b->expires &&
           a->ended_by == b->ended_by;
}

static bool takes_id_of_another(const struct device *from, const struct credential *credential)
{
    for (size_t i = 0; i < from->credential_count; i++) {
        if (from->credentials[i].id == credential->id)
            return !same_secret(&from->credentials[i], credential);
    }
    return false;
}

unsigned credentials_diff(const struct device *from, const struct device *to)
{
    unsigned fields = from->credential_count != to->credential_count ? FIELD_CREDENTIALS : 0;
    for (size_t i = 0; i < to->credential_count; i++) {
        if (!fields && !same_credential(&from->credentials[i], &to->credentials[i]))
            fields |= FIELD_CREDENTIALS;
        if (takes_id_of_another(from, &to->credentials[i]))
            fields |= FIELD_CREDENTIALS | FIELD_GENERATION;
    }
    return fields;
}
