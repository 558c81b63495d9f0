#include "plugin/json_text.h"

#include <string.h>

enum { NUMBER_MAX = 20 /* digits of 2^64 */ };

static inline void put(struct json_text *json, const char *bytes, size_t size)
{
    if (json->failed || size > json->room - json->size) {
        json->failed = true;
        return;
    }
    memcpy(json->text + json->size, bytes, size);
    json->size += size;
}

static void put_char(struct json_text *json, char c)
{
    put(json, &c, 1);
}

struct json_text json_begin(char *buffer, size_t room, uint64_t version)
{
    struct json_text json = {.text = buffer, .room = room};
    json_put_number(&json, "{\"v\":", 5, version);
    return json;
}

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

static void put_escaped(struct json_text *json, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    const char escape[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
    put(json, escape, sizeof escape);
}

void json_put_word(struct json_text *json, const char *name, size_t size, const char *value)
{
    put(json, name, size);
    put_char(json, '"');
    put(json, value, strlen(value));
    put_char(json, '"');
}

void json_put_text(struct json_text *json, const char *name, size_t size, const char *value)
{
    put(json, name, size);
    put_char(json, '"');
    for (const char *plain = value;; plain = value) {
        while (*value && !needs_escape((unsigned char)*value))
            value++;
        put(json, plain, (size_t)(value - plain));
        if (!*value)
            break;
        put_escaped(json, (unsigned char)*value++);
    }
    put_char(json, '"');
}

void json_put_number(struct json_text *json, const char *name, size_t size, uint64_t value)
{
    char digits[NUMBER_MAX];
    size_t at = NUMBER_MAX;
    for (; value >= 100; value /= 100) { /* two at a time: half as many divisions */
        const unsigned two = (unsigned)(value % 100);
        digits[--at] = (char)('0' + two % 10);
        digits[--at] = (char)('0' + two / 10);
    }
    if (value >= 10) {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    }
    digits[--at] = (char)('0' + value);
    put(json, name, size);
    put(json, digits + at, NUMBER_MAX - at);
}

size_t json_end(struct json_text *json)
{
    put_char(json, '}');
    return json->failed ? 0 : json->size;
}
