/* devreg allow, deny, unset: one rule of a device or a role. */
#include <string.h>

#include "admin/answer.h"
#include "admin/change.h"
#include "admin/complain.h"
#include "admin/lookup.h"
#include "registry/access.h"
#include "registry/topic.h"

struct rule_change {
    bool unset;
    enum effect effect;
    enum action action;
    const char *filter;
    bool replaced; /* the opposite effect stood there */
};

static enum status rule_words(struct call *call, struct rule_change *change)
{
    const char *action = call_word(call, 1);
    change->filter = call_word(call, 2);
    if (!action_parse(&change->action, action))
        return complain(call, STATUS_MISUSE,
                        "'" SHOWN "' is no action: write publish, subscribe or all", action);
    const char *problem = rule_filter_problem(change->filter);
    if (problem)
        return complain(call, STATUS_MISUSE, "'" SHOWN "' is no filter for a rule: %s",
                        change->filter, problem);
    return STATUS_DONE;
}

static enum status change_rules(struct call *call, struct rules *rules, const char *whose,
                                struct rule_change *change)
{
    const char *action = action_name(change->action), *effect = effect_name(change->effect);
    enum err e = change->unset ? rules_unset(rules, change->action, change->filter)
                               : rules_set(rules, change->effect, change->action, change->filter,
                                           &change->replaced);
    detail_add(call, "%s %s %s", change->unset ? "unset" : effect, action, change->filter);
    const char *role = whose[0] == '@' ? "role " : "", *name = role_word(whose);
    if (e == ERR_NOT_FOUND)
        return complain(call, STATUS_NO,
                        "%s: it has no rule for '%s " SHOWN "'; see 'devreg %sshow %s'", whose,
                        action, change->filter, role, name);
    if (e == ERR_EXISTS)
        return complain(call, STATUS_NO,
                        "%s: the rule '%s %s " SHOWN "' is there already; see 'devreg %sshow %s'",
                        whose, effect, action, change->filter, role, name);
    if (e == ERR_TOO_MANY)
        return complain(call, STATUS_NO,
                        "%s: it has %d rules already: remove one with 'devreg unset'", whose,
                        RULES_MAX);
    return complain_err(call, e);
}

static enum status change_device(struct call *call, struct device *device, void *context)
{
    return change_rules(call, &device->rules, call_word(call, 0), context);
}

static enum status change_role(struct call *call, struct role *role, void *context)
{
    return change_rules(call, &role->rules, call_word(call, 0), context);
}

static void warn_of_replaced(const struct rule_change *change)
{
    const char *action = action_name(change->action);
    bool allow = change->effect == EFFECT_ALLOW;
    if (change->replaced)
        warn("'%s %s " SHOWN "' stands in place of '%s %s " SHOWN "'", effect_name(change->effect),
             action, change->filter, allow ? "deny" : "allow", action, change->filter);
}

/* Nobody may publish there, so the rule only misleads. */
static void warn_of_reserved(const struct rule_change *change)
{
    bool publish = change->action & ACTION_PUBLISH;
    if (publish && change->effect == EFFECT_ALLOW && topic_covers(RESERVED_FILTER, change->filter))
        warn("nobody but devreg publishes under devreg/, whatever the rules say");
}

/* An attribute that a rule names and the device lacks: in an allow it matches nothing, in a deny
 * any level. */
static void warn_of_missing(const struct device *device, const struct rule_change *change)
{
    for (const char *at = change->filter; (at = strstr(at, "%{")); at++) {
        char name[ATTRIBUTE_NAME_MAX + 1];
        size_t length = strcspn(at + 2, "}");
        if (length > ATTRIBUTE_NAME_MAX)
            continue;
        memcpy(name, at + 2, length);
        name[length] = '\0';
        if (!attribute_find(device->attributes, device->attribute_count, name))
            warn("%s has no attribute '%s', so %%{%s} matches %s: see 'devreg set'", device->id,
                 name, name,
                 change->effect == EFFECT_ALLOW ? "nothing until it has one" : "any level");
    }
}

static enum status change_of_role(struct call *call, struct rule_change *change)
{
    struct role role = {.version = 0};
    enum status status =
        role_change(call, role_word(call_word(call, 0)), &role, LOG_RULE, change_role, change);
    if (!status)
        status = answer_role(call, &role, "changed");
    role_clear(&role);
    return status;
}

static enum status change_of_device(struct call *call, struct rule_change *change)
{
    struct device device = {.credential_count = 0};
    enum status status =
        device_change(call, call_word(call, 0), &device, LOG_RULE, change_device, change);
    if (!status && !change->unset)
        warn_of_missing(&device, change);
    if (!status)
        status = answer_device(call, &device, "changed");
    device_clear(&device);
    return status;
}

static enum status rule_verb(struct call *call, struct rule_change *change)
{
    enum status status = rule_words(call, change);
    if (!status)
        status = call_word(call, 0)[0] == '@' ? change_of_role(call, change)
                                              : change_of_device(call, change);
    if (!status && !change->unset) {
        warn_of_replaced(change);
        warn_of_reserved(change);
    }
    return status;
}

enum status cmd_allow(struct call *call)
{
    struct rule_change change = {.effect = EFFECT_ALLOW};
    return rule_verb(call, &change);
}

enum status cmd_deny(struct call *call)
{
    struct rule_change change = {.effect = EFFECT_DENY};
    return rule_verb(call, &change);
}

enum status cmd_unset(struct call *call)
{
    struct rule_change change = {.unset = true};
    return rule_verb(call, &change);
}
