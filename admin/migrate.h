/* migrate.h - what Mosquitto kept for itself, on its way into the registry.
 *
 *   password_file, acl_file      migrate_passwd.c, migrate_acl.c
 *   dynamic-security.json        migrate_dynsec.c
 *        |
 *        v
 *   users and roles  --> compared with the registry --> stored in one transaction, or shown
 *
 * What devreg would answer otherwise than Mosquitto did is refused, each with its place: nothing is
 * stored then. A user becomes the device of that name.
 */
#ifndef DEVREG_ADMIN_MIGRATE_H
#define DEVREG_ADMIN_MIGRATE_H

#include "admin/json.h"
#include "admin/command.h"
#include "admin/name_table.h"
#include "admin/output.h"

/* Where something stands: a line of a file, or 0 for a file without lines. */
struct place {
    const char *file; /* lent */
    size_t line;
};

/* A user; its name stands in the table under the same number. */
struct migrant {
    struct place place;
    char *hash;      /* of its password; NULL for none */
    char *client_id; /* the only one it may use; NULL for any */
    char *note;      /* NULL for none */
    bool disabled;
    struct rules rules; /* of its own */
    uint32_t *roles;    /* numbers */
    size_t role_count;
};

/* A role; its name as above. */
struct migrant_role {
    struct place place;
    char *note;
    struct rules rules;
};

struct migration {
    struct call *call;
    struct name_table user_names, role_names;
    struct migrant *users;
    size_t user_room;
    struct migrant_role *roles;
    size_t role_room;
    size_t everybodys;     /* the number of a role that every user gets, or NAME_NONE */
    struct device model;   /* its roles, which are in the registry, are every user's */
    bool narrowed;         /* did Mosquitto let all subscriptions through? */
    bool dollar;           /* did it let a wildcard subscribe to "$SYS/..."? */
    struct listing *shown; /* of what becomes what; NULL unless it is to be shown */
    struct refused {
        struct place place;
        char *reason;
    } * refused;
    size_t refused_count, refused_kept, refused_room;
};

/* A user, or role, of that name that is not there yet; its number. Checks the name: NAME_NONE, and
 * it is refused, where it cannot be a device's (role's), or is there already, in this or another
 * spelling. */
size_t migration_add_user(struct migration *migration, struct place place, const char *name);
size_t migration_add_role(struct migration *migration, struct place place, const char *name);

/* Sets the hash of a user's password. False, and it is refused, where it cannot be. */
bool migration_take_hash(struct migration *migration, size_t user, struct place place,
                         const char *hash);

/* Keeps why something cannot be taken over. */
void migration_refuse(struct migration *migration, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says on stderr what was refused, in the order of its places. Outside of any scope. */
void migration_tell_refused(struct migration *migration);

/* Frees what it holds; of hashes nothing is left. */
void migration_clear(struct migration *migration);

/* A row for --dry-run, outside of any scope: what becomes what. `what` is a device's id or "@role".
 */
void migration_show(struct migration *migration, struct place place, const char *what,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The row of a user: what becomes of it itself. */
void migration_show_device(struct migration *migration, size_t user);

/* Why `filter` would mean something else in a rule, or is none; or NULL. `variables`: are %u and %c
 * what they are in rules? `publishes`: is publishing there to be allowed? */
const char *migration_filter_problem(const char *filter, bool variables, bool publishes);

/* Adds a rule to those of a user or role, unless it is there. False, and it is refused, where it
 * cannot be. */
bool migration_add_rule(struct migration *migration, struct place place, struct rules *rules,
                        enum effect effect, enum action action, const char *filter);

/* A copy that ends with the program where memory does. */
char *migration_copy(const char *text);

/* The readers: they fill the migration, and refuse. A status only where a file cannot be read. */
MUST_CHECK enum status migrate_passwd(struct migration *migration, const char *path);
/* After that. `role` is the name of the role that patterns become. */
MUST_CHECK enum status migrate_acl(struct migration *migration, const char *path, const char *role);
MUST_CHECK enum status migrate_dynsec(struct migration *migration, const char *path);

/* `devreg import` with one of those. */
enum status migrate(struct call *call);

#endif
