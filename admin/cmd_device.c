/* devreg set, disable, enable, revoke, remove. */
#include <stdio.h>
#include <string.h>

#include "admin/answer.h"
#include "admin/change.h"
#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/json.h"
#include "admin/lookup.h"

static enum status take_fields(struct call *call, struct device *device)
{
    enum status status = device_take_options(call, device);
    for (size_t i = 1; i < call->arguments.word_count && !status; i++)
        status = device_take_pair(call, device, call_word(call, i));
    return status;
}

static enum status unset_attributes(struct call *call, struct device *device)
{
    size_t at = 0;
    const char *name;
    enum status status = STATUS_DONE;
    while (!status && (name = option_next(&call->arguments, OPT_UNSET, &at))) {
        if (device_unset_attribute(device, name) != ERR_OK)
            status =
                complain(call, STATUS_NO, "%s: it has no attribute '" SHOWN "'", device->id, name);
        detail_add(call, "-%s", name);
    }
    return status;
}

static enum status set_device(struct call *call, struct device *device, void *context)
{
    (void)context;
    enum status status = unset_attributes(call, device);
    if (!status)
        status = take_fields(call, device);
    if (!status && call_option(call, OPT_ROLES)) {
        device->role_count = 0;
        detail_add(call, "-@*");
        status = device_take_roles(call, device, OPT_ROLES);
    }
    if (!status)
        status = device_take_roles(call, device, OPT_ADD_ROLE);
    if (!status)
        status = device_drop_roles(call, device, OPT_REMOVE_ROLE);
    return status ? status : roles_check(call, device);
}

/* What can be seen to be wrong without the registry: on a device that nobody stores. */
static enum status check_fields(struct call *call, const char *id)
{
    struct device scratch;
    enum status status = check_device_id(call, id);
    if (status)
        return status;
    size_t common = (call->json ? 1u : 0u) + (call_option(call, OPT_REGISTRY) ? 1u : 0u);
    if (call->arguments.word_count == 1 && call->arguments.given_count == common)
        return complain(call, STATUS_MISUSE, "%s: nothing to set is named; see 'devreg set --help'",
                        id);
    device_init(&scratch, id);
    status = take_fields(call, &scratch);
    device_clear(&scratch);
    call->detail[0] = '\0';
    return status;
}

enum status cmd_set(struct call *call)
{
    struct device device = {.credential_count = 0};
    const char *id = call_word(call, 0);
    enum status status = check_fields(call, id);
    if (!status)
        status = device_change(call, id, &device, LOG_SET, set_device, NULL);
    if (!status)
        status = answer_device(call, &device, "changed");
    device_clear(&device);
    return status;
}

/* Moves the device to the state that `context` points to, where that is possible. */
static enum status change_state(struct call *call, struct device *device, void *context)
{
    const enum device_state *state = context;
    if (device->state == *state)
        return complain(call, STATUS_NO, "%s: it is %s already", device->id,
                        device_state_name(*state));
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

static enum status state_verb(struct call *call, enum device_state state, enum log_verb verb,
                              const char *done)
{
    struct device device = {.credential_count = 0};
    char reason[REASON_MAX + 1];
    enum status status = text_take(call, OPT_REASON, reason, REASON_MAX);
    if (!status)
        status = device_change(call, call_word(call, 0), &device, verb, change_state, &state);
    if (!status)
        status = answer_device(call, &device, done);
    device_clear(&device);
    return status;
}

enum status cmd_disable(struct call *call)
{
    return state_verb(call, DEVICE_DISABLED, LOG_DISABLE, "disabled");
}

enum status cmd_enable(struct call *call)
{
    return state_verb(call, DEVICE_ENABLED, LOG_ENABLE, "enabled");
}

enum status cmd_revoke(struct call *call)
{
    return state_verb(call, DEVICE_REVOKED, LOG_REVOKE, "revoked, its keys are destroyed");
}

enum status cmd_remove(struct call *call)
{
    const char *id = call_word(call, 0);
    enum status status = check_device_id(call, id);
    if (!status)
        status = change_begin(call);
    if (status)
        return status;
    status = device_error(call, registry_remove_device(call->registry, id), id);
    if (status) {
        change_end(call);
        return status;
    }
    status = change_commit(call, LOG_REMOVE, LOG_DEVICE, id);
    if (!status && call->json)
        (void)printf("{\"device\":\"%s\",\"removed\":true}\n", id); /* an id needs no escapes */
    else if (!status)
        tell_person("%s: removed", id);
    return status;
}
