/* devreg show: all that is known of one device, but for its secrets. */
#include <stdio.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "admin/presence_view.h"
#include "admin/record_json.h"
#include "admin/when.h"

/* The rules that it has from its roles: [{"role": "device", "rules": [...]}]. */
static enum status add_role_rules(struct call *call, const struct device *device, cJSON *answer)
{
    cJSON *array = json_array(answer, "role_rules");
    for (size_t i = 0; i < device->role_count; i++) {
        struct role role;
        enum status status = role_find(call, device->roles[i], &role);
        if (status)
            return status;
        cJSON *all = role_to_json(&role), *entry = cJSON_CreateObject();
        json_text(entry, "role", role.name);
        (void)cJSON_AddItemToObject(entry, "rules", cJSON_DetachItemFromObject(all, "rules"));
        (void)cJSON_AddItemToArray(array, entry);
        cJSON_Delete(all);
        role_clear(&role);
    }
    return STATUS_DONE;
}

static void add_presence(struct call *call, const struct device *device, cJSON *answer)
{
    struct presence_view view;
    struct presence presence;
    presence_view_open(&view, call);
    presence_view_begin(&view);
    enum presence_state state = presence_view_get(&view, device, &presence);
    (void)cJSON_AddItemToObject(answer, "presence", presence_to_json(state, &presence));
    presence_view_close(&view);
}

/* "key 1 'spring', created 2026-..., ends 2026-..." */
static void add_credential_line(cJSON *lines, const struct credential *credential, int64_t now)
{
    char line[CREDENTIAL_LABEL_MAX + 200], created[WHEN_TEXT_MAX + 1], ends[WHEN_TEXT_MAX + 1] = "";
    bool labelled = *credential->label;
    const char *how = "never ends";
    when_format(created, credential->created);
    if (credential->expires) {
        when_format(ends, credential->expires);
        how = credential_live(credential, now) ? "ends " : "ended ";
    }
    int used =
        snprintf(line, sizeof line, "%s %u%s%s%s, created %s, %s%s",
                 credential_kind_name(credential), (unsigned)credential->id, labelled ? " '" : "",
                 credential->label, labelled ? "'" : "", created, how, ends);
    if (credential->ended_by && used > 0 && (size_t)used < sizeof line)
        snprintf(line + used, sizeof line - (size_t)used, " or when key %u is used first",
                 (unsigned)credential->ended_by);
    json_add(lines, line);
}

/* "deny all a/# (role @device)" */
static void add_role_rule_lines(cJSON *lines, const cJSON *role_rules)
{
    char line[RULE_TEXT_MAX + ROLE_NAME_MAX + 16];
    const cJSON *entry, *rule;
    cJSON_ArrayForEach(entry, role_rules)
    {
        const char *role = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "role"));
        cJSON_ArrayForEach(rule, cJSON_GetObjectItemCaseSensitive(entry, "rules"))
        {
            snprintf(line, sizeof line, "%s  (role @%s)", rule->valuestring, role);
            json_add(lines, line);
        }
    }
}

/* "offline since 2026-..., connection_lost" */
static void add_presence_line(cJSON *answer, const cJSON *presence)
{
    char line[200], since[WHEN_TEXT_MAX + 1];
    uint64_t time = 0;
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(presence, "state"));
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(presence, "reason"));
    const cJSON *at = cJSON_GetObjectItemCaseSensitive(presence, "since");
    if (at && json_read_number(at, &time)) {
        when_format(since, (int64_t)time);
        snprintf(line, sizeof line, "%s since %s%s%s", state, since, reason ? ", " : "",
                 reason ? reason : "");
    } else {
        bool never = strcmp(state, "never") == 0;
        snprintf(line, sizeof line, "%s", never ? "never connected" : state);
    }
    json_text(answer, "presence_line", line);
}

/* For people some things are said in a line of their own. */
static void add_lines(cJSON *answer, const struct device *device, int64_t now)
{
    cJSON *rules = cJSON_GetObjectItemCaseSensitive(answer, "rules");
    add_role_rule_lines(rules, cJSON_GetObjectItemCaseSensitive(answer, "role_rules"));
    cJSON *lines = json_array(answer, "credential_lines");
    for (size_t i = 0; i < device->credential_count; i++)
        add_credential_line(lines, &device->credentials[i], now);
    const cJSON *presence = cJSON_GetObjectItemCaseSensitive(answer, "presence");
    const cJSON *client = cJSON_GetObjectItemCaseSensitive(presence, "client");
    const cJSON *address = cJSON_GetObjectItemCaseSensitive(presence, "address");
    add_presence_line(answer, presence);
    if (client)
        json_text(answer, "client", client->valuestring);
    if (address)
        json_text(answer, "address", address->valuestring);
    if (!*device->client_id)
        (void)cJSON_ReplaceItemInObject(answer, "client_id", cJSON_CreateString("any"));
}

static void device_print(const struct call *call, const struct device *device, cJSON *answer)
{
    static const struct column columns[] = {{"device", "device", CELL_PLAIN},
                                            {"state", "state", CELL_PLAIN},
                                            {"reason", "reason", CELL_PLAIN},
                                            {"presence_line", "presence", CELL_PLAIN},
                                            {"client", "client id", CELL_PLAIN},
                                            {"address", "address", CELL_PLAIN},
                                            {"roles", "roles", CELL_PLAIN},
                                            {"rules", "rule", CELL_LINES},
                                            {"attributes", "attributes", CELL_PLAIN},
                                            {"credential_lines", "credential", CELL_LINES},
                                            {"expires", "expires", CELL_END},
                                            {"client_id", "client ids", CELL_PLAIN},
                                            {"note", "note", CELL_PLAIN},
                                            {"version", "version", CELL_PLAIN},
                                            {"generation", "generation", CELL_PLAIN},
                                            {"created", "created", CELL_TIME},
                                            {"changed", "changed", CELL_TIME}};
    if (call->json) {
        json_print(stdout, answer);
        return;
    }
    add_lines(answer, device, call->now);
    sheet_print(call, columns, sizeof columns / sizeof *columns, answer);
}

enum status cmd_show(struct call *call)
{
    struct device device = {.credential_count = 0};
    const char *id = call_word(call, 0);
    if (id[0] == '@')
        return cmd_role_show(call);
    enum status status = check_device_id(call, id);
    if (!status)
        status = read_begin(call);
    if (!status)
        status = device_find(call, id, &device);
    if (status)
        return status;
    cJSON *answer = device_to_json(&device, WITHOUT_SECRETS);
    status = add_role_rules(call, &device, answer);
    registry_end(call->registry);
    if (!status) {
        add_presence(call, &device, answer);
        device_print(call, &device, answer);
    }
    cJSON_Delete(answer);
    device_clear(&device);
    return status;
}
