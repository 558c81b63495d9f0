/* batch_reader.h - a batch out of a file or a pipe: CSV, or JSON lines.
 *
 * JSON lines are known by their first character, "{". A line is what `show --json` or `list --json`
 * answers, or less (record_json.h):
 * {"device":"pump-7","roles":["pump"],"attributes":{"site":"kiel"}}; "expires" may also be a text,
 * as --expires takes it. What is no device's own, as its presence, is passed over; so are its
 * credentials, but for those with secrets, which are refused.
 */
#ifndef DEVREG_ADMIN_BATCH_READER_H
#define DEVREG_ADMIN_BATCH_READER_H

#include "admin/batch.h"
#include "admin/progress.h"

/* Reads all that `file` gives. Bad lines are refused in the batch, and the rest is read on. A
 * complaint where the file cannot be read. */
MUST_CHECK enum status batch_read(struct call *call, struct batch *batch, int file,
                                  struct progress *progress);

#endif
