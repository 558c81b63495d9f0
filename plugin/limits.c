#include "plugin/limits.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/plugin.h"

static struct limiter *limiter_get(struct cached_device *device)
{
    if (!device->limiter)
        device->limiter = calloc(1, sizeof *device->limiter);
    return device->limiter;
}

void limiter_free(struct cached_device *device)
{
    free(device->limiter);
    device->limiter = NULL;
}

bool limiter_set_own(struct cached_device *device, const struct limits *own)
{
    if (!limiter_get(device))
        return false;
    device->limiter->own = *own;
    return true;
}

bool limiter_merge(struct cached_device *device)
{
    struct limiter *limiter = limiter_get(device);
    if (!limiter)
        return false;
    limiter->all = (struct limits){{0}};
    for (size_t i = 0; i < device->role_count; i++)
        limits_tighten(&limiter->all, &device->roles[i]->limits);
    limits_override(&limiter->all, &limiter->own);
    if (!limits_any(&limiter->all))
        limiter_free(device);
    return true;
}

/* Is there such a limit, and what is it? */
static bool limit_get(const struct limiter *limiter, enum limit limit, uint32_t *number)
{
    const uint32_t value = limiter->all.values[limit];
    *number = value - LIMIT_OF(0);
    return value != LIMIT_UNSET && value != LIMIT_NONE;
}

static bool is_over(const struct limiter *limiter, enum limit limit, uint32_t number)
{
    uint32_t most;
    return limit_get(limiter, limit, &most) && number > most;
}

/* The messages come last: only what passes all else is one. */
static enum limit limit_met(struct limiter *limiter, const struct mosquitto_evt_acl_check *event)
{
    uint32_t messages, burst;
    if (is_over(limiter, LIMIT_QOS, event->qos))
        return LIMIT_QOS;
    if (event->access != MOSQ_ACL_WRITE)
        return LIMIT_COUNT;
    if (is_over(limiter, LIMIT_RETAIN, event->retain))
        return LIMIT_RETAIN;
    if (is_over(limiter, LIMIT_PAYLOAD, event->payloadlen))
        return LIMIT_PAYLOAD;
    if (!limit_get(limiter, LIMIT_MESSAGES, &messages))
        return LIMIT_COUNT;
    if (!limit_get(limiter, LIMIT_BURST, &burst))
        burst = messages;
    return token_bucket_take(&limiter->bucket, messages, burst, clock_steady()) ? LIMIT_COUNT
                                                                                : LIMIT_MESSAGES;
}

static void tell(struct plugin *plugin, const struct cached_device *device, enum limit met,
                 const char *topic, const char *client_id)
{
    const int64_t now = clock_wall();
    event_limited(&plugin->events, device->id, limit_name(met), topic, client_id, now);
    errors_note(&plugin->errors, device->id, met, topic, client_id, now);
}

bool limits_pass(struct plugin *plugin, const struct cached_device *device,
                 const struct connection *connection, const struct mosquitto_evt_acl_check *event)
{
    if (event->access != MOSQ_ACL_WRITE && event->access != MOSQ_ACL_SUBSCRIBE)
        return true;
    enum limit met = limit_met(device->limiter, event);
    if (met == LIMIT_COUNT)
        return true;
    presence_denied(&plugin->presences, connection, clock_wall());
    tell(plugin, device, met, event->topic, connection->client_id);
    return false;
}

/* Those that are in, but for the one that would be taken over. One whose password is still being
 * checked is not in: it may be a stranger's. */
static uint32_t count_others(const struct cached_device *device, const char *client_id)
{
    uint32_t count = 0;
    for (const struct connection *c = device->connections; c; c = c->next) {
        bool in = c->state == CONNECTION_PENDING || c->state == CONNECTION_LIVE;
        count += in && !c->kicked && strcmp(c->client_id, client_id) != 0;
    }
    return count;
}

enum refusal limits_refuse(struct plugin *plugin, struct cached_device *device,
                           const char *client_id)
{
    uint32_t most;
    if (cache_limits(&plugin->cache, device) != ERR_OK)
        return REFUSED_FAULT;
    if (!device->limiter || !limit_get(device->limiter, LIMIT_CONNECTIONS, &most) ||
        count_others(device, client_id) < most)
        return REFUSED_NOT;
    tell(plugin, device, LIMIT_CONNECTIONS, NULL, client_id);
    return REFUSED_CONNECTIONS;
}
