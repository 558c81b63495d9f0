/* Durations and dates, as people write them. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "admin/when.h"

#define DAY ((int64_t)24 * 3600 * 1000)

static void a_duration_is_a_number_and_a_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"0", 0},         {"0s", 0},         {"1s", 1000},     {"90m", 90 * 60000},
                 {"12h", DAY / 2}, {"90d", 90 * DAY}, {"2w", 14 * DAY}, {"007d", 7 * DAY}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = -1;
        assert_true(duration_parse(&ms, cases[i].text));
        assert_int_equal(ms, cases[i].ms);
    }
}

static void anything_else_is_no_duration(void **state)
{
    static const char *const cases[] = {
        "",    "d",    "1",    "-1d",  "+1d",    " 1d", "1 d",           "1D",
        "1dd", "1d1h", "1.5d", "0x1d", "36601d", "1y",  "999999999999d", "9999999999999s"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = 42;
        assert_false(duration_parse(&ms, cases[i]));
        assert_int_equal(ms, 42);
    }
}

static void the_longest_duration_is_a_hundred_years(void **state)
{
    int64_t ms;
    (void)state;
    assert_true(duration_parse(&ms, "36600d"));
    assert_int_equal(ms, DURATION_MAX);
}

static void a_date_is_utc(void **state)
{
    static const struct {
        const char *text;
        int64_t time;
    } cases[] = {{"1970-01-01", 0},
                 {"1970-01-01T00:00:01Z", 1000},
                 {"2000-02-29", 951782400000},
                 {"2027-01-31", 1801353600000},
                 {"2027-01-31T12:30Z", 1801398600000},
                 {"2027-01-31T23:59:59Z", 1801439999000},
                 {"9999-12-31T23:59:59Z", 253402300799000}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t time = -1;
        assert_true(date_parse(&time, cases[i].text));
        assert_int_equal(time, cases[i].time);
    }
}

static void anything_else_is_no_date(void **state)
{
    static const char *const cases[] = {"",
                                        "2027",
                                        "2027-01",
                                        "27-01-31",
                                        "2027-1-31",
                                        "2027-01-1",
                                        "1969-12-31",
                                        "10000-01-01",
                                        "2027-00-01",
                                        "2027-13-01",
                                        "2027-01-00",
                                        "2027-01-32",
                                        "2027-02-29",
                                        "2100-02-29",
                                        "2027-04-31",
                                        "2027-01-31 ",
                                        "2027/01/31",
                                        "2027-01-31T",
                                        "2027-01-31Z",
                                        "2027-01-31T12Z",
                                        "2027-01-31T12:00",
                                        "2027-01-31T24:00Z",
                                        "2027-01-31T12:60Z",
                                        "2027-01-31T12:00:60Z",
                                        "2027-01-31T12:00:00+01:00",
                                        "2027-01-31T12:00:00Zx",
                                        "2027-01-31t12:00Z",
                                        "2027-01-31T1:00Z"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t time = 42;
        assert_false(date_parse(&time, cases[i]));
        assert_int_equal(time, 42);
    }
}

/* Against the C library, over every day that can be written. */
static void every_day_is_written_and_read_as_the_c_library_does(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 2932897; day++) {
        char text[WHEN_TEXT_MAX + 1], expected[32];
        int64_t time = day * DAY + day % DAY, back;
        time_t seconds = (time_t)(time / 1000);
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_int_not_equal(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &tm), 0);
        when_format(text, time);
        assert_string_equal(text, expected);
        assert_true(date_parse(&back, text));
        assert_int_equal(back, time - time % 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_is_a_number_and_a_unit),
        cmocka_unit_test(anything_else_is_no_duration),
        cmocka_unit_test(the_longest_duration_is_a_hundred_years),
        cmocka_unit_test(a_date_is_utc),
        cmocka_unit_test(anything_else_is_no_date),
        cmocka_unit_test(every_day_is_written_and_read_as_the_c_library_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
