/* records.h - many devices or roles, as the bytes that the registry stores (record.h), by name.
 *
 * A device takes 200 bytes and not the 10 KB of its struct, so a million of them fit into memory.
 *
 *   blocks   [ record record ... ] -> [ record ... ] -> ...     in the order of their file, each
 *                                                               aligned to its size
 *   items    { first bytes of the folded name, record } ...     sorted: in the order of the
 * registry
 */
#ifndef DEVREG_ADMIN_RECORDS_H
#define DEVREG_ADMIN_RECORDS_H

#include "registry/role.h"

struct record {
    uint32_t line, size; /* its line in the file */
    uint8_t bytes[];
};

struct record_item {
    uint64_t head; /* orders as the names do, but for equal ones */
    struct record *record;
};

/* {0} is none. */
struct records {
    struct record_item *items;
    size_t count, room;
    struct record_block *blocks;
};

/* Keep a copy. */
void records_add_device(struct records *records, size_t line, const struct device *device);
void records_add_role(struct records *records, size_t line, const struct role *role);

/* The same for what is known by its name alone. Lends the record. */
const struct record *records_add_name(struct records *records, const char *name);

/* Sorts by folded name, and those with one name by line. */
void records_sort(struct records *records);

/* The record is not needed any more, and `records` is good for nothing but to release the others
 * and to be cleared. A block is freed with its last record: so what is written in the order of the
 * file makes room for what the store keeps until the commit. */
void records_release(struct records *records, const struct record *record);

/* Wipes and frees. */
void records_clear(struct records *records);

/* The name, into its caller's storage. */
void record_name(const struct record *record, char name[static DEVICE_ID_MAX + 1]);

/* Compares names as the registry orders them: folded. */
int record_order(const struct record *a, const struct record *b);
int record_name_order(const struct record *record, const char *name);

/* The record of that name, in any case, after records_sort; NULL for none. Lent. */
const struct record *records_find(const struct records *records, const char *name);

/* Fill `device` (`role`), which device_clear (role_clear) then ends. */
MUST_CHECK enum err record_device(const struct record *record, struct device *device);
MUST_CHECK enum err record_role(const struct record *record, struct role *role);

#endif
