/* backup.h - what is in a copy of a registry, and is it sound? */
#ifndef DEVREG_ADMIN_BACKUP_H
#define DEVREG_ADMIN_BACKUP_H

#include "admin/command.h"
#include "admin/json.h"

enum { BACKUP_FINDING_MAX = 300 };

struct backup_facts {
    struct registry_check counts;         /* its findings too */
    int64_t changed;                      /* when the registry was changed last */
    char finding[BACKUP_FINDING_MAX + 1]; /* the first one; "" for none */
};

/* Reads every record. An error is one of the file's structure. */
MUST_CHECK enum err backup_examine(struct registry *copy, struct backup_facts *facts);

/* The file `path` could not be opened as a copy of a registry, or not be read to its end: complains
 * of it. For ERR_OK: STATUS_DONE. */
MUST_CHECK enum status backup_complain(struct call *call, const char *path, enum err e);

/* "devices", "roles", "log_entries", "changed". */
void backup_add_facts(cJSON *answer, const struct backup_facts *facts);

#endif
