/* import_file.h - an export, read and checked as far as a file alone can be.
 *
 * Records are kept as the bytes that the registry stores (record.h): a device takes 300 bytes and
 * not the 10 KB of its struct, so a million of them fit into memory.
 */
#ifndef DEVREG_ADMIN_IMPORT_FILE_H
#define DEVREG_ADMIN_IMPORT_FILE_H

#include <stdio.h>

#include "admin/command.h"
#include "admin/record_json.h"

struct import_item {
    size_t line;       /* of the file, from 1 on */
    char *name;        /* in lower case, for sorting and for finding twins */
    struct pack bytes; /* the record */
};

struct import_items {
    struct import_item *items;
    size_t count, room;
};

struct import_file {
    const char *path;
    struct import_items roles, devices; /* sorted by name, each once */
    enum secrets secrets;
    uint8_t secret[CRYPTO_KEY_SIZE]; /* WITH_SECRETS: the registry's */
    struct import_reject {
        size_t line;
        char *reason;
    } * rejects; /* the bad lines */
    size_t reject_count, reject_room;
};

/* Reads all of `file`. Bad lines are kept as rejects, and the rest is read on. End it with
 * import_file_clear. */
MUST_CHECK enum status import_file_read(struct call *call, struct import_file *import, FILE *file);
void import_file_clear(struct import_file *import);

/* Keeps what is wrong with a line. */
void import_reject(struct import_file *import, size_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says on stderr what is wrong with each bad line, in their order. Outside of any scope. */
void import_tell_rejects(const struct import_file *import);

/* Is there an item of that name, which may be written in any case? */
bool import_holds(const struct import_items *items, const char *name);

#endif
