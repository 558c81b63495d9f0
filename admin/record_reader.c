#include "admin/record_reader.h"

#include <stdarg.h>
#include <string.h>

#include "admin/hex.h"
#include "admin/nearest.h"
#include "registry/key.h"
#include "registry/password_hash.h"
#include "registry/text.h"

#define TIME_MAX 253402300799999 /* the last millisecond of the year 9999 */
/* Leaves room to count on: a number that comes round would be given out a second time. */
#define NEXT_CREDENTIAL_MAX (UINT32_MAX / 2)

/* What is being read into. The fields that both records have are pointed at. */
struct target {
    struct device *device; /* NULL for a role */
    char *note;
    struct rules *rules;
    struct limits *limits;
    uint64_t *version;
    int64_t *created, *changed;
    enum secrets secrets;
    char *problem;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct target *target,
                                                         const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(target->problem, RECORD_PROBLEM_MAX + 1, format, values);
    va_end(values);
    return false;
}

/* A member, and how it is read. */
struct member {
    const char *name;
    bool (*read)(const struct target *target, const cJSON *value);
};

static bool refuse_unknown(const struct target *target, const char *name,
                           const struct member *members, size_t count)
{
    struct nearest nearest = nearest_to(name, strlen(name));
    for (size_t i = 0; i < count; i++)
        nearest_offer(&nearest, members[i].name);
    if (nearest.found)
        return refuse(target, "member '%.40s' is not known; did you mean '%s'?", name,
                      nearest.found);
    return refuse(target, "member '%.40s' is not known", name);
}

/* Reads all members of `object`, which are known and there once. `seen`: a bit for each row. */
static bool read_members(const struct target *target, const cJSON *object,
                         const struct member *members, size_t count)
{
    unsigned seen = 0;
    const cJSON *value;
    cJSON_ArrayForEach(value, object)
    {
        size_t i = 0;
        while (i < count && strcmp(members[i].name, value->string) != 0)
            i++;
        if (i == count)
            return refuse_unknown(target, value->string, members, count);
        if (seen & 1U << i)
            return refuse(target, "member '%s' is there twice", members[i].name);
        seen |= 1U << i;
        if (members[i].read && !members[i].read(target, value))
            return false;
    }
    return true;
}

static bool read_text(const struct target *target, const cJSON *value, char *to, size_t max)
{
    if (!cJSON_IsString(value) || !text_is_plain(value->valuestring, max))
        return refuse(target, "'%s' is not a text of at most %zu bytes without control characters",
                      value->string, max);
    (void)text_copy(to, max, value->valuestring); /* it fits: see above */
    return true;
}

static bool read_number(const struct target *target, const cJSON *value, uint64_t *to)
{
    return json_read_number(value, to) ||
           refuse(target, "'%s' is not a whole number, or too large", value->string);
}

static bool read_time(const struct target *target, const cJSON *value, int64_t *to)
{
    uint64_t number;
    if (!read_number(target, value, &number))
        return false;
    if (number > TIME_MAX)
        return refuse(target, "'%s' is behind the year 9999", value->string);
    *to = (int64_t)number;
    return true;
}

static bool read_note(const struct target *target, const cJSON *value)
{
    return read_text(target, value, target->note, NOTE_MAX);
}

static bool read_version(const struct target *target, const cJSON *value)
{
    return read_number(target, value, target->version);
}

static bool read_created(const struct target *target, const cJSON *value)
{
    return read_time(target, value, target->created);
}

static bool read_changed(const struct target *target, const cJSON *value)
{
    return read_time(target, value, target->changed);
}

static bool read_rule(const struct target *target, const cJSON *value)
{
    enum effect effect;
    enum action action;
    const char *filter, *problem;
    if (!cJSON_IsString(value))
        return refuse(target, "a rule is a text like 'allow publish a/b'");
    if (!rule_parse(value->valuestring, &effect, &action, &filter, &problem))
        return refuse(target, "rule '%.100s': %s", value->valuestring, problem);
    enum err e = rules_set(target->rules, effect, action, filter, NULL);
    if (e == ERR_NO_MEMORY)
        memory_out();
    if (e)
        return refuse(target, "rule '%.100s' is there twice, or one too many", value->valuestring);
    return true;
}

static bool read_rules(const struct target *target, const cJSON *value)
{
    const cJSON *rule;
    if (!cJSON_IsArray(value))
        return refuse(target, "'rules' is not an array");
    cJSON_ArrayForEach(rule, value)
    {
        size_t before = target->rules->count;
        if (!read_rule(target, rule))
            return false;
        if (target->rules->count == before)
            return refuse(target, "rule '%.100s' contradicts another", rule->valuestring);
    }
    return true;
}

static bool read_limit(const struct target *target, const cJSON *value)
{
    char text[LIMIT_TEXT_MAX + 1] = "";
    uint64_t number;
    enum limit limit = limit_find(value->string, strlen(value->string));
    if (limit == LIMIT_COUNT)
        return refuse(target, "limit '%.40s' is not known", value->string);
    if (target->limits->values[limit] != LIMIT_UNSET)
        return refuse(target, "limit '%s' is there twice", limit_name(limit));
    if (cJSON_IsString(value) && value->valuestring[0] > '9')      /* a number is no text */
        (void)text_copy(text, LIMIT_TEXT_MAX, value->valuestring); /* "" where it is too long */
    else if (cJSON_IsNumber(value) && json_read_number(value, &number) && number <= UINT32_MAX)
        snprintf(text, sizeof text, "%u", (unsigned)number);
    if (!limit_parse(limit, text, &target->limits->values[limit]))
        return refuse(target, "limit '%s' takes %s", limit_name(limit), limit_takes(limit));
    return true;
}

static bool read_limits(const struct target *target, const cJSON *value)
{
    const cJSON *limit;
    if (!cJSON_IsObject(value))
        return refuse(target, "'limits' is not an object");
    cJSON_ArrayForEach(limit, value)
    {
        if (!read_limit(target, limit))
            return false;
    }
    return true;
}

static bool read_state(const struct target *target, const cJSON *value)
{
    for (enum device_state state = DEVICE_DISABLED; state <= DEVICE_REVOKED; state++) {
        if (cJSON_IsString(value) && strcmp(value->valuestring, device_state_name(state)) == 0) {
            target->device->state = state;
            return true;
        }
    }
    return refuse(target, "'state' is none of 'enabled', 'disabled', 'revoked'");
}

static bool read_reason(const struct target *target, const cJSON *value)
{
    return read_text(target, value, target->device->reason, REASON_MAX);
}

static bool read_client_id(const struct target *target, const cJSON *value)
{
    char *pattern = target->device->client_id;
    if (!read_text(target, value, pattern, CLIENT_ID_PATTERN_MAX))
        return false;
    if (strcmp(pattern, "any") == 0) /* one spelling, as 'set --client-id' keeps it */
        pattern[0] = '\0';
    return true;
}

static bool read_expires(const struct target *target, const cJSON *value)
{
    return read_time(target, value, &target->device->expires);
}

static bool read_generation(const struct target *target, const cJSON *value)
{
    return read_number(target, value, &target->device->generation);
}

static bool read_roles(const struct target *target, const cJSON *value)
{
    const cJSON *role;
    if (!cJSON_IsArray(value))
        return refuse(target, "'roles' is not an array");
    cJSON_ArrayForEach(role, value)
    {
        enum err e =
            cJSON_IsString(role) ? device_add_role(target->device, role->valuestring) : ERR_INVALID;
        if (e)
            return refuse(target, "role '%.64s': %s",
                          cJSON_IsString(role) ? role->valuestring : "?", err_text(e));
    }
    return true;
}

static bool read_attributes(const struct target *target, const cJSON *value)
{
    const cJSON *attribute;
    if (!cJSON_IsObject(value))
        return refuse(target, "'attributes' is not an object");
    cJSON_ArrayForEach(attribute, value)
    {
        const struct device *device = target->device;
        const char *name = attribute->string;
        enum err e = ERR_INVALID;
        if (attribute_find(device->attributes, device->attribute_count, name))
            e = ERR_EXISTS;
        else if (cJSON_IsString(attribute))
            e = device_set_attribute(target->device, name, attribute->valuestring);
        if (e)
            return refuse(target, "attribute '%.40s': %s", name, err_text(e));
    }
    return true;
}

static bool read_kind(const struct target *target, const cJSON *value,
                      struct credential *credential)
{
    uint64_t kind = 0;
    if (cJSON_IsString(value)) {
        kind = strcmp(value->valuestring, "key") == 0        ? CREDENTIAL_KEY
               : strcmp(value->valuestring, "password") == 0 ? CREDENTIAL_PASSWORD
               : strcmp(value->valuestring, "imported") == 0 ? CREDENTIAL_IMPORTED
                                                             : 0;
    } else if (!json_read_number(value, &kind)) {
        kind = 0;
    }
    credential->kind = (uint8_t)kind;
    return (kind >= 1 && kind <= UINT8_MAX) ||
           refuse(target,
                  "a credential's 'kind' is none of 'key', 'password', 'imported', 1 to 255");
}

static bool read_secret(const struct target *target, const cJSON *value,
                        struct credential *credential)
{
    if (!cJSON_IsString(value) || !hex_parse(credential->secret, CREDENTIAL_SECRET_MAX,
                                             &credential->secret_size, value->valuestring))
        return refuse(target, "a credential's 'secret' is not up to %d bytes in hexadecimal",
                      CREDENTIAL_SECRET_MAX);
    return true;
}

static bool read_id(const struct target *target, const cJSON *value, uint32_t *id)
{
    uint64_t number;
    if (!json_read_number(value, &number) || number < 1 || number >= UINT32_MAX)
        return refuse(target, "a credential's '%s' is not a number from 1 on", value->string);
    *id = (uint32_t)number;
    return true;
}

static bool read_credential_member(const struct target *target, const cJSON *value,
                                   struct credential *credential)
{
    const char *name = value->string;
    if (strcmp(name, "id") == 0)
        return read_id(target, value, &credential->id);
    if (strcmp(name, "kind") == 0)
        return read_kind(target, value, credential);
    if (strcmp(name, "secret") == 0)
        return read_secret(target, value, credential);
    if (strcmp(name, "label") == 0)
        return read_text(target, value, credential->label, CREDENTIAL_LABEL_MAX);
    if (strcmp(name, "created") == 0)
        return read_time(target, value, &credential->created);
    if (strcmp(name, "not_before") == 0)
        return read_time(target, value, &credential->not_before);
    if (strcmp(name, "expires") == 0)
        return read_time(target, value, &credential->expires);
    if (strcmp(name, "ended_by") == 0)
        return read_id(target, value, &credential->ended_by);
    return refuse(target, "a credential's member '%.40s' is not known", name);
}

static bool imported_sound(const char *secret, size_t size)
{
    struct password_hash hash;
    return strlen(secret) == size && !password_hash_parse(&hash, secret) &&
           !password_hash_too_slow(&hash);
}

/* Is it whole, and what this version would have made? Others of its device have lower ids. */
static bool credential_sound(const struct target *target, const struct credential *credential)
{
    const char *secret = (const char *)credential->secret;
    const struct device *device = target->device;
    size_t before = device->credential_count;
    bool sound = credential->id > 0 && credential->kind > 0 && credential->secret_size > 0;
    if (before && device->credentials[before - 1].id >= credential->id)
        return refuse(target, "the credentials' ids do not rise");
    if (credential->kind == CREDENTIAL_KEY)
        sound = sound && credential->secret_size == KEY_HASH_SIZE;
    if (credential->kind == CREDENTIAL_PASSWORD)
        sound = sound && credential->secret_size <= CRYPTO_PASSWORD_MAX &&
                strncmp(secret, "$argon2id$", 10) == 0 && strlen(secret) == credential->secret_size;
    if (credential->kind == CREDENTIAL_IMPORTED)
        sound = sound && imported_sound(secret, credential->secret_size);
    return sound || refuse(target, "a credential lacks its id, kind or secret, or they do not fit");
}

static bool read_credential(const struct target *target, const cJSON *value)
{
    struct credential credential = {0};
    const cJSON *member;
    bool fine = cJSON_IsObject(value) || refuse(target, "a credential is not an object");
    if (target->device->credential_count == CREDENTIALS_MAX)
        fine = refuse(target, "more than %d credentials", CREDENTIALS_MAX);
    cJSON_ArrayForEach(member, value)
    {
        fine = fine && read_credential_member(target, member, &credential);
    }
    fine = fine && credential_sound(target, &credential);
    if (fine)
        target->device->credentials[target->device->credential_count++] = credential;
    crypto_wipe(&credential, sizeof credential);
    return fine;
}

static bool read_credentials(const struct target *target, const cJSON *value)
{
    const cJSON *credential;
    if (target->secrets != WITH_SECRETS)
        return refuse(target, "credentials in a file whose first line says it has no hashes");
    if (!cJSON_IsArray(value))
        return refuse(target, "'credentials' is not an array");
    cJSON_ArrayForEach(credential, value)
    {
        if (!read_credential(target, credential))
            return false;
    }
    return true;
}

static bool read_next_credential(const struct target *target, const cJSON *value)
{
    uint64_t next;
    if (target->secrets != WITH_SECRETS)
        return refuse(target, "'next_credential' in a file whose first line says it has no hashes");
    if (!read_number(target, value, &next))
        return false;
    if (next < 1 || next > NEXT_CREDENTIAL_MAX)
        return refuse(target, "'next_credential' is out of range");
    target->device->next_credential = (uint32_t)next;
    return true;
}

/* What no member shows alone. */
static bool device_sound(const struct target *target)
{
    const struct device *device = target->device;
    size_t count = device->credential_count;
    if (count && device->credentials[count - 1].id >= device->next_credential)
        return refuse(target, "'next_credential' is missing or not above the credentials' ids");
    if (device->state == DEVICE_REVOKED && count)
        return refuse(target, "a revoked device has no credentials");
    if (target->secrets == WITH_SECRETS && !(device->generation && device->version))
        return refuse(target, "'generation' or 'version' is missing");
    return true;
}

/* The name under `key`, or NULL with a problem. */
static const char *read_name(const cJSON *json, const char *key, bool (*valid)(const char *),
                             char *problem)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, key);
    if (cJSON_IsString(name) && valid(name->valuestring))
        return name->valuestring;
    snprintf(problem, RECORD_PROBLEM_MAX + 1, "'%.140s' cannot be the name of a %s",
             cJSON_IsString(name) ? name->valuestring : "", key);
    return NULL;
}

bool device_from_json(struct device *device, const cJSON *json, enum secrets secrets,
                      char problem[static RECORD_PROBLEM_MAX + 1])
{
    static const struct member members[] = {{"device", NULL},
                                            {"state", read_state},
                                            {"reason", read_reason},
                                            {"note", read_note},
                                            {"client_id", read_client_id},
                                            {"roles", read_roles},
                                            {"rules", read_rules},
                                            {"limits", read_limits},
                                            {"attributes", read_attributes},
                                            {"credentials", read_credentials},
                                            {"next_credential", read_next_credential},
                                            {"expires", read_expires},
                                            {"generation", read_generation},
                                            {"version", read_version},
                                            {"created", read_created},
                                            {"changed", read_changed}};
    const char *id = read_name(json, "device", device_id_valid, problem);
    if (!id)
        return false;
    device_init(device, id);
    const struct target target = {.device = device,
                                  .note = device->note,
                                  .rules = &device->rules,
                                  .limits = &device->limits,
                                  .version = &device->version,
                                  .created = &device->created,
                                  .changed = &device->changed,
                                  .secrets = secrets,
                                  .problem = problem};
    bool fine = read_members(&target, json, members, sizeof members / sizeof *members) &&
                device_sound(&target);
    if (!fine)
        device_clear(device);
    return fine;
}

bool role_from_json(struct role *role, const cJSON *json, enum secrets secrets,
                    char problem[static RECORD_PROBLEM_MAX + 1])
{
    static const struct member members[] = {
        {"role", NULL},           {"note", read_note},       {"rules", read_rules},
        {"limits", read_limits},  {"version", read_version}, {"created", read_created},
        {"changed", read_changed}};
    const char *name = read_name(json, "role", role_name_valid, problem);
    if (!name)
        return false;
    role_init(role, name);
    const struct target target = {.device = NULL,
                                  .note = role->note,
                                  .rules = &role->rules,
                                  .limits = &role->limits,
                                  .version = &role->version,
                                  .created = &role->created,
                                  .changed = &role->changed,
                                  .secrets = secrets,
                                  .problem = problem};
    bool fine = read_members(&target, json, members, sizeof members / sizeof *members);
    if (fine && secrets == WITH_SECRETS && !role->version)
        fine = refuse(&target, "'version' is missing");
    if (!fine)
        role_clear(role);
    return fine;
}
