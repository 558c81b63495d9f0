/* store_dir.h - the directory that a store lies in: locked, checked, and not a trap for root.
 *
 * A directory that the broker's user owns is not root's friend: whoever may write there could lead
 * root's hand with a link. So root works in it as its owner, and both files have to be plain ones.
 */
#ifndef DEVREG_REGISTRY_STORE_DIR_H
#define DEVREG_REGISTRY_STORE_DIR_H

#include <stdbool.h>
#include <sys/stat.h>

#include "registry/error.h"
#include "registry/store.h"

struct store_dir {
    int fd;
    bool overlay;   /* see store_on_overlay */
    bool privilege; /* root's was put aside */
};

/* The error for an errno of a file operation. */
enum err err_from_errno(int code);

/* Opens `dir`, puts root's privilege aside where the directory is not root's, takes the flock
 * (ERR_BUSY after 5 s, or at once without `wait`) and looks at the file system (ERR_FILESYSTEM).
 * After an error there is nothing to end. */
MUST_CHECK enum err store_dir_begin(struct store_dir *place, const char *dir, bool wait);

/* Undoes it all. Returns `e`, or the error of taking root's privilege back. */
MUST_CHECK enum err store_dir_end(struct store_dir *place, enum err e);

/* Which files a store has open. */
struct store_marks {
    dev_t data_device, lock_device;
    ino_t data, lock;
};

/* Looks at data.mdb (ERR_NO_REGISTRY, ERR_DAMAGED) and lock.mdb, which it makes anew, with the
 * group of data.mdb, where somebody deleted it. */
MUST_CHECK enum err store_dir_files(const struct store_dir *place, struct store_marks *marks);

/* Gives all of lock.mdb its place on the disk: see store_dir.c. ERR_FULL. Not where this process
 * has the store open: LMDB's locks would be gone. */
MUST_CHECK enum err store_dir_fill_lock(const struct store_dir *place);

/* Do these files still lie in `dir`? In doubt yes: also where only lock.mdb is gone, which the next
 * opener makes anew. Two system calls. */
bool store_dir_has(const char *dir, const struct store_marks *marks);

/* Makes a directory beside the files for a new store and returns its path, which
 * store_dir_drop_part removes and frees. */
MUST_CHECK enum err store_dir_part(const char *dir, char **part);

/* Gives part/data.mdb its owner and mode, moves it into place, and puts an empty lock.mdb beside,
 * in place of one that was left. ERR_EXISTS where a data.mdb is there. */
MUST_CHECK enum err store_dir_adopt(const struct store_dir *place, const char *part,
                                    const struct store_files *files);

/* The same in the place of the files that are there, if any. Whoever has those open keeps them, and
 * finds out by store_dir_has. `*synced` tells whether it would outlive a power cut. */
MUST_CHECK enum err store_dir_replace(const struct store_dir *place, const char *part,
                                      const struct store_files *files, bool *synced);

/* Removes it with the files of a store that it may hold. Safe in the handler of a signal. */
void store_dir_empty_part(const char *part);
void store_dir_drop_part(char *part);

#endif
