#include "plugin/events.h"

#include <stdio.h>
#include <string.h>

#include "plugin/clock.h"
#include "plugin/json_text.h"
#include "plugin/message.h"
#include "registry/key.h"
#include "registry/text.h"

enum {
    FORMAT = 1,
    TEXT_MAX = 200, /* bytes of a client id or topic; a longer one is cut */
    KIND_MAX = 16,
    ESCAPED = 6, /* bytes that one takes at the most */
    JSON_MAX = 400 + DEVICE_ID_MAX + ESCAPED * (2 * TEXT_MAX + 2 * PRESENCE_ADDRESS_MAX),
    TOPIC_SIZE = sizeof RESERVED_TOPIC "/event//" + DEVICE_ID_MAX + KIND_MAX
};

/* One that is being written. */
struct event {
    char text[JSON_MAX];
    struct json_text json;
    const char *device, *kind;
};

void events_open(struct events *events, bool on)
{
    *events = (struct events){.on = on};
    crypto_random(events->key, sizeof events->key);
}

void events_close(struct events *events)
{
    event_buckets_close(&events->buckets);
    *events = (struct events){0};
}

/* Which of a device's; they are in sets that follow each other. */
enum bucket { BUCKET_OWN, BUCKET_STRANGERS, BUCKET_DUPLICATES };

static bool take(struct events *events, const char *device, enum bucket which, uint32_t *dropped)
{
    uint64_t hash = crypto_table_hash(device, strlen(device), events->key);
    return event_buckets_take(&events->buckets, hash + (uint64_t)which, clock_steady(), dropped);
}

/* Begins an event. False where there is none: they are off, or too many. */
static bool begin_in(struct events *events, struct event *event, enum bucket which,
                     const char *device, const char *kind, int64_t now)
{
    uint32_t dropped;
    if (!events->on || !take(events, device, which, &dropped))
        return false;
    event->device = device;
    event->kind = kind;
    event->json = json_begin(event->text, sizeof event->text, FORMAT);
    json_add_word(&event->json, "device", device);
    json_add_word(&event->json, "kind", kind);
    json_add_number(&event->json, "ts", (uint64_t)now);
    if (dropped)
        json_add_number(&event->json, "dropped", dropped);
    return true;
}

static bool begin(struct events *events, struct event *event, const char *device, const char *kind,
                  int64_t now)
{
    return begin_in(events, event, BUCKET_OWN, device, kind, now);
}

/* With presence off connections have no numbers. */
static void add_conn(struct event *event, const struct connection *connection)
{
    if (connection->conn)
        json_add_number(&event->json, "conn", connection->conn);
}

/* A key that was typed into the wrong field is not for whoever may read events. */
static void add_text(struct event *event, const char *name, const char *value)
{
    char cut[TEXT_MAX + 1];
    text_cut(cut, TEXT_MAX, value);
    key_hide(cut);
    char member[KIND_MAX + 4];
    int size = snprintf(member, sizeof member, ",\"%s\":", name);
    json_put_text(&event->json, member, (size_t)size, cut);
}

/* What cannot be handed over is lost: nobody is told of an event twice, or waits for it. */
static void end(struct event *event)
{
    char topic[TOPIC_SIZE];
    snprintf(topic, sizeof topic, RESERVED_TOPIC "/event/%s/%s", event->device, event->kind);
    (void)message_send_text(topic, event->text, json_end(&event->json), false);
}

void event_connect(struct events *events, const struct connection *connection, int64_t now)
{
    struct event event;
    if (!begin(events, &event, connection->device_id, "connect", now))
        return;
    add_conn(&event, connection);
    add_text(&event, "client", connection->client_id);
    if (connection->address[0])
        add_text(&event, "address", connection->address);
    json_add_number(&event.json, "protocol", connection->protocol);
    json_add_word(&event.json, "session", connection->clean ? "clean" : "persistent");
    end(&event);
}

void event_disconnect(struct events *events, const struct connection *connection,
                      enum reason reason, int64_t now)
{
    struct event event;
    if (!begin(events, &event, connection->device_id, "disconnect", now))
        return;
    add_conn(&event, connection);
    add_text(&event, "client", connection->client_id);
    json_add_word(&event.json, "reason", reason_name(reason));
    end(&event);
}

void event_expired(struct events *events, const struct connection *connection, int64_t now)
{
    struct event event;
    if (begin(events, &event, connection->device_id, "expired", now))
        end(&event);
}

void event_denied(struct events *events, const struct connection *connection, bool publish,
                  const char *topic, int64_t now)
{
    struct event event;
    if (!begin(events, &event, connection->device_id, "denied", now))
        return;
    json_add_word(&event.json, "access", publish ? "publish" : "subscribe");
    add_text(&event, "topic", topic);
    add_text(&event, "client", connection->client_id);
    end(&event);
}

void event_limited(struct events *events, const char *device, const char *limit, const char *topic,
                   const char *client_id, int64_t now)
{
    struct event event;
    if (!begin(events, &event, device, "limited", now))
        return;
    json_add_word(&event.json, "limit", limit);
    if (topic)
        add_text(&event, "topic", topic);
    add_text(&event, "client", client_id);
    end(&event);
}

void event_auth_failed(struct events *events, const char *device, const char *client_id,
                       const char *address, const char *reason, int64_t now)
{
    struct event event;
    if (!begin_in(events, &event, BUCKET_STRANGERS, device, "auth_failed", now))
        return;
    add_text(&event, "client", client_id);
    if (address && text_is_plain(address, PRESENCE_ADDRESS_MAX))
        add_text(&event, "address", address);
    json_add_word(&event.json, "reason", reason);
    end(&event);
}

void event_duplicate_use(struct events *events, const struct connection *connection,
                         const char *taken_from, bool refused, int64_t now)
{
    struct event event;
    if (!begin_in(events, &event, BUCKET_DUPLICATES, connection->device_id, "duplicate_use", now))
        return;
    add_text(&event, "client", connection->client_id);
    add_text(&event, "address", connection->address);
    add_text(&event, "other", taken_from);
    json_add_word(&event.json, "action", refused ? "quarantined" : "reported");
    end(&event);
}

void event_change(struct events *events, const struct log_entry *entry)
{
    static const char *const kinds[LOG_VERB_COUNT] = {
        [LOG_ADD] = "added",      [LOG_DISABLE] = "disabled", [LOG_ENABLE] = "enabled",
        [LOG_REVOKE] = "revoked", [LOG_REMOVE] = "removed",   [LOG_ROTATE] = "rotated",
    };
    const char *kind = (unsigned)entry->verb < LOG_VERB_COUNT ? kinds[entry->verb] : NULL;
    struct event event;
    if (kind && begin(events, &event, entry->subject, kind, entry->time))
        end(&event);
}
