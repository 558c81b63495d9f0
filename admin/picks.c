#include "admin/picks.h"

#include <stdlib.h>
#include <string.h>

#include "admin/json.h"

enum { BLOCK_SIZE = 1 << 20 };

struct pick_block {
    struct pick_block *next;
    size_t used;
    _Alignas(struct pick) uint8_t data[BLOCK_SIZE];
};

static void *block_get(struct picks *picks, size_t size)
{
    struct pick_block *block = picks->blocks;
    size = (size + _Alignof(struct pick) - 1) & ~(_Alignof(struct pick) - 1);
    if (!block || BLOCK_SIZE - block->used < size) {
        block = memory_get(sizeof *block);
        block->next = picks->blocks;
        block->used = 0;
        picks->blocks = block;
    }
    block->used += size;
    return block->data + block->used - size;
}

void picks_add(struct picks *picks, const char *id, uint64_t generation, uint64_t version,
               uint32_t credential)
{
    size_t size = strlen(id) + 1;
    struct pick *pick = block_get(picks, sizeof *pick + size);
    *pick = (struct pick){.generation = generation, .version = version, .credential = credential};
    memcpy(pick->id, id, size);
    if (picks->last)
        picks->last->next = pick;
    else
        picks->first = pick;
    picks->last = pick;
    picks->count++;
}

void picks_clear(struct picks *picks)
{
    while (picks->blocks) {
        struct pick_block *next = picks->blocks->next;
        crypto_wipe(picks->blocks->data, picks->blocks->used);
        free(picks->blocks);
        picks->blocks = next;
    }
    *picks = (struct picks){0};
}
