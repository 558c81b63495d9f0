/* test_name_table.c - names and their numbers. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/name_table.h"

static void names_are_numbered_in_the_order_in_which_they_come(void **state)
{
    struct name_table table = {0};
    (void)state;
    assert_true(name_table_find(&table, "a") == NAME_NONE);
    assert_int_equal(name_table_add(&table, "b"), 0);
    assert_int_equal(name_table_add(&table, "a"), 1);
    assert_int_equal(name_table_find(&table, "a"), 1);
    assert_int_equal(name_table_find(&table, "b"), 0);
    assert_true(name_table_find(&table, "") == NAME_NONE);
    assert_true(name_table_find(&table, "ab") == NAME_NONE);
    name_table_clear(&table);
    assert_true(name_table_find(&table, "a") == NAME_NONE);
}

static void a_name_is_found_in_any_case(void **state)
{
    struct name_table table = {0};
    (void)state;
    (void)name_table_add(&table, "Pump-7");
    size_t found = name_table_find(&table, "pUMP-7");
    assert_int_equal(found, 0);
    assert_string_equal(table.names[found], "Pump-7");
    assert_true(name_table_find(&table, "pump_7") == NAME_NONE);
    name_table_clear(&table);
}

static void many_names_are_all_found_and_sorted_in_lower_case(void **state)
{
    enum { MANY = 5000 };
    struct name_table table = {0};
    char name[16];
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%c%04zu", i % 2 ? 'N' : 'n', i * 7 % MANY);
        assert_int_equal(name_table_add(&table, name), i);
    }
    for (size_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "n%04zu", i * 7 % MANY);
        assert_int_equal(name_table_find(&table, name), i);
    }
    size_t *sorted = name_table_sorted(&table);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(strtoul(table.names[sorted[i]] + 1, NULL, 10), i);
    free(sorted);
    name_table_clear(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_numbered_in_the_order_in_which_they_come),
        cmocka_unit_test(a_name_is_found_in_any_case),
        cmocka_unit_test(many_names_are_all_found_and_sorted_in_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
