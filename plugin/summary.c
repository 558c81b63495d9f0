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

/* Counts of two stores, which may be some ms apart. */
static enum err look(struct cache *cache, struct txn *reader, struct summary_numbers *numbers)
{
    struct presence_counts counts;
    enum err e = presence_numbers(reader, &counts);
    if (!e)
        e = cache_device_count(cache, &numbers->total);
    if (e)
        return e;
    numbers->online = counts.online;
    numbers->offline = counts.seen > counts.online ? counts.seen - counts.online : 0;
    numbers->never_seen = numbers->total > counts.seen ? numbers->total - counts.seen : 0;
    return ERR_OK;
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

void summary_tick(struct summary *summary, struct cache *cache, struct txn *reader, int64_t now)
{
    struct summary_numbers numbers;
    int64_t steady = clock_steady();
    if (summary->published && !summary->changed && summary->snapshot == cache->seen)
        return;
    if (summary->at && steady - summary->at < SUMMARY_MS)
        return;
    summary->at = steady;
    summary->snapshot = cache->seen;
    summary->changed = false;
    if (look(cache, reader, &numbers) != ERR_OK) {
        summary->changed = true; /* again in a second */
        return;
    }
    if (!summary->published || !same(&numbers, &summary->last))
        summary->published = publish(&numbers, now);
    summary->last = numbers;
}
