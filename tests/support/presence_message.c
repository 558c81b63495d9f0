/* Presence messages and records, as presence_model.h looks at them. */
#include "tests/support/presence_model.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { JSON_HAS = MODEL_HAS_CONNECTIONS - 1 }; /* all but that */

struct reader {
    const cJSON *json;
    int left; /* fields that were not asked for yet */
    const char *error;
};

static const cJSON *field(struct reader *reader, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(reader->json, name);
    reader->left -= item != NULL;
    return item;
}

static uint64_t number(struct reader *reader, const char *name)
{
    const cJSON *item = field(reader, name);
    if (cJSON_IsNumber(item) && item->valuedouble >= 0)
        return (uint64_t)item->valuedouble;
    reader->error = name;
    return 0;
}

static const char *text(struct reader *reader, const char *name)
{
    const char *value = cJSON_GetStringValue(field(reader, name));
    if (!value)
        reader->error = name;
    return value ? value : "";
}

static bool is_one_of(struct reader *reader, const char *name, const char *yes, const char *no)
{
    const char *value = text(reader, name);
    if (strcmp(value, yes) != 0 && strcmp(value, no) != 0)
        reader->error = name;
    return strcmp(value, yes) == 0;
}

static enum reason reason_read(struct reader *reader)
{
    const char *name = text(reader, "reason");
    for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
        if (strcmp(reason_name(reason), name) == 0)
            return reason;
    }
    reader->error = "reason";
    return REASON_NONE;
}

static void message_read(struct reader *reader, struct model_message *message, const char *device)
{
    bool online = is_one_of(reader, "state", "online", "offline");
    *message = (struct model_message){
        .what = online ? MODEL_ONLINE : MODEL_OFFLINE,
        .has = JSON_HAS,
        .generation = number(reader, "generation"),
        .seq = number(reader, "seq"),
        .conn = number(reader, "conn"),
        .protocol = (int)number(reader, "protocol"),
        .keepalive = (uint16_t)number(reader, "keepalive"),
        .persistent = is_one_of(reader, "session", "persistent", "clean"),
        .since = (int64_t)number(reader, "since"),
    };
    (void)snprintf(message->client, sizeof message->client, "%s", text(reader, "client"));
    (void)number(reader, "ts");
    if (number(reader, "v") != 1)
        reader->error = "v";
    if (strcmp(text(reader, "device"), device) != 0)
        reader->error = "device";
    (void)field(reader, "address"); /* not every broker tells it */
    if (!online) {
        message->reason = reason_read(reader);
        message->connected_at = (int64_t)number(reader, "connected_at");
    } else {
        message->has &= ~(unsigned)(MODEL_HAS_REASON | MODEL_HAS_CONNECTED_AT);
    }
    if (reader->left)
        reader->error = "a field that does not belong there";
}

static bool plain_read(struct model_message *message, const char *payload, const char **error)
{
    bool online = strcmp(payload, "online") == 0;
    *message = (struct model_message){.what = online ? MODEL_ONLINE : MODEL_OFFLINE};
    if (online || strcmp(payload, "offline") == 0)
        return true;
    *error = "neither online nor offline";
    return false;
}

bool model_message_parse(struct model_message *message, const char *device, bool plain,
                         const char *payload, const char **error)
{
    *message = (struct model_message){.what = MODEL_NONE};
    *error = NULL;
    if (!payload || !*payload)
        return true;
    if (plain)
        return plain_read(message, payload, error);
    cJSON *json = cJSON_ParseWithOpts(payload, NULL, true);
    struct reader reader = {.json = json, .left = cJSON_GetArraySize(json)};
    if (cJSON_IsObject(json))
        message_read(&reader, message, device);
    else
        reader.error = "no JSON object";
    cJSON_Delete(json);
    *error = reader.error;
    return !reader.error;
}

void model_message_of_record(struct model_message *message, const struct presence *record)
{
    *message = (struct model_message){.what = MODEL_NONE,
                                      .has = JSON_HAS | MODEL_HAS_CONNECTIONS,
                                      .generation = record->generation,
                                      .seq = record->seq,
                                      .conn = record->conn,
                                      .connections = record->connections,
                                      .protocol = record->protocol,
                                      .keepalive = record->keepalive,
                                      .persistent = record->persistent,
                                      .reason = record->reason,
                                      .since = record->since,
                                      .connected_at = record->connected_at};
    if (record->connections)
        message->what = record->online ? MODEL_ONLINE : MODEL_OFFLINE;
    memcpy(message->client, record->client, sizeof message->client);
}
