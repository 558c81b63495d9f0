#include "registry/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "registry/crypto.h"
#include "registry/lost_pages.h"
#include "registry/mapping.h"
#include "registry/store_dir.h"

enum {
    READERS = 254, /* the same for every opener: the first one's number rules; see store_dir.c */
    OPEN_TRIES = 5,
    UUID_SIZE = 16,
    SMALLEST_PAGE = 4096,
    LARGEST_PAGE = 65536,
    SEAL_SIZE = CRYPTO_MAC_SIZE
};

/* Address space, not disk: the file grows as it is used. */
static const size_t map_size = (sizeof(void *) > 4 ? (size_t)16 : (size_t)1)
                               << (sizeof(void *) > 4 ? 30 : 29);

static const char magic[] = "devreg";
static const struct bytes meta_key = {(const uint8_t *)"m", 1};

/* The way out of a call of LMDB. Whose it is also the other thread asks. */
struct escape {
    _Atomic(jmp_buf *) to; /* NULL while it is not called */
    _Atomic(pthread_t) thread;
};

struct store {
    MDB_env *env;
    MDB_dbi dbi;
    enum store_kind kind;
    enum store_mode mode;
    uint8_t mac_key[CRYPTO_MAC_KEY_SIZE];
    bool overlay;
    struct store_marks files;
    unsigned users;
    size_t page_size;
    struct watched_file *data, *lock;   /* see lost_pages.h */
    atomic_bool lost;                   /* a page is missing, or is not what it was */
    bool quick;                         /* see store_be_quick */
    struct escape read_escape;          /* one thread reads, */
    struct escape write_escape;         /* and one, which may be the same, writes */
    atomic_bool left;                   /* LMDB was left within a write scope: */
    struct txn *kept;                   /* this one */
    uint64_t looked_at;                 /* the last commit when store_in_place looked last */
    uint64_t short_commit, short_pages; /* the last one whose file may end there: see file_look */
    struct store *next;
};

struct txn {
    struct store *store;
    MDB_txn *mdb;
    MDB_cursor *cursor;
    bool writes, active, cursor_stale;
    enum err error;
};

/* The open environments of this process: LMDB forbids to open one twice. */
static struct store *open_stores;

/* Those that may not be closed: see env_drop. */
static struct store *abandoned_stores;

/* The one place where LMDB's codes become ours. */
static enum err from_lmdb(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return ERR_OK;
    case MDB_NOTFOUND:
        return ERR_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return ERR_FULL;
    case MDB_READERS_FULL:
        return ERR_BUSY;
    case EAGAIN: /* the lock file names our process id, which is somebody else's there */
        return ERR_OTHER_PID_NS;
    case MDB_INVALID: /* these two when it is opened */
    case MDB_VERSION_MISMATCH:
        return ERR_DAMAGED;
    case MDB_CORRUPTED:
    case MDB_INCOMPATIBLE: /* of a copy: pages are missing, or there twice */
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL:
    case MDB_PANIC:
    case MDB_BAD_TXN:
        return ERR_BROKEN;
    case MDB_BAD_VALSIZE:
        return ERR_INVALID;
    default:
        break;
    }
    enum err e = err_from_errno(code);
    return e ? e : ERR_IO;
}

static void escape_set(struct escape *escape, jmp_buf *to)
{
    atomic_store_explicit(&escape->to, to, memory_order_relaxed);
}

static void escape_is_mine(struct escape *escape)
{
    atomic_store_explicit(&escape->thread, pthread_self(), memory_order_relaxed);
}

static void jump_out(struct escape *escape)
{
    jmp_buf *to = atomic_load(&escape->to);
    if (!to || !pthread_equal(atomic_load(&escape->thread), pthread_self()))
        return;
    escape_set(escape, NULL);
    longjmp(*to, 1);
}

/* LMDB ends the process where a file's structure is impossible: it calls this before. Whoever
 * called LMDB goes on behind his setjmp. */
static void on_assert(MDB_env *env, const char *what)
{
    struct store *store = mdb_env_get_userctx(env);
    (void)what; /* means nothing to whoever has the file */
    atomic_store(&store->lost, true);
    jump_out(&store->write_escape);
    jump_out(&store->read_escape);
}

/* Is what was read of it, or was not found, not to be believed? */
static bool is_lost(const struct store *store)
{
    return atomic_load_explicit(&store->lost, memory_order_relaxed);
}

/* The error of a call, where nothing it met was lost. */
static enum err from_reading(const struct txn *txn, int code)
{
    return code && is_lost(txn->store) ? ERR_BROKEN : from_lmdb(code);
}

static struct escape *escape_of(const struct txn *txn)
{
    return txn->writes ? &txn->store->write_escape : &txn->store->read_escape;
}

/* LMDB was left in the middle of a call. A write scope that it was in can no longer be ended: it
 * may name cursors that lay on the stack. */
static void leave_it(const struct txn *txn)
{
    if (txn->writes)
        atomic_store(&txn->store->left, true);
}

static bool was_left(const struct txn *txn)
{
    return txn->writes && atomic_load_explicit(&txn->store->left, memory_order_relaxed);
}

static int val_get(const struct txn *txn, MDB_val *key, MDB_val *value)
{
    jmp_buf out;
    if (txn->store->quick)
        return mdb_get(txn->mdb, txn->store->dbi, key, value);
    if (was_left(txn))
        return MDB_CORRUPTED;
    if (setjmp(out) != 0) {
        leave_it(txn);
        return MDB_CORRUPTED;
    }
    escape_set(escape_of(txn), &out);
    int code = mdb_get(txn->mdb, txn->store->dbi, key, value);
    escape_set(escape_of(txn), NULL);
    return code;
}

static int cursor_get(const struct txn *txn, MDB_val *key, MDB_val *value, MDB_cursor_op op)
{
    jmp_buf out;
    if (was_left(txn))
        return MDB_CORRUPTED;
    if (setjmp(out) != 0) {
        leave_it(txn);
        return MDB_CORRUPTED;
    }
    escape_set(escape_of(txn), &out);
    int code = mdb_cursor_get(txn->cursor, key, value, op);
    escape_set(escape_of(txn), NULL);
    return code;
}

static int val_put(const struct txn *txn, MDB_val *key, MDB_val *value, unsigned flags)
{
    jmp_buf out;
    if (was_left(txn))
        return MDB_CORRUPTED;
    if (setjmp(out) != 0) {
        leave_it(txn);
        return MDB_CORRUPTED;
    }
    escape_set(&txn->store->write_escape, &out);
    int code = mdb_put(txn->mdb, txn->store->dbi, key, value, flags);
    escape_set(&txn->store->write_escape, NULL);
    return code;
}

static int val_delete(const struct txn *txn, MDB_val *key)
{
    jmp_buf out;
    if (was_left(txn))
        return MDB_CORRUPTED;
    if (setjmp(out) != 0) {
        leave_it(txn);
        return MDB_CORRUPTED;
    }
    escape_set(&txn->store->write_escape, &out);
    int code = mdb_del(txn->mdb, txn->store->dbi, key, NULL);
    escape_set(&txn->store->write_escape, NULL);
    return code;
}

/* Ends the transaction, unless LMDB is left within it. */
static int commit(const struct txn *txn)
{
    jmp_buf out;
    if (setjmp(out) != 0) {
        leave_it(txn);
        return MDB_CORRUPTED;
    }
    escape_set(&txn->store->write_escape, &out);
    int code = mdb_txn_commit(txn->mdb);
    escape_set(&txn->store->write_escape, NULL);
    return code;
}

/* A record is bound to its place: the seal's key is mixed with a hash of the record's key (FNV-1a).
 * No more is needed against rows that moved; whoever can write the file can seal, too. The meta
 * record, which holds the seals' key, is sealed with zeros. */
static void place_key(uint8_t out[static CRYPTO_MAC_KEY_SIZE], const struct txn *txn,
                      struct bytes key)
{
    uint64_t place = 0xcbf29ce484222325u;
    if (key.size == meta_key.size && *key.data == *meta_key.data) {
        memset(out, 0, CRYPTO_MAC_KEY_SIZE);
        return;
    }
    for (size_t i = 0; i < key.size; i++)
        place = (place ^ key.data[i]) * 0x100000001b3u;
    memcpy(out, txn->store->mac_key, CRYPTO_MAC_KEY_SIZE);
    for (size_t i = 0; i < sizeof place; i++)
        out[i] ^= (uint8_t)(place >> 8 * i);
}

static void seal(uint8_t out[static SEAL_SIZE], const struct txn *txn, struct bytes key,
                 struct bytes record)
{
    uint8_t mixed[CRYPTO_MAC_KEY_SIZE];
    place_key(mixed, txn, key);
    crypto_mac(out, record.data, record.size, mixed);
}

/* Does it end where its page does, or its run of overflow pages? LMDB believes the lengths that it
 * finds, and a flipped bit of one would lead behind the file, which is SIGBUS. A page begins with
 * its number and 8 bytes more, the last four of which are, in an overflow run, how many pages it
 * has. What a write scope changed lies elsewhere. */
static bool ends_in_page(const struct txn *txn, MDB_val value)
{
    const size_t header = sizeof(size_t) + 8, page = txn->store->page_size;
    size_t at = (uintptr_t)value.mv_data & (page - 1);
    uint32_t pages;
    if (txn->writes)
        return true;
    if (at != header)
        return value.mv_size <= page - at;
    memcpy(&pages, (const char *)value.mv_data - sizeof pages, sizeof pages);
    return value.mv_size <= pages * page - header;
}

static enum err unseal(const struct txn *txn, struct bytes key, MDB_val value, struct bytes *record)
{
    uint8_t expected[SEAL_SIZE];
    if (value.mv_size < SEAL_SIZE || !ends_in_page(txn, value))
        return ERR_DAMAGED;
    struct bytes body = {value.mv_data, value.mv_size - SEAL_SIZE};
    seal(expected, txn, key, body);
    if (memcmp(expected, body.data + body.size, SEAL_SIZE) != 0)
        return ERR_DAMAGED;
    *record = body;
    return ERR_OK;
}

/* A record on a page that is missing is not damaged: nobody knows it. */
static enum err believe(const struct txn *txn, enum err e)
{
    return e && is_lost(txn->store) ? ERR_BROKEN : e;
}

/* Is there address space for that? LMDB gives up what it has before it asks. */
static bool is_room_for(size_t size)
{
    void *room = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return room != MAP_FAILED && munmap(room, size) == 0;
}

/* The file has grown past what is mapped, or somebody wrote over it. It is mapped anew, as far as
 * it has grown and some more; whoever watched it watches that. */
static int map_grow(struct store *store)
{
    MDB_envinfo info;
    struct stat file;
    int fd;
    if (mdb_env_info(store->env, &info) || mdb_env_get_fd(store->env, &fd) || fstat(fd, &file) != 0)
        return MDB_MAP_RESIZED;
    size_t size = map_size + ((size_t)file.st_size & ~(size_t)(LARGEST_PAGE - 1));
    if (info.me_last_pgno >= size / store->page_size)
        return MDB_CORRUPTED;
    int code = is_room_for(size) ? mdb_env_set_mapsize(store->env, size) : ENOMEM;
    if (!code && store->data) {
        lost_pages_forget(store->data);
        store->data =
            lost_pages_watch_file(store->files.data_device, store->files.data, &store->lost);
    }
    return code;
}

/* Renews or begins, and mends what can be mended: slots of dead readers, a map grown elsewhere. */
static int begin_read(struct txn *txn)
{
    for (int tries = 0;; tries++) {
        int code = txn->mdb ? mdb_txn_renew(txn->mdb)
                            : mdb_txn_begin(txn->store->env, NULL, MDB_RDONLY, &txn->mdb);
        if (tries || (code != MDB_READERS_FULL && code != MDB_MAP_RESIZED))
            return code;
        if (code == MDB_READERS_FULL)
            store_check_readers(txn->store);
        else if ((code = map_grow(txn->store)))
            return code;
    }
}

enum err txn_reader(struct txn **out, struct store *store)
{
    struct txn *txn = calloc(1, sizeof *txn);
    if (!txn)
        return ERR_NO_MEMORY;
    txn->store = store;
    escape_is_mine(&store->read_escape);
    enum err e = from_reading(txn, begin_read(txn));
    if (e) {
        free(txn);
        return e;
    }
    mdb_txn_reset(txn->mdb);
    *out = txn;
    return ERR_OK;
}

enum err txn_renew(struct txn *txn)
{
    assert(!txn->active && !txn->writes);
    int code = mdb_txn_renew(txn->mdb);
    if (code)
        code = begin_read(txn);
    txn->active = code == MDB_SUCCESS;
    txn->cursor_stale = true;
    if (code)
        return from_reading(txn, code);
    if (!is_lost(txn->store))
        return ERR_OK;
    txn_reset(txn); /* it began on what is not there */
    return ERR_BROKEN;
}

void txn_reset(struct txn *txn)
{
    if (txn->active)
        mdb_txn_reset(txn->mdb);
    txn->active = false;
}

void txn_close(struct txn *txn)
{
    if (!txn)
        return;
    assert(!txn->writes);
    if (txn->cursor)
        mdb_cursor_close(txn->cursor);
    mdb_txn_abort(txn->mdb);
    free(txn);
}

uint64_t txn_id(const struct txn *txn)
{
    return mdb_txn_id(txn->mdb);
}

/* Another thread may read what is watched, so it is not mapped anew: who alone writes it did not
 * make the file grow past what is mapped. */
static int begin_write(struct txn *txn)
{
    struct store *store = txn->store;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn->mdb);
    if (code != MDB_MAP_RESIZED)
        return code;
    if (store->data) {
        store_distrust(store);
        return MDB_CORRUPTED;
    }
    code = map_grow(store);
    return code ? code : mdb_txn_begin(store->env, NULL, 0, &txn->mdb);
}

enum err txn_write(struct txn **out, struct store *store)
{
    assert(store->mode == STORE_WRITE);
    if (is_lost(store)) /* its lock may be held by nobody who gives it back */
        return ERR_BROKEN;
    struct txn *txn = calloc(1, sizeof *txn);
    if (!txn)
        return ERR_NO_MEMORY;
    txn->store = store;
    txn->writes = txn->active = true;
    escape_is_mine(&store->write_escape);
    enum err e = from_reading(txn, begin_write(txn));
    if (e) {
        free(txn);
        return e;
    }
    if (is_lost(store)) { /* it began on what is not there */
        txn_abort(txn);
        return ERR_BROKEN;
    }
    *out = txn;
    return ERR_OK;
}

void txn_abort(struct txn *txn)
{
    if (!txn)
        return;
    assert(txn->writes);
    if (was_left(txn)) {
        txn->store->kept = txn;
        return;
    }
    if (txn->cursor)
        mdb_cursor_close(txn->cursor);
    mdb_txn_abort(txn->mdb);
    free(txn);
}

/* LMDB says EIO for a write that took only a part, as the last one on a disk that fills up does. */
static enum err full_or(enum err e, const struct store *store)
{
    struct statvfs disk;
    mdb_filehandle_t file;
    bool full = e == ERR_IO && mdb_env_get_fd(store->env, &file) == MDB_SUCCESS &&
                fstatvfs(file, &disk) == 0 && disk.f_bavail == 0;
    return full ? ERR_FULL : e;
}

/* The last commit's number in one of the two pages that tell it, from the file itself. A page
 * begins with its number and 8 bytes more; there lie two numbers of 4 bytes, an address and a size,
 * the heads of two databases and the number of the last page before it. */
static bool commit_read(const struct store *store, int fd, unsigned page, size_t *commit)
{
    enum {
        WORD = sizeof *commit,
        HEAD = 8 + 5 * WORD,
        AT = WORD + 8 + 8 + 2 * WORD + 2 * HEAD + WORD
    };
    return pread(fd, commit, sizeof *commit, (off_t)(page * store->page_size + AT)) == WORD;
}

/* Is the commit before this one still there? One of the two pages tells it. Else somebody cut the
 * file, or wrote over it, while the scope was open: what was just written lies among what is not
 * there, and no page is missing where it can be seen. */
static bool is_upon_the_last(const struct store *store, size_t commit)
{
    size_t this_one, before;
    int fd;
    if (mdb_env_get_fd(store->env, &fd) || !commit_read(store, fd, commit & 1, &this_one) ||
        !commit_read(store, fd, ~commit & 1, &before))
        return false;
    return this_one != commit /* nothing was changed, or again since */
           || before == commit - 1 || before == commit + 1;
}

enum err txn_commit(struct txn *txn)
{
    struct store *store = txn->store;
    enum err e = txn->error ? txn->error : is_lost(store) ? ERR_BROKEN : ERR_OK;
    if (e) {
        txn_abort(txn);
        return full_or(e, store);
    }
    const size_t number = mdb_txn_id(txn->mdb);
    if (txn->cursor)
        mdb_cursor_close(txn->cursor);
    txn->cursor = NULL;
    e = from_lmdb(commit(txn));
    if (!e && store->data && !is_upon_the_last(store, number))
        store_distrust(store);
    if (was_left(txn))
        store->kept = txn;
    else
        free(txn);
    return is_lost(store) ? ERR_BROKEN : full_or(e, store);
}

enum err txn_error(const struct txn *txn)
{
    return txn->error;
}

void txn_fail(struct txn *txn, enum err e)
{
    if (!txn->error)
        txn->error = e;
}

static bool key_fits(struct bytes key)
{
    return key.size >= 1 && key.size <= STORE_KEY_MAX;
}

static MDB_val to_val(struct bytes bytes)
{
    return (MDB_val){bytes.size, (void *)bytes.data};
}

enum err txn_get(struct txn *txn, struct bytes key, struct bytes *record)
{
    MDB_val k = to_val(key), value;
    if (!key_fits(key))
        return ERR_NOT_FOUND;
    int code = val_get(txn, &k, &value);
    return code ? from_reading(txn, code) : believe(txn, unseal(txn, key, value, record));
}

static enum err put(struct txn *txn, struct bytes key, struct bytes record, unsigned flags)
{
    MDB_val k = to_val(key), value = {record.size + SEAL_SIZE, NULL};
    assert(txn->writes);
    if (txn->error)
        return txn->error;
    if (!key_fits(key))
        return txn->error = ERR_INVALID;
    int code = val_put(txn, &k, &value, MDB_RESERVE | flags);
    if (code == MDB_KEYEXIST)
        return ERR_EXISTS;
    if (code)
        return txn->error = from_lmdb(code);
    uint8_t *place = value.mv_data;
    if (record.size)
        memcpy(place, record.data, record.size);
    seal(place + record.size, txn, key, record);
    return ERR_OK;
}

void txn_put(struct txn *txn, struct bytes key, struct bytes record)
{
    enum err e = put(txn, key, record, 0);
    (void)e; /* kept in the scope */
}

enum err txn_insert(struct txn *txn, struct bytes key, struct bytes record)
{
    return put(txn, key, record, MDB_NOOVERWRITE);
}

void txn_delete(struct txn *txn, struct bytes key)
{
    MDB_val k = to_val(key);
    assert(txn->writes);
    if (txn->error || !key_fits(key))
        return;
    int code = val_delete(txn, &k);
    if (code && code != MDB_NOTFOUND)
        txn->error = from_lmdb(code);
}

/* A record so large that a page holds two and nothing else. */
static void fence_put(struct txn *txn, struct bytes key)
{
    MDB_val k = to_val(key), value = {txn->store->page_size / 2 - 32 - key.size, NULL};
    int code = val_put(txn, &k, &value, MDB_RESERVE);
    if (code)
        txn_fail(txn, from_lmdb(code));
    else
        memset(value.mv_data, 0, value.mv_size);
}

/* The first of two such records may share a page with records before it, but then with none behind
 * it. When it is deleted, that page ends with those before it, and the next one begins with the
 * second. */
void txn_fence(struct txn *txn, struct bytes key)
{
    uint8_t second[STORE_KEY_MAX];
    struct bytes longer = {second, key.size + 1};
    assert(txn->writes && key.size >= 1 && key.size < STORE_KEY_MAX);
    if (txn->error)
        return;
    memcpy(second, key.data, key.size);
    second[key.size] = '\0';
    fence_put(txn, key);
    fence_put(txn, longer);
    txn_delete(txn, key);
}

void txn_unfence(struct txn *txn, struct bytes key)
{
    uint8_t second[STORE_KEY_MAX];
    assert(key.size >= 1 && key.size < STORE_KEY_MAX);
    memcpy(second, key.data, key.size);
    second[key.size] = '\0';
    txn_delete(txn, (struct bytes){second, key.size + 1});
}

static int cursor_ready(struct txn *txn)
{
    int code = MDB_SUCCESS;
    if (!txn->cursor)
        code = mdb_cursor_open(txn->mdb, txn->store->dbi, &txn->cursor);
    else if (txn->cursor_stale)
        code = mdb_cursor_renew(txn->mdb, txn->cursor);
    txn->cursor_stale = code != MDB_SUCCESS;
    return code;
}

/* Hands out what the cursor stands on, if it is of that kind. */
static enum err lend(const struct txn *txn, int code, uint8_t kind, MDB_val k, MDB_val value,
                     struct bytes *key, struct bytes *record)
{
    if (code || is_lost(txn->store))
        return from_reading(txn, code ? code : MDB_CORRUPTED);
    if (!k.mv_size || k.mv_size > STORE_KEY_MAX || !ends_in_page(txn, k))
        return ERR_BROKEN;
    if (*(const uint8_t *)k.mv_data != kind)
        return ERR_NOT_FOUND;
    *key = (struct bytes){k.mv_data, k.mv_size};
    return believe(txn, unseal(txn, *key, value, record));
}

/* Does `k` come after `from`, or, to begin with, not before it? */
static bool above(MDB_val k, MDB_val from, bool first)
{
    size_t both = k.mv_size < from.mv_size ? k.mv_size : from.mv_size;
    int order = memcmp(k.mv_data, from.mv_data, both);
    return order ? order > 0 : first ? k.mv_size >= from.mv_size : k.mv_size > from.mv_size;
}

enum err txn_next(struct txn *txn, uint8_t kind, struct bytes after, struct bytes *key,
                  struct bytes *record)
{
    bool first = after.size == 0;
    MDB_val from = first ? (MDB_val){1, &kind} : to_val(after), k = from, value = {0, NULL};
    if (txn->error) /* or who deletes what it finds would find the same one for ever */
        return txn->error;
    int code = cursor_ready(txn);
    if (code == MDB_SUCCESS)
        code = cursor_get(txn, &k, &value, MDB_SET_RANGE);
    if (code == MDB_SUCCESS && !first && k.mv_size == from.mv_size &&
        memcmp(k.mv_data, from.mv_data, k.mv_size) == 0)
        code = cursor_get(txn, &k, &value, MDB_NEXT);
    if (code == MDB_SUCCESS && !above(k, from, first))
        return ERR_BROKEN; /* a walk that goes back would never end */
    return lend(txn, code, kind, k, value, key, record);
}

enum err txn_last(struct txn *txn, uint8_t kind, struct bytes *key, struct bytes *record)
{
    uint8_t next_kind = (uint8_t)(kind + 1); /* no kind is 255: they are letters */
    MDB_val k = {1, &next_kind}, value = {0, NULL};
    int code = cursor_ready(txn);
    if (code == MDB_SUCCESS) {
        code = cursor_get(txn, &k, &value, MDB_SET_RANGE);
        if (code == MDB_SUCCESS || code == MDB_NOTFOUND)
            code = cursor_get(txn, &k, &value, code ? MDB_LAST : MDB_PREV);
    }
    return lend(txn, code, kind, k, value, key, record);
}

static enum err meta_put(struct txn *txn, enum store_kind kind)
{
    uint8_t uuid[UUID_SIZE];
    struct pack pack = {0};
    enum err e = crypto_draw(uuid, sizeof uuid);
    if (!e)
        e = crypto_draw(txn->store->mac_key, sizeof txn->store->mac_key);
    if (e)
        return e;
    pack_text(&pack, magic);
    pack_number(&pack, STORE_FORMAT);
    pack_number(&pack, kind);
    pack_blob(&pack, uuid, sizeof uuid);
    pack_blob(&pack, txn->store->mac_key, sizeof txn->store->mac_key);
    if (pack.failed)
        txn_fail(txn, ERR_NO_MEMORY);
    else
        txn_put(txn, meta_key, (struct bytes){pack.data, pack.size});
    pack_free(&pack);
    return ERR_OK;
}

static enum err meta_read(struct txn *txn, enum store_kind kind)
{
    struct bytes record = {NULL, 0};
    char name[sizeof magic];
    enum err e = txn_get(txn, meta_key, &record);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_DAMAGED : e;
    struct unpack u = unpack_of(record);
    unpack_text(&u, name, sizeof magic - 1);
    if (u.failed || strcmp(name, magic) != 0)
        return ERR_DAMAGED;
    if (unpack_number(&u, UINT64_MAX) > STORE_FORMAT)
        return ERR_TOO_NEW;
    uint64_t stored = unpack_number(&u, UINT64_MAX);
    struct bytes uuid = unpack_blob(&u, UUID_SIZE);
    struct bytes mac_key = unpack_blob(&u, CRYPTO_MAC_KEY_SIZE);
    if (!unpack_done(&u) || uuid.size != UUID_SIZE || mac_key.size != CRYPTO_MAC_KEY_SIZE)
        return ERR_DAMAGED;
    if (stored != (uint64_t)kind)
        return ERR_OTHER_STORE;
    memcpy(txn->store->mac_key, mac_key.data, mac_key.size);
    return ERR_OK;
}

/* How many of the ids in a record of LMDB's list of free pages are `from` or above. */
static uint64_t free_from(MDB_val list, uint64_t from)
{
    size_t count, id;
    uint64_t found = 0;
    if (list.mv_size < sizeof count)
        return 0;
    memcpy(&count, list.mv_data, sizeof count);
    if (count > list.mv_size / sizeof id - 1)
        return 0;
    for (size_t i = 1; i <= count; i++) {
        memcpy(&id, (const char *)list.mv_data + i * sizeof id, sizeof id);
        found += id >= from;
    }
    return found;
}

/* Counts them in all its records, as of that commit; ERR_BUSY where that is not what a reader sees.
 * The list is the database of number 0, which may be read. */
static enum err count_free(struct store *store, uint64_t commit, uint64_t from, uint64_t *found)
{
    struct txn txn = {.store = store};
    MDB_val key, list;
    *found = 0;
    int code = begin_read(&txn);
    if (code)
        return from_lmdb(code);
    const bool same = mdb_txn_id(txn.mdb) == commit;
    if (same)
        code = mdb_cursor_open(txn.mdb, 0, &txn.cursor);
    if (txn.cursor) {
        while (!(code = cursor_get(&txn, &key, &list, MDB_NEXT)))
            *found += ends_in_page(&txn, list) ? free_from(list, from) : 0;
        mdb_cursor_close(txn.cursor);
    }
    mdb_txn_abort(txn.mdb);
    return !same ? ERR_BUSY : code == MDB_NOTFOUND ? ERR_OK : from_lmdb(code);
}

/* The pages from `there` up are missing. Who is watched needs no cover, beside which another
 * thread might read what it has just written. */
static enum err are_free(struct store *store, int fd, uint64_t commit, uint64_t there,
                         uint64_t pages)
{
    const size_t from = (size_t)there * store->page_size, to = (size_t)pages * store->page_size;
    uint64_t found;
    if (!store->data && !mapping_cover(fd, from, to))
        return ERR_DAMAGED;
    enum err e = count_free(store, commit, there, &found);
    if (!store->data && !mapping_uncover(fd, from, to))
        return ERR_IO;
    bool damaged = e == ERR_BROKEN || is_lost(store) || (!e && found != pages - there);
    return damaged ? ERR_DAMAGED : e;
}

static enum err file_look(struct store *store)
{
    MDB_envinfo info;
    struct stat file;
    int fd;
    if (mdb_env_info(store->env, &info) || mdb_env_get_fd(store->env, &fd))
        return ERR_IO;
    if (fstat(fd, &file) != 0)
        return err_from_errno(errno);
    const uint64_t pages = info.me_last_pgno + 1;
    const uint64_t there = (uint64_t)file.st_size / store->page_size;
    if (there >= pages ||
        (info.me_last_txnid == store->short_commit && there >= store->short_pages))
        return ERR_OK;
    if (pages > info.me_mapsize / store->page_size)
        return ERR_DAMAGED;
    enum err e = are_free(store, fd, info.me_last_txnid, there, pages);
    if (!e) {
        store->short_commit = info.me_last_txnid;
        store->short_pages = there;
    }
    return e;
}

/* Is the file as long as its pages in use? A shorter one would end the process at a read. Pages at
 * its end that are free may be missing: what a transaction took and gave back LMDB never wrote.
 * ERR_BUSY where others commit all the while. */
static enum err file_complete(struct store *store)
{
    enum err e;
    int tries = 0;
    do
        e = file_look(store);
    while (e == ERR_BUSY && ++tries < OPEN_TRIES);
    return e;
}

/* LMDB cannot be told to let go of a lock that a write scope took which was left, and the C library
 * remembers, for each thread, the lock that it holds: where the lock's page was lost, for longer
 * than it is held. So neither is unmapped, and no cursor is freed that may lie on a stack. */
static bool is_abandoned(const struct store *store)
{
    return atomic_load(&store->left) || lost_pages_met(store->lock);
}

/* Keeps what is never freed where it can be found. */
static void abandon(const struct store *store)
{
    struct store *kept = malloc(sizeof *kept);
    if (!kept)
        return;
    *kept = *store;
    crypto_wipe(kept->mac_key, sizeof kept->mac_key);
    kept->next = abandoned_stores;
    abandoned_stores = kept;
}

static void env_drop(struct store *store)
{
    if (is_abandoned(store)) {
        abandon(store);
        lost_pages_leave(store->lock);
    } else {
        lost_pages_forget(store->lock);
        mdb_env_close(store->env);
    }
    lost_pages_forget(store->data);
    store->data = store->lock = NULL;
    store->env = NULL;
    atomic_store(&store->left, false);
    store->kept = NULL;
}

static enum err page_size_read(struct store *store)
{
    MDB_stat stat_;
    enum err e = from_lmdb(mdb_env_stat(store->env, &stat_));
    if (!e)
        store->page_size = stat_.ms_psize;
    return e;
}

/* Both files, before anything is read that may be missing. */
static void watch(struct store *store)
{
    if (store->files.data)
        store->data =
            lost_pages_watch_file(store->files.data_device, store->files.data, &store->lost);
    if (store->files.lock)
        store->lock =
            lost_pages_watch_file(store->files.lock_device, store->files.lock, &store->lost);
}

static enum err env_open(struct store *store, const char *path, unsigned flags)
{
    int fd;
    atomic_store(&store->lost, false);
    escape_is_mine(&store->read_escape);
    int code = mdb_env_create(&store->env);
    if (code)
        return from_lmdb(code);
    code = mdb_env_set_userctx(store->env, store);
    if (!code)
        code = mdb_env_set_assert(store->env, on_assert);
    if (!code)
        code = mdb_env_set_mapsize(store->env, map_size);
    if (!code)
        code = mdb_env_set_maxreaders(store->env, READERS);
    if (!code)
        code = mdb_env_open(store->env, path, flags | MDB_NOTLS | MDB_NORDAHEAD, 0600);
    if (!code)
        code = mdb_env_get_fd(store->env, &fd);
    if (!code && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) /* LMDB 0.9.24 leaves it to children */
        code = errno;
    enum err e = from_lmdb(code);
    if (!e)
        e = page_size_read(store);
    if (!e) {
        watch(store);
        e = file_complete(store);
    }
    if (e)
        env_drop(store);
    return e;
}

/* Watches data.mdb from the first record's address, where the file could not be found: some file
 * systems give stat another device than mappings. */
static void watch_around(struct store *store, struct txn *txn)
{
    MDB_val key = to_val(meta_key), value;
    if (!store->data && val_get(txn, &key, &value) == MDB_SUCCESS)
        store->data = lost_pages_watch(value.mv_data, &store->lost);
}

/* A file that was put in the place of another's content is older than what lock.mdb says while
 * others have it open: then no snapshot of it can be told from a mixture. */
static enum err env_look(struct store *store)
{
    struct txn *txn = NULL;
    enum err e = txn_reader(&txn, store);
    if (e)
        return e;
    e = txn_renew(txn);
    if (!e)
        e = from_lmdb(mdb_dbi_open(txn->mdb, NULL, 0, &store->dbi));
    if (!e && txn_id(txn) > store_last_commit(store))
        e = ERR_BROKEN;
    if (!e) {
        watch_around(store, txn);
        e = meta_read(txn, store->kind);
    }
    txn_close(txn);
    return e;
}

/* LMDB 0.9.26 to 0.9.31 may break the locks of an opener that meets a closer of a program that does
 * not take our flock. The first transaction then says EINVAL, which is ERR_IO here. ERR_BUSY is a
 * short file to which another writes. */
static enum err env_open_and_look(struct store *store, const char *path, unsigned flags, bool wait)
{
    for (int tries = 0;; tries++) {
        enum err e = env_open(store, path, flags);
        bool again = e == ERR_BUSY;
        if (!e) {
            store_check_readers(store);
            e = env_look(store);
            if (!e)
                return ERR_OK;
            env_drop(store);
            again = e == ERR_IO;
        }
        if (!again || !wait || tries == OPEN_TRIES)
            return e;
        const struct timespec pause = {0, 20 * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
}

/* One that this process has open already; it may read where it may write. */
static enum err open_again(struct store **out, const struct store *wanted)
{
    for (struct store *store = open_stores; store; store = store->next) {
        if (store->files.data_device != wanted->files.data_device ||
            store->files.data != wanted->files.data)
            continue;
        if (store->kind != wanted->kind)
            return ERR_OTHER_STORE;
        if (wanted->mode == STORE_WRITE && store->mode == STORE_READ)
            return ERR_BUSY;
        store->users++;
        *out = store;
        return ERR_OK;
    }
    return ERR_NOT_FOUND;
}

static enum err open_first(struct store **out, const char *path, unsigned flags, bool wait,
                           const struct store *wanted)
{
    struct store *store = malloc(sizeof *store);
    if (!store)
        return ERR_NO_MEMORY;
    *store = *wanted;
    enum err e = env_open_and_look(store, path, flags, wait);
    if (e) {
        free(store);
        return e;
    }
    store->next = open_stores;
    open_stores = store;
    *out = store;
    return ERR_OK;
}

static enum err open_in(struct store **out, const struct store_dir *place, const char *dir,
                        enum store_kind kind, enum store_mode mode, bool wait)
{
    struct store wanted = {.kind = kind, .mode = mode, .users = 1, .overlay = place->overlay};
    enum err e = store_dir_files(place, &wanted.files);
    if (!e) {
        e = open_again(out, &wanted);
        if (e == ERR_NOT_FOUND) {
            e = store_dir_fill_lock(place);
            if (!e)
                e = open_first(out, dir, mode == STORE_READ ? MDB_RDONLY : 0, wait, &wanted);
        }
    }
    return e;
}

enum err store_open_copy(struct store **store, const char *file, enum store_kind kind)
{
    struct store wanted = {.kind = kind, .mode = STORE_READ, .users = 1};
    struct stat info;
    if (stat(file, &info) != 0)
        return err_from_errno(errno);
    wanted.files.data_device = info.st_dev;
    wanted.files.data = info.st_ino;
    if (!S_ISREG(info.st_mode) || info.st_size < 2L * SMALLEST_PAGE)
        return ERR_DAMAGED;
    return open_first(store, file, MDB_RDONLY | MDB_NOLOCK | MDB_NOSUBDIR, true, &wanted);
}

void store_distrust(struct store *store)
{
    atomic_store(&store->lost, true);
}

void store_be_quick(struct store *store, bool quick)
{
    if (store)
        store->quick = quick;
}

bool store_in_place(struct store *store)
{
    const char *dir;
    if (is_lost(store))
        return false;
    const uint64_t last = store_last_commit(store);
    if (last < store->looked_at || file_complete(store) == ERR_DAMAGED)
        store_distrust(store);
    store->looked_at = last;
    if (is_lost(store))
        return false;
    return mdb_env_get_path(store->env, &dir) != MDB_SUCCESS || store_dir_has(dir, &store->files);
}

/* The environment knows its directory; the lock keeps an opener elsewhere from meeting a half
 * closed one. It is closed all the same where the lock cannot be had. Where other files lie in its
 * place, nobody can be opening it. */
static void env_close(struct store *store)
{
    const char *path = NULL;
    struct store_dir place;
    bool locked = mdb_env_get_path(store->env, &path) == MDB_SUCCESS &&
                  !store_dir_begin(&place, path, store_in_place(store));
    env_drop(store);
    enum err ended = locked ? store_dir_end(&place, ERR_OK) : ERR_OK;
    (void)ended; /* it is closed all the same */
}

/* Nobody uses it any more: out of the list. */
static bool leave(struct store *store)
{
    if (!store || --store->users)
        return false;
    struct store **link = &open_stores;
    while (*link != store)
        link = &(*link)->next;
    *link = store->next;
    return true;
}

static void store_free(struct store *store)
{
    crypto_wipe(store->mac_key, sizeof store->mac_key);
    free(store);
}

void store_close(struct store *store)
{
    if (!leave(store))
        return;
    env_close(store);
    store_free(store);
}

/* While the directory is locked. NULL is fine. */
static void close_in(struct store *store)
{
    if (!store || !leave(store))
        return;
    env_drop(store);
    store_free(store);
}

/* Opens it and lets the directory go. NULL after an error, also of that. */
static enum err open_and_end(struct store **store, struct store_dir *place, const char *dir,
                             enum store_kind kind, enum store_mode mode, bool wait)
{
    struct store *opened = NULL;
    const enum err e = open_in(&opened, place, dir, kind, mode, wait);
    const enum err ended = store_dir_end(place, e);
    if (ended)
        close_in(opened);
    *store = ended ? NULL : opened;
    return ended;
}

enum err store_open(struct store **store, const char *dir, enum store_kind kind,
                    enum store_mode mode)
{
    struct store_dir place;
    struct store *opened = NULL;
    enum err e = store_dir_begin(&place, dir, true);
    if (!e)
        e = open_and_end(&opened, &place, dir, kind, mode, true);
    if (!e)
        *store = opened;
    return e;
}

/* The lock is held from before the one is closed until the other is open: who waits for the old one
 * to be let go of (`devreg restore`) does not come between. */
enum err store_reopen(struct store **store, const char *dir, enum store_kind kind,
                      enum store_mode mode)
{
    struct store_dir place;
    enum err e = store_dir_begin(&place, dir, false);
    if (e == ERR_BUSY)
        return e;
    if (e) {
        close_in(*store); /* without, rather than wait for it */
        *store = NULL;
        return e;
    }
    close_in(*store);
    return open_and_end(store, &place, dir, kind, mode, false);
}

bool store_on_overlay(const struct store *store)
{
    return store->overlay;
}

uint64_t store_last_commit(const struct store *store)
{
    MDB_envinfo info;
    (void)mdb_env_info(store->env, &info); /* fails only without an environment */
    return info.me_last_txnid;
}

void store_check_readers(struct store *store)
{
    int dead;
    (void)mdb_reader_check(store->env, &dead);
}

void store_size(struct store *store, uint64_t *used, uint64_t *limit)
{
    MDB_envinfo info;
    MDB_stat stat_;
    (void)mdb_env_info(store->env, &info);
    (void)mdb_env_stat(store->env, &stat_);
    *used = ((uint64_t)info.me_last_pgno + 1) * stat_.ms_psize;
    *limit = info.me_mapsize;
}

void store_forget_pages(const struct store *store)
{
    mdb_filehandle_t file;
    if (mdb_env_get_fd(store->env, &file) == MDB_SUCCESS)
        mapping_forget(file);
}

/* Writes the first records into the fresh environment in `dir` and has them on the disk: LMDB does
 * not sync the pages that it writes when it makes a file. */
static enum err write_first(const char *dir, enum store_kind kind,
                            enum err (*fill)(struct txn *txn, void *context), void *context)
{
    struct store store = {.kind = kind, .mode = STORE_WRITE};
    struct txn *txn = NULL;
    enum err e = env_open(&store, dir, 0);
    if (e)
        return e;
    e = txn_write(&txn, &store);
    if (!e && txn) { /* a linter does not see that these go together */
        e = from_lmdb(mdb_dbi_open(txn->mdb, NULL, 0, &store.dbi));
        if (!e)
            e = meta_put(txn, kind);
        if (!e && fill)
            e = fill(txn, context);
        if (e)
            txn_fail(txn, e);
        e = txn_commit(txn);
    }
    if (!e)
        e = from_lmdb(mdb_env_sync(store.env, 1));
    env_drop(&store);
    crypto_wipe(store.mac_key, sizeof store.mac_key);
    return e;
}

enum err store_create(const char *dir, enum store_kind kind, const struct store_files *files,
                      enum err (*fill)(struct txn *txn, void *context), void *context)
{
    struct store_dir place;
    struct stat there;
    char *part = NULL;
    enum err e = store_dir_begin(&place, dir, true);
    if (e)
        return e;
    e = fstatat(place.fd, "data.mdb", &there, AT_SYMLINK_NOFOLLOW) == 0
            ? ERR_EXISTS
            : store_dir_part(dir, &part);
    if (!e) {
        e = write_first(part, kind, fill, context);
        if (!e)
            e = store_dir_adopt(&place, part, files);
        store_dir_drop_part(part);
    }
    return store_dir_end(&place, e);
}

enum err store_copy(struct store *store, int file, int *code)
{
    int result = mdb_env_copyfd2(store->env, file, MDB_CP_COMPACT);
    *code = result > 0 ? result : 0;
    return from_lmdb(result);
}
