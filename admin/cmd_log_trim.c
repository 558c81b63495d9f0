/* devreg log trim: keeps the change log from growing for ever. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "admin/change.h"
#include "admin/complain.h"
#include "admin/json.h"
#include "admin/lookup.h"
#include "admin/when.h"

/* What stays: what is not from before `before`, and the newest `keep` in any case where that is not
 * everything. */
struct wanted {
    int64_t before;
    uint64_t keep;
};

static enum status take_keep(struct call *call, struct wanted *wanted)
{
    const char *keep = call_option(call, OPT_KEEP);
    int64_t ms;
    *wanted = (struct wanted){.keep = UINT64_MAX};
    if (!keep)
        return complain(call, STATUS_MISUSE, "what is to stay? Write --keep 90d, or --keep 100000");
    bool digits = *keep && strspn(keep, "0123456789") == strlen(keep);
    if (digits && strlen(keep) < 16)
        wanted->keep = strtoull(keep, NULL, 10);
    else if (!digits && duration_parse(&ms, keep))
        wanted->before = call->now - ms;
    else if (!date_parse(&wanted->before, keep))
        return complain(call, STATUS_MISUSE, "--keep '" SHOWN "': write %s", keep,
                        "90d, 2027-01-31 or a number of entries");
    return STATUS_DONE;
}

static void answer(const struct call *call, const struct log_old *old, bool dry)
{
    char time[WHEN_TEXT_MAX + 1];
    if (call->json) {
        cJSON *object = cJSON_CreateObject();
        json_number(object, "removed", dry ? 0 : old->count);
        if (dry)
            json_number(object, "would_remove", old->count);
        json_time(object, "until", old->until);
        json_print(stdout, object);
        cJSON_Delete(object);
        return;
    }
    when_format(time, old->until);
    if (!old->count)
        tell("Nothing is so old: the log is as it was.");
    else
        tell("%s %" PRIu64 " entr%s up to %s.", dry ? "Would remove" : "Removed", old->count,
             old->count == 1 ? "y" : "ies", time);
}

/* The entry that tells of it comes first: the log is never empty, or its numbers would begin again.
 */
static enum status cut(struct call *call, const struct log_old *old)
{
    char time[WHEN_TEXT_MAX + 1];
    when_format(time, old->until);
    detail_add(call, "%" PRIu64 " entr%s up to %s", old->count, old->count == 1 ? "y" : "ies",
               time);
    registry_log(call->registry, LOG_TRIM, LOG_NOTHING, "", call->detail);
    registry_log_cut(call->registry, old->last);
    return change_keep(call);
}

enum status cmd_log_trim(struct call *call)
{
    struct wanted wanted;
    struct log_old old = {.count = 0};
    bool dry = call_option(call, OPT_DRY_RUN);
    enum status status = take_keep(call, &wanted);
    if (!status)
        status = dry ? read_begin(call) : change_begin(call);
    if (status)
        return status;
    status = complain_err(call, registry_log_old(call->registry, wanted.before, wanted.keep, &old));
    if (!status && old.count && !dry)
        status = cut(call, &old);
    else
        change_end(call);
    if (!status)
        answer(call, &old, dry);
    return status;
}
