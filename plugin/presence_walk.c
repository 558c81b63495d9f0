#include "plugin/presence_walk.h"

#include <string.h>

#include "plugin/message.h"
#include "plugin/mosq.h"
#include "plugin/presence_entry.h"
#include "plugin/presence_jobs.h"
#include "plugin/presence_open.h"
#include "registry/text.h"

enum { RECORDS_A_TURN = 200, JOBS_WAITING_MAX = 1000 };

/* One more of the stage's things. ERR_NOT_FOUND after the last; any other error: again from here at
 * the next tick. */
typedef enum err walk_step(struct presences *presences, int64_t now);

static void stage_begin(struct presences *presences, enum walk_stage stage)
{
    presences->walk.stage = stage;
    presences->walk.after[0] = '\0';
}

static enum err clear(struct presences *presences, const char *topic)
{
    presences->messages--;
    return message_clear(topic) ? ERR_OK : ERR_NO_MEMORY;
}

/* The record as it is, or is to be, in the open scope. */
static enum err record_now(const struct presences *presences, const char *device,
                           struct presence *record)
{
    const struct presence_entry *entry = entry_find(presences, device);
    if (!entry)
        return presence_get(presences->reader, device, record);
    *record = entry->record;
    return ERR_OK;
}

/* ---- topics that a message has left */

/* Does the device's message stand on that topic by now? */
static enum err stands_there(struct presences *presences, const char *device, const char *topic,
                             bool *there)
{
    char standing[PRESENCE_TOPIC_MAX + 1];
    struct presence record;
    const struct presence_entry *entry = entry_find(presences, device);
    *there = false;
    enum err e = presence_read(presences);
    if (e)
        return e;
    e = record_now(presences, device, &record);
    if (!e)
        e = standing_topic_get(presences->reader, device, &record, standing);
    e = presence_read_end(presences, e);
    if (e == ERR_BROKEN)
        return e;
    const char *now = entry && entry->topic ? entry->topic : standing;
    *there = !e && !(entry && entry->forgotten) && strcmp(now, topic) == 0;
    return ERR_OK; /* a record that cannot be read has no message that holds */
}

static enum err step_cleared(struct presences *presences, int64_t now)
{
    char topic[PRESENCE_TOPIC_MAX + 1], device[DEVICE_ID_MAX + 1];
    int64_t when = 0;
    bool there = false;
    enum err e = presence_read(presences);
    if (e)
        return e;
    e = presence_read_end(presences, cleared_topic_next(presences->reader, presences->walk.after,
                                                        topic, device, &when));
    if (e && e != ERR_DAMAGED)
        return e;
    bool forget = e == ERR_DAMAGED || now - when > CLEARED_KEEP_MS;
    e = forget ? ERR_OK : stands_there(presences, device, topic, &there);
    if (!e && (forget || there))
        (void)presence_submit_forget(presences, topic); /* or at the next start */
    else if (!e)
        e = clear(presences, topic);
    if (!e)
        (void)text_copy(presences->walk.after, PRESENCE_TOPIC_MAX, topic);
    return e;
}

/* ---- records */

static enum err publish_again(struct presences *presences, const char *device,
                              const struct presence *record, const char *topic, int64_t now)
{
    size_t size;
    void *payload = message_payload(presences->options, device, record, now, &size);
    presences->messages--;
    if (payload && message_send(topic, payload, size))
        return ERR_OK;
    mosquitto_free(payload);
    return ERR_NO_MEMORY;
}

/* Where its message stands; "" where that is not known. */
static enum err standing_topic(struct presences *presences, const char *device,
                               const struct presence *record,
                               char topic[static PRESENCE_TOPIC_MAX + 1])
{
    enum err e = presence_read(presences);
    if (e)
        return e;
    e = presence_read_end(presences, standing_topic_get(presences->reader, device, record, topic));
    if (e)
        *topic = '\0';
    return e == ERR_BROKEN ? e : ERR_OK;
}

/* Who is still marked online is told offline then. */
static enum err make_dirty(struct presences *presences, const char *device)
{
    struct presence_entry *entry = entry_get(presences, device);
    if (!entry)
        return ERR_NO_MEMORY;
    entry_settle(presences, entry);
    return ERR_OK;
}

/* One that has an entry: what happened in this run is told, or under way. */
static void walk_entry(struct presences *presences, struct presence_entry *entry)
{
    entry->again |= presences->walk.at_start && entry->record.connections && !entry->left_over;
    entry->look |= presences->options->presence_attributes;
    entry_is_dirty(presences, entry);
}

/* At its turn it is published where it is to stand then, which may be where it stands. */
static enum err walk_moved(struct presences *presences, const char *device)
{
    struct presence_entry *entry = entry_get(presences, device);
    if (!entry)
        return ERR_NO_MEMORY;
    walk_entry(presences, entry);
    return ERR_OK;
}

/* A device of the registry, that nothing is known of but its record. */
static enum err walk_record(struct presences *presences, const char *device,
                            const struct presence *record, int64_t now)
{
    const struct presence_walk *walk = &presences->walk;
    char topic[PRESENCE_TOPIC_MAX + 1], standing[PRESENCE_TOPIC_MAX + 1];
    if (record->online)
        return make_dirty(presences, device);
    if (!record->connections)
        return ERR_OK;
    if (presences->options->presence && presence_topic_now(presences, device, topic))
        return ERR_OK; /* removed just now, or not to be read */
    bool moved = record->place != presences->place;
    if (!moved && presences->options->presence_attributes) {
        enum err e = standing_topic(presences, device, record, standing);
        if (e)
            return e;
        moved = strcmp(topic, standing) != 0;
    }
    if (moved)
        return walk_moved(presences, device);
    if (walk->at_start && presences->options->presence)
        return publish_again(presences, device, record, topic, now);
    return ERR_OK;
}

static enum err walk_device(struct presences *presences, const char *device,
                            const struct presence *record, int64_t now)
{
    struct presence_entry *entry = entry_find(presences, device);
    uint64_t generation, known = entry ? entry->record.generation : record->generation;
    if (entry && entry->forgotten)
        return ERR_OK;
    enum err e = cache_generation(presences->cache, device, &generation);
    if (e && e != ERR_NOT_FOUND)
        return e;
    if (e || generation != known)
        presence_removed(presences, device, 0, now);
    else if (entry)
        walk_entry(presences, entry);
    else
        return walk_record(presences, device, record, now);
    return ERR_OK;
}

static enum err step_record(struct presences *presences, int64_t now)
{
    struct presence record;
    char device[DEVICE_ID_MAX + 1];
    enum err e = presence_read(presences);
    if (e)
        return e;
    e = presence_read_end(presences,
                          presence_next(presences->reader, presences->walk.after, device, &record));
    if (e == ERR_DAMAGED) {
        presence_removed(presences, device, 0, now); /* it says so */
    } else {
        e = e ? e : walk_device(presences, device, &record, now);
        if (e)
            return e;
    }
    (void)text_copy(presences->walk.after, PRESENCE_TOPIC_MAX, device);
    return ERR_OK;
}

/* ---- devices, after the store was lost: nobody knows which of them the broker still shows */

static enum err step_registry(struct presences *presences, int64_t now)
{
    char topic[PRESENCE_TOPIC_MAX + 1], device[DEVICE_ID_MAX + 1];
    struct presence record;
    (void)now;
    enum err e = cache_next(presences->cache, presences->walk.after, device);
    if (e)
        return e;
    e = presence_read(presences);
    if (e)
        return e;
    e = presence_read_end(presences, presence_get(presences->reader, device, &record));
    if (e == ERR_BROKEN)
        return e;
    if (e == ERR_NOT_FOUND && !entry_find(presences, device) &&
        presence_topic_now(presences, device, topic) == ERR_OK && clear(presences, topic))
        return ERR_NO_MEMORY;
    (void)text_copy(presences->walk.after, PRESENCE_TOPIC_MAX, device);
    return ERR_OK;
}

static void stage_end(struct presences *presences)
{
    struct presence_walk *walk = &presences->walk;
    if (walk->stage == WALK_CLEARED) {
        stage_begin(presences, WALK_RECORDS);
    } else if (walk->stage == WALK_RECORDS && walk->at_start && walk->anew &&
               presences->options->presence) {
        stage_begin(presences, WALK_REGISTRY);
    } else {
        walk->at_start = false;
        stage_begin(presences, walk->once_more ? WALK_RECORDS : WALK_NOTHING);
        walk->once_more = false;
    }
}

void presence_walk_on(struct presences *presences, int64_t now)
{
    static walk_step *const steps[] = {[WALK_CLEARED] = step_cleared,
                                       [WALK_RECORDS] = step_record,
                                       [WALK_REGISTRY] = step_registry};
    walk_step *step = steps[presences->walk.stage];
    for (int i = 0; i < RECORDS_A_TURN; i++) {
        if (!presences->messages || presences->in_flight >= JOBS_WAITING_MAX)
            return;
        enum err e = step(presences, now);
        if (e == ERR_NOT_FOUND)
            stage_end(presences);
        if (e)
            return;
    }
}

void presence_walk_end(struct presences *presences)
{
    if (!presences->dirty.first && !presences->in_flight)
        presences->unwalked = !presence_submit_note(presences, JOB_WALKED);
}

/* Not before: a broker that is killed comes back with what it saved earlier. */
void presence_walk_close(struct presences *presences)
{
    const struct presence_walk *walk = &presences->walk;
    if (walk->anew && !walk->at_start && presences->options->presence)
        (void)presence_submit_note(presences, JOB_KNOWN); /* or at the next stop */
}

void presence_walk_again(struct presences *presences)
{
    presences->epoch++;
    if (presences->walk.stage)
        presences->walk.once_more = true;
    else
        stage_begin(presences, WALK_RECORDS);
}

void presence_walk_begin(struct presences *presences)
{
    presences->walk.at_start = true;
    presences->walk.once_more = false;
    stage_begin(presences, WALK_CLEARED);
}

enum err presence_owner(struct presences *presences, const char *client_id, int64_t now,
                        char owner[static DEVICE_ID_MAX + 1], uint64_t *generation)
{
    struct client_key client;
    struct presence record;
    char device[DEVICE_ID_MAX + 1];
    if (!presences->owners)
        return ERR_NOT_FOUND;
    enum err e = presence_read(presences);
    if (e)
        return e;
    client = client_key_of(client_id);
    e = owner_get(presences->reader, &client, device);
    if (!e)
        e = record_now(presences, device, &record);
    e = presence_read_end(presences, e);
    if (e)
        return e;
    size_t at = presence_session(&record, &client);
    if (at == record.session_count || now - record.sessions[at].seen > SESSION_KEEP_MS)
        return ERR_NOT_FOUND;
    (void)text_copy(owner, DEVICE_ID_MAX, device);
    *generation = record.generation;
    return ERR_OK;
}

enum err presence_credential_used(struct presences *presences, const char *device,
                                  uint64_t generation, uint32_t credential)
{
    struct presence record;
    enum err e = presence_read(presences);
    if (e)
        return e;
    e = presence_read_end(presences, record_now(presences, device, &record));
    if (e)
        return e;
    return record.generation == generation && presence_used(&record, credential) ? ERR_OK
                                                                                 : ERR_NOT_FOUND;
}

bool presence_address(struct presences *presences, const char *device,
                      char address[static PRESENCE_ADDRESS_MAX + 1])
{
    struct presence record;
    enum err e = presence_read(presences);
    if (e)
        return false;
    e = presence_read_end(presences, record_now(presences, device, &record));
    return !e && text_copy(address, PRESENCE_ADDRESS_MAX, record.address);
}
