/* devreg rotate, devreg password: new credentials for a device that is there. */
#include <string.h>

#include "admin/answer.h"
#include "admin/change.h"
#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/lookup.h"
#include "admin/secret.h"
#include "admin/when.h"
#include "registry/text.h"

#define GRACE_DEFAULT "7d"

struct rotation {
    int64_t grace;
    bool until_used;
    char label[CREDENTIAL_LABEL_MAX + 1];
    uint32_t credential; /* of the new key */
    char key[KEY_TEXT_SIZE + 1];
};

/* Every key of `device`, and a password that was imported in the place of one, ends after the
 * grace, unless it does so earlier, and with the first use of the next one if that is asked for. */
static void end_keys(struct device *device, int64_t now, const struct rotation *rotation)
{
    int64_t grace = rotation->grace;
    for (size_t i = device->credential_count; i-- > 0;) {
        struct credential *credential = &device->credentials[i];
        if (credential->kind != CREDENTIAL_KEY && credential->kind != CREDENTIAL_IMPORTED)
            continue;
        if (grace == 0) {
            device_drop_credential(device, i);
            continue;
        }
        if (credential->expires == 0 || credential->expires > now + grace)
            credential->expires = now + grace;
        if (rotation->until_used && !credential->ended_by) /* it may have ended already by that */
            credential->ended_by = device->next_credential;
    }
}

static enum status not_revoked(struct call *call, const struct device *device)
{
    return device->state == DEVICE_REVOKED ? complain_revoked(call, device->id) : STATUS_DONE;
}

static struct credential *new_credential(struct call *call, struct device *device,
                                         enum credential_kind kind, enum status *status)
{
    struct credential *credential = device_new_credential(device, kind, call->now);
    if (!credential)
        *status = complain(call, STATUS_NO,
                           "%s: it has %d credentials already: wait for the old keys to end, or "
                           "end them at once with 'devreg rotate %s --grace 0'",
                           device->id, CREDENTIALS_MAX, device->id);
    return credential;
}

static enum status rotate(struct call *call, struct device *device, void *context)
{
    struct rotation *rotation = context;
    enum status status = not_revoked(call, device);
    if (status)
        return status;
    end_keys(device, call->now, rotation);
    struct credential *credential = new_credential(call, device, CREDENTIAL_KEY, &status);
    if (!credential)
        return status;
    (void)text_copy(credential->label, CREDENTIAL_LABEL_MAX, rotation->label); /* it fits */
    key_credential(call, device->id, credential, rotation->key);
    rotation->credential = credential->id;
    detail_add(call, "key %u", (unsigned)credential->id);
    return STATUS_DONE;
}

enum status cmd_rotate(struct call *call)
{
    struct device device = {.credential_count = 0};
    struct rotation rotation = {.until_used = call_option(call, OPT_UNTIL_USED)};
    const char *grace = call_option(call, OPT_GRACE);
    grace = grace ? grace : GRACE_DEFAULT;
    if (!duration_parse(&rotation.grace, grace))
        return complain(call, STATUS_MISUSE, "--grace '" SHOWN "': write 7d, 12h or 0", grace);
    enum status status = text_take(call, OPT_LABEL, rotation.label, CREDENTIAL_LABEL_MAX);
    detail_add(call, "grace %s", grace);
    if (rotation.until_used)
        detail_add(call, "until used");
    if (!status)
        status = device_change(call, call_word(call, 0), &device, LOG_ROTATE, rotate, &rotation);
    if (!status)
        status = answer_key(call, &device, rotation.credential, rotation.key, false);
    crypto_wipe(&rotation, sizeof rotation);
    device_clear(&device);
    return status;
}

/* One password instead of those there were. `context` is a credential that holds the new one. */
static enum status set_password(struct call *call, struct device *device, void *context)
{
    const struct credential *fresh = context;
    enum status status = not_revoked(call, device);
    if (status)
        return status;
    for (size_t i = device->credential_count; i-- > 0;) {
        if (credential_is_password(&device->credentials[i]))
            device_drop_credential(device, i);
    }
    struct credential *credential = new_credential(call, device, CREDENTIAL_PASSWORD, &status);
    if (!credential)
        return status;
    credential->secret_size = fresh->secret_size;
    memcpy(credential->secret, fresh->secret, sizeof credential->secret);
    detail_add(call, "password %u", (unsigned)credential->id);
    return STATUS_DONE;
}

/* Nobody should type a password twice for a device that is not there. */
static enum status look_first(struct call *call, const char *id)
{
    struct device device = {.credential_count = 0};
    enum status status = read_begin(call);
    if (!status)
        status = device_find(call, id, &device);
    if (!status)
        status = not_revoked(call, &device);
    registry_end(call->registry);
    device_clear(&device);
    return status;
}

enum status cmd_password(struct call *call)
{
    struct device device = {.credential_count = 0};
    struct credential fresh = {.secret_size = 0};
    const char *id = call_word(call, 0);
    enum status status = check_device_id(call, id);
    if (!status)
        status = look_first(call, id);
    if (!status)
        status = password_credential(call, &fresh);
    if (!status)
        status = device_change(call, id, &device, LOG_PASSWORD, set_password, &fresh);
    if (!status)
        status = answer_device(call, &device, "it has a new password");
    crypto_wipe(&fresh, sizeof fresh);
    device_clear(&device);
    return status;
}
