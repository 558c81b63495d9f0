#include "admin/imported.h"

#include <stdio.h>

#include "registry/password_hash.h"
#include "registry/text.h"

enum { AT_ONCE = 1000, TEXT_SIZE = 256 };

static void add_row(const struct call *call, const char *id, const struct credential *credential,
                    cJSON *rows)
{
    struct password_hash hash;
    char described[PASSWORD_SCHEME_MAX + 1], text[TEXT_SIZE];
    cJSON *row = cJSON_CreateObject();
    bool sound = password_hash_parse(&hash, (const char *)credential->secret) == NULL;
    password_hash_describe(described, &hash);
    if (call->json) {
        json_text(row, "device", id);
        json_text(row, "hash", described);
    } else {
        snprintf(text, sizeof text, "device %s", id);
        json_text(row, "what", text);
        snprintf(
            text, sizeof text,
            sound ? "no finding: its password is as Mosquitto hashed it (%s); see 'devreg rotate'"
                  : "its imported password is no hash (%s)",
            described);
        json_text(row, "problem", text);
    }
    (void)cJSON_AddItemToArray(rows, row);
}

static void look_at(const struct call *call, const struct device *device, cJSON *rows)
{
    for (size_t i = 0; i < device->credential_count; i++) {
        const struct credential *credential = &device->credentials[i];
        if (credential->kind == CREDENTIAL_IMPORTED && credential_live(credential, call->now))
            add_row(call, device->id, credential, rows);
    }
}

enum err imported_list(struct call *call, char after[static DEVICE_ID_MAX + 1], cJSON *rows)
{
    struct device device;
    enum err e = registry_read(call->registry);
    for (size_t i = 0; i < AT_ONCE && !e; i++) {
        e = registry_next_device(call->registry, after, &device);
        if (e && e != ERR_DAMAGED)
            break;
        (void)text_copy(after, DEVICE_ID_MAX, device.id); /* it is an id, or as long as one */
        if (!e) {
            look_at(call, &device, rows);
            device_clear(&device);
        }
        e = ERR_OK;
    }
    registry_end(call->registry);
    return e;
}
