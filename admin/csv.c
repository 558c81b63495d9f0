#include "admin/csv.h"

#include <string.h>

void csv_init(struct csv *csv, size_t line)
{
    csv->separator = '\0';
    csv->line = csv->row_line = line;
    csv->state = CSV_BEGIN;
    csv->begun = csv->after_return = false;
    csv->cell_count = csv->used = csv->cell_begin = csv->long_quote = 0;
    csv->problem = NULL;
    csv->unclosed = false;
}

static void row_begin(struct csv *csv)
{
    csv->begun = true;
    csv->row_line = csv->line;
    csv->cell_count = csv->used = csv->cell_begin = csv->long_quote = 0;
    csv->problem = NULL;
    csv->unclosed = false;
}

static void note_problem(struct csv *csv, const char *problem, size_t line)
{
    if (csv->problem)
        return;
    csv->problem = problem;
    csv->problem_line = line;
}

static void refuse(struct csv *csv, const char *problem, size_t line)
{
    note_problem(csv, problem, line);
    csv->state = CSV_PASS;
}

static void refuse_quote(struct csv *csv, const char *problem)
{
    csv->unclosed = !csv->problem;
    refuse(csv, problem, csv->quote_line);
}

static void put(struct csv *csv, char c)
{
    if (csv->used < CSV_ROW_MAX)
        csv->row[csv->used++] = c;
    else if (csv->state == CSV_QUOTED)
        refuse_quote(csv, "a quote opens here, and is not closed within 65536 bytes");
    else
        refuse(csv, "it is longer than 65536 bytes", csv->line);
}

/* Ends the cell; of one without quotes the blanks behind it are dropped. */
static void cell_end(struct csv *csv)
{
    bool plain = csv->state == CSV_PLAIN;
    while (plain && csv->used > csv->cell_begin &&
           (csv->row[csv->used - 1] == ' ' || csv->row[csv->used - 1] == '\t'))
        csv->used--;
    bool empty = csv->used == csv->cell_begin;
    csv->state = CSV_BEGIN;
    if (csv->cell_count < CSV_CELLS_MAX)
        csv->cells[csv->cell_count++] = csv->cell_begin;
    else if (!empty)
        refuse(csv, "it has more than 256 cells", csv->line);
    put(csv, '\0');
    csv->cell_begin = csv->used;
}

static bool is_separator(struct csv *csv, char c)
{
    if (csv->separator)
        return c == csv->separator;
    if (c != ',' && c != ';' && c != '\t')
        return false;
    csv->separator = c;
    return true;
}

/* A byte that ends no row. */
static void take(struct csv *csv, char c)
{
    switch (csv->state) {
    case CSV_BEGIN:
        if (c == '"') {
            csv->state = CSV_QUOTED;
            csv->quote_line = csv->line;
            return;
        }
        if (is_separator(csv, c))
            cell_end(csv);
        else if (c != ' ' && c != '\t') {
            csv->state = CSV_PLAIN;
            put(csv, c);
        }
        return;
    case CSV_PLAIN:
        if (is_separator(csv, c))
            cell_end(csv);
        else
            put(csv, c);
        return;
    case CSV_QUOTED:
        if (c == '"')
            csv->state = CSV_QUOTE;
        else
            put(csv, c);
        return;
    case CSV_QUOTE:
        csv->state = CSV_CLOSED;
        if (c == '"') {
            csv->state = CSV_QUOTED;
            put(csv, c);
            return;
        } /* fall through */
    case CSV_CLOSED:
        if (is_separator(csv, c))
            cell_end(csv);
        else if (c != ' ' && c != '\t')
            refuse(csv, "behind a closing quote stands neither a separator nor the line's end",
                   csv->line);
        return;
    case CSV_PASS:
        return;
    }
}

/* The row is whole. */
static enum csv_result row_end(struct csv *csv)
{
    if (!csv->problem)
        cell_end(csv);
    csv->begun = false;
    csv->state = CSV_BEGIN;
    return csv->problem ? CSV_BAD : CSV_ROW;
}

/* Within quotes, or where none stand, it changes nothing: then what follows is still of the row. */
static void take_nul(struct csv *csv)
{
    note_problem(csv, "it holds a NUL byte", csv->line);
    if (csv->state == CSV_QUOTE || csv->state == CSV_CLOSED)
        csv->state = CSV_PASS;
}

static void take_any(struct csv *csv, char c, bool line_end)
{
    if (line_end && !csv->long_quote)
        csv->long_quote = csv->quote_line;
    if (c)
        take(csv, c);
    else
        take_nul(csv);
}

static enum csv_result read_byte(struct csv *csv, char c)
{
    enum csv_result result = CSV_MORE;
    bool line_end = c == '\n' || c == '\r';
    bool counted = c == '\n' && csv->after_return; /* with the CR before it */
    csv->after_return = c == '\r';
    if (counted && !csv->begun)
        return CSV_MORE;
    if (!csv->begun)
        row_begin(csv);
    if (!counted)
        csv->row_last = csv->line;
    if (csv->state == CSV_QUOTED || !line_end)
        take_any(csv, c, line_end);
    else
        result = row_end(csv);
    csv->line += line_end && !counted;
    return result;
}

enum csv_result csv_read(struct csv *csv, const char **data, size_t *size)
{
    enum csv_result result = CSV_MORE;
    while (*size && result == CSV_MORE) {
        result = read_byte(csv, *(*data)++);
        --*size;
    }
    return result;
}

enum csv_result csv_end(struct csv *csv)
{
    if (!csv->begun)
        return CSV_MORE;
    if (csv->state == CSV_QUOTED)
        refuse_quote(csv, "a quote opens here, and is never closed");
    return row_end(csv);
}

const char *csv_cell(const struct csv *csv, size_t index)
{
    return index < csv->cell_count ? csv->row + csv->cells[index] : "";
}
