/* test_csv.c - the CSV reader: what it takes for a cell, and that it does not matter how its input
 * is cut into pieces. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/csv.h"
#include "tests/support/rng.h"

enum { SEEN_MAX = 4096 };

/* What was read, as text: "1:[a][b] 2-2:!problem ". */
struct seen {
    struct csv csv;
    char text[SEEN_MAX];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void say(struct seen *seen, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int size = vsnprintf(seen->text + seen->size, SEEN_MAX - seen->size, format, values);
    va_end(values);
    assert_in_range(size, 0, (int)(SEEN_MAX - seen->size - 1));
    seen->size += (size_t)size;
}

static void note(struct seen *seen, enum csv_result result)
{
    const struct csv *csv = &seen->csv;
    if (result == CSV_ROW) {
        say(seen, "%zu:", csv->row_line);
        for (size_t i = 0; i < csv->cell_count; i++)
            say(seen, "[%s]", csv_cell(csv, i));
        say(seen, " ");
    } else if (result == CSV_BAD) {
        say(seen, "%zu-%zu:!%.12s ", csv->problem_line, csv->row_last, csv->problem);
        if (csv->row_last > csv->row_line)
            say(seen, "(%zu from %zu) ", csv->long_quote, csv->row_line);
    }
}

static void feed(struct seen *seen, const char *data, size_t size)
{
    /* Memory of its own, so that a byte too many is noticed. */
    char *piece = malloc(size ? size : 1);
    const char *at = piece;
    assert_non_null(piece);
    if (size)
        memcpy(piece, data, size);
    while (size)
        note(seen, csv_read(&seen->csv, &at, &size));
    free(piece);
}

static struct seen *seen_begin(void)
{
    struct seen *seen = malloc(sizeof *seen);
    assert_non_null(seen);
    csv_init(&seen->csv, 1);
    seen->size = 0;
    seen->text[0] = '\0';
    return seen;
}

static const char *seen_end(struct seen *seen)
{
    note(seen, csv_end(&seen->csv));
    assert_int_equal(csv_end(&seen->csv), CSV_MORE);
    return seen->text;
}

static void assert_read_sized(const char *data, size_t size, const char *expected)
{
    struct seen *seen = seen_begin();
    feed(seen, data, size);
    assert_string_equal(seen_end(seen), expected);
    free(seen);
}

static void assert_read(const char *data, const char *expected)
{
    assert_read_sized(data, strlen(data), expected);
}

static void rows_end_in_lf_crlf_cr_or_nothing(void **state)
{
    (void)state;
    assert_read("a,b\nc,d\n", "1:[a][b] 2:[c][d] ");
    assert_read("a,b\r\nc,d\r\n", "1:[a][b] 2:[c][d] ");
    assert_read("a,b\rc,d\r", "1:[a][b] 2:[c][d] ");
    assert_read("a,b\nc,d", "1:[a][b] 2:[c][d] ");
    assert_read("a\r\n\r\nb\n\nc", "1:[a] 2:[] 3:[b] 4:[] 5:[c] ");
    assert_read("", "");
    assert_read("\n", "1:[] ");
    assert_read("a,", "1:[a][] ");
    assert_read(",", "1:[][] ");
}

static void quotes_make_text_of_separators_quotes_and_line_ends(void **state)
{
    (void)state;
    assert_read("\"a,b\",\"c\"\"d\"\n", "1:[a,b][c\"d] ");
    assert_read("a,\"b\nc\r\nd\",e\nf\n", "1:[a][b\nc\r\nd][e] 4:[f] ");
    assert_read("\"\",\"\"\"\"\n", "1:[][\"] ");
    assert_read("5\" pipe,a\"b\"\n", "1:[5\" pipe][a\"b\"] ");
    assert_read("\"last\"", "1:[last] ");
}

static void blanks_around_a_cell_are_dropped(void **state)
{
    (void)state;
    assert_read(" a ,\tb\t, c d ,  \n", "1:[a][b][c d][] ");
    assert_read(" \"a\" , \" b \" ,c\n", "1:[a][ b ][c] ");
    assert_read("   \n", "1:[] ");
}

static void the_first_row_tells_the_separator(void **state)
{
    (void)state;
    assert_read("a;b\nc,d;e\n", "1:[a][b] 2:[c,d][e] ");
    assert_read("a\tb\nc;d\t\"e\tf\"\n", "1:[a][b] 2:[c;d][e\tf] ");
    assert_read("\"a;b\",c\nd;e,f\n", "1:[a;b][c] 2:[d;e][f] ");
    assert_read("a\nb;c,d\n", "1:[a] 2:[b][c,d] "); /* no one needed it before */
    assert_read("\"a\";b\n", "1:[a][b] ");
}

static void a_bad_row_is_told_and_passed_over(void **state)
{
    (void)state;
    assert_read("a,\"b\"c,\"d\nx,y\n", "1-1:!behind a clo 2:[x][y] ");
    assert_read("a\n\"b\nc\n", "1:[a] 2-3:!a quote open (2 from 2) ");
    assert_read("a\n\"b", "1:[a] 2-2:!a quote open ");
    assert_read_sized("a\0b,c\nd\n", 8, "1-1:!it holds a N 2:[d] ");
    assert_read_sized("\"a\0b\",c\nd\n", 10, "1-1:!it holds a N 2:[d] ");
    assert_read_sized("\0", 1, "1-1:!it holds a N ");
}

/* The quote is named that made one row of several lines, and the lines that it took. */
static void a_forgotten_quote_is_named_with_what_it_took(void **state)
{
    (void)state;
    assert_read("a,\"b\nc\nd,\"e\"\nf\n", "3-3:!behind a clo (1 from 1) 4:[f] ");
    assert_read("a,\"b\rc\rd,\"e\"\rf\r", "3-3:!behind a clo (1 from 1) 4:[f] ");
    assert_read("a,\"b\r\nc\r\nd,\"e\"\r\nf\r\n", "3-3:!behind a clo (1 from 1) 4:[f] ");
    assert_read("a,\"b\",\"c\nd\",\"e\nf\"g\nh", "3-3:!behind a clo (1 from 1) 4:[h] ");
    assert_read("a\n\"b\",\"c\nd\"\n", "1:[a] 2:[b][c\nd] ");
}

static void a_nul_does_not_end_quotes(void **state)
{
    static const char text[] = "a,\"b\0c\nevil,\n\"\nd\n", closed[] = "\"a\"\0\"\nb\n";
    (void)state;
    assert_read_sized(text, sizeof text - 1, "1-3:!it holds a N (1 from 1) 4:[d] ");
    assert_read_sized(closed, sizeof closed - 1, "1-1:!it holds a N 2:[b] ");
}

static void a_row_that_is_too_long_costs_no_more_than_its_line(void **state)
{
    char *data = malloc(3 * CSV_ROW_MAX);
    (void)state;
    assert_non_null(data);
    memset(data, 'a', 3 * CSV_ROW_MAX);
    memcpy(data + 2 * CSV_ROW_MAX, "\nb\n", 3);
    assert_read_sized(data, 2 * CSV_ROW_MAX + 3, "1-1:!it is longer 2:[b] ");
    data[0] = '"'; /* never closed */
    for (size_t i = 1000; i < CSV_ROW_MAX; i += 1000)
        data[i] = '\n';
    memcpy(data + CSV_ROW_MAX + 1000, "\nb,c\n", 5);
    assert_read_sized(data, CSV_ROW_MAX + 1005, "1-66:!a quote open (1 from 1) 67:[b][c] ");
    free(data);
}

/* Rows as long as a row may be, and one byte longer: no byte is lost, none is written behind. */
static void the_longest_row_is_taken_whole(void **state)
{
    char *data = malloc(CSV_ROW_MAX + 10);
    (void)state;
    assert_non_null(data);
    memset(data, 'a', CSV_ROW_MAX + 10);
    for (size_t size = CSV_ROW_MAX - 3; size < CSV_ROW_MAX + 3; size++) {
        struct csv *csv = malloc(sizeof *csv);
        const char *at = data;
        size_t rest = size;
        assert_non_null(csv);
        csv_init(csv, 1);
        assert_int_equal(csv_read(csv, &at, &rest), CSV_MORE);
        enum csv_result result = csv_end(csv);
        assert_int_equal(result, size < CSV_ROW_MAX ? CSV_ROW : CSV_BAD);
        if (result == CSV_ROW)
            assert_int_equal(strlen(csv_cell(csv, 0)), size);
        free(csv);
    }
    free(data);
}

static void empty_cells_behind_the_last_one_do_not_matter(void **state)
{
    char data[3 * CSV_CELLS_MAX];
    struct csv *csv = malloc(sizeof *csv);
    const char *at = data;
    size_t size = 2 * CSV_CELLS_MAX;
    (void)state;
    assert_non_null(csv);
    memset(data, ',', sizeof data);
    data[0] = 'a';
    data[size - 1] = '\n';
    csv_init(csv, 1);
    assert_int_equal(csv_read(csv, &at, &size), CSV_ROW);
    assert_int_equal(csv->cell_count, CSV_CELLS_MAX);
    assert_string_equal(csv_cell(csv, 0), "a");
    assert_string_equal(csv_cell(csv, CSV_CELLS_MAX), "");
    at = data;
    size = 2 * CSV_CELLS_MAX;
    data[size - 2] = 'b';
    assert_int_equal(csv_read(csv, &at, &size), CSV_BAD);
    assert_non_null(strstr(csv->problem, "256 cells"));
    free(csv);
}

/* Reads the text in one piece, then cut at each two places, and byte by byte. */
static void assert_cuts_do_not_matter(const char *data, size_t size)
{
    struct seen *whole = seen_begin();
    feed(whole, data, size);
    (void)seen_end(whole);
    for (size_t first = 0; first <= size; first++) {
        for (size_t second = first; second <= size; second++) {
            struct seen *cut = seen_begin();
            feed(cut, data, first);
            feed(cut, data + first, second - first);
            feed(cut, data + second, size - second);
            assert_string_equal(seen_end(cut), whole->text);
            free(cut);
        }
    }
    struct seen *bytes = seen_begin();
    for (size_t i = 0; i < size; i++)
        feed(bytes, data + i, 1);
    assert_string_equal(seen_end(bytes), whole->text);
    free(bytes);
    free(whole);
}

static void cuts_do_not_matter(void **state)
{
    static const char with_nul[] = "a\0b\n\"c\0\nd\"\r\ne";
    static const char *const texts[] = {"device;role\r\n\"a\"\"b\";\"c;d\"\r\n\r\n;;\r\n e ; f",
                                        "a,\"b\r\nc\",d\r\r\n\"x\"y\n\"z",
                                        "\"a\" ,b\n5\"\"\"c\n,,\n"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_cuts_do_not_matter(texts[i], strlen(texts[i]));
    assert_cuts_do_not_matter(with_nul, sizeof with_nul - 1);
}

/* Each text of up to six of the bytes that matter. */
static void cuts_do_not_matter_for_any_short_text(void **state)
{
    static const char bytes[] = "a,\"\n\r ";
    enum { KINDS = sizeof bytes - 1, LONGEST = 6 };
    char text[LONGEST];
    (void)state;
    for (size_t size = 1, count = KINDS; size <= LONGEST; size++, count *= KINDS) {
        for (size_t number = 0; number < count; number++) {
            struct seen *whole = seen_begin(), *cut = seen_begin();
            for (size_t i = 0, rest = number; i < size; i++, rest /= KINDS)
                text[i] = bytes[rest % KINDS];
            feed(whole, text, size);
            for (size_t i = 0; i < size; i++)
                feed(cut, text + i, 1);
            (void)seen_end(whole);
            assert_string_equal(seen_end(cut), whole->text);
            free(whole);
            free(cut);
        }
    }
}

/* Writes a cell as RFC 4180 asks, and as seen by this test. */
static void write_cell(struct rng *rng, char *out, struct seen *expected, bool last)
{
    static const char bytes[] = "ab \",;\n\r\t";
    char cell[9];
    size_t size = rng_below(rng, sizeof cell);
    for (size_t i = 0; i < size; i++)
        cell[i] = bytes[rng_below(rng, sizeof bytes - 1)];
    cell[size] = '\0';
    say(expected, "[%s]", cell);
    char *to = out + strlen(out);
    *to++ = '"';
    for (size_t i = 0; i < size; i++) {
        *to++ = cell[i];
        if (cell[i] == '"')
            *to++ = '"';
    }
    strcpy(to, last ? "\"\n" : "\",");
}

static size_t lines_in(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n' || (*text == '\r' && text[1] != '\n');
    return lines;
}

static void what_is_written_by_the_rules_is_read_again(void **state)
{
    struct rng rng = rng_start("what_is_written_by_the_rules_is_read_again");
    (void)state;
    for (int round = 0; round < 2000; round++) {
        char text[1000] = "x,y\n";
        struct seen *expected = seen_begin();
        say(expected, "1:[x][y] ");
        for (size_t row = rng_below(&rng, 4); row > 0; row--) {
            say(expected, "%zu:", lines_in(text) + 1);
            for (size_t cells = 1 + rng_below(&rng, 4); cells > 0; cells--)
                write_cell(&rng, text, expected, cells == 1);
            say(expected, " ");
        }
        assert_read(text, expected->text);
        free(expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_end_in_lf_crlf_cr_or_nothing),
        cmocka_unit_test(quotes_make_text_of_separators_quotes_and_line_ends),
        cmocka_unit_test(blanks_around_a_cell_are_dropped),
        cmocka_unit_test(the_first_row_tells_the_separator),
        cmocka_unit_test(a_bad_row_is_told_and_passed_over),
        cmocka_unit_test(a_forgotten_quote_is_named_with_what_it_took),
        cmocka_unit_test(a_nul_does_not_end_quotes),
        cmocka_unit_test(a_row_that_is_too_long_costs_no_more_than_its_line),
        cmocka_unit_test(the_longest_row_is_taken_whole),
        cmocka_unit_test(empty_cells_behind_the_last_one_do_not_matter),
        cmocka_unit_test(cuts_do_not_matter),
        cmocka_unit_test(cuts_do_not_matter_for_any_short_text),
        cmocka_unit_test(what_is_written_by_the_rules_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
