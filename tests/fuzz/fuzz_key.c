/* fuzz_key.c - keys in texts: two lines.
 *
 *   TEXT   is it a key, is one in it, and what is left of it once it is hidden?
 *   SEED   of a key that is put into TEXT, at a place that the seed says, whole and with a typo
 */
#include "registry/credential.h"
#include "registry/key.h"
#include "registry/password_hash.h"
#include "tests/fuzz/fuzz.h"

enum { PREFIX_SIZE = 7, BODY_SIZE = 30, CHECK_SIZE = 6 };

static const char prefix[] = "devreg_";
static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* CRC-32 by its definition: the remainder of a long division of the bits, each byte's lowest first,
 * with the first 32 and the remainder turned over. */
static uint32_t plain_crc32(const char *data, size_t size)
{
    uint32_t remainder = 0, turned = 0;
    for (size_t bit = 0; bit < size * 8 + 32; bit++) {
        uint32_t next = bit < size * 8 ? (uint32_t)(unsigned char)data[bit / 8] >> bit % 8 & 1 : 0;
        next ^= bit < 32;
        uint32_t out = remainder >> 31;
        remainder = (remainder << 1 | next) ^ (out ? 0x04c11db7U : 0);
    }
    for (int bit = 0; bit < 32; bit++)
        turned |= (remainder >> bit & 1) << (31 - bit);
    return ~turned;
}

static void write_check(char *key)
{
    uint32_t crc = plain_crc32(key, PREFIX_SIZE + BODY_SIZE);
    for (size_t i = CHECK_SIZE; i-- > 0; crc /= 62)
        key[PREFIX_SIZE + BODY_SIZE + i] = base62[crc % 62];
}

/* Do 43 characters of a key begin at `text`? */
static bool plain_key(const char *text)
{
    char key[KEY_TEXT_SIZE + 1];
    if (strlen(text) < KEY_TEXT_SIZE || memcmp(text, prefix, PREFIX_SIZE) != 0)
        return false;
    memcpy(key, text, KEY_TEXT_SIZE);
    key[KEY_TEXT_SIZE] = '\0';
    for (size_t i = PREFIX_SIZE; i < KEY_TEXT_SIZE; i++) {
        if (!strchr(base62, key[i]))
            return false;
    }
    write_check(key);
    return memcmp(key, text, KEY_TEXT_SIZE) == 0;
}

static bool plain_within(const char *text)
{
    bool found = false;
    for (; *text; text++)
        found |= plain_key(text);
    return found;
}

/* Nothing but characters behind a prefix turn into "*", each prefix stays, and no key is left. */
static void check_hide(const char *text)
{
    char *hidden = input_copy((const uint8_t *)text, strlen(text));
    key_hide(hidden);
    HOLDS(strlen(hidden) == strlen(text) && !key_is_within(hidden));
    for (size_t i = 0; text[i]; i++) {
        if (hidden[i] == text[i])
            continue;
        HOLDS(hidden[i] == '*' && i > 0);
        bool follows = hidden[i - 1] == '*' && hidden[i - 1] != text[i - 1];
        HOLDS(follows ||
              (i >= PREFIX_SIZE && memcmp(text + i - PREFIX_SIZE, prefix, PREFIX_SIZE) == 0));
    }
    for (const char *at = text; (at = strstr(at, prefix)); at++)
        HOLDS(memcmp(hidden + (at - text), prefix, PREFIX_SIZE) == 0);
    char *again = input_copy((const uint8_t *)hidden, strlen(hidden));
    key_hide(again);
    HOLDS(strcmp(again, hidden) == 0);
    free(again);
    free(hidden);
}

static void check_text(const char *text)
{
    HOLDS(key_well_formed(text) == (strlen(text) == KEY_TEXT_SIZE && plain_key(text)));
    HOLDS(key_is_within(text) == plain_within(text));
    check_hide(text);
}

static void check_known(const char *text, uint64_t seed)
{
    char key[KEY_TEXT_SIZE + 1], typo[KEY_TEXT_SIZE + 1];
    size_t length = strlen(text), place = seed % (length + 1);
    uint64_t digits = seed;
    memcpy(key, prefix, PREFIX_SIZE);
    for (size_t i = PREFIX_SIZE; i < PREFIX_SIZE + BODY_SIZE;
         i++, digits = digits * 25214903917 + 11)
        key[i] = base62[(digits >> 40) % 62];
    write_check(key);
    key[KEY_TEXT_SIZE] = '\0';
    HOLDS(key_well_formed(key));
    memcpy(typo, key, sizeof typo); /* one other character: the check tells */
    size_t at = PREFIX_SIZE + seed / 7 % (BODY_SIZE + CHECK_SIZE);
    typo[at] = base62[((size_t)(strchr(base62, typo[at]) - base62) + 1 + seed / 331 % 61) % 62];
    HOLDS(!key_well_formed(typo));
    char *whole = malloc(length + KEY_TEXT_SIZE + 1);
    HOLDS(whole);
    memcpy(whole, text, place);
    memcpy(whole + place, key, KEY_TEXT_SIZE);
    memcpy(whole + place + KEY_TEXT_SIZE, text + place, length - place + 1);
    HOLDS(key_is_within(whole));
    check_text(whole);
    /* Its last characters and what follows may be the prefix of another. */
    const char *next = strstr(whole + place + PREFIX_SIZE, prefix);
    size_t end = next ? (size_t)(next - whole) : length + KEY_TEXT_SIZE;
    key_hide(whole);
    HOLDS(end + PREFIX_SIZE > place + KEY_TEXT_SIZE);
    for (size_t i = place + PREFIX_SIZE; i < place + KEY_TEXT_SIZE && i < end; i++)
        HOLDS(whole[i] == '*');
    free(whole);
}

/* A hash of Mosquitto's, or none: what is read is described, in the room that there is. */
static void check_password_hash(const char *text)
{
    struct password_hash hash;
    char described[PASSWORD_SCHEME_MAX + 1];
    memset(described, 'x', sizeof described);
    const char *problem = password_hash_parse(&hash, text);
    password_hash_describe(described, &hash);
    HOLDS(memchr(described, '\0', sizeof described));
    if (problem)
        return;
    HOLDS(hash.scheme != SCHEME_NONE && strlen(text) <= PASSWORD_HASH_MAX);
    HOLDS(hash.salt_size <= PASSWORD_SALT_MAX);
    HOLDS(hash.scheme == SCHEME_SHA512 || hash.rounds > 0);
    if (hash.scheme == SCHEME_SHA512 || (hash.scheme == SCHEME_PBKDF2 && hash.rounds < 100))
        HOLDS(!password_hash_verify(text, "no such password"));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return crypto_init() == ERR_OK ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    if (size > FUZZ_INPUT_MAX / 4)
        return 0;
    char *text = input_line(&input);
    check_text(text);
    check_known(text, input_seed(&input));
    check_password_hash(text);
    free(text);
    return 0;
}
