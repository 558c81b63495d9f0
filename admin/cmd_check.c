/* devreg check: is every record whole, and are the files as `init` made them? */
#include <inttypes.h>
#include <stdio.h>

#include "admin/complain.h"
#include "admin/dir_check.h"
#include "admin/lookup.h"
#include "admin/output.h"

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

static void print_text(struct call *call, const struct findings *findings,
                       const struct registry_check *result)
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
    listing_end(&listing);
    tell("%" PRIu64 " device%s, %" PRIu64 " role%s, %" PRIu64 " log entries: %" PRIu64 " finding%s",
         result->devices, plural(result->devices), result->roles, plural(result->roles),
         result->entries, findings->count, plural(findings->count));
    if (result->findings)
        tell(
            "What is damaged denies. To be rid of it: 'devreg export --with-hashes FILE' keeps the "
            "rest, with its keys; import that into a new registry.");
}

static void print_json(const struct findings *findings, const struct registry_check *result)
{
    cJSON *answer = cJSON_CreateObject();
    json_number(answer, "devices", result->devices);
    json_number(answer, "roles", result->roles);
    json_number(answer, "log_entries", result->entries);
    (void)cJSON_AddItemReferenceToObject(answer, "findings", findings->list);
    json_print(stdout, answer);
    cJSON_Delete(answer);
}

enum status cmd_check(struct call *call)
{
    struct findings findings = {.list = cJSON_CreateArray()};
    struct registry_check result = {0};
    enum status status = read_begin(call);
    if (!status)
        status =
            complain_err(call, registry_check(call->registry, &result, add_finding, &findings));
    registry_end(call->registry);
    if (!status) {
        dir_check(call->dir, add_finding, &findings);
        if (store_on_overlay(registry_store(call->registry)))
            add_finding(&findings, call->dir,
                        "is on an overlay file system, where a broker can miss changes for ever: "
                        "move it to a volume");
        if (call->json)
            print_json(&findings, &result);
        else
            print_text(call, &findings, &result);
        status = findings.count ? STATUS_NO : STATUS_DONE;
    }
    cJSON_Delete(findings.list);
    return status;
}
