/* record_json.h - devices and roles as JSON: what `show` answers, and one line of an export.
 *
 *   {"device": "pump-7", "state": "enabled", "reason": "", "note": "", "client_id": "",
 *    "roles": ["device"], "rules": ["allow publish a/b"],
 *    "limits": {"messages": 60, "burst": "unlimited", "retain": "no"},
 *    "attributes": {"site": "kiel"},
 *    "credentials": [{"id": 1, "kind": "key", "label": "", "created": 1795000000000,
 *                     "not_before": null, "expires": null, "secret": "9f..."}],
 *    "next_credential": 2, "expires": null, "generation": 1, "version": 1, "created": ...,
 *   "changed": ...}
 *   {"role": "device", "note": "", "rules": ["allow all devices/%u/#"], "limits": {"qos": 1},
 *    "version": 1, "created": ..., "changed": ...}
 *
 * "limits" is there only where a limit is set, so an older devreg reads what has none.
 * 0 for a time ("never", "not set") is null. Secrets are hexadecimal digits, and are there only
 * when they are asked for. record_reader.h reads the same.
 */
#ifndef DEVREG_ADMIN_RECORD_JSON_H
#define DEVREG_ADMIN_RECORD_JSON_H

#include "admin/json.h"
#include "registry/role.h"

enum secrets { WITHOUT_SECRETS, WITH_SECRETS };

/* The caller ends the result with cJSON_Delete. */
cJSON *device_to_json(const struct device *device, enum secrets secrets);
cJSON *role_to_json(const struct role *role);

/* Adds "limits", if any is set. */
void limits_to_json(cJSON *object, const struct limits *limits);
/* The "limits" of an object for people: "messages=60 retain=no". False where it has none. */
bool limits_line(char text[static LIMITS_TEXT_MAX + 1], const cJSON *object);

#endif
