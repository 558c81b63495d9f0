/* devreg check: is every record whole, are the files as `init` made them, and do devreg and
 * devreg.so belong together? Each finding says what to do. And whose passwords are still imported
 * ones? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/change.h"
#include "admin/complain.h"
#include "admin/dir_check.h"
#include "admin/fit.h"
#include "admin/imported.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "admin/presence_view.h"
#include "registry/presence_check.h"

enum { PROBLEM_SIZE = 512 };

/* Findings, kept until the registry's scope is over. */
struct findings {
    cJSON *list;
    uint64_t count;
};

struct check {
    struct call *call;
    struct findings findings;
    struct registry_check registry;
    struct presence_check presence;
    char ran[VERSION_TEXT_MAX + 1]; /* the devreg.so that ran last; "" where that is not known */
};

static void add_finding(void *context, const char *what, const char *problem)
{
    struct findings *findings = context;
    cJSON *finding = cJSON_CreateObject();
    json_text(finding, "what", what);
    json_text(finding, "problem", problem);
    (void)cJSON_AddItemToArray(findings->list, finding);
    findings->count++;
}

/* Nothing that is lost with it is worth much. */
static void add_presence_finding(void *context, const char *what, const char *problem)
{
    char text[PROBLEM_SIZE];
    snprintf(
        text, sizeof text,
        "%s: to begin the store anew stop the broker and move its data.mdb away; only what was "
        "last seen is lost",
        problem);
    add_finding(context, what, text);
}

/* What cannot be read is a finding as well; what is missing, dir_check finds. */
static void check_presence(struct check *check)
{
    char problem[PROBLEM_SIZE];
    struct presence_view view;
    presence_view_open(&view, check->call);
    presence_view_begin(&view);
    enum err e = view.error ? view.error
                            : presence_check(view.txn, &check->presence, add_presence_finding,
                                             &check->findings);
    if (!e && ran_version_get(view.txn, check->ran) != ERR_OK)
        check->ran[0] = '\0';
    presence_view_close(&view);
    if (!e || e == ERR_NO_REGISTRY)
        return;
    snprintf(problem, sizeof problem, "cannot be read: %s; %s", err_text(e),
             e == ERR_PERMISSION ? permission_remedy()
                                 : "the broker makes a damaged one anew when it starts");
    add_finding(&check->findings, check->call->presence, problem);
}

/* Streamed, since there may be very many. */
static uint64_t list_imported(struct call *call, struct listing *listing)
{
    char after[DEVICE_ID_MAX + 1] = "";
    uint64_t count = 0;
    enum err e = call->registry ? ERR_OK : ERR_NO_REGISTRY;
    while (!e) {
        cJSON *rows = cJSON_CreateArray();
        e = imported_list(call, after, rows);
        listing_flush(listing);
        for (; rows->child; count++)
            listing_add(listing, cJSON_DetachItemFromArray(rows, 0));
        cJSON_Delete(rows);
    }
    return count;
}

/* Counts anew; in the log stands that it was done. */
static enum status repair(struct call *call)
{
    enum status status = change_begin(call);
    if (status)
        return status;
    status = complain_err(call, registry_recount(call->registry));
    if (!status)
        return change_commit(call, LOG_REPAIR, LOG_NOTHING, "");
    change_end(call);
    return status;
}

static void complaint_add(struct call *call, const char *more)
{
    size_t used = strlen(call->complaint);
    snprintf(call->complaint + used, sizeof call->complaint - used, "%s", more);
}

/* One that is there and cannot be opened is a finding, and no end of the check. */
static enum status check_registry(struct check *check)
{
    struct call *call = check->call;
    char problem[PROBLEM_SIZE];
    bool repairs = call_option(call, OPT_REPAIR);
    enum err e = registry_open(&call->registry, call->dir, repairs ? STORE_WRITE : STORE_READ);
    enum status status = STATUS_DONE;
    if (e)
        call->registry = NULL;
    if (!e && repairs)
        status = repair(call);
    if (!e && !status)
        e = registry_read(call->registry);
    if (!e && !status) {
        e = registry_check(call->registry, &check->registry, add_finding, &check->findings);
        registry_end(call->registry);
    }
    if (!status && e != ERR_DAMAGED && e != ERR_BROKEN && e != ERR_TOO_NEW)
        status = complain_err(call, e);
    if (status && call->changed)
        complaint_add(call, "; the repair itself was made");
    if (status || !e)
        return status;
    snprintf(problem, sizeof problem, "cannot be opened: %s; %s", err_text(e), err_remedy(e));
    add_finding(&check->findings, call->dir, problem);
    return STATUS_DONE;
}

static void print_text(struct check *check)
{
    static const struct column columns[] = {{"what", "WHAT", CELL_PLAIN},
                                            {"problem", "PROBLEM", CELL_PLAIN}};
    const struct registry_check *registry = &check->registry;
    const struct presence_check *presence = &check->presence;
    struct listing listing;
    const cJSON *finding;
    listing_begin(&listing, check->call, columns, sizeof columns / sizeof *columns);
    cJSON_ArrayForEach(finding, check->findings.list)
    {
        listing_add(&listing, cJSON_Duplicate(finding, true));
        if (listing.row_count == LISTING_ROWS)
            listing_flush(&listing);
    }
    uint64_t imported = list_imported(check->call, &listing);
    listing_end(&listing);
    if (imported)
        tell("%" PRIu64
             " imported password%s: 'devreg rotate' gives a key instead, 'devreg password' "
             "a password.",
             imported, plural(imported));
    tell("%" PRIu64 " device%s, %" PRIu64 " role%s, %" PRIu64 " log entries, %" PRIu64
         " presence record%s: %" PRIu64 " finding%s",
         registry->devices, plural(registry->devices), registry->roles, plural(registry->roles),
         registry->entries, presence->devices, plural(presence->devices), check->findings.count,
         plural(check->findings.count));
}

static void add_imported(struct call *call, cJSON *answer)
{
    char after[DEVICE_ID_MAX + 1] = "";
    cJSON *rows = json_array(answer, "imported");
    while (call->registry && imported_list(call, after, rows) == ERR_OK)
        ;
}

static void print_json(const struct check *check)
{
    cJSON *answer = cJSON_CreateObject();
    json_number(answer, "devices", check->registry.devices);
    json_number(answer, "roles", check->registry.roles);
    json_number(answer, "log_entries", check->registry.entries);
    json_number(answer, "presence_records", check->presence.devices);
    (void)cJSON_AddItemReferenceToObject(answer, "findings", check->findings.list);
    add_imported(check->call, answer);
    json_print(stdout, answer);
    cJSON_Delete(answer);
}

enum status cmd_check(struct call *call)
{
    struct check check = {.call = call, .findings = {.list = cJSON_CreateArray()}};
    enum status status = check_registry(&check);
    if (!status) {
        check_presence(&check);
        dir_check(call->dir, call->presence, add_finding, &check.findings);
        fit_check(call, check.ran, add_finding, &check.findings);
        if (call->registry && store_on_overlay(registry_store(call->registry)))
            add_finding(&check.findings, call->dir,
                        "is on an overlay file system, where a broker can miss changes for ever: "
                        "move it to a volume");
        if (call->json)
            print_json(&check);
        else
            print_text(&check);
        status = check.findings.count ? STATUS_NO : STATUS_DONE;
    }
    cJSON_Delete(check.findings.list);
    return status;
}
