/* accounts.h - a broker that had a password_file and an acl_file before devreg came: the user hans,
 * who may use hans/#. */
#ifndef DEVREG_TESTS_ACCOUNTS_H
#define DEVREG_TESTS_ACCOUNTS_H

#include "scene.h"

#define CONF_ACCOUNTS "password_file @DIR@/passwords\nacl_file @DIR@/acl\n"
#define HANS          .user = "hans", .key = "pass-of-hans"

/* Writes both files; `more` stands at the end of the acl_file. */
void accounts_write(struct scene *scene, const char *more);

#endif
