/* devreg add: one verb makes a working device. */
#include <string.h>

#include "admin/add_many.h"
#include "admin/answer.h"
#include "admin/change.h"
#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/lookup.h"
#include "admin/qr.h"
#include "admin/secret.h"

static enum status options_agree(struct call *call)
{
    bool password = call_option(call, OPT_PASSWORD), file = call_option(call, OPT_PASSWORD_FILE);
    if (password + file + !!call_option(call, OPT_NO_KEY) > 1)
        return complain(call, STATUS_MISUSE,
                        "--password, --password-file and --no-key exclude each other: use one");
    if (call_option(call, OPT_ROLE) && call_option(call, OPT_NO_ROLE))
        return complain(call, STATUS_MISUSE, "--role and --no-role exclude each other: use one");
    if (call_option(call, OPT_QR) && (password || file || call_option(call, OPT_NO_KEY)))
        return complain(call, STATUS_MISUSE,
                        "--qr draws a new key, and none is made: leave it out");
    return STATUS_DONE;
}

static enum status take_roles(struct call *call, struct device *device)
{
    if (call_option(call, OPT_NO_ROLE))
        return STATUS_DONE;
    if (call_option(call, OPT_ROLE))
        return device_take_roles(call, device, OPT_ROLE);
    detail_add(call, "+@" DEFAULT_ROLE);
    return complain_err(call, device_add_role(device, DEFAULT_ROLE));
}

/* Looked at before a person types a password twice, and again when the device is stored. */
static enum status id_is_free(struct call *call, const char *id)
{
    char twin[DEVICE_ID_MAX + 1];
    enum err e = registry_find_twin(call->registry, id, twin);
    if (e == ERR_NOT_FOUND)
        return STATUS_DONE;
    if (e)
        return device_error(call, e, id);
    if (strcmp(twin, id) == 0)
        return complain(call, STATUS_NO, "%s: it is there already; see 'devreg show %s'", id, id);
    return complain(call, STATUS_NO, "%s: it differs only in case from %s: choose another id", id,
                    twin);
}

static enum status look_first(struct call *call, const struct device *device)
{
    enum status status = read_begin(call);
    if (!status)
        status = id_is_free(call, device->id);
    if (!status)
        status = new_roles_check(call, device);
    registry_end(call->registry);
    return status;
}

/* The first credential: a key unless a password is asked for. */
static enum status take_credential(struct call *call, struct device *device,
                                   char key[static KEY_TEXT_SIZE + 1])
{
    bool password = call_option(call, OPT_PASSWORD) || call_option(call, OPT_PASSWORD_FILE);
    if (call_option(call, OPT_NO_KEY))
        return STATUS_DONE;
    struct credential *credential =
        device_new_credential(device, password ? CREDENTIAL_PASSWORD : CREDENTIAL_KEY, call->now);
    detail_add(call, "%s %u", credential_kind_name(credential), (unsigned)credential->id);
    if (password)
        return password_credential(call, credential);
    return key_credential(call, device->id, credential, key);
}

static enum status store_device(struct call *call, struct device *device)
{
    enum status status = change_begin(call);
    if (!status)
        status = id_is_free(call, device->id);
    if (!status)
        status = new_roles_check(call, device);
    if (!status)
        status = complain_err(call, registry_add_device(call->registry, device));
    if (!status)
        return change_commit(call, LOG_ADD, LOG_DEVICE, device->id);
    change_end(call);
    return status;
}

static enum status add_device(struct call *call, struct device *device,
                              char key[static KEY_TEXT_SIZE + 1])
{
    enum status status = take_roles(call, device);
    if (!status)
        status = device_take_options(call, device);
    if (!status)
        status = look_first(call, device);
    if (!status)
        status = take_credential(call, device, key);
    if (!status)
        status = store_device(call, device);
    if (status)
        return status;
    return *key ? answer_key(call, device, device->credentials[0].id, key, true)
                : answer_device(call, device, "added");
}

static enum status add_one(struct call *call)
{
    struct device device;
    char key[KEY_TEXT_SIZE + 1] = "";
    const char *id = call_word(call, 0);
    enum status status = check_device_id(call, id);
    if (status)
        return status;
    device_init(&device, id);
    status = add_device(call, &device, key);
    device_clear(&device);
    crypto_wipe(key, sizeof key);
    return status;
}

/* Options that only many devices have, in the order in which a wrong one is named. */
static enum status one_agrees(struct call *call)
{
    static const enum option many[] = {OPT_PREFIX, OPT_START, OPT_KEYS, OPT_KEEP_GOING,
                                       OPT_DRY_RUN};
    if (call->arguments.word_count == 0)
        return complain(call, STATUS_MISUSE, "add: too few arguments: write devreg add %s",
                        call->command->words);
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        if (call_option(call, many[i]))
            return complain(call, STATUS_MISUSE, "--%s goes with --from or --count",
                            option_rows[many[i]].name);
    }
    return STATUS_DONE;
}

enum status cmd_add(struct call *call)
{
    bool many = call_option(call, OPT_FROM) || call_option(call, OPT_COUNT_OF);
    enum status status = options_agree(call);
    if (!status && many)
        return add_many(call);
    if (!status)
        status = one_agrees(call);
    if (!status)
        status = qr_check(call);
    return status ? status : add_one(call);
}
