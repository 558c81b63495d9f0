/* json_text.h - a flat JSON object, written from left to right into the caller's buffer.
 *
 * In place of cJSON, which makes 50,000 instructions of a presence message: each number is printed
 * and read back. A CONNECT as a whole costs half of that.
 */
#ifndef DEVREG_PLUGIN_JSON_TEXT_H
#define DEVREG_PLUGIN_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_text {
    char *text;
    size_t size, room; /* of the bytes so far; of the buffer */
    bool failed;       /* it did not fit: what follows does nothing */
};

/* Begins an object in `buffer` of `room` bytes, with what is always its first member: {"v":1 */
struct json_text json_begin(char *buffer, size_t room, uint64_t version);

/* Each adds one member. `name` is a literal that needs no escaping; `value` is UTF-8 and is escaped
 * (RFC 8259, section 7). */
#define JSON_NAME(name) ",\"" name "\":"
#define json_add_text(json, name, value)                                                           \
    json_put_text(json, JSON_NAME(name), sizeof JSON_NAME(name) - 1, value)
#define json_add_number(json, name, value)                                                         \
    json_put_number(json, JSON_NAME(name), sizeof JSON_NAME(name) - 1, value)

/* For a value that has nothing to escape: a word of devreg's own, a device id. */
#define json_add_word(json, name, value)                                                           \
    json_put_word(json, JSON_NAME(name), sizeof JSON_NAME(name) - 1, value)

void json_put_word(struct json_text *json, const char *name, size_t size, const char *value);
void json_put_text(struct json_text *json, const char *name, size_t size, const char *value);
void json_put_number(struct json_text *json, const char *name, size_t size, uint64_t value);

/* Ends the object. Returns its length in bytes, without a NUL; 0 where it did not fit. */
size_t json_end(struct json_text *json);

#endif
