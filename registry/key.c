#include "registry/key.h"

#include <string.h>

enum { PREFIX_SIZE = 7, BODY_SIZE = 30, CHECK_SIZE = 6 };

static const char prefix[] = "devreg_";
static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* CRC-32 as in IEEE 802.3 and zlib, bit by bit: 37 bytes, once a login. */
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

void key_generate(char text[static KEY_TEXT_SIZE + 1])
{
    memcpy(text, prefix, PREFIX_SIZE);
    for (size_t i = 0; i < BODY_SIZE; i++)
        text[PREFIX_SIZE + i] = digits[crypto_random_below(62)];
    write_check(text + PREFIX_SIZE + BODY_SIZE, text);
    text[KEY_TEXT_SIZE] = '\0';
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

void key_hide(char *text)
{
    for (char *at = strstr(text, prefix); at; at = strstr(at, prefix)) {
        at += PREFIX_SIZE;
        size_t size = strspn(at, digits);
        memset(at, '*', size);
        at += size;
    }
}

void key_hash(uint8_t hash[static KEY_HASH_SIZE], const char text[static KEY_TEXT_SIZE],
              const char *device, uint32_t credential, const uint8_t secret[static CRYPTO_KEY_SIZE])
{
    static const char domain[] = "devreg/key/1";
    size_t length = strlen(device);
    const uint8_t bound[] = {(uint8_t)length, (uint8_t)(credential >> 24),
                             (uint8_t)(credential >> 16), (uint8_t)(credential >> 8),
                             (uint8_t)credential};
    const struct crypto_part parts[] = {
        {domain, sizeof domain}, {bound, sizeof bound}, {device, length}, {text, KEY_TEXT_SIZE}};
    crypto_keyed_hash(hash, secret, parts, sizeof parts / sizeof *parts);
}
