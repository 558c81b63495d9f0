/* access.h - may this device do that? The one function that the broker, `devreg explain` and the
 * tests ask. */
#ifndef DEVREG_REGISTRY_ACCESS_H
#define DEVREG_REGISTRY_ACCESS_H

#include "registry/device.h"
#include "registry/policy.h"

enum why {
    WHY_NO_RULE = 0, /* nothing allows it */
    WHY_RULE,        /* a rule decided: see `rule` */
    WHY_RESERVED,    /* devreg alone publishes there */
    WHY_DISABLED,
    WHY_REVOKED,
    WHY_EXPIRED,
    WHY_BAD_TOPIC, /* no topic name, or no valid subscription */
    WHY_OWN_ERRORS /* no rule says so, but a device may read what it did wrong */
};

struct decision {
    enum verdict verdict;
    enum why why;
    size_t policy;           /* WHY_RULE: which of the subject's policies, 0 for its own */
    const struct rule *rule; /* WHY_RULE: lent from that policy; else NULL */
};

/* All of a device that a decision depends on. Lends everything. */
struct access {
    enum device_state state;
    int64_t expires;
    struct subject subject;
    size_t policy_count; /* the device's own first, then its roles'; a NULL one holds no rules */
    const struct policy *const *policies;
    const char *presence_topic; /* filter of the topics that presence is published on; or NULL */
};

/* Here and below it nobody but devreg publishes, whatever the rules say. */
#define RESERVED_TOPIC  "devreg"
#define RESERVED_FILTER RESERVED_TOPIC "/#"
/* Below it, under its id, a device is told what it did and was not let do. It may read that without
 * a rule; a deny takes it away. */
#define ERRORS_TOPIC RESERVED_TOPIC "/errors/"

/* `client_id`: what %c stands for; may be NULL. `topic`: a topic name, or for QUESTION_SUBSCRIBE
 * what SUBSCRIBE asks for, "$share/..." included. In order: the topic's form, the device's state
 * and expiry, the reserved topics, then the rules: a deny in any policy, else an allow in any, else
 * no, but for the device's own errors. */
struct decision access_decide(const struct access *access, const char *client_id,
                              enum question question, const char *topic, int64_t now);

/* May nobody but devreg publish on the topic `name`? `presence_topic` as above. */
bool topic_reserved(const char *name, const char *presence_topic);

/* The filter of all topics that a presence topic like "site/%{site}/%u" can become: each level
 * that is a variable turned into "+". False where it does not fit into RULE_FILTER_MAX. */
bool presence_topic_filter(char filter[static RULE_FILTER_MAX + 1], const char *presence_topic);

#endif
