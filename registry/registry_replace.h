/* registry_replace.h - putting a copy in the place of a registry: `devreg restore`.
 *
 *   DIR/.new-XXXXXX/data.mdb    filled by the caller, opened and judged, marked in its log
 *   DIR/data.mdb                the same file, once it is renamed
 *
 * The registry that is replaced is held for writing meanwhile, so that no change is lost without an
 * error. Its last commit is an entry that makes everybody who has it open look at the directory
 * (registry_in_place), where the new one lies by then. Where the old one cannot be opened any more,
 * they find out at their next look all the same.
 */
#ifndef DEVREG_REGISTRY_REGISTRY_REPLACE_H
#define DEVREG_REGISTRY_REGISTRY_REPLACE_H

#include "registry/registry.h"

/* {0} is one that has not begun, and is fine to end. */
struct replacement {
    const char *dir; /* lent */
    char *part;      /* the folder beside; NULL for none */
    int file;        /* its data.mdb, to be written; -1 once that is done */
    struct registry *copy;
    bool synced;  /* what was put in place: it would outlive a power cut */
    int old_lock; /* the lock file of the registry that was replaced; -1 for none */
};

/* Makes the folder and the empty file in it. `dir` is there. */
MUST_CHECK enum err replacement_begin(struct replacement *replacement, const char *dir);

/* The file is written: syncs and closes it, and opens `copy`. Errors as registry_open. */
MUST_CHECK enum err replacement_open(struct replacement *replacement);

/* What is noted in the log of both: by whom, when, what. */
struct replacement_note {
    const char *who, *detail;
    int64_t now;
};

/* Puts it in place, with that owner and those modes. Waits for other writers. After an error the
 * registry is as it was. ERR_OTHER_STORE where a store of another kind lies there.
 *
 * Numbers that were given out since the copy was made are not given out again, as far as the
 * registry in its place and the presence store in `presence` tell: generations, and the ids of
 * credentials, under which the plugin keeps who was seen and which key was used. */
MUST_CHECK enum err replacement_finish(struct replacement *replacement,
                                       const struct store_files *files, const char *presence,
                                       const struct replacement_note *note);

/* After replacement_finish: does a process still have the registry open that was replaced? `*pid`
 * is one of them, 0 where it cannot be named. */
bool replacement_held(const struct replacement *replacement, pid_t *pid);

/* Removes the folder where it was not put in place, and frees. */
void replacement_end(struct replacement *replacement);

#endif
