#include "registry/password_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char damaged[] = "the hash is cut short or damaged";

/* Reads digits, without a leading zero, up to the character `end`, and steps over both. */
static bool take_number(const char **at, char end, uint32_t *number)
{
    uint64_t value = 0;
    const char *digit = *at;
    if (*digit < '1' || *digit > '9')
        return false;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        value = value * 10 + (uint64_t)(*digit - '0');
        if (value > UINT32_MAX)
            return false;
    }
    if (*digit != end)
        return false;
    *at = digit + 1;
    *number = (uint32_t)value;
    return true;
}

static bool take_word(const char **at, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0)
        return false;
    *at += length;
    return true;
}

/* "SALT$HASH", to the end. */
static const char *take_salt_and_hash(struct password_hash *hash, const char *at)
{
    size_t salt_length = strcspn(at, "$"), size = 0;
    const char *rest = at + salt_length + 1;
    if (at[salt_length] != '$' ||
        !crypto_base64_parse(hash->salt, sizeof hash->salt, &hash->salt_size, at, salt_length) ||
        !crypto_base64_parse(hash->hash, sizeof hash->hash, &size, rest, strlen(rest)))
        return damaged;
    if (hash->salt_size != 12 && hash->salt_size != 64)
        return "its salt has neither 12 nor 64 bytes";
    return size == sizeof hash->hash ? NULL : damaged;
}

static bool is_base64(const char *text, size_t length)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return length > 0 && strspn(text, alphabet) >= length;
}

/* "v=19$m=47104,t=1,p=1$SALT$HASH". */
static const char *take_argon2id(struct password_hash *hash, const char *at)
{
    uint32_t lanes = 0;
    if (!take_word(&at, "v=19$"))
        return "its version of Argon2 is not 19";
    if (!take_word(&at, "m=") || !take_number(&at, ',', &hash->memory) || !take_word(&at, "t=") ||
        !take_number(&at, ',', &hash->rounds) || !take_word(&at, "p=") ||
        !take_number(&at, '$', &lanes) || hash->memory / 8 < lanes)
        return damaged;
    size_t salt = strcspn(at, "$");
    bool whole =
        at[salt] == '$' && is_base64(at, salt) && is_base64(at + salt + 1, strlen(at + salt + 1));
    return whole ? NULL : damaged;
}

const char *password_hash_parse(struct password_hash *hash, const char *text)
{
    *hash = (struct password_hash){.scheme = SCHEME_NONE};
    if (strnlen(text, PASSWORD_HASH_MAX + 1) > PASSWORD_HASH_MAX)
        return "the hash is longer than 255 bytes";
    if (take_word(&text, "$6$")) {
        hash->scheme = SCHEME_SHA512;
        return take_salt_and_hash(hash, text);
    }
    if (take_word(&text, "$7$")) {
        hash->scheme = SCHEME_PBKDF2;
        return take_number(&text, '$', &hash->rounds) ? take_salt_and_hash(hash, text)
                                                      : "its number of rounds is none";
    }
    if (take_word(&text, "$argon2id$")) {
        hash->scheme = SCHEME_ARGON2ID;
        return take_argon2id(hash, text);
    }
    return "it is none of $6$, $7$ and $argon2id$";
}

bool password_hash_too_slow(const struct password_hash *hash)
{
    if (hash->scheme == SCHEME_PBKDF2)
        return hash->rounds > PASSWORD_ROUNDS_MAX;
    return hash->scheme == SCHEME_ARGON2ID &&
           (hash->memory > PASSWORD_MEMORY_MAX ||
            (uint64_t)hash->memory * hash->rounds > PASSWORD_WORK_MAX);
}

void password_hash_describe(char text[static PASSWORD_SCHEME_MAX + 1],
                            const struct password_hash *hash)
{
    int size = PASSWORD_SCHEME_MAX + 1;
    if (hash->scheme == SCHEME_ARGON2ID)
        snprintf(text, (size_t)size, "$argon2id$, m=%u t=%u", hash->memory, hash->rounds);
    else if (hash->scheme == SCHEME_PBKDF2)
        snprintf(text, (size_t)size, "$7$, %u rounds", hash->rounds);
    else
        snprintf(text, (size_t)size, "%s", hash->scheme == SCHEME_SHA512 ? "$6$" : "unknown");
}

bool password_hash_verify(const char *text, const char *password)
{
    struct password_hash hash;
    uint8_t made[CRYPTO_SHA512_SIZE];
    if (password_hash_parse(&hash, text))
        return false;
    if (hash.scheme == SCHEME_ARGON2ID)
        return crypto_password_verify(text, password);
    const struct crypto_part parts[] = {{password, strlen(password)}, {hash.salt, hash.salt_size}};
    if (hash.scheme == SCHEME_SHA512)
        crypto_sha512(made, parts, 2);
    else
        crypto_pbkdf2_sha512(made, password, hash.salt, hash.salt_size, hash.rounds);
    bool right = crypto_equal(made, hash.hash, sizeof made);
    crypto_wipe(made, sizeof made);
    crypto_wipe(&hash, sizeof hash);
    return right;
}
