/* fit.h - is the devreg.so that the broker loads, and the one that it ran last, of this version? */
#ifndef DEVREG_ADMIN_FIT_H
#define DEVREG_ADMIN_FIT_H

#include "admin/command.h"
#include "registry/presence_store.h"

/* Fills the version of the devreg.so in `file`. 0, or errno; EINVAL where it is none, or one from
 * before it said so. */
int fit_read(char version[static VERSION_TEXT_MAX + 1], const char *file);

/* Reports what does not fit. `ran` is the version that ran last, "" where that is not known. The
 * plugin is that of --plugin, or else where it is installed, if it is there. */
void fit_check(const struct call *call, const char *ran,
               void (*report)(void *context, const char *what, const char *problem), void *context);

#endif
