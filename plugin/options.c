#include "plugin/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/access.h"
#include "registry/registry.h"
#include "registry/text.h"
#include "registry/topic.h"

static bool path_parse(char *to, const char *value)
{
    return value[0] == '/' && text_copy(to, OPTION_PATH_MAX, value);
}

static bool registry_parse(struct options *options, const char *value)
{
    return path_parse(options->registry, value);
}

static bool presence_store_parse(struct options *options, const char *value)
{
    return path_parse(options->presence_store, value);
}

static bool presence_parse(struct options *options, const char *value)
{
    options->presence = strcmp(value, "on") == 0;
    return options->presence || strcmp(value, "off") == 0;
}

static bool presence_format_parse(struct options *options, const char *value)
{
    bool plain = strcmp(value, "plain") == 0;
    options->presence_format = plain ? PRESENCE_PLAIN : PRESENCE_JSON;
    return plain || strcmp(value, "json") == 0;
}

static bool presence_delay_parse(struct options *options, const char *value)
{
    char *end;
    unsigned long seconds = strtoul(value, &end, 10);
    options->presence_delay = (uint32_t)seconds;
    return value[0] >= '0' && value[0] <= '9' && !*end && seconds <= PRESENCE_DELAY_MAX;
}

static bool presence_topic_parse(struct options *options, const char *value)
{
    options->presence_attributes = presence_pattern_has_attributes(value);
    return presence_pattern_valid(value) &&
           text_copy(options->presence_topic, PRESENCE_PATTERN_MAX, value) &&
           presence_topic_filter(options->presence_filter, value);
}

static bool events_parse(struct options *options, const char *value)
{
    options->events = strcmp(value, "on") == 0;
    return options->events || strcmp(value, "off") == 0;
}

static bool errors_parse(struct options *options, const char *value)
{
    options->errors = strcmp(value, "on") == 0;
    return options->errors || strcmp(value, "off") == 0;
}

static bool anonymous_role_parse(struct options *options, const char *value)
{
    return role_name_valid(value) && text_copy(options->anonymous_role, ROLE_NAME_MAX, value);
}

static bool unknown_parse(struct options *options, const char *value)
{
    bool deny = strcmp(value, "deny") == 0;
    options->unknown = deny ? UNKNOWN_DENY : UNKNOWN_DEFER;
    return deny || strcmp(value, "defer") == 0;
}

static bool client_id_parse(struct options *options, const char *value)
{
    bool known =
        strcmp(value, "any") == 0 || strcmp(value, "device") == 0 || strcmp(value, "prefix") == 0;
    const char *pattern = strcmp(value, "any") == 0 ? "" : value;
    return known && text_copy(options->client_id, CLIENT_ID_PATTERN_MAX, pattern);
}

static bool duplicate_use_parse(struct options *options, const char *value)
{
    bool quarantine = strcmp(value, "quarantine") == 0;
    options->duplicate_use = quarantine ? DUPLICATE_QUARANTINE : DUPLICATE_REPORT;
    return quarantine || strcmp(value, "report") == 0;
}

static const struct row {
    const char *name; /* as Mosquitto hands it over, without "plugin_opt_" */
    bool (*parse)(struct options *options, const char *value);
    const char *takes;
} rows[] = {
    {"registry", registry_parse, "an absolute path of at most 1000 bytes"},
    {"presence_store", presence_store_parse, "an absolute path of at most 1000 bytes"},
    {"presence", presence_parse, "on or off"},
    {"presence_topic", presence_topic_parse,
     "a topic with '%u', the device, as one whole level, others as they are or '%{attribute}', "
     "no leading '$', below devreg/ only devreg/presence/"},
    {"presence_format", presence_format_parse, "json or plain"},
    {"presence_delay", presence_delay_parse, "whole seconds, at most 86400"},
    {"events", events_parse, "on or off"},
    {"errors", errors_parse, "on or off"},
    {"anonymous_role", anonymous_role_parse, "the name of a role"},
    {"unknown", unknown_parse, "defer or deny"},
    {"client_id", client_id_parse, "any, device or prefix"},
    {"duplicate_use", duplicate_use_parse, "report or quarantine"},
};

enum { ROWS = sizeof rows / sizeof *rows };

static size_t row_find(const char *name)
{
    size_t at = 0;
    while (at < ROWS && strcmp(rows[at].name, name) != 0)
        at++;
    return at;
}

static void list_rows(char *to, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < ROWS && used < size; i++)
        used += (size_t)snprintf(to + used, size - used, "%s%s", i ? ", " : "", rows[i].name);
}

static bool option_read(struct options *options, const struct mosquitto_opt *option,
                        bool seen[static ROWS], char *error)
{
    char name[64], value[64], known[180];
    const char *given = option->value ? option->value : "";
    size_t at = row_find(option->key);
    text_escape(name, sizeof name, option->key);
    text_escape(value, sizeof value, given);
    list_rows(known, sizeof known);
    if (at == ROWS)
        snprintf(error, OPTION_ERROR_MAX + 1,
                 "plugin_opt_%s is not known: correct mosquitto.conf (known: %s)", name, known);
    else if (seen[at])
        snprintf(error, OPTION_ERROR_MAX + 1,
                 "plugin_opt_%s is there twice: remove one from mosquitto.conf", name);
    else if (!rows[at].parse(options, given))
        snprintf(error, OPTION_ERROR_MAX + 1,
                 "plugin_opt_%s '%s' is not valid: it takes %s; correct mosquitto.conf", name,
                 value, rows[at].takes);
    else
        return seen[at] = true;
    return false;
}

bool options_read(struct options *options, const struct mosquitto_opt *given, int count,
                  char error[static OPTION_ERROR_MAX + 1])
{
    bool seen[ROWS] = {false};
    *options = (struct options){0};
    options->presence = true;
    (void)text_copy(options->registry, OPTION_PATH_MAX, REGISTRY_DIR);
    bool good = presence_topic_parse(options, PRESENCE_PATTERN);
    for (int i = 0; good && i < count; i++)
        good = option_read(options, &given[i], seen, error);
    if (!good || options->presence_store[0])
        return good;
    int length = snprintf(options->presence_store, sizeof options->presence_store, "%s/%s",
                          options->registry, PRESENCE_SUBDIR);
    if (length < 0 || length > OPTION_PATH_MAX) {
        snprintf(error, OPTION_ERROR_MAX + 1,
                 "plugin_opt_registry is too long: use a shorter path");
        return false;
    }
    return true;
}

bool options_equal(const struct options *a, const struct options *b)
{
    return strcmp(a->registry, b->registry) == 0 &&
           strcmp(a->presence_store, b->presence_store) == 0 && a->presence == b->presence &&
           a->presence_format == b->presence_format && a->presence_delay == b->presence_delay &&
           strcmp(a->presence_topic, b->presence_topic) == 0 && a->events == b->events &&
           a->errors == b->errors && strcmp(a->anonymous_role, b->anonymous_role) == 0 &&
           a->unknown == b->unknown && strcmp(a->client_id, b->client_id) == 0 &&
           a->duplicate_use == b->duplicate_use;
}
