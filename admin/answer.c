#include "admin/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/complain.h"
#include "admin/lookup.h"
#include "admin/qr.h"
#include "admin/record_json.h"
#include "admin/secret.h"

enum status answer_device(const struct call *call, const struct device *device, const char *done)
{
    if (call->json) {
        cJSON *object = device_to_json(device, WITHOUT_SECRETS);
        json_print(stdout, object);
        cJSON_Delete(object);
    } else {
        tell_person("%s: %s", device->id, done);
    }
    return STATUS_DONE;
}

enum status answer_role(const struct call *call, const struct role *role, const char *done)
{
    if (call->json) {
        cJSON *object = role_to_json(role);
        json_print(stdout, object);
        cJSON_Delete(object);
    } else {
        tell_person("@%s: %s", role->name, done);
    }
    return STATUS_DONE;
}

/* How to try the key without its ever standing in a command line. */
static void tell_how(const struct device *device, bool code)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *id = device->id;
    bool set = config && *config;
    if (code)
        tell("The code holds this key alone. The user name is %s.", id);
    tell("This key is shown only once. To try it, put the line '-P KEY' with the key into");
    tell(SHOWN "/mosquitto_pub (chmod 600 it), then run", set ? config : "~/.config");
    if (device_holds(device, DEFAULT_ROLE))
        tell("  mosquitto_pub -i %s -u %s -t devices/%s/hello -m world", id, id, id);
    else
        tell("  mosquitto_pub -i %s -u %s -t TOPIC -m world", id, id);
}

static bool write_key(const struct call *call, const struct device *device, uint32_t credential,
                      const char *key)
{
    char text[DEVICE_ID_MAX + KEY_TEXT_SIZE + 80];
    int length;
    if (call->json) /* an id and a key need no escapes in JSON */
        length =
            snprintf(text, sizeof text, "{\"device\":\"%s\",\"credential\":%u,\"key\":\"%s\"}\n",
                     device->id, (unsigned)credential, key);
    else
        length = snprintf(text, sizeof text, "%s\n", key);
    bool fine = length > 0 && secret_write(STDOUT_FILENO, text, (size_t)length);
    crypto_wipe(text, sizeof text);
    return fine;
}

enum status answer_key(struct call *call, const struct device *device, uint32_t credential,
                       const char *key, bool added)
{
    bool code = call_option(call, OPT_QR);
    bool text = !code || !isatty(STDOUT_FILENO); /* not twice on a screen */
    bool fine = !text || write_key(call, device, credential, key);
    bool shown = fine && text;
    if (fine && !call->json)
        tell_how(device, code);
    if (fine && code)
        fine = qr_draw(key); /* at the end: it may not scroll away */
    if (fine)
        return STATUS_DONE;
    const char *done = added ? "it was added" : "it has a new key", *problem = strerror(errno);
    if (shown)
        return complain(call, STATUS_FAILED,
                        "%s: %s, which stands on stdout, but its code could not be drawn: %s; make "
                        "one of what is there",
                        device->id, added ? "it was added with a key" : done, problem);
    return complain(call, STATUS_FAILED,
                    "%s: %s, but its key could not be written: %s; make another with "
                    "'devreg rotate %s --grace 0'",
                    device->id, done, problem, device->id);
}
