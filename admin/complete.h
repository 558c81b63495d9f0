/* complete.h - what could stand next on a command line: for completions/, which ask with
 *
 *   devreg complete -- WORD...     all words behind `devreg`; the last one is being typed, maybe ""
 *
 * The answer is a line for each candidate, CANDIDATE TAB WHAT IT IS; or the one line ":files",
 * ":directories" or ":users", which a shell knows better. All of it follows from the tables of
 * verbs and options, and devices and roles from the registry, if it can be read. Nothing is ever
 * said on stderr: it would be written into the line that is being typed.
 */
#ifndef DEVREG_ADMIN_COMPLETE_H
#define DEVREG_ADMIN_COMPLETE_H

#include "admin/command.h"

#define COMPLETE_VERB "complete"

/* `words` are `count` of them, without a leading "--". */
void complete(struct call *call, int count, char *const *words);

/* Is it known what stands for `placeholder` in help, as ID or FILE? For the tests. */
bool complete_knows(const char *placeholder);

#endif
