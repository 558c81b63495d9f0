/* fuzz_csv.c - rows of cells.
 *
 *   a byte    how large the pieces are in which the rest is read a second time
 *   the rest  a CSV file: in pieces of any size it says the same. And taken for cells, each up to a
 *             0x1f, a 0x1e at the end of a row: written as RFC 4180 says, they come back.
 */
#include "admin/csv.h"
#include "tests/fuzz/fuzz.h"

/* All that was read, as text: compared at the end. */
struct story {
    char *text;
    size_t size;
    FILE *file;
};

static void story_begin(struct story *story)
{
    story->text = NULL;
    story->file = open_memstream(&story->text, &story->size);
    HOLDS(story->file);
}

static void story_end(struct story *story)
{
    HOLDS(fclose(story->file) == 0);
}

static void tell_row(struct story *story, const struct csv *csv, enum csv_result result)
{
    HOLDS(csv->row_line >= 1 && csv->row_last >= csv->row_line && csv->line >= csv->row_last);
    HOLDS(csv->cell_count <= CSV_CELLS_MAX);
    (void)fprintf(story->file, "%zu-%zu %zu", csv->row_line, csv->row_last, csv->long_quote);
    if (result == CSV_BAD) {
        HOLDS(csv->problem && csv->problem_line >= csv->row_line &&
              csv->problem_line <= csv->row_last);
        (void)fprintf(story->file, " bad %zu %s %d\n", csv->problem_line, csv->problem,
                      csv->unclosed);
        return;
    }
    HOLDS(!csv->problem);
    for (size_t i = 0; i < csv->cell_count; i++) {
        const char *cell = csv_cell(csv, i);
        HOLDS(cell >= csv->row && cell + strlen(cell) < csv->row + sizeof csv->row);
        (void)fprintf(story->file, "|%s", cell);
    }
    HOLDS(*csv_cell(csv, csv->cell_count) == '\0');
    (void)fputc('\n', story->file);
}

/* A line ends in LF, CRLF or CR. */
static size_t plain_lines(const char *data, size_t size)
{
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\r' || (data[i] == '\n' && (i == 0 || data[i - 1] != '\r'));
    return lines;
}

/* Reads it in pieces of that size, each in memory of its own. */
static void read_all(struct story *story, const char *data, size_t size, size_t piece)
{
    struct csv *csv = malloc(sizeof *csv);
    HOLDS(csv);
    csv_init(csv, 1);
    story_begin(story);
    const size_t lines = plain_lines(data, size);
    while (size) {
        size_t part = size < piece ? size : piece;
        char *own = input_copy((const uint8_t *)data, part);
        const char *at = own;
        size_t left = part;
        while (left) {
            enum csv_result result = csv_read(csv, &at, &left);
            HOLDS(at + left == own + part);
            if (result != CSV_MORE)
                tell_row(story, csv, result);
            else
                HOLDS(left == 0);
        }
        free(own);
        data += part;
        size -= part;
    }
    enum csv_result result = csv_end(csv);
    if (result != CSV_MORE)
        tell_row(story, csv, result);
    HOLDS(csv_end(csv) == CSV_MORE && csv->line == lines);
    story_end(story);
    free(csv);
}

static void check_pieces(const char *data, size_t size, size_t piece)
{
    struct story whole, pieces;
    read_all(&whole, data, size, size ? size : 1);
    read_all(&pieces, data, size, piece);
    HOLDS(whole.size == pieces.size && memcmp(whole.text, pieces.text, whole.size) == 0);
    free(whole.text);
    free(pieces.text);
}

static bool is_cell_end(char c)
{
    return c == 0x1f || c == 0x1e;
}

/* The cell in quotes. */
static void write_cell(FILE *file, const char *cell, size_t size)
{
    (void)fputc('"', file);
    for (size_t i = 0; i < size; i++) {
        if (cell[i] == '"')
            (void)fputc('"', file);
        (void)fputc(cell[i], file);
    }
    (void)fputc('"', file);
}

/* The cells as a file; where the next row begins. `separator` is one of those that are known. */
static char *write_cells(const char *data, size_t size, char separator, size_t *written)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, written);
    HOLDS(file);
    for (size_t at = 0; at <= size;) {
        size_t cell = 0;
        while (at + cell < size && !is_cell_end(data[at + cell]))
            cell++;
        write_cell(file, data + at, cell);
        at += cell;
        (void)fputc(at < size && data[at] == 0x1f ? separator : '\n', file);
        at++;
    }
    HOLDS(fclose(file) == 0);
    return text;
}

/* The row that was read is the one that begins at `*at`, and steps over it. */
static void check_row(const struct csv *csv, const char *data, size_t size, size_t *at)
{
    for (size_t i = 0;; i++) {
        const char *cell = csv_cell(csv, i);
        size_t length = strlen(cell);
        HOLDS(i < csv->cell_count && *at + length <= size);
        HOLDS(memcmp(cell, data + *at, length) == 0);
        *at += length;
        bool more = *at < size && data[*at] == 0x1f;
        HOLDS(more || *at == size || data[*at] == 0x1e);
        ++*at;
        if (!more) {
            HOLDS(i + 1 == csv->cell_count);
            return;
        }
    }
}

static void check_cells(const char *data, size_t size, char separator)
{
    size_t left, at = 0, row = 1;
    for (size_t i = 0; i < size; i++) {
        row = data[i] == 0x1e ? 1 : row + (data[i] == 0x1f);
        if (data[i] == '\0' || row > CSV_CELLS_MAX)
            return; /* these it does not take */
    }
    char *text = write_cells(data, size, separator, &left);
    const char *next = text;
    struct csv *csv = malloc(sizeof *csv);
    HOLDS(csv);
    csv_init(csv, 1);
    while (left) {
        HOLDS(csv_read(csv, &next, &left) == CSV_ROW);
        check_row(csv, data, size, &at);
    }
    HOLDS(at == size + 1 && csv_end(csv) == CSV_MORE);
    free(csv);
    free(text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char separators[] = {',', ';', '\t'};
    struct input input = {data, size};
    if (size > FUZZ_INPUT_MAX)
        return 0;
    uint8_t piece = input_byte(&input);
    check_pieces((const char *)input.at, input.size, (size_t)piece + 1);
    check_cells((const char *)input.at, input.size, separators[piece % 3]);
    return 0;
}
