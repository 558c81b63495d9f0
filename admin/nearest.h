/* nearest.h - which known word did a mistyped one mean? */
#ifndef DEVREG_ADMIN_NEAREST_H
#define DEVREG_ADMIN_NEAREST_H

#include <stddef.h>

enum { NEAREST_MAX = 31 };

struct nearest {
    char word[NEAREST_MAX + 1];
    size_t edits;      /* that `found` is away */
    const char *found; /* the best so far, lent; NULL while nothing is near */
};

/* Looks for what the first `length` bytes of `word` may mean. */
struct nearest nearest_to(const char *word, size_t length);

/* A known word is offered: the nearest one stays, if it is within a third of its length. */
void nearest_offer(struct nearest *nearest, const char *known);

#endif
