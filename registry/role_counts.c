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

/* Where the role stands, or would stand. */
static size_t place_of(const struct role_counts *counts, const char *role)
{
    size_t low = 0, high = counts->used;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(counts->list[middle].role, role) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct role_count *role_counts_find(const struct role_counts *counts, const char *role)
{
    size_t at = place_of(counts, role);
    bool found = at < counts->used && strcmp(counts->list[at].role, role) == 0;
    return found ? &counts->list[at] : NULL;
}

struct role_count *role_counts_insert(struct role_counts *counts, const char *role)
{
    size_t at = place_of(counts, role);
    if (counts->used == counts->room) {
        size_t room = 2 * counts->room + 8;
        struct role_count *list = realloc(counts->list, room * sizeof *list);
        if (!list)
            return NULL;
        counts->list = list;
        counts->room = room;
    }
    memmove(counts->list + at + 1, counts->list + at, (counts->used - at) * sizeof *counts->list);
    counts->used++;
    counts->list[at].count = 0;
    (void)text_copy(counts->list[at].role, ROLE_NAME_MAX, role); /* a role's name fits */
    return &counts->list[at];
}

enum err role_counts_add(struct role_counts *counts, const struct device *device)
{
    char folded[ROLE_NAME_MAX + 1] = "";
    for (size_t i = 0; i < device->role_count; i++) {
        fold(folded, device->roles[i]);
        struct role_count *role = role_counts_find(counts, folded);
        if (!role)
            role = role_counts_insert(counts, folded);
        if (!role)
            return ERR_NO_MEMORY;
        role->count++;
    }
    return ERR_OK;
}

uint64_t role_counts_get(const struct role_counts *counts, const char *role)
{
    char folded[ROLE_NAME_MAX + 1] = "";
    fold(folded, role);
    const struct role_count *found = role_counts_find(counts, folded);
    return found ? (uint64_t)found->count : 0;
}

void role_counts_clear(struct role_counts *counts)
{
    free(counts->list);
    *counts = (struct role_counts){0};
}
