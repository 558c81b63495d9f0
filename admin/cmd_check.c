/* devreg check: is every record whole, and are the files as `init` made them? And whose passwords
 * are still imported ones? */
#include <inttypes.h>
#include <stdio.h>

#include "admin/complain.h"
#include "admin/dir_check.h"
#include "admin/imported.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "admin/presence_view.h"
#include "registry/presence_check.h"

enum { PATH_SIZE = 4096, PROBLEM_SIZE = 256 };

/* Findings, kept until the registry's scope is over. */
struct findings {
    cJSON *list;
    uint64_t count;
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

/* What cannot be read is a finding as well; what is missing, dir_check finds. */
static void check_presence(struct call *call, struct findings *findings,
                           struct presence_check *result)
{
    char what[PATH_SIZE], problem[PROBLEM_SIZE];
    struct presence_view view;
    presence_view_open(&view, call);
    presence_view_begin(&view);
    enum err e = view.error ? view.error : presence_check(view.txn, result, add_finding, findings);
    presence_view_close(&view);
    if (!e || e == ERR_NO_REGISTRY)
        return;
    snprintf(what, sizeof what, "%s/" PRESENCE_SUBDIR, call->dir);
    snprintf(problem, sizeof problem, "cannot be read: %s; %s", err_text(e),
             e == ERR_PERMISSION ? "run it as root, as with sudo"
                                 : "the broker makes a damaged one anew when it starts");
    add_finding(findings, what, problem);
}

/* Streamed, since there may be very many. */
static uint64_t list_imported(struct call *call, struct listing *listing)
{
    char after[DEVICE_ID_MAX + 1] = "";
    uint64_t count = 0;
    enum err e = ERR_OK;
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

static void print_text(struct call *call, const struct findings *findings,
                       const struct registry_check *result, const struct presence_check *presence)
{
    static const struct column columns[] = {{"what", "WHAT", CELL_PLAIN},
                                            {"problem", "PROBLEM", CELL_PLAIN}};
    struct listing listing;
    const cJSON *finding;
    listing_begin(&listing, call, columns, sizeof columns / sizeof *columns);
    cJSON_ArrayForEach(finding, findings->list)
    {
        listing_add(&listing, cJSON_Duplicate(finding, true));
        if (listing.row_count == LISTING_ROWS)
            listing_flush(&listing);
    }
    uint64_t imported = list_imported(call, &listing);
    listing_end(&listing);
    if (imported)
        tell("%" PRIu64
             " imported password%s: 'devreg rotate' gives a key instead, 'devreg password' "
             "a password.",
             imported, plural(imported));
    tell("%" PRIu64 " device%s, %" PRIu64 " role%s, %" PRIu64 " log entries, %" PRIu64
         " presence record%s: %" PRIu64 " finding%s",
         result->devices, plural(result->devices), result->roles, plural(result->roles),
         result->entries, presence->devices, plural(presence->devices), findings->count,
         plural(findings->count));
    if (result->findings)
        tell(
            "What is damaged denies. To be rid of it: 'devreg export --with-hashes FILE' keeps the "
            "rest, with its keys; import that into a new registry.");
    if (presence->findings)
        tell(
            "The broker begins a device's damaged presence record anew. To have it begin all anew, "
            "stop it and move " SHOWN "/" PRESENCE_SUBDIR "/data.mdb away: only what was last seen "
            "is lost.",
            call->dir);
}

static void add_imported(struct call *call, cJSON *answer)
{
    char after[DEVICE_ID_MAX + 1] = "";
    cJSON *rows = json_array(answer, "imported");
    while (imported_list(call, after, rows) == ERR_OK)
        ;
}

static void print_json(struct call *call, const struct findings *findings,
                       const struct registry_check *result, const struct presence_check *presence)
{
    cJSON *answer = cJSON_CreateObject();
    json_number(answer, "devices", result->devices);
    json_number(answer, "roles", result->roles);
    json_number(answer, "log_entries", result->entries);
    json_number(answer, "presence_records", presence->devices);
    (void)cJSON_AddItemReferenceToObject(answer, "findings", findings->list);
    add_imported(call, answer);
    json_print(stdout, answer);
    cJSON_Delete(answer);
}

enum status cmd_check(struct call *call)
{
    struct findings findings = {.list = cJSON_CreateArray()};
    struct registry_check result = {0};
    struct presence_check presence = {0};
    enum status status = read_begin(call);
    if (!status)
        status =
            complain_err(call, registry_check(call->registry, &result, add_finding, &findings));
    registry_end(call->registry);
    if (!status) {
        check_presence(call, &findings, &presence);
        dir_check(call->dir, add_finding, &findings);
        if (store_on_overlay(registry_store(call->registry)))
            add_finding(&findings, call->dir,
                        "is on an overlay file system, where a broker can miss changes for ever: "
                        "move it to a volume");
        if (call->json)
            print_json(call, &findings, &result, &presence);
        else
            print_text(call, &findings, &result, &presence);
        status = findings.count ? STATUS_NO : STATUS_DONE;
    }
    cJSON_Delete(findings.list);
    return status;
}
