/* arbitrary.h - random devices, roles, log entries and presence records, and are two the same? */
#ifndef DEVREG_TESTS_ARBITRARY_H
#define DEVREG_TESTS_ARBITRARY_H

#include <assert.h>
#include <string.h>

#include "registry/log_entry.h"
#include "registry/presence.h"
#include "registry/role.h"
#include "registry/text.h"
#include "tests/support/rng.h"

/* Often short, sometimes `max`. */
static inline size_t any_size(struct rng *rng, size_t max)
{
    return rng_percent(rng, 10) ? max
                                : rng_below(rng, rng_percent(rng, 70) && max > 8 ? 8 : max + 1);
}

/* Of letters and now and then a character of more bytes; at most `max` bytes. */
static inline void any_text(struct rng *rng, char *text, size_t max)
{
    static const char *const pieces[] = {
        "a", "Z", "0", " ", "%", "/", "\"", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    size_t size = any_size(rng, max), used = 0;
    for (;;) {
        const char *piece = pieces[rng_below(rng, sizeof pieces / sizeof *pieces)];
        if (used + strlen(piece) > size)
            break;
        memcpy(text + used, piece, strlen(piece));
        used += strlen(piece);
    }
    text[used] = '\0';
}

/* Of lower case letters and digits, so that no two differ in case only. */
static inline void any_name(struct rng *rng, char *name, size_t max)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t size = any_size(rng, max - 1) + 1;
    name[0] = letters[rng_below(rng, 26)];
    for (size_t i = 1; i < size; i++)
        name[i] = letters[rng_below(rng, sizeof letters - 1)];
    name[size] = '\0';
}

/* All magnitudes. */
static inline uint64_t any_number(struct rng *rng)
{
    return rng_next(rng) >> rng_below(rng, 64);
}

static inline int64_t any_time(struct rng *rng)
{
    return rng_percent(rng, 20) ? 0 : (int64_t)(any_number(rng) >> 16); /* 48 bits */
}

static inline void any_rules(struct rng *rng, struct rules *rules)
{
    static const char *const levels[] = {"a",       "b", "+",    "%u",      "%c",
                                         "%{site}", "",  "$SYS", "\xc3\xa4"};
    for (size_t count = any_size(rng, 20); count > 0; count--) {
        char filter[64] = "";
        for (size_t parts = 1 + rng_below(rng, 4); parts > 0; parts--) {
            strcat(filter, levels[rng_below(rng, sizeof levels / sizeof *levels)]);
            strcat(filter, parts > 1 ? "/" : rng_percent(rng, 30) ? "/#" : "");
        }
        enum err e = rules_set(rules, (enum effect)rng_below(rng, 2),
                               (enum action)(1 + rng_below(rng, 3)), filter, NULL);
        assert(e == ERR_OK || e == ERR_EXISTS || e == ERR_INVALID);
        (void)e;
    }
}

static inline void any_credential(struct rng *rng, struct device *device)
{
    static const uint8_t kinds[] = {CREDENTIAL_KEY, CREDENTIAL_PASSWORD, CREDENTIAL_IMPORTED, 4,
                                    255};
    struct credential *made = device_new_credential(device, CREDENTIAL_KEY, 0); /* none is over */
    assert(made);
    made->kind = kinds[rng_below(rng, sizeof kinds)];
    any_text(rng, made->label, CREDENTIAL_LABEL_MAX);
    made->created = any_time(rng);
    made->not_before = any_time(rng);
    made->expires = any_time(rng);
    made->ended_by = (uint32_t)rng_below(rng, 3);
    made->secret_size = any_size(rng, CREDENTIAL_SECRET_MAX);
    for (size_t i = 0; i < made->secret_size; i++)
        made->secret[i] = (uint8_t)rng_next(rng);
}

static inline void any_limits(struct rng *rng, struct limits *limits)
{
    static const char *const values[] = {"none", "unlimited", "0",  "1",   "2",
                                         "60",   "65535",     "no", "yes", "5999999"};
    for (enum limit limit = 0; limit < LIMIT_COUNT && rng_percent(rng, 60); limit++) {
        uint32_t value;
        if (limit_parse(limit, values[rng_below(rng, sizeof values / sizeof *values)], &value))
            limits->values[limit] = value;
    }
}

/* End it with device_clear. */
static inline void any_device(struct rng *rng, struct device *device)
{
    char name[ROLE_NAME_MAX + 1], value[ATTRIBUTE_VALUE_MAX + 1];
    any_name(rng, name, ROLE_NAME_MAX);
    device_init(device, name);
    device->state = (enum device_state)rng_below(rng, 3);
    any_text(rng, device->reason, REASON_MAX);
    any_text(rng, device->note, NOTE_MAX);
    any_text(rng, device->client_id, CLIENT_ID_PATTERN_MAX);
    device->generation = any_number(rng);
    device->version = any_number(rng);
    device->created = any_time(rng);
    device->changed = any_time(rng);
    device->expires = any_time(rng);
    for (size_t i = any_size(rng, CREDENTIALS_MAX); i > 0; i--)
        any_credential(rng, device);
    for (size_t i = any_size(rng, ROLES_MAX); i > 0; i--) {
        any_name(rng, name, ROLE_NAME_MAX);
        enum err e = device_add_role(device, name);
        assert(e == ERR_OK || e == ERR_EXISTS);
        (void)e;
    }
    for (size_t i = any_size(rng, ATTRIBUTES_MAX); i > 0; i--) {
        any_name(rng, name, ATTRIBUTE_NAME_MAX);
        any_text(rng, value, ATTRIBUTE_VALUE_MAX);
        enum err e = device_set_attribute(device, name, value);
        assert(e == ERR_OK);
        (void)e;
    }
    any_rules(rng, &device->rules);
    any_limits(rng, &device->limits);
}

/* End it with role_clear. */
static inline void any_role(struct rng *rng, struct role *role)
{
    char name[ROLE_NAME_MAX + 1];
    any_name(rng, name, ROLE_NAME_MAX);
    role_init(role, name);
    any_text(rng, role->note, NOTE_MAX);
    role->version = any_number(rng);
    role->created = any_time(rng);
    role->changed = any_time(rng);
    any_rules(rng, &role->rules);
    any_limits(rng, &role->limits);
}

static inline void any_entry(struct rng *rng, struct log_entry *entry)
{
    *entry = (struct log_entry){.time = any_time(rng),
                                .verb = (enum log_verb)(1 + rng_below(rng, LOG_VERB_COUNT - 1)),
                                .kind = (enum log_kind)rng_below(rng, 4)};
    any_text(rng, entry->who, LOG_WHO_MAX);
    any_text(rng, entry->detail, LOG_DETAIL_MAX);
    if (entry->kind == LOG_DEVICE || entry->kind == LOG_ROLE)
        any_name(rng, entry->subject, ROLE_NAME_MAX);
}

static inline struct tally any_tally(struct rng *rng)
{
    struct tally tally = {.count = any_number(rng)};
    tally.last = tally.count ? any_time(rng) : 0;
    return tally;
}

static inline void any_presence(struct rng *rng, struct presence *presence)
{
    *presence = (struct presence){.online = rng_percent(rng, 50),
                                  .seq = any_number(rng),
                                  .conn = any_number(rng),
                                  .connections = any_number(rng),
                                  .generation = any_number(rng),
                                  .place = (uint32_t)any_number(rng),
                                  .since = any_time(rng),
                                  .connected_at = any_time(rng),
                                  .ended_at = any_time(rng),
                                  .failures = any_tally(rng),
                                  .denials = any_tally(rng),
                                  .reason = (enum reason)rng_below(rng, REASON_COUNT),
                                  .protocol = (uint8_t)rng_next(rng),
                                  .keepalive = (uint16_t)rng_next(rng),
                                  .persistent = rng_percent(rng, 50),
                                  .credential = (uint32_t)any_number(rng),
                                  .used_count = any_size(rng, CREDENTIALS_MAX),
                                  .session_count = any_size(rng, SESSIONS_MAX)};
    bool timed = rng_percent(rng, 80);
    for (size_t i = 0; i < presence->used_count; i++)
        presence->used[i] = (struct use){(uint32_t)any_number(rng), timed ? any_time(rng) : 0};
    any_text(rng, presence->client, PRESENCE_CLIENT_MAX);
    any_text(rng, presence->address, PRESENCE_ADDRESS_MAX);
    for (size_t i = 0; i < presence->session_count; i++) {
        for (size_t at = 0; at < CLIENT_KEY_SIZE; at++)
            presence->sessions[i].client.bytes[at] = (uint8_t)rng_next(rng);
        presence->sessions[i].seen = any_time(rng);
    }
}

static inline bool credential_same(const struct credential *a, const struct credential *b)
{
    return a->kind == b->kind && a->id == b->id && strcmp(a->label, b->label) == 0 &&
           a->created == b->created && a->not_before == b->not_before && a->expires == b->expires &&
           a->ended_by == b->ended_by && a->secret_size == b->secret_size &&
           memcmp(a->secret, b->secret, a->secret_size) == 0;
}

static inline bool lists_same(const struct device *a, const struct device *b)
{
    if (a->credential_count != b->credential_count || a->role_count != b->role_count ||
        a->attribute_count != b->attribute_count)
        return false;
    for (size_t i = 0; i < a->credential_count; i++) {
        if (!credential_same(&a->credentials[i], &b->credentials[i]))
            return false;
    }
    for (size_t i = 0; i < a->role_count; i++) {
        if (strcmp(a->roles[i], b->roles[i]) != 0)
            return false;
    }
    for (size_t i = 0; i < a->attribute_count; i++) {
        if (strcmp(a->attributes[i].name, b->attributes[i].name) != 0 ||
            strcmp(a->attributes[i].value, b->attributes[i].value) != 0)
            return false;
    }
    return true;
}

static inline bool device_same(const struct device *a, const struct device *b)
{
    return strcmp(a->id, b->id) == 0 && a->state == b->state && strcmp(a->reason, b->reason) == 0 &&
           strcmp(a->note, b->note) == 0 && strcmp(a->client_id, b->client_id) == 0 &&
           a->generation == b->generation && a->version == b->version && a->created == b->created &&
           a->changed == b->changed && a->expires == b->expires &&
           a->next_credential == b->next_credential && lists_same(a, b) &&
           rules_equal(&a->rules, &b->rules) && limits_equal(&a->limits, &b->limits);
}

static inline bool role_same(const struct role *a, const struct role *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->note, b->note) == 0 &&
           a->version == b->version && a->created == b->created && a->changed == b->changed &&
           rules_equal(&a->rules, &b->rules) && limits_equal(&a->limits, &b->limits);
}

/* But for the seq, which is an entry's key. */
static inline bool entry_same(const struct log_entry *a, const struct log_entry *b)
{
    return a->time == b->time && a->verb == b->verb && a->kind == b->kind &&
           strcmp(a->who, b->who) == 0 && strcmp(a->subject, b->subject) == 0 &&
           strcmp(a->detail, b->detail) == 0;
}

static inline bool presence_same(const struct presence *a, const struct presence *b)
{
    if (a->online != b->online || a->seq != b->seq || a->conn != b->conn ||
        a->generation != b->generation || a->since != b->since ||
        a->connected_at != b->connected_at || a->reason != b->reason ||
        strcmp(a->client, b->client) != 0 || strcmp(a->address, b->address) != 0 ||
        a->protocol != b->protocol || a->keepalive != b->keepalive ||
        a->persistent != b->persistent || a->credential != b->credential ||
        a->connections != b->connections || a->place != b->place || a->ended_at != b->ended_at ||
        a->failures.count != b->failures.count || a->failures.last != b->failures.last ||
        a->denials.count != b->denials.count || a->denials.last != b->denials.last ||
        a->used_count != b->used_count || a->session_count != b->session_count)
        return false;
    for (size_t i = 0; i < a->used_count; i++) {
        if (a->used[i].credential != b->used[i].credential || a->used[i].last != b->used[i].last)
            return false;
    }
    for (size_t i = 0; i < a->session_count; i++) {
        if (memcmp(&a->sessions[i].client, &b->sessions[i].client, CLIENT_KEY_SIZE) != 0 ||
            a->sessions[i].seen != b->sessions[i].seen)
            return false;
    }
    return true;
}

#endif
