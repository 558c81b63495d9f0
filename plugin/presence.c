#include "plugin/presence.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/clock.h"
#include "plugin/mosq.h"
#include "plugin/presence_jobs.h"
#include "plugin/presence_walk.h"
#include "registry/text.h"

/* The broker sends what was published in one turn all at once, at some 50 us for a message and a
 * subscriber: fifty of them keep others waiting for 3 ms. A broker that had nothing else to do
 * since the last turn, and waits for a tenth of a second each time, may send more. */
enum {
    JOBS_A_TURN = 500,
    MESSAGES_A_TURN = 50,
    MESSAGES_IDLE = 150,
    IDLE_MS = 80,
    TALLY_MS = 5000
};

static struct presence_entry *entry_find_hashed(const struct presences *presences,
                                                const char *device, uint64_t hash)
{
    struct table_node *n = table_find(&presences->entries, hash);
    for (; n; n = table_again(n)) {
        struct presence_entry *entry = AROUND(n, struct presence_entry, node);
        if (strcmp(entry->device, device) == 0)
            return entry;
    }
    return NULL;
}

struct presence_entry *presence_find(const struct presences *presences, const char *device)
{
    return entry_find_hashed(presences, device, table_hash_name(device));
}

static void list_leave(struct presence_entry *entry)
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
    list_leave(entry);
    entry->list = list;
    entry->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = entry;
    list->last = entry;
}

/* Keeps the order of left_at: mostly it is the last. */
static void delayed_join(struct presences *presences, struct presence_entry *entry)
{
    struct presence_list *list = &presences->delayed;
    list_leave(entry);
    struct presence_entry *before = list->last;
    while (before && before->left_at > entry->left_at)
        before = before->previous;
    entry->list = list;
    entry->previous = before;
    entry->next = before ? before->next : list->first;
    *(entry->next ? &entry->next->previous : &list->last) = entry;
    *(before ? &before->next : &list->first) = entry;
}

static void dirty_add(struct presences *presences, struct presence_entry *entry)
{
    if (entry->list != &presences->dirty)
        list_join(&presences->dirty, entry);
}

static void entry_free(struct presence_entry *entry)
{
    free(entry->topic);
    free(entry);
}

void presence_settle(struct presences *presences, struct presence_entry *entry)
{
    if (entry->current || entry->list || entry->in_flight)
        return;
    table_remove(&presences->entries, &entry->node);
    entry_free(entry);
}

/* The topic that is recorded for it. Without one it counts as moved. */
static void topic_load(struct presences *presences, struct presence_entry *entry)
{
    char topic[PRESENCE_TOPIC_MAX + 1];
    if (presences->options->presence_attributes && entry->record.place &&
        standing_topic_get(presences->reader, entry->device, &entry->record, topic) == ERR_OK)
        entry->topic = strdup(topic);
}

/* What is on the disk; zeros for a device that never connected, or whose record is damaged. */
static void record_load(struct presences *presences, struct presence_entry *entry)
{
    enum err e = txn_renew(presences->reader);
    if (!e) {
        e = presence_get(presences->reader, entry->device, &entry->record);
        if (!e)
            topic_load(presences, entry);
        txn_reset(presences->reader);
    }
    if (e) {                                        /* the record is untouched: zeros */
        entry->record.seq = presences->highest_seq; /* of another device: it only must not fall */
        entry->damaged = e != ERR_NOT_FOUND;
    }
    if (entry->damaged)
        journal_add(presences->journal, MOSQ_LOG_ERR,
                    "cannot read the presence of device %s: %s; it begins anew", entry->device,
                    err_text(e));
    entry->told_online = entry->counted_online = entry->record.online;
    entry->told_conn = entry->record.conn;
    entry->had_sessions = entry->record.session_count > 0;
    entry->counted = entry->record.connections > 0;
}

static struct presence_entry *entry_get(struct presences *presences, const char *device)
{
    const uint64_t hash = table_hash_name(device);
    struct presence_entry *entry = entry_find_hashed(presences, device, hash);
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

/* The record is about this connection from now on. */
static void describe(struct presence *record, const struct connection *connection)
{
    record->conn = connection->conn;
    record->generation = connection->generation;
    record->connected_at = connection->accepted_at;
    record->protocol = connection->protocol;
    record->keepalive = connection->keepalive;
    record->persistent = !connection->clean;
    record->credential = connection->credential;
    (void)text_copy(record->address, PRESENCE_ADDRESS_MAX, connection->address);
    text_cut(record->client, PRESENCE_CLIENT_MAX, connection->client_id);
}

static void session_drop(struct presence *record, size_t at)
{
    record->session_count--;
    memmove(&record->sessions[at], &record->sessions[at + 1],
            (record->session_count - at) * sizeof *record->sessions);
}

/* Notes that the device owns the client id, or no longer. Oldest first in the list. */
static void session_note(struct presence *record, const struct connection *connection, int64_t now)
{
    if (!connection->persistent && !record->session_count)
        return;
    struct client_key client = client_key_of(connection->client_id);
    size_t at = presence_session(record, &client);
    if (at < record->session_count)
        session_drop(record, at);
    if (!connection->persistent)
        return;
    if (record->session_count == SESSIONS_MAX)
        session_drop(record, 0);
    record->sessions[record->session_count++] = (struct session){client, now};
}

/* Another generation of the device begins: nothing of the old one is its but the seq, and the place
 * of the old one's message, unless that is being cleared. */
static void generation_begin(struct presence_entry *entry, uint64_t generation)
{
    struct presence *record = &entry->record;
    if (record->generation || entry->forgotten) { /* else nothing is known yet: zeros, and a seq */
        const uint64_t seq = record->seq;
        const uint32_t place = entry->forgotten ? 0 : record->place;
        memset(record, 0, sizeof *record);
        record->seq = seq;
        record->place = place;
    }
    if (entry->forgotten) {
        free(entry->topic);
        entry->topic = NULL;
    }
    record->generation = generation;
    entry->forgotten = entry->told_online = false;
    entry->told_conn = 0;
    entry->current = NULL;
    entry->feeds = 0;
}

static bool of_generation(struct presence_entry *entry, uint64_t generation)
{
    return entry->record.generation == generation && !entry->forgotten;
}

/* With presence off there is still who owns a session, and whether a new key came into use. */
static bool is_recorded(const struct presences *presences, const struct connection *connection)
{
    return presences->options->presence || connection->persistent || connection->had_session ||
           presence_owns(presences, connection->device_id, connection->client_id) ||
           cached_device_replaces(connection->device, connection->credential);
}

void presence_accepted(struct presences *presences, struct connection *connection, int64_t now)
{
    if (!is_recorded(presences, connection))
        return;
    struct presence_entry *entry = entry_get(presences, connection->device_id);
    if (!entry)
        return;
    if (!of_generation(entry, connection->generation))
        generation_begin(entry, connection->generation);
    struct presence *record = &entry->record;
    /* Back before its offline was told, which a delay makes likely: that is still one connection.
     */
    bool back = presences->options->presence_delay && entry->told_online && !entry->current &&
                entry->left_at;
    presence_use(record, connection->credential);
    record->connections++;
    connection->conn = back ? entry->told_conn : record->connections;
    presences->owners |= connection->persistent;
    session_note(record, connection, now);
    if (!entry->current || entry->successor == connection ||
        strcmp(entry->current->client_id, connection->client_id) == 0) {
        describe(record, connection);
        entry->current = connection;
    }
    entry->changed = true;
    dirty_add(presences, entry);
}

/* The newest other live connection of the device. */
static struct connection *another(const struct connection *gone)
{
    struct connection *c = gone->device ? gone->device->connections : NULL;
    while (c && (c == gone || c->state != CONNECTION_LIVE))
        c = c->next;
    return c;
}

/* The one that takes the client id over, which the broker told us of before; NULL for none. */
static const struct connection *successor_of(const struct connection *gone)
{
    const struct connection *c = gone->device ? gone->device->connections : NULL;
    while (c && (c->state != CONNECTION_PENDING || strcmp(c->client_id, gone->client_id) != 0))
        c = c->next;
    return c;
}

/* The device keeps its client ids for as long again. */
static void sessions_seen(struct presence *record, int64_t now)
{
    for (size_t i = 0; i < record->session_count; i++)
        record->sessions[i].seen = now;
}

/* Nobody of the device is there any more. */
static void entry_leave(struct presence_entry *entry, enum reason reason, int64_t now)
{
    entry->left_at = clock_steady();
    entry->record.ended_at = now;
    entry->record.reason = reason;
}

void presence_ended(struct presences *presences, const struct connection *connection,
                    enum reason reason, int64_t now)
{
    struct presence_entry *entry = presence_find(presences, connection->device_id);
    if (!entry || !of_generation(entry, connection->generation)) {
        if (entry && entry->current == connection) {
            entry->current = another(connection);
            presence_settle(presences, entry);
        }
        return;
    }
    if (connection->persistent)
        session_note(&entry->record, connection, now); /* the time begins to run */
    entry->changed = true;
    dirty_add(presences, entry);
    if (entry->current != connection)
        return;
    entry->current = another(connection);
    entry->successor = successor_of(connection);
    if (entry->current)
        describe(&entry->record, entry->current);
    else
        entry_leave(entry, reason, now);
}

void presence_restarted(struct presences *presences, const char *device, int64_t now)
{
    struct presence_entry *entry = entry_get(presences, device);
    if (!entry || entry->current)
        return;
    entry_leave(entry, REASON_BROKER_RESTART, now);
    entry->left_at = 0; /* long ago: no delay */
    sessions_seen(&entry->record, now);
    entry->changed = true;
    dirty_add(presences, entry);
}

static void tally(struct presences *presences, struct presence_entry *entry, struct tally *tally,
                  enum feed_kind kind, int64_t now)
{
    tally->count++;
    tally->last = now;
    entry->feeds |= (uint8_t)(1u << kind);
    if (!entry->changed)
        entry->tallied_at = clock_steady();
    entry->changed = true;
    if (!entry->list)
        list_join(&presences->tallied, entry);
    else if (entry->list == &presences->delayed)
        dirty_add(presences, entry); /* it may wait there for long */
}

void presence_refused(struct presences *presences, const char *device, uint64_t generation,
                      int64_t now)
{
    struct presence_entry *entry =
        presences->options->presence ? entry_get(presences, device) : NULL;
    if (!entry)
        return;
    if (!of_generation(entry, generation))
        generation_begin(entry, generation);
    tally(presences, entry, &entry->record.failures, FEED_FAILED, now);
}

void presence_denied(struct presences *presences, const struct connection *connection, int64_t now)
{
    struct presence_entry *entry = presence_find(presences, connection->device_id);
    if (presences->options->presence && entry && of_generation(entry, connection->generation))
        tally(presences, entry, &entry->record.denials, FEED_DENIED, now);
}

static uint64_t next_seq(uint64_t last, int64_t now)
{
    return now > 0 && (uint64_t)now > last ? (uint64_t)now : last + 1;
}

/* Brings the record up to what is. True when there is something to tell. */
static bool record_update(struct presence_entry *entry, int64_t now)
{
    struct presence *record = &entry->record;
    bool online = entry->current != NULL;
    if (online == entry->told_online && record->conn == entry->told_conn)
        return false;
    if (online && !entry->told_online)
        record->since = record->connected_at;
    if (!online)
        record->since = record->ended_at;
    record->online = online;
    record->seq = next_seq(record->seq, now);
    return true;
}

/* Does the device still have time to come back before it is told offline? */
static bool is_delayed(const struct presences *presences, const struct presence_entry *entry)
{
    int64_t delay = (int64_t)presences->options->presence_delay * 1000;
    return delay && !entry->current && entry->told_online && !entry->forgotten && entry->left_at &&
           clock_steady() < entry->left_at + delay;
}

/* Turns an entry into a job, where there is something to record. False for want of memory. */
static bool entry_tell(struct presences *presences, struct presence_entry *entry, int64_t now)
{
    bool delayed = is_delayed(presences, entry);
    entry->successor = NULL; /* it would be in by now */
    bool told = !delayed && !entry->forgotten && record_update(entry, now);
    if (!entry->forgotten && !presence_submit(presences, entry, told, now))
        return false;
    if (delayed)
        delayed_join(presences, entry);
    else
        list_leave(entry);
    presence_settle(presences, entry);
    return true;
}

/* What has waited long enough becomes dirty. */
static void end_waits(struct presences *presences)
{
    struct presence_entry *entry;
    while ((entry = presences->delayed.first) && !is_delayed(presences, entry))
        dirty_add(presences, entry);
    while ((entry = presences->tallied.first) && clock_steady() >= entry->tallied_at + TALLY_MS)
        dirty_add(presences, entry);
}

static void tell_dirty(struct presences *presences, int64_t now)
{
    unsigned told = 0;
    end_waits(presences);
    for (struct presence_entry *entry = presences->dirty.first, *next; entry; entry = next) {
        next = entry->next;
        if (entry->in_flight)
            continue;
        if (told++ == JOBS_A_TURN || !entry_tell(presences, entry, now))
            return;
    }
}

bool presence_settled(const struct presences *presences, const char *device)
{
    const struct presence_entry *entry = presence_find(presences, device);
    return !entry || (!entry->list && !entry->in_flight);
}

bool presence_owns(const struct presences *presences, const char *device, const char *client_id)
{
    const struct presence_entry *entry =
        presences->owners ? presence_find(presences, device) : NULL;
    struct client_key client;
    if (!entry || entry->forgotten || !entry->record.session_count)
        return false;
    client = client_key_of(client_id);
    return presence_session(&entry->record, &client) < entry->record.session_count;
}

void presence_removed(struct presences *presences, const char *device, int64_t now)
{
    struct presence_entry *entry = presence_find(presences, device);
    if (entry) {
        entry->forgotten = true;
        entry->removed = entry->record.generation;
        entry->counted = entry->counted_online = false; /* the job sees to that */
        dirty_add(presences, entry);
    }
    if (!presence_submit_delete(presences, device, now))
        presence_walk_again(presences);
}

void presence_moved(struct presences *presences, const char *device)
{
    struct presence_entry *entry = entry_get(presences, device);
    if (entry)
        dirty_add(presences, entry); /* that looks for the topic */
}

void presence_again(struct presences *presences, struct presence_entry *entry)
{
    entry->again = true;
    dirty_add(presences, entry);
}

void presence_tick(struct presences *presences, int64_t now)
{
    const int64_t steady = clock_steady();
    bool idle = steady - presences->ticked_at >= IDLE_MS;
    presences->messages = idle ? MESSAGES_IDLE : MESSAGES_A_TURN;
    presences->ticked_at = steady;
    if (presences->in_flight)
        presence_collect(presences);
    if (presences->failed) {
        presence_retry(presences, false);
        return; /* what is new waits behind it */
    }
    if (presences->dirty.first || presences->delayed.first || presences->tallied.first)
        tell_dirty(presences, now);
    if (presences->walk.stage)
        presence_walk_on(presences, now);
    if (presences->options->presence)
        summary_tick(&presences->summary, presences->cache, presences->reader, now);
}

bool presence_hurries(const struct presences *presences)
{
    return presences->walk.stage || presences->done;
}

/* 2.0 ends its websockets connections itself before it stops, and does not say why. What ended
 * since the last turn cannot be told from that. */
static bool ended_by_stop(const struct presences *presences, const struct presence_entry *entry)
{
    return !entry->current && entry->told_online && entry->record.reason == REASON_UNKNOWN &&
           entry->left_at >= presences->ticked_at && !mosq_is_2_1();
}

/* What is to be on the disk when the broker is gone. */
static void entry_end(struct presences *presences, struct presence_entry *entry, int64_t now)
{
    if (entry->current || ended_by_stop(presences, entry)) {
        entry->current = NULL;
        entry_leave(entry, REASON_SERVER_SHUTDOWN, now);
        sessions_seen(&entry->record, now);
        entry->changed = true;
    }
    bool told = !entry->forgotten && record_update(entry, now);
    if (!entry->forgotten)
        (void)presence_submit(presences, entry, told, now);
}

static void jobs_free(struct job *job)
{
    for (struct job *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
}

void presence_close(struct presences *presences, int64_t now)
{
    if (presences->failed)
        presence_retry(presences, true); /* one last time */
    for (struct table_node *n = table_next(&presences->entries, NULL), *next; n; n = next) {
        struct presence_entry *entry = AROUND(n, struct presence_entry, node);
        next = table_next(&presences->entries, n);
        entry_end(presences, entry, now);
        entry_free(entry);
    }
    table_clear(&presences->entries);
    jobs_free(presences->done);
    jobs_free(writer_close(&presences->writer));
    txn_close(presences->reader);
    store_close(presences->store);
}
