#include "admin/presence_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/when.h"

enum { LINE_SIZE = CREDENTIAL_LABEL_MAX + 200 };

const struct credential *credential_used(const struct device *device,
                                         const struct presence *presence)
{
    for (size_t i = 0; i < device->credential_count; i++) {
        if (device->credentials[i].id == presence->credential)
            return &device->credentials[i];
    }
    return NULL;
}

static void add_state(cJSON *answer, enum presence_state state, const struct presence *presence)
{
    char line[LINE_SIZE], since[WHEN_TEXT_MAX + 1];
    bool offline = state == PRESENCE_OFFLINE;
    if (state == PRESENCE_NEVER || state == PRESENCE_UNKNOWN) {
        bool never = state == PRESENCE_NEVER;
        json_text(answer, "presence_line", never ? "never connected" : presence_state_name(state));
        return;
    }
    when_format(since, presence->since);
    snprintf(line, sizeof line, "%s since %s%s%s", presence_state_name(state), since,
             offline ? ", " : "", offline ? reason_name(presence->reason) : "");
    json_text(answer, "presence_line", line);
}

static void add_protocol(cJSON *answer, const struct presence *presence)
{
    static const char *const names[] = {[3] = "MQTT 3.1, ", [4] = "MQTT 3.1.1, ", [5] = "MQTT 5, "};
    bool known = presence->protocol >= 3 && presence->protocol <= 5;
    char line[LINE_SIZE];
    snprintf(line, sizeof line, "%s%s session, keepalive %u s",
             known ? names[presence->protocol] : "", presence->persistent ? "persistent" : "clean",
             (unsigned)presence->keepalive);
    json_text(answer, "protocol_line", line);
}

/* "key 1 'spring'" */
static void format_credential(char text[static LINE_SIZE], const struct device *device,
                              const struct presence *presence)
{
    const struct credential *used = credential_used(device, presence);
    unsigned id = (unsigned)presence->credential;
    if (!used)
        snprintf(text, LINE_SIZE, "credential %u, which is gone", id);
    else if (*used->label)
        snprintf(text, LINE_SIZE, "%s %u '%s'", credential_kind_name(used), id, used->label);
    else
        snprintf(text, LINE_SIZE, "%s %u", credential_kind_name(used), id);
}

static void add_connected(cJSON *answer, const struct device *device,
                          const struct presence *presence)
{
    char line[2 * LINE_SIZE], at[WHEN_TEXT_MAX + 1], credential[LINE_SIZE];
    when_format(at, presence->connected_at);
    format_credential(credential, device, presence);
    snprintf(line, sizeof line, "%s with %s; %" PRIu64 " time%s in all", at, credential,
             presence->connections, plural(presence->connections));
    json_text(answer, "connected_line", line);
}

static void add_left(cJSON *answer, const struct presence *presence)
{
    char line[LINE_SIZE], at[WHEN_TEXT_MAX + 1];
    when_format(at, presence->ended_at);
    snprintf(line, sizeof line, "%s, %s", at, reason_name(presence->reason));
    json_text(answer, "left_line", line);
}

static void add_tally(cJSON *answer, const char *key, const struct tally *tally)
{
    char line[LINE_SIZE], last[WHEN_TEXT_MAX + 1];
    if (!tally->count)
        return;
    when_format(last, tally->last);
    snprintf(line, sizeof line, "%" PRIu64 " time%s, last %s", tally->count, plural(tally->count),
             last);
    json_text(answer, key, line);
}

void presence_lines(cJSON *answer, const struct device *device, enum presence_state state,
                    const struct presence *presence)
{
    add_state(answer, state, presence);
    if (state == PRESENCE_ONLINE || state == PRESENCE_OFFLINE) {
        json_text(answer, "client", presence->client);
        json_text(answer, "address", presence->address);
        add_protocol(answer, presence);
        add_connected(answer, device, presence);
    }
    if (state == PRESENCE_ONLINE && presence->ended_at)
        add_left(answer, presence);
    add_tally(answer, "refused_line", &presence->failures);
    add_tally(answer, "denied_line", &presence->denials);
}

void quarantine_line(cJSON *answer, const char *device, const struct quarantine *quarantine)
{
    char line[4 * LINE_SIZE], since[WHEN_TEXT_MAX + 1], why[3 * LINE_SIZE];
    when_format(since, quarantine->since);
    if (quarantine->since)
        snprintf(why, sizeof why, "since %s: %s and %s took its connection from each other", since,
                 quarantine->addresses[0], quarantine->addresses[1]);
    else
        snprintf(why, sizeof why, "it is not known why, since that record is damaged");
    snprintf(line, sizeof line, "%s; it is refused until it changes: 'devreg rotate %s --grace 0'",
             why, device);
    json_text(answer, "quarantine_line", line);
}
