#include "plugin/presence_entry.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/clock.h"
#include "plugin/presence_jobs.h"
#include "plugin/presence_open.h"
#include "registry/text.h"

static struct presence_entry *find_hashed(const struct presences *presences, const char *device,
                                          uint64_t hash)
{
    struct table_node *n = table_find(&presences->entries, hash);
    for (; n; n = table_again(n)) {
        struct presence_entry *entry = AROUND(n, struct presence_entry, node);
        if (strcmp(entry->device, device) == 0)
            return entry;
    }
    return NULL;
}

struct presence_entry *entry_find(const struct presences *presences, const char *device)
{
    return find_hashed(presences, device, table_hash_name(device));
}

void entry_leave_list(struct presence_entry *entry)
{
    struct presence_list *list = entry->list;
    if (!list)
        return;
    *(entry->previous ? &entry->previous->next : &list->first) = entry->next;
    *(entry->next ? &entry->next->previous : &list->last) = entry->previous;
    entry->next = entry->previous = NULL;
    entry->list = NULL;
}

static void list_join(struct presence_list *list, struct presence_entry *entry)
{
    entry_leave_list(entry);
    entry->list = list;
    entry->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = entry;
    list->last = entry;
}

void entry_is_dirty(struct presences *presences, struct presence_entry *entry)
{
    if (!entry->in_flight && entry->list != &presences->dirty)
        list_join(&presences->dirty, entry);
}

void entry_is_tallied(struct presences *presences, struct presence_entry *entry)
{
    if (!entry->in_flight && !entry->list)
        list_join(&presences->tallied, entry);
}

/* Keeps the order of left_at: mostly it is the last. */
void entry_is_delayed(struct presences *presences, struct presence_entry *entry)
{
    struct presence_list *list = &presences->delayed;
    entry_leave_list(entry);
    struct presence_entry *before = list->last;
    while (before && before->left_at > entry->left_at)
        before = before->previous;
    entry->list = list;
    entry->previous = before;
    entry->next = before ? before->next : list->first;
    *(entry->next ? &entry->next->previous : &list->last) = entry;
    *(before ? &before->next : &list->first) = entry;
}

void entry_free(struct presence_entry *entry)
{
    free(entry->topic);
    free(entry);
}

static bool has_work(const struct presence_entry *entry)
{
    bool online = entry->current != NULL;
    return entry->changed || entry->again || entry->look || online != entry->told_online ||
           entry->record.conn != entry->told_conn;
}

void entry_settle(struct presences *presences, struct presence_entry *entry)
{
    if (entry->in_flight || entry->list)
        return;
    if (!entry->forgotten && has_work(entry)) {
        entry_is_dirty(presences, entry);
    } else if (!entry->forgotten && entry->feeds) {
        entry_is_tallied(presences, entry);
    } else if (!entry->current) {
        table_remove(&presences->entries, &entry->node);
        entry_free(entry);
    }
}

/* The topic that is recorded for it. Without one it counts as moved. */
static void topic_load(struct presences *presences, struct presence_entry *entry)
{
    char topic[PRESENCE_TOPIC_MAX + 1];
    if (presences->options->presence_attributes && entry->record.place &&
        standing_topic_get(presences->reader, entry->device, &entry->record, topic) == ERR_OK)
        entry->topic = strdup(topic);
}

/* What is on the disk; zeros for a device that nothing is recorded of. */
static void record_load(struct presences *presences, struct presence_entry *entry)
{
    struct presence *record = &entry->record;
    enum err e = presence_read(presences);
    if (!e) {
        e = presence_get(presences->reader, entry->device, record); /* an error leaves zeros */
        if (!e)
            topic_load(presences, entry);
        e = presence_read_end(presences, e);
    }
    if (e)
        record->seq = presences->highest_seq; /* of any device: it only must not fall */
    if (e && e != ERR_NOT_FOUND && e != ERR_REPLACED && e != ERR_BROKEN) /* those are told */
        journal_add(presences->journal, MOSQ_LOG_ERR,
                    "cannot read the presence of device %s: %s; it begins anew", entry->device,
                    err_text(e));
    entry->damaged = e == ERR_DAMAGED;
    entry->left_over = entry->told_online = record->online;
    entry->told_conn = record->conn;
}

struct presence_entry *entry_get(struct presences *presences, const char *device)
{
    const uint64_t hash = table_hash_name(device);
    struct presence_entry *entry = find_hashed(presences, device, hash);
    if (entry)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (!entry || !table_add(&presences->entries, &entry->node, hash)) {
        free(entry);
        journal_add(presences->journal, MOSQ_LOG_ERR, "out of memory: presence of %s is not kept",
                    device);
        return NULL;
    }
    (void)text_copy(entry->device, DEVICE_ID_MAX, device);
    record_load(presences, entry);
    return entry;
}

bool entry_forget(struct presences *presences, struct presence_entry *entry, int64_t now)
{
    if (entry->forgotten)
        return true;
    if (!presence_submit_delete(presences, entry, now))
        return false;
    entry_leave_list(entry);
    entry->in_flight++;
    entry->forgotten = true;
    entry->current = NULL;
    return true;
}

bool entry_begin(struct presences *presences, struct presence_entry *entry, uint64_t generation,
                 int64_t now)
{
    struct presence *record = &entry->record;
    if (record->generation == generation && !entry->forgotten)
        return true;
    if ((record->generation || entry->damaged) && !entry_forget(presences, entry, now))
        return false;
    if (entry->forgotten) { /* else all of it is zero, but the seq */
        memset(record, 0, sizeof *record);
        record->seq = presences->highest_seq;
        entry->told_online = entry->left_over = entry->damaged = entry->forgotten = false;
        entry->changed = entry->again = entry->look = false;
        entry->told_conn = 0;
        entry->left_at = 0;
        entry->feeds = 0;
        free(entry->topic);
        entry->topic = NULL;
    }
    record->generation = generation;
    return true;
}
