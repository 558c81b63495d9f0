#include "admin/record_json.h"

#include <string.h>

#include "admin/hex.h"

static void add_rules(cJSON *object, const struct rules *rules)
{
    char text[RULE_TEXT_MAX + 1];
    cJSON *array = json_array(object, "rules");
    for (size_t i = 0; i < rules->count; i++) {
        rule_format(text, &rules->items[i]);
        json_add(array, text);
    }
}

void limits_to_json(cJSON *object, const struct limits *limits)
{
    char text[LIMIT_TEXT_MAX + 1];
    if (!limits_any(limits))
        return;
    cJSON *members = cJSON_AddObjectToObject(object, "limits");
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        const uint32_t value = limits->values[limit];
        if (value == LIMIT_UNSET)
            continue;
        if (value == LIMIT_NONE || limit == LIMIT_RETAIN) {
            limit_format(text, limit, value);
            json_text(members, limit_name(limit), text);
        } else {
            json_number(members, limit_name(limit), value - LIMIT_OF(0));
        }
    }
}

bool limits_line(char text[static LIMITS_TEXT_MAX + 1], const cJSON *object)
{
    const cJSON *limits = cJSON_GetObjectItemCaseSensitive(object, "limits");
    size_t used = 0;
    text[0] = '\0';
    for (const cJSON *member = limits ? limits->child : NULL; member; member = member->next) {
        const char *word = cJSON_GetStringValue(member), *blank = used ? " " : "";
        char *at = text + used;
        size_t room = LIMITS_TEXT_MAX + 1 - used;
        used += (size_t)(word ? snprintf(at, room, "%s%s=%s", blank, member->string, word)
                              : snprintf(at, room, "%s%s=%.0f", blank, member->string,
                                         cJSON_GetNumberValue(member)));
    }
    return used;
}

static cJSON *credential_to_json(const struct credential *credential, enum secrets secrets)
{
    char hex[2 * CREDENTIAL_SECRET_MAX + 1];
    cJSON *object = cJSON_CreateObject();
    json_number(object, "id", credential->id);
    if (strcmp(credential_kind_name(credential), "other") == 0)
        json_number(object, "kind", credential->kind);
    else
        json_text(object, "kind", credential_kind_name(credential));
    json_text(object, "label", credential->label);
    json_time(object, "created", credential->created);
    json_time(object, "not_before", credential->not_before);
    json_time(object, "expires", credential->expires);
    if (credential->ended_by)
        json_number(object, "ended_by", credential->ended_by);
    if (secrets == WITH_SECRETS) {
        hex_format(hex, credential->secret, credential->secret_size);
        json_text(object, "secret", hex);
        crypto_wipe(hex, sizeof hex);
    }
    return object;
}

static void add_credentials(cJSON *object, const struct device *device, enum secrets secrets)
{
    cJSON *array = json_array(object, "credentials");
    for (size_t i = 0; i < device->credential_count; i++)
        (void)cJSON_AddItemToArray(array, credential_to_json(&device->credentials[i], secrets));
    if (secrets == WITH_SECRETS)
        json_number(object, "next_credential", device->next_credential);
}

cJSON *device_to_json(const struct device *device, enum secrets secrets)
{
    cJSON *object = cJSON_CreateObject();
    json_text(object, "device", device->id);
    json_text(object, "state", device_state_name(device->state));
    json_text(object, "reason", device->reason);
    json_text(object, "note", device->note);
    json_text(object, "client_id", device->client_id);
    cJSON *roles = json_array(object, "roles");
    for (size_t i = 0; i < device->role_count; i++)
        json_add(roles, device->roles[i]);
    add_rules(object, &device->rules);
    limits_to_json(object, &device->limits);
    cJSON *attributes = cJSON_AddObjectToObject(object, "attributes");
    for (size_t i = 0; i < device->attribute_count; i++)
        json_text(attributes, device->attributes[i].name, device->attributes[i].value);
    add_credentials(object, device, secrets);
    json_time(object, "expires", device->expires);
    json_number(object, "generation", device->generation);
    json_number(object, "version", device->version);
    json_time(object, "created", device->created);
    json_time(object, "changed", device->changed);
    return object;
}

cJSON *role_to_json(const struct role *role)
{
    cJSON *object = cJSON_CreateObject();
    json_text(object, "role", role->name);
    json_text(object, "note", role->note);
    add_rules(object, &role->rules);
    limits_to_json(object, &role->limits);
    json_number(object, "version", role->version);
    json_time(object, "created", role->created);
    json_time(object, "changed", role->changed);
    return object;
}
