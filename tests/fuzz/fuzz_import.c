/* fuzz_import.c - an export, as import and apply read it.
 *
 * What is taken can be written again, and read again, to the same bytes. */
#include "admin/hex.h"
#include "admin/import_file.h"
#include "tests/fuzz/heard.h"

/* ---- what was read is as the registry would have made it */

static void check_records(const struct records *records, bool roles)
{
    for (size_t i = 0; i < records->count; i++) {
        const struct record *record = records->items[i].record;
        HOLDS(i == 0 || record_order(records->items[i - 1].record, record) <= 0);
        struct device device;
        struct role role;
        if (roles) {
            HOLDS(record_role(record, &role) == ERR_OK && role_name_valid(role.name));
            role_clear(&role);
        } else {
            HOLDS(record_device(record, &device) == ERR_OK && device_plausible(&device));
            HOLDS(device.state != DEVICE_REVOKED || device.credential_count == 0);
            device_clear(&device);
        }
    }
}

/* ---- there and back */

static void write_json(FILE *file, cJSON *json)
{
    json_print(file, json);
    cJSON_Delete(json);
}

static void write_header(FILE *file, const struct import_file *import)
{
    char hex[2 * CRYPTO_KEY_SIZE + 1];
    cJSON *header = cJSON_CreateObject();
    json_number(header, "devreg_export", 1);
    (void)cJSON_AddBoolToObject(header, "hashes", import->secrets == WITH_SECRETS);
    (void)cJSON_AddBoolToObject(header, "end", true);
    hex_format(hex, import->secret, CRYPTO_KEY_SIZE);
    json_text(header, "secret", hex);
    write_json(file, header);
}

static void write_roles(FILE *file, const struct import_file *import)
{
    struct role role;
    for (size_t i = 0; i < import->roles.count; i++) {
        HOLDS(record_role(import->roles.items[i].record, &role) == ERR_OK);
        write_json(file, role_to_json(&role));
        role_clear(&role);
    }
}

static void write_devices(FILE *file, const struct import_file *import)
{
    struct device device;
    for (size_t i = 0; i < import->devices.count; i++) {
        HOLDS(record_device(import->devices.items[i].record, &device) == ERR_OK);
        cJSON *json = device_to_json(&device, import->secrets);
        if (import->secrets == WITHOUT_SECRETS)
            cJSON_DeleteItemFromObject(json, "credentials");
        write_json(file, json);
        device_clear(&device);
    }
}

static char *write_all(const struct import_file *import, size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    HOLDS(file);
    write_header(file, import);
    write_roles(file, import);
    write_devices(file, import);
    (void)fputs(EXPORT_END "\n", file);
    HOLDS(fclose(file) == 0);
    return text;
}

static void check_same(const struct records *a, const struct records *b)
{
    HOLDS(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct record *x = a->items[i].record, *y = b->items[i].record;
        HOLDS(x->size == y->size && memcmp(x->bytes, y->bytes, x->size) == 0);
    }
}

static void read_text(struct import_file *import, char *text, size_t size)
{
    static struct call call;
    struct heard heard;
    FILE *file = fmemopen(text, size, "r");
    HOLDS(file);
    *import = (struct import_file){.path = "FILE"};
    heard_begin(&heard);
    HOLDS(import_file_read(&call, import, file) == STATUS_DONE);
    import_tell_rejects(import);
    HOLDS(heard_end(&heard) == import->reject_count);
    HOLDS(fclose(file) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_init();
    return crypto_init() == ERR_OK ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct import_file import, again;
    if (!size || size > FUZZ_INPUT_MAX)
        return 0;
    char *text = input_copy(data, size);
    read_text(&import, text, size);
    free(text);
    check_records(&import.roles, true);
    check_records(&import.devices, false);
    if (!import.reject_count) {
        text = write_all(&import, &size);
        read_text(&again, text, size);
        free(text);
        HOLDS(again.reject_count == 0 && again.ended && again.secrets == import.secrets);
        check_same(&import.roles, &again.roles);
        check_same(&import.devices, &again.devices);
        import_file_clear(&again);
    }
    import_file_clear(&import);
    return 0;
}
