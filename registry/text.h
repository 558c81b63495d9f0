/* text.h - text that came from outside: is it sound, and how is it shown safely. */
#ifndef DEVREG_REGISTRY_TEXT_H
#define DEVREG_REGISTRY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is `text` well-formed UTF-8 (RFC 3629) without control characters (C0, DEL, C1), line and
 * paragraph separators or direction overrides, and at most `max` bytes long? "" is fine. */
bool text_is_plain(const char *text, size_t max);

/* Copies at most `max` bytes of UTF-8 into `out`, which has room for one more; no byte of a
 * character that does not fit is left at the end. */
void text_cut(char *out, size_t max, const char *text);

/* Copies at most `size` - 1 bytes of `text` to `out`, for a terminal or a log: every byte that
 * is not printable ASCII, and the backslash, becomes \xHH. What does not fit is cut and ends in
 * "...". `text` may be NULL: "-". `size` is at least 8. Returns `out`. */
char *text_escape(char *out, size_t size, const char *text);

/* Copies `from` to `to`, which has room for `max` bytes and the NUL. False, and `to` untouched,
 * where it does not fit. */
bool text_copy(char *to, size_t max, const char *from);

/* A letter from A to Z in lower case; any other byte as it is. Names that differ in nothing else
 * are twins. */
static inline uint8_t text_fold(char c)
{
    return (uint8_t)((unsigned char)(c - 'A') < 26 ? c | 0x20 : c);
}

#endif
