#include "admin/presence_view.h"

#include <stdio.h>

#include "registry/text.h"

enum { PATH_SIZE = 4096 };

void presence_view_open(struct presence_view *view, const struct call *call)
{
    char path[PATH_SIZE];
    *view = (struct presence_view){0};
    int length = snprintf(path, sizeof path, "%s/" PRESENCE_SUBDIR, call->dir);
    if (length < 0 || length >= PATH_SIZE)
        return;
    if (store_open(&view->store, path, STORE_PRESENCE, STORE_READ) != ERR_OK) {
        view->store = NULL;
        return;
    }
    if (txn_reader(&view->txn, view->store) != ERR_OK)
        view->txn = NULL;
}

void presence_view_close(struct presence_view *view)
{
    txn_close(view->txn);
    store_close(view->store);
    *view = (struct presence_view){0};
}

void presence_view_begin(struct presence_view *view)
{
    char topic[RULE_FILTER_MAX + 1];
    if (view->txn && txn_renew(view->txn) != ERR_OK) {
        txn_close(view->txn);
        view->txn = NULL;
    }
    view->off = view->txn && presence_topic_get(view->txn, topic) == ERR_OK && !*topic;
}

void presence_view_end(struct presence_view *view)
{
    if (view->txn)
        txn_reset(view->txn);
}

const char *presence_state_name(enum presence_state state)
{
    static const char *const names[] = {"unknown", "never", "offline", "online"};
    return names[state];
}

enum presence_state presence_view_get(const struct presence_view *view, const struct device *device,
                                      struct presence *presence)
{
    enum err e =
        view->txn && !view->off ? presence_get(view->txn, device->id, presence) : ERR_NO_REGISTRY;
    if (e == ERR_NOT_FOUND || (!e && presence->generation != device->generation))
        return PRESENCE_NEVER;
    if (e)
        return PRESENCE_UNKNOWN;
    return presence->online ? PRESENCE_ONLINE : PRESENCE_OFFLINE;
}

cJSON *presence_to_json(enum presence_state state, const struct presence *presence)
{
    cJSON *object = cJSON_CreateObject();
    json_text(object, "state", presence_state_name(state));
    if (state != PRESENCE_ONLINE && state != PRESENCE_OFFLINE)
        return object;
    json_time(object, "since", presence->since);
    json_time(object, "connected_at", presence->connected_at);
    if (state == PRESENCE_OFFLINE)
        json_text(object, "reason", reason_name(presence->reason));
    json_text(object, "client", presence->client);
    json_text(object, "address", presence->address);
    json_number(object, "protocol", presence->protocol);
    json_number(object, "keepalive", presence->keepalive);
    json_text(object, "session", presence->persistent ? "persistent" : "clean");
    json_number(object, "credential", presence->credential);
    json_number(object, "conn", presence->conn);
    json_number(object, "seq", presence->seq);
    return object;
}

void presence_view_topic(const struct presence_view *view, char topic[static RULE_FILTER_MAX + 1])
{
    if (!view->txn || presence_topic_get(view->txn, topic) != ERR_OK)
        (void)text_copy(topic, RULE_FILTER_MAX, "devreg/presence/%u"); /* it fits */
}
