/* test_presence.c - which credentials were used, and when. */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "registry/presence.h"

enum { BEGIN = 1000, ID_MAX = 20 };

static void a_use_is_noted_with_its_time(void **state)
{
    struct presence presence = {.used_count = 0};
    (void)state;
    assert_null(presence_used(&presence, 1));
    presence_use(&presence, 1, BEGIN);
    presence_use(&presence, 2, BEGIN + 1);
    presence_use(&presence, 1, BEGIN + 2);
    assert_int_equal(presence.used_count, 2);
    assert_int_equal(presence_used(&presence, 1)->last, BEGIN + 2);
    assert_int_equal(presence_used(&presence, 2)->last, BEGIN + 1);
    assert_null(presence_used(&presence, 3));
}

static void the_lowest_id_makes_room(void **state)
{
    struct presence presence = {.used_count = 0};
    (void)state;
    for (uint32_t id = ID_MAX; id > 0; id--)
        presence_use(&presence, id, BEGIN + id);
    assert_int_equal(presence.used_count, CREDENTIALS_MAX);
    for (uint32_t id = ID_MAX; id > ID_MAX - CREDENTIALS_MAX + 1; id--)
        assert_int_equal(presence_used(&presence, id)->last, BEGIN + id);
    assert_non_null(presence_used(&presence, 1)); /* what is used now is noted in any case */
}

static void assert_format(const struct presence *presence, uint8_t format)
{
    struct pack pack = {0};
    struct presence back;
    presence_encode(&pack, presence);
    assert_false(pack.failed);
    assert_int_equal(pack.data[0], format);
    assert_int_equal(presence_decode(&back, (struct bytes){pack.data, pack.size}), ERR_OK);
    assert_int_equal(back.used_count, presence->used_count);
    for (size_t i = 0; i < back.used_count; i++) {
        assert_int_equal(back.used[i].credential, presence->used[i].credential);
        assert_int_equal(back.used[i].last, presence->used[i].last);
    }
    pack_free(&pack);
}

static void a_record_without_times_is_what_it_was_before_there_were_any(void **state)
{
    struct presence presence = {.used_count = 2, .used = {{1, 0}, {7, 0}}};
    (void)state;
    assert_format(&presence, 1);
    presence_use(&presence, 7, BEGIN);
    assert_format(&presence, 2);
}

/* One record has one encoding. */
static void the_format_with_times_has_at_least_one(void **state)
{
    const struct presence presence = {.used_count = 0};
    struct presence back;
    struct pack pack = {0};
    (void)state;
    presence_encode(&pack, &presence);
    pack.data[0] = 2;
    assert_int_equal(presence_decode(&back, (struct bytes){pack.data, pack.size}), ERR_DAMAGED);
    pack_free(&pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_use_is_noted_with_its_time),
        cmocka_unit_test(the_lowest_id_makes_room),
        cmocka_unit_test(a_record_without_times_is_what_it_was_before_there_were_any),
        cmocka_unit_test(the_format_with_times_has_at_least_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
