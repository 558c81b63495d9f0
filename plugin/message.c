#include "plugin/message.h"

#include <assert.h>
#include <string.h>

#include "plugin/json_text.h"
#include "plugin/mosq.h"

enum {
    QOS = 1,
    FORMAT = 1,
    ESCAPED = 6, /* bytes that one takes at the most */
    JSON_MAX = 600 + DEVICE_ID_MAX + ESCAPED * (PRESENCE_CLIENT_MAX + PRESENCE_ADDRESS_MAX)
};

static size_t json(char text[static JSON_MAX], const char *device, const struct presence *p,
                   int64_t now)
{
    struct json_text json = json_begin(text, JSON_MAX, FORMAT);
    json_add_word(&json, "device", device);
    json_add_number(&json, "generation", p->generation);
    json_add_word(&json, "state", p->online ? "online" : "offline");
    json_add_number(&json, "seq", p->seq);
    json_add_number(&json, "conn", p->conn);
    json_add_number(&json, "ts", (uint64_t)now);
    json_add_number(&json, "since", (uint64_t)p->since);
    json_add_text(&json, "client", p->client);
    if (p->address[0])
        json_add_text(&json, "address", p->address);
    if (p->protocol)
        json_add_number(&json, "protocol", p->protocol);
    json_add_number(&json, "keepalive", p->keepalive);
    json_add_word(&json, "session", p->persistent ? "persistent" : "clean");
    if (!p->online) {
        json_add_word(&json, "reason", reason_name(p->reason));
        json_add_number(&json, "connected_at", (uint64_t)p->connected_at);
    }
    return json_end(&json);
}

static void *broker_copy(const char *text, size_t size)
{
    void *copy = mosquitto_malloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void *message_payload(const struct options *options, const char *device,
                      const struct presence *presence, int64_t now, size_t *size)
{
    char text[JSON_MAX];
    if (options->presence_format == PRESENCE_PLAIN) {
        const char *word = presence->online ? "online" : "offline";
        *size = strlen(word);
        return broker_copy(word, *size);
    }
    *size = json(text, device, presence, now);
    assert(*size); /* JSON_MAX is enough */
    return *size ? broker_copy(text, *size) : NULL;
}

static bool hand_over(const char *topic, void *payload, size_t size, int qos, bool retained)
{
    return mosquitto_broker_publish(NULL, topic, (int)size, payload, qos, retained, NULL) ==
           MOSQ_ERR_SUCCESS;
}

bool message_send(const char *topic, void *payload, size_t size)
{
    return hand_over(topic, payload, size, QOS, true);
}

bool message_clear(const char *topic)
{
    return message_send(topic, NULL, 0);
}

bool message_send_text(const char *topic, const char *text, size_t size, bool retained)
{
    void *payload = size ? broker_copy(text, size) : NULL;
    if (payload && hand_over(topic, payload, size, retained ? QOS : 0, retained))
        return true;
    mosquitto_free(payload);
    return false;
}
