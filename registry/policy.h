/* policy.h - rules, compiled: deny wins, then allow, then no.
 *
 * A policy is a tree over the levels of its filters. For
 *
 *   allow publish   site/%{site}/%u/#         (root) -site-> . -%{site}-> . -%u-> o  allow publish
 * /# allow subscribe site/+/cmd                               \-+-> . -cmd-> o        allow
 * subscribe
 *
 * a topic is walked level by level along every edge that its level takes: the plain one (of a few,
 * or found in one hash table for the whole tree), "+", and each variable, compared with the
 * subject's value while walking. So the cost grows with the levels of the topic and the rules that
 * match so far, not with the number of rules; and a tree serves all the devices that share a role.
 *
 * A variable's value that is empty, missing or holds "/", "+" or "#", and at the first level one
 * that begins with "$", never becomes syntax: in an allow it matches nothing, in a deny any level.
 *
 * A decision allocates nothing, takes no lock and makes no system call.
 */
#ifndef DEVREG_REGISTRY_POLICY_H
#define DEVREG_REGISTRY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/device.h"
#include "registry/rule.h"
#include "registry/topic.h"

struct policy;

/* Who asks: what the variables but %c stand for. Lends its pointers. */
struct subject {
    const char *device;
    const struct attribute *attributes;
    size_t attribute_count;
};

/* What is asked. For SUBSCRIBE the topic is a filter, which one allow has to cover; for the other
 * two it is a topic name. */
enum question { QUESTION_PUBLISH, QUESTION_SUBSCRIBE, QUESTION_DELIVER };

/* Compiles `rules`, of which it keeps a copy, into `*policy`: end it with policy_free.
 * ERR_NO_MEMORY. */
MUST_CHECK enum err policy_compile(struct policy **policy, const struct rules *rules);
void policy_free(struct policy *policy); /* NULL is fine */

/* The rules that decide in this policy: the first deny met, or else the first allow. NULL for
 * none. They live as long as the policy. `topic`, of `length` bytes, has to be valid for the
 * question. `client_id`, what %c stands for, may be NULL. */
struct policy_match {
    const struct rule *deny, *allow;
};
struct policy_match policy_match(const struct policy *policy, const struct subject *subject,
                                 const char *client_id, enum question question, const char *topic,
                                 size_t length);

#endif
