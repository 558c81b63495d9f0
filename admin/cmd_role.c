/* devreg role add, role list, role show, role remove. */
#include <inttypes.h>
#include <stdio.h>

#include "admin/answer.h"
#include "admin/change.h"
#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "admin/record_json.h"

/* One whose record is damaged gives way where that is asked for. */
static enum err role_put(struct call *call, struct role *role)
{
    struct role there;
    enum err e = registry_get_role(call->registry, role->name, &there);
    if (!e)
        role_clear(&there);
    if (e == ERR_DAMAGED && call_option(call, OPT_FORCE))
        return registry_renew_role(call->registry, role);
    return registry_put_role(call->registry, role);
}

static enum status role_store(struct call *call, struct role *role)
{
    enum err e = role_put(call, role);
    if (e == ERR_EXISTS)
        return complain(call, STATUS_NO, "@%s: it is there already; see 'devreg role show %s'",
                        role->name, role->name);
    if (e == ERR_TWIN)
        return complain(call, STATUS_NO,
                        "@%s: it differs only in case from a role that is there; see 'devreg role "
                        "list'",
                        role->name);
    return role_error(call, e, role->name);
}

enum status cmd_role_add(struct call *call)
{
    struct role role;
    const char *name = role_word(call_word(call, 0));
    enum status status = check_role_name(call, name);
    if (status)
        return status;
    role_init(&role, name);
    status = text_take(call, OPT_NOTE, role.note, NOTE_MAX);
    if (!status)
        status = change_begin(call);
    if (!status) {
        status = role_store(call, &role);
        if (status)
            change_end(call);
        else
            status = change_commit(call, LOG_ADD, LOG_ROLE, name);
    }
    if (!status)
        status = answer_role(call, &role, "added; give it rules with 'devreg allow'");
    role_clear(&role);
    return status;
}

/* With how many devices hold it. */
static enum err role_answer(struct call *call, const struct role *role, cJSON **answer)
{
    uint64_t holders;
    enum err e = registry_role_holders(call->registry, role->name, &holders);
    if (e)
        return e;
    *answer = role_to_json(role);
    json_number(*answer, "devices", holders);
    return ERR_OK;
}

static enum err list_some(struct call *call, struct listing *listing,
                          char after[static ROLE_NAME_MAX + 1], bool *damaged)
{
    enum err e = registry_read(call->registry);
    for (size_t i = 0; i < LISTING_ROWS && !e; i++) {
        struct role role;
        cJSON *row;
        e = role_step(call, after, &role, damaged);
        if (e)
            break;
        e = role_answer(call, &role, &row);
        if (!e) {
            json_number(row, "rule_count", role.rules.count);
            listing_add(listing, row);
        }
        role_clear(&role);
    }
    registry_end(call->registry);
    listing_flush(listing);
    return e;
}

enum status cmd_role_list(struct call *call)
{
    static const struct column columns[] = {{"role", "ROLE", CELL_PLAIN},
                                            {"rule_count", "RULES", CELL_PLAIN},
                                            {"devices", "DEVICES", CELL_PLAIN},
                                            {"note", "NOTE", CELL_PLAIN}};
    struct listing listing;
    char after[ROLE_NAME_MAX + 1] = "";
    bool damaged = false;
    enum err e;
    listing_begin(&listing, call, columns, sizeof columns / sizeof *columns);
    while (!(e = list_some(call, &listing, after, &damaged)))
        ;
    listing_end(&listing);
    if (e != ERR_NOT_FOUND)
        return complain_err(call, e);
    return damaged ? complain_damaged(call) : STATUS_DONE;
}

static void role_print(const struct call *call, cJSON *answer)
{
    char limits[LIMITS_TEXT_MAX + 1];
    static const struct column columns[] = {
        {"role", "role", CELL_PLAIN},       {"note", "note", CELL_PLAIN},
        {"rules", "rule", CELL_LINES},      {"limit_line", "limits", CELL_PLAIN},
        {"devices", "devices", CELL_PLAIN}, {"version", "version", CELL_PLAIN},
        {"created", "created", CELL_TIME},  {"changed", "changed", CELL_TIME}};
    if (!call->json && limits_line(limits, answer))
        json_text(answer, "limit_line", limits);
    if (call->json)
        json_print(stdout, answer);
    else
        sheet_print(call, columns, sizeof columns / sizeof *columns, answer);
}

enum status cmd_role_show(struct call *call)
{
    struct role role;
    cJSON *answer = NULL;
    const char *name = role_word(call_word(call, 0));
    enum status status = check_role_name(call, name);
    if (!status)
        status = read_begin(call);
    if (!status)
        status = role_find(call, name, &role);
    if (status)
        return status;
    status = complain_err(call, role_answer(call, &role, &answer));
    role_clear(&role);
    registry_end(call->registry);
    if (!status)
        role_print(call, answer);
    cJSON_Delete(answer);
    return status;
}

static enum status complain_in_use(struct call *call, const char *name)
{
    uint64_t holders = 0;
    enum err e = registry_role_holders(call->registry, name, &holders);
    if (e)
        return complain_err(call, e);
    return complain(call, STATUS_NO,
                    "@%s: %" PRIu64 " %s it: take it from them first, see 'devreg list --role %s' "
                    "and 'devreg set ID --remove-role %s'",
                    name, holders, holders == 1 ? "device holds" : "devices hold", name, name);
}

enum status cmd_role_remove(struct call *call)
{
    const char *name = role_word(call_word(call, 0));
    enum status status = check_role_name(call, name);
    if (!status)
        status = change_begin(call);
    if (status)
        return status;
    enum err e = registry_remove_role(call->registry, name);
    status = e == ERR_IN_USE ? complain_in_use(call, name) : role_error(call, e, name);
    if (status) {
        change_end(call);
        return status;
    }
    status = change_commit(call, LOG_REMOVE, LOG_ROLE, name);
    if (!status && call->json)
        (void)printf("{\"role\":\"%s\",\"removed\":true}\n", name); /* a name needs no escapes */
    else if (!status)
        tell_person("@%s: removed", name);
    return status;
}
