/* devreg set: of one device, or of many. */
#include <string.h>

#include "admin/answer.h"
#include "admin/change.h"
#include "admin/change_many.h"
#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/lookup.h"
#include "registry/record.h"

/* Attributes are the words behind the ID; of many devices all words. */
static enum status take_fields(struct call *call, struct device *device)
{
    enum status status = device_take_options(call, device);
    for (size_t i = call_option(call, OPT_WHERE) ? 0 : 1; i < call->arguments.word_count && !status;
         i++)
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
            status = complain(call, STATUS_NO,
                              "%s: it has no attribute '" SHOWN "'; see 'devreg show %s'",
                              device->id, name, device->id);
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
static enum status check_fields(struct call *call)
{
    static const enum option fields[] = {OPT_NOTE,  OPT_EXPIRES, OPT_CLIENT_ID, OPT_SET,
                                         OPT_UNSET, OPT_ROLES,   OPT_ADD_ROLE,  OPT_REMOVE_ROLE};
    struct device scratch;
    bool any = call->arguments.word_count > (call_option(call, OPT_WHERE) ? 0 : 1);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        any |= call_option(call, fields[i]) != NULL;
    if (!any)
        return complain(call, STATUS_MISUSE, "%s: nothing to set is named; see 'devreg set --help'",
                        call_option(call, OPT_WHERE) ? "--where" : call_word(call, 0));
    device_init(&scratch, "scratch");
    enum status status = take_fields(call, &scratch);
    device_clear(&scratch);
    call->detail[0] = '\0';
    return status;
}

/* Of many devices each is to become so, and may be so already. */
static enum status become(struct call *call, struct device *device)
{
    size_t at = 0;
    const char *name;
    while ((name = option_next(&call->arguments, OPT_UNSET, &at))) {
        detail_add(call, "-%s", name);
        if (device_unset_attribute(device, name) != ERR_OK)
            continue; /* it had none */
    }
    enum status status = take_fields(call, device);
    if (!status && call_option(call, OPT_ROLES)) {
        device->role_count = 0;
        detail_add(call, "-@*");
        status = device_take_roles(call, device, OPT_ROLES);
    }
    for (at = 0; !status && (name = option_next(&call->arguments, OPT_ADD_ROLE, &at));) {
        detail_add(call, "+@%s", role_word(name));
        if (device_add_role(device, role_word(name)) == ERR_TOO_MANY)
            status =
                complain(call, STATUS_NO, "--add-role: a device holds at most %d roles", ROLES_MAX);
    }
    for (at = 0; !status && (name = option_next(&call->arguments, OPT_REMOVE_ROLE, &at));) {
        detail_add(call, "-@%s", role_word(name));
        if (device_remove_role(device, role_word(name)) != ERR_OK)
            continue; /* it did not hold it */
    }
    return status;
}

/* A device before and after. */
struct records {
    struct pack before, after;
};

static enum outcome set_one(struct call *call, struct device *device,
                            const struct presence_view *view, const struct pick *pick,
                            void *context)
{
    struct records *records = context;
    (void)view;
    (void)pick;
    records->before.size = records->after.size = 0;
    device_encode(&records->before, device);
    enum status status = become(call, device);
    if (status)
        return status == STATUS_FAILED ? OUTCOME_FAILED : OUTCOME_REFUSED;
    device_encode(&records->after, device);
    if (records->before.failed || records->after.failed) {
        (void)complain_err(call, ERR_NO_MEMORY);
        return OUTCOME_FAILED;
    }
    bool same = records->before.size == records->after.size &&
                memcmp(records->before.data, records->after.data, records->after.size) == 0;
    return same ? OUTCOME_SAME : OUTCOME_CHANGED;
}

/* Names that no device of many has are typing errors, more likely than not. */
static enum status check_names(struct call *call)
{
    static const enum option options[] = {OPT_ROLES, OPT_ADD_ROLE, OPT_REMOVE_ROLE};
    const char *name;
    size_t unset = 0;
    while ((name = option_next(&call->arguments, OPT_UNSET, &unset))) {
        if (!attribute_name_valid(name))
            return complain(call, STATUS_MISUSE,
                            "--unset: '" SHOWN
                            "' is no attribute's name: it has 1 to %d characters of "
                            "A-Z a-z 0-9 _ - and begins with a letter",
                            name, ATTRIBUTE_NAME_MAX);
    }
    enum status status = read_begin(call);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        size_t at = 0;
        while (!status && (name = option_next(&call->arguments, options[i], &at))) {
            struct role role;
            status = check_role_name(call, role_word(name));
            if (!status)
                status = role_find(call, role_word(name), &role);
            if (!status)
                role_clear(&role);
        }
    }
    registry_end(call->registry);
    return status;
}

static enum status set_many(struct call *call)
{
    struct records records = {.before = {0}};
    const struct many_change change = {.does = "change",
                                       .did = "changed",
                                       .rest = "",
                                       .verb = LOG_SET,
                                       .edit = set_one,
                                       .context = &records};
    enum status status = check_fields(call);
    if (!status)
        status = check_names(call);
    if (!status)
        status = change_many(call, &change);
    pack_free(&records.before);
    pack_free(&records.after);
    return status;
}

static enum status set_named(struct call *call)
{
    struct device device = {.credential_count = 0};
    const char *id = call_word(call, 0);
    enum status status = check_device_id(call, id);
    if (!status)
        status = check_fields(call);
    if (!status)
        status = device_change(call, id, &device, LOG_SET, set_device, NULL);
    if (!status)
        status = answer_device(call, &device, "changed");
    device_clear(&device);
    return status;
}

enum status cmd_set(struct call *call)
{
    bool many;
    enum status status = many_asked(call, &many);
    if (status)
        return status;
    return many ? set_many(call) : set_named(call);
}
