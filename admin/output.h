/* output.h - answers on stdout, in three shapes made of the same objects.
 *
 *   table   on a terminal: columns with a header line; what came from outside is escaped
 *   tabs    otherwise: the same cells parted by tabs, no header, a line each
 *   JSON    with --json: one object a line
 *
 * An empty cell is "-". Times are ISO-8601 in UTC, in JSON milliseconds since 1970.
 */
#ifndef DEVREG_ADMIN_OUTPUT_H
#define DEVREG_ADMIN_OUTPUT_H

#include "admin/command.h"
#include "admin/json.h"

enum shape { SHAPE_TABLE, SHAPE_TABS, SHAPE_JSON };

enum shape output_shape(const struct call *call);

enum cell {
    CELL_PLAIN,  /* text, numbers; an array's members parted by commas; an object's as name=value */
    CELL_TIME,   /* 0 and null are "-" */
    CELL_END,    /* the same, but 0 and null are "never" */
    CELL_LINES,  /* an array: each member on its own line (of a sheet) */
    CELL_PAINTED /* CELL_PLAIN; in a listing on a terminal in its row's colour */
};

/* As a terminal knows them. */
enum colour { COLOUR_NONE = 0, COLOUR_RED = 31, COLOUR_GREEN = 32, COLOUR_YELLOW = 33 };

struct column {
    const char *key;   /* in the object */
    const char *title; /* in the header, or before the value */
    enum cell cell;
};

enum { COLUMNS_MAX = 24, LISTING_ROWS = 1000 };

/* A list, streamed: up to LISTING_ROWS rows wait, until they are printed outside of any scope,
 * since a pipe may block for as long as it likes. The widths of a table's columns are those of the
 * rows so far; with `retitle` the header is said again when they grow. */
struct listing {
    struct call *call;
    enum shape shape;
    const struct column *columns;
    size_t column_count, row_count;
    size_t widths[COLUMNS_MAX];
    bool titled, painted; /* may there be colours? Not with NO_COLOR, see no-color.org */
    bool retitle;
    size_t titled_widths[COLUMNS_MAX]; /* of the header that was said last */
    int64_t waits_since;               /* ms; of the first row that waits */
    uint8_t colours[LISTING_ROWS];
    char *(*rows)[COLUMNS_MAX]; /* that wait; in JSON each in its first cell */
};

void listing_begin(struct listing *listing, struct call *call, const struct column *columns,
                   size_t column_count);
/* Takes `row` over. There is room for it. */
void listing_add(struct listing *listing, cJSON *row);
void listing_add_painted(struct listing *listing, cJSON *row, enum colour colour);
/* The column is at least so wide: for one whose words are known. */
void listing_widen(struct listing *listing, size_t column, size_t width);
/* Prints what waits; of a table only when that is enough to see how wide the columns are, or has
 * waited for a moment. Then there is room for half of LISTING_ROWS. */
void listing_pause(struct listing *listing);
/* Prints what waits. */
void listing_flush(struct listing *listing);
/* The same, and frees. */
void listing_end(struct listing *listing);

/* One object as lines "title value"; does not take it over. Columns that it lacks are left out. */
void sheet_print(const struct call *call, const struct column *columns, size_t column_count,
                 const cJSON *object);

/* Hands stdout over now: what comes next may be a long time away. output_finish tells an error. */
void output_flush(struct call *call);

/* Has all of stdout been taken? Else a complaint. */
MUST_CHECK enum status output_finish(struct call *call);

#endif
