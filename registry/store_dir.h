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
 * (ERR_BUSY after 5 s) and looks at the file system (ERR_FILESYSTEM). After an error there is
 * nothing to end. */
MUST_CHECK enum err store_dir_begin(struct store_dir *place, const char *dir);

/* Undoes it all. Returns `e`, or the error of taking root's privilege back. */
MUST_CHECK enum err store_dir_end(struct store_dir *place, enum err e);

/* Looks at data.mdb (ERR_NO_REGISTRY, ERR_DAMAGED) and lock.mdb, which it makes anew, with the
 * group of data.mdb, where somebody deleted it. */
MUST_CHECK enum err store_dir_files(const struct store_dir *place, struct stat *data);

/* Makes a directory beside the files for a new store and returns its path, which
 * store_dir_drop_part removes and frees. ERR_EXISTS where data.mdb is there. */
MUST_CHECK enum err store_dir_part(const struct store_dir *place, const char *dir, char **part);

/* Gives part/data.mdb its owner and mode, moves it into place, and puts an empty lock.mdb beside,
 * in place of one that was left. */
MUST_CHECK enum err store_dir_adopt(const struct store_dir *place, const char *part,
                                    const struct store_files *files);
void store_dir_drop_part(char *part);

#endif
