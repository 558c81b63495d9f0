#include "plugin/quarantines.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/mosq.h"
#include "plugin/presence_jobs.h"
#include "plugin/presence_open.h"
#include "registry/text.h"

struct quarantined {
    struct table_node node;
    struct quarantine what;
    bool recorded; /* or on its way */
    bool any;      /* of no version that is known: it holds for the next that can be read */
    char device[DEVICE_ID_MAX + 1];
};

static struct quarantined *find(const struct quarantines *quarantines, const char *device)
{
    struct table_node *n = table_find(&quarantines->table, table_hash_name(device));
    for (; n; n = table_again(n)) {
        struct quarantined *entry = AROUND(n, struct quarantined, node);
        if (strcmp(entry->device, device) == 0)
            return entry;
    }
    return NULL;
}

static struct quarantined *add(struct quarantines *quarantines, const char *device,
                               const struct quarantine *what, bool recorded)
{
    struct quarantined *entry = calloc(1, sizeof *entry);
    if (!entry || !table_add(&quarantines->table, &entry->node, table_hash_name(device))) {
        free(entry);
        return NULL;
    }
    entry->what = *what;
    entry->recorded = recorded;
    (void)text_copy(entry->device, DEVICE_ID_MAX, device);
    return entry;
}

/* What is left on the disk, if that fails, has ended all the same: it names the version. */
static void forget(struct quarantines *quarantines, struct quarantined *entry)
{
    (void)presence_submit_release(quarantines->presences, entry->device, &entry->what);
    table_remove(&quarantines->table, &entry->node);
    free(entry);
}

/* One that was read from the disk. A damaged record does not say which version it held for: it
 * holds for the one that there is now, or is found once that can be read. What cannot be known is
 * no reason to let anybody in. */
static enum err take(struct quarantines *quarantines, const char *device,
                     const struct quarantine *read, bool damaged)
{
    struct presences *presences = quarantines->presences;
    struct quarantine what = {0};
    struct device now;
    if (!damaged)
        what = *read;
    enum err e =
        device_id_valid(device) ? cache_read(presences->cache, device, &now) : ERR_NOT_FOUND;
    const bool any = damaged && e && e != ERR_NOT_FOUND;
    bool ended = e == ERR_NOT_FOUND;
    if (!e) {
        ended = !damaged && !quarantine_holds(&what, now.generation, now.version);
        if (damaged) {
            what.generation = now.generation;
            what.version = now.version;
        }
        device_clear(&now);
    }
    if (ended) {
        (void)presence_submit_release(presences, device, &what);
        return ERR_OK;
    }
    if (damaged)
        journal_add(
            presences->journal, MOSQ_LOG_ERR,
            "the quarantine of device %s cannot be read: it holds until its record changes: "
            "'devreg rotate %s --grace 0'",
            device, device);
    struct quarantined *entry = add(quarantines, device, &what, !damaged);
    if (entry)
        entry->any = any;
    quarantines->unrecorded |= damaged;
    return entry ? ERR_OK : ERR_NO_MEMORY;
}

/* All that is recorded of devices that nothing is known of yet. */
static enum err take_all(struct quarantines *quarantines)
{
    struct presences *presences = quarantines->presences;
    char device[DEVICE_ID_MAX + 1] = "";
    struct quarantine read;
    for (;;) {
        enum err e = presence_read(presences);
        if (e)
            return e;
        e = presence_read_end(presences, quarantine_next(presences->reader, device, device, &read));
        if (e == ERR_NOT_FOUND)
            return ERR_OK;
        if (e && e != ERR_DAMAGED)
            return e;
        if (find(quarantines, device))
            continue;
        e = take(quarantines, device, &read, e == ERR_DAMAGED);
        if (e)
            return e;
    }
}

enum err quarantines_open(struct quarantines *quarantines, struct presences *presences)
{
    *quarantines = (struct quarantines){.presences = presences};
    return take_all(quarantines);
}

void quarantines_record_again(struct quarantines *quarantines)
{
    enum err e = take_all(quarantines);
    if (e)
        journal_add(quarantines->presences->journal, MOSQ_LOG_ERR,
                    "cannot read all quarantines of the presence store: %s; those that are known "
                    "hold: run 'devreg check'",
                    err_text(e));
    for (struct table_node *n = table_next(&quarantines->table, NULL); n;
         n = table_next(&quarantines->table, n)) {
        AROUND(n, struct quarantined, node)->recorded = false;
        quarantines->unrecorded = true;
    }
}

void quarantines_close(struct quarantines *quarantines)
{
    struct table_node *n;
    while ((n = table_next(&quarantines->table, NULL))) {
        table_remove(&quarantines->table, n);
        free(AROUND(n, struct quarantined, node));
    }
    table_clear(&quarantines->table);
}

bool quarantines_begin(struct quarantines *quarantines, const struct connection *connection,
                       const char *taken_from, int64_t now)
{
    struct quarantine what = {
        .generation = connection->generation, .version = connection->version, .since = now};
    struct quarantined *entry = find(quarantines, connection->device_id);
    (void)text_copy(what.addresses[0], PRESENCE_ADDRESS_MAX, connection->address);
    (void)text_copy(what.addresses[1], PRESENCE_ADDRESS_MAX, taken_from);
    if (entry && !entry->any && quarantine_holds(&entry->what, what.generation, what.version))
        return true;
    if (entry) {
        entry->what = what;
        entry->recorded = entry->any = false;
    } else if (!add(quarantines, connection->device_id, &what, false)) {
        return false;
    }
    quarantines->unrecorded = true;
    quarantines_tick(quarantines);
    return true;
}

bool quarantines_refuse_anew(struct quarantines *quarantines, const struct device *device)
{
    struct quarantined *entry = find(quarantines, device->id);
    if (entry && entry->any) {
        entry->what.generation = device->generation;
        entry->what.version = device->version;
        entry->any = false;
        quarantines->unrecorded = true;
    }
    bool holds = entry && quarantine_holds(&entry->what, device->generation, device->version);
    if (entry && !holds)
        forget(quarantines, entry);
    return holds;
}

bool quarantines_found(const struct quarantines *quarantines, const struct connection *connection)
{
    const struct quarantined *entry = find(quarantines, connection->device_id);
    return entry && (entry->any || (entry->what.generation == connection->generation &&
                                    connection->version <= entry->what.version));
}

void quarantines_tick(struct quarantines *quarantines)
{
    if (!quarantines->unrecorded)
        return;
    quarantines->unrecorded = false;
    for (struct table_node *n = table_next(&quarantines->table, NULL); n;
         n = table_next(&quarantines->table, n)) {
        struct quarantined *entry = AROUND(n, struct quarantined, node);
        if (!entry->recorded && !entry->any)
            entry->recorded =
                presence_submit_quarantine(quarantines->presences, entry->device, &entry->what);
        quarantines->unrecorded |= !entry->recorded && !entry->any;
    }
}
