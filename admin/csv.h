/* csv.h - rows of cells out of bytes that come in pieces of any size.
 *
 * RFC 4180, and what spreadsheets do with it:
 *
 *   - rows end in LF, CRLF or CR; the last one may lack its end
 *   - the separator is the first of , ; and tab that stands outside of quotes in the first row
 *   - "..." is a cell in quotes: separators and line ends in it are text, "" is a quote
 *   - blanks around a cell are dropped, but for those within quotes
 *   - a quote within a cell that does not begin with one is text: 5" pipe
 *
 * A bad row is told and passed over up to its line's end, so one forgotten quote costs at most
 * CSV_ROW_MAX bytes of what follows it. A NUL makes a row bad, and ends no quotes.
 */
#ifndef DEVREG_ADMIN_CSV_H
#define DEVREG_ADMIN_CSV_H

#include <stdbool.h>
#include <stddef.h>

enum { CSV_ROW_MAX = 65536, CSV_CELLS_MAX = 256 };

enum csv_result {
    CSV_MORE, /* all bytes are read: hand in the next ones */
    CSV_ROW,  /* a row is there, until the next call */
    CSV_BAD   /* `problem` says what is wrong with the row that begins in `row_line` */
};

struct csv {
    char separator;            /* NUL until it is known */
    size_t line;               /* that is read now, from 1 on */
    size_t row_line, row_last; /* the lines that the row has */
    size_t long_quote;         /* the line of its first quote with a line's end in it, or 0 */
    size_t cell_count;         /* of the row; empty ones behind CSV_CELLS_MAX are not counted */
    const char *problem;
    size_t problem_line;
    bool unclosed; /* the problem is that quote */

    /* The rest is its own. */
    enum csv_state {
        CSV_BEGIN, /* of a cell */
        CSV_PLAIN,
        CSV_QUOTED,
        CSV_QUOTE, /* in quotes, after a quote: its end, or the first of two */
        CSV_CLOSED,
        CSV_PASS
    } state;
    bool begun;        /* the row has a byte */
    bool after_return; /* a line feed ends the same line */
    size_t used, cell_begin, quote_line;
    size_t cells[CSV_CELLS_MAX]; /* where each begins */
    char row[CSV_ROW_MAX + 1];   /* each cell ends in NUL */
};

/* The first line is number `line`. */
void csv_init(struct csv *csv, size_t line);

/* Reads from `*data`, `*size` bytes long, up to the end of a row, and moves both on. */
enum csv_result csv_read(struct csv *csv, const char **data, size_t *size);

/* There is no more: the last row, if it has no end; else CSV_MORE. */
enum csv_result csv_end(struct csv *csv);

/* A cell of the row; "" behind its last one. Lent until the next call. */
const char *csv_cell(const struct csv *csv, size_t index);

#endif
