/* prop_topic.c - topic_matches and topic_covers against the truth, for every short topic.
 *
 * All filters over the alphabet "a/+#$" of up to six bytes and all names of up to six bytes are
 * put to three matchers: ours, the naive one and libmosquitto's, which is what users expect.
 *
 * "covers" is put to its own law: it holds where no name matches the wanted filter without matching
 * the allowed one. Names of COVER_LENGTH bytes suffice, with one letter that no filter uses: write
 * that letter for each "+", and for a final "#" nothing, one or two of it. A filter sees a level
 * only as equal or not and counts levels only as "these" or "at least these", so if any name tells
 * the two filters apart, one of these does; and none of them is longer than the wanted filter, but
 * for the three bytes that "#" alone may need. */
#include "tests/support/cmocka_all.h"

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/topic.h"
#include "tests/support/naive_topic.h"

enum { MATCH_LENGTH = 6, COVER_LENGTH = 5, TEXT_SIZE = 8 };

struct texts {
    size_t count;
    char (*text)[TEXT_SIZE];
};

/* All texts of up to `length` letters that are `valid`. */
static struct texts texts_make(const char *letters, size_t length, bool (*valid)(const char *))
{
    size_t base = strlen(letters), room = 1, power = 1;
    for (size_t i = 0; i < length; i++)
        room += power *= base;
    struct texts texts = {0, test_calloc(room, TEXT_SIZE)};
    for (size_t size = 0, total = 1; size <= length; size++, total *= base) {
        for (size_t number = 0; number < total; number++) {
            char *text = texts.text[texts.count];
            size_t rest = number;
            for (size_t at = 0; at < size; at++, rest /= base)
                text[at] = letters[rest % base];
            texts.count += valid(text);
        }
    }
    return texts;
}

static void fail_for(const char *what, const char *filter, const char *topic)
{
    fail_msg("%s differs for filter '%s' and topic '%s'", what, filter, topic);
}

static bool any_text(const char *text)
{
    (void)text;
    return true;
}

static void the_valid_filters_and_names_are_those_of_libmosquitto(void **state)
{
    struct texts all = texts_make("a/+#$", MATCH_LENGTH, any_text);
    (void)state;
    assert_int_equal(all.count, 1 + 5 + 25 + 125 + 625 + 3125 + 15625);
    assert_false(topic_filter_valid("") || topic_name_valid("")); /* libmosquitto takes both */
    for (size_t i = 1; i < all.count; i++) {
        const char *text = all.text[i];
        if (topic_filter_valid(text) != (mosquitto_sub_topic_check(text) == MOSQ_ERR_SUCCESS))
            fail_for("topic_filter_valid", text, "");
        if (topic_name_valid(text) != (mosquitto_pub_topic_check(text) == MOSQ_ERR_SUCCESS))
            fail_for("topic_name_valid", "", text);
    }
    test_free(all.text);
}

static void a_filter_matches_what_the_truth_and_libmosquitto_say(void **state)
{
    struct texts filters = texts_make("a/+#$", MATCH_LENGTH, topic_filter_valid);
    struct texts names = texts_make("a/$", MATCH_LENGTH, topic_name_valid);
    struct naive *split = test_calloc(names.count, sizeof *split);
    (void)state;
    for (size_t n = 0; n < names.count; n++)
        split[n] = naive_split(names.text[n]);
    for (size_t f = 0; f < filters.count; f++) {
        const char *filter = filters.text[f];
        struct naive naive = naive_split(filter);
        for (size_t n = 0; n < names.count; n++) {
            bool theirs, ours = topic_matches(filter, names.text[n]);
            if (ours != naive_matches(&naive, &split[n]))
                fail_for("naive_matches", filter, names.text[n]);
            if (mosquitto_topic_matches_sub(filter, names.text[n], &theirs) != MOSQ_ERR_SUCCESS ||
                ours != theirs)
                fail_for("mosquitto_topic_matches_sub", filter, names.text[n]);
        }
    }
    test_free(split);
    test_free(names.text);
    test_free(filters.text);
}

/* For each filter one bit for each name: does it match? */
struct matrix {
    size_t words;
    uint64_t *bits;
};

static struct matrix matrix_make(const struct texts *filters, const struct texts *names)
{
    struct matrix matrix = {(names->count + 63) / 64, NULL};
    matrix.bits = test_calloc(filters->count * matrix.words, sizeof *matrix.bits);
    for (size_t n = 0; n < names->count; n++) {
        struct naive name = naive_split(names->text[n]);
        for (size_t f = 0; f < filters->count; f++) {
            struct naive filter = naive_split(filters->text[f]);
            if (naive_matches(&filter, &name))
                matrix.bits[f * matrix.words + n / 64] |= (uint64_t)1 << n % 64;
        }
    }
    return matrix;
}

static bool matrix_subset(const struct matrix *matrix, size_t inner, size_t outer)
{
    const uint64_t *a = &matrix->bits[inner * matrix->words];
    const uint64_t *b = &matrix->bits[outer * matrix->words];
    for (size_t word = 0; word < matrix->words; word++) {
        if (a[word] & ~b[word])
            return false;
    }
    return true;
}

/* "/#" matches the empty name, which no message has. It counts, so that "/+/#" does not cover "/#".
 */
static bool name_or_empty(const char *text)
{
    return !*text || topic_name_valid(text);
}

static void a_filter_covers_another_exactly_where_no_name_tells_otherwise(void **state)
{
    struct texts filters = texts_make("a/+#$", COVER_LENGTH, topic_filter_valid);
    struct texts names = texts_make("ab/$", COVER_LENGTH, name_or_empty);
    struct matrix matrix = matrix_make(&filters, &names);
    (void)state;
    for (size_t a = 0; a < filters.count; a++) {
        const char *allowed = filters.text[a];
        struct naive naive_allowed = naive_split(allowed);
        for (size_t w = 0; w < filters.count; w++) {
            const char *wanted = filters.text[w];
            struct naive naive_wanted = naive_split(wanted);
            bool law = matrix_subset(&matrix, w, a);
            if (topic_covers(allowed, wanted) != law)
                fail_for("topic_covers", allowed, wanted);
            if (naive_covers(&naive_allowed, &naive_wanted) != law)
                fail_for("naive_covers", allowed, wanted);
        }
    }
    test_free(matrix.bits);
    test_free(names.text);
    test_free(filters.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_valid_filters_and_names_are_those_of_libmosquitto),
        cmocka_unit_test(a_filter_matches_what_the_truth_and_libmosquitto_say),
        cmocka_unit_test(a_filter_covers_another_exactly_where_no_name_tells_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
