#include "hostile.h"

#include <string.h>

enum { STRING_MAX = 65535, PACKETS_MAX = 12, FILTERS_MANY = 3000, PAYLOAD_MAX = 70000 };
enum { FLAG_CLEAN = 0x02, FLAG_WILL = 0x04, FLAG_PASSWORD = 0x40, FLAG_USER = 0x80 };
enum { CONNECT = 1, PUBLISH = 3, SUBSCRIBE = 8, UNSUBSCRIBE = 10 };

/* ---- bytes; what does not fit is left out */

static void put(struct stream *s, const void *bytes, size_t size)
{
    if (size > STREAM_ROOM - s->size)
        size = STREAM_ROOM - s->size;
    if (size)
        memcpy(s->bytes + s->size, bytes, size);
    s->size += size;
}

static void put_byte(struct stream *s, size_t byte)
{
    uint8_t b = (uint8_t)byte;
    put(s, &b, 1);
}

static void put_number(struct stream *s, size_t number)
{
    put_byte(s, number >> 8);
    put_byte(s, number);
}

static void put_random(struct stream *s, size_t size)
{
    while (size-- > 0)
        put_byte(s, rng_below(s->rng, 256));
}

static void put_repeated(struct stream *s, char c, size_t size)
{
    while (size-- > 0)
        put_byte(s, (uint8_t)c);
}

static void put_string(struct stream *s, const char *text)
{
    put_number(s, strlen(text));
    put(s, text, strlen(text));
}

static void put_varint(struct stream *s, size_t number)
{
    do {
        put_byte(s, (number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        number >>= 7;
    } while (number);
}

static bool chance(struct stream *s, unsigned percent)
{
    return rng_percent(s->rng, percent);
}

/* Is this part to be wrong? */
static bool wrong(struct stream *s)
{
    return chance(s, s->evil);
}

/* ---- parts of packets */

static const char *one_of(struct stream *s, const char *const *texts, size_t count)
{
    return texts[rng_below(s->rng, count)];
}

#define ONE_OF(s, texts) one_of(s, texts, sizeof(texts) / sizeof *(texts))

/* Which it may use. */
static const char *own_topic(struct stream *s, bool filter)
{
    static const char *const names[] = {"devices/peer", "devices/peer/x", "devices/peer/cmd/1",
                                        "devices/peer//"};
    static const char *const filters[] = {"devices/peer/#", "devices/peer/+", "devices/peer/+/+",
                                          "$share/g/devices/peer/#"};
    return filter && chance(s, 60) ? ONE_OF(s, filters) : ONE_OF(s, names);
}

/* Which somebody might hope that it is given. */
static const char *foreign_topic(struct stream *s, bool filter)
{
    static const char *const names[] = {"a",
                                        "/",
                                        "//",
                                        "canary/kept",
                                        "canary/live",
                                        "devreg",
                                        "devreg/presence/good",
                                        "devreg/presence/peer",
                                        "devreg/event/good/connect",
                                        "devreg/summary",
                                        "devreg/errors/good",
                                        "devreg/errors/peer",
                                        "devices/good",
                                        "devices/good/beat",
                                        "devices/%u/x",
                                        "devices/peer2/x",
                                        "devices/PEER/x",
                                        "Devices/peer/x",
                                        "/devices/peer/x",
                                        "devices//peer/x",
                                        "$SYS/broker/connection/x/state",
                                        "$SYS/broker/version",
                                        "$CONTROL/dynamic-security/v1",
                                        "$CONTROL/devreg/v1",
                                        "$canary/kept"};
    static const char *const filters[] = {"#",
                                          "+",
                                          "+/#",
                                          "+/+",
                                          "/#",
                                          "+/+/#",
                                          "canary/#",
                                          "canary/+",
                                          "devices/#",
                                          "devices/+/#",
                                          "devices/+/beat",
                                          "+/peer/#",
                                          "+/+/beat",
                                          "devreg/#",
                                          "devreg/event/#",
                                          "devreg/errors/+",
                                          "devreg/errors/good",
                                          "devreg/errors/peer",
                                          "devreg/presence/+",
                                          "$SYS/#",
                                          "$SYS/broker/log/#",
                                          "$share/g/#",
                                          "$share/g/canary/+",
                                          "$share/peer/devices/+/beat",
                                          "$share/g/$SYS/#",
                                          "%c/#",
                                          "%u"};
    return filter && chance(s, 60) ? ONE_OF(s, filters) : ONE_OF(s, names);
}

/* Which no text of MQTT may be, or which may confuse who writes it down. */
static const char *nasty_text(struct stream *s)
{
    static const char *const texts[] = {"",
                                        "a#",
                                        "#/a",
                                        "a+/b",
                                        "$share//x",
                                        "$share/g",
                                        "$share/g+/x",
                                        "$share/g/",
                                        "good",
                                        "GOOD",
                                        "peer",
                                        "devreg: login failed from 1.2.3.4 device=good",
                                        "quote\"back\\slash{}\"",
                                        "%s%n%x",
                                        "\x1b[31mred\x1b[0m",
                                        "line\r\nnext: line",
                                        "\177\302\2332J",
                                        "\xff\xfe",
                                        "\xc0\xaf",
                                        "\xed\xa0\x80",
                                        "\xef\xbf\xbf",
                                        "\342\200\256drow",
                                        "\xe2\x80\xa8 line",
                                        "\xf0\x9f\x98\x80",
                                        "\357\273\277bom"};
    return ONE_OF(s, texts);
}

/* Many levels, or one that is as long as a string can be. */
static void put_huge_string(struct stream *s)
{
    static const char *const starts[] = {"", "devices/peer/", "devices/good/", "#", "canary/"};
    const char *start = starts[rng_below(s->rng, sizeof starts / sizeof *starts)];
    char c = "a/+#\x01"[rng_below(s->rng, 5)];
    size_t size = chance(s, 50) ? STRING_MAX : strlen(start) + 1 + rng_below(s->rng, 2000);
    put_number(s, size);
    put(s, start, strlen(start));
    put_repeated(s, c, size - strlen(start));
}

static void put_nasty(struct stream *s)
{
    size_t roll = rng_below(s->rng, 100);
    if (roll < 70) {
        put_string(s, nasty_text(s));
    } else if (roll < 85) {
        put_huge_string(s);
    } else if (roll < 95) { /* a NUL in it, and what it likes */
        put_number(s, 5 + 3);
        put(s, "good\0", 5);
        put_random(s, 3);
    } else { /* its length is another */
        put_number(s, rng_below(s->rng, STRING_MAX));
        put_random(s, rng_below(s->rng, 20));
    }
}

static void put_topic(struct stream *s, bool filter)
{
    if (wrong(s))
        put_nasty(s);
    else
        put_string(s, chance(s, 60) ? own_topic(s, filter) : foreign_topic(s, filter));
}

/* A text as a client id, user or property may be: right in form, mostly. */
static void put_text(struct stream *s)
{
    static const char *const texts[] = {
        "good", "GOOD", "peer", "a/b", "+", "#", "quote\"", "back\\slash", "\xc3\xa4\xe2\x82\xac",
        "%s%n"};
    if (wrong(s))
        put_nasty(s);
    else if (chance(s, 5))
        put_huge_string(s);
    else
        put_string(s, ONE_OF(s, texts));
}

/* MQTT 5, section 2.2.2.2: what type a property's value has. */
static char property_kind(size_t number)
{
    static const char kinds[] = {
        [1] = 'b',  [2] = 'l',  [3] = 's',  [8] = 't',  [9] = 's',  [11] = 'v', [17] = 'l',
        [18] = 's', [19] = 'n', [21] = 's', [22] = 's', [23] = 'b', [24] = 'l', [25] = 'b',
        [26] = 's', [28] = 's', [31] = 's', [33] = 'n', [34] = 'n', [35] = 'n', [36] = 'b',
        [37] = 'b', [38] = 'p', [39] = 'l', [40] = 'b', [41] = 'b', [42] = 'b'};
    return kinds[number < sizeof kinds ? number : 0];
}

static void put_value(struct stream *s, char kind)
{
    switch (kind) {
    case 'b':
        put_byte(s, rng_below(s->rng, wrong(s) ? 256 : 2));
        break;
    case 'n':
        put_number(s, 1 + rng_below(s->rng, wrong(s) ? 65535 : 10));
        break;
    case 'l':
        put_random(s, 4);
        break;
    case 'v':
        put_varint(s, 1 + rng_below(s->rng, 300));
        break;
    case 't':
        put_topic(s, false);
        break;
    case 'p':
        put_text(s);
        put_text(s);
        break;
    default:
        put_text(s);
    }
}

/* One of those that may stand there, or any at all. */
static void put_property(struct stream *s, const char *which)
{
    size_t number = (unsigned char)which[rng_below(s->rng, strlen(which))];
    if (wrong(s))
        number = rng_below(s->rng, 50);
    put_varint(s, number);
    char kind = property_kind(number);
    if (wrong(s))
        kind = "blsvntp"[rng_below(s->rng, 7)];
    put_value(s, kind);
}

/* Puts the length of what begins at `begin` before it. */
static void size_before(struct stream *s, size_t begin, bool wrong)
{
    uint8_t head[5];
    struct stream *at = s;
    size_t size = s->size - begin, used = 0;
    if (wrong)
        size = rng_below(s->rng, 2 * size + 4);
    do {
        head[used++] = (uint8_t)((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
        size >>= 7;
    } while (size && used < sizeof head);
    if (at->size + used > STREAM_ROOM)
        return;
    memmove(at->bytes + begin + used, at->bytes + begin, at->size - begin);
    memcpy(at->bytes + begin, head, used);
    at->size += used;
}

/* By number, as bytes. Only MQTT 5 has them, as a rule. */
static void put_properties(struct stream *s, const char *which)
{
    if ((s->version == 5) == wrong(s)) /* seldom where there are none, or not where there are */
        return;
    size_t begin = s->size;
    for (size_t count = chance(s, 50) ? 0 : 1 + rng_below(s->rng, 3); count > 0; count--)
        put_property(s, which);
    size_before(s, begin, wrong(s));
}

#define OF_CONNECT   "\x11\x21\x22\x27\x19\x17\x26"
#define OF_WILL      "\x01\x02\x03\x08\x09\x18\x26"
#define OF_PUBLISH   "\x01\x02\x03\x08\x09\x23\x26"
#define OF_SUBSCRIBE "\x0b\x26"
#define OF_REASON    "\x1f\x26"

/* ---- packets: the body, then its head before it */

static void put_head(struct stream *s, size_t begin, size_t first)
{
    uint8_t byte = (uint8_t)first;
    size_before(s, begin, wrong(s));
    if (s->size == STREAM_ROOM)
        return;
    memmove(s->bytes + begin + 1, s->bytes + begin, s->size - begin);
    s->bytes[begin] = byte;
    s->size++;
}

static void put_will(struct stream *s)
{
    put_properties(s, OF_WILL);
    put_topic(s, false);
    put_text(s);
}

static void put_password(struct stream *s, const struct hostile *who)
{
    size_t roll = rng_below(s->rng, 100);
    if (roll < 85) {
        put_string(s, who->key);
    } else if (roll < 88) { /* the key, with something behind a NUL */
        put_number(s, strlen(who->key) + 4);
        put(s, who->key, strlen(who->key));
        put(s, "\0abc", 4);
    } else if (roll < 92) {
        put_number(s, STRING_MAX);
        put_repeated(s, chance(s, 50) ? 'x' : '\0', STRING_MAX);
    } else {
        put_nasty(s);
    }
}

static void put_client_id(struct stream *s, const struct hostile *who)
{
    size_t roll = rng_below(s->rng, 100);
    char own[] = "peer-0";
    own[5] = (char)('0' + rng_below(s->rng, 6));
    if (roll < 70)
        put_string(s, own);
    else if (roll < 75)
        put_string(s, who->victim);
    else if (roll < 80)
        put_string(s, "");
    else
        put_text(s);
}

static void put_connect(struct stream *s, const struct hostile *who)
{
    static const uint8_t versions[] = {3, 4, 5};
    static const uint8_t odd[] = {0, 1, 2, 6, 0x83, 0x84, 0xff};
    size_t begin = s->size, flags = FLAG_USER | FLAG_PASSWORD;
    s->version = versions[rng_below(s->rng, sizeof versions)];
    flags |= (chance(s, 80) ? FLAG_CLEAN : 0U);
    if (chance(s, 30))
        flags |= FLAG_WILL | rng_below(s->rng, 3) << 3 | (chance(s, 30) ? 0x20U : 0U);
    if (wrong(s))
        flags = rng_below(s->rng, 256);
    if (wrong(s))
        put_nasty(s);
    else
        put_string(s, s->version == 3 ? "MQIsdp" : "MQTT");
    put_byte(s, wrong(s) ? odd[rng_below(s->rng, sizeof odd)] : s->version);
    put_byte(s, flags);
    put_number(s, who->keepalive ? rng_below(s->rng, chance(s, 50) ? 3 : 65536) : 0);
    put_properties(s, OF_CONNECT);
    put_client_id(s, who);
    if (flags & FLAG_WILL)
        put_will(s);
    if (flags & FLAG_USER) {
        if (chance(s, 95))
            put_string(s, chance(s, 90) ? who->device : who->victim);
        else
            put_text(s);
    }
    if (flags & FLAG_PASSWORD)
        put_password(s, who);
    put_head(s, begin, CONNECT << 4);
}

static void put_publish(struct stream *s)
{
    size_t begin = s->size, qos = rng_below(s->rng, wrong(s) ? 4 : 3);
    put_topic(s, false);
    if (qos)
        put_number(s, (wrong(s) ? 0 : 1) + rng_below(s->rng, 6));
    put_properties(s, OF_PUBLISH);
    put_random(s, chance(s, 90) ? rng_below(s->rng, 30) : rng_below(s->rng, PAYLOAD_MAX));
    put_head(s, begin,
             PUBLISH << 4 | qos << 1 | rng_below(s->rng, 2) |
                 (qos ? rng_below(s->rng, 2) << 3 : 0U));
}

static void put_filters(struct stream *s, size_t type)
{
    size_t begin = s->size, count = wrong(s) ? 0 : 1 + rng_below(s->rng, 4);
    if (chance(s, 4))
        count = FILTERS_MANY;
    put_number(s, (wrong(s) ? 0 : 1) + rng_below(s->rng, 5));
    put_properties(s, type == SUBSCRIBE ? OF_SUBSCRIBE : "\x26");
    for (; count > 0 && s->size < STREAM_ROOM / 4; count--) {
        put_topic(s, true);
        if (type == SUBSCRIBE)
            put_byte(s, rng_below(s->rng, wrong(s) ? 256 : 3));
    }
    put_head(s, begin, type << 4 | (wrong(s) ? rng_below(s->rng, 16) : 2U));
}

/* An acknowledgement, of what may never have been sent; PINGREQ, DISCONNECT, AUTH; what only a
 * broker sends, or what is no type. */
static void put_other(struct stream *s)
{
    static const uint8_t usual[] = {4, 5, 6, 7, 12};
    size_t begin = s->size, type = usual[rng_below(s->rng, sizeof usual)];
    if (wrong(s) || chance(s, 10))
        type = rng_below(s->rng, 16);
    if (type >= 4 && type <= 7)
        put_number(s, 1 + rng_below(s->rng, 6));
    if (s->version == 5 && chance(s, 30) && type != 12) {
        put_byte(s, wrong(s) ? rng_below(s->rng, 256) : 0);
        put_properties(s, OF_REASON);
    }
    put_head(s, begin, type << 4 | (type == 6 ? 2U : wrong(s) ? rng_below(s->rng, 16) : 0U));
}

static void put_packet(struct stream *s, const struct hostile *who)
{
    size_t roll = rng_below(s->rng, 100);
    if (wrong(s))
        put_random(s, rng_below(s->rng, 40));
    else if (roll < 38)
        put_publish(s);
    else if (roll < 68)
        put_filters(s, SUBSCRIBE);
    else if (roll < 75)
        put_filters(s, UNSUBSCRIBE);
    else if (roll < 98)
        put_other(s);
    else
        put_connect(s, who);
}

/* Bits flip, bytes go, and it ends in the middle. */
static void mangle(struct stream *s)
{
    for (size_t count = rng_below(s->rng, 4); count > 0 && s->size; count--)
        s->bytes[rng_below(s->rng, s->size)] ^= (uint8_t)(1U << rng_below(s->rng, 8));
    if (chance(s, 40) && s->size > 1) {
        size_t at = rng_below(s->rng, s->size), gone = 1 + rng_below(s->rng, 8);
        gone = gone < s->size - at ? gone : s->size - at;
        memmove(s->bytes + at, s->bytes + at + gone, s->size - at - gone);
        s->size -= gone;
    }
    if (chance(s, 40))
        s->size = rng_below(s->rng, s->size + 1);
}

void stream_make(struct stream *s, const struct hostile *who)
{
    static const uint8_t evils[] = {0, 0, 1, 3, 10, 40};
    s->size = 0;
    s->version = 4;
    s->evil = evils[rng_below(s->rng, sizeof evils)];
    if (!wrong(s))
        put_connect(s, who);
    for (size_t count = rng_below(s->rng, PACKETS_MAX); count > 0; count--)
        put_packet(s, who);
    if (s->evil && chance(s, 30))
        mangle(s);
}
