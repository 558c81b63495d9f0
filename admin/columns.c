#include "admin/columns.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "admin/device_options.h"
#include "admin/lookup.h"
#include "admin/nearest.h"
#include "registry/text.h"

#define ATTRIBUTE_PREFIX "attr."
#define KNOWN_COLUMNS    "device, role, expires, note, client_id, attr.NAME"

enum { PREFIX_SIZE = sizeof ATTRIBUTE_PREFIX - 1 };

static const struct {
    const char *name;
    enum column_kind kind;
} known[] = {{"device", COLUMN_DEVICE},      {"role", COLUMN_ROLE}, {"roles", COLUMN_ROLE},
             {"expires", COLUMN_EXPIRES},    {"note", COLUMN_NOTE}, {"client_id", COLUMN_CLIENT_ID},
             {"client-id", COLUMN_CLIENT_ID}};

static enum column_kind column_find(const char *name)
{
    bool attribute = strncasecmp(name, ATTRIBUTE_PREFIX, PREFIX_SIZE) == 0;
    if (attribute)
        return attribute_name_valid(name + PREFIX_SIZE) ? COLUMN_ATTRIBUTE : COLUMN_NONE;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(name, known[i].name) == 0)
            return known[i].kind;
    }
    return COLUMN_NONE;
}

static void refuse_unknown(struct batch *batch, size_t line, const char *name)
{
    struct nearest nearest = nearest_to(name, strlen(name));
    if (strncasecmp(name, ATTRIBUTE_PREFIX, PREFIX_SIZE) == 0) {
        batch_refuse(batch, line, STATUS_MISUSE,
                     "column '%.60s': the name of an attribute has 1 to %d characters of "
                     "A-Z a-z 0-9 _ - and begins with a letter",
                     name, ATTRIBUTE_NAME_MAX);
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        nearest_offer(&nearest, known[i].name);
    if (nearest.found)
        batch_refuse(batch, line, STATUS_MISUSE, "column '%.60s' is not known; did you mean '%s'?",
                     name, nearest.found);
    else if (attribute_name_valid(name))
        batch_refuse(batch, line, STATUS_MISUSE,
                     "column '%.60s' is not known: for an attribute write attr.%s; the columns "
                     "are " KNOWN_COLUMNS,
                     name, name);
    else
        batch_refuse(batch, line, STATUS_MISUSE,
                     "column '%.60s' is not known; the columns are " KNOWN_COLUMNS, name);
}

/* Attributes differ by name, the other columns by what they are. */
static bool same_column(const struct column_place *a, const struct column_place *b)
{
    if (a->kind != b->kind || a->kind == COLUMN_NONE)
        return false;
    return a->kind != COLUMN_ATTRIBUTE || strcmp(a->name, b->name) == 0;
}

static bool column_add(struct columns *columns, struct batch *batch, size_t line, const char *name)
{
    struct column_place *place = &columns->places[columns->count];
    place->kind = column_find(name);
    if (*name && place->kind == COLUMN_NONE) {
        refuse_unknown(batch, line, name);
        return false;
    }
    snprintf(place->name, sizeof place->name, "%s", name);
    if (place->kind == COLUMN_ATTRIBUTE)
        memcpy(place->name, ATTRIBUTE_PREFIX, PREFIX_SIZE);
    for (size_t i = 0; i < columns->count; i++) {
        if (same_column(&columns->places[i], place)) {
            batch_refuse(batch, line, STATUS_MISUSE, "column '%s' is there twice", place->name);
            return false;
        }
    }
    if (place->kind == COLUMN_DEVICE)
        columns->device = columns->count;
    columns->count++;
    return true;
}

/* Does the row name columns at all, or is it the first device already? */
static bool is_header(const struct csv *csv)
{
    size_t i = 0;
    while (i < csv->cell_count && column_find(csv_cell(csv, i)) == COLUMN_NONE)
        i++;
    return i < csv->cell_count;
}

bool columns_read(struct columns *columns, struct batch *batch, const struct csv *csv)
{
    bool fine = true;
    columns->count = 0;
    columns->device = CSV_CELLS_MAX;
    if (!is_header(csv)) {
        batch_refuse(batch, csv->row_line, STATUS_MISUSE,
                     "the first line has to name the columns, 'device' among them: " KNOWN_COLUMNS);
        return false;
    }
    for (size_t i = 0; i < csv->cell_count; i++)
        fine = column_add(columns, batch, csv->row_line, csv_cell(csv, i)) && fine;
    if (fine && columns->device == CSV_CELLS_MAX) {
        batch_refuse(batch, csv->row_line, STATUS_MISUSE, "there is no column 'device'");
        return false;
    }
    return fine;
}

/* A row being read. */
struct row {
    struct batch *batch;
    const struct csv *csv;
    struct device device;
    bool roles_named;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct row *row, const char *format,
                                                         ...)
{
    char reason[BATCH_REASON_MAX + 1];
    va_list values;
    va_start(values, format);
    vsnprintf(reason, sizeof reason, format, values);
    va_end(values);
    batch_refuse_row(row->batch, row->csv, row->csv->row_line, reason);
    return false;
}

/* The word that begins at `*text`, moved behind it; words are parted by blanks or semicolons. */
static bool next_word(const char **text, char *word, size_t max)
{
    static const char parting[] = " \t;,";
    *text += strspn(*text, parting);
    size_t length = strcspn(*text, parting);
    snprintf(word, max + 1, "%.*s", (int)(length > max ? max : length), *text);
    *text += length;
    return length > 0;
}

static bool read_roles(struct row *row, const char *name, const char *text)
{
    /* Room for one more than a name and its "@": a longer word is not cut into a name. */
    char word[ROLE_NAME_MAX + 3];
    while (next_word(&text, word, sizeof word - 1)) {
        enum err e = device_add_role(&row->device, role_word(word));
        if (e == ERR_EXISTS)
            return refuse(row, "column %s: '%s' is there twice", name, word);
        if (e == ERR_TOO_MANY)
            return refuse(row, "column %s: a device holds at most %d roles", name, ROLES_MAX);
        if (e)
            return refuse(row,
                          "column %s: '%s' cannot be a role's name; several are parted by blanks "
                          "or semicolons",
                          name, word);
    }
    /* NOLINTNEXTLINE: the analyzer does not see that no cell is read after a refused id */
    row->roles_named = row->device.role_count;
    return true;
}

static bool read_expires(struct row *row, const char *name, const char *text)
{
    enum expiry expiry = expiry_parse(&row->device.expires, text, row->batch->now);
    if (expiry == EXPIRY_NONE)
        return refuse(row, "column %s: '%.40s': write " EXPIRY_FORMS, name, text);
    return expiry == EXPIRY_OK || refuse(row, "column %s: '%.40s' is over already", name, text);
}

/* Why is a text not one that is taken? The commonest reasons by name. */
static const char *text_problem(const char *text, size_t max)
{
    if (strlen(text) > max)
        return "it is too long";
    if (strpbrk(text, "\r\n"))
        return "it holds a line break";
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return "it holds a control character";
    }
    return "it is not UTF-8 (spreadsheets: save as 'CSV UTF-8'), or holds what no text should";
}

static bool refuse_text(const struct row *row, const char *name, const char *text, size_t max)
{
    return refuse(row,
                  "column %s: %s: a text is UTF-8 without control characters, of at most %zu bytes",
                  name, text_problem(text, max), max);
}

static bool read_note(struct row *row, const char *name, const char *text)
{
    if (!text_is_plain(text, NOTE_MAX))
        return refuse_text(row, name, text, NOTE_MAX);
    return text_copy(row->device.note, NOTE_MAX, text);
}

static bool read_client_id(struct row *row, const char *name, const char *text)
{
    return client_id_set(&row->device, text) ||
           refuse(row, "column %s: " CLIENT_ID_FORMS, name, CLIENT_ID_PATTERN_MAX);
}

static bool read_attribute(struct row *row, const char *name, const char *text)
{
    enum err e = device_set_attribute(&row->device, name + PREFIX_SIZE, text);
    if (e == ERR_TOO_MANY)
        return refuse(row, "column %s: a device has at most %d attributes", name, ATTRIBUTES_MAX);
    return !e || refuse_text(row, name, text, ATTRIBUTE_VALUE_MAX);
}

static bool read_cell(struct row *row, const struct column_place *place, const char *text)
{
    switch (place->kind) {
    case COLUMN_ROLE:
        return read_roles(row, place->name, text);
    case COLUMN_EXPIRES:
        return read_expires(row, place->name, text);
    case COLUMN_NOTE:
        return read_note(row, place->name, text);
    case COLUMN_CLIENT_ID:
        return read_client_id(row, place->name, text);
    case COLUMN_ATTRIBUTE:
        return read_attribute(row, place->name, text);
    case COLUMN_NONE:
        return refuse(
            row, "'%.40s' stands in a column without a name; is there a separator too many?", text);
    case COLUMN_DEVICE:
        break;
    }
    return true;
}

static bool row_is_empty(const struct csv *csv)
{
    size_t i = 0;
    while (i < csv->cell_count && !*csv_cell(csv, i))
        i++;
    return i == csv->cell_count;
}

static bool read_id(struct row *row, const char *id)
{
    if (device_id_valid(id)) {
        batch_begin_device(row->batch, &row->device, id);
        return true;
    }
    if (!*id)
        return refuse(row, "column device is empty");
    return refuse(row,
                  "column device: '%.140s' cannot be a device id: it has 1 to %d characters of "
                  "A-Z a-z 0-9 . _ : @ - and begins with a letter or digit",
                  id, DEVICE_ID_MAX);
}

void columns_add_row(const struct columns *columns, struct batch *batch, const struct csv *csv)
{
    static const struct column_place nameless = {.kind = COLUMN_NONE};
    struct row row; /* not zeroed: 10 KB */
    if (row_is_empty(csv))
        return;
    row.batch = batch;
    row.csv = csv;
    row.roles_named = false;
    if (!read_id(&row, csv_cell(csv, columns->device)))
        return;
    bool fine = true;
    for (size_t i = 0; i < csv->cell_count && fine; i++) {
        const char *text = csv_cell(csv, i);
        if (*text)
            fine = read_cell(&row, i < columns->count ? &columns->places[i] : &nameless, text);
    }
    if (fine && !row.roles_named)
        batch_default_roles(batch, &row.device);
    if (fine)
        batch_add(batch, &row.device, csv->row_line);
    device_clear(&row.device);
}
