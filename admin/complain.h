/* complain.h - what is said on stderr: one complaint, warnings, and what a person should know.
 *
 * Every line is escaped as a whole (text_escape), so no caller can forget to. An error is one line:
 * "devreg: what: why; what to do".
 */
#ifndef DEVREG_ADMIN_COMPLAIN_H
#define DEVREG_ADMIN_COMPLAIN_H

#include "admin/command.h"

#define PRINTF_LIKE(text, values) __attribute__((format(printf, text, values)))

/* At most so much of what the user typed is said back to him. */
#define SHOWN "%.150s"

/* For "1 device", "2 devices". */
static inline const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* Keeps the call's complaint, which main says at the end; the first one stays. Returns `status`. */
enum status complain(struct call *call, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The registry answered `e`: complains with what to do about it. For ERR_OK: STATUS_DONE. */
enum status complain_err(struct call *call, enum err e);

/* Names that the user typed, checked: STATUS_DONE, or a complaint. */
enum status check_device_id(struct call *call, const char *id);
enum status check_role_name(struct call *call, const char *name);

/* There is no such device (role): a complaint that says what to do. */
enum status complain_no_device(struct call *call, const char *id);
enum status complain_no_role(struct call *call, const char *name);

/* Some records of a list were warned of and left out. */
enum status complain_damaged(struct call *call);

/* Nothing but `remove` and `add` leads out of revoked. */
enum status complain_revoked(struct call *call, const char *id);

/* Say a line on stderr now: as it is; after "devreg: warning: "; only to a person, on a terminal.
 */
void tell(const char *format, ...) PRINTF_LIKE(1, 2);
void warn(const char *format, ...) PRINTF_LIKE(1, 2);
void tell_person(const char *format, ...) PRINTF_LIKE(1, 2);

/* What to do about a registry that cannot be used. */
const char *err_remedy(enum err e);

/* What to do where permission is denied. Root works as the owner of what is not its own. */
const char *permission_remedy(void);

/* What to do about a file that cannot be used, for the reason that errno says. */
const char *file_remedy(int code);

/* The file `path` cannot be used: what errno says, and what to do. Misuse where the name is wrong.
 */
enum status complain_file(struct call *call, const char *path, int code);

#endif
