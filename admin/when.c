#include "admin/when.h"

#include <stdio.h>
#include <string.h>

#define SECOND ((int64_t)1000)
#define DAY    (SECOND * 24 * 3600)

/* Reads 1 to `most` digits and steps over them; false where there is none or one more. */
static bool read_digits(const char **text, size_t most, int64_t *number)
{
    size_t length = strspn(*text, "0123456789");
    if (length < 1 || length > most)
        return false;
    *number = 0;
    for (size_t i = 0; i < length; i++)
        *number = *number * 10 + ((*text)[i] - '0');
    *text += length;
    return true;
}

bool duration_parse(int64_t *ms, const char *text)
{
    static const struct {
        char letter;
        int64_t ms;
    } units[] = {
        {'s', SECOND}, {'m', 60 * SECOND}, {'h', 3600 * SECOND}, {'d', DAY}, {'w', 7 * DAY}};
    int64_t number;
    if (!read_digits(&text, 12, &number))
        return false;
    if (!*text && number == 0) {
        *ms = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (text[0] == units[i].letter && text[1] == '\0' && number <= DURATION_MAX / units[i].ms) {
            *ms = number * units[i].ms;
            return true;
        }
    }
    return false;
}

/* Reads a number of exactly `digits` digits from `least` to `most`, then `after` unless NUL. */
static bool read_field(const char **text, size_t digits, int64_t least, int64_t most, char after,
                       int64_t *number)
{
    const char *begin = *text;
    if (!read_digits(text, digits, number) || *text != begin + digits)
        return false;
    if (*number < least || *number > most || (after && **text != after))
        return false;
    *text += after != '\0';
    return true;
}

static bool leap_year(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && leap_year(year));
}

/* Days from 1970-01-01 to the first day of the year. */
static int64_t days_to_year(int64_t year)
{
    int64_t before = year - 1;
    return year * 365 + before / 4 - before / 100 + before / 400 - 719527;
}

static bool read_day(const char **text, int64_t *days)
{
    int64_t year, month, day;
    if (!read_field(text, 4, 1970, 9999, '-', &year) || !read_field(text, 2, 1, 12, '-', &month) ||
        !read_field(text, 2, 1, days_of_month(year, month), 0, &day))
        return false;
    *days = days_to_year(year) + day - 1;
    for (int64_t m = 1; m < month; m++)
        *days += days_of_month(year, m);
    return true;
}

/* Reads "T12:00Z" or "T12:00:00Z". */
static bool read_time(const char **text, int64_t *seconds)
{
    int64_t hour, minute, second = 0;
    if (**text != 'T')
        return false;
    ++*text;
    if (!read_field(text, 2, 0, 23, ':', &hour) || !read_field(text, 2, 0, 59, 0, &minute))
        return false;
    if (**text == ':') {
        ++*text;
        if (!read_field(text, 2, 0, 59, 0, &second))
            return false;
    }
    *seconds = (hour * 60 + minute) * 60 + second;
    return *(*text)++ == 'Z';
}

bool date_parse(int64_t *time, const char *text)
{
    int64_t days, seconds = 0;
    if (!read_day(&text, &days) || (*text && !read_time(&text, &seconds)) || *text)
        return false;
    *time = days * DAY + seconds * SECOND;
    return true;
}

void when_format(char text[static WHEN_TEXT_MAX + 1], int64_t time)
{
    int64_t days = time / DAY, seconds = time % DAY / SECOND;
    int64_t year = 1970 + days / 366, month = 1;
    while (days_to_year(year + 1) <= days)
        year++;
    days -= days_to_year(year);
    while (days >= days_of_month(year, month))
        days -= days_of_month(year, month++);
    /* The remainders cannot change a number that is in range; they let the compiler see it. */
    snprintf(text, WHEN_TEXT_MAX + 1, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year % 10000,
             (unsigned)month % 100, (unsigned)(days + 1) % 100, (unsigned)(seconds / 3600) % 100,
             (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
}
