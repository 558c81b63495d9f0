#include "admin/device_options.h"

#include <stdio.h>
#include <string.h>

#include "admin/change.h"
#include "admin/complain.h"
#include "admin/lookup.h"
#include "admin/when.h"
#include "registry/key.h"
#include "registry/text.h"

enum status text_take(struct call *call, enum option option, char *to, size_t max)
{
    const char *text = call_option(call, option);
    if (!text)
        return STATUS_DONE;
    if (key_is_within(text))
        return complain(call, STATUS_MISUSE,
                        "--%s: it holds a key, which anybody could read there; take it out",
                        option_rows[option].name);
    if (text_is_plain(text, max) && text_copy(to, max, text))
        return STATUS_DONE;
    return complain(call, STATUS_MISUSE,
                    "--%s: it has to be UTF-8 without control characters, of at most %zu bytes",
                    option_rows[option].name, max);
}

static enum status take_note(struct call *call, struct device *device)
{
    if (!call_option(call, OPT_NOTE))
        return STATUS_DONE;
    detail_add(call, "note");
    return text_take(call, OPT_NOTE, device->note, NOTE_MAX);
}

enum expiry expiry_parse(int64_t *time, const char *text, int64_t now)
{
    int64_t read;
    if (strcmp(text, "never") == 0) {
        *time = 0;
        return EXPIRY_OK;
    }
    if (duration_parse(&read, text))
        read += now;
    else if (!date_parse(&read, text))
        return EXPIRY_NONE;
    if (read <= now)
        return EXPIRY_OVER;
    *time = read;
    return EXPIRY_OK;
}

static enum status take_expiry(struct call *call, struct device *device)
{
    const char *text = call_option(call, OPT_EXPIRES);
    if (!text)
        return STATUS_DONE;
    enum expiry expiry = expiry_parse(&device->expires, text, call->now);
    if (expiry == EXPIRY_NONE)
        return complain(call, STATUS_MISUSE, "--expires '" SHOWN "': write %s", text, EXPIRY_FORMS);
    if (expiry == EXPIRY_OVER)
        return complain(call, STATUS_MISUSE,
                        "--expires '" SHOWN "': that is over already; to stop a device now use "
                        "'devreg disable'",
                        text);
    detail_add(call, "expires %s", text);
    return STATUS_DONE;
}

bool client_id_set(struct device *device, const char *pattern)
{
    bool any = !*pattern || strcmp(pattern, "any") == 0;
    if (!any && !client_id_pattern_valid(pattern))
        return false;
    return text_copy(device->client_id, CLIENT_ID_PATTERN_MAX, any ? "" : pattern);
}

static enum status take_client_id(struct call *call, struct device *device)
{
    const char *pattern = call_option(call, OPT_CLIENT_ID);
    if (!pattern)
        return STATUS_DONE;
    if (!client_id_set(device, pattern))
        return complain(call, STATUS_MISUSE, "--client-id: " CLIENT_ID_FORMS,
                        CLIENT_ID_PATTERN_MAX);
    detail_add(call, "client ids %s", *device->client_id ? pattern : "any");
    return STATUS_DONE;
}

enum status pair_split(struct call *call, const char *pair,
                       char name[static ATTRIBUTE_NAME_MAX + 1], const char **value)
{
    size_t length = strcspn(pair, "=");
    bool fits = length <= ATTRIBUTE_NAME_MAX && pair[length];
    if (fits) {
        memcpy(name, pair, length);
        name[length] = '\0';
        *value = pair + length + 1;
    }
    if (fits && attribute_name_valid(name))
        return STATUS_DONE;
    return complain(call, STATUS_MISUSE,
                    "'" SHOWN "' is no attribute: write name=value; a name has 1 to %d characters "
                    "of A-Z a-z 0-9 _ - and begins with a letter",
                    pair, ATTRIBUTE_NAME_MAX);
}

enum status device_take_pair(struct call *call, struct device *device, const char *pair)
{
    char name[ATTRIBUTE_NAME_MAX + 1];
    const char *value = "";
    enum status status = pair_split(call, pair, name, &value);
    if (status)
        return status;
    if (key_is_within(value))
        return complain(call, STATUS_MISUSE,
                        "%s: its value holds a key, which anybody could read there; take it out",
                        name);
    enum err e = device_set_attribute(device, name, value);
    if (e == ERR_TOO_MANY)
        return complain(call, STATUS_NO, "%s: a device has at most %d attributes; --unset one",
                        name, ATTRIBUTES_MAX);
    if (e)
        return complain(call, STATUS_MISUSE,
                        "%s: a value is UTF-8 without control characters, of at most %d bytes",
                        name, ATTRIBUTE_VALUE_MAX);
    detail_add(call, "%s=%s", name, value);
    return STATUS_DONE;
}

enum status device_take_options(struct call *call, struct device *device)
{
    size_t at = 0;
    const char *pair;
    enum status status = take_note(call, device);
    if (!status)
        status = take_expiry(call, device);
    if (!status)
        status = take_client_id(call, device);
    while (!status && (pair = option_next(&call->arguments, OPT_SET, &at)))
        status = device_take_pair(call, device, pair);
    return status;
}

enum status device_take_roles(struct call *call, struct device *device, enum option option)
{
    size_t at = 0;
    const char *role;
    enum status status = STATUS_DONE;
    while (!status && (role = option_next(&call->arguments, option, &at))) {
        role = role_word(role);
        enum err e = device_add_role(device, role);
        if (e == ERR_INVALID)
            status = check_role_name(call, role);
        else if (e == ERR_EXISTS && option == OPT_ADD_ROLE)
            status =
                complain(call, STATUS_NO, "%s: it holds the role @%s already; see 'devreg show %s'",
                         device->id, role, device->id);
        else if (e == ERR_EXISTS)
            status =
                complain(call, STATUS_MISUSE, "--role: @%s is there twice: name it once", role);
        else if (e)
            status = complain(call, STATUS_NO,
                              "--%s: a device holds at most %d roles: --remove-role one",
                              option_rows[option].name, ROLES_MAX);
        detail_add(call, "+@%s", role);
    }
    return status;
}

enum status new_roles_check(struct call *call, const struct device *device)
{
    struct role role;
    if (!call_option(call, OPT_ROLE) && device->role_count) {
        enum err e = registry_get_role(call->registry, DEFAULT_ROLE, &role);
        if (e == ERR_NOT_FOUND)
            return complain(call, STATUS_NO,
                            "the role @" DEFAULT_ROLE " of new devices is not there: make it with "
                            "'devreg role add " DEFAULT_ROLE "', or use --role or --no-role");
        if (e)
            return role_error(call, e, DEFAULT_ROLE);
        role_clear(&role);
        return STATUS_DONE;
    }
    return roles_check(call, device);
}

enum status device_drop_roles(struct call *call, struct device *device, enum option option)
{
    size_t at = 0;
    const char *role;
    enum status status = STATUS_DONE;
    while (!status && (role = option_next(&call->arguments, option, &at))) {
        role = role_word(role);
        if (device_remove_role(device, role) != ERR_OK)
            status = complain(call, STATUS_NO,
                              "%s: it does not hold the role @" SHOWN "; see 'devreg show %s'",
                              device->id, role, device->id);
        detail_add(call, "-@%s", role);
    }
    return status;
}
