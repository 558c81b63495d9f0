/* lost_pages.h - a mapped file that somebody cuts short does not end the process.
 *
 * LMDB reads its files through mappings. A page that the file has no longer, or that the disk
 * cannot read, is SIGBUS then, which ends a process that does not catch it; and the everyday `cp
 * backup/data.mdb registry/` first cuts the file to nothing. A program that runs for a moment may
 * die of that. A broker may not: it catches the signal, and has a page of zeros put where there is
 * none. Whoever read asks afterwards whether that happened, believes nothing of the file from then
 * on, and opens it anew.
 *
 * What a signal's handler knows is global, so this is the library's one global state beside the
 * stores that are open (store.c). Call it from one thread; the handler runs on any, which must not
 * block the signal.
 */
#ifndef DEVREG_REGISTRY_LOST_PAGES_H
#define DEVREG_REGISTRY_LOST_PAGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Catches SIGBUS in this process from now on; what concerns no watched file goes to whoever caught
 * it before. Until as many calls of lost_pages_release. */
void lost_pages_catch(void);
void lost_pages_release(void);

/* Watches the mapping that the address lies in, or that of the file: `lost` becomes true when a
 * page of it was missing as it was read. NULL where nobody catches the signal, and where the
 * mapping cannot be found, or one more than fits: then nothing protects it. */
struct watched_file;
struct watched_file *lost_pages_watch(const void *address, atomic_bool *lost);
struct watched_file *lost_pages_watch_file(dev_t device, ino_t inode, atomic_bool *lost);
void lost_pages_forget(struct watched_file *file); /* before it is unmapped; NULL is fine */

/* Was a page of this one missing? NULL is none. */
bool lost_pages_met(const struct watched_file *file);

/* Forgets a mapping that nobody will unmap, since somebody may still write to it: zeros take the
 * place of all of it, whatever becomes of the file. NULL is fine. */
void lost_pages_leave(struct watched_file *file);

#endif
