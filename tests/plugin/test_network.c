/* plugin/network.h: which addresses are one network, and which are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "plugin/network.h"

static int protocol; /* of the one client there is */

int mosquitto_client_protocol(const struct mosquitto *client)
{
    (void)client;
    return protocol;
}

static struct network of(const char *address)
{
    struct network network;
    if (!network_parse(&network, address))
        fail_msg("no network: %s", address);
    return network;
}

static bool same(const char *a, const char *b)
{
    struct network first = of(a), second = of(b);
    return network_same(&first, &second);
}

static void an_ipv4_address_is_a_network_of_its_own(void **state)
{
    (void)state;
    assert_true(same("203.0.113.5", "203.0.113.5"));
    assert_false(same("203.0.113.5", "203.0.113.6"));
    assert_false(same("0.0.0.0", "255.255.255.255"));
    assert_int_equal(of("203.0.113.5").family, 4);
    assert_int_equal(of("203.0.113.5").prefix, 0xcb007105);
    assert_int_equal(of("255.255.255.255").prefix, 0xffffffff);
}

static void addresses_of_ipv6_with_the_same_64_bits_are_one_network(void **state)
{
    (void)state;
    assert_true(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_true(same("2001:db8:1:2::1", "2001:DB8:0001:2:0:0:0:9"));
    assert_false(same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_int_equal(of("2001:db8:1:2::1").family, 6);
    assert_true(of("8001:db8:1:2::1").prefix == 0x80010db800010002);
}

static void an_ipv4_address_written_as_ipv6_is_that_address(void **state)
{
    (void)state;
    assert_true(same("::ffff:203.0.113.5", "203.0.113.5"));
    assert_true(same("::FFFF:cb00:7105", "203.0.113.5"));
    assert_false(same("::ffff:203.0.113.5", "203.0.113.6"));
    /* Same first 64 bits, and no IPv4. */
    assert_false(same("::fffe:203.0.113.5", "203.0.113.5"));
    assert_int_equal(of("::fffe:203.0.113.5").family, 6);
    assert_int_equal(of("::1").family, 6);
}

static void an_ipv4_and_an_ipv6_network_with_the_same_bits_are_two(void **state)
{
    (void)state;
    assert_false(same("0.0.0.1", "0:0:0:1::"));
    assert_int_equal(of("0.0.0.1").prefix, of("0:0:0:1::").prefix);
}

static void what_is_no_address_is_no_network(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "localhost",
        "/run/mosquitto.sock",
        "203.0.113",
        "203.0.113.256",
        "203.0.113.5 ",
        " 203.0.113.5",
        "203.0.113.5:1883",
        "203.0.113.5\n",
        "203.0.113.5, 198.51.100.7",
        "0313.0.113.5",
        "0xcb.0.113.5",
        "3405803781",
        "2001:db8::1%eth0",
        "[2001:db8::1]",
        "2001:db8::1/64",
        "2001:db8::00001",
        "2001:db8::1::2",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "::ffff:203.0.113.5\n",
        "6.6.6.6, evil\"}<x>",
        "unknown",
        ":",
    };
    struct network network;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        network = of("192.0.2.1");
        if (network_parse(&network, texts[i]))
            fail_msg("a network: \"%s\"", texts[i]);
        assert_int_equal(network.family, 0);
        assert_int_equal(network.prefix, 0);
    }
    assert_false(network_parse(&network, NULL));
    assert_int_equal(network.family, 0);
}

static void only_the_address_of_a_tcp_connection_counts(void **state)
{
    struct network network;
    (void)state;
    protocol = mp_mqtt;
    assert_true(network_of(&network, NULL, "203.0.113.5"));
    assert_int_equal(network.family, 4);
    assert_false(network_of(&network, NULL, "/run/mosquitto.sock"));
    protocol = mp_websockets;
    assert_false(network_of(&network, NULL, "203.0.113.5"));
    assert_int_equal(network.family, 0);
    protocol = mp_websockets + 1; /* whatever comes next */
    assert_false(network_of(&network, NULL, "203.0.113.5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ipv4_address_is_a_network_of_its_own),
        cmocka_unit_test(addresses_of_ipv6_with_the_same_64_bits_are_one_network),
        cmocka_unit_test(an_ipv4_address_written_as_ipv6_is_that_address),
        cmocka_unit_test(an_ipv4_and_an_ipv6_network_with_the_same_bits_are_two),
        cmocka_unit_test(what_is_no_address_is_no_network),
        cmocka_unit_test(only_the_address_of_a_tcp_connection_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
