/* LMDB's calls, each with what it says when it goes wrong. */
#include <errno.h>
#include <lmdb.h>

#include "tests/fault/fault_internal.h"

#define SAYS(code, name, parameters, arguments)                                                    \
    FAULTY(FAULT_LMDB, int, code, name, parameters, arguments)

static size_t map_size;
static size_t usual_map; /* what is asked for first; a map that has to grow is asked for later */
static unsigned readers;

void fault_set_map_size(size_t size)
{
    map_size = size;
}

void fault_set_readers(unsigned count)
{
    readers = count;
}

EXPORT int mdb_env_set_mapsize(MDB_env *env, size_t size)
{
    FIND_REAL(mdb_env_set_mapsize);
    if (fault_hits(FAULT_LMDB, "mdb_env_set_mapsize"))
        return EINVAL;
    if (!usual_map)
        usual_map = size;
    return real_mdb_env_set_mapsize(env, map_size ? map_size + (size - usual_map) : size);
}

EXPORT int mdb_env_set_maxreaders(MDB_env *env, unsigned count)
{
    FIND_REAL(mdb_env_set_maxreaders);
    if (fault_hits(FAULT_LMDB, "mdb_env_set_maxreaders"))
        return EINVAL;
    return real_mdb_env_set_maxreaders(env, readers ? readers : count);
}

/* The transaction ends in any case. */
EXPORT int mdb_txn_commit(MDB_txn *txn)
{
    FIND_REAL(mdb_txn_commit);
    if (!fault_hits(FAULT_LMDB, "mdb_txn_commit"))
        return real_mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return ENOSPC;
}

SAYS(ENOMEM, mdb_env_create, (MDB_env * *env), (env))
SAYS(EIO, mdb_env_open, (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode),
     (env, path, flags, mode))
SAYS(EINVAL, mdb_env_get_fd, (MDB_env * env, mdb_filehandle_t *file), (env, file))
SAYS(EINVAL, mdb_env_get_path, (MDB_env * env, const char **path), (env, path))
SAYS(EIO, mdb_env_sync, (MDB_env * env, int force), (env, force))
SAYS(EIO, mdb_env_copyfd2, (MDB_env * env, mdb_filehandle_t file, unsigned flags),
     (env, file, flags))
SAYS(EINVAL, mdb_reader_check, (MDB_env * env, int *dead), (env, dead))
SAYS(ENOMEM, mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **txn),
     (env, parent, flags, txn))
SAYS(MDB_PANIC, mdb_txn_renew, (MDB_txn * txn), (txn))
SAYS(MDB_CORRUPTED, mdb_dbi_open,
     (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *database),
     (txn, name, flags, database))
SAYS(MDB_PAGE_NOTFOUND, mdb_get, (MDB_txn * txn, MDB_dbi database, MDB_val *key, MDB_val *value),
     (txn, database, key, value))
SAYS(MDB_MAP_FULL, mdb_put,
     (MDB_txn * txn, MDB_dbi database, MDB_val *key, MDB_val *value, unsigned flags),
     (txn, database, key, value, flags))
SAYS(MDB_MAP_FULL, mdb_del, (MDB_txn * txn, MDB_dbi database, MDB_val *key, MDB_val *value),
     (txn, database, key, value))
SAYS(ENOMEM, mdb_cursor_open, (MDB_txn * txn, MDB_dbi database, MDB_cursor **cursor),
     (txn, database, cursor))
SAYS(EINVAL, mdb_cursor_renew, (MDB_txn * txn, MDB_cursor *cursor), (txn, cursor))
SAYS(MDB_CORRUPTED, mdb_cursor_get,
     (MDB_cursor * cursor, MDB_val *key, MDB_val *value, MDB_cursor_op operation),
     (cursor, key, value, operation))
