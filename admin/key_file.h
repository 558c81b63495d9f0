/* key_file.h - where the keys of a batch go: a file of their own, or stdout.
 *
 *   device,key                                  or with --json   {"device":"pump-7","credential":1,
 *   pump-7,devreg_...                                             "key":"devreg_..."}
 *
 * Keys are lost for good when they are not written, so they are on the disk before the devices have
 * them in the registry: in FILE.part, which becomes FILE then.
 *
 *   ended before the commit   FILE.part is removed, or left by SIGKILL: keys of nobody
 *   ended after the commit    FILE; or FILE.part, left by SIGKILL: the keys
 *
 * So FILE, once it is there, holds keys that devices have, and FILE.part is looked
 * into: key_file_check.
 */
#ifndef DEVREG_ADMIN_KEY_FILE_H
#define DEVREG_ADMIN_KEY_FILE_H

#include "admin/command.h"
#include "registry/key.h"

enum { KEY_FILE_BUFFER = 65536 };

struct key_file {
    const char *path; /* NULL for stdout */
    bool json;
    bool renewed; /* the keys are for devices that are there */

    /* The rest is its own. */
    char *part;
    bool kept;
    int file, code; /* the errno of the first failure, or 0 */
    size_t used;
    char buffer[KEY_FILE_BUFFER];
};

/* Where --keys says that keys go: NULL for stdout. */
const char *key_file_path(const struct call *call);

/* Can `path` become a new file? Else a complaint. To be asked before the work begins. */
MUST_CHECK enum status key_file_check(struct call *call, const char *path);

/* Makes path.part, readable by its owner alone; for NULL it is stdout. One at a time. A signal that
 * ends the program removes path.part before. */
MUST_CHECK enum status key_file_open(struct call *call, struct key_file *out, const char *path,
                                     bool renewed);

/* Writes a key. A failure is kept, and stops the rest: false. */
MUST_CHECK bool key_file_add(struct key_file *out, const char *device, uint32_t credential,
                             const char *key);

/* All is written, and synced. The caller goes on only then. */
MUST_CHECK enum status key_file_sync(struct call *call, struct key_file *out);

/* The commit comes: from now on a signal that ends the program waits for what follows. A complaint
 * where path.part was removed or replaced: then there may be no commit. */
MUST_CHECK enum status key_file_hold(struct call *call, const struct key_file *out);

/* The devices are in the registry: path.part becomes path. Where it was removed meanwhile, path is
 * written anew. */
MUST_CHECK enum status key_file_keep(struct call *call, struct key_file *out);

/* They are not. */
void key_file_remove(struct key_file *out);

/* Wipes and frees, in any case. */
void key_file_close(struct key_file *out);

#endif
