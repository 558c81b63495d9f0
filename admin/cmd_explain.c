/* devreg explain: would the broker let it, and which rule says so? Asked of the very function that
 * the broker asks. */
#include <string.h>

#include "admin/complain.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "admin/presence_view.h"
#include "admin/record_json.h"
#include "admin/when.h"
#include "registry/access.h"
#include "registry/text.h"
#include "registry/topic.h"

/* A question and all that its answer depends on. */
struct inquiry {
    enum question question;
    const char *topic, *client_id;
    struct device device;
    struct policy *policies[1 + ROLES_MAX]; /* the device's own, then its roles' */
    struct limits limits;                   /* of all of them, that concern the question */
    char presence[RULE_FILTER_MAX + 1];     /* the filter of the presence topics, or "" */
};

/* Is it what a client could send at all? */
static enum status check_sent(struct call *call, const struct inquiry *inquiry)
{
    const char *topic = inquiry->topic, *id = inquiry->client_id;
    bool filter = inquiry->question == QUESTION_SUBSCRIBE;
    bool valid = filter ? topic_of_subscription(topic) != NULL : topic_name_valid(topic);
    if (!valid || !text_is_plain(topic, TOPIC_MAX))
        return complain(
            call, STATUS_MISUSE,
            filter ? "'" SHOWN "' is no topic filter: write 1 to 65535 bytes of UTF-8 without "
                     "control characters, '+' as a whole level and '#' as the last"
                   : "'" SHOWN "' is no topic name: write 1 to 65535 bytes of UTF-8 without "
                     "control characters, '+' or '#'",
            topic);
    if (!*id || !text_is_plain(id, TOPIC_MAX))
        return complain(call, STATUS_MISUSE,
                        "'" SHOWN
                        "' is no client id: write 1 to 65535 bytes of UTF-8 without control "
                        "characters",
                        id);
    return STATUS_DONE;
}

static enum status take_question(struct call *call, struct inquiry *inquiry)
{
    static const char *const words[] = {[QUESTION_PUBLISH] = "publish",
                                        [QUESTION_SUBSCRIBE] = "subscribe",
                                        [QUESTION_DELIVER] = "deliver"};
    const char *word = call_word(call, 1);
    inquiry->topic = call_word(call, 2);
    inquiry->client_id = call_option(call, OPT_AS_CLIENT);
    if (!inquiry->client_id)
        inquiry->client_id = call_word(call, 0);
    for (enum question question = QUESTION_PUBLISH; question <= QUESTION_DELIVER; question++) {
        if (strcmp(word, words[question]) == 0) {
            inquiry->question = question;
            return check_sent(call, inquiry);
        }
    }
    return complain(call, STATUS_MISUSE,
                    "'" SHOWN "' is no question: write publish, subscribe or deliver", word);
}

/* Of all limits those that a question of that kind meets. */
static void limits_of_question(struct limits *limits, enum question question)
{
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        bool meets = question == QUESTION_PUBLISH     ? limit != LIMIT_CONNECTIONS
                     : question == QUESTION_SUBSCRIBE ? limit == LIMIT_QOS
                                                      : false;
        if (!meets)
            limits->values[limit] = LIMIT_UNSET;
    }
}

/* And merges the limits. */
static enum status compile_policies(struct call *call, struct inquiry *inquiry)
{
    const struct device *device = &inquiry->device;
    enum status status = complain_err(call, policy_compile(&inquiry->policies[0], &device->rules));
    for (size_t i = 0; i < device->role_count && !status; i++) {
        struct role role;
        status = role_find(call, device->roles[i], &role);
        if (status)
            break;
        status = complain_err(call, policy_compile(&inquiry->policies[i + 1], &role.rules));
        limits_tighten(&inquiry->limits, &role.limits);
        role_clear(&role);
    }
    limits_override(&inquiry->limits, &device->limits);
    limits_of_question(&inquiry->limits, inquiry->question);
    return status;
}

static void find_presence_topic(const struct call *call, struct inquiry *inquiry)
{
    struct presence_view view;
    char topic[RULE_FILTER_MAX + 1];
    presence_view_open(&view, call);
    presence_view_begin(&view);
    presence_view_topic(&view, topic);
    presence_view_warn(&view, call);
    presence_view_close(&view);
    if (!presence_topic_filter(inquiry->presence, topic))
        inquiry->presence[0] = '\0';
}

static struct decision decide(const struct inquiry *inquiry, int64_t now)
{
    const struct device *device = &inquiry->device;
    const struct policy *policies[1 + ROLES_MAX];
    for (size_t i = 0; i <= device->role_count; i++)
        policies[i] = inquiry->policies[i];
    const struct access access = {
        .state = device->state,
        .expires = device->expires,
        .subject = {device->id, device->attributes, device->attribute_count},
        .policy_count = device->role_count + 1,
        .policies = policies,
        .presence_topic = *inquiry->presence ? inquiry->presence : NULL};
    return access_decide(&access, inquiry->client_id, inquiry->question, inquiry->topic, now);
}

/* When, as the log says, the device came into the state that denies; 0 where that is not why, or
 * the log no longer says. */
static int64_t state_since(struct call *call, const struct device *device, enum why why)
{
    struct log_entry entry = {.seq = 0};
    int64_t since = 0;
    if (why != WHY_DISABLED && why != WHY_REVOKED)
        return 0;
    enum err e;
    while (!(e = registry_next_entry(call->registry, entry.seq, &entry)) || e == ERR_DAMAGED) {
        if (!e && entry.verb == (why == WHY_REVOKED ? LOG_REVOKE : LOG_DISABLE) &&
            entry.kind == LOG_DEVICE && strcmp(entry.subject, device->id) == 0)
            since = entry.time;
    }
    return since;
}

/* One word for each, for scripts. */
static const char *why_name(enum why why)
{
    static const char *const names[] = {
        [WHY_NO_RULE] = "no_rule",     [WHY_RULE] = "rule",
        [WHY_RESERVED] = "reserved",   [WHY_DISABLED] = "disabled",
        [WHY_REVOKED] = "revoked",     [WHY_EXPIRED] = "expired",
        [WHY_BAD_TOPIC] = "bad_topic", [WHY_OWN_ERRORS] = "own_errors"};
    return names[why];
}

static const char *why_text(const struct inquiry *inquiry, enum why why)
{
    bool filter = inquiry->question == QUESTION_SUBSCRIBE;
    switch (why) {
    case WHY_RESERVED:
        return "nobody but devreg publishes there";
    case WHY_OWN_ERRORS:
        return "a device may read what it is told of its own errors";
    case WHY_DISABLED:
        return "the device is disabled";
    case WHY_REVOKED:
        return "the device is revoked";
    case WHY_BAD_TOPIC:
        return filter ? "that is no valid topic filter"
                      : "that is no valid topic name: it may not be empty or hold + or #";
    default:
        return filter ? "no single rule allows all of that filter" : "no rule allows it";
    }
}

static cJSON *answer_of(const struct inquiry *inquiry, const struct decision *decision,
                        int64_t since)
{
    const struct device *device = &inquiry->device;
    char rule[RULE_TEXT_MAX + 1];
    cJSON *answer = cJSON_CreateObject();
    json_text(answer, "verdict", decision->verdict == VERDICT_ALLOW ? "allowed" : "denied");
    json_text(answer, "why", why_name(decision->why));
    if (decision->why == WHY_RULE) {
        rule_format(rule, decision->rule);
        json_text(answer, "rule", rule);
        if (decision->policy)
            json_text(answer, "role", device->roles[decision->policy - 1]);
        else
            json_text(answer, "device", device->id);
    }
    if (decision->why == WHY_DISABLED || decision->why == WHY_REVOKED) {
        json_time(answer, "since", since);
        json_text(answer, "reason", device->reason);
    }
    if (decision->why == WHY_EXPIRED)
        json_time(answer, "since", device->expires);
    if (decision->verdict == VERDICT_ALLOW)
        limits_to_json(answer, &inquiry->limits);
    return answer;
}

/* "allowed by 'allow publish a/b' of role @device", "denied: no rule allows it" */
static void answer_print(const struct inquiry *inquiry, const struct decision *decision,
                         int64_t since)
{
    const struct device *device = &inquiry->device;
    char rule[RULE_TEXT_MAX + 1], when[WHEN_TEXT_MAX + 1];
    const char *verdict = decision->verdict == VERDICT_ALLOW ? "allowed" : "denied";
    size_t policy = decision->policy;
    if (decision->why == WHY_RULE) {
        rule_format(rule, decision->rule);
        (void)printf("%s by '%s' of %s%s\n", verdict, rule, policy ? "role @" : "device ",
                     policy ? device->roles[policy - 1] : device->id);
        return;
    }
    bool state = decision->why == WHY_DISABLED || decision->why == WHY_REVOKED;
    when_format(when, decision->why == WHY_EXPIRED ? device->expires : since);
    if (decision->why == WHY_EXPIRED)
        (void)printf("%s: the device expired at %s\n", verdict, when);
    else
        (void)printf("%s: %s%s%s%s%s\n", verdict, why_text(inquiry, decision->why),
                     since ? " since " : "", since ? when : "",
                     state && *device->reason ? ": " : "", state ? device->reason : "");
}

static enum status print_answer(const struct call *call, const struct inquiry *inquiry,
                                const struct decision *decision, int64_t since)
{
    char limits[LIMITS_TEXT_MAX + 1];
    if (call->json) {
        cJSON *json = answer_of(inquiry, decision, since);
        json_print(stdout, json);
        cJSON_Delete(json);
    } else {
        answer_print(inquiry, decision, since);
        limits_format(limits, &inquiry->limits);
        if (*limits && decision->verdict == VERDICT_ALLOW)
            (void)printf("within its limits: %s\n", limits);
    }
    return decision->verdict == VERDICT_ALLOW ? STATUS_DONE : STATUS_NO;
}

static void warn_of_client_id(const struct inquiry *inquiry)
{
    const struct device *device = &inquiry->device;
    if (*device->client_id && !client_id_matches(device->client_id, device->id, inquiry->client_id))
        warn("%s may not connect with the client id " SHOWN " at all: its pattern is %s",
             device->id, inquiry->client_id, device->client_id);
}

enum status cmd_explain(struct call *call)
{
    struct inquiry inquiry = {.topic = NULL};
    const char *id = call_word(call, 0);
    enum status status = check_device_id(call, id);
    if (!status)
        status = take_question(call, &inquiry);
    if (!status)
        status = read_begin(call);
    if (!status)
        status = device_find(call, id, &inquiry.device);
    if (!status)
        status = compile_policies(call, &inquiry);
    if (!status) {
        find_presence_topic(call, &inquiry);
        struct decision decision = decide(&inquiry, call->now);
        int64_t since = state_since(call, &inquiry.device, decision.why);
        registry_end(call->registry);
        warn_of_client_id(&inquiry);
        status = print_answer(call, &inquiry, &decision, since);
    }
    for (size_t i = 0; i <= ROLES_MAX; i++)
        policy_free(inquiry.policies[i]);
    device_clear(&inquiry.device);
    return status;
}
