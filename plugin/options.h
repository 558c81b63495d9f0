/* options.h - plugin_opt_* of mosquitto.conf. One table: plugin/options.c. */
#ifndef DEVREG_PLUGIN_OPTIONS_H
#define DEVREG_PLUGIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "plugin/mosq.h"
#include "registry/presence_topic.h"

enum { OPTION_PATH_MAX = 1000, PRESENCE_DELAY_MAX = 86400, OPTION_ERROR_MAX = 300 };

enum unknown_users { UNKNOWN_DEFER, UNKNOWN_DENY };
enum duplicate_use { DUPLICATE_REPORT, DUPLICATE_QUARANTINE };
enum presence_format { PRESENCE_JSON, PRESENCE_PLAIN };

/* Plain data. */
struct options {
    char registry[OPTION_PATH_MAX + 1];
    char presence_store[OPTION_PATH_MAX + 1];
    bool presence;
    enum presence_format presence_format;
    uint32_t presence_delay;                       /* s */
    char presence_topic[PRESENCE_PATTERN_MAX + 1]; /* a pattern: presence_topic.h */
    bool presence_attributes;                      /* it names some */
    bool events, errors;
    char presence_filter[RULE_FILTER_MAX + 1]; /* the topics that presence_topic can become */
    char anonymous_role[ROLE_NAME_MAX + 1];    /* "" for none */
    enum unknown_users unknown;
    enum duplicate_use duplicate_use;
    char client_id[CLIENT_ID_PATTERN_MAX + 1]; /* "" for any; device or prefix */
};

/* Reads the options. False, and one line that says what is wrong and what to do, where one is
 * unknown, repeated or malformed. */
bool options_read(struct options *options, const struct mosquitto_opt *given, int count,
                  char error[static OPTION_ERROR_MAX + 1]);

bool options_equal(const struct options *a, const struct options *b);

#endif
