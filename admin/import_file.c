#include "admin/import_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "admin/batch.h"
#include "admin/complain.h"
#include "admin/hex.h"
#include "admin/record_reader.h"
#include "registry/key.h"

/* An array that is full, moved to twice the room. */
static void *grow(void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? 2 * *room : 64;
    void *grown = memory_get(*room * size);
    if (count)
        memcpy(grown, items, count * size);
    free(items);
    return grown;
}

static void reject_keep(struct import_file *import, size_t line, size_t column, char *reason)
{
    key_hide(reason); /* a key may stand anywhere in a file */
    import->rejects =
        grow(import->rejects, import->reject_count, &import->reject_room, sizeof *import->rejects);
    size_t size = strlen(reason) + 1;
    char *copy = memory_get(size);
    memcpy(copy, reason, size);
    import->rejects[import->reject_count++] = (struct import_reject){line, column, copy};
}

void import_reject(struct import_file *import, size_t line, const char *format, ...)
{
    char reason[COMPLAINT_MAX + 1];
    va_list values;
    va_start(values, format);
    vsnprintf(reason, sizeof reason, format, values);
    va_end(values);
    reject_keep(import, line, 0, reason);
}

static int reject_order(const void *a, const void *b)
{
    const struct import_reject *x = a, *y = b;
    return (x->line > y->line) - (x->line < y->line);
}

void import_tell_rejects(const struct import_file *import)
{
    if (import->reject_count)
        qsort(import->rejects, import->reject_count, sizeof *import->rejects, reject_order);
    for (size_t i = 0; i < import->reject_count; i++) {
        const struct import_reject *reject = &import->rejects[i];
        char column[24] = "";
        if (reject->column)
            snprintf(column, sizeof column, ":%zu", reject->column);
        tell("devreg: " SHOWN ":%zu%s: %s", import->path, reject->line, column, reject->reason);
    }
}

void import_file_clear(struct import_file *import)
{
    records_clear(&import->roles);
    records_clear(&import->devices);
    for (size_t i = 0; i < import->reject_count; i++)
        free(import->rejects[i].reason);
    free(import->rejects);
    import->rejects = NULL;
    import->reject_count = import->reject_room = 0;
    crypto_wipe(import->secret, sizeof import->secret);
}

static bool read_secret(struct import_file *import, const cJSON *header)
{
    const char *hex = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(header, "secret"));
    size_t size = 0;
    return hex && hex_parse(import->secret, CRYPTO_KEY_SIZE, &size, hex) && size == CRYPTO_KEY_SIZE;
}

/* The first line. What else it holds is for people. */
static bool read_header(struct import_file *import, const cJSON *header, size_t line)
{
    uint64_t format = 0;
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(header, "devreg_export");
    if (!version || !json_read_number(version, &format) || format == 0) {
        import_reject(import, line, "this is no export: it begins with {\"devreg_export\": 1}");
        return false;
    }
    if (format > 1) {
        import_reject(import, line, "the export is of a later devreg: upgrade this one");
        return false;
    }
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(header, "hashes")))
        import->secrets = WITH_SECRETS;
    if (import->secrets == WITH_SECRETS && !read_secret(import, header)) {
        import_reject(import, line, "the export says that it has hashes, and lacks their secret");
        return false;
    }
    return true;
}

static void read_role(struct import_file *import, const cJSON *json, size_t line)
{
    struct role role;
    char problem[RECORD_PROBLEM_MAX + 1];
    if (!role_from_json(&role, json, import->secrets, problem)) {
        import_reject(import, line, "%s", problem);
        return;
    }
    if (key_is_within(role.note))
        import_reject(import, line, "@%s: its note holds a key, which anybody could read there",
                      role.name);
    records_add_role(&import->roles, line, &role);
    role_clear(&role);
}

static void read_device(struct import_file *import, const cJSON *json, size_t line)
{
    struct device device;
    char problem[RECORD_PROBLEM_MAX + 1];
    if (!device_from_json(&device, json, import->secrets, problem)) {
        import_reject(import, line, "%s", problem);
        return;
    }
    const char *place = place_of_key(&device);
    if (place)
        import_reject(import, line, "%s: %s holds a key, which anybody could read there", device.id,
                      place);
    records_add_device(&import->devices, line, &device);
    device_clear(&device);
}

/* What is being read. */
struct reader {
    struct import_file *import;
    size_t line;
    uint64_t size;          /* read so far */
    bool header, needs_end; /* there was a first line; it says that there is a last one */
    bool given_up;          /* there is no sense in reading on */
};

/* A line that is about the file itself. */
static void take_mark(struct reader *reader, const cJSON *json)
{
    const char *mark =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "devreg_export"));
    if (mark && strcmp(mark, "end") == 0)
        reader->import->ended = true;
    else
        import_reject(reader->import, reader->line, "another export begins here");
}

static void take_object(struct reader *reader, const cJSON *json)
{
    struct import_file *import = reader->import;
    if (!reader->header) {
        reader->header = read_header(import, json, reader->line);
        reader->given_up = !reader->header;
        reader->needs_end = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "end"));
    } else if (import->ended) {
        import_reject(import, reader->line, "it stands behind the export's last line");
        reader->given_up = true;
    } else if (cJSON_HasObjectItem(json, "devreg_export")) {
        take_mark(reader, json);
    } else if (cJSON_HasObjectItem(json, "role")) {
        read_role(import, json, reader->line);
    } else if (cJSON_HasObjectItem(json, "device")) {
        read_device(import, json, reader->line);
    } else {
        import_reject(import, reader->line, "it has neither a \"device\" nor a \"role\"");
    }
}

static void take_text(struct reader *reader, const char *text)
{
    size_t column = 0;
    char reason[] = "this is no JSON object";
    cJSON *json = json_parse_at(text, &column);
    if (cJSON_IsObject(json)) {
        take_object(reader, json);
    } else {
        reject_keep(reader->import, reader->line, column, reason);
        reader->given_up = !reader->header;
    }
    cJSON_Delete(json);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static void take_line(struct reader *reader, const char *text, size_t length)
{
    reader->line++;
    reader->size += length;
    if (strlen(text) != length) {
        import_reject(reader->import, reader->line, "it holds a NUL");
        reader->given_up = !reader->header;
    } else if (!is_blank(text)) {
        take_text(reader, text);
    }
    if (reader->import->progress)
        progress_show(reader->import->progress, reader->size, reader->import->devices.count);
}

static void take_end(struct reader *reader)
{
    if (reader->given_up)
        return;
    if (!reader->header)
        import_reject(reader->import, reader->line,
                      "the file is empty: an export begins with {\"devreg_export\": 1}");
    else if (reader->needs_end && !reader->import->ended)
        import_reject(reader->import, reader->line,
                      "the file is cut short: an export ends with " EXPORT_END);
}

static bool read_lines(struct reader *reader, FILE *file)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    while (!reader->given_up && (length = getline(&text, &room, file)) >= 0) {
        take_line(reader, text, (size_t)length);
        crypto_wipe(text, (size_t)length);
    }
    free(text);                           /* which leaves errno as it is */
    if (!reader->given_up && !feof(file)) /* getline may also lack memory */
        return false;
    take_end(reader);
    return true;
}

/* The registry is written from front to back; and twins become neighbours. */
static void sort(struct import_file *import, struct records *records)
{
    char name[DEVICE_ID_MAX + 1], other[DEVICE_ID_MAX + 1];
    records_sort(records);
    for (size_t i = 1; i < records->count; i++) {
        const struct record *before = records->items[i - 1].record;
        const struct record *record = records->items[i].record;
        if (record_order(before, record) != 0)
            continue;
        record_name(record, name);
        record_name(before, other);
        if (strcmp(name, other) == 0)
            import_reject(import, record->line, "%s: line %u has it already", name,
                          (unsigned)before->line);
        else
            import_reject(import, record->line, "%s: it differs only in case from %s in line %u",
                          name, other, (unsigned)before->line);
    }
}

static uint64_t size_of(FILE *file)
{
    struct stat info;
    return fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
}

enum status import_file_read(struct call *call, struct import_file *import, FILE *file)
{
    struct reader reader = {.import = import};
    if (import->progress)
        progress_step(import->progress, STEP_READ, size_of(file));
    if (!read_lines(&reader, file))
        return complain_file(call, import->path, errno);
    sort(import, &import->roles);
    sort(import, &import->devices);
    return STATUS_DONE;
}
