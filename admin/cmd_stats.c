/* devreg stats: how many there are of everything.
 *
 * Both stores are walked once, in short scopes as by `list`; what is counted is kept, and no more.
 * Who is online is what devreg/summary says: the counts that the plugin keeps.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "admin/presence_view.h"
#include "admin/progress.h"
#include "admin/when.h"
#include "registry/presence_feed.h"
#include "registry/text.h"

enum { AT_ONCE = 1000, LINE_SIZE = 300, STATES = 3 };
#define SOON ((int64_t)7 * 24 * 3600 * 1000)

/* Of devices or credentials: those that ended, and those that end soon. */
struct ends {
    uint64_t over, soon;
};

struct stats {
    uint64_t devices, states[STATES];
    uint64_t roles, entries;
    uint64_t keys, passwords, imported, others;
    struct ends device_ends, credential_ends;
    bool damaged;
    /* Of the presence store. */
    bool known;  /* may anything be said of it? */
    bool topped; /* is there a topic? */
    char topic[RULE_FILTER_MAX + 1];
    struct presence_counts counts;
    struct tally failures, denials;
    uint64_t registry_size, presence_size;
};

static void count_end(struct ends *ends, int64_t expires, int64_t now)
{
    ends->over += expires && expires <= now;
    ends->soon += expires > now && expires <= now + SOON;
}

static void count_device(struct stats *stats, const struct device *device, int64_t now)
{
    stats->devices++;
    stats->states[device->state]++;
    count_end(&stats->device_ends, device->expires, now);
    for (size_t i = 0; i < device->credential_count; i++) {
        const struct credential *credential = &device->credentials[i];
        stats->keys += credential->kind == CREDENTIAL_KEY;
        stats->passwords += credential->kind == CREDENTIAL_PASSWORD;
        stats->imported += credential->kind == CREDENTIAL_IMPORTED;
        stats->others += credential->kind != CREDENTIAL_KEY && !credential_is_password(credential);
        count_end(&stats->credential_ends, credential->expires, now);
    }
}

/* One short scope. ERR_NOT_FOUND at the end. */
static enum err count_devices(struct call *call, struct stats *stats,
                              char after[static DEVICE_ID_MAX + 1])
{
    struct device device;
    enum err e = registry_read(call->registry);
    for (size_t i = 0; i < AT_ONCE && !e; i++) {
        e = device_step(call, after, &device, &stats->damaged);
        if (!e) {
            count_device(stats, &device, call->now);
            device_clear(&device);
        }
    }
    registry_end(call->registry);
    return e;
}

static enum err count_roles(struct call *call, struct stats *stats)
{
    char after[ROLE_NAME_MAX + 1] = "";
    struct role role;
    enum err e = registry_read(call->registry);
    while (!e && !(e = role_step(call, after, &role, &stats->damaged))) {
        stats->roles++;
        role_clear(&role);
    }
    registry_end(call->registry);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* The log has no gaps. */
static enum err count_entries(struct call *call, struct stats *stats)
{
    struct log_entry first = {.seq = 0};
    uint64_t last = 0;
    enum err e = registry_read(call->registry);
    if (!e)
        e = registry_last_entry(call->registry, &last);
    if (!e && last)
        e = registry_next_entry(call->registry, 0, &first);
    e = e == ERR_DAMAGED && first.seq ? ERR_OK : e; /* it has its number all the same */
    if (!e && last)
        stats->entries = last - first.seq + 1;
    registry_end(call->registry);
    return e;
}

static enum err count_registry(struct call *call, struct stats *stats)
{
    char after[DEVICE_ID_MAX + 1] = "";
    uint64_t limit;
    enum err e;
    while (!(e = count_devices(call, stats, after)))
        ;
    if (e == ERR_NOT_FOUND)
        e = count_roles(call, stats);
    if (!e)
        e = count_entries(call, stats);
    store_size(registry_store(call->registry), &stats->registry_size, &limit);
    return e;
}

static void add_tally(struct tally *sum, const struct tally *tally)
{
    sum->count += tally->count;
    sum->last = tally->last > sum->last ? tally->last : sum->last;
}

/* One short scope over the records. ERR_NOT_FOUND at the end. */
static enum err count_records(const struct presence_view *view, struct stats *stats,
                              char after[static DEVICE_ID_MAX + 1], struct presence_counts *found)
{
    struct presence presence;
    for (size_t i = 0; i < AT_ONCE; i++) {
        enum err e = presence_next(view->txn, after, after, &presence);
        if (e == ERR_DAMAGED)
            continue; /* nobody knows what it counted */
        if (e)
            return e;
        found->seen += presence.connections > 0;
        found->online += presence.online;
        add_tally(&stats->failures, &presence.failures);
        add_tally(&stats->denials, &presence.denials);
    }
    return ERR_OK;
}

/* As of the open scope. Where the plugin's counts are damaged, it begins again with those of the
 * records. */
static void take_counts(const struct presence_view *view, struct stats *stats,
                        const struct presence_counts *found)
{
    if (presence_counts_get(view->txn, &stats->counts) != ERR_OK)
        stats->counts = *found;
    stats->topped = presence_topic_get(view->txn, stats->topic) == ERR_OK;
}

static void count_presence(struct call *call, struct stats *stats)
{
    char after[DEVICE_ID_MAX + 1] = "";
    struct presence_counts found = {0};
    struct presence_view view;
    uint64_t limit;
    enum err e = ERR_OK;
    presence_view_open(&view, call);
    if (view.store)
        store_size(view.store, &stats->presence_size, &limit);
    while (!e) {
        presence_view_begin(&view);
        e = view.error ? view.error : count_records(&view, stats, after, &found);
        if (e == ERR_NOT_FOUND)
            take_counts(&view, stats, &found);
        presence_view_end(&view);
    }
    stats->known = e == ERR_NOT_FOUND && !view.off;
    presence_view_warn(&view, call);
    presence_view_close(&view);
}

static uint64_t less(uint64_t from, uint64_t by)
{
    return from > by ? from - by : 0;
}

static void json_ends(cJSON *object, const struct ends *ends)
{
    json_number(object, "expired", ends->over);
    json_number(object, "expiring", ends->soon);
}

static void json_tally(cJSON *object, const char *key, const struct tally *tally)
{
    cJSON *added = cJSON_AddObjectToObject(object, key);
    json_number(added, "count", tally->count);
    json_time(added, "last", tally->last);
}

static void json_presence(cJSON *answer, const struct stats *stats)
{
    if (!stats->known) {
        (void)cJSON_AddNullToObject(answer, "presence");
        return;
    }
    cJSON *presence = cJSON_AddObjectToObject(answer, "presence");
    json_number(presence, "online", stats->counts.online);
    json_number(presence, "offline", less(stats->counts.seen, stats->counts.online));
    json_number(presence, "never_seen", less(stats->devices, stats->counts.seen));
    json_tally(presence, "failures", &stats->failures);
    json_tally(presence, "denials", &stats->denials);
    if (stats->topped)
        json_text(presence, "topic", stats->topic);
    else
        (void)cJSON_AddNullToObject(presence, "topic");
}

static void print_json(const struct stats *stats)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON *devices = cJSON_AddObjectToObject(answer, "devices");
    json_number(devices, "total", stats->devices);
    for (enum device_state state = DEVICE_DISABLED; state <= DEVICE_REVOKED; state++)
        json_number(devices, device_state_name(state), stats->states[state]);
    json_ends(devices, &stats->device_ends);
    json_presence(answer, stats);
    cJSON *credentials = cJSON_AddObjectToObject(answer, "credentials");
    json_number(credentials, "key", stats->keys);
    json_number(credentials, "password", stats->passwords);
    json_number(credentials, "imported", stats->imported);
    json_number(credentials, "other", stats->others);
    json_ends(credentials, &stats->credential_ends);
    json_number(answer, "roles", stats->roles);
    json_number(answer, "log_entries", stats->entries);
    cJSON *sizes = cJSON_AddObjectToObject(answer, "bytes");
    json_number(sizes, "registry", stats->registry_size);
    if (stats->presence_size)
        json_number(sizes, "presence", stats->presence_size);
    else
        (void)cJSON_AddNullToObject(sizes, "presence");
    json_print(stdout, answer);
    cJSON_Delete(answer);
}

/* Appends "5,000 enabled", after ", " behind another one. */
static void line_count(char line[static LINE_SIZE], uint64_t count, const char *of)
{
    char text[COUNT_TEXT_MAX + 1];
    size_t used = strlen(line);
    snprintf(line + used, LINE_SIZE - used, "%s%s %s", used ? ", " : "", count_format(text, count),
             of);
}

static void add_ends(cJSON *answer, const struct stats *stats)
{
    char line[LINE_SIZE] = "";
    if (stats->device_ends.soon)
        line_count(line, stats->device_ends.soon,
                   stats->device_ends.soon == 1 ? "device within 7 days" : "devices within 7 days");
    if (stats->credential_ends.soon)
        line_count(line, stats->credential_ends.soon,
                   stats->credential_ends.soon == 1 ? "key or password within 7 days"
                                                    : "keys or passwords within 7 days");
    if (stats->device_ends.over)
        line_count(line, stats->device_ends.over,
                   stats->device_ends.over == 1 ? "device has ended" : "devices have ended");
    if (*line)
        json_text(answer, "ends", line);
}

static void add_tally_line(cJSON *answer, const char *key, const struct tally *tally)
{
    char line[LINE_SIZE] = "", last[WHEN_TEXT_MAX + 1];
    if (!tally->count)
        return;
    when_format(last, tally->last);
    line_count(line, tally->count, "in all");
    size_t used = strlen(line);
    snprintf(line + used, sizeof line - used, ", last %s", last);
    json_text(answer, key, line);
}

static void add_presence_lines(cJSON *answer, const struct stats *stats)
{
    char line[LINE_SIZE] = "";
    if (stats->known) {
        line_count(line, stats->counts.online, "online");
        line_count(line, less(stats->counts.seen, stats->counts.online), "offline");
        line_count(line, less(stats->devices, stats->counts.seen), "never seen");
    }
    json_text(answer, "presence", stats->known ? line : "unknown");
    if (stats->topped && *stats->topic)
        json_text(answer, "topic", stats->topic);
    add_tally_line(answer, "refused", &stats->failures);
    add_tally_line(answer, "denied", &stats->denials);
}

static void add_size(cJSON *answer, const char *key, uint64_t size)
{
    char line[LINE_SIZE] = "";
    line_count(line, size, "bytes");
    json_text(answer, key, size ? line : "unknown");
}

static cJSON *make_lines(const struct stats *stats)
{
    char states[LINE_SIZE] = "", credentials[LINE_SIZE] = "", text[COUNT_TEXT_MAX + 1];
    cJSON *answer = cJSON_CreateObject();
    json_text(answer, "devices", count_format(text, stats->devices));
    line_count(states, stats->states[DEVICE_ENABLED], "enabled");
    line_count(states, stats->states[DEVICE_DISABLED], "disabled");
    line_count(states, stats->states[DEVICE_REVOKED], "revoked");
    json_text(answer, "states", states);
    add_presence_lines(answer, stats);
    line_count(credentials, stats->keys, stats->keys == 1 ? "key" : "keys");
    line_count(credentials, stats->passwords, stats->passwords == 1 ? "password" : "passwords");
    if (stats->imported)
        line_count(credentials, stats->imported,
                   stats->imported == 1 ? "imported password" : "imported passwords");
    if (stats->others)
        line_count(credentials, stats->others, "of other kinds");
    json_text(answer, "credentials", credentials);
    add_ends(answer, stats);
    json_text(answer, "roles", count_format(text, stats->roles));
    json_text(answer, "log", count_format(text, stats->entries));
    add_size(answer, "registry_size", stats->registry_size);
    add_size(answer, "presence_size", stats->presence_size);
    return answer;
}

static void print_text(const struct call *call, const struct stats *stats)
{
    static const struct column columns[] = {{"devices", "devices", CELL_PLAIN},
                                            {"states", "states", CELL_PLAIN},
                                            {"presence", "presence", CELL_PLAIN},
                                            {"refused", "refused", CELL_PLAIN},
                                            {"denied", "denied", CELL_PLAIN},
                                            {"topic", "presence topic", CELL_PLAIN},
                                            {"credentials", "credentials", CELL_PLAIN},
                                            {"ends", "expiring", CELL_PLAIN},
                                            {"roles", "roles", CELL_PLAIN},
                                            {"log", "log entries", CELL_PLAIN},
                                            {"registry_size", "registry", CELL_PLAIN},
                                            {"presence_size", "presence store", CELL_PLAIN}};
    cJSON *answer = make_lines(stats);
    sheet_print(call, columns, sizeof columns / sizeof *columns, answer);
    cJSON_Delete(answer);
}

enum status cmd_stats(struct call *call)
{
    struct stats stats = {.devices = 0};
    enum status status = complain_err(call, count_registry(call, &stats));
    if (status)
        return status;
    count_presence(call, &stats);
    if (call->json)
        print_json(&stats);
    else
        print_text(call, &stats);
    return stats.damaged ? complain_damaged(call) : STATUS_DONE;
}
