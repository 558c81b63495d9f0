/* store.h - one LMDB environment: sealed records under short keys. The only user of lmdb.h.
 *
 *   DIR/data.mdb   the records       key: a letter for the kind, then the name
 *   DIR/lock.mdb   LMDB's readers    value: the record's bytes, then 16 bytes of seal
 *
 * The seal is a keyed checksum (SipHash-2-4-128) over key and record, since LMDB has none: a
 * flipped bit, a moved row or a foreign one is ERR_DAMAGED and never a wrong answer. Its key lies
 * in the meta record, with the format's version and the kind of the store.
 *
 * Caveats, each paid for by somebody:
 *  - An environment is opened once in a process, however often store_open is called for it. Open
 *    and close from one thread.
 *  - LMDB 0.9.26 to 0.9.31 race when one process opens while another closes, so both happen under
 *    an flock of the directory.
 *  - A reader that stays open keeps every page it could see from being reused: end scopes soon.
 *  - Begin no write transaction on a thread that may not wait: its lock is held by others.
 *  - Never use a store across fork, and never delete lock.mdb while anyone has it open.
 *
 * Where a file's structure is impossible LMDB is left in the middle of a call (on_assert in
 * store.c). A write scope that this happens in is ERR_BROKEN from then on and is neither committed
 * nor aborted, since LMDB may know cursors that lay on a stack; and where a page of lock.mdb was
 * missing, the C library may know a lock that lay in it. Such a store is abandoned when it is
 * closed: nothing of it is freed or unmapped, which costs three descriptors and its address space,
 * once for each such accident. Its lock ends with the thread that began the scope: that has to end
 * before the store is opened again to be written, or with the process.
 */
#ifndef DEVREG_REGISTRY_STORE_H
#define DEVREG_REGISTRY_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "registry/error.h"
#include "registry/pack.h"

enum store_kind { STORE_REGISTRY = 1, STORE_PRESENCE = 2 };
enum store_mode { STORE_READ, STORE_WRITE };

enum { STORE_KEY_MAX = 511, STORE_FORMAT = 1 };

struct store;
struct txn;

/* Opens the store in `dir`. ERR_NO_REGISTRY (no data.mdb there), ERR_TOO_NEW, ERR_DAMAGED (data.mdb
 * is cut short or no store), ERR_OTHER_STORE (of another kind), ERR_PERMISSION, ERR_FILESYSTEM,
 * ERR_BUSY, ERR_OTHER_PID_NS, ERR_NO_MEMORY, ERR_IO. */
MUST_CHECK enum err store_open(struct store **store, const char *dir, enum store_kind kind,
                               enum store_mode mode);
void store_close(struct store *store); /* NULL is fine */

/* Closes `*store` (NULL is fine) and opens what lies in `dir` now, for who may not wait. ERR_BUSY
 * at once where others are just opening or closing it: nothing was closed then, and `*store` is as
 * it was. After any other error `*store` is NULL. */
MUST_CHECK enum err store_reopen(struct store **store, const char *dir, enum store_kind kind,
                                 enum store_mode mode);

/* Do the files that are open still lie in the store's directory, with all that they held? No where
 * others took their place, where data.mdb is gone, and where somebody wrote over it past LMDB, as
 * far as that shows. What is read then is what was, or ERR_BROKEN. Three system calls. */
bool store_in_place(struct store *store);

/* Nothing is read of it any more but ERR_BROKEN, until it is opened again: what is there was
 * written past LMDB. No scope of it is open. */
void store_distrust(struct store *store);

/* From now on, or not any more, txn_get does without what keeps LMDB's assertions from ending the
 * process: for who has just looked at the last commit, and may not pay for it. NULL is fine. */
void store_be_quick(struct store *store, bool quick);

/* Writes a copy of the last commit to the open `file`, without the pages that are not in use, while
 * others read and write; a pipe will do. A failure to write is also told in `*code`, as errno,
 * which is 0 for any other. Meanwhile no page that others give up is used again. */
MUST_CHECK enum err store_copy(struct store *store, int file, int *code);

/* Opens such a copy to be read: a file of any name that nobody writes. ERR_DAMAGED where it is
 * none.
 */
MUST_CHECK enum err store_open_copy(struct store **store, const char *file, enum store_kind kind);

/* Makes a new store in the existing directory `dir`, complete or not at all: it is written beside,
 * synced and moved into place. data.mdb gets `data_mode`, lock.mdb `lock_mode`, both that owner.
 * `fill`, unless NULL, puts the first records; its error ends it all. ERR_EXISTS where data.mdb is
 * there already. */
struct store_files {
    uid_t uid;
    gid_t gid;
    mode_t data_mode, lock_mode;
};
MUST_CHECK enum err store_create(const char *dir, enum store_kind kind,
                                 const struct store_files *files,
                                 enum err (*fill)(struct txn *txn, void *context), void *context);

/* Is it on an overlay file system, where a reader may see an old file for ever? */
bool store_on_overlay(const struct store *store);

/* The number of the last commit of any process: a read of shared memory, no lock, no system call.
 * While a commit syncs it runs ahead of what a new reader sees: tag what was read with txn_id. */
uint64_t store_last_commit(const struct store *store);

/* Frees the reader slots of dead processes. */
void store_check_readers(struct store *store);

/* Bytes in use, and the most there may be. */
void store_size(struct store *store, uint64_t *used, uint64_t *limit);

/* What was read of the file counts as memory of this program until the system wants it back.
 * Whoever walks over all of it says from time to time that it is done with what it read. Anything
 * lent stays as it is. */
void store_forget_pages(const struct store *store);

/* A read scope that is used again and again: made once by txn_reader, then between txn_renew and
 * txn_reset it sees one snapshot. Ended by txn_close. */
MUST_CHECK enum err txn_reader(struct txn **txn, struct store *store);
MUST_CHECK enum err txn_renew(struct txn *txn);
void txn_reset(struct txn *txn);
void txn_close(struct txn *txn); /* NULL is fine */
/* The commit that the open scope sees. */
uint64_t txn_id(const struct txn *txn);

/* A write scope. It waits for other writers. It keeps its first error: puts after it do nothing,
 * txn_next says it, and txn_commit aborts and returns it. Both ways of ending free it.
 * txn_commit returns ERR_OK when the changes are on the disk. */
MUST_CHECK enum err txn_write(struct txn **txn, struct store *store);
MUST_CHECK enum err txn_commit(struct txn *txn);
void txn_abort(struct txn *txn); /* NULL is fine */

/* Lends the record under `key` until the scope ends or, in a write scope, until the next put.
 * ERR_NOT_FOUND, ERR_DAMAGED. */
MUST_CHECK enum err txn_get(struct txn *txn, struct bytes key, struct bytes *record);
/* Keeps a failure in the scope, txn_fail too. `record` may not lie in the store. */
void txn_put(struct txn *txn, struct bytes key, struct bytes record);
/* The same where the key is not there yet: else ERR_EXISTS, which is an answer and not kept. */
MUST_CHECK enum err txn_insert(struct txn *txn, struct bytes key, struct bytes record);
void txn_delete(struct txn *txn, struct bytes key); /* a missing key is fine */

/* Parts what lies before `key` from what lies behind it, until the fence is taken away again: LMDB
 * fills its pages only where a key is put at a page's end, and else leaves them half empty. So put
 * some records, then the fence, then the rest in ascending order up to `key`, which itself is no
 * record's. Within a write scope; a scope that ends with the fence may not be committed. */
void txn_fence(struct txn *txn, struct bytes key);
void txn_unfence(struct txn *txn, struct bytes key);
void txn_fail(struct txn *txn, enum err e);
/* The error that the scope has kept. */
MUST_CHECK enum err txn_error(const struct txn *txn);

/* The first record whose key is above `after` and begins with the byte `kind`; the last one of that
 * kind for txn_last. `after` is empty to begin with the first. ERR_NOT_FOUND at the end. A damaged
 * record still hands out its key, with ERR_DAMAGED, so that a walk can go on; ERR_BROKEN ends it.
 * Lends both. */
MUST_CHECK enum err txn_next(struct txn *txn, uint8_t kind, struct bytes after, struct bytes *key,
                             struct bytes *record);
MUST_CHECK enum err txn_last(struct txn *txn, uint8_t kind, struct bytes *key,
                             struct bytes *record);

#endif
