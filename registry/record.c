#include "registry/record.h"

#include <string.h>

#include "registry/text.h"

enum { FORMAT = 1, FORMAT_LIMITED = 2 };

/* The format, up to `last`. 0, with `*e` set, for one that this version does not know. */
static uint64_t take_format(struct unpack *u, uint64_t last, enum err *e)
{
    uint64_t format = unpack_number(u, UINT64_MAX);
    *e = !u->failed && format > last ? ERR_TOO_NEW : ERR_DAMAGED;
    return u->failed || format > last ? 0 : format;
}

static uint64_t format_of(const struct limits *limits)
{
    return limits_any(limits) ? FORMAT_LIMITED : FORMAT;
}

static void limits_encode(struct pack *pack, const struct limits *limits)
{
    uint64_t count = 0;
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++)
        count += limits->values[limit] != LIMIT_UNSET;
    if (!count)
        return;
    pack_number(pack, count);
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        if (limits->values[limit] == LIMIT_UNSET)
            continue;
        pack_number(pack, limit);
        pack_number(pack, limits->values[limit]);
    }
}

static enum err limits_decode(struct limits *limits, struct unpack *u)
{
    uint64_t count = unpack_number(u, LIMIT_COUNT);
    for (uint64_t i = 0, next = 0; i < count && !u->failed; i++) {
        enum limit limit = (enum limit)unpack_number(u, LIMIT_COUNT - 1);
        uint32_t value = (uint32_t)unpack_number(u, UINT32_MAX);
        if (limit < next || value == LIMIT_UNSET || !limit_valid(limit, value))
            return ERR_DAMAGED;
        limits->values[limit] = value;
        next = (uint64_t)limit + 1;
    }
    return u->failed || !count ? ERR_DAMAGED : ERR_OK;
}

static void rules_encode(struct pack *pack, const struct rules *rules)
{
    pack_number(pack, rules->count);
    for (size_t i = 0; i < rules->count; i++) {
        pack_number(pack, rules->items[i].effect);
        pack_number(pack, rules->items[i].action);
        pack_text(pack, rules->items[i].filter);
    }
}

/* Takes only sorted rules without a repetition, so that there is one spelling. */
static enum err rules_decode(struct rules *rules, struct unpack *u)
{
    char filter[RULE_FILTER_MAX + 1];
    size_t count = (size_t)unpack_number(u, RULES_MAX);
    for (size_t i = 0; i < count && !u->failed; i++) {
        enum effect effect = (enum effect)unpack_number(u, EFFECT_ALLOW);
        enum action action = (enum action)unpack_number(u, ACTION_ALL);
        unpack_text(u, filter, RULE_FILTER_MAX);
        if (u->failed || action == 0)
            return ERR_DAMAGED;
        enum err e = rules_set(rules, effect, action, filter, NULL);
        if (e == ERR_NO_MEMORY)
            return e;
        const struct rule *last = e || rules->count != i + 1 ? NULL : &rules->items[i];
        if (!last || strcmp(last->filter, filter) != 0 || last->action != action)
            return ERR_DAMAGED;
    }
    return u->failed ? ERR_DAMAGED : ERR_OK;
}

static void credential_encode(struct pack *pack, const struct credential *c)
{
    pack_number(pack, c->kind);
    pack_number(pack, c->id);
    pack_text(pack, c->label);
    pack_time(pack, c->created);
    pack_time(pack, c->not_before);
    pack_time(pack, c->expires);
    pack_number(pack, c->ended_by);
    pack_blob(pack, c->secret, c->secret_size);
}

static void credential_decode(struct credential *c, struct unpack *u)
{
    c->kind = (uint8_t)unpack_number(u, UINT8_MAX);
    c->id = (uint32_t)unpack_number(u, UINT32_MAX);
    unpack_text(u, c->label, CREDENTIAL_LABEL_MAX);
    c->created = unpack_time(u);
    c->not_before = unpack_time(u);
    c->expires = unpack_time(u);
    c->ended_by = (uint32_t)unpack_number(u, UINT32_MAX);
    struct bytes secret = unpack_blob(u, CREDENTIAL_SECRET_MAX);
    if (secret.size)
        memcpy(c->secret, secret.data, secret.size);
    c->secret[secret.size] = '\0';
    c->secret_size = secret.size;
}

void device_encode(struct pack *pack, const struct device *d)
{
    pack_number(pack, format_of(&d->limits));
    pack_text(pack, d->id);
    pack_number(pack, d->state);
    pack_text(pack, d->reason);
    pack_text(pack, d->note);
    pack_text(pack, d->client_id);
    pack_number(pack, d->generation);
    pack_number(pack, d->version);
    pack_time(pack, d->created);
    pack_time(pack, d->changed);
    pack_time(pack, d->expires);
    pack_number(pack, d->next_credential);
    pack_number(pack, d->credential_count);
    for (size_t i = 0; i < d->credential_count; i++)
        credential_encode(pack, &d->credentials[i]);
    pack_number(pack, d->role_count);
    for (size_t i = 0; i < d->role_count; i++)
        pack_text(pack, d->roles[i]);
    pack_number(pack, d->attribute_count);
    for (size_t i = 0; i < d->attribute_count; i++) {
        pack_text(pack, d->attributes[i].name);
        pack_text(pack, d->attributes[i].value);
    }
    rules_encode(pack, &d->rules);
    limits_encode(pack, &d->limits);
}

/* The lists; sorted and without a repetition, as the setters leave them. What alphabet the setters
 * take is not asked again (device_plausible): the seal vouches for it, and each login decodes. */
static void lists_decode(struct device *d, struct unpack *u)
{
    d->credential_count = (size_t)unpack_number(u, CREDENTIALS_MAX);
    for (size_t i = 0; i < d->credential_count; i++)
        credential_decode(&d->credentials[i], u);
    d->role_count = (size_t)unpack_number(u, ROLES_MAX);
    for (size_t i = 0; i < d->role_count; i++) {
        unpack_text(u, d->roles[i], ROLE_NAME_MAX);
        if (i && strcmp(d->roles[i - 1], d->roles[i]) >= 0)
            unpack_fail(u);
    }
    d->attribute_count = (size_t)unpack_number(u, ATTRIBUTES_MAX);
    for (size_t i = 0; i < d->attribute_count; i++) {
        struct attribute *a = &d->attributes[i];
        unpack_text(u, a->name, ATTRIBUTE_NAME_MAX);
        unpack_text(u, a->value, ATTRIBUTE_VALUE_MAX);
        if (i && strcmp(a[-1].name, a->name) >= 0)
            unpack_fail(u);
    }
}

enum err device_decode(struct device *device, struct bytes bytes)
{
    struct unpack u = unpack_of(bytes);
    enum err e;
    const uint64_t format = take_format(&u, FORMAT_LIMITED, &e);
    if (!format)
        return e;
    unpack_text(&u, device->id, DEVICE_ID_MAX);
    if (!device->id[0])
        return ERR_DAMAGED;
    device_empty(device);
    device->state = (enum device_state)unpack_number(&u, DEVICE_REVOKED);
    unpack_text(&u, device->reason, REASON_MAX);
    unpack_text(&u, device->note, NOTE_MAX);
    unpack_text(&u, device->client_id, CLIENT_ID_PATTERN_MAX);
    device->generation = unpack_number(&u, UINT64_MAX);
    device->version = unpack_number(&u, UINT64_MAX);
    device->created = unpack_time(&u);
    device->changed = unpack_time(&u);
    device->expires = unpack_time(&u);
    device->next_credential = (uint32_t)unpack_number(&u, UINT32_MAX);
    lists_decode(device, &u);
    e = u.failed ? ERR_DAMAGED : rules_decode(&device->rules, &u);
    if (!e && format == FORMAT_LIMITED)
        e = limits_decode(&device->limits, &u);
    if (!e && !unpack_done(&u))
        e = ERR_DAMAGED;
    if (e)
        device_clear(device);
    return e;
}

void role_encode(struct pack *pack, const struct role *role)
{
    pack_number(pack, format_of(&role->limits));
    pack_text(pack, role->name);
    pack_text(pack, role->note);
    pack_number(pack, role->version);
    pack_time(pack, role->created);
    pack_time(pack, role->changed);
    rules_encode(pack, &role->rules);
    limits_encode(pack, &role->limits);
}

enum err role_decode(struct role *role, struct bytes bytes)
{
    struct unpack u = unpack_of(bytes);
    char name[ROLE_NAME_MAX + 1];
    enum err e;
    const uint64_t format = take_format(&u, FORMAT_LIMITED, &e);
    if (!format)
        return e;
    unpack_text(&u, name, ROLE_NAME_MAX);
    if (!role_name_valid(name))
        return ERR_DAMAGED;
    struct role r;
    role_init(&r, name);
    unpack_text(&u, r.note, NOTE_MAX);
    if (!text_is_plain(r.note, NOTE_MAX))
        unpack_fail(&u);
    r.version = unpack_number(&u, UINT64_MAX);
    r.created = unpack_time(&u);
    r.changed = unpack_time(&u);
    e = u.failed ? ERR_DAMAGED : rules_decode(&r.rules, &u);
    if (!e && format == FORMAT_LIMITED)
        e = limits_decode(&r.limits, &u);
    if (!e && !unpack_done(&u))
        e = ERR_DAMAGED;
    if (e)
        role_clear(&r);
    else
        *role = r;
    return e;
}

void entry_encode(struct pack *pack, const struct log_entry *entry)
{
    pack_number(pack, FORMAT);
    pack_time(pack, entry->time);
    pack_number(pack, entry->verb);
    pack_number(pack, entry->kind);
    pack_text(pack, entry->who);
    pack_text(pack, entry->subject);
    pack_text(pack, entry->detail);
}

enum err entry_decode(struct log_entry *entry, struct bytes bytes)
{
    struct unpack u = unpack_of(bytes);
    struct log_entry read = {0};
    enum err e;
    if (!take_format(&u, FORMAT, &e))
        return e;
    read.time = unpack_time(&u);
    read.verb = (enum log_verb)unpack_number(&u, UINT16_MAX);
    read.kind = (enum log_kind)unpack_number(&u, LOG_NOTHING);
    unpack_text(&u, read.who, LOG_WHO_MAX);
    unpack_text(&u, read.subject, DEVICE_ID_MAX);
    unpack_text(&u, read.detail, LOG_DETAIL_MAX);
    if (!unpack_done(&u))
        return ERR_DAMAGED;
    *entry = read;
    return ERR_OK;
}
