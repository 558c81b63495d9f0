/* presence_entry.h - what the broker's thread knows of a device's presence, ahead of the disk.
 *
 * A device has an entry while it is online, while anything of it is to be told, and while any job
 * of it is under way. An entry is in one list, or in flight, or neither; what changes in flight is
 * looked at when the job is done.
 *
 * It is of one generation of the device. A generation ends with a job that deletes what is recorded
 * of it (`forgotten`), and another begins only after that, or where nothing is known.
 */
#ifndef DEVREG_PLUGIN_PRESENCE_ENTRY_H
#define DEVREG_PLUGIN_PRESENCE_ENTRY_H

#include "plugin/presence.h"

struct presence_entry {
    struct table_node node;
    struct presence_entry *next, *previous; /* in the list that `list` says */
    struct presence_list *list;
    char device[DEVICE_ID_MAX + 1];
    struct presence record;             /* as it is to be, up to `online`, `since` and `seq` */
    struct connection *current;         /* that the state is about; NULL for offline */
    const struct connection *successor; /* takes the state over once it is in; never followed */
    bool told_online;                   /* what was recorded, or is under way */
    uint64_t told_conn;
    int64_t left_at;    /* steady clock: when `current` became NULL; 0: not in this run */
    int64_t tallied_at; /* steady clock: when the first of `feeds` came */
    unsigned in_flight; /* jobs */
    unsigned epoch;     /* of the presences, when the last job was made */
    uint8_t feeds;      /* 1 << FEED_FAILED and FEED_DENIED: tallies that are not recorded yet */
    bool changed;       /* the record is ahead of the disk in something else */
    bool again;         /* publish it, changed or not */
    bool look;          /* its topic may be another one */
    bool left_over;     /* the last run left it online, and it has not come back */
    bool damaged;       /* the record on the disk */
    bool forgotten;     /* the device was removed: nothing is told of this generation */
    char *topic; /* where its message stands, if the pattern names attributes; NULL for nowhere */
};

/* NULL where there is none. */
struct presence_entry *entry_find(const struct presences *presences, const char *device);

/* The entry, with what is on the disk; NULL for want of memory. Who makes one sees to it that it is
 * settled at last. */
struct presence_entry *entry_get(struct presences *presences, const char *device);

/* Makes it an entry of that generation, if it is of another. False for want of memory. */
bool entry_begin(struct presences *presences, struct presence_entry *entry, uint64_t generation,
                 int64_t now);

/* Ends its generation: what is recorded goes. False for want of memory: then nothing has changed.
 */
bool entry_forget(struct presences *presences, struct presence_entry *entry, int64_t now);

/* There is something to tell: at the next turn, or when what is in flight is done. */
void entry_is_dirty(struct presences *presences, struct presence_entry *entry);

/* Only tallies: they may wait. */
void entry_is_tallied(struct presences *presences, struct presence_entry *entry);

/* Offline, and may still come back. */
void entry_is_delayed(struct presences *presences, struct presence_entry *entry);

void entry_leave_list(struct presence_entry *entry);

/* After a change: puts it where it belongs, or frees it. */
void entry_settle(struct presences *presences, struct presence_entry *entry);

void entry_free(struct presence_entry *entry);

#endif
