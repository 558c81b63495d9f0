/* hex.h - bytes as hexadecimal digits in lower case. */
#ifndef DEVREG_ADMIN_HEX_H
#define DEVREG_ADMIN_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `text` has room for 2 * size + 1. */
void hex_format(char *text, const void *data, size_t size);

/* Reads at most `max` bytes into `data`. False for an odd length, another character or too many. */
bool hex_parse(uint8_t *data, size_t max, size_t *size, const char *text);

#endif
