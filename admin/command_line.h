/* command_line.h - from argv to a call: which verb, which arguments, which options. */
#ifndef DEVREG_ADMIN_COMMAND_LINE_H
#define DEVREG_ADMIN_COMMAND_LINE_H

#include <stdbool.h>

#include "admin/command.h"

/* Reads all of `argv` into `call->arguments`, which lends it. What asks for help or the version is
 * answered here; else call->command is what is to be run. */
MUST_CHECK enum status command_line_read(struct call *call, int argc, char *const *argv);

/* The verb that begins at argv[at], or NULL. "role", "list" is "role list", and "log", "trim"
 * is not "log". Tells in `*words` how many make the name up. */
const struct command *command_find(int argc, char *const *argv, int at, int *words);

/* Is it the first word of verbs that have two? */
bool is_group(const char *word);

#endif
