#include "admin/records.h"

#include <stdlib.h>
#include <string.h>

#include "admin/json.h"
#include "registry/record.h"
#include "registry/text.h"

enum { BLOCK_SIZE = 1 << 20, HEAD_SIZE = 8 };

/* Lies at a multiple of BLOCK_SIZE, and is as large, unless it holds one record that is larger: so
 * a record's block is found by its address. */
struct record_block {
    struct record_block *next, *previous;
    size_t used, size, live; /* bytes, this header's too; records that were not released */
};

static void *aligned_get(size_t size)
{
    void *memory = aligned_alloc(BLOCK_SIZE, size);
    if (!memory)
        memory_out();
    return memory;
}

static struct record_block *block_new(struct records *records, size_t least)
{
    size_t size = (least + BLOCK_SIZE - 1) & ~(size_t)(BLOCK_SIZE - 1);
    struct record_block *block = aligned_get(size);
    *block = (struct record_block){.next = records->blocks, .used = sizeof *block, .size = size};
    if (records->blocks)
        records->blocks->previous = block;
    records->blocks = block;
    return block;
}

static void block_end(struct record_block *block)
{
    crypto_wipe(block, block->used);
    free(block);
}

static void block_free(struct records *records, struct record_block *block)
{
    if (block->next)
        block->next->previous = block->previous;
    if (block->previous)
        block->previous->next = block->next;
    else
        records->blocks = block->next;
    block_end(block);
}

static struct record *record_get(struct records *records, size_t size)
{
    struct record_block *block = records->blocks;
    size = (size + _Alignof(struct record) - 1) & ~(_Alignof(struct record) - 1);
    if (!block || block->size - block->used < size)
        block = block_new(records, sizeof *block + size);
    struct record *record = (void *)((uint8_t *)block + block->used);
    block->used += size;
    block->live++;
    return record;
}

void records_release(struct records *records, const struct record *record)
{
    size_t offset = (uintptr_t)record & (BLOCK_SIZE - 1);
    struct record_block *block = (void *)((const uint8_t *)record - offset);
    if (--block->live == 0)
        block_free(records, block);
}

static void items_grow(struct records *records)
{
    if (records->count < records->room)
        return;
    records->room = records->room ? 2 * records->room : 64;
    void *items = realloc(records->items, records->room * sizeof *records->items);
    if (!items)
        memory_out();
    records->items = items;
}

/* Takes `pack` over. */
static const struct record *records_add(struct records *records, size_t line, struct pack *pack)
{
    if (pack->failed)
        memory_out();
    struct record *record = record_get(records, sizeof *record + pack->size);
    record->line = (uint32_t)line;
    record->size = (uint32_t)pack->size;
    memcpy(record->bytes, pack->data, pack->size);
    items_grow(records);
    records->items[records->count++] = (struct record_item){0, record};
    pack_free(pack);
    return record;
}

void records_add_device(struct records *records, size_t line, const struct device *device)
{
    struct pack pack = {0};
    device_encode(&pack, device);
    (void)records_add(records, line, &pack); /* nobody needs it now */
}

void records_add_role(struct records *records, size_t line, const struct role *role)
{
    struct pack pack = {0};
    role_encode(&pack, role);
    (void)records_add(records, line, &pack); /* nobody needs it now */
}

const struct record *records_add_name(struct records *records, const char *name)
{
    struct pack pack = {0};
    pack_number(&pack, 1);
    pack_text(&pack, name);
    return records_add(records, 0, &pack);
}

void records_clear(struct records *records)
{
    for (struct record_block *block = records->blocks; block;) {
        struct record_block *next = block->next;
        block_end(block);
        block = next;
    }
    free(records->items);
    *records = (struct records){0};
}

/* All kinds of record begin so. */
static struct bytes name_of(const struct record *record)
{
    struct unpack u = unpack_of((struct bytes){record->bytes, record->size});
    (void)unpack_number(&u, UINT64_MAX); /* the format */
    return unpack_blob(&u, DEVICE_ID_MAX);
}

void record_name(const struct record *record, char name[static DEVICE_ID_MAX + 1])
{
    struct bytes bytes = name_of(record);
    memcpy(name, bytes.data, bytes.size);
    name[bytes.size] = '\0';
}

static int name_order(struct bytes a, struct bytes b)
{
    for (size_t i = 0; i < a.size && i < b.size; i++) {
        int order = text_fold((char)a.data[i]) - text_fold((char)b.data[i]);
        if (order)
            return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

int record_order(const struct record *a, const struct record *b)
{
    return name_order(name_of(a), name_of(b));
}

int record_name_order(const struct record *record, const char *name)
{
    return name_order(name_of(record), (struct bytes){(const uint8_t *)name, strlen(name)});
}

static int item_order(const void *a, const void *b)
{
    const struct record_item *x = a, *y = b;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    int order = record_order(x->record, y->record);
    return order ? order
                 : (x->record->line > y->record->line) - (x->record->line < y->record->line);
}

/* How many bytes all names have in common: "pump-0". */
static size_t common_size(const struct records *records)
{
    struct bytes first = name_of(records->items[0].record);
    size_t common = first.size;
    for (size_t item = 1; item < records->count; item++) {
        struct bytes name = name_of(records->items[item].record);
        size_t i = 0;
        while (i < common && i < name.size &&
               text_fold((char)name.data[i]) == text_fold((char)first.data[i]))
            i++;
        common = i;
    }
    return common;
}

/* The bytes behind those, as a number that orders as they do: then few comparisons have to look at
 * the records, which lie all over the memory. */
static uint64_t head_of(const struct record *record, size_t common)
{
    struct bytes name = name_of(record);
    uint64_t head = 0;
    for (size_t i = common; i < common + HEAD_SIZE; i++)
        head = head << 8 | (i < name.size ? (uint8_t)text_fold((char)name.data[i]) : 0);
    return head;
}

void records_sort(struct records *records)
{
    if (!records->count)
        return;
    size_t common = common_size(records);
    for (size_t i = 0; i < records->count; i++)
        records->items[i].head = head_of(records->items[i].record, common);
    qsort(records->items, records->count, sizeof *records->items, item_order);
}

static int find_order(const void *name, const void *item)
{
    return -record_name_order(((const struct record_item *)item)->record, name);
}

const struct record *records_find(const struct records *records, const char *name)
{
    const struct record_item *found = NULL;
    if (records->count)
        found = bsearch(name, records->items, records->count, sizeof *records->items, find_order);
    return found ? found->record : NULL;
}

enum err record_device(const struct record *record, struct device *device)
{
    return device_decode(device, (struct bytes){record->bytes, record->size});
}

enum err record_role(const struct record *record, struct role *role)
{
    return role_decode(role, (struct bytes){record->bytes, record->size});
}
