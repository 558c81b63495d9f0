#include "registry/role_counts.h"

#include <stdlib.h>
#include <string.h>

#include "registry/text.h"

static void fold(char folded[static ROLE_NAME_MAX + 1], const char *role)
{
    size_t length = 0;
    for (; length < ROLE_NAME_MAX && role[length]; length++)
        folded[length] = (char)text_fold(role[length]);
    folded[length] = '\0';
}

/* The place of the first name that is not below `folded`. */
static size_t find(const struct role_counts *counts, const char *folded)
{
    size_t from = 0, to = counts->used;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(counts->list[middle].role, folded) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool is_at(const struct role_counts *counts, size_t at, const char *folded)
{
    return at < counts->used && strcmp(counts->list[at].role, folded) == 0;
}

static bool insert(struct role_counts *counts, size_t at, const char *folded)
{
    if (counts->used == counts->room) {
        size_t room = counts->room ? 2 * counts->room : 16;
        struct role_count *list = realloc(counts->list, room * sizeof *list);
        if (!list)
            return false;
        counts->list = list;
        counts->room = room;
    }
    memmove(counts->list + at + 1, counts->list + at, (counts->used - at) * sizeof *counts->list);
    counts->list[at].count = 0;
    memcpy(counts->list[at].role, folded, ROLE_NAME_MAX + 1);
    counts->used++;
    return true;
}

enum err role_counts_add(struct role_counts *counts, const struct device *device)
{
    char folded[ROLE_NAME_MAX + 1] = "";
    for (size_t i = 0; i < device->role_count; i++) {
        fold(folded, device->roles[i]);
        size_t at = find(counts, folded);
        if (!is_at(counts, at, folded) && !insert(counts, at, folded))
            return ERR_NO_MEMORY;
        counts->list[at].count++;
    }
    return ERR_OK;
}

uint64_t role_counts_get(const struct role_counts *counts, const char *role)
{
    char folded[ROLE_NAME_MAX + 1] = "";
    fold(folded, role);
    size_t at = find(counts, folded);
    return is_at(counts, at, folded) ? counts->list[at].count : 0;
}

void role_counts_clear(struct role_counts *counts)
{
    free(counts->list);
    *counts = (struct role_counts){0};
}
