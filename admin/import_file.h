/* import_file.h - an export, read and checked as far as a file alone can be.
 *
 *   {"devreg_export": 1, "hashes": true, "end": true, "secret": "5e..."}
 *   {"role": ...}                           record_json.h
 *   {"device": ...}
 *   {"devreg_export": "end"}
 *
 * The last line tells a whole file from one that was cut short. It has to be there where the first
 * one says "end", as `devreg export` writes it; a file written by hand may do without.
 */
#ifndef DEVREG_ADMIN_IMPORT_FILE_H
#define DEVREG_ADMIN_IMPORT_FILE_H

#include <stdio.h>

#include "admin/command.h"
#include "admin/progress.h"
#include "admin/record_json.h"
#include "admin/records.h"

#define EXPORT_END "{\"devreg_export\":\"end\"}"

struct import_file {
    const char *path;
    struct progress *progress;     /* lent; NULL for none */
    struct records roles, devices; /* sorted by name, each once */
    enum secrets secrets;
    bool ended;                      /* it has its last line */
    uint8_t secret[CRYPTO_KEY_SIZE]; /* WITH_SECRETS: the registry's */
    struct import_reject {
        size_t line, column; /* 0 for the whole line */
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

#endif
