#include "admin/nearest.h"

#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours that make `b` of `a` ("optimal string
 * alignment"). Both have at most NEAREST_MAX bytes. */
static size_t count_edits(const char *a, const char *b)
{
    size_t table[NEAREST_MAX + 1][NEAREST_MAX + 1], m = strlen(a), n = strlen(b);
    for (size_t i = 0; i <= m; i++)
        table[i][0] = i;
    for (size_t j = 0; j <= n; j++)
        table[0][j] = j;
    for (size_t i = 1; i <= m; i++) {
        for (size_t j = 1; j <= n; j++) {
            size_t edits = least(table[i - 1][j], table[i][j - 1]) + 1;
            edits = least(edits, table[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                edits = least(edits, table[i - 2][j - 2] + 1);
            table[i][j] = edits;
        }
    }
    return table[m][n];
}

struct nearest nearest_to(const char *word, size_t length)
{
    struct nearest nearest = {.edits = NEAREST_MAX};
    if (length <= NEAREST_MAX)
        memcpy(nearest.word, word, length);
    return nearest;
}

void nearest_offer(struct nearest *nearest, const char *known)
{
    size_t length = strlen(known);
    if (!*nearest->word || length > NEAREST_MAX)
        return;
    size_t edits = count_edits(nearest->word, known);
    if (edits < nearest->edits && edits <= length / 3) {
        nearest->edits = edits;
        nearest->found = known;
    }
}
