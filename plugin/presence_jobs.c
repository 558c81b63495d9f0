#include "plugin/presence_jobs.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/clock.h"
#include "plugin/message.h"
#include "plugin/presence_entry.h"
#include "plugin/presence_open.h"
#include "registry/text.h"

enum { RETRY_MS = 1000 };

static struct job *job_new(enum job_kind kind, const char *device, int64_t now)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->kind = kind;
    job->item.time = now;
    (void)text_copy(job->item.device, DEVICE_ID_MAX, device);
    return job;
}

static void failed_add(struct presences *presences, struct job *job)
{
    job->next = NULL;
    *(presences->failed ? presences->failed_end : &presences->failed) = job;
    presences->failed_end = &job->next;
}

/* False where no thread can be started: the job is freed. While no store is open it waits with
 * those that failed. */
static bool submit(struct presences *presences, struct job *job)
{
    if (!presences->store) {
        failed_add(presences, job);
        return true;
    }
    if (!writer_submit(&presences->writer, job)) {
        if (!presences->failing)
            journal_add(presences->journal, MOSQ_LOG_ERR,
                        "cannot start the thread that records presence: it is tried again, and "
                        "nothing is published meanwhile");
        presences->failing = true;
        job_free(job);
        return false;
    }
    presences->in_flight++;
    return true;
}

bool presence_submit_delete(struct presences *presences, struct presence_entry *entry, int64_t now)
{
    struct job *job = job_new(JOB_DELETE, entry->device, now);
    if (!job)
        return false;
    job->entry = entry;
    return submit(presences, job);
}

bool presence_submit_forget(struct presences *presences, const char *topic)
{
    struct job *job = job_new(JOB_FORGET, "", 0);
    if (!job)
        return false;
    job->topic = strdup(topic);
    if (job->topic)
        return submit(presences, job);
    job_free(job);
    return false;
}

bool presence_submit_note(struct presences *presences, enum job_kind kind)
{
    struct job *job = job_new(kind, "", 0);
    return job && submit(presences, job);
}

bool presence_submit_begin(struct presences *presences, const struct patterns *patterns)
{
    struct job *job = job_new(JOB_BEGIN, "", 0);
    if (!job)
        return false;
    job->patterns = malloc(sizeof *patterns);
    if (job->patterns) {
        *job->patterns = *patterns;
        return submit(presences, job);
    }
    job_free(job);
    return false;
}

bool presence_submit_quarantine(struct presences *presences, const char *device,
                                const struct quarantine *quarantine)
{
    struct job *job = job_new(JOB_QUARANTINE, device, quarantine->since);
    if (!job)
        return false;
    quarantine_encode(&job->record, quarantine);
    if (!job->record.failed)
        return submit(presences, job);
    job_free(job);
    return false;
}

bool presence_submit_release(struct presences *presences, const char *device,
                             const struct quarantine *quarantine)
{
    struct job *job = job_new(JOB_RELEASE, device, 0);
    if (!job)
        return false;
    job->generation = quarantine->generation;
    job->version = quarantine->version;
    return submit(presences, job);
}

static bool has_attributes(const struct presences *presences)
{
    return presences->options->presence && presences->options->presence_attributes;
}

enum err presence_topic_now(struct presences *presences, const char *device,
                            char topic[static PRESENCE_TOPIC_MAX + 1])
{
    const char *pattern = presences->options->presence_topic;
    struct subject subject = {.device = device};
    struct device read;
    if (!has_attributes(presences)) {
        presence_topic_make(topic, pattern, &subject);
        return ERR_OK;
    }
    enum err e = cache_read(presences->cache, device, &read);
    if (e)
        return e;
    subject.attributes = read.attributes;
    subject.attribute_count = read.attribute_count;
    presence_topic_make(topic, pattern, &subject);
    device_clear(&read);
    return ERR_OK;
}

/* Where the message is to stand, if the pattern names attributes. */
static enum err topic_find(struct presences *presences, const struct presence_entry *entry,
                           char topic[static PRESENCE_TOPIC_MAX + 1])
{
    const struct subject nobody = {.device = entry->device};
    enum err e = presence_topic_now(presences, entry->device, topic);
    if (!e || e == ERR_NOT_FOUND)
        return e;     /* not found: it was removed just now */
    if (entry->topic) /* not to be read: it stays where it is */
        (void)text_copy(topic, PRESENCE_TOPIC_MAX, entry->topic);
    else
        presence_topic_make(topic, presences->options->presence_topic, &nobody);
    return ERR_OK;
}

/* Finds out where the message is to stand, `topic` if the pattern names attributes. True where it
 * can be published there; `*moved` if that is elsewhere than now. */
static bool place_find(struct presences *presences, const struct presence_entry *entry,
                       char topic[static PRESENCE_TOPIC_MAX + 1], bool *moved)
{
    const bool other_pattern = entry->record.place != presences->place;
    *moved = false;
    if (!entry->record.connections)
        return false; /* it never had a message */
    if (!has_attributes(presences)) {
        *moved = entry->record.place && other_pattern;
        return presences->options->presence;
    }
    if (topic_find(presences, entry, topic))
        return false;
    *moved = other_pattern || !entry->topic || strcmp(entry->topic, topic) != 0;
    return true;
}

/* What the job has to say beside the record. */
static void describe(struct job *job, const struct presence_entry *entry, bool told)
{
    const struct presence *record = &entry->record;
    job->sessions = record->session_count > 0;
    job->seen = record->connections > 0;
    job->online = record->online;
    job->place = record->place;
    job->generation = record->generation;
    job->seq = record->seq;
    job->item.conn = record->conn;
    job->item.reason = record->online ? REASON_NONE : record->reason;
    job->feeds = entry->feeds;
    if (told)
        job->feeds |= (uint8_t)(1u << (record->online ? FEED_ONLINE : FEED_OFFLINE));
}

/* It is on its way. */
static void note_submitted(const struct presences *presences, struct presence_entry *entry,
                           const char *topic)
{
    const struct presence *record = &entry->record;
    entry->told_online = record->online;
    entry->told_conn = record->conn;
    entry->changed = entry->again = false;
    entry->feeds = 0;
    entry->in_flight++;
    entry->epoch = presences->epoch;
    if (*topic && (!entry->topic || strcmp(entry->topic, topic) != 0)) {
        free(entry->topic);
        entry->topic = strdup(topic); /* NULL: it moves once more, to where it is */
    }
}

/* Makes the job complete. False for want of memory. */
static bool fill(const struct presences *presences, struct job *job,
                 const struct presence_entry *entry, const char *topic, bool publish)
{
    const struct presence *record = &entry->record;
    presence_encode(&job->record, record);
    job->topic = *topic ? strdup(topic) : NULL;
    if (publish)
        job->payload = message_payload(presences->options, entry->device, record, job->item.time,
                                       &job->payload_size);
    return !job->record.failed && (!*topic || job->topic) && (!publish || job->payload);
}

bool presence_submit(struct presences *presences, struct presence_entry *entry, bool told,
                     int64_t now)
{
    char topic[PRESENCE_TOPIC_MAX + 1];
    const uint32_t place = entry->record.place;
    topic[0] = '\0'; /* not all of it */
    bool moved, placed = place_find(presences, entry, topic, &moved);
    bool publish = told || moved || entry->again;
    entry->look = false;
    if (!publish && !entry->changed && !entry->feeds)
        return true; /* it was only asked whether its topic is still the right one */
    struct job *job = job_new(JOB_PUT, entry->device, now);
    if (!job)
        return false;
    job->entry = entry;
    if (placed || moved || !presences->options->presence)
        entry->record.place = presences->place;
    describe(job, entry, told);
    bool filled = fill(presences, job, entry, topic, placed && publish);
    if (!filled)
        job_free(job);
    if (!filled || !submit(presences, job)) {
        entry->record.place = place;
        entry->look = true; /* it may be what it was all about */
        return false;
    }
    note_submitted(presences, entry, topic);
    return true;
}

/* The disk said no: the job is written again a little later, and nothing is published meanwhile.
 * Damage is told where the store is opened again. */
static void job_failed(struct presences *presences, struct job *job)
{
    presence_doubt(presences, job->result);
    if (!presences->failing && job->result != ERR_BROKEN)
        journal_add(presences->journal, MOSQ_LOG_ERR,
                    "cannot record presence: %s; it is tried again, and nothing is published "
                    "meanwhile",
                    err_text(job->result));
    presences->failing |= job->result != ERR_BROKEN;
    presences->retry_at = clock_steady() + RETRY_MS;
    failed_add(presences, job);
}

/* While it was on its way something was changed that names no device: it may be gone. */
static void verify(struct presences *presences, struct presence_entry *entry, int64_t now)
{
    uint64_t generation;
    enum err e = cache_generation(presences->cache, entry->device, &generation);
    if ((!e && generation != entry->record.generation) || e == ERR_NOT_FOUND)
        presence_removed(presences, entry->device, entry->record.generation, now);
}

static void settle(struct presences *presences, const struct job *job)
{
    struct presence_entry *entry = job->entry;
    if (!entry)
        return;
    if (entry->epoch != presences->epoch && !entry->forgotten) {
        entry->epoch = presences->epoch;
        verify(presences, entry, job->item.time);
    }
    entry->in_flight--;
    entry_settle(presences, entry);
}

/* Is it the record of a generation that was removed since? Its JOB_DELETE may be written already.
 */
static bool is_obsolete(const struct job *job)
{
    const struct presence_entry *entry = job->entry;
    return entry && job->kind == JOB_PUT &&
           (entry->forgotten || entry->record.generation != job->generation);
}

/* A record is made anew from its entry. What a removed device had published is cleared without the
 * record that says where it stands. */
void presence_job_drop(struct presences *presences, struct job *job)
{
    struct presence_entry *entry = job->entry;
    if (job->kind == JOB_DELETE && presences->options->presence) {
        char topic[PRESENCE_TOPIC_MAX + 1];
        const struct subject nobody = {.device = entry->device};
        presence_topic_make(topic, presences->options->presence_topic, &nobody);
        (void)message_clear(entry->topic ? entry->topic : topic);
    }
    settle(presences, job);
    job_free(job);
}

void presence_retry(struct presences *presences, bool at_once)
{
    if (!at_once && clock_steady() < presences->retry_at)
        return;
    struct job *job = presences->failed, *next;
    presences->failed = NULL;
    for (; job; job = next) {
        next = job->next;
        if (is_obsolete(job)) {
            settle(presences, job);
            job_free(job);
        } else {
            (void)submit(presences, job); /* the thread that wrote it runs */
        }
    }
}

/* Clears the topic that was left. False where the broker has no memory. */
static bool clear_old(struct presences *presences, struct job *job)
{
    if (!job->old_topic)
        return true;
    if (!message_clear(job->old_topic))
        return false;
    presences->messages -= presences->messages > 0;
    free(job->old_topic);
    job->old_topic = NULL;
    return true;
}

/* Publishes what it has to publish. False where the broker has no memory: then the rest is to be
 * published yet. */
static bool job_done(struct presences *presences, struct job *job)
{
    const struct subject subject = {.device = job->item.device};
    char topic[PRESENCE_TOPIC_MAX + 1];
    if (!clear_old(presences, job))
        return false;
    if (!job->payload)
        return true;
    if (job->topic)
        (void)text_copy(topic, PRESENCE_TOPIC_MAX, job->topic);
    else
        presence_topic_make(topic, presences->options->presence_topic, &subject);
    if (!message_send(topic, job->payload, job->payload_size))
        return false;
    presences->messages -= presences->messages > 0;
    job->payload = NULL;
    return true;
}

void presence_collect(struct presences *presences)
{
    if (!presences->done)
        presences->done = writer_collect(&presences->writer);
    while (presences->done && presences->messages) {
        struct job *job = presences->done;
        if (!job->result && !job_done(presences, job)) {
            if (!presences->stuck)
                journal_add(presences->journal, MOSQ_LOG_ERR,
                            "out of memory: presence is published once there is some");
            presences->stuck = true;
            return;
        }
        presences->done = job->next;
        presences->in_flight--;
        if (job->result) {
            job_failed(presences, job);
            continue;
        }
        presences->failing = presences->stuck = false;
        summary_changed(&presences->summary);
        settle(presences, job);
        job_free(job);
    }
}
