#include "admin/presence_view.h"

#include "admin/complain.h"
#include "registry/text.h"

void presence_view_open(struct presence_view *view, const struct call *call)
{
    *view = (struct presence_view){0};
    view->error = store_open(&view->store, call->presence, STORE_PRESENCE, STORE_READ);
    if (view->error) {
        view->store = NULL;
        return;
    }
    view->error = txn_reader(&view->txn, view->store);
    if (view->error)
        view->txn = NULL;
}

void presence_view_close(struct presence_view *view)
{
    txn_close(view->txn);
    store_close(view->store);
    *view = (struct presence_view){0};
}

void presence_view_warn(const struct presence_view *view, const struct call *call)
{
    if (view->error && view->error != ERR_NO_REGISTRY && view->error != ERR_PERMISSION)
        warn("the presence in " SHOWN " cannot be read: %s; %s", call->presence,
             err_text(view->error),
             view->error == ERR_DAMAGED || view->error == ERR_BROKEN
                 ? "the broker makes a damaged one anew when it starts"
                 : err_remedy(view->error));
}

void presence_view_begin(struct presence_view *view)
{
    char topic[RULE_FILTER_MAX + 1];
    if (view->txn)
        view->error = txn_renew(view->txn);
    if (view->txn && view->error) {
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
    bool noted = !e && presence->generation == device->generation;
    if (!noted)
        *presence = (struct presence){0};
    if (e && e != ERR_NOT_FOUND)
        return PRESENCE_UNKNOWN;
    if (!presence->connections)
        return PRESENCE_NEVER;
    return presence->online ? PRESENCE_ONLINE : PRESENCE_OFFLINE;
}

bool presence_view_used(const struct presence_view *view, const struct device *device,
                        uint32_t credential)
{
    struct presence presence;
    return view->txn && presence_get(view->txn, device->id, &presence) == ERR_OK &&
           presence.generation == device->generation && presence_used(&presence, credential);
}

bool presence_view_quarantine(const struct presence_view *view, const struct device *device,
                              struct quarantine *quarantine)
{
    if (!view->txn)
        return false;
    enum err e = quarantine_get(view->txn, device->id, quarantine);
    if (e == ERR_DAMAGED) /* the broker takes it for one, too */
        *quarantine = (struct quarantine){0};
    return e == ERR_DAMAGED ||
           (!e && quarantine_holds(quarantine, device->generation, device->version));
}

void quarantine_to_json(cJSON *object, const struct quarantine *quarantine)
{
    cJSON *added = cJSON_AddObjectToObject(object, "quarantine");
    json_time(added, "since", quarantine->since);
    cJSON *addresses = json_array(added, "addresses");
    json_add(addresses, quarantine->addresses[0]);
    json_add(addresses, quarantine->addresses[1]);
}

enum status presence_view_check(const struct presence_view *view, struct call *call,
                                const char *asked)
{
    if (!view->txn && view->error == ERR_NO_REGISTRY)
        return complain(call, STATUS_FAILED,
                        "--%s: there is no presence in " SHOWN
                        ": start the broker with devreg.so, which makes it",
                        asked, call->presence);
    if (!view->txn)
        return complain(
            call, STATUS_FAILED, "--%s: the presence in " SHOWN " cannot be read: %s; %s", asked,
            call->presence, err_text(view->error),
            view->error == ERR_PERMISSION ? permission_remedy()
                                          : "the broker makes a damaged one anew when it starts");
    if (view->off)
        return complain(call, STATUS_FAILED,
                        "--%s: the broker notes no presence; run it with plugin_opt_presence on",
                        asked);
    return STATUS_DONE;
}

static void add_tally(cJSON *object, const char *key, const struct tally *tally)
{
    cJSON *added = cJSON_AddObjectToObject(object, key);
    json_number(added, "count", tally->count);
    json_time(added, "last", tally->last);
}

static void add_connection(cJSON *object, enum presence_state state,
                           const struct presence *presence)
{
    json_time(object, "since", presence->since);
    json_time(object, "connected_at", presence->connected_at);
    json_time(object, "ended_at", presence->ended_at);
    if (state == PRESENCE_OFFLINE || presence->ended_at)
        json_text(object, "reason", reason_name(presence->reason));
    json_text(object, "client", presence->client);
    json_text(object, "address", presence->address);
    json_number(object, "protocol", presence->protocol);
    json_number(object, "keepalive", presence->keepalive);
    json_text(object, "session", presence->persistent ? "persistent" : "clean");
    json_number(object, "credential", presence->credential);
    json_number(object, "conn", presence->conn);
    json_number(object, "seq", presence->seq);
}

cJSON *presence_to_json(enum presence_state state, const struct presence *presence)
{
    cJSON *object = cJSON_CreateObject();
    json_text(object, "state", presence_state_name(state));
    if (state == PRESENCE_UNKNOWN)
        return object;
    if (state != PRESENCE_NEVER)
        add_connection(object, state, presence);
    json_number(object, "connections", presence->connections);
    add_tally(object, "failures", &presence->failures);
    add_tally(object, "denials", &presence->denials);
    return object;
}

void presence_view_topic(const struct presence_view *view, char topic[static RULE_FILTER_MAX + 1])
{
    if (!view->txn || presence_topic_get(view->txn, topic) != ERR_OK)
        (void)text_copy(topic, RULE_FILTER_MAX, "devreg/presence/%u"); /* it fits */
}
