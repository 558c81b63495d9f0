/* command.h - what a verb of `devreg` is, and one call of it.
 *
 * Each verb is a row in commands.c. Dispatch, the checks of options and arguments, help, and the
 * mode in which the registry is opened all come from that row. A call goes its way in main.c:
 *
 *   parse -> open the registry -> run -> end scopes, close -> say the complaint -> exit status
 *
 * A verb that cannot do its work leaves one complaint and returns why. It is said only after the
 * registry is closed: nothing is written to a terminal, which may be stopped, within a transaction.
 */
#ifndef DEVREG_ADMIN_COMMAND_H
#define DEVREG_ADMIN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/options.h"
#include "registry/registry.h"

/* The exit status. */
enum status {
    STATUS_DONE = 0,
    STATUS_NO = 1,     /* not found, denied, already there, still in use */
    STATUS_MISUSE = 2, /* used wrongly */
    STATUS_FAILED = 3  /* the system failed */
};

enum { COMPLAINT_MAX = 1023, WORDS_ANY = 1000, DIRECTORY_MAX = 1000 };

/* What a verb needs open. */
enum need { NEED_NOTHING, NEED_READ, NEED_WRITE };

struct call;

struct command {
    const char *name;     /* one word or two: "add", "role add" */
    const char *words;    /* its arguments, as help shows them; NULL for none */
    const char *summary;  /* one line, without a full stop */
    const char *details;  /* more for --help; or NULL */
    const char *examples; /* lines */
    size_t words_min, words_max;
    enum need need;
    uint64_t options; /* OPTION_BIT of each that it takes */
    enum status (*run)(struct call *call);
};

extern const struct command commands[];
extern const size_t command_count;

struct call {
    const struct command *command;
    struct arguments arguments;
    bool json;
    const char *dir;                                           /* the registry's */
    char presence[DIRECTORY_MAX + sizeof PRESENCE_SUBDIR + 1]; /* of the presence store */
    int64_t now;
    char who[LOG_WHO_MAX + 1];         /* stands in the change log */
    struct registry *registry;         /* open as the command needs it, or NULL */
    char detail[LOG_DETAIL_MAX + 1];   /* of the change at hand, for the log */
    bool changed;                      /* something, which is on the disk */
    int write_error;                   /* errno of the first output_flush that failed */
    char complaint[COMPLAINT_MAX + 1]; /* "" for none; see complain.h */
};

/* An argument: there are at least words_min of them. */
static inline const char *call_word(const struct call *call, size_t index)
{
    return call->arguments.words[index];
}

/* The value of an option, "" for one that takes none; NULL where it is not given. */
static inline const char *call_option(const struct call *call, enum option option)
{
    return option_value(&call->arguments, option);
}

enum status cmd_init(struct call *call);
enum status cmd_add(struct call *call);
enum status cmd_password(struct call *call);
enum status cmd_rotate(struct call *call);
enum status cmd_list(struct call *call);
enum status cmd_show(struct call *call);
enum status cmd_set(struct call *call);
enum status cmd_disable(struct call *call);
enum status cmd_enable(struct call *call);
enum status cmd_revoke(struct call *call);
enum status cmd_remove(struct call *call);
enum status cmd_role_add(struct call *call);
enum status cmd_role_list(struct call *call);
enum status cmd_role_show(struct call *call);
enum status cmd_role_remove(struct call *call);
enum status cmd_allow(struct call *call);
enum status cmd_deny(struct call *call);
enum status cmd_unset(struct call *call);
enum status cmd_limit(struct call *call);
enum status cmd_explain(struct call *call);
enum status cmd_log(struct call *call);
enum status cmd_stats(struct call *call);
enum status cmd_watch(struct call *call);
enum status cmd_check(struct call *call);
enum status cmd_export(struct call *call);
enum status cmd_import(struct call *call);
enum status cmd_backup(struct call *call);
enum status cmd_restore(struct call *call);
enum status cmd_log_trim(struct call *call);
enum status cmd_apply(struct call *call);

#endif
