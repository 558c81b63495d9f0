#include "plugin/presence.h"

#include <limits.h>
#include <string.h>

#include "plugin/clock.h"
#include "plugin/mosq.h"
#include "plugin/presence_entry.h"
#include "plugin/presence_jobs.h"
#include "plugin/presence_open.h"
#include "plugin/presence_walk.h"
#include "registry/key.h"
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
    key_hide(record->client); /* it is published, for people to read */
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

/* With presence off there is still who owns a session, and whether a new key came into use. */
static bool is_recorded(const struct presences *presences, const struct connection *connection)
{
    return presences->options->presence || connection->persistent || connection->had_session ||
           presence_owns(presences, connection->device_id, connection->client_id) ||
           cached_device_replaces(connection->device, connection->credential);
}

/* Is the connection of the device as it is registered now? The log may have named it since. */
static bool is_registered(const struct presences *presences, const struct connection *connection)
{
    uint64_t generation;
    if (cache_has_read(presences->cache, connection->device))
        return true;
    enum err e = cache_generation(presences->cache, connection->device_id, &generation);
    return e ? e != ERR_NOT_FOUND : generation == connection->generation;
}

/* The state is about this connection from now on. */
static void entry_take(struct presence_entry *entry, struct connection *connection)
{
    entry->current = connection;
    if (entry->left_over) /* the broker was down in between */
        entry->left_over = entry->told_online = false;
    describe(&entry->record, connection);
}

void presence_accepted(struct presences *presences, struct connection *connection, int64_t now)
{
    if (!is_recorded(presences, connection) || !is_registered(presences, connection))
        return;
    struct presence_entry *entry = entry_get(presences, connection->device_id);
    if (!entry)
        return;
    if (!entry_begin(presences, entry, connection->generation, now)) {
        entry_settle(presences, entry);
        return;
    }
    struct presence *record = &entry->record;
    /* Back before its offline was told, which a delay makes likely: that is still one connection.
     */
    bool back = presences->options->presence_delay && entry->told_online && !entry->current &&
                entry->left_at && (!entry->successor || entry->successor == connection);
    presence_use(record, connection->credential, now);
    record->connections++;
    connection->conn = back ? entry->told_conn : record->connections;
    presences->owners |= connection->persistent;
    session_note(record, connection, now);
    if (!entry->current || entry->successor == connection ||
        strcmp(entry->current->client_id, connection->client_id) == 0)
        entry_take(entry, connection);
    entry->changed = true;
    entry_is_dirty(presences, entry);
}

/* The newest other connection of the same generation that is in, is recorded, and stays. */
static struct connection *another(const struct connection *gone)
{
    struct connection *c = gone->device ? gone->device->connections : NULL;
    while (c && (c == gone || c->state != CONNECTION_LIVE || c->kicked || !c->conn ||
                 c->generation != gone->generation))
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

/* The entry, if it is of that generation. */
static struct presence_entry *entry_of(const struct presences *presences, const char *device,
                                       uint64_t generation)
{
    struct presence_entry *entry = entry_find(presences, device);
    bool same = entry && !entry->forgotten && entry->record.generation == generation;
    return same ? entry : NULL;
}

void presence_ended(struct presences *presences, const struct connection *connection,
                    enum reason reason, int64_t now)
{
    struct presence_entry *entry =
        entry_of(presences, connection->device_id, connection->generation);
    if (!entry)
        return;
    if (connection->persistent)
        session_note(&entry->record, connection, now); /* the time begins to run */
    if (presence_used(&entry->record, connection->credential))
        presence_use(&entry->record, connection->credential, now);
    entry->changed = true;
    entry_is_dirty(presences, entry);
    if (entry->current != connection)
        return;
    entry->current = another(connection);
    entry->successor = successor_of(connection);
    if (entry->current)
        describe(&entry->record, entry->current);
    else
        entry_leave(entry, reason, now);
}

void presence_not_in(struct presences *presences, const struct connection *connection)
{
    struct presence_entry *entry = entry_find(presences, connection->device_id);
    if (entry && entry->successor == connection)
        entry->successor = NULL;
}

static void tally(struct presences *presences, struct presence_entry *entry, struct tally *tally,
                  enum feed_kind kind, int64_t now)
{
    tally->count++;
    tally->last = now;
    if (!entry->feeds)
        entry->tallied_at = clock_steady();
    entry->feeds |= (uint8_t)(1u << kind);
    entry_is_tallied(presences, entry);
}

void presence_refused(struct presences *presences, const char *device, uint64_t generation,
                      int64_t now)
{
    struct presence_entry *entry =
        presences->options->presence ? entry_get(presences, device) : NULL;
    if (!entry)
        return;
    if (entry_begin(presences, entry, generation, now))
        tally(presences, entry, &entry->record.failures, FEED_FAILED, now);
    else
        entry_settle(presences, entry);
}

void presence_denied(struct presences *presences, const struct connection *connection, int64_t now)
{
    struct presence_entry *entry =
        entry_of(presences, connection->device_id, connection->generation);
    if (entry && presences->options->presence)
        tally(presences, entry, &entry->record.denials, FEED_DENIED, now);
}

static uint64_t next_seq(uint64_t last, int64_t now)
{
    return now > 0 && (uint64_t)now > last ? (uint64_t)now : last + 1;
}

/* Brings the record up to what is; who waits is online yet. True when there is something to tell.
 */
static bool record_update(struct presences *presences, struct presence_entry *entry, bool online,
                          int64_t now)
{
    struct presence *record = &entry->record;
    if (online == entry->told_online && record->conn == entry->told_conn)
        return false;
    if (online && !entry->told_online)
        record->since = record->connected_at;
    if (!online)
        record->since = record->ended_at;
    record->online = online;
    record->seq = next_seq(record->seq, now);
    if (record->seq > presences->highest_seq)
        presences->highest_seq = record->seq;
    return true;
}

/* The last run left the device online, and it has not come back yet. */
static void end_left_over(struct presence_entry *entry, int64_t now)
{
    if (!entry->left_over || entry->current)
        return;
    entry_leave(entry, REASON_BROKER_RESTART, now);
    entry->left_at = 0; /* not in this run: no delay */
    entry->left_over = false;
    entry->changed = true;
    sessions_seen(&entry->record, now);
}

/* Does the device still have time to come back before it is told offline? */
static bool is_delayed(const struct presences *presences, const struct presence_entry *entry)
{
    int64_t delay = (int64_t)presences->options->presence_delay * 1000;
    return delay && !entry->current && entry->told_online && !entry->forgotten && entry->left_at &&
           clock_steady() < entry->left_at + delay;
}

/* Turns a dirty entry into a job, where there is something to record. False for want of memory. */
static bool entry_tell(struct presences *presences, struct presence_entry *entry, int64_t now)
{
    entry->successor = NULL; /* it would be in by now */
    end_left_over(entry, now);
    bool delayed = is_delayed(presences, entry);
    bool told = record_update(presences, entry, entry->current || delayed, now);
    if (!presence_submit(presences, entry, told, now))
        return false;
    entry_leave_list(entry);
    if (delayed && !entry->in_flight)
        entry_is_delayed(presences, entry);
    else
        entry_settle(presences, entry);
    return true;
}

/* What has waited long enough becomes dirty. */
static void end_waits(struct presences *presences)
{
    struct presence_entry *entry;
    while ((entry = presences->delayed.first) && !is_delayed(presences, entry))
        entry_is_dirty(presences, entry);
    while ((entry = presences->tallied.first) && clock_steady() >= entry->tallied_at + TALLY_MS)
        entry_is_dirty(presences, entry);
}

static void tell_dirty(struct presences *presences, int64_t now)
{
    struct presence_entry *entry;
    end_waits(presences);
    for (int told = 0; told < JOBS_A_TURN && (entry = presences->dirty.first); told++) {
        if (!entry_tell(presences, entry, now))
            return;
    }
}

bool presence_settled(const struct presences *presences, const char *device)
{
    const struct presence_entry *entry = entry_find(presences, device);
    return !entry || (!entry->in_flight && entry->list != &presences->dirty);
}

bool presence_owns(const struct presences *presences, const char *device, const char *client_id)
{
    const struct presence_entry *entry = presences->owners ? entry_find(presences, device) : NULL;
    struct client_key client;
    if (!entry || entry->forgotten || !entry->record.session_count)
        return false;
    client = client_key_of(client_id);
    return presence_session(&entry->record, &client) < entry->record.session_count;
}

void presence_removed(struct presences *presences, const char *device, uint64_t generation,
                      int64_t now)
{
    struct presence_entry *entry =
        generation ? entry_of(presences, device, generation) : entry_get(presences, device);
    if (!entry)
        return;
    bool known = entry->record.generation || entry->damaged;
    if (known && !entry_forget(presences, entry, now))
        presence_walk_again(presences); /* that finds it once there is memory */
    entry_settle(presences, entry);
}

void presence_moved(struct presences *presences, const char *device)
{
    struct presence_entry *entry = entry_get(presences, device);
    if (!entry)
        return;
    entry->look = entry->record.connections > 0;
    if (entry->look)
        entry_is_dirty(presences, entry);
    else
        entry_settle(presences, entry);
}

void presence_tick(struct presences *presences, int64_t now)
{
    const int64_t steady = clock_steady();
    bool idle = steady - presences->ticked_at >= IDLE_MS;
    presences->messages = idle ? MESSAGES_IDLE : MESSAGES_A_TURN;
    presences->ticked_at = steady;
    if (presences->in_flight)
        presence_collect(presences);
    if (!presence_follow(presences, steady))
        return;
    if (presences->failed) {
        presence_retry(presences, false);
        return; /* what is new waits behind it */
    }
    if (presences->dirty.first || presences->delayed.first || presences->tallied.first)
        tell_dirty(presences, now);
    if (presences->walk.stage)
        presence_walk_on(presences, now);
    else if (presences->unwalked)
        presence_walk_end(presences);
    if (presences->options->presence)
        presence_doubt(presences,
                       summary_tick(&presences->summary, presences->cache, presences->reader, now));
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
    if (entry->forgotten)
        return;
    end_left_over(entry, now);
    if (entry->current || ended_by_stop(presences, entry)) {
        entry->current = NULL;
        entry_leave(entry, REASON_SERVER_SHUTDOWN, now);
        sessions_seen(&entry->record, now);
        entry->changed = true;
    }
    bool told = record_update(presences, entry, false, now);
    (void)presence_submit(presences, entry, told, now);
}

/* Frees what the writer is done with. The first error of it, which nobody can mend any more. */
static enum err jobs_end(struct job *job)
{
    enum err e = ERR_OK;
    for (struct job *next; job; job = next) {
        next = job->next;
        e = e ? e : job->result;
        job_free(job);
    }
    return e;
}

void presence_close(struct presences *presences, int64_t now)
{
    presences->messages = UINT_MAX;
    presence_collect(presences); /* what it publishes is lost; what failed is written once more */
    if (presences->failed)
        presence_retry(presences, true);
    for (struct table_node *n = table_next(&presences->entries, NULL), *next; n; n = next) {
        struct presence_entry *entry = AROUND(n, struct presence_entry, node);
        next = table_next(&presences->entries, n);
        entry_end(presences, entry, now);
        entry_free(entry);
    }
    table_clear(&presences->entries);
    presence_walk_close(presences);
    (void)jobs_end(presences->done);
    enum err e = jobs_end(writer_close(&presences->writer));
    for (struct job *job = presences->failed; job; job = job->next)
        job->result = ERR_REPLACED; /* no store is open */
    enum err lost = jobs_end(presences->failed);
    e = e ? e : lost;
    if (e)
        journal_add(presences->journal, MOSQ_LOG_ERR,
                    "cannot record the stop: %s; who was online is told as 'broker_restart' at the "
                    "next start",
                    err_text(e));
    txn_close(presences->reader);
    store_close(presences->store);
}
