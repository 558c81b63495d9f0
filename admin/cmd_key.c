/* devreg rotate, devreg password: new credentials for a device that is there. */
#include <string.h>

#include "admin/answer.h"
#include "admin/change.h"
#include "admin/change_many.h"
#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/ends.h"
#include "admin/lookup.h"
#include "admin/qr.h"
#include "admin/secret.h"
#include "admin/when.h"
#include "registry/text.h"

#define GRACE_DEFAULT "7d"

struct rotation {
    const char *grace_text;
    int64_t grace;
    bool until_used;
    char label[CREDENTIAL_LABEL_MAX + 1];
    uint32_t credential; /* of the new key */
    char key[KEY_TEXT_SIZE + 1];
    struct presence_view view; /* while one device is changed */
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

static void note_rotation(struct call *call, const struct rotation *rotation)
{
    detail_add(call, "grace %s", rotation->grace_text);
    if (rotation->until_used)
        detail_add(call, "until used");
}

/* What has ended makes room: by its time, or since the key that replaces it was used. NULL where
 * all places are taken, after a complaint. */
static struct credential *next_key(struct call *call, struct device *device,
                                   const struct presence_view *view,
                                   const struct rotation *rotation)
{
    enum status status;
    credentials_drop_over(view, device, call->now);
    end_keys(device, call->now, rotation);
    struct credential *credential = new_credential(call, device, CREDENTIAL_KEY, &status);
    if (credential)
        (void)text_copy(credential->label, CREDENTIAL_LABEL_MAX, rotation->label); /* it fits */
    return credential;
}

static enum status rotate(struct call *call, struct device *device, void *context)
{
    struct rotation *rotation = context;
    enum status status = not_revoked(call, device);
    if (status)
        return status;
    presence_view_begin(&rotation->view);
    struct credential *credential = next_key(call, device, &rotation->view, rotation);
    presence_view_end(&rotation->view);
    if (!credential)
        return STATUS_NO;
    status = key_credential(call, device->id, credential, rotation->key);
    if (status)
        return status;
    rotation->credential = credential->id;
    note_rotation(call, rotation);
    detail_add(call, "key %u", (unsigned)credential->id);
    return STATUS_DONE;
}

static enum status rotate_one(struct call *call, struct rotation *rotation)
{
    struct device device = {.credential_count = 0};
    enum status status = qr_check(call);
    if (status)
        return status;
    presence_view_open(&rotation->view, call);
    status = device_change(call, call_word(call, 0), &device, LOG_ROTATE, rotate, rotation);
    presence_view_close(&rotation->view);
    if (!status)
        status = answer_key(call, &device, rotation->credential, rotation->key, false);
    device_clear(&device);
    return status;
}

static enum outcome rotate_each(struct call *call, struct device *device,
                                const struct presence_view *view, const struct pick *pick,
                                void *context)
{
    const struct rotation *rotation = context;
    if (device->state == DEVICE_REVOKED)
        return OUTCOME_REVOKED;
    struct credential *credential = next_key(call, device, view, rotation);
    if (!credential)
        return OUTCOME_REFUSED;
    if (pick) {
        memcpy(credential->secret, pick->hash, KEY_HASH_SIZE);
        credential->secret_size = KEY_HASH_SIZE;
    }
    note_rotation(call, rotation);
    return OUTCOME_CHANGED;
}

static enum status rotate_many(struct call *call, struct rotation *rotation)
{
    const struct many_change change = {.does = "give",
                                       .did = "gave",
                                       .rest = " new keys",
                                       .verb = LOG_ROTATE,
                                       .makes_keys = true,
                                       .edit = rotate_each,
                                       .context = rotation};
    enum status status = qr_check_many(call);
    return status ? status : change_many(call, &change);
}

enum status cmd_rotate(struct call *call)
{
    struct rotation rotation = {.until_used = call_option(call, OPT_UNTIL_USED)};
    const char *grace = call_option(call, OPT_GRACE);
    bool many;
    rotation.grace_text = grace ? grace : GRACE_DEFAULT;
    enum status status = many_asked(call, &many);
    if (status)
        return status;
    if (!duration_parse(&rotation.grace, rotation.grace_text))
        return complain(call, STATUS_MISUSE, "--grace '" SHOWN "': write 7d, 12h or 0",
                        rotation.grace_text);
    status = text_take(call, OPT_LABEL, rotation.label, CREDENTIAL_LABEL_MAX);
    if (!status)
        status = many ? rotate_many(call, &rotation) : rotate_one(call, &rotation);
    crypto_wipe(&rotation, sizeof rotation);
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
