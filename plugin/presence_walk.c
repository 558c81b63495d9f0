#include "plugin/presence_walk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "plugin/message.h"
#include "registry/text.h"

enum { RECORDS_A_TICK = 200, JOBS_WAITING_MAX = 2000 };

static bool publish_again(const struct presences *presences, const char *device,
                          const struct presence *record, int64_t now)
{
    size_t size;
    if (!presences->options->presence)
        return true;
    void *payload = message_payload(presences->options, device, record, now, &size);
    return payload && message_send(presences->options->presence_topic, device, payload, size);
}

/* False where the broker has no memory: then again from here at the next tick. */
static bool walk_record(struct presences *presences, const char *device, struct presence *record,
                        int64_t now)
{
    uint64_t generation = 0;
    if (presences->walk.old_topic[0] && !message_clear(presences->walk.old_topic, device))
        return false;
    bool here = presence_now(presences, device, record);
    enum err e = cache_generation(presences->cache, device, &generation);
    if (e && e != ERR_NOT_FOUND)
        return false;
    if (e || generation != record->generation)
        presence_removed(presences, device);
    else if (!here && record->online)
        presence_restarted(presences, device, now);
    else if (!here && presences->walk.at_start)
        return publish_again(presences, device, record, now);
    return true;
}

static void walk_end(struct presences *presences)
{
    const char *topic = presences->options->presence ? presences->options->presence_topic : "";
    if (presences->walk.new_topic && !presence_submit_topic(presences, topic))
        return; /* again at the next tick */
    presences->walk.active = presences->walk.at_start = presences->walk.new_topic = false;
    presences->walk.old_topic[0] = '\0';
}

void presence_walk_on(struct presences *presences, int64_t now)
{
    struct presence_walk *walk = &presences->walk;
    struct presence record;
    for (int i = 0; i < RECORDS_A_TICK && presences->in_flight < JOBS_WAITING_MAX; i++) {
        char device[DEVICE_ID_MAX + 1];
        enum err e = txn_renew(presences->reader);
        if (!e) {
            e = presence_next(presences->reader, walk->after, device, &record);
            txn_reset(presences->reader);
        }
        if (e == ERR_NOT_FOUND) {
            walk_end(presences);
            return;
        }
        if (e == ERR_DAMAGED) {
            journal_add(presences->journal, MOSQ_LOG_ERR,
                        "the presence record of device %s is damaged: it begins anew", device);
            (void)presence_submit_delete(presences, device);
        } else if (e || !walk_record(presences, device, &record, now)) {
            return; /* again from here at the next tick */
        }
        (void)text_copy(walk->after, DEVICE_ID_MAX, device);
    }
}

void presence_walk_again(struct presences *presences)
{
    presences->walk.active = true;
    presences->walk.after[0] = '\0';
}

/* Puts a damaged store out of the way, where a person may look at it; never over an earlier one. */
static enum err put_aside(struct presences *presences)
{
    const char *dir = presences->options->presence_store;
    char from[OPTION_PATH_MAX + 32], to[OPTION_PATH_MAX + 64];
    snprintf(from, sizeof from, "%s/data.mdb", dir);
    snprintf(to, sizeof to, "%s/data.mdb.damaged-%lld", dir, (long long)time(NULL));
    if (rename(from, to) != 0)
        return ERR_DAMAGED;
    journal_add(presences->journal, MOSQ_LOG_ERR,
                "the presence store was damaged: it lies aside as %s, and last-seen times begin "
                "anew",
                to);
    return ERR_OK;
}

static enum err store_make(struct presences *presences)
{
    const struct store_files files = {geteuid(), getegid(), 0640, 0660};
    return store_create(presences->options->presence_store, STORE_PRESENCE, &files, NULL, NULL);
}

static enum err store_open_or_make(struct presences *presences)
{
    const char *dir = presences->options->presence_store;
    enum err e = store_open(&presences->store, dir, STORE_PRESENCE, STORE_WRITE);
    if (e == ERR_DAMAGED) {
        e = put_aside(presences);
        if (e)
            return e;
        e = ERR_NO_REGISTRY;
    }
    if (e != ERR_NO_REGISTRY)
        return e;
    e = store_make(presences);
    return e ? e : store_open(&presences->store, dir, STORE_PRESENCE, STORE_WRITE);
}

/* Before the first run. In place of a job, since the broker serves nobody yet. */
static enum err topic_begin(struct presences *presences, const char *topic)
{
    struct txn *txn;
    enum err e = txn_write(&txn, presences->store);
    if (e)
        return e;
    presence_topic_put(txn, topic);
    return txn_commit(txn);
}

/* Which topic the last run used, so that it can be cleared if it is another one now. */
static enum err walk_begin(struct presences *presences)
{
    char *old = presences->walk.old_topic;
    const char *now = presences->options->presence ? presences->options->presence_topic : "";
    enum err e = txn_renew(presences->reader);
    if (e)
        return e;
    e = presence_topic_get(presences->reader, old);
    presences->owners = owners_exist(presences->reader);
    txn_reset(presences->reader);
    presences->walk.new_topic = !e && strcmp(old, now) != 0;
    if (!presences->walk.new_topic)
        old[0] = '\0';
    presence_walk_again(presences);
    presences->walk.at_start = true;
    return e ? topic_begin(presences, now) : ERR_OK;
}

enum err presence_open(struct presences *presences)
{
    enum err e = store_open_or_make(presences);
    if (!e)
        e = txn_reader(&presences->reader, presences->store);
    if (!e)
        e = walk_begin(presences);
    if (!e)
        e = writer_open(&presences->writer, presences->store);
    if (e) {
        txn_close(presences->reader);
        store_close(presences->store);
    }
    return e;
}

enum err presence_owner(struct presences *presences, const char *client_id, int64_t now,
                        char owner[static DEVICE_ID_MAX + 1], uint64_t *generation)
{
    struct client_key client;
    struct presence record;
    char device[DEVICE_ID_MAX + 1];
    if (!presences->owners)
        return ERR_NOT_FOUND;
    enum err e = txn_renew(presences->reader);
    if (e)
        return e;
    client = client_key_of(client_id);
    e = owner_get(presences->reader, &client, device);
    if (!e && !presence_now(presences, device, &record))
        e = presence_get(presences->reader, device, &record);
    txn_reset(presences->reader);
    if (e)
        return e;
    size_t at = presence_session(&record, &client);
    if (at == record.session_count || now - record.sessions[at].seen > SESSION_KEEP_MS)
        return ERR_NOT_FOUND;
    (void)text_copy(owner, DEVICE_ID_MAX, device);
    *generation = record.generation;
    return ERR_OK;
}

bool presence_credential_used(struct presences *presences, const char *device, uint64_t generation,
                              uint32_t credential)
{
    struct presence record;
    if (!presence_now(presences, device, &record)) {
        enum err e = txn_renew(presences->reader);
        if (!e) {
            e = presence_get(presences->reader, device, &record);
            txn_reset(presences->reader);
        }
        if (e)
            return e != ERR_NOT_FOUND; /* in doubt the old one has ended */
    }
    return record.generation == generation && presence_used(&record, credential);
}
