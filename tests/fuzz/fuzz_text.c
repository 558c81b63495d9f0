/* fuzz_text.c - texts from outside: four lines.
 *
 *   PATTERN    of client ids
 *   DEVICE     whose pattern it is
 *   CLIENT ID
 *   a byte     how much room there is for what is shown or cut
 *
 * Each of the three is also taken for any name, and shown on a terminal and in JSON. */
#include <cjson/cJSON.h>

#include "admin/json.h"
#include "plugin/json_text.h"
#include "registry/device.h"
#include "registry/key.h"
#include "registry/text.h"
#include "tests/fuzz/fuzz.h"

enum { GLOB_MAX = 512, CLIENT_MAX = 1024 };

/* ---- UTF-8 by RFC 3629's grammar (section 4): the length of the character, 0 for none */

static bool in_range(unsigned char c, unsigned low, unsigned high)
{
    return c >= low && c <= high;
}

static size_t utf8_size(const unsigned char *s)
{
    static const struct {
        unsigned low, high, second_low, second_high, size;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!in_range(s[0], forms[i].low, forms[i].high))
            continue;
        if (forms[i].size > 1 && !in_range(s[1], forms[i].second_low, forms[i].second_high))
            return 0;
        for (size_t at = 2; at < forms[i].size; at++) {
            if (!in_range(s[at], 0x80, 0xbf))
                return 0;
        }
        return forms[i].size;
    }
    return 0;
}

/* What could move a terminal, or hide: as UTF-8. */
static bool is_harmful(const unsigned char *s, size_t size)
{
    if (size == 1)
        return s[0] < 0x20 || s[0] == 0x7f;
    if (size == 2)
        return s[0] == 0xc2 && s[1] <= 0x9f; /* C1 */
    if (size == 4)
        return (s[1] & 0x0f) == 0x0f && s[2] == 0xbf && s[3] >= 0xbe; /* U+nFFFE, U+nFFFF */
    if (s[0] == 0xe2 && s[1] == 0x80)
        return in_range(s[2], 0x8e, 0x8f) || in_range(s[2], 0xa8, 0xae);
    if (s[0] == 0xe2 && s[1] == 0x81)
        return in_range(s[2], 0xa6, 0xa9);
    return s[0] == 0xef && ((s[1] == 0xbb && s[2] == 0xbf) || (s[1] == 0xbf && s[2] >= 0xbe));
}

static bool plain_utf8(const char *text, bool *harmless)
{
    const unsigned char *s = (const unsigned char *)text;
    *harmless = true;
    while (*s) {
        size_t size = utf8_size(s);
        if (!size)
            return *harmless = false;
        *harmless = *harmless && !is_harmful(s, size);
        s += size;
    }
    return true;
}

/* ---- names */

static bool plain_name(const char *text, size_t max, const char *others)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && (i == 0 || !strchr(others, c)))
            return false;
    }
    return length > 0 && length <= max;
}

static void check_names(const char *text)
{
    bool harmless, utf8 = plain_utf8(text, &harmless);
    size_t length = strlen(text);
    bool digit_first = text[0] >= '0' && text[0] <= '9';
    HOLDS(device_id_valid(text) ==
          (plain_name(text, DEVICE_ID_MAX, "._:@-") && !key_well_formed(text)));
    HOLDS(role_name_valid(text) == plain_name(text, ROLE_NAME_MAX, "._:-"));
    HOLDS(attribute_name_valid(text) ==
          (plain_name(text, ATTRIBUTE_NAME_MAX, "_-") && !digit_first));
    HOLDS(text_is_plain(text, length) == (utf8 && harmless));
    if (length)
        HOLDS(!text_is_plain(text, length - 1));
}

/* ---- what is shown */

static void unescape(char *to, const char *from)
{
    while (*from) {
        char byte = *from;
        if (byte == '\\') {
            const char digits[] = {from[2], from[3], '\0'};
            HOLDS(from[1] == 'x' && strspn(digits, "0123456789abcdef") == 2);
            byte = (char)strtoul(digits, NULL, 16);
            from += 3;
        }
        from++;
        *to++ = byte;
    }
    *to = '\0';
}

static void check_escape(const char *text, size_t room)
{
    size_t most = 4 * strlen(text) + 9;
    char *whole = malloc(most), *back = malloc(most), *cut = malloc(room);
    HOLDS(whole && back && cut);
    (void)text_escape(whole, most, text);
    for (const char *c = whole; *c; c++)
        HOLDS(*c >= 0x20 && *c <= 0x7e);
    unescape(back, whole);
    HOLDS(strcmp(back, text) == 0);
    (void)text_escape(cut, room, text);
    HOLDS(strlen(cut) < room);
    if (strlen(whole) < room) {
        HOLDS(strcmp(cut, whole) == 0);
    } else {
        size_t length = strlen(cut);
        HOLDS(length >= 3 && strcmp(cut + length - 3, "...") == 0);
        HOLDS(memcmp(cut, whole, length - 3) == 0);
        HOLDS(length + 4 > room - 1); /* no more is cut than has to be */
    }
    free(cut);
    free(back);
    free(whole);
}

/* No character is cut in two. */
static void check_cut(const char *text, size_t max)
{
    bool harmless, utf8 = plain_utf8(text, &harmless);
    char *out = malloc(max + 1);
    HOLDS(out);
    text_cut(out, max, text);
    size_t length = strlen(out);
    HOLDS(length <= max && memcmp(out, text, length) == 0);
    if (strlen(text) <= max)
        HOLDS(strcmp(out, text) == 0);
    else if (utf8)
        HOLDS(plain_utf8(out, &harmless) && max - length < 4);
    memset(out, 'x', max + 1);
    bool fits = strlen(text) <= max;
    HOLDS(text_copy(out, max, text) == fits);
    HOLDS(fits ? strcmp(out, text) == 0 : out[0] == 'x');
    free(out);
}

/* ---- JSON: what is written is read again */

static void check_plugin_json(const char *text, size_t room)
{
    bool harmless, utf8 = plain_utf8(text, &harmless);
    size_t most = 6 * strlen(text) + 100, size;
    char *buffer = malloc(most), *small = malloc(room);
    HOLDS(buffer && small);
    struct json_text json = json_begin(buffer, most, 1);
    json_add_text(&json, "text", text);
    json_add_number(&json, "number", room);
    size = json_end(&json);
    HOLDS(size > 0 && size < most);
    buffer[size] = '\0';
    for (size_t i = 0; i < size; i++)
        HOLDS((unsigned char)buffer[i] >= 0x20);
    cJSON *tree = utf8 ? cJSON_ParseWithOpts(buffer, NULL, true) : NULL;
    if (utf8) {
        HOLDS(cJSON_GetArraySize(tree) == 3);
        HOLDS(strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(tree, "text")), text) == 0);
    }
    cJSON_Delete(tree);
    json = json_begin(small, room, 1);
    json_add_text(&json, "text", text);
    json_add_number(&json, "number", room);
    HOLDS(json_end(&json) == (size <= room ? size : 0));
    free(small);
    free(buffer);
}

static void check_admin_json(const char *text)
{
    bool harmless, utf8 = plain_utf8(text, &harmless);
    cJSON *tree = cJSON_CreateObject();
    json_text(tree, "text", text);
    char *line = json_format(tree);
    HOLDS(text_is_plain(line, strlen(line)));
    cJSON *back = json_parse(line);
    HOLDS(back && cJSON_GetArraySize(back) == 1);
    if (utf8)
        HOLDS(strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(back, "text")), text) == 0);
    cJSON_Delete(back);
    cJSON_Delete(tree);
    free(line);
}

/* ---- client ids */

/* Does pattern[p..] match text[t..]? By a table of all pairs. */
static bool plain_glob(const char *pattern, const char *text)
{
    static bool matches[GLOB_MAX + 2][CLIENT_MAX + 2];
    size_t patterns = strlen(pattern), texts = strlen(text);
    for (size_t p = patterns + 1; p-- > 0;) {
        for (size_t t = texts + 1; t-- > 0;) {
            if (p == patterns)
                matches[p][t] = t == texts;
            else if (pattern[p] == '*')
                matches[p][t] = matches[p + 1][t] || (t < texts && matches[p][t + 1]);
            else
                matches[p][t] = t < texts && pattern[p] == text[t] && matches[p + 1][t + 1];
        }
    }
    return matches[0][0];
}

static bool plain_client(const char *pattern, const char *device, const char *client)
{
    char full[GLOB_MAX + 1] = "";
    size_t used = 0;
    if (strcmp(pattern, "device") == 0)
        pattern = "%u";
    else if (strcmp(pattern, "prefix") == 0)
        pattern = "%u*";
    if (strcmp(pattern, "any") == 0 || strcmp(pattern, "*") == 0)
        return true;
    if (strlen(client) > CLIENT_MAX)
        return false;
    while (*pattern) {
        bool variable = strncmp(pattern, "%u", 2) == 0;
        const char piece[] = {*pattern, '\0'}, *put = variable ? device : piece;
        used += strlen(put);
        if (used > GLOB_MAX)
            return false;
        memcpy(full + used - strlen(put), put, strlen(put) + 1);
        pattern += variable ? 2 : 1;
    }
    return plain_glob(full, client);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *lines[3];
    if (size > FUZZ_INPUT_MAX / 2)
        return 0;
    for (size_t i = 0; i < 3; i++)
        lines[i] = input_line(&input);
    size_t room = 8 + (size_t)input_byte(&input);
    for (size_t i = 0; i < 3; i++) {
        check_names(lines[i]);
        check_escape(lines[i], room);
        check_cut(lines[i], room - 8);
        check_plugin_json(lines[i], room);
        check_admin_json(lines[i]);
    }
    if (device_id_valid(lines[1]))
        HOLDS(client_id_matches(lines[0], lines[1], lines[2]) ==
              plain_client(lines[0], lines[1], lines[2]));
    for (size_t i = 0; i < 3; i++)
        free(lines[i]);
    return 0;
}
