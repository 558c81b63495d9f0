#include "plugin/presence.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/message.h"
#include "plugin/presence_walk.h"
#include "registry/text.h"

enum { RETRY_MS = 1000, JOBS_A_TICK = 500 };

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

static struct presence_entry *entry_find(const struct presences *presences, const char *device)
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

static void dirty_add(struct presences *presences, struct presence_entry *entry)
{
    if (entry->list != &presences->dirty)
        list_join(&presences->dirty, entry);
}

/* Frees an entry that nothing needs any more. */
static void entry_settle(struct presences *presences, struct presence_entry *entry)
{
    if (entry->current || entry->list || entry->in_flight)
        return;
    table_remove(&presences->entries, &entry->node);
    free(entry);
}

/* What is on the disk; zeros for a device that never connected, or whose record is damaged. */
static void record_load(struct presences *presences, struct presence_entry *entry)
{
    enum err e = txn_renew(presences->reader);
    if (!e) {
        e = presence_get(presences->reader, entry->device, &entry->record);
        txn_reset(presences->reader);
    }
    if (e)
        memset(&entry->record, 0, sizeof entry->record);
    if (e && e != ERR_NOT_FOUND)
        journal_add(presences->journal, MOSQ_LOG_ERR,
                    "cannot read the presence of device %s: %s; it begins anew", entry->device,
                    err_text(e));
    entry->told_online = entry->record.online;
    entry->told_conn = entry->record.conn;
    entry->had_sessions = entry->record.session_count > 0;
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
    /* A client id that is cut stays UTF-8: no byte of a character is left alone at the end. */
    size_t size = strnlen(connection->client_id, PRESENCE_CLIENT_MAX + 1);
    if (size > PRESENCE_CLIENT_MAX) {
        size = PRESENCE_CLIENT_MAX;
        while (size && ((unsigned char)connection->client_id[size] & 0xc0) == 0x80)
            size--;
    }
    memcpy(record->client, connection->client_id, size);
    record->client[size] = '\0';
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

/* Another generation of the device begins: nothing of the old one is its. */
static void generation_begin(struct presence_entry *entry, uint64_t generation)
{
    entry->forgotten = entry->told_online = false;
    entry->current = NULL;
    entry->record.generation = generation;
    entry->record.used_count = entry->record.session_count = 0;
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
    if (entry->record.generation != connection->generation)
        generation_begin(entry, connection->generation);
    presence_use(&entry->record, connection->credential);
    connection->conn = ++entry->record.connections;
    presences->owners |= connection->persistent;
    session_note(&entry->record, connection, now);
    if (!entry->current || strcmp(entry->current->client_id, connection->client_id) == 0) {
        describe(&entry->record, connection);
        entry->current = connection;
    }
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

/* The device keeps its client ids for as long again. */
static void sessions_seen(struct presence *record, int64_t now)
{
    for (size_t i = 0; i < record->session_count; i++)
        record->sessions[i].seen = now;
}

void presence_ended(struct presences *presences, const struct connection *connection,
                    enum reason reason, int64_t now)
{
    struct presence_entry *entry = entry_find(presences, connection->device_id);
    if (!entry || entry->forgotten || entry->record.generation != connection->generation) {
        if (entry && entry->current == connection)
            entry->current = another(connection);
        return;
    }
    if (connection->persistent)
        session_note(&entry->record, connection, now); /* the time begins to run */
    dirty_add(presences, entry);
    if (entry->current != connection)
        return;
    entry->current = another(connection);
    entry->ended_at = now;
    if (entry->current)
        describe(&entry->record, entry->current);
    else
        entry->record.reason = reason;
}

void presence_restarted(struct presences *presences, const char *device, int64_t now)
{
    struct presence_entry *entry = entry_get(presences, device);
    if (!entry || entry->current)
        return;
    entry->ended_at = now;
    entry->record.reason = REASON_BROKER_RESTART;
    sessions_seen(&entry->record, now);
    dirty_add(presences, entry);
}

static void job_free(struct job *job)
{
    pack_free(&job->record);
    mosquitto_free(job->payload);
    free(job);
}

/* False where no thread can be started: the job is freed. */
static bool submit(struct presences *presences, struct job *job)
{
    if (!writer_submit(&presences->writer, job)) {
        job_free(job);
        return false;
    }
    presences->in_flight++;
    return true;
}

static struct job *job_new(enum job_kind kind, const char *device)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->kind = kind;
    (void)text_copy(job->device, DEVICE_ID_MAX, device);
    return job;
}

bool presence_submit_delete(struct presences *presences, const char *device)
{
    struct job *job = job_new(JOB_DELETE, device);
    return job && submit(presences, job);
}

bool presence_submit_topic(struct presences *presences, const char *topic)
{
    struct job *job = job_new(JOB_TOPIC, "");
    if (!job)
        return false;
    job->record.size = strlen(topic) + 1;
    job->record.data = (uint8_t *)strdup(topic);
    if (job->record.data)
        return submit(presences, job);
    free(job);
    return false;
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
        record->since = entry->ended_at;
    if (online)
        record->reason = REASON_NONE;
    record->online = online;
    record->seq = next_seq(record->seq, now);
    return true;
}

/* Does the device still have time to come back before it is told offline? */
static bool is_delayed(const struct presences *presences, const struct presence_entry *entry,
                       int64_t now)
{
    int64_t delay = (int64_t)presences->options->presence_delay * 1000;
    return delay && !entry->current && entry->told_online && !entry->forgotten &&
           now >= entry->ended_at && now < entry->ended_at + delay;
}

static void say_unpublished(struct presences *presences, const char *device)
{
    journal_add(presences->journal, MOSQ_LOG_ERR,
                "out of memory: the presence of %s is not published", device);
}

/* Hands the record as it is now to the writer. False for want of memory. */
static bool record_submit(struct presences *presences, struct presence_entry *entry, bool publish,
                          int64_t now)
{
    struct job *job = job_new(JOB_PUT, entry->device);
    if (!job)
        return false;
    job->sessions = entry->had_sessions || entry->record.session_count;
    presence_encode(&job->record, &entry->record);
    if (publish && presences->options->presence) {
        job->payload = message_payload(presences->options, entry->device, &entry->record, now,
                                       &job->payload_size);
        if (!job->payload)
            say_unpublished(presences, entry->device);
    }
    if (job->record.failed) {
        job_free(job);
        return false;
    }
    if (!submit(presences, job))
        return false;
    entry->had_sessions = entry->record.session_count > 0;
    return true;
}

/* Turns a dirty entry into a job. False for want of memory. */
static bool entry_tell(struct presences *presences, struct presence_entry *entry, int64_t now)
{
    if (entry->forgotten) {
        list_leave(entry);
        entry_settle(presences, entry);
        return true;
    }
    bool told = record_update(entry, now);
    if (!record_submit(presences, entry, told, now))
        return false;
    entry->told_online = entry->record.online;
    entry->told_conn = entry->record.conn;
    entry->in_flight = true;
    list_leave(entry);
    return true;
}

static void tell_dirty(struct presences *presences, int64_t now)
{
    unsigned told = 0;
    struct presence_entry *entry, *next;
    while ((entry = presences->delayed.first) && !is_delayed(presences, entry, now))
        dirty_add(presences, entry);
    for (entry = presences->dirty.first; entry; entry = next) {
        next = entry->next;
        if (entry->in_flight)
            continue;
        if (is_delayed(presences, entry, now))
            list_join(&presences->delayed, entry);
        else if (told++ == JOBS_A_TICK || !entry_tell(presences, entry, now))
            return;
    }
}

/* The disk said no: the job is written again a little later, and nothing is published meanwhile. */
static void job_failed(struct presences *presences, struct job *job, int64_t now)
{
    if (!presences->failed)
        journal_add(presences->journal, MOSQ_LOG_ERR,
                    "cannot record presence: %s; it is tried again, and nothing is published "
                    "meanwhile",
                    err_text(job->result));
    presences->retry_at = now + RETRY_MS;
    job->next = NULL;
    *(presences->failed ? presences->failed_end : &presences->failed) = job;
    presences->failed_end = &job->next;
}

/* Is it the record of a device that was removed since? Its JOB_DELETE may be written already. */
static bool is_obsolete(struct presences *presences, const struct job *job)
{
    struct presence_entry *entry = job->kind == JOB_PUT ? entry_find(presences, job->device) : NULL;
    if (!entry || !entry->forgotten)
        return false;
    entry->in_flight = false;
    entry_settle(presences, entry);
    return true;
}

static void retry_failed(struct presences *presences, int64_t now)
{
    if (now < presences->retry_at && presences->retry_at - now <= RETRY_MS)
        return;
    struct job *job = presences->failed, *next;
    presences->failed = NULL;
    for (; job; job = next) {
        next = job->next;
        if (is_obsolete(presences, job))
            job_free(job);
        else
            (void)submit(presences, job); /* the thread that wrote it runs */
    }
}

static void job_done(struct presences *presences, struct job *job)
{
    const char *topic = presences->options->presence_topic;
    bool sent = true;
    if (job->payload)
        sent = message_send(topic, job->device, job->payload, job->payload_size);
    job->payload = NULL;
    if (job->kind == JOB_DELETE && job->existed && presences->options->presence)
        sent = message_clear(topic, job->device);
    if (!sent)
        say_unpublished(presences, job->device);
}

static void collect(struct presences *presences, int64_t now)
{
    for (struct job *job = writer_collect(&presences->writer), *next; job; job = next) {
        next = job->next;
        presences->in_flight--;
        if (job->result) {
            job_failed(presences, job, now);
            continue;
        }
        job_done(presences, job);
        struct presence_entry *entry =
            job->kind == JOB_PUT ? entry_find(presences, job->device) : NULL;
        if (entry) {
            entry->in_flight = false;
            entry_settle(presences, entry);
        }
        job_free(job);
    }
}

bool presence_settled(const struct presences *presences, const char *device)
{
    const struct presence_entry *entry = entry_find(presences, device);
    return !entry || (!entry->list && !entry->in_flight);
}

bool presence_now(const struct presences *presences, const char *device, struct presence *record)
{
    const struct presence_entry *entry = entry_find(presences, device);
    if (entry)
        *record = entry->record;
    return entry != NULL;
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

void presence_removed(struct presences *presences, const char *device)
{
    struct presence_entry *entry = entry_find(presences, device);
    if (entry) {
        entry->forgotten = true;
        dirty_add(presences, entry);
    }
    if (!presence_submit_delete(presences, device))
        presence_walk_again(presences);
}

void presence_tick(struct presences *presences, int64_t now)
{
    if (presences->in_flight)
        collect(presences, now);
    if (presences->failed) {
        retry_failed(presences, now);
        return; /* what is new waits behind it */
    }
    if (presences->dirty.first || presences->delayed.first)
        tell_dirty(presences, now);
    if (presences->walk.active)
        presence_walk_on(presences, now);
}

/* What is to be on the disk when the broker is gone. */
static void entry_end(struct presences *presences, struct presence_entry *entry, int64_t now)
{
    bool told = entry->list || entry->current;
    if (entry->current) {
        entry->current = NULL;
        entry->ended_at = now;
        entry->record.reason = REASON_SERVER_SHUTDOWN;
        sessions_seen(&entry->record, now);
    }
    (void)record_update(entry, now);
    if (told && !entry->forgotten)
        (void)record_submit(presences, entry, false, now);
}

void presence_close(struct presences *presences, int64_t now)
{
    presences->retry_at = now;
    if (presences->failed)
        retry_failed(presences, now); /* one last time */
    for (struct table_node *n = table_next(&presences->entries, NULL), *next; n; n = next) {
        struct presence_entry *entry = AROUND(n, struct presence_entry, node);
        next = table_next(&presences->entries, n);
        entry_end(presences, entry, now);
        free(entry);
    }
    table_clear(&presences->entries);
    for (struct job *job = writer_close(&presences->writer), *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
    txn_close(presences->reader);
    store_close(presences->store);
}
