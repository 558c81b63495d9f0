#include "plugin/message.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/mosq.h"

enum { QOS = 1, FORMAT = 1 };

void message_topic(char topic[static RULE_FILTER_MAX + 1], const char *pattern, const char *device)
{
    const char *variable = strstr(pattern, "%u");
    int before = variable ? (int)(variable - pattern) : (int)strlen(pattern);
    snprintf(topic, RULE_FILTER_MAX + 1, "%.*s%s%s", before, pattern, variable ? device : "",
             variable ? variable + 2 : "");
}

/* False where one of them could not be added. */
static bool add_number(cJSON *object, const char *name, uint64_t value)
{
    return cJSON_AddNumberToObject(object, name, (double)value);
}

static bool add_text(cJSON *object, const char *name, const char *value)
{
    return cJSON_AddStringToObject(object, name, value);
}

static bool add_all(cJSON *object, const char *device, const struct presence *p, int64_t now)
{
    bool good = add_number(object, "v", FORMAT) && add_text(object, "device", device) &&
                add_number(object, "generation", p->generation) &&
                add_text(object, "state", p->online ? "online" : "offline") &&
                add_number(object, "seq", p->seq) && add_number(object, "conn", p->conn) &&
                add_number(object, "ts", (uint64_t)now) &&
                add_number(object, "since", (uint64_t)p->since) &&
                add_text(object, "client", p->client);
    if (good && p->address[0])
        good = add_text(object, "address", p->address);
    if (good && p->protocol)
        good = add_number(object, "protocol", p->protocol);
    good = good && add_number(object, "keepalive", p->keepalive) &&
           add_text(object, "session", p->persistent ? "persistent" : "clean");
    if (good && !p->online)
        good = add_text(object, "reason", reason_name(p->reason)) &&
               add_number(object, "connected_at", (uint64_t)p->connected_at);
    return good;
}

/* The text is freed with free; NULL for want of memory. */
static char *json(const char *device, const struct presence *presence, int64_t now)
{
    cJSON *object = cJSON_CreateObject();
    char *text = NULL;
    if (object && add_all(object, device, presence, now))
        text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return text;
}

static bool publish(const char *topic, const char *payload)
{
    size_t size = strlen(payload);
    void *copy = NULL; /* the broker frees it with its own function, so it comes from there */
    if (size) {
        copy = mosquitto_malloc(size);
        if (!copy)
            return false;
        memcpy(copy, payload, size);
    }
    if (mosquitto_broker_publish(NULL, topic, (int)size, copy, QOS, true, NULL) !=
        MOSQ_ERR_SUCCESS) {
        mosquitto_free(copy);
        return false;
    }
    return true;
}

bool message_publish(const struct options *options, const char *device,
                     const struct presence *presence, int64_t now)
{
    char topic[RULE_FILTER_MAX + 1];
    if (!options->presence)
        return true;
    message_topic(topic, options->presence_topic, device);
    if (options->presence_format == PRESENCE_PLAIN)
        return publish(topic, presence->online ? "online" : "offline");
    char *text = json(device, presence, now);
    bool done = text && publish(topic, text);
    free(text);
    return done;
}

bool message_clear(const char *pattern, const char *device)
{
    char topic[RULE_FILTER_MAX + 1];
    message_topic(topic, pattern, device);
    return publish(topic, "");
}
