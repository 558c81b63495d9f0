#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8, WORD_MAX = 400, REPEAT_MAX = 1 << 20, STRING_MAX = 65535 };

static bool wrong(struct script *script, const char *what, const char *where)
{
    (void)snprintf(script->why, sizeof script->why, "%s: %.60s", what, where);
    return false;
}

static bool add(struct script *script, struct units *units, unsigned unit)
{
    if (units->count == units->room) {
        size_t room = units->room * 2 + 256;
        uint16_t *at = realloc(units->at, room * sizeof *at);
        if (!at)
            return wrong(script, "no memory", "");
        units->at = at;
        units->room = room;
    }
    units->at[units->count++] = (uint16_t)unit;
    return true;
}

static bool add_number(struct script *script, struct units *units, size_t number)
{
    return add(script, units, (unsigned)number >> 8 & 0xff) &&
           add(script, units, (unsigned)number & 0xff);
}

/* 2.2.3 */
static bool add_length(struct script *script, struct units *units, size_t length)
{
    while (length > 0x7f) {
        if (!add(script, units, (unsigned)(length & 0x7f) | 0x80))
            return false;
        length >>= 7;
    }
    return add(script, units, (unsigned)length);
}

static bool add_string(struct script *script, struct units *units, const char *text)
{
    bool ok = add_number(script, units, strlen(text));
    for (; *text && ok; text++)
        ok = add(script, units, (uint8_t)*text);
    return ok;
}

static bool encode(struct script *script, const char **at, char end, int depth,
                   struct units *units);

/* ( ... ) and [ ... ] */
static bool encode_group(struct script *script, const char **at, int depth, struct units *units)
{
    struct units inside = {0};
    char begin = *(*at)++;
    bool ok = encode(script, at, begin == '(' ? ')' : ']', depth + 1, &inside);
    if (ok && begin == '[' && inside.count > STRING_MAX)
        ok = wrong(script, "too long", *at);
    if (ok)
        ok = begin == '(' ? add_length(script, units, inside.count)
                          : add_number(script, units, inside.count);
    for (size_t i = 0; i < inside.count && ok; i++)
        ok = add(script, units, inside.at[i]);
    units_clear(&inside);
    return ok;
}

static bool encode_text(struct script *script, const char **at, struct units *units)
{
    char quote = *(*at)++;
    const char *end = strchr(*at, quote);
    if (!end)
        return wrong(script, "no end of text", *at);
    bool ok = quote == '"' || add_number(script, units, (size_t)(end - *at));
    for (; *at < end && ok; ++*at)
        ok = add(script, units, (uint8_t) * *at);
    *at = end + 1;
    return ok;
}

/* @ and @02 */
static bool encode_login(struct script *script, const char *word, struct units *units)
{
    enum { USER_AND_PASSWORD = 0xc0 };
    if (word[1])
        return add(script, units,
                   (unsigned)strtoul(word + 1, NULL, 16) | (script->user ? USER_AND_PASSWORD : 0));
    return !script->user ||
           (add_string(script, units, script->user) && add_string(script, units, script->key));
}

/* The text of the name with what stands for % and &. */
static bool name_expand(struct script *script, const char *text, char *arguments, char *to)
{
    char *second = arguments ? strchr(arguments, ',') : NULL;
    size_t size = 0;
    if (second)
        *second++ = '\0';
    for (; *text; text++) {
        const char *part = *text == '%' ? arguments : *text == '&' ? second : NULL;
        size_t part_size = part ? strlen(part) : 1;
        if (size + part_size >= WORD_MAX)
            return wrong(script, "too long", text);
        memcpy(to + size, part ? part : text, part_size);
        size += part_size;
    }
    to[size] = '\0';
    return true;
}

static bool encode_name(struct script *script, char *word, int depth, struct units *units)
{
    char text[WORD_MAX], *colon = strchr(word, ':');
    const char *at = text;
    if (colon)
        *colon++ = '\0';
    for (size_t i = 0; i < script->name_count; i++) {
        if (strcmp(script->names[i].name, word) == 0)
            return name_expand(script, script->names[i].text, colon, text) &&
                   encode(script, &at, '\0', depth + 1, units);
    }
    return wrong(script, "no such word", word);
}

static unsigned digit(char c)
{
    return (unsigned)(c >= '0' && c <= '9' ? c - '0' : c - 'a' + 10);
}

/* 30ff, 61*5000. False where it is no such word. */
static bool encode_hex(struct script *script, const char *word, struct units *units, bool *ok)
{
    size_t digits = strspn(word, "0123456789abcdef");
    const char *star = word[digits] == '*' ? word + digits : NULL;
    if (digits == 0 || digits % 2 != 0 || (word[digits] && !star))
        return false;
    unsigned long times = star ? strtoul(star + 1, NULL, 10) : 1;
    *ok = times <= REPEAT_MAX || wrong(script, "too often", word);
    for (; times > 0 && *ok; times--)
        for (size_t i = 0; i < digits && *ok; i += 2)
            *ok = add(script, units, digit(word[i]) << 4 | digit(word[i + 1]));
    return true;
}

static bool encode_word(struct script *script, char *word, int depth, struct units *units)
{
    bool ok;
    if (word[0] == '@')
        return encode_login(script, word, units);
    if (strcmp(word, "?") == 0 || strcmp(word, "*") == 0)
        return add(script, units, *word == '?' ? UNIT_ANY : UNIT_REST);
    if (strcmp(word, "id") == 0)
        return add_number(script, units, script->id);
    return encode_hex(script, word, units, &ok) ? ok : encode_name(script, word, depth, units);
}

static bool encode(struct script *script, const char **at, char end, int depth, struct units *units)
{
    char word[WORD_MAX];
    if (depth > DEPTH_MAX)
        return wrong(script, "too deep", *at);
    for (;;) {
        *at += strspn(*at, " ");
        char c = **at;
        bool ok;
        if (c == end) {
            *at += c != '\0';
            return true;
        }
        if (c == '(' || c == '[') {
            ok = encode_group(script, at, depth, units);
        } else if (c == '"' || c == '\'') {
            ok = encode_text(script, at, units);
        } else {
            size_t size = strcspn(*at, " ");
            if (size == 0 || size >= sizeof word || strchr(")]", c))
                return wrong(script, "not expected", *at);
            memcpy(word, *at, size);
            word[size] = '\0';
            *at += size;
            ok = encode_word(script, word, depth, units);
        }
        if (!ok)
            return false;
    }
}

bool script_encode(struct script *script, const char *text, struct units *units)
{
    return encode(script, &text, '\0', 0, units);
}

bool script_let(struct script *script, const char *line)
{
    const char *equals = strstr(line, " = ");
    struct script_name *name = &script->names[script->name_count];
    size_t size = equals ? (size_t)(equals - line) : 0;
    if (size == 0 || size >= sizeof name->name || script->name_count == NAMES_MAX)
        return wrong(script, "no name", line);
    memcpy(name->name, line, size);
    name->name[size] = '\0';
    name->text = strdup(equals + 3);
    if (!name->text)
        return wrong(script, "no memory", line);
    script->name_count++;
    return true;
}

/* Where a packet's body begins, behind its length. */
static size_t body_at(const uint8_t *packet, size_t size)
{
    size_t at = 1;
    while (at < size && packet[at] & 0x80)
        at++;
    return at + 1;
}

static bool units_match(const struct units *units, const uint8_t *bytes, size_t size)
{
    size_t i = 0;
    for (; i < units->count && units->at[i] != UNIT_REST; i++)
        if (i >= size || (units->at[i] != UNIT_ANY && units->at[i] != bytes[i]))
            return false;
    return i < units->count || i == size;
}

bool script_matches(struct script *script, const char *pattern, const uint8_t *packet, size_t size)
{
    struct units units = {0};
    char first[8];
    const char *colon = strchr(pattern, ':');
    script->why[0] = '\0';
    if (!colon || colon == pattern || (size_t)(colon - pattern) >= sizeof first)
        return wrong(script, "no first byte", pattern);
    if (strncmp(pattern, "? ", 2) != 0 &&
        (size == 0 || strtoul(pattern, NULL, 16) != (unsigned long)packet[0]))
        return false;
    size_t body = size == 0 ? 0 : body_at(packet, size);
    bool matches =
        script_encode(script, colon + 1, &units) && units_match(&units, packet + body, size - body);
    units_clear(&units);
    return matches;
}

void script_clear(struct script *script)
{
    for (size_t i = 0; i < script->name_count; i++)
        free(script->names[i].text);
    *script = (struct script){0};
}

void units_clear(struct units *units)
{
    free(units->at);
    *units = (struct units){0};
}
