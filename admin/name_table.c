#include "admin/name_table.h"

#include <stdlib.h>
#include <string.h>

#include "admin/json.h"
#include "registry/text.h"

/* FNV-1a, of the name in lower case. */
static size_t name_hash(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ text_fold(*name)) * 0x100000001b3u;
    return (size_t)hash;
}

static bool same_folded(const char *a, const char *b)
{
    while (*a && text_fold(*a) == text_fold(*b)) {
        a++;
        b++;
    }
    return text_fold(*a) == text_fold(*b);
}

/* Where the name is, or the empty place where it belongs. */
static uint32_t *place_of(const struct name_table *table, const char *name)
{
    size_t mask = table->place_room - 1, at = name_hash(name) & mask;
    while (table->places[at] && !same_folded(table->names[table->places[at] - 1], name))
        at = (at + 1) & mask;
    return &table->places[at];
}

size_t name_table_find(const struct name_table *table, const char *name)
{
    return table->count ? (size_t)*place_of(table, name) - 1 : NAME_NONE;
}

static void grow(struct name_table *table)
{
    size_t room = table->room ? 2 * table->room : 64;
    char **names = memory_get(room * sizeof *names);
    if (table->count)
        memcpy(names, table->names, table->count * sizeof *names);
    free(table->names);
    free(table->places);
    table->names = names;
    table->room = room;
    table->place_room = 2 * room;
    table->places = memory_get(table->place_room * sizeof *table->places);
    memset(table->places, 0, table->place_room * sizeof *table->places);
    for (size_t i = 0; i < table->count; i++)
        *place_of(table, names[i]) = (uint32_t)i + 1;
}

size_t name_table_add(struct name_table *table, const char *name)
{
    size_t size = strlen(name) + 1;
    if (table->count == table->room)
        grow(table);
    char *copy = memory_get(size);
    memcpy(copy, name, size);
    *place_of(table, name) = (uint32_t)table->count + 1;
    table->names[table->count] = copy;
    return table->count++;
}

static int name_order(const void *a, const void *b, void *context)
{
    char *const *names = context;
    const char *x = names[*(const size_t *)a], *y = names[*(const size_t *)b];
    while (*x && text_fold(*x) == text_fold(*y)) {
        x++;
        y++;
    }
    return text_fold(*x) - text_fold(*y);
}

size_t *name_table_sorted(const struct name_table *table)
{
    size_t *sorted = memory_get((table->count + 1) * sizeof *sorted);
    for (size_t i = 0; i < table->count; i++)
        sorted[i] = i;
    qsort_r(sorted, table->count, sizeof *sorted, name_order, table->names);
    return sorted;
}

void name_table_clear(struct name_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->names[i]);
    free(table->names);
    free(table->places);
    *table = (struct name_table){0};
}
