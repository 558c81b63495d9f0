/* key.h - a device's key: made once, shown once, kept only as a hash.
 *
 *   devreg_ 7Qk2...30 letters and digits... Xa91bZ
 *   prefix  30 base62 characters, random    6 base62 characters: CRC-32 of all before
 *
 * 30 characters are 178 bits, so a fast hash protects a key fully; a password needs a slow one.
 * The CRC tells a typo from a wrong key without a look-up, and the prefix lets a scanner find a
 * key in a repository (the shape of GitHub's tokens). It ends up in ESP-AT's 64 bytes and in the
 * 150 bytes that the smallest clients have for a whole CONNECT.
 */
#ifndef DEVREG_REGISTRY_KEY_H
#define DEVREG_REGISTRY_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/crypto.h"

enum { KEY_TEXT_SIZE = 43, KEY_HASH_SIZE = CRYPTO_HASH_SIZE };

/* Makes a new key. The caller shows `text` once and wipes it. ERR_RANDOM; then `text` is "". */
enum err key_generate(char text[static KEY_TEXT_SIZE + 1]);

/* Has `text` the form of a key, the CRC-32 included? */
bool key_well_formed(const char *text);

/* Does a key that is well-formed stand anywhere in `text`? */
bool key_is_within(const char *text);

/* Overwrites with "*" what may be a key in `text`, behind its "devreg_": for a log or a message,
 * since a key may end up in any field of a CONNECT, or of a file. Up to KEY_PART_MAX characters are
 * no key, and tell too little of one that was cut: they stay, as in the name of a directory. */
enum { KEY_PART_MAX = 11 };
void key_hide(char *text);

/* What is kept of a key: BLAKE2b-256 under the registry's secret, bound to the device and the
 * number of the credential, so a row that is copied elsewhere opens nothing:
 *   hash( secret 32 | "devreg/key/1" NUL | length of id 1 | credential 4, high byte first | id |
 * key )
 */
void key_hash(uint8_t hash[static KEY_HASH_SIZE], const char text[static KEY_TEXT_SIZE],
              const char *device, uint32_t credential,
              const uint8_t secret[static CRYPTO_KEY_SIZE]);

#endif
