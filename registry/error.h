/* error.h - what can go wrong, in one list.
 *
 * Rules that hold in every header of this library, said once:
 *  - Pointers are not NULL unless the declaration says so. Strings end in NUL.
 *  - Inputs are borrowed for the call. What a function keeps, it copies.
 *  - After an error the outputs are untouched and the state is as before.
 *  - Times are milliseconds since 1970-01-01 UTC; 0 means "never" or "not set".
 *  - Sizes named X_MAX count bytes without the final NUL.
 *  - Questions return bool, decisions enum verdict (0 is deny), work that can fail enum err.
 *  - Wrong use is an assertion, not an error. Nothing here prints, exits or logs.
 */
#ifndef DEVREG_REGISTRY_ERROR_H
#define DEVREG_REGISTRY_ERROR_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
    ERR_OK = 0,
    ERR_NOT_FOUND,    /* no such device, role, rule, file */
    ERR_EXISTS,       /* it is there already */
    ERR_TWIN,         /* another name differs from it only in case */
    ERR_INVALID,      /* breaks a grammar or a limit of length */
    ERR_TOO_MANY,     /* one more than fits */
    ERR_IN_USE,       /* a role that devices hold */
    ERR_FULL,         /* disk or map is full */
    ERR_BUSY,         /* somebody else holds the lock, or no reader slot is left */
    ERR_DAMAGED,      /* a record or file that is not what was written */
    ERR_OTHER_STORE,  /* a sound store, but of another kind */
    ERR_BROKEN,       /* the file's structure is damaged, beyond a single record */
    ERR_TOO_NEW,      /* written by a later devreg */
    ERR_NO_REGISTRY,  /* the directory holds no registry */
    ERR_PERMISSION,   /* the operating system says no */
    ERR_FILESYSTEM,   /* a network or FUSE file system, where LMDB is not safe */
    ERR_REPLACED,     /* by an import, or another registry took its place */
    ERR_OTHER_PID_NS, /* the lock file belongs to another container's process ids */
    ERR_NO_MEMORY,
    ERR_RANDOM, /* the random source failed */
    ERR_IO,
    ERR_COUNT
};

/* One short phrase for `e`, lower case, without a full stop. Never NULL. */
const char *err_text(enum err e);

enum verdict { VERDICT_DENY = 0, VERDICT_ALLOW = 1 };

#endif
