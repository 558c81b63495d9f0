#include "registry/limits.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGES_MAX = 6000000, PAYLOAD_MAX = 268435455 /* of MQTT */, CONNECTIONS_MAX = 65535 };

static const struct row {
    const char *name, *takes;
    uint32_t least, most;
    bool spelled; /* its numbers are words */
} rows[LIMIT_COUNT] = {
    [LIMIT_MESSAGES] = {"messages", "1 to 6000000 a minute, unlimited, or none", 1, MESSAGES_MAX,
                        false},
    [LIMIT_BURST] = {"burst", "1 to 6000000, unlimited, or none", 1, MESSAGES_MAX, false},
    [LIMIT_PAYLOAD] = {"payload", "0 to 268435455 bytes, unlimited, or none", 0, PAYLOAD_MAX,
                       false},
    [LIMIT_RETAIN] = {"retain", "yes, no, or none", 0, 1, true},
    [LIMIT_QOS] = {"qos", "0, 1, 2, or none", 0, 2, false},
    [LIMIT_CONNECTIONS] = {"connections", "1 to 65535, unlimited, or none", 1, CONNECTIONS_MAX,
                           false},
};

const char *limit_name(enum limit limit)
{
    return rows[limit].name;
}

enum limit limit_find(const char *name, size_t length)
{
    enum limit limit = 0;
    while (limit < LIMIT_COUNT &&
           (strncmp(rows[limit].name, name, length) != 0 || strlen(rows[limit].name) != length))
        limit++;
    return limit;
}

const char *limit_takes(enum limit limit)
{
    return rows[limit].takes;
}

/* Has it a highest value that limits nothing? */
static bool is_choice(enum limit limit)
{
    return limit == LIMIT_RETAIN || limit == LIMIT_QOS;
}

bool limit_valid(enum limit limit, uint32_t value)
{
    const struct row *row = &rows[limit];
    if (value == LIMIT_UNSET || value == LIMIT_NONE)
        return value == LIMIT_UNSET || !is_choice(limit);
    return value >= LIMIT_OF(row->least) && value <= LIMIT_OF(row->most);
}

/* Decimal digits, no needless ones. */
static bool number_parse(const char *text, uint32_t most, uint32_t *number)
{
    uint32_t read = 0;
    if (!*text || (text[0] == '0' && text[1]))
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        read = read * 10 + (uint32_t)(*text - '0');
        if (read > most)
            return false;
    }
    *number = read;
    return true;
}

bool limit_parse(enum limit limit, const char *text, uint32_t *value)
{
    const struct row *row = &rows[limit];
    uint32_t number = 0, read;
    bool yes = strcmp(text, "yes") == 0;
    if (strcmp(text, "none") == 0)
        read = LIMIT_UNSET;
    else if (strcmp(text, "unlimited") == 0)
        read = LIMIT_NONE;
    else if (row->spelled ? yes || strcmp(text, "no") == 0
                          : number_parse(text, row->most, &number) && number >= row->least)
        read = LIMIT_OF(row->spelled ? yes : number);
    else
        return false;
    if (!limit_valid(limit, read))
        return false;
    *value = read;
    return true;
}

void limit_format(char text[static LIMIT_TEXT_MAX + 1], enum limit limit, uint32_t value)
{
    const char *word = value == LIMIT_UNSET   ? "none"
                       : value == LIMIT_NONE  ? "unlimited"
                       : !rows[limit].spelled ? NULL
                       : value == LIMIT_OF(0) ? "no"
                                              : "yes";
    if (word)
        (void)snprintf(text, LIMIT_TEXT_MAX + 1, "%s", word);
    else
        (void)snprintf(text, LIMIT_TEXT_MAX + 1, "%u", (unsigned)(value - LIMIT_OF(0)));
}

void limits_format(char text[static LIMITS_TEXT_MAX + 1], const struct limits *limits)
{
    char value[LIMIT_TEXT_MAX + 1];
    size_t used = 0;
    text[0] = '\0';
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        if (limits->values[limit] == LIMIT_UNSET || used > LIMITS_TEXT_MAX)
            continue;
        limit_format(value, limit, limits->values[limit]);
        used += (size_t)snprintf(text + used, LIMITS_TEXT_MAX + 1 - used, "%s%s=%s",
                                 used ? " " : "", limit_name(limit), value);
    }
}

bool limits_equal(const struct limits *a, const struct limits *b)
{
    return memcmp(a->values, b->values, sizeof a->values) == 0;
}

void limits_tighten(struct limits *limits, const struct limits *by)
{
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        uint32_t *value = &limits->values[limit], other = by->values[limit];
        if (other != LIMIT_UNSET && (*value == LIMIT_UNSET || other < *value))
            *value = other;
    }
}

void limits_override(struct limits *limits, const struct limits *by)
{
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        if (by->values[limit] != LIMIT_UNSET)
            limits->values[limit] = by->values[limit];
    }
}
