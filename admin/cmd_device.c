/* devreg disable, enable, revoke, remove: of one device, or of many. */
#include <stdio.h>
#include <string.h>

#include "admin/answer.h"
#include "admin/change.h"
#include "admin/change_many.h"
#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/json.h"
#include "admin/lookup.h"

/* Moves the device to the state that `context` points to, where that is possible. */
static enum status change_state(struct call *call, struct device *device, void *context)
{
    const enum device_state *state = context;
    if (device->state == *state)
        return complain(call, STATUS_NO, "%s: it is %s already; see 'devreg show %s'", device->id,
                        device_state_name(*state), device->id);
    if (device->state == DEVICE_REVOKED)
        return complain_revoked(call, device->id);
    device->state = *state;
    device->reason[0] = '\0';
    if (*state == DEVICE_REVOKED)
        device_drop_credentials(device);
    enum status status = text_take(call, OPT_REASON, device->reason, REASON_MAX);
    if (*device->reason)
        detail_add(call, "%s", device->reason);
    return status;
}

/* A verb that moves devices to a state. */
struct state_verb {
    enum device_state state;
    enum log_verb verb;
    const char *does, *did;
    const char *told; /* of one device */
};

static enum outcome move_one(struct call *call, struct device *device,
                             const struct presence_view *view, const struct pick *pick,
                             void *context)
{
    enum device_state state = *(const enum device_state *)context;
    (void)view;
    (void)pick;
    if (device->state == state)
        return OUTCOME_SAME;
    if (device->state == DEVICE_REVOKED)
        return OUTCOME_REVOKED;
    return change_state(call, device, context) ? OUTCOME_REFUSED : OUTCOME_CHANGED;
}

static enum status state_many(struct call *call, const struct state_verb *verb)
{
    enum device_state state = verb->state;
    const struct many_change change = {.does = verb->does,
                                       .did = verb->did,
                                       .rest = "",
                                       .verb = verb->verb,
                                       .edit = move_one,
                                       .context = &state};
    return change_many(call, &change);
}

static enum status state_one(struct call *call, const struct state_verb *verb)
{
    struct device device = {.credential_count = 0};
    enum device_state state = verb->state;
    enum status status =
        device_change(call, call_word(call, 0), &device, verb->verb, change_state, &state);
    if (!status)
        status = answer_device(call, &device, verb->told);
    device_clear(&device);
    return status;
}

static enum status state_verb(struct call *call, const struct state_verb *verb)
{
    char reason[REASON_MAX + 1];
    bool many;
    enum status status = many_asked(call, &many);
    if (!status)
        status = text_take(call, OPT_REASON, reason, REASON_MAX);
    if (status)
        return status;
    return many ? state_many(call, verb) : state_one(call, verb);
}

enum status cmd_disable(struct call *call)
{
    static const struct state_verb verb = {DEVICE_DISABLED, LOG_DISABLE, "disable", "disabled",
                                           "disabled"};
    return state_verb(call, &verb);
}

enum status cmd_enable(struct call *call)
{
    static const struct state_verb verb = {DEVICE_ENABLED, LOG_ENABLE, "enable", "enabled",
                                           "enabled"};
    return state_verb(call, &verb);
}

enum status cmd_revoke(struct call *call)
{
    static const struct state_verb verb = {DEVICE_REVOKED, LOG_REVOKE, "revoke", "revoked",
                                           "revoked, its keys are destroyed"};
    return state_verb(call, &verb);
}

static enum outcome remove_each(struct call *call, struct device *device,
                                const struct presence_view *view, const struct pick *pick,
                                void *context)
{
    (void)call;
    (void)device;
    (void)view;
    (void)pick;
    (void)context;
    return OUTCOME_CHANGED;
}

static enum status remove_many(struct call *call)
{
    static const struct many_change change = {.does = "remove",
                                              .did = "removed",
                                              .rest = "",
                                              .verb = LOG_REMOVE,
                                              .removes = true,
                                              .edit = remove_each};
    return change_many(call, &change);
}

/* What a damaged record held is not known, nor how its id was spelled: everything is to be looked
 * at afresh. */
static enum status remove_device(struct call *call, const char *id)
{
    char twin[DEVICE_ID_MAX + 1];
    bool damaged = registry_find_twin(call->registry, id, twin) == ERR_DAMAGED;
    enum err e = damaged ? registry_remove_damaged(call->registry, id)
                         : registry_remove_device(call->registry, id);
    enum status status = device_error(call, e, id);
    if (status) {
        change_end(call);
        return status;
    }
    if (damaged)
        detail_add(call, "%s, whose record was damaged", id);
    return change_commit(call, LOG_REMOVE, damaged ? LOG_BULK : LOG_DEVICE, damaged ? "" : id);
}

static enum status remove_one(struct call *call)
{
    const char *id = call_word(call, 0);
    enum status status = check_device_id(call, id);
    if (!status)
        status = change_begin(call);
    if (status)
        return status;
    status = remove_device(call, id);
    if (!status && call->json)
        (void)printf("{\"device\":\"%s\",\"removed\":true}\n", id); /* an id needs no escapes */
    else if (!status)
        tell_person("%s: removed", id);
    return status;
}

enum status cmd_remove(struct call *call)
{
    bool many;
    enum status status = many_asked(call, &many);
    if (status)
        return status;
    return many ? remove_many(call) : remove_one(call);
}
