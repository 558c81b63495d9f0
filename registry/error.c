#include "registry/error.h"

static const char *const texts[ERR_COUNT] = {
    [ERR_OK] = "done",
    [ERR_NOT_FOUND] = "not found",
    [ERR_EXISTS] = "already there",
    [ERR_TWIN] = "differs only in case from one that is there",
    [ERR_INVALID] = "not valid",
    [ERR_TOO_MANY] = "one more than fits",
    [ERR_IN_USE] = "still in use",
    [ERR_FULL] = "the disk or the registry's address space is full",
    [ERR_BUSY] = "busy: another process holds it",
    [ERR_DAMAGED] = "damaged",
    [ERR_OTHER_STORE] = "it holds a store of another kind",
    [ERR_BROKEN] = "damaged in its structure",
    [ERR_TOO_NEW] = "written by a newer devreg",
    [ERR_NO_REGISTRY] = "there is no registry",
    [ERR_PERMISSION] = "permission denied",
    [ERR_FILESYSTEM] = "on a network or FUSE file system, where LMDB is not safe",
    [ERR_REPLACED] = "replaced meanwhile",
    [ERR_OTHER_PID_NS] = "in use from another container",
    [ERR_NO_MEMORY] = "out of memory",
    [ERR_RANDOM] = "the system's random source failed",
    [ERR_IO] = "input/output error",
};

const char *err_text(enum err e)
{
    return (unsigned)e < ERR_COUNT && texts[e] ? texts[e] : "unknown error";
}
