/* test_pack.c - numbers, texts and blobs as bytes: one spelling, every bound checked. */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "registry/pack.h"

static struct unpack over(const void *data, size_t size)
{
    return unpack_of((struct bytes){data, size});
}

static void numbers_have_their_leb128_spelling(void **state)
{
    static const struct {
        uint64_t value;
        const char *bytes;
        size_t size;
    } rows[] = {{0, "\x00", 1},
                {1, "\x01", 1},
                {127, "\x7f", 1},
                {128, "\x80\x01", 2},
                {300, "\xac\x02", 2},
                {16383, "\xff\x7f", 2},
                {16384, "\x80\x80\x01", 3},
                {624485, "\xe5\x8e\x26", 3},
                {(uint64_t)INT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9},
                {UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pack pack = {0};
        pack_number(&pack, rows[i].value);
        assert_int_equal(pack.size, rows[i].size);
        assert_memory_equal(pack.data, rows[i].bytes, pack.size);
        struct unpack unpack = over(pack.data, pack.size);
        assert_true(unpack_number(&unpack, UINT64_MAX) == rows[i].value);
        assert_true(unpack_done(&unpack));
        pack_free(&pack);
    }
}

static void a_number_spelled_otherwise_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"", 0},
               {"\x80", 1},
               {"\x80\x00", 2},
               {"\xff\x00", 2},
               {"\x80\x80\x00", 3},
               {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
               {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81", 10},
               {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11},
               {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct unpack unpack = over(bad[i].bytes, bad[i].size);
        assert_true(unpack_number(&unpack, UINT64_MAX) == 0);
        assert_true(unpack.failed);
        assert_false(unpack_done(&unpack));
    }
}

static void a_number_over_its_limit_is_refused(void **state)
{
    struct unpack exact = over("\x80\x01", 2), over_by_one = over("\x81\x01", 2);
    (void)state;
    assert_int_equal(unpack_number(&exact, 128), 128);
    assert_false(exact.failed);
    assert_int_equal(unpack_number(&over_by_one, 128), 0);
    assert_true(over_by_one.failed);
}

static void a_time_is_six_bytes(void **state)
{
    static const struct {
        int64_t time, back;
        const char *bytes;
    } rows[] = {{0, 0, "\0\0\0\0\0\0"},
                {1, 1, "\1\0\0\0\0\0"},
                {0x0605040302ff, 0x0605040302ff, "\xff\2\3\4\5\6"},
                {0xffffffffffff, 0xffffffffffff, "\xff\xff\xff\xff\xff\xff"},
                {0x1000000000000, 0xffffffffffff, "\xff\xff\xff\xff\xff\xff"},
                {INT64_MAX, 0xffffffffffff, "\xff\xff\xff\xff\xff\xff"},
                {-1, 0, "\0\0\0\0\0\0"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pack pack = {0};
        pack_time(&pack, rows[i].time);
        assert_int_equal(pack.size, 6);
        assert_memory_equal(pack.data, rows[i].bytes, 6);
        struct unpack unpack = over(rows[i].bytes, 6), cut = over(rows[i].bytes, 5);
        assert_true(unpack_time(&unpack) == rows[i].back && unpack_done(&unpack));
        assert_true(unpack_time(&cut) == 0 && cut.failed);
        pack_free(&pack);
    }
}

static void texts_and_blobs_are_a_length_and_bytes(void **state)
{
    struct pack pack = {0};
    (void)state;
    pack_text(&pack, "abc");
    pack_blob(&pack, "\x00\x01", 2);
    pack_text(&pack, "");
    pack_blob(&pack, NULL, 0);
    assert_int_equal(pack.size, 9);
    assert_memory_equal(pack.data,
                        "\x03"
                        "abc\x02\x00\x01\x00\x00",
                        9);
    pack_free(&pack);
    assert_true(pack.data == NULL && pack.size == 0);
    pack_free(&pack);
}

static void a_text_fits_or_is_refused(void **state)
{
    char out[4];
    struct unpack fits = over("\x03"
                              "abc",
                              4),
                  long_one = over("\x04"
                                  "abcd",
                                  5),
                  with_nul = over("\x03"
                                  "a\0b",
                                  4);
    (void)state;
    unpack_text(&fits, out, 3);
    assert_string_equal(out, "abc");
    assert_true(unpack_done(&fits));
    unpack_text(&long_one, out, 3);
    assert_string_equal(out, "");
    assert_true(long_one.failed);
    strcpy(out, "x");
    unpack_text(&with_nul, out, 3);
    assert_string_equal(out, "");
    assert_true(with_nul.failed);
}

static void a_blob_is_lent_and_bounded(void **state)
{
    static const char bytes[] = "\x02\x00\x01rest";
    struct unpack fits = over(bytes, 3), big = over(bytes, 3),
                  lying = over("\x7f"
                               "ab",
                               3);
    (void)state;
    struct bytes blob = unpack_blob(&fits, 2);
    assert_int_equal(blob.size, 2);
    assert_ptr_equal(blob.data, bytes + 1);
    assert_true(unpack_done(&fits));
    assert_int_equal(unpack_blob(&big, 1).size, 0);
    assert_true(big.failed);
    assert_int_equal(unpack_blob(&lying, SIZE_MAX).size, 0);
    assert_true(lying.failed);
}

static void the_longest_length_does_not_wrap(void **state)
{
    struct unpack unpack = over("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                                "a",
                                11);
    (void)state;
    assert_int_equal(unpack_blob(&unpack, SIZE_MAX).size, 0);
    assert_true(unpack.failed);
}

static void after_a_failure_nothing_is_read(void **state)
{
    struct unpack unpack = over("\x80\x00\x05\x01"
                                "a",
                                5);
    char out[4] = "x";
    (void)state;
    assert_int_equal(unpack_number(&unpack, UINT64_MAX), 0);
    assert_int_equal(unpack_number(&unpack, UINT64_MAX), 0);
    assert_int_equal(unpack_time(&unpack), 0);
    assert_int_equal(unpack_blob(&unpack, 10).size, 0);
    unpack_text(&unpack, out, 3);
    assert_string_equal(out, "");
    assert_false(unpack_done(&unpack));
}

static void what_is_left_over_is_not_done(void **state)
{
    struct unpack unpack = over("\x01\x02", 2);
    (void)state;
    assert_int_equal(unpack_number(&unpack, 9), 1);
    assert_false(unpack_done(&unpack));
    assert_int_equal(unpack_number(&unpack, 9), 2);
    assert_true(unpack_done(&unpack));
}

static bool read_mixed(const uint8_t *data, size_t size)
{
    struct unpack unpack = over(data, size);
    char text[8];
    (void)unpack_number(&unpack, UINT64_MAX);
    unpack_text(&unpack, text, 7);
    (void)unpack_time(&unpack);
    (void)unpack_blob(&unpack, 100);
    return unpack_done(&unpack);
}

static void a_record_cut_at_any_byte_is_refused(void **state)
{
    struct pack pack = {0};
    (void)state;
    pack_number(&pack, 1234567);
    pack_text(&pack, "abcdefg");
    pack_number(&pack, 1700000000000);
    pack_blob(&pack, "0123456789", 10);
    assert_true(read_mixed(pack.data, pack.size));
    for (size_t size = 0; size < pack.size; size++) {
        /* In memory of its own, so that a checker sees a read behind the end. */
        uint8_t *cut = test_malloc(size ? size : 1);
        memcpy(cut, pack.data, size);
        assert_false(read_mixed(cut, size));
        test_free(cut);
    }
    pack_free(&pack);
}

static void a_pack_grows_with_what_is_put_in(void **state)
{
    struct pack pack = {0};
    (void)state;
    for (uint64_t i = 0; i < 10000; i++)
        pack_number(&pack, i * 1000003);
    assert_false(pack.failed);
    struct unpack unpack = over(pack.data, pack.size);
    for (uint64_t i = 0; i < 10000; i++)
        assert_true(unpack_number(&unpack, UINT64_MAX) == i * 1000003);
    assert_true(unpack_done(&unpack));
    pack_free(&pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_their_leb128_spelling),
        cmocka_unit_test(a_number_spelled_otherwise_is_refused),
        cmocka_unit_test(a_number_over_its_limit_is_refused),
        cmocka_unit_test(a_time_is_six_bytes),
        cmocka_unit_test(texts_and_blobs_are_a_length_and_bytes),
        cmocka_unit_test(a_text_fits_or_is_refused),
        cmocka_unit_test(a_blob_is_lent_and_bounded),
        cmocka_unit_test(the_longest_length_does_not_wrap),
        cmocka_unit_test(after_a_failure_nothing_is_read),
        cmocka_unit_test(what_is_left_over_is_not_done),
        cmocka_unit_test(a_record_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_pack_grows_with_what_is_put_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
