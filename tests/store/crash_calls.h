/* crash_calls.h - what a program did to the files below a directory, as crash_calls.so notes it,
 * and where that library ends the program.
 *
 * Preloaded, it stands between the program with its libraries (LMDB) and the C library. It looks at
 * its environment:
 *
 *   CRASH_ROOT    notes what happens below this directory, whose path is the real one
 *   CRASH_TRACE   appends the notes to this file, as below; nothing without it
 *   CRASH_AT      SIGKILL at the call of that number, beginning with 1: before it is made or, for
 *                 a write, which counts twice, when half of it is
 *
 * Counted is what changes files or directories anywhere, LMDB's mutexes and the directory's lock.
 * A file that is written through a mapping is not noted: only lock.mdb is, and means nothing after
 * a crash of the machine. */
#ifndef DEVREG_TESTS_CRASH_CALLS_H
#define DEVREG_TESTS_CRASH_CALLS_H

#include <stdint.h>

enum crash_kind {
    CRASH_CREATE = 1, /* `path`, or a file without a name, which was not there before */
    CRASH_MKDIR,
    CRASH_WRITE,      /* `size` bytes at `at`, which follow */
    CRASH_WRITE_SYNC, /* the same, and they are on the disk (O_DSYNC) */
    CRASH_SIZE,       /* the file has `at` bytes now */
    CRASH_SYNC,       /* the file's content is on the disk, or the directory's names are */
    CRASH_LINK,       /* the file is called `path` too */
    CRASH_RENAME,     /* what `path` names is called `to` now */
    CRASH_UNLINK      /* of a directory as well */
};

/* One note, then its path, where it was moved to, and its bytes. */
struct crash_note {
    uint32_t kind, path_size, to_size, unused;
    uint64_t file; /* its inode */
    uint64_t at, size;
};

#endif
