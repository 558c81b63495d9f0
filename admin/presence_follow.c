#include "admin/presence_follow.h"

#include <stdio.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096 };

static struct file_mark mark_of(const struct call *call, const char *name)
{
    char path[PATH_SIZE];
    struct stat info;
    int length = snprintf(path, sizeof path, "%s/%s", call->presence, name);
    if (length < 0 || length >= PATH_SIZE || stat(path, &info) != 0)
        return (struct file_mark){0};
    return (struct file_mark){info.st_dev, info.st_ino};
}

static bool same_file(const struct file_mark *a, const struct file_mark *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* The mark is taken before: a store that is replaced in between is opened once more. A missing lock
 * file is made by opening. */
static void open_store(struct presence_follow *follow)
{
    follow->data = mark_of(follow->call, "data.mdb");
    presence_view_open(&follow->view, follow->call);
    presence_view_begin(&follow->view); /* is presence off? */
    presence_view_end(&follow->view);
    follow->lock = mark_of(follow->call, "lock.mdb");
    follow->commit = follow->piece = follow->number = follow->done = 0;
    follow->joined = false;
}

void presence_follow_open(struct presence_follow *follow, const struct call *call)
{
    *follow = (struct presence_follow){.call = call, .begin = call->now};
    open_store(follow);
    presence_follow_begin(follow);
    follow->joined = follow->view.txn && feed_last(follow->view.txn, &follow->piece) == ERR_OK;
    presence_follow_end(follow);
}

void presence_follow_close(struct presence_follow *follow)
{
    presence_view_close(&follow->view);
}

bool presence_follow_again(struct presence_follow *follow)
{
    const struct file_mark data = mark_of(follow->call, "data.mdb");
    const struct file_mark lock = mark_of(follow->call, "lock.mdb");
    bool same = same_file(&data, &follow->data) && same_file(&lock, &follow->lock);
    if (same && follow->view.txn)
        return false;
    presence_follow_close(follow);
    open_store(follow);
    return follow->view.txn;
}

bool presence_follow_moved(const struct presence_follow *follow)
{
    return follow->view.txn && store_last_commit(follow->view.store) != follow->commit;
}

void presence_follow_begin(struct presence_follow *follow)
{
    presence_view_begin(&follow->view);
    follow->items = (struct bytes){0};
    follow->reading = false;
    if (follow->view.txn)
        follow->commit = txn_id(follow->view.txn);
}

void presence_follow_end(struct presence_follow *follow)
{
    presence_view_end(&follow->view);
}

/* Goes to the piece behind the one that was read to its end, and past those of its items that were
 * read in an earlier scope. */
static bool next_piece(struct presence_follow *follow)
{
    struct feed_item item;
    uint64_t number;
    enum err e = feed_next(follow->view.txn, follow->piece, &number, &follow->items);
    if (e && e != ERR_DAMAGED) {
        follow->joined = true;
        return false;
    }
    if (number != follow->number) {
        follow->missed += (follow->joined ? number - follow->piece - 1 : 0) + (e == ERR_DAMAGED);
        follow->number = number;
        follow->done = 0;
    }
    if (e)
        follow->items = (struct bytes){0};
    for (size_t i = 0; i < follow->done && feed_item_next(&follow->items, &item); i++)
        ;
    return true;
}

bool presence_follow_next(struct presence_follow *follow, struct feed_item *item)
{
    bool more = follow->view.txn;
    while (more) {
        if (!feed_item_next(&follow->items, item)) {
            if (follow->reading)
                follow->piece = follow->number;
            more = follow->reading = next_piece(follow);
            continue;
        }
        follow->done++;
        if (follow->joined || item->time >= follow->begin)
            return true;
    }
    return false;
}
