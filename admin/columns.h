/* columns.h - what the header line of a CSV file says, and a device out of each row.
 *
 *   device, role (or roles), expires, note, client_id, attr.NAME        in any order and case
 *
 * An empty cell is as if the column were not there. A column without a name, as spreadsheets leave
 * them behind the last one, holds nothing but empty cells.
 */
#ifndef DEVREG_ADMIN_COLUMNS_H
#define DEVREG_ADMIN_COLUMNS_H

#include "admin/batch.h"
#include "admin/csv.h"

struct columns {
    size_t count;
    struct column_place {
        enum column_kind {
            COLUMN_NONE,
            COLUMN_DEVICE,
            COLUMN_ROLE,
            COLUMN_EXPIRES,
            COLUMN_NOTE,
            COLUMN_CLIENT_ID,
            COLUMN_ATTRIBUTE
        } kind;
        char name[ATTRIBUTE_NAME_MAX + 6]; /* as the header spells it */
    } places[CSV_CELLS_MAX];
    size_t device; /* the place of COLUMN_DEVICE */
};

/* Reads the header. False, with the reason refused in `batch`, for one that cannot be used. */
MUST_CHECK bool columns_read(struct columns *columns, struct batch *batch, const struct csv *csv);

/* Adds the device of a row to the batch, or refuses it. A row of empty cells is passed over. */
void columns_add_row(const struct columns *columns, struct batch *batch, const struct csv *csv);

#endif
