/* dynsec.h - what a dynamic-security.json says, read and sorted; for migrate_dynsec.c and
 * dynsec_*.c alone.
 *
 * How the plugin decides: it goes through a client's own roles by priority, then through those of
 * its groups, by the groups' priority and theirs; in a role through the ACLs of the kind that is
 * asked for, literal ones first, then by priority. The first that matches decides, or else
 * defaultACLAccess. Of equal priorities the name comes first that sorts first, and the ACL that
 * stands first in the file.
 */
#ifndef DEVREG_ADMIN_DYNSEC_H
#define DEVREG_ADMIN_DYNSEC_H

#include "admin/migrate.h"

enum dynsec_kind { DYNSEC_SEND, DYNSEC_RECEIVE, DYNSEC_SUBSCRIBE, DYNSEC_UNSUBSCRIBE };
enum { DYNSEC_KINDS = 4 };

struct dynsec_acl {
    enum dynsec_kind kind;
    bool literal; /* (un)subscribeLiteral */
    bool allow;
    int priority;
    size_t number; /* in its role, from 1 on */
    const char *type, *topic;
    const char *role; /* whose it is */
    bool needed;      /* a deny that has to be a rule */
    bool told;        /* was it refused already? */
};

/* The role of that number in the migration. */
struct dynsec_role {
    struct dynsec_acl *acls; /* by kind, in the order in which they are asked */
    size_t count;
    bool held; /* by a client, or the anonymous group */
};

struct dynsec {
    struct migration *migration;
    struct place place;
    const cJSON *tree;
    bool is_2_1;                /* surely written by Mosquitto 2.1 */
    bool allowed[DYNSEC_KINDS]; /* by defaultACLAccess */
    struct dynsec_role *roles;
};

/* Keeps why something of the file cannot be taken over. */
#define dynsec_refuse(dynsec, ...)                                                                 \
    migration_refuse((dynsec)->migration, (dynsec)->place, __VA_ARGS__)

/* Parts of the JSON, for all that read it. `who` stands before what is refused. The case of
 * members' names does not matter: the plugin itself does not look at it, and writes some in two
 * ways. */
enum { DYNSEC_WHO = 200 };
const cJSON *dynsec_member(const cJSON *object, const char *name);
/* Is it an object of the members `names`, parted by blanks, each once at most? */
bool dynsec_members(struct dynsec *dynsec, const cJSON *object, const char *who, const char *names);
/* The text of a member; NULL, and refused, where it is none; `otherwise` where it is not there. */
const char *dynsec_text(struct dynsec *dynsec, const cJSON *object, const char *who,
                        const char *name, const char *otherwise);
/* The first member of an array, NULL for none. */
const cJSON *dynsec_list(struct dynsec *dynsec, const cJSON *object, const char *who,
                         const char *name);
int dynsec_priority(struct dynsec *dynsec, const cJSON *object, const char *who, int otherwise);

bool dynsec_surely_2_1(const cJSON *tree);
void dynsec_read_defaults(struct dynsec *dynsec);
void dynsec_read_roles(struct dynsec *dynsec);
void dynsec_read_clients(struct dynsec *dynsec);
/* Gives each client its roles, those of its groups included. */
void dynsec_read_groups(struct dynsec *dynsec);

/* Roles in the order in which they are asked. */
struct dynsec_holder {
    const char *who;  /* for messages: "client 'x'" */
    const char *user; /* what %u is, or FILTER_ANYBODY */
    const uint32_t *roles;
    size_t count;
};

/* Notes which denies have to be rules, for a holder of these roles. First for all holders. */
void dynsec_note_needs(struct dynsec *dynsec, const struct dynsec_holder *holder);
/* Refuses what devreg would decide otherwise for that holder. True where there is nothing. With
 * `quiet` it only asks. */
bool dynsec_check(struct dynsec *dynsec, const struct dynsec_holder *holder, bool quiet);
/* Makes rules of a role's ACLs. */
void dynsec_make_rules(struct dynsec *dynsec, size_t role);

#endif
