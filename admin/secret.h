/* secret.h - keys and passwords in this process: read without echo, shown once, wiped. */
#ifndef DEVREG_ADMIN_SECRET_H
#define DEVREG_ADMIN_SECRET_H

#include "admin/command.h"
#include "registry/key.h"

enum { PASSWORD_MIN = 8, PASSWORD_MAX = 128 };

/* From now on no core is dumped and no other process of this user reads the memory. Call it before
 * a secret is there. */
MUST_CHECK enum status secrets_guard(struct call *call);

/* Asks for a new password on the terminal, twice, without echo. The caller wipes it. */
MUST_CHECK enum status password_ask(struct call *call, char password[static PASSWORD_MAX + 1]);

/* Reads the first line of `path`, "-" for stdin. The caller wipes it. */
MUST_CHECK enum status password_read(struct call *call, const char *path,
                                     char password[static PASSWORD_MAX + 1]);

/* Reads a password where OPT_PASSWORD_FILE says, else from the terminal, and makes of it the
 * secret of `credential`. It takes 30 ms: not within a write scope. */
MUST_CHECK enum status password_credential(struct call *call, struct credential *credential);

/* Makes a new key, and of it the secret of the credential. The caller shows and wipes it. */
MUST_CHECK enum status key_credential(struct call *call, const char *device,
                                      struct credential *credential,
                                      char key[static KEY_TEXT_SIZE + 1]);

/* Writes all of `text` past the buffers of stdio, which nobody would wipe, and waits where the file
 * takes no more for now. False with errno. */
bool secret_write(int file, const char *text, size_t size);

#endif
