#include "plugin/summary.h"

#include <string.h>

#include "plugin/clock.h"
#include "plugin/json_text.h"
#include "plugin/message.h"

enum { SUMMARY_MS = 1000, FORMAT = 1, JSON_MAX = 200 };

static enum err presence_numbers(struct txn *reader, struct presence_counts *counts)
{
    enum err e = txn_renew(reader);
    if (e)
        return e;
    e = presence_counts_get(reader, counts);
    txn_reset(reader);
    return e;
}

/* Counts of two stores, which may be some ms apart. `*read`: how that of the presence store went.
 */
static bool look(struct cache *cache, struct txn *reader, struct summary_numbers *numbers,
                 enum err *read)
{
    struct presence_counts counts;
    *read = presence_numbers(reader, &counts);
    if (*read || cache_device_count(cache, &numbers->total))
        return false;
    numbers->online = counts.online;
    numbers->offline = counts.seen > counts.online ? counts.seen - counts.online : 0;
    numbers->never_seen = numbers->total > counts.seen ? numbers->total - counts.seen : 0;
    return true;
}

static bool publish(const struct summary_numbers *numbers, int64_t now)
{
    char text[JSON_MAX];
    struct json_text json = json_begin(text, sizeof text, FORMAT);
    json_add_number(&json, "ts", (uint64_t)now);
    json_add_number(&json, "online", numbers->online);
    json_add_number(&json, "offline", numbers->offline);
    json_add_number(&json, "never_seen", numbers->never_seen);
    json_add_number(&json, "total", numbers->total);
    return message_send_text(SUMMARY_TOPIC, text, json_end(&json), true);
}

static bool same(const struct summary_numbers *a, const struct summary_numbers *b)
{
    return a->online == b->online && a->offline == b->offline && a->never_seen == b->never_seen &&
           a->total == b->total;
}

enum err summary_tick(struct summary *summary, struct cache *cache, struct txn *reader, int64_t now)
{
    struct summary_numbers numbers;
    int64_t steady = clock_steady();
    if (summary->published && !summary->changed && summary->snapshot == cache->seen)
        return ERR_OK;
    if (summary->at && steady - summary->at < SUMMARY_MS)
        return ERR_OK;
    summary->at = steady;
    summary->snapshot = cache->seen;
    summary->changed = false;
    enum err read;
    if (!look(cache, reader, &numbers, &read)) {
        summary->changed = true; /* again in a second */
        return read;
    }
    if (!summary->published || !same(&numbers, &summary->last))
        summary->published = publish(&numbers, now);
    summary->last = numbers;
    return ERR_OK;
}
