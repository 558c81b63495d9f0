/* devreg init: a new registry that the broker can read. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/change.h"
#include "admin/complain.h"
#include "admin/json.h"
#include "admin/places.h"

static void tell_created(const struct call *call, const char *user)
{
    char buffer[PLACE_MAX + 1];
    tell("Created the registry in %s for a broker that runs as %s.", place_absolute(call, buffer),
         user);
    tell("New devices get the role @" DEFAULT_ROLE ": all of devices/ID/#.");
    places_tell_conf(call);
}

static void warn_of_overlay(struct call *call)
{
    if (registry_open(&call->registry, call->dir, STORE_READ) != ERR_OK)
        call->registry = NULL; /* it was only to be asked; the next verb will say */
    else if (store_on_overlay(registry_store(call->registry)))
        warn(SHOWN " is on an overlay file system, where a broker can miss changes for ever: keep "
                   "it on a volume",
             call->dir);
}

enum status cmd_init(struct call *call)
{
    const struct passwd *user;
    enum status status = broker_user_find(call, &user);
    if (status)
        return status;
    enum err e = registry_create(call->dir, user->pw_uid, user->pw_gid, call->who, call->now);
    if (e)
        return places_complain(call, e);
    change_made(call);
    if (call->json) {
        cJSON *answer = cJSON_CreateObject();
        json_text(answer, "registry", call->dir);
        json_text(answer, "user", user->pw_name);
        json_text(answer, "role", DEFAULT_ROLE);
        json_print(stdout, answer);
        cJSON_Delete(answer);
    } else {
        tell_created(call, user->pw_name);
    }
    warn_of_overlay(call);
    return STATUS_DONE;
}
