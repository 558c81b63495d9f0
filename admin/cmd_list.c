/* devreg list: the devices, a line each, streamed.
 *
 * The walk is cut into short read scopes, so that a long list into a slow pipe does not keep the
 * registry's old pages from being used again. A device that is added behind the walk is missed, as
 * it would be by a list taken a moment earlier.
 */
#include <string.h>

#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "admin/presence_view.h"
#include "admin/record_json.h"
#include "admin/when.h"

struct list {
    struct presence_view view;
    struct listing listing;
    char after[DEVICE_ID_MAX + 1];
    bool damaged;
    enum status status;
    /* What is asked for. */
    const char *state, *role;
    enum option presence; /* OPT_COUNT for any */
    int64_t offline_since;
};

/* Who is online, is asked in one way. */
static enum status take_presence(struct call *call, struct list *list)
{
    static const enum option options[] = {OPT_ONLY_ONLINE, OPT_ONLY_OFFLINE, OPT_OFFLINE_FOR,
                                          OPT_NEVER_SEEN};
    const char *duration = call_option(call, OPT_OFFLINE_FOR);
    int64_t ms;
    list->presence = OPT_COUNT;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (!call_option(call, options[i]))
            continue;
        if (list->presence != OPT_COUNT)
            return complain(call, STATUS_MISUSE, "--%s and --%s exclude each other: use one",
                            option_rows[list->presence].name, option_rows[options[i]].name);
        list->presence = options[i];
    }
    if (!duration)
        return STATUS_DONE;
    if (!duration_parse(&ms, duration) || ms == 0)
        return complain(call, STATUS_MISUSE, "--offline-for '" SHOWN "': write 7d or 12h",
                        duration);
    list->offline_since = call->now - ms;
    return STATUS_DONE;
}

static enum status take_filters(struct call *call, struct list *list)
{
    const char *pair, *value;
    char name[ATTRIBUTE_NAME_MAX + 1];
    size_t at = 0;
    enum status status = STATUS_DONE;
    list->state = call_option(call, OPT_ONLY_STATE);
    list->role = call_option(call, OPT_ONLY_ROLE);
    bool known = !list->state;
    for (enum device_state state = DEVICE_DISABLED; state <= DEVICE_REVOKED && !known; state++)
        known = strcmp(list->state, device_state_name(state)) == 0;
    if (!known)
        return complain(call, STATUS_MISUSE,
                        "--state '" SHOWN "': write enabled, disabled or revoked", list->state);
    if (list->role) {
        list->role = role_word(list->role);
        status = check_role_name(call, list->role);
    }
    if (!status)
        status = take_presence(call, list);
    while (!status && (pair = option_next(&call->arguments, OPT_ONLY_SET, &at)))
        status = pair_split(call, pair, name, &value);
    return status;
}

static bool holds_attributes(struct call *call, const struct device *device)
{
    char name[ATTRIBUTE_NAME_MAX + 1];
    const char *pair, *value;
    size_t at = 0;
    while ((pair = option_next(&call->arguments, OPT_ONLY_SET, &at))) {
        if (pair_split(call, pair, name, &value) != STATUS_DONE)
            return false;
        const char *held = attribute_find(device->attributes, device->attribute_count, name);
        if (!held || strcmp(held, value) != 0)
            return false;
    }
    return true;
}

/* Was it last online before `since`? One that never connected: was it made before? */
static bool silent_since(const struct device *device, enum presence_state state,
                         const struct presence *presence, int64_t since)
{
    if (state == PRESENCE_NEVER)
        return device->created <= since;
    return state == PRESENCE_OFFLINE && presence->since <= since;
}

static bool has_presence(const struct list *list, const struct device *device,
                         enum presence_state state, const struct presence *presence)
{
    switch (list->presence) {
    case OPT_ONLY_ONLINE:
        return state == PRESENCE_ONLINE;
    case OPT_ONLY_OFFLINE:
        return state == PRESENCE_OFFLINE;
    case OPT_NEVER_SEEN:
        return state == PRESENCE_NEVER;
    case OPT_OFFLINE_FOR:
        return silent_since(device, state, presence, list->offline_since);
    default:
        return true;
    }
}

static void add_row(struct list *list, const struct device *device, enum presence_state state,
                    const struct presence *presence)
{
    cJSON *row = device_to_json(device, WITHOUT_SECRETS);
    bool known = state == PRESENCE_ONLINE || state == PRESENCE_OFFLINE;
    cJSON_DeleteItemFromObject(row, "rules");
    cJSON_DeleteItemFromObject(row, "credentials");
    json_text(row, "presence", presence_state_name(state));
    json_time(row, "since", known ? presence->since : 0);
    listing_add(&list->listing, row);
}

static void offer(struct call *call, struct list *list, const struct device *device)
{
    struct presence presence;
    if ((list->state && strcmp(device_state_name(device->state), list->state) != 0) ||
        (list->role && !device_holds(device, list->role)) || !holds_attributes(call, device))
        return;
    enum presence_state state = presence_view_get(&list->view, device, &presence);
    if (has_presence(list, device, state, &presence))
        add_row(list, device, state, &presence);
}

/* One short scope. ERR_NOT_FOUND at the end, and where the presence that is asked for cannot be
 * told: then there is a complaint. */
static enum err list_some(struct call *call, struct list *list)
{
    const char *asked = list->presence == OPT_COUNT ? NULL : option_rows[list->presence].name;
    struct device device;
    enum err e = registry_read(call->registry);
    presence_view_begin(&list->view);
    if (asked)
        list->status = presence_view_check(&list->view, call, asked);
    if (!e && list->status)
        e = ERR_NOT_FOUND;
    for (size_t i = 0; i < LISTING_ROWS && !e; i++) {
        e = device_step(call, list->after, &device, &list->damaged);
        if (!e) {
            offer(call, list, &device);
            device_clear(&device);
        }
    }
    presence_view_end(&list->view);
    registry_end(call->registry);
    listing_flush(&list->listing);
    return e;
}

static enum status list_all(struct call *call, struct list *list)
{
    static const struct column columns[] = {{"device", "DEVICE", CELL_PLAIN},
                                            {"state", "STATE", CELL_PLAIN},
                                            {"roles", "ROLES", CELL_PLAIN},
                                            {"presence", "PRESENCE", CELL_PLAIN},
                                            {"since", "SINCE", CELL_TIME}};
    enum err e;
    listing_begin(&list->listing, call, columns, sizeof columns / sizeof *columns);
    while (!(e = list_some(call, list)) && !ferror(stdout))
        ;
    listing_end(&list->listing);
    if (e && e != ERR_NOT_FOUND)
        return complain_err(call, e);
    if (!list->status && list->damaged)
        list->status = complain_damaged(call);
    return list->status;
}

/* A role that is not there is a typing error, and not an empty list. */
static enum status check_role(struct call *call, const char *name)
{
    struct role role;
    enum status status = read_begin(call);
    if (!status)
        status = role_find(call, name, &role);
    if (!status)
        role_clear(&role);
    registry_end(call->registry);
    return status;
}

enum status cmd_list(struct call *call)
{
    struct list list = {.damaged = false};
    enum status status = take_filters(call, &list);
    if (!status && list.role)
        status = check_role(call, list.role);
    if (status)
        return status;
    presence_view_open(&list.view, call);
    status = list_all(call, &list);
    presence_view_close(&list.view);
    return status;
}
