/* imported.h - devices that still have the password of another program's making. */
#ifndef DEVREG_ADMIN_IMPORTED_H
#define DEVREG_ADMIN_IMPORTED_H

#include "admin/command.h"
#include "admin/json.h"

/* Looks at some devices behind `after`, which it moves on, in a scope of its own. Appends to `rows`
 * an object for each imported password that is live: with --json {"device", "hash"}, else {"what",
 * "problem"}. Damaged records are stepped over. ERR_NOT_FOUND at the end. */
MUST_CHECK enum err imported_list(struct call *call, char after[static DEVICE_ID_MAX + 1],
                                  cJSON *rows);

#endif
