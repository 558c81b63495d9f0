#include "admin/lookup.h"

#include <string.h>

#include "admin/complain.h"
#include "registry/text.h"

const char *role_word(const char *word)
{
    return word[0] == '@' ? word + 1 : word;
}

bool device_holds(const struct device *device, const char *role)
{
    for (size_t i = 0; i < device->role_count; i++) {
        if (strcmp(device->roles[i], role) == 0)
            return true;
    }
    return false;
}

enum status read_begin(struct call *call)
{
    return complain_err(call, registry_read(call->registry));
}

enum status device_error(struct call *call, enum err e, const char *id)
{
    if (e == ERR_NOT_FOUND)
        return complain_no_device(call, id);
    if (e == ERR_DAMAGED)
        return complain(call, STATUS_FAILED, SHOWN ": its record is damaged; see 'devreg check'",
                        id);
    return complain_err(call, e);
}

enum status role_error(struct call *call, enum err e, const char *name)
{
    if (e == ERR_NOT_FOUND)
        return complain_no_role(call, name);
    if (e == ERR_DAMAGED)
        return complain(call, STATUS_FAILED,
                        "@" SHOWN ": its record is damaged; see 'devreg check'", name);
    return complain_err(call, e);
}

enum status device_find(struct call *call, const char *id, struct device *device)
{
    return device_error(call, registry_get_device(call->registry, id, device), id);
}

enum status role_find(struct call *call, const char *name, struct role *role)
{
    return role_error(call, registry_get_role(call->registry, name, role), name);
}

enum status roles_check(struct call *call, const struct device *device)
{
    enum status status = STATUS_DONE;
    for (size_t i = 0; i < device->role_count && !status; i++) {
        struct role role;
        status = role_find(call, device->roles[i], &role);
        if (!status)
            role_clear(&role);
    }
    return status;
}

enum err device_step(struct call *call, char after[static DEVICE_ID_MAX + 1], struct device *device,
                     bool *damaged)
{
    for (;;) {
        enum err e = registry_next_device(call->registry, after, device);
        if (e == ERR_OK || e == ERR_DAMAGED)
            (void)text_copy(after, DEVICE_ID_MAX, device->id); /* an id fits */
        if (e != ERR_DAMAGED)
            return e;
        warn("%s: its record is damaged; see 'devreg check'", device->id);
        *damaged = true;
    }
}

enum err role_step(struct call *call, char after[static ROLE_NAME_MAX + 1], struct role *role,
                   bool *damaged)
{
    for (;;) {
        enum err e = registry_next_role(call->registry, after, role);
        if (e == ERR_OK || e == ERR_DAMAGED)
            (void)text_copy(after, ROLE_NAME_MAX, role->name); /* a name fits */
        if (e != ERR_DAMAGED)
            return e;
        warn("@%s: its record is damaged; see 'devreg check'", role->name);
        *damaged = true;
    }
}
