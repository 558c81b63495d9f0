#include "registry/access.h"

#include <string.h>

#include "registry/topic.h"

bool topic_reserved(const char *name, const char *presence_topic)
{
    const size_t size = sizeof RESERVED_TOPIC - 1;
    return (strncmp(name, RESERVED_TOPIC, size) == 0 &&
            (name[size] == '/' || name[size] == '\0')) ||
           (presence_topic && topic_matches(presence_topic, name));
}

bool presence_topic_filter(char filter[static RULE_FILTER_MAX + 1], const char *presence_topic)
{
    size_t used = 0;
    if (strnlen(presence_topic, RULE_FILTER_MAX + 1) > RULE_FILTER_MAX)
        return false;
    for (const char *level = presence_topic;; level++) {
        size_t size = strcspn(level, "/");
        bool variable = size >= 2 && level[0] == '%';
        memcpy(filter + used, variable ? "+" : level, variable ? 1 : size);
        used += variable ? 1 : size;
        level += size;
        if (!*level)
            break;
        filter[used++] = '/';
    }
    filter[used] = '\0';
    return true;
}

/* Is the device in a state in which it may do anything at all? */
static bool state_allows(const struct access *access, int64_t now, enum why *why)
{
    if (access->state != DEVICE_ENABLED) {
        *why = access->state == DEVICE_REVOKED ? WHY_REVOKED : WHY_DISABLED;
        return false;
    }
    if (access->expires && now >= access->expires) {
        *why = WHY_EXPIRED;
        return false;
    }
    return true;
}

static struct decision rules_decide(const struct access *access, const char *client_id,
                                    enum question question, const char *topic, size_t length)
{
    struct decision decision = {VERDICT_DENY, WHY_NO_RULE, 0, NULL};
    for (size_t i = 0; i < access->policy_count; i++) {
        if (!access->policies[i])
            continue;
        struct policy_match match =
            policy_match(access->policies[i], &access->subject, client_id, question, topic, length);
        if (match.deny)
            return (struct decision){VERDICT_DENY, WHY_RULE, i, match.deny};
        if (match.allow && !decision.rule)
            decision = (struct decision){VERDICT_ALLOW, WHY_RULE, i, match.allow};
    }
    return decision;
}

/* A device's own, and nothing wider. */
static bool is_own_errors(const struct access *access, const char *topic)
{
    const size_t size = sizeof ERRORS_TOPIC - 1;
    const char *device = access->subject.device;
    return device[0] && strncmp(topic, ERRORS_TOPIC, size) == 0 &&
           strcmp(topic + size, device) == 0;
}

struct decision access_decide(const struct access *access, const char *client_id,
                              enum question question, const char *topic, int64_t now)
{
    struct decision no = {VERDICT_DENY, WHY_BAD_TOPIC, 0, NULL};
    bool filter = question == QUESTION_SUBSCRIBE;
    const char *asked = filter ? topic_of_subscription(topic) : topic;
    size_t length = !asked ? 0 : filter ? strlen(asked) : topic_name_length(asked);
    if (!length)
        return no;
    if (!state_allows(access, now, &no.why))
        return no;
    if (question == QUESTION_PUBLISH && topic_reserved(topic, access->presence_topic)) {
        no.why = WHY_RESERVED;
        return no;
    }
    struct decision decision = rules_decide(access, client_id, question, asked, length);
    if (decision.why == WHY_NO_RULE && question != QUESTION_PUBLISH && is_own_errors(access, asked))
        return (struct decision){VERDICT_ALLOW, WHY_OWN_ERRORS, 0, NULL};
    return decision;
}
