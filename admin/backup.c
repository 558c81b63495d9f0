#include "admin/backup.h"

#include <stdio.h>
#include <string.h>

#include "admin/complain.h"

/* Without what to do about it in a registry. */
static void note_finding(void *context, const char *what, const char *problem)
{
    struct backup_facts *facts = context;
    const char *end = strchr(problem, ':');
    if (!*facts->finding)
        snprintf(facts->finding, sizeof facts->finding, "%s %.*s", what,
                 end ? (int)(end - problem) : (int)strlen(problem), problem);
}

/* The time of the newest entry of the log. */
static enum err find_changed(struct registry *copy, int64_t *changed)
{
    struct log_entry entry = {.seq = 0};
    uint64_t last;
    enum err e = registry_last_entry(copy, &last);
    if (!e && last)
        e = registry_next_entry(copy, last - 1, &entry);
    if (!e && last)
        *changed = entry.time;
    return e == ERR_DAMAGED ? ERR_OK : e; /* which is a finding */
}

enum err backup_examine(struct registry *copy, struct backup_facts *facts)
{
    *facts = (struct backup_facts){.changed = 0};
    enum err e = registry_read(copy);
    if (e)
        return e;
    e = registry_check(copy, &facts->counts, note_finding, facts);
    if (!e)
        e = find_changed(copy, &facts->changed);
    registry_end(copy);
    return e;
}

enum status backup_complain(struct call *call, const char *path, enum err e)
{
    switch (e) {
    case ERR_OK:
        return STATUS_DONE;
    case ERR_NO_REGISTRY:
    case ERR_DAMAGED:
        return complain(call, STATUS_NO,
                        SHOWN ": it is no backup, or cut short, or from another kind of machine: "
                              "name another file; what 'devreg export' wrote goes in with 'devreg "
                              "import'",
                        path);
    case ERR_BROKEN:
        return complain(call, STATUS_NO,
                        SHOWN ": it is damaged in its structure: name another backup", path);
    case ERR_OTHER_STORE:
        return complain(call, STATUS_NO,
                        SHOWN ": it is a store of presence, and no backup of a registry: name "
                              "another file",
                        path);
    case ERR_TOO_NEW:
        return complain(call, STATUS_NO, SHOWN ": %s: upgrade this devreg", path, err_text(e));
    default:
        return complain(call, STATUS_FAILED, SHOWN ": %s", path, err_text(e));
    }
}

void backup_add_facts(cJSON *answer, const struct backup_facts *facts)
{
    json_number(answer, "devices", facts->counts.devices);
    json_number(answer, "roles", facts->counts.roles);
    json_number(answer, "log_entries", facts->counts.entries);
    json_time(answer, "changed", facts->changed);
}
