/* presence_follow.h - the news of the presence store, one after the other, while the store grows,
 * goes, and comes back as another one.
 *
 * The plugin puts a damaged store aside and makes a new one; whoever still has the old one open
 * would hear nothing more. So the files in the directory are looked at again and again.
 */
#ifndef DEVREG_ADMIN_PRESENCE_FOLLOW_H
#define DEVREG_ADMIN_PRESENCE_FOLLOW_H

#include <sys/types.h>

#include "admin/presence_view.h"
#include "registry/presence_feed.h"

struct presence_follow {
    const struct call *call;
    struct presence_view view;
    struct file_mark {
        dev_t device;
        ino_t inode; /* 0 for no file */
    } data, lock;    /* those that are open */
    uint64_t commit; /* as far as was looked */
    uint64_t piece;  /* the newest that was read to its end */
    /* Of a store that came later, what it held then is news only if it happened since `begin`, and
     * was not missed where it is gone. From its end on (joined) everything is. */
    bool joined;
    int64_t begin;
    uint64_t missed; /* pieces that were dropped or are damaged: take it, and set it to 0 */
    /* The one being read, and how many of its items were; what is left of it, in an open scope. */
    uint64_t number;
    size_t done;
    struct bytes items;
    bool reading; /* in this scope */
};

/* Begins with what happens from now on. The store need not be there. */
void presence_follow_open(struct presence_follow *follow, const struct call *call);
void presence_follow_close(struct presence_follow *follow);

/* Opens the store where it was made or replaced meanwhile: true for that. */
bool presence_follow_again(struct presence_follow *follow);

/* Was something committed since the last look? No transaction, no system call. */
bool presence_follow_moved(const struct presence_follow *follow);

/* A short scope, and the next item within it. False when there is no more by now. */
void presence_follow_begin(struct presence_follow *follow);
bool presence_follow_next(struct presence_follow *follow, struct feed_item *item);
void presence_follow_end(struct presence_follow *follow);

#endif
