#include "admin/batch_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/columns.h"
#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/json.h"
#include "admin/record_reader.h"

#define BLANKS " \t\r"

enum { INPUT_SIZE = 65536, JSON_LINE_MAX = 1 << 20, BOM_SIZE = 3, MARK_SIZE = 4 };

struct reader {
    struct batch *batch;
    struct progress *progress;
    enum { SHAPE_UNKNOWN, SHAPE_CSV, SHAPE_JSON_LINES } shape;
    bool header;   /* it was read; of JSON lines: the first line that is not empty was */
    bool given_up; /* there is no sense in reading on */
    uint64_t read;
    size_t line; /* of JSON, or before the shape is known */
    struct csv csv;
    struct columns columns;
    char *json; /* a line so far, with room for JSON_LINE_MAX and a NUL */
    size_t json_size;
    bool json_too_long;
    char input[INPUT_SIZE];
};

/* "sep=;" is how Excel is told the separator: csv.h has found it already. */
static bool is_separator_line(const struct csv *csv)
{
    return csv->cell_count <= 2 && strcmp(csv_cell(csv, 0), "sep=") == 0 && !*csv_cell(csv, 1);
}

static bool is_blank_row(const struct csv *csv)
{
    return csv->cell_count == 1 && !*csv_cell(csv, 0);
}

static void take_row(struct reader *reader)
{
    const struct csv *csv = &reader->csv;
    if (reader->header) {
        columns_add_row(&reader->columns, reader->batch, csv);
    } else if (!is_separator_line(csv) && !is_blank_row(csv)) {
        reader->header = columns_read(&reader->columns, reader->batch, csv);
        reader->given_up = !reader->header;
    }
    progress_show(reader->progress, reader->read, reader->batch->count);
}

static void take_bad(struct reader *reader)
{
    const struct csv *csv = &reader->csv;
    batch_refuse_row(reader->batch, csv, csv->problem_line, csv->problem);
    reader->given_up = !reader->header;
}

static void take_result(struct reader *reader, enum csv_result result)
{
    if (result == CSV_ROW)
        take_row(reader);
    if (result == CSV_BAD)
        take_bad(reader);
}

static void read_csv(struct reader *reader, const char *data, size_t size)
{
    while (size && !reader->given_up)
        take_result(reader, csv_read(&reader->csv, &data, &size));
}

static bool json_refuse(struct reader *reader, const char *problem)
{
    batch_refuse(reader->batch, reader->line, STATUS_MISUSE, "%s", problem);
    return false;
}

static bool has(const cJSON *json, const char *member)
{
    return cJSON_GetObjectItemCaseSensitive(json, member);
}

static bool holds_secrets(const cJSON *json)
{
    const cJSON *credential;
    cJSON_ArrayForEach(credential, cJSON_GetObjectItem(json, "credentials"))
    {
        if (cJSON_HasObjectItem(credential, "secret"))
            return true;
    }
    return cJSON_HasObjectItem(json, "next_credential");
}

/* What `show` and `list` tell besides the device is passed over. */
static void drop_answers(cJSON *json)
{
    static const char *const members[] = {"credentials", "role_rules", "presence", "since"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(json, members[i]);
}

/* What only this reader takes, or does not take. */
static bool json_prepare(struct reader *reader, cJSON *json, int64_t *expires)
{
    if (!cJSON_IsObject(json))
        return json_refuse(reader, "this is no JSON object");
    if (cJSON_HasObjectItem(json, "devreg_export"))
        return json_refuse(reader, "this is the first line of an export: use 'devreg import'");
    if (!has(json, "device"))
        return json_refuse(reader, "it has no 'device'");
    if (holds_secrets(json))
        return json_refuse(reader, "it has the secrets of credentials: leave them out, new keys "
                                   "are made; or use 'devreg import'");
    drop_answers(json);
    cJSON *text = cJSON_GetObjectItemCaseSensitive(json, "expires");
    *expires = reader->batch->model.expires;
    if (!cJSON_IsString(text))
        return true;
    enum expiry expiry = expiry_parse(expires, text->valuestring, reader->batch->now);
    if (expiry == EXPIRY_NONE)
        return json_refuse(reader, "'expires': write " EXPIRY_FORMS ", or ms since 1970");
    if (expiry == EXPIRY_OVER)
        return json_refuse(reader, "'expires' is over already");
    cJSON_Delete(cJSON_DetachItemViaPointer(json, text));
    return !has(json, "expires") || json_refuse(reader, "member 'expires' is there twice");
}

/* What the line does not say is as in the model. */
static void json_complete(const struct reader *reader, struct device *device, const cJSON *json,
                          int64_t expires)
{
    const struct batch *batch = reader->batch;
    struct device model;
    batch_begin_device(batch, &model, device->id);
    if (!has(json, "roles"))
        batch_default_roles(batch, device);
    if (!has(json, "note"))
        memcpy(device->note, model.note, sizeof device->note);
    if (!has(json, "client_id"))
        memcpy(device->client_id, model.client_id, sizeof device->client_id);
    if (!device->expires)
        device->expires = expires;
    if (strcmp(device->client_id, "any") == 0)
        device->client_id[0] = '\0';
}

static bool json_attributes(struct reader *reader, struct device *device)
{
    const struct device *model = &reader->batch->model;
    for (size_t i = 0; i < model->attribute_count; i++) {
        const struct attribute *attribute = &model->attributes[i];
        if (attribute_find(device->attributes, device->attribute_count, attribute->name))
            continue;
        if (device_set_attribute(device, attribute->name, attribute->value) != ERR_OK)
            return json_refuse(reader, "more attributes than a device may have, with --set");
    }
    return true;
}

static bool json_sound(struct reader *reader, const struct device *device)
{
    if (device->state == DEVICE_REVOKED)
        return json_refuse(reader, "a revoked device cannot be added");
    if (device->expires && device->expires <= reader->batch->now)
        return json_refuse(reader, "'expires' is over already");
    return true;
}

static void take_json(struct reader *reader, cJSON *json)
{
    struct device device;
    char problem[RECORD_PROBLEM_MAX + 1];
    int64_t expires;
    if (!json_prepare(reader, json, &expires))
        return;
    if (!device_from_json(&device, json, WITHOUT_SECRETS, problem)) {
        (void)json_refuse(reader, problem);
        return;
    }
    json_complete(reader, &device, json, expires);
    if (json_attributes(reader, &device) && json_sound(reader, &device)) {
        device.version = device.generation = 0;
        batch_add(reader->batch, &device, reader->line);
    }
    device_clear(&device);
}

/* The first line tells whether it is what it should be. */
static bool json_begins_well(struct reader *reader, const char *text, const cJSON *json)
{
    text += strspn(text, BLANKS);
    if (*text == '{' && !text[1 + strspn(text + 1, BLANKS)])
        return json_refuse(reader, "an object of several lines: write each in one line, as "
                                   "'jq -c .' does");
    if (cJSON_HasObjectItem(json, "devreg_export"))
        return json_refuse(reader, "this is an export: use 'devreg import'");
    return true;
}

static void take_json_text(struct reader *reader, const char *text)
{
    cJSON *json = json_parse(text);
    reader->given_up = !reader->header && !json_begins_well(reader, text, json);
    if (!reader->given_up)
        take_json(reader, json);
    cJSON_Delete(json);
}

static void take_json_line(struct reader *reader)
{
    char *text = reader->json;
    text[reader->json_size] = '\0';
    bool blank = !reader->json_too_long && strspn(text, BLANKS) == reader->json_size;
    if (reader->json_too_long) {
        (void)json_refuse(reader, "it is longer than a million bytes");
    } else if (strlen(text) != reader->json_size) {
        (void)json_refuse(reader, "it holds a NUL byte");
    } else if (!blank) {
        take_json_text(reader, text);
    }
    reader->header = reader->header || !blank;
    reader->json_size = 0;
    reader->json_too_long = false;
    progress_show(reader->progress, reader->read, reader->batch->count);
}

static void read_json(struct reader *reader, const char *data, size_t size)
{
    while (size && !reader->given_up) {
        const char *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size;
        if (length > JSON_LINE_MAX - reader->json_size)
            reader->json_too_long = true;
        else
            memcpy(reader->json + reader->json_size, data, length);
        if (!reader->json_too_long)
            reader->json_size += length;
        if (end) {
            take_json_line(reader);
            reader->line++;
        }
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
}

static void begin_shape(struct reader *reader, bool json)
{
    reader->shape = json ? SHAPE_JSON_LINES : SHAPE_CSV;
    if (json)
        reader->json = memory_get(JSON_LINE_MAX + 1);
    else
        csv_init(&reader->csv, reader->line);
}

static void take_input(struct reader *reader, const char *data, size_t size)
{
    while (reader->shape == SHAPE_UNKNOWN && size) {
        if (*data == '[') {
            (void)json_refuse(reader, "it is a JSON array: write each object in a line of its own, "
                                      "as 'jq -c .[]' does");
            reader->given_up = true;
            return;
        }
        if (*data != ' ' && *data != '\r' && *data != '\n') {
            begin_shape(reader, *data == '{');
            break;
        }
        reader->line += *data++ == '\n';
        size--;
    }
    if (reader->shape == SHAPE_CSV)
        read_csv(reader, data, size);
    else if (reader->shape == SHAPE_JSON_LINES)
        read_json(reader, data, size);
}

/* A file may begin with the mark of its encoding. */
static void take_first(struct reader *reader, size_t size)
{
    const char *data = reader->input;
    bool utf16 =
        size >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0);
    bool marked = size >= BOM_SIZE && memcmp(data, "\xef\xbb\xbf", BOM_SIZE) == 0;
    if (utf16) {
        (void)json_refuse(reader, "it is UTF-16: save it as UTF-8 (in spreadsheets 'CSV UTF-8')");
        reader->given_up = true;
        return;
    }
    take_input(reader, marked ? data + BOM_SIZE : data, marked ? size - BOM_SIZE : size);
}

static void take_end(struct reader *reader)
{
    if (reader->given_up)
        return;
    if (reader->shape == SHAPE_CSV) {
        enum csv_result result = csv_end(&reader->csv);
        if (result != CSV_MORE)
            take_result(reader, result);
    } else if (reader->shape == SHAPE_JSON_LINES && (reader->json_size || reader->json_too_long)) {
        take_json_line(reader);
    }
    bool empty = reader->shape == SHAPE_UNKNOWN || (reader->shape == SHAPE_CSV && !reader->header);
    if (empty && !reader->given_up)
        (void)json_refuse(reader, "the file is empty: a CSV file begins with a line that names its "
                                  "columns");
}

/* Reads at least MARK_SIZE bytes, unless there are less. -1 with errno. */
static ssize_t read_some(int file, char *data)
{
    size_t size = 0;
    while (size < MARK_SIZE) {
        ssize_t got = read(file, data + size, INPUT_SIZE - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    return (ssize_t)size;
}

static enum status read_all(struct call *call, struct reader *reader, int file)
{
    ssize_t got;
    while (!reader->given_up && !reader->batch->error &&
           (got = read_some(file, reader->input)) != 0) {
        if (got < 0)
            return complain_file(call, reader->batch->path, errno);
        bool first = reader->read == 0;
        reader->read += (uint64_t)got;
        if (first)
            take_first(reader, (size_t)got);
        else
            take_input(reader, reader->input, (size_t)got);
    }
    take_end(reader);
    return complain_err(call, reader->batch->error);
}

static uint64_t size_of(int file)
{
    struct stat info;
    return fstat(file, &info) == 0 && S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
}

enum status batch_read(struct call *call, struct batch *batch, int file, struct progress *progress)
{
    struct reader *reader = memory_get(sizeof *reader);
    memset(reader, 0, sizeof *reader);
    reader->batch = batch;
    reader->progress = progress;
    reader->line = 1;
    progress_step(progress, STEP_READ, size_of(file));
    enum status status = read_all(call, reader, file);
    if (reader->json) {
        crypto_wipe(reader->json, JSON_LINE_MAX + 1);
        free(reader->json);
    }
    crypto_wipe(reader, sizeof *reader); /* a key may have stood in the wrong cell */
    free(reader);
    return status;
}
