/* limits.h - what a device may send at most, though rules allow it.
 *
 *   messages      publishes a minute, wills included
 *   burst         of them at once; as many as `messages` where it is not set
 *   payload       bytes of one
 *   retain        no: none that the broker is to keep
 *   qos           the highest, of publishes and of subscriptions
 *   connections   at a time
 *
 * Roles and devices have such a set. Of a device's roles the strictest counts for each limit; what
 * the device itself says takes the place of that, so that one device can be given more.
 */
#ifndef DEVREG_REGISTRY_LIMITS_H
#define DEVREG_REGISTRY_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of records, and in which they are told. */
enum limit {
    LIMIT_MESSAGES,
    LIMIT_BURST,
    LIMIT_PAYLOAD,
    LIMIT_RETAIN, /* 0 or 1 */
    LIMIT_QOS,
    LIMIT_CONNECTIONS,
    LIMIT_COUNT
};

/* Each is LIMIT_UNSET, a number as LIMIT_OF makes it, or LIMIT_NONE, so that {0} says nothing and
 * the smaller one of two that are set is the stricter. */
struct limits {
    uint32_t values[LIMIT_COUNT];
};
#define LIMIT_UNSET      ((uint32_t)0)
#define LIMIT_NONE       UINT32_MAX /* unlimited, though roles may say otherwise */
#define LIMIT_OF(number) ((uint32_t)(number) + 1)

/* What a value is in words: room for "unlimited" and for any number. */
enum { LIMIT_TEXT_MAX = 10, LIMITS_TEXT_MAX = 160 };

/* "messages" and so on. */
const char *limit_name(enum limit limit);
/* LIMIT_COUNT where `name`, of `length` bytes, is none. */
enum limit limit_find(const char *name, size_t length);

/* What the limit takes: "1 to 6000000". */
const char *limit_takes(enum limit limit);
/* Is it LIMIT_UNSET, LIMIT_NONE, or a number that the limit takes? Yes and no, and a QoS, are
 * always numbers: 1 and 2 are no limit. */
bool limit_valid(enum limit limit, uint32_t value);

/* Reads a number, "yes" or "no", "unlimited", or "none", which is LIMIT_UNSET. False where it is
 * none of those that the limit takes. */
bool limit_parse(enum limit limit, const char *text, uint32_t *value);
/* What limit_parse reads. */
void limit_format(char text[static LIMIT_TEXT_MAX + 1], enum limit limit, uint32_t value);
/* "messages=60 retain=no"; "" where nothing is set. */
void limits_format(char text[static LIMITS_TEXT_MAX + 1], const struct limits *limits);

/* Is any set? Here, since each login asks. */
static inline bool limits_any(const struct limits *limits)
{
    uint32_t any = LIMIT_UNSET;
    for (unsigned limit = 0; limit < LIMIT_COUNT; limit++)
        any |= limits->values[limit];
    return any != LIMIT_UNSET;
}
bool limits_equal(const struct limits *a, const struct limits *b);

/* Of each limit the stricter one. */
void limits_tighten(struct limits *limits, const struct limits *by);
/* Of each limit that of `by`, where it is set. */
void limits_override(struct limits *limits, const struct limits *by);

#endif
