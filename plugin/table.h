/* table.h - a hash table of things that carry their own link.
 *
 * Whoever puts a thing in owns it; the table only links. The hash is the caller's: keyed
 * (crypto_table_hash) where strangers choose the names, any good one where they do not.
 *
 *   for (struct table_node *n = table_find(t, hash); n; n = table_again(n))
 *       if (the thing around n is the one) ...
 */
#ifndef DEVREG_PLUGIN_TABLE_H
#define DEVREG_PLUGIN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_node {
    struct table_node *next;
    uint64_t hash;
};

/* {0} is an empty one. */
struct table {
    struct table_node **heads;
    size_t room, count;
};

/* The struct of `type` whose `member` is `node`. */
#define AROUND(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* False for want of memory: then it is not in. */
bool table_add(struct table *table, struct table_node *node, uint64_t hash);
void table_remove(struct table *table, struct table_node *node);

/* The first node with that hash, and the next one with the same; NULL for none. Here, since they
 * are on the way of every message. */
static inline struct table_node *table_with_hash(struct table_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

static inline struct table_node *table_find(const struct table *table, uint64_t hash)
{
    return table->room ? table_with_hash(table->heads[hash & (table->room - 1)], hash) : NULL;
}

static inline struct table_node *table_again(const struct table_node *node)
{
    return table_with_hash(node->next, node->hash);
}

/* Walks all nodes in no order: begin with NULL. Take the next one before `node` is removed. */
struct table_node *table_next(const struct table *table, const struct table_node *node);

/* Forgets all nodes, and frees what the table itself holds. */
void table_clear(struct table *table);

/* A hash for names that only an administrator chooses (FNV-1a, 64 bits). */
uint64_t table_hash_name(const char *name);

/* A hash for addresses. */
static inline uint64_t table_hash_pointer(const void *pointer)
{
    uint64_t hash = (uint64_t)(uintptr_t)pointer * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

#endif
