/* complete_names.h - the devices or roles that begin so, for complete.h.
 *
 * Of a million devices nobody wants to see all. Where there are more than NAMES_MAX, the answer is
 * how they go on: one character more for each, as directories are completed. It is found by a seek
 * for each of these, so it takes as long with ten devices as with a million.
 */
#ifndef DEVREG_ADMIN_COMPLETE_NAMES_H
#define DEVREG_ADMIN_COMPLETE_NAMES_H

#include "admin/command.h"

enum { NAMES_MAX = 100 };
enum names { NAMES_DEVICES, NAMES_ROLES };

/* Calls `offer` with each name that begins with `prefix`, byte for byte, and its note, which is not
 * escaped; or with what names begin with and NULL. In a read scope of an open registry. */
void names_complete(struct registry *registry, enum names names, const char *prefix,
                    void (*offer)(void *context, const char *name, const char *note),
                    void *context);

#endif
