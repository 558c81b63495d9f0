/* name_table.h - names, numbered from 0 in the order in which they came.
 *
 * Names that differ only in case are one entry: the registry keeps twins apart, so whoever asks has
 * to look whether it is the very name.
 */
#ifndef DEVREG_ADMIN_NAME_TABLE_H
#define DEVREG_ADMIN_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_NONE SIZE_MAX

/* {0} is an empty one. */
struct name_table {
    char **names; /* owned */
    size_t count, room;
    uint32_t *places; /* of numbers and 1: open addressing, at most half full; 0 is empty */
    size_t place_room;
};

/* The number of the name, in any case, or NAME_NONE. */
size_t name_table_find(const struct name_table *table, const char *name);
/* Its new number. It may not be there yet. */
size_t name_table_add(struct name_table *table, const char *name);
/* The numbers in the order of the names in lower case, in which the registry keeps them. The caller
 * frees them. */
size_t *name_table_sorted(const struct name_table *table);
void name_table_clear(struct name_table *table);

#endif
