/* fuzz_add.c - the file of `devreg add --from`: CSV or JSON lines.
 *
 *   a byte    bit 0: as with --no-role; bit 1: with --set, --note, --expires and --client-id
 *   the rest  the file
 *
 * Each line is a device or refused, and nobody's twin or key comes through. A device that was taken
 * is told by `list --json`, and that is taken to the same bytes. */
#include "admin/batch_reader.h"
#include "admin/json.h"
#include "admin/record_json.h"
#include "registry/record.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/memory_file.h"
#include "tests/support/tempdir.h"

#define NOW_MS ((int64_t)1795000000000)

static struct call call;
static struct memory_file file;
static struct tempdir dir;

static void end(void)
{
    registry_close(call.registry);
    tempdir_remove(&dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char path[TEMPDIR_MAX];
    struct role role;
    (void)argc;
    (void)argv;
    json_init();
    HOLDS(crypto_init() == ERR_OK);
    tempdir_make(&dir);
    path_join(path, dir.path, "registry");
    HOLDS(registry_create(path, geteuid(), getegid(), "fuzz", NOW_MS) == ERR_OK);
    call = (struct call){.dir = path, .now = NOW_MS};
    HOLDS(registry_open(&call.registry, path, STORE_WRITE) == ERR_OK);
    role_init(&role, "pump");
    HOLDS(registry_write(call.registry, "fuzz", NOW_MS) == ERR_OK);
    HOLDS(registry_put_role(call.registry, &role) == ERR_OK);
    HOLDS(registry_commit(call.registry) == ERR_OK);
    role_clear(&role);
    memory_file_open(&file);
    return atexit(end);
}

static void read_batch(struct batch *batch, const void *data, size_t size)
{
    struct progress progress;
    progress_begin(&progress, false);
    memory_file_set(&file, data, size);
    HOLDS(batch_read(&call, batch, file.fd, &progress) == STATUS_DONE && !batch->error);
    batch_sort(batch);
    HOLDS(batch_compare(batch) == ERR_OK);
    progress_end(&progress);
}

static void fill_model(struct device *model, unsigned flags)
{
    if (!(flags & 1))
        HOLDS(device_add_role(model, "device") == ERR_OK);
    if (!(flags & 2))
        return;
    HOLDS(device_set_attribute(model, "site", "kiel") == ERR_OK);
    strcpy(model->note, "of the model");
    strcpy(model->client_id, "prefix");
    model->expires = NOW_MS + 1;
}

/* As the setters would have made it, without a key anywhere, to come into being by this. */
static void check_entry(const struct batch_entry *entry, FILE *list)
{
    struct device device;
    struct pack pack = {0};
    HOLDS(device_decode(&device, (struct bytes){entry->record, entry->size}) == ERR_OK);
    device_encode(&pack, &device);
    HOLDS(pack.size == entry->size && memcmp(pack.data, entry->record, pack.size) == 0);
    pack_free(&pack);
    HOLDS(device_plausible(&device) && !place_of_key(&device));
    HOLDS(device.state != DEVICE_REVOKED && device.credential_count == 0);
    HOLDS(device.generation == 0 && device.version == 0);
    HOLDS(!device.expires || device.expires > NOW_MS);
    for (size_t i = 0; i < device.role_count; i++)
        HOLDS(strcmp(device.roles[i], "device") == 0 || strcmp(device.roles[i], "pump") == 0);
    cJSON *json = device_to_json(&device, WITHOUT_SECRETS);
    json_print(list, json);
    cJSON_Delete(json);
    device_clear(&device);
}

/* Those that are to be added, as `list --json` tells them. */
static char *check_batch(const struct batch *batch, size_t *size)
{
    char *text = NULL, id[DEVICE_ID_MAX + 1], before[DEVICE_ID_MAX + 1] = "";
    size_t count = 0;
    FILE *list = open_memstream(&text, size);
    HOLDS(list);
    for (size_t i = 0; i < batch->sorted_count; i++) {
        const struct batch_entry *entry = batch->sorted[i].entry;
        if (entry->refused)
            continue;
        batch_id(entry, id);
        HOLDS(strcasecmp(before, id) < 0); /* so no two are twins */
        strcpy(before, id);
        check_entry(entry, list);
        count++;
    }
    HOLDS(count == batch->count && fclose(list) == 0);
    return text;
}

static void check_again(const struct batch *batch, const char *text, size_t size)
{
    struct batch again;
    batch_init(&again, &call, "LIST", BATCH_SHOWN);
    read_batch(&again, text, size);
    HOLDS(again.count == batch->count && again.reject_count == 0);
    const struct batch_entry *entry = again.first;
    for (size_t i = 0; i < batch->sorted_count; i++) {
        const struct batch_entry *was = batch->sorted[i].entry;
        if (was->refused)
            continue;
        HOLDS(entry && entry->size == was->size &&
              memcmp(entry->record, was->record, was->size) == 0);
        entry = entry->next;
    }
    batch_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct batch batch;
    struct heard heard;
    if (size > FUZZ_INPUT_MAX)
        return 0;
    unsigned flags = input_byte(&input);
    batch_init(&batch, &call, "FILE", BATCH_SHOWN);
    fill_model(&batch.model, flags);
    heard_begin(&heard);
    read_batch(&batch, input.at, input.size);
    batch_tell_refused(&batch);
    size_t said = heard_end(&heard);
    size_t kept = batch.reject_count < BATCH_SHOWN ? batch.reject_count : BATCH_SHOWN;
    HOLDS(said == kept + (batch.reject_count > kept));
    char *list = check_batch(&batch, &size);
    if (size)
        check_again(&batch, list, size);
    free(list);
    batch_clear(&batch);
    return 0;
}
