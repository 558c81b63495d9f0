/* Rights of dynamic-security, and whether rules can say the same.
 *
 *   publishClientSend                          publish
 *   subscribe..., publishClientReceive         subscribe: to ask for it and to be handed it
 *   unsubscribe...                             always allowed
 *
 * An allow is always a rule. A deny is one where a later ACL, or the default, would allow some of
 * what it denies; else it says what is so anyway. In devreg it then wins over every allow: so
 * Mosquitto has to deny all that it has in common with each. For "subscribe" that means both kinds.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/dynsec.h"
#include "admin/filter_meet.h"

/* The ACLs of one kind that a holder's roles have, in their order. */
struct sequence {
    struct dynsec_acl **acls;
    size_t count;
    bool otherwise; /* what holds where none matches */
};

static void sequence_begin(struct sequence *sequence, struct dynsec *dynsec,
                           const struct dynsec_holder *holder, enum dynsec_kind kind)
{
    size_t room = 0;
    for (size_t i = 0; i < holder->count; i++)
        room += dynsec->roles[holder->roles[i]].count;
    sequence->acls =
        memory_get((room + 1) * sizeof *sequence->acls); /* NOLINT: pointers are meant */
    sequence->otherwise = dynsec->allowed[kind];
    sequence->count = 0;
    for (size_t i = 0; i < holder->count; i++) {
        struct dynsec_role *role = &dynsec->roles[holder->roles[i]];
        for (size_t a = 0; a < role->count; a++) {
            if (role->acls[a].kind == kind)
                sequence->acls[sequence->count++] = &role->acls[a];
        }
    }
}

/* Does the plugin deny all that `filter` matches? No in doubt. */
static bool all_denied(const struct sequence *sequence, const char *user,
                       const struct bound_filter *filter)
{
    struct bound_filter acl, common;
    for (size_t i = 0; i < sequence->count; i++) {
        filter_bind(&acl, sequence->acls[i]->topic, user);
        if (!sequence->acls[i]->allow && filter_covers(&acl, filter))
            return true;
        if (sequence->acls[i]->allow && filter_meet(&common, &acl, filter))
            return false;
    }
    return !sequence->otherwise;
}

static bool meet(struct bound_filter *common, const struct dynsec_acl *a,
                 const struct dynsec_acl *b, const char *user)
{
    struct bound_filter x, y;
    filter_bind(&x, a->topic, user);
    filter_bind(&y, b->topic, user);
    return filter_meet(common, &x, &y);
}

/* Does anything behind `at` allow some of what that ACL denies? */
static bool allowed_later(const struct sequence *sequence, size_t at, const char *user)
{
    struct bound_filter common;
    bool allowed = sequence->otherwise;
    for (size_t i = at + 1; i < sequence->count && !allowed; i++)
        allowed =
            sequence->acls[i]->allow && meet(&common, sequence->acls[at], sequence->acls[i], user);
    return allowed;
}

/* May any of it be subscribed to? */
static bool subscribable(const struct sequence *subscribe, const struct bound_filter *filter,
                         const char *user)
{
    struct bound_filter acl, common;
    bool may = subscribe->otherwise;
    for (size_t i = 0; i < subscribe->count && !may; i++) {
        filter_bind(&acl, subscribe->acls[i]->topic, user);
        may = subscribe->acls[i]->allow && filter_meet(&common, &acl, filter);
    }
    return may;
}

void dynsec_note_needs(struct dynsec *dynsec, const struct dynsec_holder *holder)
{
    struct sequence subscribe;
    sequence_begin(&subscribe, dynsec, holder, DYNSEC_SUBSCRIBE);
    for (enum dynsec_kind kind = DYNSEC_SEND; kind <= DYNSEC_SUBSCRIBE; kind++) {
        struct sequence sequence;
        sequence_begin(&sequence, dynsec, holder, kind);
        for (size_t i = 0; i < sequence.count; i++) {
            struct dynsec_acl *acl = sequence.acls[i];
            struct bound_filter filter;
            filter_bind(&filter, acl->topic, holder->user);
            bool matters =
                kind != DYNSEC_RECEIVE || subscribable(&subscribe, &filter, holder->user);
            if (!acl->allow && matters && allowed_later(&sequence, i, holder->user))
                acl->needed = true;
        }
        free(sequence.acls);
    }
    free(subscribe.acls);
}

/* The check of one holder. */
struct check {
    struct dynsec *dynsec;
    const struct dynsec_holder *holder;
    struct sequence send, receive, subscribe, unsubscribe;
    bool quiet, fine;
};

__attribute__((format(printf, 3, 4))) static void
refuse(struct check *check, struct dynsec_acl *acl, const char *format, ...)
{
    char text[768];
    va_list values;
    check->fine = false;
    if (check->quiet || acl->told)
        return;
    acl->told = true;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    migration_refuse(check->dynsec->migration, check->dynsec->place,
                     "role '%s', ACL %zu (%s '%.100s'): %s", acl->role, acl->number, acl->type,
                     acl->topic, text);
}

/* No allow may stand before a deny that becomes a rule and has something in common with it, unless
 * that is denied before both. Of what may be subscribed to, if `within` is not NULL. */
static void check_order(struct check *check, const struct sequence *sequence,
                        const struct sequence *within)
{
    const char *user = check->holder->user;
    struct bound_filter common;
    for (size_t d = 0; d < sequence->count; d++) {
        const struct dynsec_acl *deny = sequence->acls[d];
        for (size_t i = 0; i < d && deny->needed; i++) {
            struct dynsec_acl *allow = sequence->acls[i];
            if (allow->allow && meet(&common, allow, deny, user) &&
                !all_denied(sequence, user, &common) &&
                (!within || subscribable(within, &common, user)))
                refuse(check, allow,
                       "for %s it comes before ACL %zu of role '%s', which denies '%.100s': in "
                       "devreg the deny wins",
                       check->holder->who, deny->number, deny->role, deny->topic);
        }
    }
}

/* What is denied of the one kind has to be of the other as well, where `allow` lets it be asked
 * for: it becomes one deny. */
static void check_both(struct check *check, struct dynsec_acl *allow,
                       const struct sequence *denying, const struct sequence *other,
                       const char *otherwise)
{
    const char *user = check->holder->user;
    struct bound_filter common;
    for (size_t d = 0; d < denying->count; d++) {
        const struct dynsec_acl *deny = denying->acls[d];
        if (deny->needed && meet(&common, allow, deny, user) && !all_denied(other, user, &common))
            refuse(check, allow,
                   "for %s ACL %zu of role '%s' denies %s '%.100s', and %s: in devreg 'subscribe' "
                   "is both, and a deny wins",
                   check->holder->who, deny->number, deny->role, deny->type, deny->topic,
                   otherwise);
    }
}

static bool is_handed(const struct check *check, const struct bound_filter *filter)
{
    struct bound_filter acl;
    bool handed = check->receive.otherwise;
    for (size_t i = 0; i < check->receive.count && !handed; i++) {
        filter_bind(&acl, check->receive.acls[i]->topic, check->holder->user);
        handed = check->receive.acls[i]->allow && filter_covers(&acl, filter);
    }
    return handed;
}

/* 2.0 takes a wildcard at the first level of a subscribePattern for "$..." as well, so a deny that
 * comes first has more to it than it has here. */
static void check_dollar(struct check *check)
{
    const struct sequence *subscribe = &check->subscribe;
    const struct dynsec_acl *wild = NULL;
    for (size_t i = 0; i < subscribe->count && !check->dynsec->is_2_1; i++) {
        struct dynsec_acl *acl = subscribe->acls[i];
        if (!acl->allow && strchr("+#", acl->topic[0]))
            wild = acl;
        else if (acl->allow && acl->topic[0] == '$' && wild)
            refuse(check, acl,
                   "for %s it comes after ACL %zu of role '%s', which denies '%.100s', and by that "
                   "in Mosquitto 2.0 '$' topics too",
                   check->holder->who, wild->number, wild->role, wild->topic);
    }
}

/* May it subscribe, and is it handed, as its rules will say? */
static void check_subscribe(struct check *check)
{
    struct bound_filter filter;
    for (size_t i = 0; i < check->subscribe.count; i++) {
        struct dynsec_acl *allow = check->subscribe.acls[i];
        filter_bind(&filter, allow->topic, check->holder->user);
        if (!allow->allow || all_denied(&check->subscribe, check->holder->user, &filter))
            continue;
        check_both(check, allow, &check->subscribe, &check->receive,
                   "publishClientReceive still hands it on");
        check_both(check, allow, &check->receive, &check->subscribe,
                   "it may be subscribed to nevertheless");
        if (!is_handed(check, &filter))
            refuse(check, allow,
                   "for %s publishClientReceive does not hand on all of it: in devreg 'subscribe' "
                   "is both",
                   check->holder->who);
    }
}

/* devreg lets everybody unsubscribe. */
static void check_unsubscribe(struct check *check)
{
    const struct sequence *sequence = &check->unsubscribe;
    bool everything = sequence->otherwise;
    for (size_t i = 0; i < sequence->count; i++) {
        struct dynsec_acl *acl = sequence->acls[i];
        if (!acl->allow)
            refuse(check, acl, "devreg always lets a client unsubscribe");
        everything |= acl->allow && !acl->literal && strcmp(acl->topic, "#") == 0;
    }
    if (everything)
        return;
    check->fine = false;
    if (!check->quiet)
        migration_refuse(check->dynsec->migration, check->dynsec->place,
                         "%s may not unsubscribe from everything (defaultACLAccess: unsubscribe, "
                         "or an ACL unsubscribePattern '#'): devreg always lets a client "
                         "unsubscribe",
                         check->holder->who);
}

bool dynsec_check(struct dynsec *dynsec, const struct dynsec_holder *holder, bool quiet)
{
    struct check check = {.dynsec = dynsec, .holder = holder, .quiet = quiet, .fine = true};
    sequence_begin(&check.send, dynsec, holder, DYNSEC_SEND);
    sequence_begin(&check.receive, dynsec, holder, DYNSEC_RECEIVE);
    sequence_begin(&check.subscribe, dynsec, holder, DYNSEC_SUBSCRIBE);
    sequence_begin(&check.unsubscribe, dynsec, holder, DYNSEC_UNSUBSCRIBE);
    check_order(&check, &check.send, NULL);
    check_order(&check, &check.subscribe, NULL);
    check_order(&check, &check.receive, &check.subscribe);
    check_subscribe(&check);
    check_dollar(&check);
    check_unsubscribe(&check);
    free(check.send.acls);
    free(check.receive.acls);
    free(check.subscribe.acls);
    free(check.unsubscribe.acls);
    return check.fine;
}

static void make_rule(struct dynsec *dynsec, const struct dynsec_acl *acl, struct rules *rules)
{
    struct migration *migration = dynsec->migration;
    char what[ROLE_NAME_MAX + 2];
    enum effect effect = acl->allow ? EFFECT_ALLOW : EFFECT_DENY;
    enum action action = acl->kind == DYNSEC_SEND ? ACTION_PUBLISH : ACTION_SUBSCRIBE;
    bool rule =
        acl->kind != DYNSEC_UNSUBSCRIBE && (acl->allow ? acl->kind != DYNSEC_RECEIVE : acl->needed);
    snprintf(what, sizeof what, "@%s", acl->role);
    if (!rule)
        migration_show(migration, dynsec->place, what, "nothing, of %s %s '%s': %s",
                       acl->allow ? "allow" : "deny", acl->type, acl->topic,
                       acl->kind == DYNSEC_UNSUBSCRIBE ? "it is always allowed"
                       : acl->allow                    ? "'subscribe' says both"
                                                       : "nothing else allows it");
    else if (migration_add_rule(migration, dynsec->place, rules, effect, action, acl->topic))
        migration_show(migration, dynsec->place, what, "%s %s %s", effect_name(effect),
                       action_name(action), acl->topic);
}

void dynsec_make_rules(struct dynsec *dynsec, size_t number)
{
    struct dynsec_role *role = &dynsec->roles[number];
    struct rules *rules = &dynsec->migration->roles[number].rules;
    /* Denies last: of the same filter they replace an allow, and win. */
    for (int allow = 1; allow >= 0; allow--) {
        for (size_t i = 0; i < role->count; i++) {
            if (role->acls[i].allow == allow)
                make_rule(dynsec, &role->acls[i], rules);
        }
    }
}
