#include "admin/json.h"

#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "registry/text.h"

/* The largest number up to which a double holds every whole one. */
#define NUMBER_MAX ((uint64_t)1 << 53)

/* What happens here has nowhere else to look. */
static void (*undo_first)(void);
static const char *what_was_made;

void memory_out_first(void (*undo)(void))
{
    undo_first = undo;
}

void memory_out_later(const char *made)
{
    what_was_made = made;
}

void memory_out(void)
{
    if (undo_first)
        undo_first();
    if (what_was_made)
        (void)fprintf(stderr, "devreg: out of memory: the answer is lost, %s\n", what_was_made);
    else
        (void)fputs("devreg: out of memory: free some, then try again\n", stderr);
    exit(STATUS_FAILED);
}

void *memory_get(size_t size)
{
    void *memory = malloc(size);
    if (!memory)
        memory_out();
    return memory;
}

void json_init(void)
{
    cJSON_Hooks hooks = {.malloc_fn = memory_get, .free_fn = free};
    cJSON_InitHooks(&hooks);
}

void json_text(cJSON *object, const char *key, const char *text)
{
    (void)cJSON_AddStringToObject(object, key, text);
}

void json_number(cJSON *object, const char *key, uint64_t number)
{
    (void)cJSON_AddNumberToObject(object, key, (double)number);
}

void json_time(cJSON *object, const char *key, int64_t time)
{
    if (time)
        (void)cJSON_AddNumberToObject(object, key, (double)time);
    else
        (void)cJSON_AddNullToObject(object, key);
}

cJSON *json_array(cJSON *object, const char *key)
{
    return cJSON_AddArrayToObject(object, key);
}

void json_add(cJSON *array, const char *text)
{
    (void)cJSON_AddItemToArray(array, cJSON_CreateString(text));
}

/* The code point that well-formed UTF-8 begins with, and how many bytes it has; of anything else
 * one byte is taken for U+FFFD. */
static uint32_t read_point(const unsigned char *s, size_t *size)
{
    size_t extra = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : 1;
    uint32_t point = s[0] & (0x3fU >> extra);
    *size = 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0xfffd;
    for (size_t i = 1; i <= extra; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0xfffd;
        point = point << 6 | (s[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (point < least[extra] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0xfffd;
    *size = extra + 1;
    return point;
}

/* A copy in which all but ASCII is escaped; at most six characters for a byte. */
static char *escape_text(const char *text)
{
    char *escaped = memory_get(6 * strlen(text) + 1), *to = escaped;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t size = 1;
        uint32_t point = *s < 0x80 ? *s : read_point(s, &size);
        if (point < 0x7f)
            *to++ = (char)point;
        else if (point < 0x10000)
            to += sprintf(to, "\\u%04x", (unsigned)point);
        else
            to += sprintf(to, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (point >> 10)),
                          (unsigned)(0xdc00 + (point & 0x3ff)));
        s += size;
    }
    *to = '\0';
    return escaped;
}

char *json_format(const cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    if (text_is_plain(text, strlen(text)))
        return text;
    char *escaped = escape_text(text);
    free(text);
    return escaped;
}

void json_print(FILE *file, const cJSON *json)
{
    char *text = json_format(json);
    (void)fprintf(file, "%s\n", text);
    free(text);
}

/* The escape \u0000 in `text`, and not a backslash (written as two) before "u0000"; or NULL. */
static const char *find_nul(const char *text)
{
    while ((text = strchr(text, '\\'))) {
        if (strncmp(text, "\\u0000", 6) == 0)
            return text;
        text += text[1] ? 2 : 1;
    }
    return NULL;
}

cJSON *json_parse(const char *text)
{
    /* cJSON would end a string at a NUL. */
    return find_nul(text) ? NULL : cJSON_ParseWithOpts(text, NULL, true);
}

cJSON *json_parse_at(const char *text, size_t *column)
{
    const char *end = find_nul(text);
    cJSON *json = end ? NULL : cJSON_ParseWithOpts(text, &end, true);
    if (json)
        return json;
    *column = 1;
    for (; text < end; text++)
        *column += (*text & 0xc0) != 0x80;
    return NULL;
}

bool json_read_number(const cJSON *json, uint64_t *number)
{
    if (cJSON_IsNull(json)) {
        *number = 0;
        return true;
    }
    if (!cJSON_IsNumber(json) || !(json->valuedouble >= 0) ||
        json->valuedouble > (double)NUMBER_MAX)
        return false;
    *number = (uint64_t)json->valuedouble;
    return (double)*number == json->valuedouble;
}
