/* log_entry.h - one line of the change log.
 *
 * Every change appends one entry in its own transaction. The log is the audit trail, and it is
 * how the plugin learns what to forget: it reads the entries since its last look.
 */
#ifndef DEVREG_REGISTRY_LOG_ENTRY_H
#define DEVREG_REGISTRY_LOG_ENTRY_H

#include "registry/device.h"

enum { LOG_WHO_MAX = 64, LOG_DETAIL_MAX = 200 };

enum log_verb {
    LOG_INIT = 1,
    LOG_ADD,
    LOG_SET, /* note, attributes, roles, expiry, client-id pattern */
    LOG_DISABLE,
    LOG_ENABLE,
    LOG_REVOKE,
    LOG_REMOVE,
    LOG_ROTATE,
    LOG_PASSWORD,
    LOG_RULE,
    LOG_IMPORT,
    LOG_RESTORE,
    LOG_TRIM, /* of this log */
    LOG_REPAIR,
    LOG_APPLY,
    LOG_LIMIT,
    LOG_VERB_COUNT
};

/* What the entry names. LOG_BULK: more than is worth naming, so everything is to be looked at
 * afresh. LOG_NOTHING: no device and no role changed. */
enum log_kind { LOG_BULK = 0, LOG_DEVICE = 1, LOG_ROLE = 2, LOG_NOTHING = 3 };

struct log_entry {
    uint64_t seq; /* 1 and up, without gaps until the log is trimmed at its old end */
    int64_t time;
    enum log_verb verb;
    enum log_kind kind;
    char who[LOG_WHO_MAX + 1];
    char subject[DEVICE_ID_MAX + 1]; /* a device id, a role name, or "" */
    char detail[LOG_DETAIL_MAX + 1]; /* never a secret */
};

const char *log_verb_name(enum log_verb verb);

#endif
