/* options.h - the options of all verbs in one table, and how they are read.
 *
 *   --name VALUE   --name=VALUE   -n VALUE   -nVALUE   --   (all that follows are arguments)
 *
 * Options stand anywhere among the arguments. Names are written out in full, so that a later one
 * never makes a script's short form ambiguous. Two rows may share a name where no verb takes both:
 * `add --role` gives a role, `list --role` asks for one.
 */
#ifndef DEVREG_ADMIN_OPTIONS_H
#define DEVREG_ADMIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option {
    OPT_REGISTRY,
    OPT_JSON,
    OPT_HELP,
    OPT_VERSION,
    OPT_USER,
    OPT_ROLE,
    OPT_NO_ROLE,
    OPT_SET,
    OPT_EXPIRES,
    OPT_NOTE,
    OPT_CLIENT_ID,
    OPT_NO_KEY,
    OPT_PASSWORD,
    OPT_PASSWORD_FILE,
    OPT_FROM,
    OPT_COUNT_OF,
    OPT_PREFIX,
    OPT_START,
    OPT_KEYS,
    OPT_KEEP_GOING,
    OPT_DRY_RUN,
    OPT_UNSET,
    OPT_ROLES,
    OPT_ADD_ROLE,
    OPT_REMOVE_ROLE,
    OPT_REASON,
    OPT_GRACE,
    OPT_UNTIL_USED,
    OPT_LABEL,
    OPT_QR,
    OPT_AS_CLIENT,
    OPT_ONLY_STATE,
    OPT_ONLY_ROLE,
    OPT_ONLY_SET,
    OPT_ONLY_ONLINE,
    OPT_ONLY_OFFLINE,
    OPT_OFFLINE_FOR,
    OPT_NEVER_SEEN,
    OPT_EXPIRING,
    OPT_UNUSED_KEY,
    OPT_WHERE,
    OPT_FIRST,
    OPT_AFTER,
    OPT_COLUMNS,
    OPT_YES,
    OPT_OF_DEVICE,
    OPT_OF_ROLE,
    OPT_SINCE,
    OPT_LIMIT,
    OPT_WITH_HASHES,
    OPT_MOSQUITTO_PASSWD,
    OPT_ACL_FILE,
    OPT_PATTERN_ROLE,
    OPT_DYNSEC,
    OPT_FORCE,
    OPT_ACCEPT_DAMAGE,
    OPT_KEEP,
    OPT_PRESENCE_STORE,
    OPT_PLUGIN,
    OPT_REPAIR,
    OPT_PRUNE,
    OPT_COUNT
};

_Static_assert(OPT_COUNT < 64, "options have to fit into 64 bits");
#define OPTION_BIT(option) ((uint64_t)1 << (option))
_Static_assert(OPT_COUNT < 64, "each option has a bit");
/* Every verb takes these; the last one stands before a verb only. */
#define OPTIONS_COMMON (OPTION_BIT(OPT_REGISTRY) | OPTION_BIT(OPT_JSON) | OPTION_BIT(OPT_HELP))
#define OPTIONS_FIRST  (OPTIONS_COMMON | OPTION_BIT(OPT_VERSION))

struct option_row {
    const char *name;
    char letter;       /* or NUL */
    const char *value; /* what it takes, as help shows it; NULL for nothing */
    bool repeats;
    const char *help;
};

extern const struct option_row option_rows[OPT_COUNT];

/* What was given on the command line. Lends argv. */
struct arguments {
    const char **words;
    size_t word_count;
    struct given {
        enum option option;
        const char *value; /* "" for an option that takes none */
    } * given;
    size_t given_count;
};

/* Makes room for `argc` arguments. False without memory. */
bool arguments_init(struct arguments *arguments, int argc);
void arguments_clear(struct arguments *arguments);

/* Reads from argv[at] on, appending to `arguments`, with the options in `allowed`; up to the first
 * word that is no option if `first_only`. Returns the index behind what was read; -1 for an error,
 * then `problem` holds a phrase that names the option. It never holds an option's value: that may
 * be a secret which somebody typed in the wrong place. */
enum { OPTION_PROBLEM_MAX = 255 };
int arguments_parse(struct arguments *arguments, int argc, char *const *argv, int at,
                    uint64_t allowed, bool first_only, char problem[static OPTION_PROBLEM_MAX + 1]);

/* The option that `word` is ("--role", "--role=pump", "-rDIR"), of those in `allowed`; OPT_COUNT
 * for none. Its name ends at `*length`. */
enum option option_of_word(const char *word, uint64_t allowed, size_t *length);

/* The value of the last `option` given, or NULL. */
const char *option_value(const struct arguments *arguments, enum option option);
/* Walks over the values of an option that repeats; `*at` begins with 0. NULL at the end. */
const char *option_next(const struct arguments *arguments, enum option option, size_t *at);

#endif
