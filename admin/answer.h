/* answer.h - what a verb says when a device or role was changed: with --json the record as it now
 * is, else nothing on stdout, and a word to a person at a terminal. */
#ifndef DEVREG_ADMIN_ANSWER_H
#define DEVREG_ADMIN_ANSWER_H

#include "admin/command.h"

/* `done` is what happened: "disabled". Both return STATUS_DONE. */
enum status answer_device(const struct call *call, const struct device *device, const char *done);
enum status answer_role(const struct call *call, const struct role *role, const char *done);

/* The new key, once: alone on stdout, and on stderr how to try it; with OPT_QR as a code on the
 * terminal, too, or there instead of on stdout if that is the same screen. `added` tells `add` from
 * a later key. A complaint where the key did not get there. */
MUST_CHECK enum status answer_key(struct call *call, const struct device *device,
                                  uint32_t credential, const char *key, bool added);

#endif
