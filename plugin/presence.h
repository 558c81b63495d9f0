/* presence.h - who is online: from connections to records to retained messages.
 *
 *   connection accepted, ended     ->  the device is dirty
 *   tick: each dirty device        ->  state now, compared with what was told last -> job
 *   writer thread                  ->  the record is on the disk
 *   tick: each job that is done    ->  the retained message
 *
 * So what is published was recorded first, a take-over is one message and never an offline, and the
 * order per device is the order of events: a device has one job under way at the most, and what
 * happens meanwhile waits for it.
 *
 * At start every record is walked, a few at each tick: a device that is still marked online becomes
 * offline, "broker_restart"; one that was removed is cleared; every other state is published again
 * as it was recorded, since Mosquitto may have lost retained messages, or brought old ones back.
 *
 * With presence off nothing is published, and of the records only those are kept that say who owns
 * a session, and that a new key came into use.
 */
#ifndef DEVREG_PLUGIN_PRESENCE_H
#define DEVREG_PLUGIN_PRESENCE_H

#include "plugin/connections.h"
#include "plugin/journal.h"
#include "plugin/options.h"
#include "plugin/writer.h"
#include "registry/presence_store.h"

/* One device that is online, or whose state is on its way to the disk. */
struct presence_entry {
    struct table_node node;
    struct presence_entry *next, *previous; /* in the list that `list` says */
    struct presence_list *list;
    char device[DEVICE_ID_MAX + 1];
    struct presence record;     /* as it is to be, up to `online`, `since` and `seq` */
    struct connection *current; /* the connection that the state is about; NULL for offline */
    bool told_online;           /* what was recorded, or is under way */
    uint64_t told_conn;
    int64_t ended_at; /* of the last connection that the state was about */
    bool in_flight;
    bool had_sessions; /* as recorded, or under way */
    bool forgotten;    /* the device was removed: nothing more is told of this generation */
};

struct presence_list {
    struct presence_entry *first, *last;
};

struct presence_walk {
    bool active;
    bool at_start; /* states are published; else only those of removed devices are cleared */
    char after[DEVICE_ID_MAX + 1];
    bool new_topic;                      /* to be noted when the walk is over */
    char old_topic[RULE_FILTER_MAX + 1]; /* to be cleared; "" for none */
};

struct presences {
    const struct options *options; /* lent, and so are these three */
    struct cache *cache;
    struct journal *journal;
    struct store *store;
    struct txn *reader;
    struct writer writer;
    struct table entries;
    struct presence_list dirty;   /* to be told */
    struct presence_list delayed; /* offline, and may still come back: in the order of ended_at */
    struct job *failed, **failed_end; /* to be written again at `retry_at`, in their order */
    struct presence_walk walk;
    int64_t retry_at; /* after the disk failed: when to write again */
    unsigned in_flight;
    bool owners; /* may anybody own a session? not before the first persistent one */
};

/* Opens the presence store, making it where it is missing and putting a damaged one aside, and
 * starts the writer and the walk. The caller has set the lent pointers; the rest is {0}. */
MUST_CHECK enum err presence_open(struct presences *presences);

/* Records every device that is online as offline, "server_shutdown", which the next start
 * publishes: what a plugin publishes while the broker stops is lost. */
void presence_close(struct presences *presences, int64_t now);

/* The connection is in: it gets its number. */
void presence_accepted(struct presences *presences, struct connection *connection, int64_t now);

/* A connection that was accepted ended. It is still in its device's list. */
void presence_ended(struct presences *presences, const struct connection *connection,
                    enum reason reason, int64_t now);

/* The device was removed from the registry. */
void presence_removed(struct presences *presences, const char *device);

/* Is all that is known of the device on the disk? */
bool presence_settled(const struct presences *presences, const char *device);

/* Which device, of which generation, owns the client id's session? ERR_NOT_FOUND for none. */
MUST_CHECK enum err presence_owner(struct presences *presences, const char *client_id, int64_t now,
                                   char owner[static DEVICE_ID_MAX + 1], uint64_t *generation);

/* Does a device whose state is on its way to the disk own the client id? What is on the disk is
 * presence_owner's. */
bool presence_owns(const struct presences *presences, const char *device, const char *client_id);

/* Was the credential of that id ever used by that generation of the device? */
bool presence_credential_used(struct presences *presences, const char *device, uint64_t generation,
                              uint32_t credential);

/* Tells what changed, and goes on with the walk. `now` in ms since 1970. */
void presence_tick(struct presences *presences, int64_t now);

/* Looks through all records for devices that were removed: after a change that names no device. */
void presence_walk_again(struct presences *presences);

#endif
