#include "registry/key.h"

#include <stdio.h>
#include <string.h>

#include "registry/device.h"

enum { PREFIX_SIZE = 7, BODY_SIZE = 30, CHECK_SIZE = 6, DRAW_SIZE = 40 };

static const char prefix[] = "devreg_";
static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* CRC-32 as in IEEE 802.3 and zlib, bit by bit: 37 bytes of a key that is made, or typed where none
 * belongs. */
static uint32_t crc32(const char *data, size_t size)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
    }
    return ~crc;
}

static void write_check(char out[static CHECK_SIZE], const char *text)
{
    uint32_t crc = crc32(text, PREFIX_SIZE + BODY_SIZE);
    for (size_t i = CHECK_SIZE; i-- > 0; crc /= 62)
        out[i] = digits[crc % 62];
}

/* Six random bits are a digit, or drawn again where they are 62 or 63, so each digit is as likely
 * as any other. Drawn many at a time: each draw is a system call. */
static enum err write_body(char out[static BODY_SIZE])
{
    uint8_t drawn[DRAW_SIZE];
    enum err e = ERR_OK;
    for (size_t done = 0; done < BODY_SIZE;) {
        e = crypto_draw(drawn, sizeof drawn);
        if (e)
            break;
        for (size_t i = 0; i < sizeof drawn && done < BODY_SIZE; i++) {
            unsigned value = drawn[i] & 63U;
            if (value < 62)
                out[done++] = digits[value];
        }
    }
    crypto_wipe(drawn, sizeof drawn);
    return e;
}

enum err key_generate(char text[static KEY_TEXT_SIZE + 1])
{
    memcpy(text, prefix, PREFIX_SIZE);
    enum err e = write_body(text + PREFIX_SIZE);
    if (e) {
        crypto_wipe(text, KEY_TEXT_SIZE + 1);
        return e;
    }
    write_check(text + PREFIX_SIZE + BODY_SIZE, text);
    text[KEY_TEXT_SIZE] = '\0';
    return ERR_OK;
}

bool key_well_formed(const char *text)
{
    char check[CHECK_SIZE];
    if (strnlen(text, KEY_TEXT_SIZE + 1) != KEY_TEXT_SIZE ||
        memcmp(text, prefix, PREFIX_SIZE) != 0 ||
        strspn(text + PREFIX_SIZE, digits) != BODY_SIZE + CHECK_SIZE)
        return false;
    write_check(check, text);
    return memcmp(check, text + PREFIX_SIZE + BODY_SIZE, CHECK_SIZE) == 0;
}

bool key_is_within(const char *text)
{
    char key[KEY_TEXT_SIZE + 1];
    bool found = false;
    for (const char *at = strstr(text, prefix); at && !found; at = strstr(at + 1, prefix)) {
        snprintf(key, sizeof key, "%s", at);
        found = key_well_formed(key);
    }
    crypto_wipe(key, sizeof key);
    return found;
}

void key_hide(char *text)
{
    for (char *at = strstr(text, prefix); at;) {
        at += PREFIX_SIZE;
        char *next = strstr(at, prefix); /* a second key may follow at once */
        size_t size = strspn(at, digits);
        if (size > BODY_SIZE + CHECK_SIZE)
            size = BODY_SIZE + CHECK_SIZE;
        if (next && size > (size_t)(next - at))
            size = (size_t)(next - at);
        if (size > KEY_PART_MAX)
            memset(at, '*', size);
        at = next;
    }
}

/* BLAKE2b knows no length extension, so what comes first is as good as a key (RFC 7693,
 * section 2.9, does it with a block of its own). With an id of up to 35 bytes all of it is one
 * block. */
void key_hash(uint8_t hash[static KEY_HASH_SIZE], const char text[static KEY_TEXT_SIZE],
              const char *device, uint32_t credential, const uint8_t secret[static CRYPTO_KEY_SIZE])
{
    static const char domain[] = "devreg/key/1";
    struct {
        uint8_t secret[CRYPTO_KEY_SIZE];
        char domain[sizeof domain];
        uint8_t bound[5];
        char id_and_key[DEVICE_ID_MAX + KEY_TEXT_SIZE];
    } message;
    const size_t length = strnlen(device, DEVICE_ID_MAX);
    const uint8_t bound[] = {(uint8_t)length, (uint8_t)(credential >> 24),
                             (uint8_t)(credential >> 16), (uint8_t)(credential >> 8),
                             (uint8_t)credential};
    memcpy(message.secret, secret, sizeof message.secret);
    memcpy(message.domain, domain, sizeof domain);
    memcpy(message.bound, bound, sizeof bound);
    memcpy(message.id_and_key, device, length);
    memcpy(message.id_and_key + length, text, KEY_TEXT_SIZE);
    crypto_plain_hash(hash, &message,
                      sizeof message - sizeof message.id_and_key + length + KEY_TEXT_SIZE);
    crypto_wipe(&message, sizeof message);
}
