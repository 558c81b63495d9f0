/* record_reader.h - devices and roles out of the JSON that record_json.h shows.
 *
 * Only "device" ("role") has to be there; with secrets also the numbers that tell one record from
 * an older one. An unknown member, or one that is there twice, is refused: it is a mistake, or of a
 * later devreg.
 */
#ifndef DEVREG_ADMIN_RECORD_READER_H
#define DEVREG_ADMIN_RECORD_READER_H

#include "admin/record_json.h"

enum { RECORD_PROBLEM_MAX = 255 };

/* Fill `device` (`role`), which device_clear (role_clear) then ends. False with a phrase in
 * `problem`, which may hold text from `json`. Credentials are refused unless WITH_SECRETS. */
bool device_from_json(struct device *device, const cJSON *json, enum secrets secrets,
                      char problem[static RECORD_PROBLEM_MAX + 1]);
bool role_from_json(struct role *role, const cJSON *json, enum secrets secrets,
                    char problem[static RECORD_PROBLEM_MAX + 1]);

#endif
