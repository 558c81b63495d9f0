/* devreg log: the change log, the oldest entry first. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "admin/when.h"

struct query {
    enum log_kind kind; /* LOG_BULK for all */
    const char *subject;
    int64_t since;
    uint64_t limit; /* 0 for all */
    uint64_t after; /* where the walk begins */
    bool damaged;   /* entries were stepped over */
};

static enum status take_subject(struct call *call, struct query *query)
{
    const char *device = call_option(call, OPT_OF_DEVICE), *role = call_option(call, OPT_OF_ROLE);
    if (device && role)
        return complain(call, STATUS_MISUSE, "--device and --role exclude each other: use one");
    query->kind = device ? LOG_DEVICE : role ? LOG_ROLE : LOG_BULK;
    query->subject = device ? device : role ? role_word(role) : "";
    if (device)
        return check_device_id(call, device);
    return role ? check_role_name(call, query->subject) : STATUS_DONE;
}

static enum status take_query(struct call *call, struct query *query)
{
    const char *since = call_option(call, OPT_SINCE), *limit = call_option(call, OPT_LIMIT);
    int64_t ms;
    if (since) {
        if (duration_parse(&ms, since))
            query->since = call->now - ms;
        else if (!date_parse(&query->since, since))
            return complain(call, STATUS_MISUSE, "--since '" SHOWN "': write %s", since,
                            "7d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z");
    }
    if (limit) {
        bool digits = *limit && strspn(limit, "0123456789") == strlen(limit);
        query->limit = digits && strlen(limit) < 16 ? strtoull(limit, NULL, 10) : 0;
        if (!query->limit)
            return complain(call, STATUS_MISUSE, "--limit '" SHOWN "': write a number from 1 on",
                            limit);
    }
    return take_subject(call, query);
}

static bool is_wanted(const struct query *query, const struct log_entry *entry)
{
    if (entry->time < query->since)
        return false;
    return query->kind == LOG_BULK ||
           (entry->kind == query->kind && strcmp(entry->subject, query->subject) == 0);
}

static cJSON *entry_to_json(const struct log_entry *entry, enum shape shape)
{
    char subject[DEVICE_ID_MAX + 2];
    bool role = entry->kind == LOG_ROLE;
    cJSON *row = cJSON_CreateObject();
    snprintf(subject, sizeof subject, "%s%s", role ? "@" : "", entry->subject);
    json_number(row, "seq", entry->seq);
    json_time(row, "time", entry->time);
    json_text(row, "who", entry->who);
    json_text(row, "verb", log_verb_name(entry->verb));
    if (shape != SHAPE_JSON)
        json_text(row, "subject", subject);
    else if (role || entry->kind == LOG_DEVICE)
        json_text(row, role ? "role" : "device", entry->subject);
    json_text(row, "detail", entry->detail);
    return row;
}

/* The next entry that can be read; what is damaged is told and stepped over. */
static enum err step(struct call *call, struct query *query, struct log_entry *entry, bool told)
{
    enum err e;
    while ((e = registry_next_entry(call->registry, entry->seq, entry)) == ERR_DAMAGED) {
        if (told)
            warn("entry %" PRIu64 " of the log is damaged; see 'devreg check'", entry->seq);
        query->damaged = true;
    }
    return e;
}

/* Goes over the wanted entries in short scopes: counts them, and prints those behind the first
 * `skip` where there is a listing. ERR_NOT_FOUND at the end. */
static enum err walk(struct call *call, struct query *query, struct listing *listing, uint64_t skip,
                     uint64_t *count)
{
    struct log_entry entry = {.seq = query->after};
    enum err e = ERR_OK;
    *count = 0;
    while (!e) {
        e = registry_read(call->registry);
        for (size_t i = 0; i < LISTING_ROWS && !e; i++) {
            e = step(call, query, &entry, listing != NULL);
            if (!e && is_wanted(query, &entry) && (*count)++ >= skip && listing)
                listing_add(listing, entry_to_json(&entry, listing->shape));
        }
        registry_end(call->registry);
        if (listing)
            listing_flush(listing);
    }
    return e;
}

/* How many of the wanted entries come before the newest `limit`. Where all are wanted the walk
 * begins there: the log has no gaps. */
static enum err find_begin(struct call *call, struct query *query, uint64_t *skip)
{
    uint64_t count, last;
    enum err e;
    *skip = 0;
    if (!query->limit)
        return ERR_OK;
    if (query->kind != LOG_BULK || query->since) {
        e = walk(call, query, NULL, 0, &count);
        *skip = count > query->limit ? count - query->limit : 0;
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    }
    e = registry_read(call->registry);
    if (!e)
        e = registry_last_entry(call->registry, &last);
    registry_end(call->registry);
    if (!e)
        query->after = last > query->limit ? last - query->limit : 0;
    return e;
}

enum status cmd_log(struct call *call)
{
    static const struct column columns[] = {{"time", "TIME", CELL_TIME},
                                            {"who", "WHO", CELL_PLAIN},
                                            {"verb", "VERB", CELL_PLAIN},
                                            {"subject", "OF", CELL_PLAIN},
                                            {"detail", "DETAIL", CELL_PLAIN}};
    struct query query = {.limit = 0};
    struct listing listing;
    uint64_t count, skip;
    enum status status = take_query(call, &query);
    if (status)
        return status;
    enum err e = find_begin(call, &query, &skip);
    if (e)
        return complain_err(call, e);
    listing_begin(&listing, call, columns, sizeof columns / sizeof *columns);
    e = walk(call, &query, &listing, skip, &count);
    listing_end(&listing);
    if (e != ERR_NOT_FOUND)
        return complain_err(call, e);
    return query.damaged ? complain_damaged(call) : STATUS_DONE;
}
