/* record.h - devices, roles and log entries as bytes: one spelling for each, every bound checked.
 *
 *   device  format, id, state, reason, note, client-id pattern, generation, version, created,
 *           changed, expires, next credential,
 *           n * {kind, id, label, created, not before, expires, ended by,
 *           secret},
 *           n * role name, n * {attribute name, value}, rules, limits
 *   role    format, name, note, version, created, changed, rules, limits
 *   entry   format 1, time, verb, kind, who, subject, detail        (its seq is its key)
 *   rules   n * {effect, action, filter}, sorted
 *   limits  format 1: nothing, there are none. Format 2: n * {limit, value}, sorted, n > 0
 *
 * So a record with limits is none that an older devreg reads as one without.
 *
 * Whatever decodes encodes to the same bytes again. Later versions append, and raise the format.
 */
#ifndef DEVREG_REGISTRY_RECORD_H
#define DEVREG_REGISTRY_RECORD_H

#include "registry/log_entry.h"
#include "registry/pack.h"
#include "registry/role.h"

/* These append to `pack`, which may fail for want of memory. */
void device_encode(struct pack *pack, const struct device *device);
void role_encode(struct pack *pack, const struct role *role);
void entry_encode(struct pack *pack, const struct log_entry *entry);

/* ERR_DAMAGED, ERR_TOO_NEW, ERR_NO_MEMORY; then the output needs no clear. For what
 * device_plausible asks, device_decode takes the word of the record's seal. */
MUST_CHECK enum err device_decode(struct device *device, struct bytes bytes);
MUST_CHECK enum err role_decode(struct role *role, struct bytes bytes);
MUST_CHECK enum err entry_decode(struct log_entry *entry, struct bytes bytes);

#endif
