/* presence.h - who is online: from connections to records to retained messages.
 *
 *   connection accepted, ended     ->  the device is dirty
 *   tick: each dirty device        ->  state now, compared with what was told last -> job
 *   writer thread                  ->  the record is on the disk
 *   tick: each job that is done    ->  the retained message
 *
 * So what is published was recorded first, a take-over is one message and never an offline, and the
 * order per device is the order of events: a device has one record under way at the most, and what
 * happens meanwhile waits for it.
 *
 * At start every record is walked, a few at each tick: a device that is still marked online becomes
 * offline, "broker_restart"; one that was removed is cleared; every other state is published again
 * as it was recorded, since Mosquitto may have lost retained messages, or brought old ones back.
 * Brought back it may also have what was cleared since it last saved, so topics that a message has
 * left are remembered for CLEARED_KEEP_MS, and cleared again at each start.
 *
 * With presence off nothing is published, and of the records only those are kept that say who owns
 * a session, and that a new key came into use.
 */
#ifndef DEVREG_PLUGIN_PRESENCE_H
#define DEVREG_PLUGIN_PRESENCE_H

#include <sys/stat.h>

#include "plugin/connections.h"
#include "plugin/journal.h"
#include "plugin/options.h"
#include "plugin/summary.h"
#include "plugin/writer.h"
#include "registry/presence_store.h"

#define CLEARED_KEEP_MS ((int64_t)30 * 24 * 3600 * 1000)

struct presence_entry; /* presence_entry.h */

struct presence_list {
    struct presence_entry *first, *last;
};

/* What a walk goes through, one after the other. */
enum walk_stage { WALK_NOTHING, WALK_CLEARED, WALK_RECORDS, WALK_REGISTRY };

struct presence_walk {
    enum walk_stage stage;
    bool at_start;  /* states are published; else only what changed */
    bool once_more; /* over the records, after this walk */
    bool anew;      /* the store is new: what stands in the broker may be of the one before */
    char after[PRESENCE_TOPIC_MAX + 1]; /* a topic, a device id */
};

struct presences {
    const struct options *options; /* lent, and so are these three */
    struct cache *cache;
    struct journal *journal;
    struct store *store; /* NULL, and so the reader, where another took its place */
    struct txn *reader;
    struct writer writer;
    struct table entries;
    struct presence_list dirty;   /* to be told */
    struct presence_list delayed; /* offline, and may still come back: in the order of left_at */
    struct presence_list tallied; /* failures and denials only: in the order of tallied_at */
    struct job *failed, **failed_end; /* to be written again at `retry_at`, in their order */
    struct job *done;                 /* to be published, in their order */
    struct presence_walk walk;
    struct summary summary;
    int64_t ticked_at; /* steady clock: when presence_tick was called last */
    int64_t retry_at;  /* steady clock; after the disk failed: when to write again */
    unsigned in_flight;
    unsigned messages;    /* that may still be published in this turn */
    uint32_t place;       /* the number of the pattern in use */
    uint64_t highest_seq; /* that any device ever had */
    unsigned epoch;       /* one more with each change that names no device */
    bool owners;          /* may anybody own a session? not before the first persistent one */
    bool unwalked;        /* the store does not know yet that all of it was walked */
    bool failing, stuck;  /* it was said that the disk, the broker's memory, is full */
    /* Of another store in the place of the one that is open: see presence_open.h. */
    int64_t looked_at;    /* steady clock */
    enum err away;        /* what was said of it */
    bool making, turning; /* a new one is being made; the writer is to finish with the old one */
    bool broken, aside;   /* the one that is open is in doubt, was put aside: see presence_doubt */
    int64_t opened_again_at;       /* steady clock: when it was opened for that; 0 for never */
    struct stat hopeless;          /* the file that could not be put aside */
    void (*turned)(void *context); /* called when another one is open; NULL for nobody */
    void *context;
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
/* One that was not accepted yet. */
void presence_not_in(struct presences *presences, const struct connection *connection);

/* A CONNECT in the name of that generation of the device was refused; a publish or subscription of
 * its was. Both are counted, and recorded some seconds later at the latest. */
void presence_refused(struct presences *presences, const char *device, uint64_t generation,
                      int64_t now);
void presence_denied(struct presences *presences, const struct connection *connection, int64_t now);

/* The device was removed from the registry: that generation of it, 0 for any. */
void presence_removed(struct presences *presences, const char *device, uint64_t generation,
                      int64_t now);

/* Its attributes may have changed. */
void presence_moved(struct presences *presences, const char *device);

/* Is all that is known of the device's sessions on the disk? */
bool presence_settled(const struct presences *presences, const char *device);

/* Which device, of which generation, owns the client id's session? ERR_NOT_FOUND for none. */
MUST_CHECK enum err presence_owner(struct presences *presences, const char *client_id, int64_t now,
                                   char owner[static DEVICE_ID_MAX + 1], uint64_t *generation);

/* Does a device whose state is on its way to the disk own the client id? What is on the disk is
 * presence_owner's. */
bool presence_owns(const struct presences *presences, const char *device, const char *client_id);

/* Where the device connected from last, as far as it is recorded. */
bool presence_address(struct presences *presences, const char *device,
                      char address[static PRESENCE_ADDRESS_MAX + 1]);

/* Was the credential of that id ever used by that generation of the device? ERR_NOT_FOUND for no;
 * with any other error nobody knows. */
MUST_CHECK enum err presence_credential_used(struct presences *presences, const char *device,
                                             uint64_t generation, uint32_t credential);

/* Tells what changed, and goes on with the walk. `now` in ms since 1970. */
void presence_tick(struct presences *presences, int64_t now);

/* Is there so much to tell that the next turn is wanted soon? */
bool presence_hurries(const struct presences *presences);

/* Looks through all records, after a change that names no device: for devices that were removed,
 * and for those whose topic is another one now. */
void presence_walk_again(struct presences *presences);

#endif
