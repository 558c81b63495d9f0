#include "registry/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Reads one code point; 0 where the bytes are no UTF-8 (or the end). */
static size_t decode(const unsigned char *s, uint32_t *point)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t extra = 0; extra < 4; extra++) {
        if ((s[0] & forms[extra].mask) != forms[extra].lead)
            continue;
        uint32_t value = s[0] & (unsigned char)~forms[extra].mask;
        for (size_t i = 1; i <= extra; i++) {
            if ((s[i] & 0xc0) != 0x80)
                return 0;
            value = value << 6 | (s[i] & 0x3f);
        }
        bool surrogate = value >= 0xd800 && value <= 0xdfff;
        if (value < forms[extra].least || value > 0x10ffff || surrogate)
            return 0;
        *point = value;
        return extra + 1;
    }
    return 0;
}

static bool is_plain(uint32_t point)
{
    bool control = point < 0x20 || (point >= 0x7f && point <= 0x9f);
    bool separator = point == 0x2028 || point == 0x2029;
    bool direction = (point >= 0x200e && point <= 0x200f) || (point >= 0x202a && point <= 0x202e) ||
                     (point >= 0x2066 && point <= 0x2069);
    bool no_character = (point & 0xfffe) == 0xfffe || point == 0xfeff;
    return !control && !separator && !direction && !no_character;
}

static bool is_plain_ascii(unsigned char c)
{
    return c >= 0x20 && c < 0x7f;
}

bool text_is_plain(const char *text, size_t max)
{
    const unsigned char *s = (const unsigned char *)text, *const end = s + max;
    for (;;) {
        uint32_t point;
        while (s < end && is_plain_ascii(*s)) /* as most is */
            s++;
        if (!*s)
            return true;
        size_t size = decode(s, &point);
        if (!size || size > (size_t)(end - s) || !is_plain(point))
            return false;
        s += size;
    }
}

/* One byte as it is shown: itself, or \xHH. Returns how many bytes that takes. */
static size_t escape_byte(char out[static 5], unsigned char c)
{
    bool plain = c >= 0x20 && c <= 0x7e && c != '\\';
    if (plain)
        memcpy(out, (const char[]){(char)c, '\0'}, 2);
    else
        snprintf(out, 5, "\\x%02x", c);
    return plain ? 1 : 4;
}

char *text_escape(char *out, size_t size, const char *text)
{
    static const char more[] = "...";
    const unsigned char *bytes = (const unsigned char *)(text ? text : "-");
    char piece[5];
    size_t used = 0, cut = 0; /* what is shown, and how much of it leaves room for "..." */
    for (; *bytes; bytes++) {
        size_t length = escape_byte(piece, *bytes);
        if (used + length + 1 > size) {
            memcpy(out + cut, more, sizeof more);
            return out;
        }
        memcpy(out + used, piece, length);
        used += length;
        if (used + sizeof more <= size)
            cut = used;
    }
    out[used] = '\0';
    return out;
}

bool text_copy(char *to, size_t max, const char *from)
{
    size_t length = strnlen(from, max + 1);
    if (length > max)
        return false;
    memmove(to, from, length);
    to[length] = '\0';
    return true;
}

void text_cut(char *out, size_t max, const char *text)
{
    size_t size = strnlen(text, max + 1);
    if (size > max) {
        size = max;
        while (size && ((unsigned char)text[size] & 0xc0) == 0x80)
            size--;
    }
    memcpy(out, text, size);
    out[size] = '\0';
}
