/* presence_view.h - what the broker's plugin noted of a device, if this user may read it. */
#ifndef DEVREG_ADMIN_PRESENCE_VIEW_H
#define DEVREG_ADMIN_PRESENCE_VIEW_H

#include "admin/command.h"
#include "admin/json.h"
#include "registry/presence_store.h"
#include "registry/quarantine.h"

/* {0} is a closed one. */
struct presence_view {
    struct store *store;
    struct txn *txn; /* NULL where nothing can be read: then everything is unknown */
    enum err error;  /* why */
    bool off;        /* so it is where the plugin runs with plugin_opt_presence off */
};

/* Opens the presence store of the call's registry, quietly unknown where it cannot. */
void presence_view_open(struct presence_view *view, const struct call *call);
void presence_view_close(struct presence_view *view);

/* Says why nothing can be read, where that should be possible: the system failed, or the store is
 * damaged. Not within a scope. */
void presence_view_warn(const struct presence_view *view, const struct call *call);

/* Begins and ends a short scope; asking is fine within one only. */
void presence_view_begin(struct presence_view *view);
void presence_view_end(struct presence_view *view);

enum presence_state { PRESENCE_UNKNOWN, PRESENCE_NEVER, PRESENCE_OFFLINE, PRESENCE_ONLINE };

/* "unknown", "never" (connected), "offline", "online". */
const char *presence_state_name(enum presence_state state);

/* Fills `presence`, with zeros where nothing is noted of the device. It may be noted that a device
 * was refused which never connected. What is noted of a removed device of the same name does not
 * count. */
enum presence_state presence_view_get(const struct presence_view *view, const struct device *device,
                                      struct presence *presence);

/* Was that credential ever used? No where nothing can be read. It is noted of one that replaces
 * another also where the broker notes no presence. */
bool presence_view_used(const struct presence_view *view, const struct device *device,
                        uint32_t credential);

/* Is the device quarantined? It may be also where the broker notes no presence. No where nothing
 * can be read. */
bool presence_view_quarantine(const struct presence_view *view, const struct device *device,
                              struct quarantine *quarantine);

/* Can be told who is online? Else a complaint about the option `asked`. Within a scope. */
MUST_CHECK enum status presence_view_check(const struct presence_view *view, struct call *call,
                                           const char *asked);

/* {"state": "offline", "since": ..., "reason": ..., "client": ..., ..., "failures": {"count": 2,
 * "last": ...}, "denials": {...}}; of a device that never connected "state" and counts, and only
 * "state" where nothing is known. The caller ends it with cJSON_Delete. */
cJSON *presence_to_json(enum presence_state state, const struct presence *presence);

/* Adds "quarantine": {"since": ..., "addresses": ["192.0.2.1", "198.51.100.7"]}. */
void quarantine_to_json(cJSON *object, const struct quarantine *quarantine);

/* The presence topic that the plugin last ran with, or its default. */
void presence_view_topic(const struct presence_view *view, char topic[static RULE_FILTER_MAX + 1]);

#endif
