/* help.h - what `devreg --help` and `devreg VERB --help` say: all of it from the tables. */
#ifndef DEVREG_ADMIN_HELP_H
#define DEVREG_ADMIN_HELP_H

#include <stdio.h>

#include "admin/command.h"

void help_all(FILE *file);
void help_command(FILE *file, const struct command *command);

/* The commands whose first word is `group`: "role". False where there is none. */
bool help_group(FILE *file, const char *group);

#endif
