/* devreg export: the registry as text that any later version can read, in JSON lines.
 *
 *   {"devreg_export": 1, "hashes": true, "made": ..., "by": "devreg 0.1.0", "secret": "5e..."}
 *   {"role": ...}      each role          (record_json.h)
 *   {"device": ...}    each device
 *
 * It is one snapshot, so one read scope: while it runs, pages that others give up are kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "admin/complain.h"
#include "admin/hex.h"
#include "admin/lookup.h"
#include "admin/record_json.h"

struct export_run {
    FILE *file;
    enum secrets secrets;
    bool damaged;
    uint64_t devices; /* written so far */
};

static void write_object(const struct export_run *export, cJSON *object)
{
    json_print(export->file, object);
    cJSON_Delete(object);
}

static void write_header(const struct call *call, const struct export_run *export)
{
    char hex[2 * CRYPTO_KEY_SIZE + 1];
    cJSON *header = cJSON_CreateObject();
    json_number(header, "devreg_export", 1);
    (void)cJSON_AddBoolToObject(header, "hashes", export->secrets == WITH_SECRETS);
    json_time(header, "made", call->now);
    json_text(header, "by", "devreg " DEVREG_VERSION);
    if (export->secrets == WITH_SECRETS) {
        hex_format(hex, registry_secret(call->registry), CRYPTO_KEY_SIZE);
        json_text(header, "secret", hex);
        crypto_wipe(hex, sizeof hex);
    }
    write_object(export, header);
}

static enum err write_roles(struct call *call, struct export_run *export)
{
    char after[ROLE_NAME_MAX + 1] = "";
    struct role role;
    enum err e = ERR_OK;
    while (!ferror(export->file) && !(e = role_step(call, after, &role, &export->damaged))) {
        write_object(export, role_to_json(&role));
        role_clear(&role);
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err write_devices(struct call *call, struct export_run *export)
{
    char after[DEVICE_ID_MAX + 1] = "";
    struct device device;
    enum err e = ERR_OK;
    while (!ferror(export->file) && !(e = device_step(call, after, &device, &export->damaged))) {
        cJSON *object = device_to_json(&device, export->secrets);
        if (export->secrets != WITH_SECRETS)
            cJSON_DeleteItemFromObject(object, "credentials");
        write_object(export, object);
        export->devices++;
        device_clear(&device);
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum status write_all(struct call *call, struct export_run *export)
{
    enum status status = read_begin(call);
    if (status)
        return status;
    enum err e = registry_refresh_secret(call->registry); /* that of this snapshot */
    if (!e) {
        write_header(call, export);
        e = write_roles(call, export);
    }
    if (!e)
        e = write_devices(call, export);
    registry_end(call->registry);
    if (e)
        return complain_err(call, e);
    if (export->damaged)
        return complain(call, STATUS_FAILED,
                        "the export lacks the damaged records: keep it, and see 'devreg check'");
    return STATUS_DONE;
}

/* Exactly what was asked for is on the disk, or no file is. */
static enum status finish_file(struct call *call, struct export_run *export, const char *path,
                               enum status status)
{
    bool written =
        fflush(export->file) == 0 && !ferror(export->file) && fsync(fileno(export->file)) == 0;
    int problem = errno;
    if (fclose(export->file) != 0 && written) {
        problem = errno;
        written = false;
    }
    if (written && (!status || export->damaged))
        return status;
    (void)unlink(path); /* half a backup must not be taken for one */
    return complain(call, STATUS_FAILED, SHOWN ": %s; nothing was kept", path, strerror(problem));
}

static enum status export_to_file(struct call *call, struct export_run *export, const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0 && errno == EEXIST)
        return complain(call, STATUS_NO,
                        SHOWN ": it is there already: name a new file, or remove that one", path);
    export->file = file < 0 ? NULL : fdopen(file, "w");
    if (!export->file)
        return complain_file(call, path, errno);
    enum status status = finish_file(call, export, path, write_all(call, export));
    if (!status && call->json) {
        cJSON *answer = cJSON_CreateObject();
        json_text(answer, "file", path);
        json_number(answer, "devices", export->devices);
        json_print(stdout, answer);
        cJSON_Delete(answer);
    }
    return status;
}

enum status cmd_export(struct call *call)
{
    const char *path = call->arguments.word_count ? call_word(call, 0) : "-";
    struct export_run export = {.file = stdout};
    if (call_option(call, OPT_WITH_HASHES))
        export.secrets = WITH_SECRETS;
    if (strcmp(path, "-") != 0)
        return export_to_file(call, &export, path);
    if (export.secrets == WITH_SECRETS && isatty(STDOUT_FILENO))
        return complain(call, STATUS_MISUSE,
                        "--with-hashes: the registry's secret does not belong on a screen: name a "
                        "FILE");
    return write_all(call, &export);
}
