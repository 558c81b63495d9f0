/* rule.h - one rule, and a set of them.
 *
 * The whole language:
 *
 *   rule    =  ("allow" | "deny") SP action SP filter
 *   action  =  "publish" | "subscribe" | "all"
 *   filter  =  an MQTT topic filter, in which a whole level may also be
 *                %u       the device's id
 *                %c       its client id
 *                %{name}  one of its attributes
 *
 * "subscribe" covers both asking for a filter and being handed a message.
 *
 * A set holds one rule for each (filter, action), sorted by them, so equal sets are equal bytes.
 * The order in which rules were added is not kept: it never matters. Deny wins, then allow,
 * then no (policy.h).
 */
#ifndef DEVREG_REGISTRY_RULE_H
#define DEVREG_REGISTRY_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/error.h"

enum { RULE_FILTER_MAX = 512, RULES_MAX = 10000, RULE_TEXT_MAX = RULE_FILTER_MAX + 32 };

enum effect { EFFECT_DENY = 0, EFFECT_ALLOW = 1 };
enum action { ACTION_PUBLISH = 1, ACTION_SUBSCRIBE = 2, ACTION_ALL = 3 };

struct rule {
    enum effect effect;
    enum action action;
    char *filter; /* owned by the set that the rule is in */
};

/* {0} is an empty set. It owns its memory: end it with rules_clear. */
struct rules {
    struct rule *items;
    size_t count, room;
};

/* Why `filter` is not the filter of a rule: a phrase like "'#' must be the last level"; NULL
 * where it is one. */
const char *rule_filter_problem(const char *filter);

/* False where `word` is none of "publish", "subscribe", "all". */
bool action_parse(enum action *action, const char *word);
const char *action_name(enum action action);
const char *effect_name(enum effect effect);

/* Writes "allow publish a/b" and NUL. */
void rule_format(char text[static RULE_TEXT_MAX + 1], const struct rule *rule);

/* Reads what rule_format writes (words parted by single blanks) into `effect`, `action` and
 * `filter`, which lends a part of `text`. On false `problem` says why. */
bool rule_parse(const char *text, enum effect *effect, enum action *action, const char **filter,
                const char **problem);

/* Sets the effect of (filter, action). ERR_EXISTS where it was so already, ERR_INVALID for a bad
 * filter, ERR_TOO_MANY past RULES_MAX. `*replaced`, unless NULL, tells whether the opposite
 * effect stood there. */
MUST_CHECK enum err rules_set(struct rules *rules, enum effect effect, enum action action,
                              const char *filter, bool *replaced);

/* Removes the rule for (filter, action), whatever its effect. ERR_NOT_FOUND where there is none. */
MUST_CHECK enum err rules_unset(struct rules *rules, enum action action, const char *filter);

MUST_CHECK enum err rules_copy(struct rules *to, const struct rules *from);
bool rules_equal(const struct rules *a, const struct rules *b);

/* Frees what the set owns and makes it empty. May be repeated. */
void rules_clear(struct rules *rules);

#endif
