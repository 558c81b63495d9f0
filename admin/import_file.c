#include "admin/import_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/hex.h"
#include "admin/record_reader.h"
#include "registry/record.h"
#include "registry/text.h"

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

void import_reject(struct import_file *import, size_t line, const char *format, ...)
{
    char reason[COMPLAINT_MAX + 1];
    va_list values;
    va_start(values, format);
    vsnprintf(reason, sizeof reason, format, values);
    va_end(values);
    import->rejects =
        grow(import->rejects, import->reject_count, &import->reject_room, sizeof *import->rejects);
    size_t size = strlen(reason) + 1;
    char *copy = memory_get(size);
    memcpy(copy, reason, size);
    import->rejects[import->reject_count++] = (struct import_reject){line, copy};
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
    for (size_t i = 0; i < import->reject_count; i++)
        tell("devreg: " SHOWN ":%zu: %s", import->path, import->rejects[i].line,
             import->rejects[i].reason);
}

/* A copy in lower case, as the registry folds names. */
static char *fold(const char *name)
{
    size_t size = strlen(name) + 1;
    char *folded = memory_get(size);
    memcpy(folded, name, size);
    for (char *c = folded; *c; c++)
        *c = (char)text_fold(*c);
    return folded;
}

static struct import_item *items_add(struct import_items *items, size_t line, const char *name)
{
    items->items = grow(items->items, items->count, &items->room, sizeof *items->items);
    struct import_item *item = &items->items[items->count++];
    *item = (struct import_item){.line = line, .name = fold(name)};
    return item;
}

static void items_clear(struct import_items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        pack_free(&items->items[i].bytes);
        free(items->items[i].name);
    }
    free(items->items);
    *items = (struct import_items){0};
}

void import_file_clear(struct import_file *import)
{
    items_clear(&import->roles);
    items_clear(&import->devices);
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

static void finish_pack(struct pack *pack)
{
    if (pack->failed)
        memory_out();
}

static void read_role(struct import_file *import, const cJSON *json, size_t line)
{
    struct role role;
    char problem[RECORD_PROBLEM_MAX + 1];
    if (!role_from_json(&role, json, import->secrets, problem)) {
        import_reject(import, line, "%s", problem);
        return;
    }
    struct import_item *item = items_add(&import->roles, line, role.name);
    role_encode(&item->bytes, &role);
    finish_pack(&item->bytes);
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
    struct import_item *item = items_add(&import->devices, line, device.id);
    device_encode(&item->bytes, &device);
    finish_pack(&item->bytes);
    device_clear(&device);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* False where there is no sense in reading on. */
static bool read_text(struct import_file *import, const char *text, size_t line, bool *header)
{
    cJSON *json = json_parse(text);
    bool go_on = true;
    if (!cJSON_IsObject(json)) {
        import_reject(import, line, "this is no JSON object");
        go_on = *header;
    } else if (!*header) {
        go_on = *header = read_header(import, json, line);
    } else if (cJSON_HasObjectItem(json, "role")) {
        read_role(import, json, line);
    } else if (cJSON_HasObjectItem(json, "device")) {
        read_device(import, json, line);
    } else {
        import_reject(import, line, "it has neither a \"device\" nor a \"role\"");
    }
    cJSON_Delete(json);
    return go_on;
}

static bool read_lines(struct import_file *import, FILE *file)
{
    char *text = NULL;
    size_t room = 0, line = 0;
    ssize_t length;
    bool header = false, go_on = true;
    while (go_on && (length = getline(&text, &room, file)) >= 0) {
        line++;
        if (strlen(text) != (size_t)length) {
            import_reject(import, line, "it holds a NUL");
            go_on = header;
        } else if (!is_blank(text))
            go_on = read_text(import, text, line, &header);
        crypto_wipe(text, (size_t)length);
    }
    free(text);
    if (go_on && !header && !ferror(file))
        import_reject(import, line,
                      "the file is empty: an export begins with "
                      "{\"devreg_export\": 1}");
    return !ferror(file);
}

static int item_order(const void *a, const void *b)
{
    const struct import_item *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* So that twins are neighbours, and the registry is written from front to back. */
static void items_sort(struct import_file *import, struct import_items *items)
{
    if (items->count)
        qsort(items->items, items->count, sizeof *items->items, item_order);
    for (size_t i = 1; i < items->count; i++) {
        if (strcmp(items->items[i - 1].name, items->items[i].name) == 0)
            import_reject(import, items->items[i].line,
                          "%s: line %zu has the same name, or one that differs only in case",
                          items->items[i].name, items->items[i - 1].line);
    }
}

enum status import_file_read(struct call *call, struct import_file *import, FILE *file)
{
    if (!read_lines(import, file))
        return complain_file(call, import->path, errno);
    items_sort(import, &import->roles);
    items_sort(import, &import->devices);
    return STATUS_DONE;
}

static int name_order(const void *name, const void *item)
{
    return strcmp(name, ((const struct import_item *)item)->name);
}

bool import_holds(const struct import_items *items, const char *name)
{
    char *folded = fold(name);
    bool found = items->count &&
                 bsearch(folded, items->items, items->count, sizeof *items->items, name_order);
    free(folded);
    return found;
}
