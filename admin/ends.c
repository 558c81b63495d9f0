#include "admin/ends.h"

#include <stdio.h>

bool credential_over(const struct presence_view *view, const struct device *device,
                     const struct credential *credential, int64_t now)
{
    if (credential->expires && credential->expires <= now)
        return true;
    return credential->ended_by && presence_view_used(view, device, credential->ended_by);
}

static void offer_end(struct ending *ending, int64_t time, const struct credential *credential)
{
    if (time && (!ending->time || time < ending->time))
        *ending = (struct ending){time, credential};
}

struct ending ending_next(const struct presence_view *view, const struct device *device,
                          int64_t now)
{
    struct ending ending = {.time = 0};
    offer_end(&ending, device->expires > now ? device->expires : 0, NULL);
    for (size_t i = 0; i < device->credential_count; i++) {
        const struct credential *credential = &device->credentials[i];
        if (credential->expires && !credential_over(view, device, credential, now))
            offer_end(&ending, credential->expires, credential);
    }
    return ending;
}

/* The time of its last use, as far as it is noted. */
static int64_t last_use(const struct credential *credential, enum presence_state state,
                        const struct presence *presence, int64_t now)
{
    const struct use *use = presence_used(presence, credential->id);
    int64_t last = use ? use->last : 0;
    bool newest = presence->connections && presence->credential == credential->id;
    if (newest && state == PRESENCE_ONLINE)
        return now;
    return newest && presence->ended_at > last ? presence->ended_at : last;
}

struct idle idle_longest(const struct presence_view *view, const struct device *device,
                         enum presence_state state, const struct presence *presence, int64_t now)
{
    struct idle idle = {.credential = NULL};
    for (size_t i = 0; i < device->credential_count; i++) {
        const struct credential *credential = &device->credentials[i];
        if (credential_over(view, device, credential, now))
            continue;
        int64_t last = last_use(credential, state, presence, now);
        int64_t since = last > credential->created ? last : credential->created;
        if (!idle.credential || since < idle.since)
            idle = (struct idle){credential, since, last};
    }
    return idle;
}

void credentials_drop_over(const struct presence_view *view, struct device *device, int64_t now)
{
    for (size_t i = device->credential_count; i-- > 0;) {
        if (credential_over(view, device, &device->credentials[i], now))
            device_drop_credential(device, i);
    }
}

char *credential_word(char word[static CREDENTIAL_WORD_MAX + 1],
                      const struct credential *credential)
{
    if (credential)
        snprintf(word, CREDENTIAL_WORD_MAX + 1, "%s %u", credential_kind_name(credential),
                 (unsigned)credential->id);
    else
        snprintf(word, CREDENTIAL_WORD_MAX + 1, "device");
    return word;
}
