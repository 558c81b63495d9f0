/* The packets of load generators, byte for byte as the standard has them, and what it makes of
 * others'. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/mqtt.h"
#include "tests/support/cmocka_all.h"

static enum mqtt_found decode(const char *bytes, size_t size, struct mqtt_packet *packet)
{
    size_t used = 0;
    /* A block of just that size, so that a sanitizer sees a step beyond. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    enum mqtt_found found = mqtt_decode(copy, size, packet, &used);
    if (found == MQTT_PACKET)
        assert_true(used <= size);
    free(copy);
    return found;
}

static void packets_are_as_in_the_standard(void **state)
{
    (void)state;
    uint8_t to[64];
    const struct mqtt_login known = {
        .client_id = "c", .user = "u", .password = "pw", .keepalive = 60};
    const struct mqtt_login unknown = {.client_id = "c", .keepalive = 60};
    assert_int_equal(mqtt_connect(to, sizeof to, &known), 22);
    assert_memory_equal(to,
                        "\x10\x14\0\x04MQTT\x04\xc2\0\x3c\0\x01"
                        "c\0\x01"
                        "u\0\x02pw",
                        22);
    assert_int_equal(mqtt_connect(to, sizeof to, &unknown), 15);
    assert_memory_equal(to,
                        "\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01"
                        "c",
                        15);
    assert_int_equal(mqtt_subscribe(to, sizeof to, 7, "a/+", 1), 10);
    assert_memory_equal(to,
                        "\x82\x08\0\x07\0\x03"
                        "a/+\x01",
                        10);
    assert_int_equal(mqtt_publish(to, sizeof to, "t", 0, 0, "hi", 2), 7);
    assert_memory_equal(to, "\x30\x05\0\x01thi", 7);
    assert_int_equal(mqtt_publish(to, sizeof to, "t", 1, 258, "", 0), 7);
    assert_memory_equal(to, "\x32\x05\0\x01t\x01\x02", 7);
    assert_int_equal(mqtt_puback(to, sizeof to, 258), 4);
    assert_memory_equal(to, "\x40\x02\x01\x02", 4);
    assert_int_equal(mqtt_disconnect(to, sizeof to), 2);
    assert_memory_equal(to, "\xe0\0", 2);
}

static void a_connect_is_of_each_version(void **state)
{
    (void)state;
    uint8_t to[64];
    struct mqtt_login login = {.client_id = "c",
                               .will_topic = "w",
                               .will = "!",
                               .version = 3,
                               .resumes = true,
                               .expiry = 258};
    assert_int_equal(mqtt_connect(to, sizeof to, &login), 23);
    assert_memory_equal(to,
                        "\x10\x15\0\x06MQIsdp\x03\x04\0\0\0\x01"
                        "c\0\x01w\0\x01!",
                        23);
    login.version = 5;
    assert_int_equal(mqtt_connect(to, sizeof to, &login), 28);
    assert_memory_equal(to,
                        "\x10\x1a\0\x04MQTT\x05\x04\0\0\x05\x11\0\0\x01\x02\0\x01"
                        "c\0\0\x01w\0\x01!",
                        28);
    login = (struct mqtt_login){.client_id = "c", .version = 5};
    assert_int_equal(mqtt_connect(to, sizeof to, &login), 16);
    assert_memory_equal(to,
                        "\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01"
                        "c",
                        16);
}

static void a_packet_that_does_not_fit_is_none(void **state)
{
    (void)state;
    uint8_t to[64];
    size_t size = mqtt_publish(to, sizeof to, "topic", 1, 1, "payload", 7);
    for (size_t room = 0; room < size; room++)
        assert_int_equal(mqtt_publish(to, room, "topic", 1, 1, "payload", 7), 0);
    assert_int_equal(mqtt_publish(to, size, "topic", 1, 1, "payload", 7), size);
}

static void what_a_broker_sends_is_understood(void **state)
{
    (void)state;
    struct mqtt_packet packet;
    assert_int_equal(decode("\x20\x02\0\x05", 4, &packet), MQTT_PACKET);
    assert_int_equal(packet.type, MQTT_CONNACK);
    assert_int_equal(packet.code, 5);
    assert_int_equal(decode("\x20\x03\x01\0\0", 5, &packet), MQTT_PACKET); /* MQTT 5 */
    assert_true(packet.session_present && packet.code == 0);
    assert_int_equal(decode("\xe0\x01\x8e", 3, &packet), MQTT_PACKET);
    assert_int_equal(packet.type, MQTT_DISCONNECT);
    assert_int_equal(packet.code, 0x8e);
    assert_int_equal(decode("\xd0\0", 2, &packet), MQTT_PACKET);
    assert_int_equal(packet.type, MQTT_PINGRESP);
    assert_int_equal(decode("\x90\x03\0\x07\x80", 5, &packet), MQTT_PACKET);
    assert_int_equal(packet.type, MQTT_SUBACK);
    assert_int_equal(packet.id, 7);
    assert_int_equal(packet.code, 0x80);
    assert_int_equal(decode("\x32\x07\0\x01t\x01\x02hi", 9, &packet), MQTT_PACKET);
    assert_int_equal(packet.type, MQTT_PUBLISH);
    assert_int_equal(packet.qos, 1);
    assert_int_equal(packet.id, 258);
    assert_int_equal(packet.topic_size, 1);
    assert_int_equal(packet.payload_size, 2);
}

static void half_a_packet_is_waited_for(void **state)
{
    (void)state;
    uint8_t bytes[300], payload[200] = {0};
    struct mqtt_packet packet;
    size_t size = mqtt_publish(bytes, sizeof bytes, "a/b", 0, 0, payload, sizeof payload);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(decode((const char *)bytes, i, &packet), MQTT_MORE);
    assert_int_equal(decode((const char *)bytes, size, &packet), MQTT_PACKET);
    assert_int_equal(packet.payload_size, sizeof payload);
}

static void what_no_broker_sends_is_refused(void **state)
{
    (void)state;
    struct mqtt_packet packet;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\x20\x01\0", 3},              /* CONNACK without a code */
        {"\x90\x02\0\x07", 4},          /* SUBACK without one */
        {"\x40\x03\0\x01\0", 5},        /* PUBACK with more */
        {"\x30\x01\0", 3},              /* PUBLISH without a topic's length */
        {"\x30\x03\0\x09t", 5},         /* a topic that is longer than the packet */
        {"\x32\x03\0\x01t", 5},         /* QoS 1 without an id */
        {"\x34\x05\0\x01t\0\x01", 7},   /* QoS 2: nobody subscribed to it */
        {"\x10\0", 2},                  /* CONNECT */
        {"\xd0\x01\0", 3},              /* PINGRESP with more */
        {"\xf0\0", 2},                  /* a type that there is not */
        {"\x30\xff\xff\xff\xff\x01", 6} /* a length of five bytes */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(decode(bad[i].bytes, bad[i].size, &packet), MQTT_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_as_in_the_standard),
        cmocka_unit_test(a_connect_is_of_each_version),
        cmocka_unit_test(a_packet_that_does_not_fit_is_none),
        cmocka_unit_test(what_a_broker_sends_is_understood),
        cmocka_unit_test(half_a_packet_is_waited_for),
        cmocka_unit_test(what_no_broker_sends_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
