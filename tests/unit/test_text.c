/* test_text.c - which text from outside is taken, and how it is shown. */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "registry/text.h"

static void well_formed_text_is_plain(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       " ~",
                                       "a\\b\"",
                                       "\xc2\xa0",
                                       "ä",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbd",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbd",
                                       "日本",
                                       "\xf0\x9f\x98\x80"};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(text_is_plain(good[i], 100));
}

static void malformed_utf8_is_not_plain(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "a\xc3",
                                      "\xc3(", /* lone, cut */
                                      "\xe2\x82",
                                      "\xe2(\xa1",
                                      "\xe2\x28",
                                      "\xf0\x9f\x98",
                                      "\xf0\x9f\x98(",
                                      "\xc0\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x80\xaf",
                                      "\xe0\x9f\xbf", /* overlong */
                                      "\xf0\x80\x80\xaf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xed\xa0\xbd\xed\xb8\x80", /* surrogates */
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xfe",
                                      "\xff"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(text_is_plain(bad[i], 100));
}

static void control_characters_and_overrides_are_not_plain(void **state)
{
    static const char *const bad[] = {
        "\xc2\x80",     "\xc2\x85",     "\xc2\x9b",     "\xc2\x9f",     /* C1 */
        "\xe2\x80\xa8", "\xe2\x80\xa9",                                 /* line, paragraph */
        "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad", /* embeddings */
        "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9"};
    (void)state;
    for (int byte = 1; byte < 128; byte++) {
        char text[] = {'a', (char)byte, '\0'};
        assert_int_equal(text_is_plain(text, 100), byte >= 0x20 && byte != 0x7f);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(text_is_plain(bad[i], 100));
}

static void text_over_the_limit_is_not_plain(void **state)
{
    (void)state;
    assert_true(text_is_plain("abc", 3));
    assert_false(text_is_plain("abcd", 3));
    assert_true(text_is_plain("", 0));
    assert_false(text_is_plain("a", 0));
    assert_true(text_is_plain("\xe2\x82\xac", 3));
    assert_false(text_is_plain("\xe2\x82\xac", 2));
}

static void what_is_not_printable_is_escaped(void **state)
{
    char out[64];
    (void)state;
    assert_string_equal(text_escape(out, sizeof out, "a b~"), "a b~");
    assert_string_equal(text_escape(out, sizeof out, ""), "");
    assert_string_equal(text_escape(out, sizeof out, NULL), "-");
    assert_string_equal(text_escape(out, sizeof out, "a\\b"), "a\\x5cb");
    assert_string_equal(text_escape(out, sizeof out, "\x1b[1m\n"), "\\x1b[1m\\x0a");
    assert_string_equal(text_escape(out, sizeof out, "\xc3\xa4\x7f"), "\\xc3\\xa4\\x7f");
    assert_ptr_equal(text_escape(out, sizeof out, "x"), out);
}

static void a_long_text_is_cut_and_ends_in_dots(void **state)
{
    char out[16];
    (void)state;
    assert_string_equal(text_escape(out, 8, "abcdefgh"), "abcd...");
    assert_string_equal(text_escape(out, 8, "a\n\n"), "a...");
    assert_string_equal(text_escape(out, 9, "\n\n\n"), "\\x0a...");
    assert_string_equal(text_escape(out, 8, "abc\n\n"), "abc...");
}

static void a_text_that_fits_is_not_cut(void **state)
{
    char out[16];
    (void)state;
    assert_string_equal(text_escape(out, 8, "abcd"), "abcd");
    assert_string_equal(text_escape(out, 9, "a\\\\"), "a\\x5c...");
    assert_string_equal(text_escape(out, 10, "a\\\\"), "a\\x5c\\x5c");
    assert_string_equal(text_escape(out, 8, "abcdefg"), "abcdefg");
}

static void an_escaped_text_stays_in_its_bounds(void **state)
{
    static const char *const texts[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                        "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "a\na\na\na\na\na\na\na"};
    char out[40];
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t size = 8; size < sizeof out; size++) {
            memset(out, '!', sizeof out);
            text_escape(out, size, texts[i]);
            size_t length = strnlen(out, sizeof out);
            assert_true(length < size && length + 8 > size - 1);
            assert_int_equal(out[size], '!');
        }
    }
}

static void a_copy_fits_or_is_not_made(void **state)
{
    char to[8] = "before";
    (void)state;
    assert_false(text_copy(to, 3, "abcd"));
    assert_string_equal(to, "before");
    assert_true(text_copy(to, 3, "abc"));
    assert_string_equal(to, "abc");
    assert_true(text_copy(to, 3, ""));
    assert_string_equal(to, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_text_is_plain),
        cmocka_unit_test(malformed_utf8_is_not_plain),
        cmocka_unit_test(control_characters_and_overrides_are_not_plain),
        cmocka_unit_test(text_over_the_limit_is_not_plain),
        cmocka_unit_test(what_is_not_printable_is_escaped),
        cmocka_unit_test(a_long_text_is_cut_and_ends_in_dots),
        cmocka_unit_test(a_text_that_fits_is_not_cut),
        cmocka_unit_test(an_escaped_text_stays_in_its_bounds),
        cmocka_unit_test(a_copy_fits_or_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
