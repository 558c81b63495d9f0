#include "watch.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "deadline.h"

struct client *watch_open(struct scene *scene, const char *device)
{
    char topic[192];
    if (scene_key(scene, "watcher") == NULL) {
        scene_add(scene, "watcher");
        scene_do(scene, "allow watcher subscribe devreg/#");
    }
    struct client *watch = scene_device(scene, "watcher");
    check(snprintf(topic, sizeof topic, "devreg/presence/%s", device) > 0);
    assert_int_equal(client_subscribe(watch, topic, 1), 1);
    return watch;
}

static void text_take(char *to, size_t size, const cJSON *json, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
    if (text == NULL || !path_join(to, size, text, ""))
        fail_msg("the presence message has no text '%s'", name);
}

static uint64_t number_take(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!cJSON_IsNumber(item) || item->valuedouble < 0)
        fail_msg("the presence message has no number '%s'", name);
    return (uint64_t)item->valuedouble;
}

static struct sighting sighting_parse(const cJSON *json)
{
    enum { ONLINE_FIELDS = 13, OFFLINE_FIELDS = 15 };
    struct sighting seen = {.version = number_take(json, "v")};
    char state[16];
    text_take(state, sizeof state, json, "state");
    text_take(seen.device, sizeof seen.device, json, "device");
    text_take(seen.client, sizeof seen.client, json, "client");
    text_take(seen.address, sizeof seen.address, json, "address");
    text_take(seen.session, sizeof seen.session, json, "session");
    seen.generation = number_take(json, "generation");
    seen.seq = number_take(json, "seq");
    seen.conn = number_take(json, "conn");
    seen.protocol = number_take(json, "protocol");
    seen.keepalive = number_take(json, "keepalive");
    seen.ts = (int64_t)number_take(json, "ts");
    seen.since = (int64_t)number_take(json, "since");
    seen.online = strcmp(state, "online") == 0;
    if (!seen.online) {
        assert_string_equal(state, "offline");
        text_take(seen.reason, sizeof seen.reason, json, "reason");
        seen.connected_at = (int64_t)number_take(json, "connected_at");
    }
    assert_int_equal(cJSON_GetArraySize(json), seen.online ? ONLINE_FIELDS : OFFLINE_FIELDS);
    return seen;
}

struct sighting watch_next(struct client *watch)
{
    struct message *message = client_next(watch);
    while (strcmp(message->topic, "devreg/summary") == 0) {
        message_free(message);
        message = client_next(watch);
    }
    struct sighting seen = {.cleared = *message->payload == '\0'};
    if (!seen.cleared) {
        cJSON *json = cJSON_ParseWithOpts(message->payload, NULL, true);
        if (!cJSON_IsObject(json))
            fail_msg("not a presence message: %s", message->payload);
        seen = sighting_parse(json);
        cJSON_Delete(json);
        assert_int_equal(seen.version, 1);
        assert_string_equal(strrchr(message->topic, '/') + 1, seen.device);
        check(seen.since <= seen.ts && llabs(seen.ts - wall_ms()) < 60000);
    }
    seen.retained = message->retained;
    message_free(message);
    return seen;
}

struct sighting watch_online(struct client *watch)
{
    struct sighting seen = watch_next(watch);
    check(!seen.cleared && seen.online);
    return seen;
}

struct sighting watch_offline(struct client *watch, const char *reason)
{
    struct sighting seen = watch_next(watch);
    check(!seen.cleared && !seen.online);
    if (reason != NULL)
        assert_string_equal(seen.reason, reason);
    return seen;
}

struct sighting watch_until(struct client *watch, bool online)
{
    struct sighting before = {.seq = 0}, seen = watch_next(watch);
    while (seen.cleared || seen.online != online) {
        check(seen.cleared || seen.seq >= before.seq);
        before = seen;
        seen = watch_next(watch);
    }
    check(seen.seq >= before.seq);
    return seen;
}

static bool nothing_retained(struct scene *scene, const char *device)
{
    struct client *watch = watch_open(scene, device);
    client_sync(watch);
    bool none = watch->messages == NULL;
    client_disconnect(watch);
    return none;
}

void watch_until_none(struct scene *scene, const char *device)
{
    bool none;
    WAIT_UNTIL(none, nothing_retained(scene, device));
    if (!none)
        fail_msg("the presence message of %s is still retained", device);
}

const char *watch_reason(const char *known)
{
    return broker_version() >= 20100 ? known : "unknown";
}
