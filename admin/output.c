#include "admin/output.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/complain.h"
#include "admin/when.h"
#include "registry/text.h"

enum { WAIT_MS = 100 };

enum shape output_shape(const struct call *call)
{
    if (call->json)
        return SHAPE_JSON;
    return isatty(STDOUT_FILENO) ? SHAPE_TABLE : SHAPE_TABS;
}

/* A cell being written: grows as needed. */
struct text {
    char *data;
    size_t length, room;
};

static void text_add(struct text *text, const char *more)
{
    size_t length = strlen(more);
    if (text->length + length + 1 > text->room) {
        size_t room = 2 * text->room + length + 32;
        char *data = memory_get(room);
        if (text->length)
            memcpy(data, text->data, text->length);
        free(text->data);
        text->data = data;
        text->room = room;
    }
    memcpy(text->data + text->length, more, length + 1);
    text->length += length;
}

/* Plain text may go to a terminal as it is; of any other each odd byte is escaped. */
static void add_safe(struct text *text, const char *more)
{
    size_t length = strlen(more);
    if (text_is_plain(more, length)) {
        text_add(text, more);
        return;
    }
    size_t size = 4 * length + 8;
    char *escaped = memory_get(size);
    text_add(text, text_escape(escaped, size, more));
    free(escaped);
}

static void add_time(struct text *text, const cJSON *item, const char *none)
{
    char when[WHEN_TEXT_MAX + 1];
    uint64_t time;
    if (!json_read_number(item, &time) || time == 0) {
        text_add(text, none);
        return;
    }
    when_format(when, (int64_t)time);
    text_add(text, when);
}

static void add_scalar(struct text *text, const cJSON *item)
{
    const char *string = cJSON_GetStringValue(item);
    if (string) {
        add_safe(text, string);
    } else if (item && !cJSON_IsNull(item)) {
        char *printed = cJSON_PrintUnformatted(item);
        text_add(text, printed);
        cJSON_free(printed);
    }
}

static void add_members(struct text *text, const cJSON *item)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, item)
    {
        if (member != item->child)
            text_add(text, ",");
        if (cJSON_IsObject(item)) {
            add_safe(text, member->string);
            text_add(text, "=");
        }
        add_scalar(text, member);
    }
}

/* The caller frees the result. */
static char *cell_text(const cJSON *item, enum cell cell)
{
    struct text text = {0};
    text_add(&text, "");
    if (cell == CELL_TIME || cell == CELL_END)
        add_time(&text, item, cell == CELL_END ? "never" : "-");
    else if (cJSON_IsArray(item) || cJSON_IsObject(item))
        add_members(&text, item);
    else
        add_scalar(&text, item);
    if (!text.length)
        text_add(&text, "-");
    return text.data;
}

/* How many places it takes on a terminal: its code points. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

static void print_padded(const char *text, size_t width)
{
    (void)fputs(text, stdout);
    for (size_t at = width_of(text); at < width; at++)
        (void)fputc(' ', stdout);
}

static bool terminal_has_colours(void)
{
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !(refused && *refused) && terminal && strcmp(terminal, "dumb") != 0;
}

void listing_begin(struct listing *listing, struct call *call, const struct column *columns,
                   size_t column_count)
{
    *listing = (struct listing){.call = call,
                                .shape = output_shape(call),
                                .columns = columns,
                                .column_count = column_count,
                                .rows = memory_get(LISTING_ROWS * sizeof *listing->rows)};
    listing->painted = terminal_has_colours();
    for (size_t i = 0; i < column_count; i++)
        listing->widths[i] = width_of(columns[i].title);
}

static void print_title(struct listing *listing)
{
    memcpy(listing->titled_widths, listing->widths, sizeof listing->widths);
    for (size_t i = 0; i < listing->column_count; i++) {
        bool last = i + 1 == listing->column_count;
        print_padded(listing->columns[i].title, last ? 0 : listing->widths[i] + 2);
    }
    (void)fputc('\n', stdout);
    listing->titled = true;
}

static void print_cell(const struct listing *listing, size_t column, const char *text, int colour)
{
    bool last = column + 1 == listing->column_count;
    bool paint = colour && listing->painted && listing->columns[column].cell == CELL_PAINTED;
    if (paint)
        (void)fprintf(stdout, "\x1b[%dm", colour);
    print_padded(text, last ? 0 : listing->widths[column] + 2);
    if (paint)
        (void)fputs("\x1b[0m", stdout);
}

static void print_row(const struct listing *listing, size_t row)
{
    char *const *cells = listing->rows[row];
    size_t count = listing->shape == SHAPE_JSON ? 1 : listing->column_count;
    for (size_t i = 0; i < count; i++) {
        if (listing->shape == SHAPE_TABLE)
            print_cell(listing, i, cells[i], listing->colours[row]);
        else
            (void)fprintf(stdout, "%s%s", cells[i], i + 1 == count ? "" : "\t");
        free(cells[i]);
    }
    (void)fputc('\n', stdout);
}

/* Would what is printed now stand beside its header? The last column ends where it likes. */
static bool has_grown(const struct listing *listing)
{
    size_t i = 0;
    while (i + 1 < listing->column_count && listing->widths[i] == listing->titled_widths[i])
        i++;
    return listing->retitle && i + 1 < listing->column_count;
}

static int64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails for a bad clock only */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void listing_widen(struct listing *listing, size_t column, size_t width)
{
    if (width > listing->widths[column])
        listing->widths[column] = width;
}

void listing_pause(struct listing *listing)
{
    bool waits = listing->shape == SHAPE_TABLE && listing->row_count <= LISTING_ROWS / 2 &&
                 clock_ms() < listing->waits_since + WAIT_MS;
    if (!waits)
        listing_flush(listing);
}

void listing_flush(struct listing *listing)
{
    if (listing->shape == SHAPE_TABLE && listing->row_count &&
        (!listing->titled || has_grown(listing)))
        print_title(listing);
    for (size_t i = 0; i < listing->row_count; i++)
        print_row(listing, i);
    if (listing->row_count)
        output_flush(listing->call);
    listing->row_count = 0;
}

void listing_end(struct listing *listing)
{
    listing_flush(listing);
    free(listing->rows);
    listing->rows = NULL;
}

void listing_add(struct listing *listing, cJSON *row)
{
    listing_add_painted(listing, row, COLOUR_NONE);
}

void listing_add_painted(struct listing *listing, cJSON *row, enum colour colour)
{
    assert(listing->row_count < LISTING_ROWS);
    if (listing->row_count == 0 && listing->shape == SHAPE_TABLE)
        listing->waits_since = clock_ms();
    listing->colours[listing->row_count] = (uint8_t)colour;
    char **cells = listing->rows[listing->row_count++];
    if (listing->shape == SHAPE_JSON) {
        cells[0] = json_format(row);
    } else {
        for (size_t i = 0; i < listing->column_count; i++) {
            const struct column *column = &listing->columns[i];
            cells[i] = cell_text(cJSON_GetObjectItemCaseSensitive(row, column->key), column->cell);
            listing_widen(listing, i, width_of(cells[i]));
        }
    }
    cJSON_Delete(row);
}

static void print_line(const char *title, size_t width, const cJSON *item, enum cell cell,
                       enum shape shape)
{
    char *text = cell_text(item, cell);
    print_padded(title, shape == SHAPE_TABLE ? width + 2 : 0);
    (void)fputs(shape == SHAPE_TABLE ? "" : "\t", stdout);
    (void)fputs(text, stdout);
    (void)fputc('\n', stdout);
    free(text);
}

/* In a table the title stands before the first member only. */
static void print_lines(const struct column *column, size_t width, const cJSON *array,
                        enum shape shape)
{
    const cJSON *item;
    if (!array->child)
        print_line(column->title, width, NULL, CELL_PLAIN, shape);
    cJSON_ArrayForEach(item, array)
    {
        bool titled = item == array->child || shape == SHAPE_TABS;
        print_line(titled ? column->title : "", width, item, CELL_PLAIN, shape);
    }
}

void sheet_print(const struct call *call, const struct column *columns, size_t column_count,
                 const cJSON *object)
{
    enum shape shape = output_shape(call);
    size_t width = 0;
    for (size_t i = 0; i < column_count; i++)
        width = width_of(columns[i].title) > width ? width_of(columns[i].title) : width;
    for (size_t i = 0; i < column_count; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, columns[i].key);
        if (item && columns[i].cell == CELL_LINES)
            print_lines(&columns[i], width, item, shape);
        else if (item)
            print_line(columns[i].title, width, item, columns[i].cell, shape);
    }
}

void output_flush(struct call *call)
{
    if (fflush(stdout) != 0 && !call->write_error)
        call->write_error = errno;
}

enum status output_finish(struct call *call)
{
    const char *problem = NULL, *remedy = NULL;
    output_flush(call);
    if (call->write_error) {
        problem = strerror(call->write_error);
        remedy = file_remedy(call->write_error);
    } else if (ferror(stdout)) { /* of an earlier write: its errno is gone */
        problem = "a part of it is lost";
        remedy = "run it again";
    }
    if (!problem)
        return STATUS_DONE;
    return complain(call, STATUS_FAILED, "cannot write the answer: %s; %s", problem,
                    call->changed ? "the change itself was made, see 'devreg log'" : remedy);
}
