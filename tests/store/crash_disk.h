/* crash_disk.h - a disk that played what crash_calls.so noted, and loses its power.
 *
 *   notes  | create | write write sync | write sync link | write (in flight) | ...
 *                                                         ^ cut
 *          `-- on the disk for sure: what was synced --'
 *              and of all else what the disk pleases: each write whole, not at all, or some of its
 *              sectors; each name that came or went, or not.
 *
 * What a disk may do here is what POSIX lets it do, which is more than a journal does: a name is
 * there for sure only once its directory was synced. A sector of 512 bytes is written whole, or
 * not at all. A file may be longer already than what was written into it, with anything behind.
 */
#ifndef DEVREG_TESTS_CRASH_DISK_H
#define DEVREG_TESTS_CRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/support/rng.h"

enum crash_image {
    IMAGE_KILLED,  /* a program was killed: the system writes all that was begun */
    IMAGE_SYNCED,  /* nothing is there but what was synced */
    IMAGE_ORDERED, /* and what came next, up to somewhere */
    IMAGE_ANY,     /* and anything of the rest */
    IMAGE_KINDS
};

struct crash_disk;

/* Plays the notes in `trace` of what happened below `root`. Ends the program where they are none.
 */
struct crash_disk *crash_disk_open(const char *trace, const char *root);
void crash_disk_close(struct crash_disk *disk);

/* How many notes there are, and how many of them lie in the first `bytes` of the file. */
size_t crash_disk_notes(const struct crash_disk *disk);
size_t crash_disk_notes_in(const struct crash_disk *disk, size_t bytes);

/* The first `count` calls have returned, and the next one is in flight. Only ever forward. */
void crash_disk_cut(struct crash_disk *disk, size_t count);

/* Makes the directory `to`, in the place of what is there, as the root is found after the crash.
 * Data files get the modes that devreg gives them. False where the root itself is not there: then
 * there is no `to`. */
bool crash_disk_image(const struct crash_disk *disk, enum crash_image kind, struct rng *rng,
                      const char *to);

#endif
