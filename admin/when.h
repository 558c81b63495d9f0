/* when.h - durations and dates, as people write them.
 *
 *   duration  =  "0" | number ("s" | "m" | "h" | "d" | "w")          90d, 12h
 *   date      =  YYYY-MM-DD [ "T" HH:MM [ ":" SS ] "Z" ]             always UTC
 *
 * A date without a time is its first moment. Nothing here asks for the clock.
 */
#ifndef DEVREG_ADMIN_WHEN_H
#define DEVREG_ADMIN_WHEN_H

#include <stdbool.h>
#include <stdint.h>

enum { WHEN_TEXT_MAX = 20 };
#define DURATION_MAX ((int64_t)100 * 366 * 24 * 3600 * 1000)

/* Reads a duration of at most DURATION_MAX. False for anything else. */
bool duration_parse(int64_t *ms, const char *text);

/* Reads a date of the years 1970 to 9999. False for anything else. */
bool date_parse(int64_t *time, const char *text);

/* Writes "2027-01-31T12:00:00Z", the second begun. `time` is not negative, before the year 10000.
 */
void when_format(char text[static WHEN_TEXT_MAX + 1], int64_t time);

#endif
