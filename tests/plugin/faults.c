#include "tests/plugin/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "plugin/mosq.h"
#include "tests/plugin/memory.h"

/* As in lmdb.h, which only one file includes. */
enum {
    NOT_FOUND_PAGE = -30797,
    MAP_FULL = -30792,
    READERS_FULL = -30790,
    CURSOR_FULL = -30787,
    MAP_RESIZED = -30785,
    NO_SYNC = 0x10000
};

static struct {
    atomic_bool armed;
    bool on;
    long left;
    _Atomic(const char *) failed;
} fault;

void fault_arm(long number, bool on)
{
    fault.left = number;
    fault.on = on;
    atomic_store(&fault.failed, NULL);
    atomic_store(&fault.armed, true);
}

const char *fault_disarm(void)
{
    atomic_store(&fault.armed, false);
    return atomic_load(&fault.failed);
}

/* The broker's thread and the writer's do not run at a time: see disk.h. */
static bool fails(const char *what)
{
    const char *none = NULL;
    if (!atomic_load(&fault.armed))
        return false;
    fault.left--;
    if (fault.left > 0 || (fault.left < 0 && !fault.on))
        return false;
    (void)atomic_compare_exchange_strong(&fault.failed, &none, what);
    return true;
}

bool memory_fails(void)
{
    return fails("memory");
}

/* The linker's names. NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c) */

#define WRAP(type, name, failure, parameters, arguments)                                           \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails(#name) ? (failure) : __real_##name arguments;                                 \
    }

#define WRAP_ERRNO(type, name, code, parameters, arguments)                                        \
    WRAP(type, name, (errno = (code), (type)-1), parameters, arguments)

WRAP(int, mdb_env_create, ENOMEM, (void **env), (env))
/* Without syncs: nobody pulls a plug here. */
WRAP(int, mdb_env_open, EIO, (void *env, const char *path, unsigned flags, mode_t mode),
     (env, path, flags | NO_SYNC, mode))
WRAP(int, mdb_dbi_open, CURSOR_FULL, (void *txn, const char *name, unsigned flags, void *dbi),
     (txn, name, flags, dbi))
WRAP(int, mdb_txn_begin, MAP_RESIZED, (void *env, void *parent, unsigned flags, void **txn),
     (env, parent, flags, txn))
WRAP(int, mdb_txn_renew, READERS_FULL, (void *txn), (txn))
WRAP(int, mdb_get, NOT_FOUND_PAGE, (void *txn, unsigned dbi, void *key, void *value),
     (txn, dbi, key, value))
WRAP(int, mdb_put, MAP_FULL, (void *txn, unsigned dbi, void *key, void *value, unsigned flags),
     (txn, dbi, key, value, flags))
WRAP(int, mdb_del, MAP_FULL, (void *txn, unsigned dbi, void *key, void *value),
     (txn, dbi, key, value))
WRAP(int, mdb_cursor_open, ENOMEM, (void *txn, unsigned dbi, void **cursor), (txn, dbi, cursor))
WRAP(int, mdb_cursor_renew, EINVAL, (void *txn, void *cursor), (txn, cursor))
WRAP(int, mdb_cursor_get, NOT_FOUND_PAGE, (void *cursor, void *key, void *value, int op),
     (cursor, key, value, op))

WRAP_ERRNO(int, flock, ENOLCK, (int file, int how), (file, how))
WRAP_ERRNO(int, fstat64, EIO, (int file, void *info), (file, info))
WRAP_ERRNO(int, lstat64, ENOENT, (const char *path, void *info), (path, info))
WRAP_ERRNO(int, fstatat64, EACCES, (int dir, const char *path, void *info, int flags),
           (dir, path, info, flags))
WRAP_ERRNO(int, fstatfs64, EIO, (int file, void *info), (file, info))
WRAP_ERRNO(int, linkat, ENOSPC, (int from, const char *a, int to, const char *b, int flags),
           (from, a, to, b, flags))
WRAP_ERRNO(int, fsync, EIO, (int file), (file))
WRAP_ERRNO(int, fchmod, EPERM, (int file, mode_t mode), (file, mode))
WRAP_ERRNO(int, sem_init, ENOSPC, (sem_t * sem, int shared, unsigned value), (sem, shared, value))
WRAP(int, pthread_create, EAGAIN,
     (pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *), void *context),
     (thread, how, run, context))
WRAP(int, sodium_init, -1, (void), ())

WRAP(int, mosquitto_callback_register, MOSQ_ERR_NOMEM,
     (mosquitto_plugin_id_t * id, int event, MOSQ_FUNC_generic_callback call, const void *data,
      void *userdata),
     (id, event, call, data, userdata))
WRAP(int, mosquitto_broker_publish, MOSQ_ERR_NOMEM,
     (const char *id, const char *topic, int size, void *payload, int qos, bool retain,
      mosquitto_property *properties),
     (id, topic, size, payload, qos, retain, properties))
WRAP(int, mosquitto_kick_client_by_clientid, MOSQ_ERR_NOMEM, (const char *id, bool with_will),
     (id, with_will))

/* The transaction ends in any case. */
int __real_mdb_txn_commit(void *txn);
int __wrap_mdb_txn_commit(void *txn);
void mdb_txn_abort(void *txn);
int __wrap_mdb_txn_commit(void *txn)
{
    if (!fails("mdb_txn_commit"))
        return __real_mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return ENOSPC;
}

/* Nobody here makes a file without a mode that is given. */
int __real_open64(const char *path, int flags, mode_t mode);
int __wrap_open64(const char *path, int flags, mode_t mode);
int __wrap_open64(const char *path, int flags, mode_t mode)
{
    if (!fails("open"))
        return __real_open64(path, flags, mode);
    errno = EMFILE;
    return -1;
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c) */
