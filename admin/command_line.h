/* command_line.h - from argv to a call: which verb, which arguments, which options. */
#ifndef DEVREG_ADMIN_COMMAND_LINE_H
#define DEVREG_ADMIN_COMMAND_LINE_H

#include "admin/command.h"

/* Reads all of `argv` into `call->arguments`, which lends it. What asks for help or the version is
 * answered here; else call->command is what is to be run. */
MUST_CHECK enum status command_line_read(struct call *call, int argc, char *const *argv);

#endif
