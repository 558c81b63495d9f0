#include "registry/device.h"

#include <assert.h>
#include <string.h>

#include "registry/crypto.h"
#include "registry/key.h"
#include "registry/text.h"

enum { EXPANDED_MAX = 512, MATCHED_MAX = 1024 };

static bool is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Letters, digits and the characters of `others`. A loop: strspn costs many times more, and this is
 * asked of usernames that strangers send. */
static bool name_valid(const char *name, size_t max, const char *others)
{
    size_t length = 0;
    while (is_letter(name[length]) || is_digit(name[length]) ||
           (name[length] && strchr(others, name[length]))) {
        if (++length > max)
            return false;
    }
    return length && !name[length];
}

bool device_id_valid(const char *id)
{
    return (is_letter(id[0]) || is_digit(id[0])) && name_valid(id, DEVICE_ID_MAX, "._:@-") &&
           !key_well_formed(id);
}

bool role_name_valid(const char *name)
{
    return (is_letter(name[0]) || is_digit(name[0])) && name_valid(name, ROLE_NAME_MAX, "._:-");
}

bool attribute_name_valid(const char *name)
{
    return is_letter(name[0]) && name_valid(name, ATTRIBUTE_NAME_MAX, "_-");
}

bool attribute_value_valid(const char *value)
{
    return text_is_plain(value, ATTRIBUTE_VALUE_MAX);
}

/* The pattern behind the three words. */
static const char *pattern_of(const char *pattern)
{
    static const char *const words[][2] = {{"any", "*"}, {"device", "%u"}, {"prefix", "%u*"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(pattern, words[i][0]) == 0)
            return words[i][1];
    }
    return pattern;
}

bool client_id_pattern_valid(const char *pattern)
{
    return pattern[0] && text_is_plain(pattern, CLIENT_ID_PATTERN_MAX);
}

/* Matches with one place to come back to, the last "*": time grows with the product of the
 * lengths at the most. */
static bool glob_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool client_id_matches(const char *pattern, const char *device, const char *client_id)
{
    /* Bounded, so that no client id costs the broker more than half a million steps. */
    char full[EXPANDED_MAX + 1];
    size_t used = 0, id_length = strlen(device);
    pattern = pattern_of(pattern);
    if (strcmp(pattern, "*") == 0)
        return true;
    if (strnlen(client_id, MATCHED_MAX + 1) > MATCHED_MAX)
        return false;
    while (*pattern) {
        bool variable = pattern[0] == '%' && pattern[1] == 'u';
        size_t size = variable ? id_length : 1;
        if (used + size > EXPANDED_MAX)
            return false;
        memcpy(full + used, variable ? device : pattern, size);
        used += size;
        pattern += variable ? 2 : 1;
    }
    full[used] = '\0';
    return glob_matches(full, client_id);
}

bool device_plausible(const struct device *device)
{
    bool good = device_id_valid(device->id) && text_is_plain(device->reason, REASON_MAX) &&
                text_is_plain(device->note, NOTE_MAX) &&
                text_is_plain(device->client_id, CLIENT_ID_PATTERN_MAX);
    for (size_t i = 0; i < device->role_count; i++)
        good &= role_name_valid(device->roles[i]);
    for (size_t i = 0; i < device->attribute_count; i++)
        good &= attribute_name_valid(device->attributes[i].name) &&
                attribute_value_valid(device->attributes[i].value);
    return good;
}

const char *device_state_name(enum device_state state)
{
    static const char *const names[] = {"disabled", "enabled", "revoked"};
    return (unsigned)state <= DEVICE_REVOKED ? names[state] : "damaged";
}

void device_init(struct device *device, const char *id)
{
    (void)text_copy(device->id, DEVICE_ID_MAX, id);
    device_empty(device);
}

void device_empty(struct device *device)
{
    /* Not zeroed as a whole: 10 KB, of which most devices use 300 bytes. */
    device->state = DEVICE_ENABLED;
    device->reason[0] = device->note[0] = device->client_id[0] = '\0';
    device->generation = device->version = 0;
    device->created = device->changed = device->expires = 0;
    device->credential_count = device->role_count = device->attribute_count = 0;
    device->next_credential = 1;
    device->rules = (struct rules){0};
    device->limits = (struct limits){{0}};
}

void device_clear(struct device *device)
{
    device_drop_credentials(device);
    rules_clear(&device->rules);
    device->role_count = device->attribute_count = 0;
}

/* Where `name` stands among `count` names that are `stride` bytes apart, or would stand. */
static size_t name_find(const char *names, size_t stride, size_t count, const char *name,
                        bool *found)
{
    size_t at = 0;
    while (at < count && strcmp(names + at * stride, name) < 0)
        at++;
    *found = at < count && strcmp(names + at * stride, name) == 0;
    return at;
}

enum err device_add_role(struct device *device, const char *role)
{
    bool found;
    if (!role_name_valid(role))
        return ERR_INVALID;
    size_t at =
        name_find(device->roles[0], sizeof device->roles[0], device->role_count, role, &found);
    if (found)
        return ERR_EXISTS;
    if (device->role_count == ROLES_MAX)
        return ERR_TOO_MANY;
    memmove(device->roles[at + 1], device->roles[at],
            (device->role_count - at) * sizeof device->roles[0]);
    (void)text_copy(device->roles[at], ROLE_NAME_MAX, role);
    device->role_count++;
    return ERR_OK;
}

enum err device_remove_role(struct device *device, const char *role)
{
    bool found;
    size_t at =
        name_find(device->roles[0], sizeof device->roles[0], device->role_count, role, &found);
    if (!found)
        return ERR_NOT_FOUND;
    device->role_count--;
    memmove(device->roles[at], device->roles[at + 1],
            (device->role_count - at) * sizeof device->roles[0]);
    return ERR_OK;
}

static size_t attribute_place(const struct device *device, const char *name, bool *found)
{
    return name_find(device->attributes[0].name, sizeof device->attributes[0],
                     device->attribute_count, name, found);
}

enum err device_set_attribute(struct device *device, const char *name, const char *value)
{
    bool found;
    if (!attribute_name_valid(name) || !attribute_value_valid(value))
        return ERR_INVALID;
    size_t at = attribute_place(device, name, &found);
    if (!found) {
        if (device->attribute_count == ATTRIBUTES_MAX)
            return ERR_TOO_MANY;
        memmove(&device->attributes[at + 1], &device->attributes[at],
                (device->attribute_count - at) * sizeof device->attributes[0]);
        (void)text_copy(device->attributes[at].name, ATTRIBUTE_NAME_MAX, name);
        device->attribute_count++;
    }
    (void)text_copy(device->attributes[at].value, ATTRIBUTE_VALUE_MAX, value);
    return ERR_OK;
}

enum err device_unset_attribute(struct device *device, const char *name)
{
    bool found;
    size_t at = attribute_place(device, name, &found);
    if (!found)
        return ERR_NOT_FOUND;
    device->attribute_count--;
    memmove(&device->attributes[at], &device->attributes[at + 1],
            (device->attribute_count - at) * sizeof device->attributes[0]);
    return ERR_OK;
}

const char *attribute_find(const struct attribute *attributes, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(attributes[i].name, name) == 0)
            return attributes[i].value;
    }
    return NULL;
}

void device_drop_credential(struct device *device, size_t index)
{
    assert(index < device->credential_count);
    struct credential *all = device->credentials;
    device->credential_count--;
    memmove(&all[index], &all[index + 1], (device->credential_count - index) * sizeof *all);
    crypto_wipe(&all[device->credential_count], sizeof *all);
}

void device_drop_credentials(struct device *device)
{
    while (device->credential_count)
        device_drop_credential(device, device->credential_count - 1);
}

struct credential *device_new_credential(struct device *device, enum credential_kind kind,
                                         int64_t now)
{
    for (size_t i = device->credential_count; i-- > 0;) {
        int64_t expires = device->credentials[i].expires;
        if (expires && expires <= now)
            device_drop_credential(device, i);
    }
    if (device->credential_count == CREDENTIALS_MAX)
        return NULL;
    struct credential *credential = &device->credentials[device->credential_count++];
    *credential =
        (struct credential){.kind = (uint8_t)kind, .id = device->next_credential++, .created = now};
    return credential;
}
