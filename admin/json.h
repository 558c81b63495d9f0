/* json.h - cJSON, with what this program needs on top.
 *
 * An object is what a verb answers; `--json` prints it, and output.h makes text of it. Without
 * memory the program ends: call json_init first, and never within a write scope anything else.
 */
#ifndef DEVREG_ADMIN_JSON_H
#define DEVREG_ADMIN_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* From now on cJSON never runs out of memory: the program says so and ends with STATUS_FAILED. */
void json_init(void);

/* malloc under the same promise; and its end. */
void *memory_get(size_t size);
_Noreturn void memory_out(void);

/* What the end is to do first, as to remove a file that is not done; NULL for nothing. */
void memory_out_first(void (*undo)(void));
/* This was made, a phrase for the end to say: what comes is only the answer. */
void memory_out_later(const char *made);

/* Append to an object. A time of 0 ("never", "not set") is null. */
void json_text(cJSON *object, const char *key, const char *text);
void json_number(cJSON *object, const char *key, uint64_t number);
void json_time(cJSON *object, const char *key, int64_t time);
cJSON *json_array(cJSON *object, const char *key);
void json_add(cJSON *array, const char *text);

/* One line without its end, which the caller frees. Text that is not plain (text.h) is written with
 * \u escapes, so that no line can move a terminal. */
char *json_format(const cJSON *json);
/* Writes that line. */
void json_print(FILE *file, const cJSON *json);

/* Reads one value and nothing after it. NULL where it is none, or holds \u0000. End with
 * cJSON_Delete. */
cJSON *json_parse(const char *text);
/* The same; where it is none, `*column` is the place from which on it is none, in characters from 1
 * on. */
cJSON *json_parse_at(const char *text, size_t *column);

/* A whole number from 0 to 2^53, or null for 0. False for anything else. */
bool json_read_number(const cJSON *json, uint64_t *number);

#endif
