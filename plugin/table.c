#include "plugin/table.h"

#include <stdlib.h>

enum { FIRST_ROOM = 1024 }; /* 8 kB: most brokers never have to grow it */

static struct table_node **head_of(const struct table *table, uint64_t hash)
{
    return &table->heads[hash & (table->room - 1)];
}

static bool grow(struct table *table)
{
    struct table bigger = {.room = table->room ? table->room * 2 : FIRST_ROOM};
    bigger.heads = calloc(bigger.room, sizeof *bigger.heads); /* NOLINT: pointers are meant */
    if (!bigger.heads)
        return table->room > 0; /* longer chains do as well */
    for (size_t i = 0; i < table->room; i++) {
        for (struct table_node *node = table->heads[i], *next; node; node = next) {
            struct table_node **head = head_of(&bigger, node->hash);
            next = node->next;
            node->next = *head;
            *head = node;
        }
    }
    free(table->heads);
    table->heads = bigger.heads;
    table->room = bigger.room;
    return true;
}

bool table_add(struct table *table, struct table_node *node, uint64_t hash)
{
    if (table->count >= table->room && !grow(table))
        return false;
    struct table_node **head = head_of(table, hash);
    *node = (struct table_node){*head, hash};
    *head = node;
    table->count++;
    return true;
}

void table_remove(struct table *table, struct table_node *node)
{
    struct table_node **link = head_of(table, node->hash);
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    table->count--;
}

struct table_node *table_next(const struct table *table, const struct table_node *node)
{
    if (node && node->next)
        return node->next;
    size_t place = node ? ((size_t)node->hash & (table->room - 1)) + 1 : 0;
    for (; place < table->room; place++) {
        if (table->heads[place])
            return table->heads[place];
    }
    return NULL;
}

void table_clear(struct table *table)
{
    free(table->heads);
    *table = (struct table){0};
}

uint64_t table_hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash ^ hash >> 32;
}
