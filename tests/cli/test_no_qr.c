/* admin/qr.c as it is built where libqrencode is not installed: --qr is refused in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/qr.h"

static void a_build_without_libqrencode_says_so(void **state)
{
    struct given given = {OPT_QR, ""};
    struct call call = {.arguments = {.given = &given, .given_count = 1}};
    (void)state;
    assert_int_equal(qr_check(&call), STATUS_MISUSE);
    assert_non_null(strstr(call.complaint, "built without libqrencode: leave it out"));
    assert_null(strchr(call.complaint, '\n'));
    assert_false(qr_draw("devreg_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
}

static void who_does_not_ask_for_a_code_is_not_bothered(void **state)
{
    struct call call = {.command = NULL};
    (void)state;
    assert_int_equal(qr_check(&call), STATUS_DONE);
    assert_string_equal(call.complaint, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_build_without_libqrencode_says_so),
        cmocka_unit_test(who_does_not_ask_for_a_code_is_not_bothered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
