#include "admin/change.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/json.h"
#include "admin/lookup.h"

void change_hold_stops(bool hold)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTSTP);
    sigaddset(&stops, SIGTTIN);
    sigaddset(&stops, SIGTTOU);
    (void)sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &stops,
                      NULL); /* fails for a bad `how` only */
}

enum status change_begin(struct call *call)
{
    change_hold_stops(true);
    enum err e = registry_write(call->registry, call->who, call->now);
    if (e)
        change_hold_stops(false);
    return complain_err(call, e);
}

void change_made(struct call *call)
{
    call->changed = true;
    memory_out_later("the change itself was made; see 'devreg log'");
}

enum status change_keep(struct call *call)
{
    enum err e = registry_commit(call->registry);
    change_hold_stops(false);
    if (!e)
        change_made(call);
    return complain_err(call, e);
}

enum status change_commit(struct call *call, enum log_verb verb, enum log_kind kind,
                          const char *subject)
{
    registry_log(call->registry, verb, kind, subject, call->detail);
    return change_keep(call);
}

void change_end(struct call *call)
{
    registry_end(call->registry);
    change_hold_stops(false);
}

enum status
device_change(struct call *call, const char *id, struct device *device, enum log_verb verb,
              enum status (*edit)(struct call *call, struct device *device, void *context),
              void *context)
{
    enum status status = check_device_id(call, id);
    if (!status)
        status = change_begin(call);
    if (!status)
        status = device_find(call, id, device);
    if (!status)
        status = edit(call, device, context);
    if (!status)
        status = complain_err(call, registry_put_device(call->registry, device));
    if (status)
        change_end(call);
    else
        status = change_commit(call, verb, LOG_DEVICE, device->id);
    return status;
}

enum status role_change(struct call *call, const char *name, struct role *role, enum log_verb verb,
                        enum status (*edit)(struct call *call, struct role *role, void *context),
                        void *context)
{
    enum status status = check_role_name(call, name);
    if (!status)
        status = change_begin(call);
    if (!status)
        status = role_find(call, name, role);
    if (!status)
        status = edit(call, role, context);
    if (!status)
        status = complain_err(call, registry_put_role(call->registry, role));
    if (status)
        change_end(call);
    else
        status = change_commit(call, verb, LOG_ROLE, role->name);
    return status;
}

void detail_add(struct call *call, const char *format, ...)
{
    char phrase[COMPLAINT_MAX + 1];
    size_t used = strlen(call->detail);
    va_list values;
    va_start(values, format);
    vsnprintf(phrase, sizeof phrase, format, values);
    va_end(values);
    size_t length = strlen(phrase), separator = used ? 2 : 0;
    if (used + separator + 3 > LOG_DETAIL_MAX)
        return;
    memcpy(call->detail + used, ", ", separator);
    used += separator;
    size_t room = LOG_DETAIL_MAX - used;
    bool cut = length > room;
    if (cut) /* before a character, not within one */
        for (length = room - 3; length && (phrase[length] & 0xc0) == 0x80;)
            length--;
    memcpy(call->detail + used, phrase, length);
    memcpy(call->detail + used + length, cut ? "..." : "", cut ? sizeof "..." : 1);
}
