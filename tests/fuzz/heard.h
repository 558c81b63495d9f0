/* heard.h - what a reader of files says on stderr: printable lines, whatever is in the file, and no
 * key. */
#ifndef DEVREG_TESTS_HEARD_H
#define DEVREG_TESTS_HEARD_H

#include "registry/key.h"
#include "tests/fuzz/fuzz.h"

struct heard {
    char *text;
    size_t size;
    FILE *before;
};

/* What goes to the descriptor, as a sanitizer's finding, is still seen. */
static inline void heard_begin(struct heard *heard)
{
    heard->text = NULL;
    heard->before = stderr;
    FILE *file = open_memstream(&heard->text, &heard->size);
    HOLDS(file);
    stderr = file;
}

/* How many lines were said. */
static inline size_t heard_end(struct heard *heard)
{
    size_t lines = 0;
    FILE *file = stderr;
    stderr = heard->before;
    HOLDS(fclose(file) == 0);
    for (size_t i = 0; i < heard->size; i++) {
        char c = heard->text[i];
        HOLDS(c == '\n' || (c >= 0x20 && c <= 0x7e));
        lines += c == '\n';
    }
    HOLDS(!key_is_within(heard->text));
    free(heard->text);
    return lines;
}

#endif
