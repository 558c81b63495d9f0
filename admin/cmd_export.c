/* devreg export: the registry as text that any later version can read, in JSON lines.
 *
 *   {"devreg_export": 1, "hashes": true, "end": true, "made": ..., "by": "devreg 0.1.0",
 *    "secret": "5e..."}
 *   {"role": ...}      each role          (record_json.h)
 *   {"device": ...}    each device
 *   {"devreg_export": "end"}              without it a file was cut short (import_file.h)
 *
 * It is one snapshot, so one read scope: while it runs, pages that others give up are kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "admin/complain.h"
#include "admin/hex.h"
#include "admin/import_file.h"
#include "admin/lookup.h"
#include "admin/new_file.h"
#include "admin/output.h"
#include "admin/record_json.h"

struct export_run {
    FILE *file;
    enum secrets secrets;
    bool damaged;
    int problem;             /* errno of the first write that failed */
    uint64_t devices, roles; /* written so far */
};

static void write_object(struct export_run *export, cJSON *object)
{
    json_print(export->file, object);
    if (ferror(export->file) && !export->problem)
        export->problem = errno;
    cJSON_Delete(object);
}

static void write_header(const struct call *call, struct export_run *export)
{
    char hex[2 * CRYPTO_KEY_SIZE + 1];
    cJSON *header = cJSON_CreateObject();
    json_number(header, "devreg_export", 1);
    (void)cJSON_AddBoolToObject(header, "hashes", export->secrets == WITH_SECRETS);
    (void)cJSON_AddBoolToObject(header, "end", true);
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
        export->roles++;
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
    if (!e)
        (void)fputs(EXPORT_END "\n", export->file);
    if (e)
        return complain_err(call, e);
    if (export->damaged)
        return complain(call, STATUS_FAILED,
                        "the export lacks the damaged records: keep it, and see 'devreg check'");
    return STATUS_DONE;
}

/* Who is not told that keys are missing learns it when the other registry is gone. */
static void say(const struct export_run *export)
{
    char devices[COUNT_TEXT_MAX + 1], roles[COUNT_TEXT_MAX + 1];
    tell_person("Exported %s device%s and %s role%s %s.", count_format(devices, export->devices),
                plural(export->devices), count_format(roles, export->roles), plural(export->roles),
                export->secrets == WITH_SECRETS
                    ? "with all credentials and the registry's secret: keep it safe"
                    : "without credentials: --with-hashes takes them along");
}

/* 0, or why not all was written. */
static int end_writing(struct export_run *export)
{
    int problem = export->problem;
    if (fflush(export->file) != 0 && !problem)
        problem = errno;
    if (fclose(export->file) != 0 && !problem)
        problem = errno;
    return problem;
}

/* Exactly what was asked for is on the disk, or no file is: half a backup must not be taken for
 * one.
 */
static enum status write_file(struct call *call, struct export_run *export,
                              struct new_file *new_file)
{
    int file = fcntl(new_file->file, F_DUPFD_CLOEXEC, 0);
    export->file = file < 0 ? NULL : fdopen(file, "w");
    if (!export->file)
        return complain_file(call, new_file->path, errno);
    enum status status = write_all(call, export);
    int problem = end_writing(export);
    if (status && !export->damaged)
        return status;
    if (!problem)
        problem = new_file_keep(new_file);
    if (!problem)
        return status;
    call->complaint[0] = '\0'; /* that it lacks something */
    return complain(call, STATUS_FAILED, SHOWN ": %s; nothing was kept", new_file->path,
                    strerror(problem));
}

static void answer_json(const struct export_run *export, const char *path)
{
    cJSON *answer = cJSON_CreateObject();
    json_text(answer, "file", path);
    json_number(answer, "devices", export->devices);
    json_number(answer, "roles", export->roles);
    (void)cJSON_AddBoolToObject(answer, "hashes", export->secrets == WITH_SECRETS);
    json_print(stdout, answer);
    cJSON_Delete(answer);
}

static enum status export_to_file(struct call *call, struct export_run *export, const char *path)
{
    struct new_file new_file;
    /* A limit is an error of write(), after which nothing is kept. */
    (void)signal(SIGXFSZ, SIG_IGN);
    int problem = new_file_open(&new_file, path);
    if (problem == EEXIST)
        return complain(call, STATUS_NO,
                        SHOWN ": it is there already: name a new file, or remove that one", path);
    if (problem)
        return complain_file(call, path, problem);
    enum status status = write_file(call, export, &new_file);
    new_file_end(&new_file);
    if (!status && call->json)
        answer_json(export, path);
    if (!status)
        say(export);
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
    enum status status = write_all(call, &export);
    output_flush(call);
    if (!status && !call->write_error)
        say(&export);
    return status;
}
