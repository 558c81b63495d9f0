#include "registry/log_entry.h"

const char *log_verb_name(enum log_verb verb)
{
    static const char *const names[LOG_VERB_COUNT] = {
        [LOG_INIT] = "init",       [LOG_ADD] = "add",       [LOG_SET] = "set",
        [LOG_DISABLE] = "disable", [LOG_ENABLE] = "enable", [LOG_REVOKE] = "revoke",
        [LOG_REMOVE] = "remove",   [LOG_ROTATE] = "rotate", [LOG_PASSWORD] = "password",
        [LOG_RULE] = "rule",       [LOG_IMPORT] = "import", [LOG_RESTORE] = "restore",
        [LOG_TRIM] = "trim",       [LOG_REPAIR] = "repair", [LOG_APPLY] = "apply",
        [LOG_LIMIT] = "limit"};
    return (unsigned)verb < LOG_VERB_COUNT && names[verb] ? names[verb] : "unknown";
}
