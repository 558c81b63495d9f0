/* batch.h - devices that are to be added together, and the lines that were refused.
 *
 * A device is kept as the bytes of its record without credentials (record.h): 100 bytes and not the
 * 10 KB of its struct, so a million of them fit into memory. They lie in the order of the file, in
 * which keys are written; `sorted` is the order in which the registry is written, from front to
 * back.
 *
 *   blocks   [ entry entry entry ... ] -> [ entry entry ... ] -> ...
 *   sorted   { first bytes of the folded id, entry } ...
 */
#ifndef DEVREG_ADMIN_BATCH_H
#define DEVREG_ADMIN_BATCH_H

#include "admin/command.h"
#include "admin/csv.h"
#include "registry/key.h"
#include "registry/pack.h"

enum { BATCH_REASON_MAX = 400, BATCH_SHOWN = 20 };

struct batch_entry {
    struct batch_entry *next; /* in the order of the file */
    uint32_t line, size;
    bool refused, has_key;
    uint8_t hash[KEY_HASH_SIZE]; /* of its key */
    uint8_t record[];
};

struct batch {
    const char *path;          /* as it is shown; NULL for numbered ones */
    struct device model;       /* what a line does not say */
    struct registry *registry; /* lent */
    int64_t now;
    struct batch_entry *first, *last;
    size_t count; /* that are to be added */

    /* The rest is its own. */
    struct pack pack; /* used for each record again */
    struct batch_block *blocks;
    struct batch_item {
        uint64_t head;
        struct batch_entry *entry;
    } * sorted;
    size_t sorted_count;
    char (*roles)[ROLE_NAME_MAX + 1]; /* sorted; those that are in the registry */
    size_t role_count, role_room;
    struct batch_reject {
        size_t line;
        char *reason;
    } * rejects;
    size_t reject_count, reject_kept, reject_room, reject_limit;
    size_t refused; /* lines: a row may have several */
    enum status reject_status;
    enum err error;
};

/* Keeps the reasons of at most `reject_limit` refused lines. */
void batch_init(struct batch *batch, const struct call *call, const char *path,
                size_t reject_limit);
void batch_clear(struct batch *batch);

/* The device that a line begins with: that of `model` under another id, with its roles or without.
 */
void batch_begin_device(const struct batch *batch, struct device *device, const char *id);
void batch_default_roles(const struct batch *batch, struct device *device);

/* Keeps the device, or refuses it where one of its roles is not there. */
void batch_add(struct batch *batch, const struct device *device, size_t line);

/* Notes why a line is refused. STATUS_MISUSE where the line itself is wrong, STATUS_NO where the
 * registry is why. */
void batch_refuse(struct batch *batch, size_t line, enum status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for all lines that `csv`'s row has: a quote that was forgotten takes good ones with it,
 * so where it opens and what is lost is told. Of a row of one line it is told in `line`. */
void batch_refuse_row(struct batch *batch, const struct csv *csv, size_t line, const char *reason);

/* Sorts, and refuses all but the first of those that have one id, in any case. */
void batch_sort(struct batch *batch);

/* Refuses what the registry has already, in a read scope. */
MUST_CHECK enum err batch_compare(struct batch *batch);

/* Says on stderr, in the order of lines, why which were refused. Outside of any scope. */
void batch_tell_refused(struct batch *batch);

/* What of a device that is told everywhere holds a key, as "its note"; NULL for nothing: a column
 * may have been taken for another. */
const char *place_of_key(const struct device *device);

/* The id of an entry, into its caller's storage. */
void batch_id(const struct batch_entry *entry, char id[static DEVICE_ID_MAX + 1]);

#endif
