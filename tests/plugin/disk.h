/* disk.h - the disk below the plugin's writer, and when it writes: that is the test's to say.
 *
 * The linker's --wrap puts it between the plugin and the writer: writer_submit, writer_collect,
 * writer_rest, writer_made and writer_close; and between the writer and the store: txn_write. So a
 * job is written in the call that hands it over, or in disk_hold(false), or never; whatever a seed
 * did it does again.
 */
#ifndef DEVREG_TESTS_DISK_H
#define DEVREG_TESTS_DISK_H

#include <stdbool.h>
#include <stddef.h>

/* From now on jobs wait in memory, as behind a slow sync; or those that wait are written. */
void disk_hold(bool hold);
/* From now on what is written fails. */
void disk_fail(bool fail);
/* Is it failing? */
bool disk_fails(void);
/* Has anything failed since this was asked last? */
bool disk_has_failed(void);
/* From now on the plugin is not told what was written, as if that came later. */
void disk_keep_quiet(bool quiet);
/* Those that wait are handed to the writer's thread, and nobody waits for it: before a SIGKILL. */
void disk_let_go(void);

/* So many jobs were handed over. */
size_t disk_jobs(void);

#endif
