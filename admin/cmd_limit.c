/* devreg limit: what a device, a role, or many devices may send at most. */
#include <string.h>

#include "admin/answer.h"
#include "admin/change.h"
#include "admin/change_many.h"
#include "admin/complain.h"
#include "admin/lookup.h"

/* What the words say. */
struct limit_change {
    bool named[LIMIT_COUNT];
    struct limits limits;
};

static enum status take_word(struct call *call, struct limit_change *change, const char *word)
{
    size_t length = strcspn(word, "=");
    enum limit limit = limit_find(word, length);
    if (!word[length])
        return complain(call, STATUS_MISUSE,
                        "'" SHOWN "' is no limit: write LIMIT=VALUE, as "
                        "messages=60",
                        word);
    if (limit == LIMIT_COUNT)
        return complain(call, STATUS_MISUSE,
                        "'%.*s' is no limit: choose of messages, burst, payload, retain, qos, "
                        "connections",
                        length > 40 ? 40 : (int)length, word);
    if (change->named[limit])
        return complain(call, STATUS_MISUSE, "%s is given twice: write it once", limit_name(limit));
    change->named[limit] = true;
    if (!limit_parse(limit, word + length + 1, &change->limits.values[limit]))
        return complain(call, STATUS_MISUSE, "%s: '%.40s' is not what it takes: write %s",
                        limit_name(limit), word + length + 1, limit_takes(limit));
    return STATUS_DONE;
}

static enum status take_words(struct call *call, struct limit_change *change, size_t from)
{
    enum status status = STATUS_DONE;
    for (size_t i = from; i < call->arguments.word_count && !status; i++)
        status = take_word(call, change, call_word(call, i));
    if (!status && from >= call->arguments.word_count)
        return complain(call, STATUS_MISUSE,
                        "%s: no limit is named: write LIMIT=VALUE, as messages=60; see 'devreg "
                        "limit --help'",
                        from ? call_word(call, 0) : "--where");
    return status;
}

static void apply(struct call *call, struct limits *limits, const struct limit_change *change)
{
    char value[LIMIT_TEXT_MAX + 1];
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        if (!change->named[limit])
            continue;
        limits->values[limit] = change->limits.values[limit];
        limit_format(value, limit, limits->values[limit]);
        detail_add(call, "%s=%s", limit_name(limit), value);
    }
}

static enum status limit_device(struct call *call, struct device *device, void *context)
{
    apply(call, &device->limits, context);
    return STATUS_DONE;
}

static enum status limit_role(struct call *call, struct role *role, void *context)
{
    apply(call, &role->limits, context);
    return STATUS_DONE;
}

static enum status change_of_role(struct call *call, struct limit_change *change)
{
    struct role role = {.version = 0};
    enum status status =
        role_change(call, role_word(call_word(call, 0)), &role, LOG_LIMIT, limit_role, change);
    if (!status)
        status = answer_role(call, &role, "changed");
    role_clear(&role);
    return status;
}

static enum status change_of_device(struct call *call, struct limit_change *change)
{
    struct device device = {.credential_count = 0};
    enum status status =
        device_change(call, call_word(call, 0), &device, LOG_LIMIT, limit_device, change);
    if (!status)
        status = answer_device(call, &device, "changed");
    device_clear(&device);
    return status;
}

static enum outcome limit_one(struct call *call, struct device *device,
                              const struct presence_view *view, const struct pick *pick,
                              void *context)
{
    const struct limits before = device->limits;
    (void)view;
    (void)pick;
    apply(call, &device->limits, context);
    return limits_equal(&before, &device->limits) ? OUTCOME_SAME : OUTCOME_CHANGED;
}

static enum status limit_many(struct call *call)
{
    struct limit_change limits = {.named = {false}};
    const struct many_change change = {.does = "limit",
                                       .did = "limited",
                                       .rest = "",
                                       .verb = LOG_LIMIT,
                                       .edit = limit_one,
                                       .context = &limits};
    enum status status = take_words(call, &limits, 0);
    return status ? status : change_many(call, &change);
}

enum status cmd_limit(struct call *call)
{
    struct limit_change change = {.named = {false}};
    bool many;
    enum status status = many_asked(call, &many);
    if (status)
        return status;
    if (many)
        return limit_many(call);
    bool role = call_word(call, 0)[0] == '@';
    status = role ? check_role_name(call, role_word(call_word(call, 0)))
                  : check_device_id(call, call_word(call, 0));
    if (!status)
        status = take_words(call, &change, 1);
    if (status)
        return status;
    return role ? change_of_role(call, &change) : change_of_device(call, &change);
}
