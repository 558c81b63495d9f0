/* Mosquitto's acl_file.
 *
 * How Mosquitto decides, in 2.0 and 2.1 alike, and what that is in devreg:
 *
 *   1. a 'topic deny' of the user that matches    no       the device's own "deny all"
 *   2. another 'topic' of the user                yes      its own "allow"
 *   3. a 'pattern deny' that matches              no       the role's "deny all"
 *   4. another 'pattern'                          yes      its "allow"
 *   5.                                            no       no
 *
 * In devreg deny wins over allow wherever it stands, so 2 and 3 may not meet: a topic that both
 * match, and that 1 does not deny, is refused.
 *
 * Mosquitto asks none of that about a SUBSCRIBE: it lets every one through, and sorts messages out
 * when it hands them on. devreg refuses a subscription that no allow covers. The user is told.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/filter_meet.h"
#include "admin/migrate.h"

/* Whose a line is, if not a user's: everybody's, nobody's who has a name, or one's who is refused.
 */
#define LINE_PATTERN   UINT32_MAX
#define LINE_ANONYMOUS (UINT32_MAX - 1)
#define LINE_REFUSED   (UINT32_MAX - 2)

/* A 'topic' or 'pattern'. */
struct acl_line {
    size_t line;
    uint32_t user; /* its number, or LINE_PATTERN */
    bool deny;
    enum action action;
    char *filter; /* owned */
};

struct acl {
    struct migration *migration;
    struct place place; /* of what is being read */
    uint32_t user;      /* whose lines these are: LINE_ANONYMOUS before the first 'user' */
    struct acl_line *lines;
    size_t count, room;
    size_t patterns; /* how many are behind the users' lines, once they are sorted */
};

/* The next word, parted by blanks alone as Mosquitto does; NULL for none. Steps over it. */
static char *take_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    size_t length = strcspn(word, " ");
    if (!length)
        return NULL;
    *rest = word + length;
    if (**rest)
        *(*rest)++ = '\0';
    return word;
}

static char *skip_space(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static void add_line(struct acl *acl, bool pattern, enum action action, bool deny,
                     const char *filter)
{
    const char *problem =
        migration_filter_problem(filter, pattern, !deny && (action & ACTION_PUBLISH));
    if (problem) {
        migration_refuse(acl->migration, acl->place, "'" SHOWN "': %s", filter, problem);
        return;
    }
    if (!pattern && acl->user == LINE_ANONYMOUS) {
        migration_refuse(
            acl->migration, acl->place,
            "a 'topic' before the first 'user' is for clients without a user name: "
            "take it out, and give a role with such rules to plugin_opt_anonymous_role");
        return;
    }
    if (!pattern && acl->user == LINE_REFUSED)
        return;
    if (acl->count == acl->room) {
        acl->room = acl->room ? 2 * acl->room : 64;
        struct acl_line *lines = realloc(acl->lines, acl->room * sizeof *lines);
        if (!lines)
            memory_out();
        acl->lines = lines;
    }
    acl->lines[acl->count++] = (struct acl_line){.line = acl->place.line,
                                                 .user = pattern ? LINE_PATTERN : acl->user,
                                                 .deny = deny,
                                                 .action = action,
                                                 .filter = migration_copy(filter)};
}

/* "[read|write|readwrite|deny] FILTER". A single word is a filter, whatever it says. */
static void read_topic(struct acl *acl, bool pattern, char *rest)
{
    enum action action = ACTION_ALL;
    char *access = take_word(&rest), *filter = skip_space(rest);
    if (!access) {
        migration_refuse(acl->migration, acl->place, "it names no topic");
        return;
    }
    if (!*filter) {
        add_line(acl, pattern, action, false, access);
        return;
    }
    bool deny = strcmp(access, "deny") == 0;
    if (strcmp(access, "read") == 0)
        action = ACTION_SUBSCRIBE;
    else if (strcmp(access, "write") == 0)
        action = ACTION_PUBLISH;
    else if (!deny && strcmp(access, "readwrite") != 0) {
        migration_refuse(acl->migration, acl->place,
                         "'" SHOWN "' is none of read, write, readwrite and deny", access);
        return;
    }
    add_line(acl, pattern, action, deny, filter);
}

/* A user without a password is taken over without one. */
static void read_user(struct acl *acl, const char *name)
{
    struct migration *migration = acl->migration;
    size_t user = name_table_find(&migration->user_names, name);
    if (!*name) {
        migration_refuse(migration, acl->place, "it names no user");
        return;
    }
    if (user == NAME_NONE || strcmp(migration->user_names.names[user], name) != 0) {
        user = migration_add_user(migration, acl->place, name);
        if (user != NAME_NONE)
            migration_show_device(migration, user);
    }
    acl->user = user == NAME_NONE ? LINE_REFUSED : (uint32_t)user;
}

static void read_line(struct acl *acl, char *text)
{
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    char *rest = text, *word = text[0] == '#' ? NULL : take_word(&rest);
    if (!word)
        return;
    bool pattern = strcmp(word, "pattern") == 0;
    if (pattern || strcmp(word, "topic") == 0)
        read_topic(acl, pattern, rest);
    else if (strcmp(word, "user") == 0)
        read_user(acl, skip_space(rest));
    else
        migration_refuse(acl->migration, acl->place,
                         "'" SHOWN "' is none of user, topic and pattern", word);
}

static enum status read_file(struct acl *acl, const char *path)
{
    struct call *call = acl->migration->call;
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    if (!file)
        return complain_file(call, path, errno);
    while ((length = getline(&text, &room, file)) >= 0) {
        acl->place.line++;
        if (strlen(text) != (size_t)length)
            migration_refuse(acl->migration, acl->place, "it holds a NUL");
        else
            read_line(acl, text);
    }
    bool failed = !feof(file); /* getline may also lack memory */
    int problem = errno;
    free(text);
    (void)fclose(file); /* only read from */
    return failed ? complain_file(call, path, problem) : STATUS_DONE;
}

/* Each user's together, and the patterns at the end. */
static int line_order(const void *a, const void *b)
{
    const struct acl_line *x = a, *y = b;
    if (x->user != y->user)
        return x->user < y->user ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

/* Some lines of one user, or the patterns. */
struct block {
    struct acl_line *lines;
    size_t count;
    const char *device; /* what stands for %u */
};

/* A deny of the block that denies all that `filter` matches, or NULL. */
static const struct acl_line *denied_by(const struct block *block,
                                        const struct bound_filter *filter)
{
    struct bound_filter deny;
    for (size_t i = 0; i < block->count; i++) {
        if (!block->lines[i].deny)
            continue;
        filter_bind(&deny, block->lines[i].filter, block->device);
        if (filter_covers(&deny, filter))
            return &block->lines[i];
    }
    return NULL;
}

/* Do the user's line and a pattern decide on the same topic, one yes and one no? */
static void check_line(struct acl *acl, const struct block *own, const struct acl_line *line,
                       const struct acl_line *pattern)
{
    struct bound_filter allow, deny, common;
    filter_bind(&allow, line->filter, own->device);
    filter_bind(&deny, pattern->filter, own->device);
    if (!filter_meet(&common, &allow, &deny) || denied_by(own, &common))
        return;
    migration_refuse(acl->migration, (struct place){acl->place.file, line->line},
                     "user '%s': '" SHOWN "' is allowed here, and denied by 'pattern deny " SHOWN
                     "' in line %zu: in Mosquitto the user's line wins, in devreg the deny; take "
                     "one of the two out",
                     own->device, line->filter, pattern->filter, pattern->line);
}

static void check_user(struct acl *acl, const struct block *own)
{
    const struct acl_line *patterns = acl->lines + acl->count - acl->patterns;
    for (size_t i = 0; i < own->count; i++) {
        for (size_t p = 0; p < acl->patterns && !own->lines[i].deny; p++) {
            if (patterns[p].deny)
                check_line(acl, own, &own->lines[i], &patterns[p]);
        }
    }
}

static const char *effect_of(const struct acl_line *line)
{
    return effect_name(line->deny ? EFFECT_DENY : EFFECT_ALLOW);
}

/* What is denied as a whole needs no allow, and a rule of the same filter would replace it. */
static void add_rules(struct acl *acl, const struct block *block, struct rules *rules,
                      const char *what)
{
    struct migration *migration = acl->migration;
    for (size_t i = 0; i < block->count; i++) {
        const struct acl_line *line = &block->lines[i];
        const struct place place = {acl->place.file, line->line};
        struct bound_filter filter;
        filter_bind(&filter, line->filter, block->device);
        const struct acl_line *deny = line->deny ? NULL : denied_by(block, &filter);
        if (deny)
            migration_show(migration, place, what, "nothing: line %zu denies all of it",
                           deny->line);
        else if (migration_add_rule(migration, place, rules,
                                    line->deny ? EFFECT_DENY : EFFECT_ALLOW, line->action,
                                    line->filter))
            migration_show(migration, place, what, "%s %s %s", effect_of(line),
                           action_name(line->action), line->filter);
    }
}

static void take_users(struct acl *acl)
{
    struct migration *migration = acl->migration;
    size_t end = acl->count - acl->patterns, next;
    for (size_t at = 0; at < end; at = next) {
        uint32_t user = acl->lines[at].user;
        for (next = at; next < end && acl->lines[next].user == user; next++)
            ;
        const struct block own = {acl->lines + at, next - at, migration->user_names.names[user]};
        check_user(acl, &own);
        add_rules(acl, &own, &migration->users[user].rules, own.device);
    }
}

/* Patterns are for everybody, also for who has no line of its own. */
static void take_patterns(struct acl *acl, const char *name)
{
    struct migration *migration = acl->migration;
    char what[ROLE_NAME_MAX + 2];
    const struct block patterns = {acl->lines + acl->count - acl->patterns, acl->patterns,
                                   FILTER_ANYBODY};
    if (!patterns.count)
        return;
    const struct place place = {acl->place.file, patterns.lines[0].line};
    size_t role = migration_add_role(migration, place, name);
    if (role == NAME_NONE)
        return;
    snprintf(what, sizeof what, "@%s", name);
    migration_show(migration, place, what, "role of all users");
    add_rules(acl, &patterns, &migration->roles[role].rules, what);
    migration->everybodys = role;
}

enum status migrate_acl(struct migration *migration, const char *path, const char *role)
{
    struct acl acl = {.migration = migration, .place = {path, 0}, .user = LINE_ANONYMOUS};
    enum status status = read_file(&acl, path);
    migration->narrowed = true;
    if (!status && acl.count) {
        qsort(acl.lines, acl.count, sizeof *acl.lines, line_order);
        while (acl.patterns < acl.count &&
               acl.lines[acl.count - acl.patterns - 1].user == LINE_PATTERN)
            acl.patterns++;
        take_users(&acl);
        take_patterns(&acl, role);
    }
    for (size_t i = 0; i < acl.count; i++)
        free(acl.lines[i].filter);
    free(acl.lines);
    return status;
}
