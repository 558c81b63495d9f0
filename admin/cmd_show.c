/* devreg show: all that is known of one device, but for its secrets. */
#include <stdio.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "admin/presence_lines.h"
#include "admin/record_json.h"
#include "admin/when.h"

/* The rules and limits that it has from its roles: [{"role": "device", "rules": [...]}]. */
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
        limits_to_json(entry, &role.limits);
        (void)cJSON_AddItemToArray(array, entry);
        cJSON_Delete(all);
        role_clear(&role);
    }
    return STATUS_DONE;
}

/* What is noted of its connections, and the label of the credential that it used, if that is still
 * there. */
static enum presence_state add_presence(struct call *call, const struct device *device,
                                        struct presence *presence, cJSON *answer)
{
    struct presence_view view;
    presence_view_open(&view, call);
    presence_view_begin(&view);
    enum presence_state state = presence_view_get(&view, device, presence);
    struct quarantine quarantine;
    bool quarantined = presence_view_quarantine(&view, device, &quarantine);
    presence_view_warn(&view, call);
    presence_view_close(&view);
    cJSON *object = presence_to_json(state, presence);
    if (quarantined)
        quarantine_to_json(object, &quarantine);
    if (quarantined && !call->json)
        quarantine_line(answer, device->id, &quarantine);
    const struct credential *used = credential_used(device, presence);
    if (presence->connections && used)
        json_text(object, "credential_label", used->label);
    (void)cJSON_AddItemToObject(answer, "presence", object);
    return state;
}

/* "key 1 'spring', created 2026-..., ends 2026-..." */
static void add_credential_line(cJSON *lines, const struct credential *credential,
                                const struct presence *presence, int64_t now)
{
    char line[CREDENTIAL_LABEL_MAX + 200], created[WHEN_TEXT_MAX + 1], ends[WHEN_TEXT_MAX + 1] = "";
    bool labelled = *credential->label;
    const char *how = "never ends";
    bool over = credential->ended_by && presence_used(presence, credential->ended_by);
    when_format(created, credential->created);
    if (credential->expires) {
        when_format(ends, credential->expires);
        how = credential_live(credential, now) ? "ends " : "ended ";
    }
    int used = snprintf(line, sizeof line, "%s %u%s%s%s, created %s, %s%s",
                        credential_kind_name(credential), (unsigned)credential->id,
                        labelled ? " '" : "", credential->label, labelled ? "'" : "", created,
                        over ? "ended" : how, over ? "" : ends);
    if (credential->ended_by && used > 0 && (size_t)used < sizeof line)
        snprintf(line + used, sizeof line - (size_t)used,
                 over ? " when key %u was used" : " or when key %u is used first",
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

/* "messages=60 retain=no", and those of its roles: "qos=1  (role @device)". Of these the strictest
 * counts, where the device itself says nothing. */
static void add_limit_lines(cJSON *answer)
{
    char line[LIMITS_TEXT_MAX + ROLE_NAME_MAX + 16], text[LIMITS_TEXT_MAX + 1];
    const cJSON *entry;
    cJSON *lines = cJSON_CreateArray();
    if (limits_line(text, answer))
        json_add(lines, text);
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(answer, "role_rules"))
    {
        if (!limits_line(text, entry))
            continue;
        snprintf(line, sizeof line, "%s  (role @%s)", text,
                 cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "role")));
        json_add(lines, line);
    }
    if (cJSON_GetArraySize(lines))
        (void)cJSON_AddItemToObject(answer, "limit_lines", lines);
    else
        cJSON_Delete(lines);
}

/* For people some things are said in a line of their own. */
static void device_lines(cJSON *answer, const struct device *device,
                         const struct presence *presence, int64_t now)
{
    cJSON *rules = cJSON_GetObjectItemCaseSensitive(answer, "rules");
    add_role_rule_lines(rules, cJSON_GetObjectItemCaseSensitive(answer, "role_rules"));
    add_limit_lines(answer);
    cJSON *lines = json_array(answer, "credential_lines");
    for (size_t i = 0; i < device->credential_count; i++)
        add_credential_line(lines, &device->credentials[i], presence, now);
    if (!*device->client_id)
        (void)cJSON_ReplaceItemInObject(answer, "client_id", cJSON_CreateString("any"));
}

static void device_print(const struct call *call, cJSON *answer)
{
    static const struct column columns[] = {{"device", "device", CELL_PLAIN},
                                            {"state", "state", CELL_PLAIN},
                                            {"reason", "reason", CELL_PLAIN},
                                            {"quarantine_line", "quarantine", CELL_PLAIN},
                                            {"presence_line", "presence", CELL_PLAIN},
                                            {"client", "client id", CELL_PLAIN},
                                            {"address", "address", CELL_PLAIN},
                                            {"protocol_line", "protocol", CELL_PLAIN},
                                            {"connected_line", "connected", CELL_PLAIN},
                                            {"left_line", "last left", CELL_PLAIN},
                                            {"refused_line", "refused", CELL_PLAIN},
                                            {"denied_line", "denied", CELL_PLAIN},
                                            {"roles", "roles", CELL_PLAIN},
                                            {"rules", "rule", CELL_LINES},
                                            {"limit_lines", "limits", CELL_LINES},
                                            {"attributes", "attributes", CELL_PLAIN},
                                            {"credential_lines", "credential", CELL_LINES},
                                            {"expires", "expires", CELL_END},
                                            {"client_id", "client ids", CELL_PLAIN},
                                            {"note", "note", CELL_PLAIN},
                                            {"version", "version", CELL_PLAIN},
                                            {"generation", "generation", CELL_PLAIN},
                                            {"created", "created", CELL_TIME},
                                            {"changed", "changed", CELL_TIME}};
    sheet_print(call, columns, sizeof columns / sizeof *columns, answer);
}

enum status cmd_show(struct call *call)
{
    struct device device = {.credential_count = 0};
    struct presence presence;
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
        enum presence_state presence_state = add_presence(call, &device, &presence, answer);
        if (call->json) {
            json_print(stdout, answer);
        } else {
            device_lines(answer, &device, &presence, call->now);
            presence_lines(answer, &device, presence_state, &presence);
            device_print(call, answer);
        }
    }
    cJSON_Delete(answer);
    device_clear(&device);
    return status;
}
