#include "admin/batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/json.h"
#include "registry/record.h"
#include "registry/text.h"

enum { BLOCK_SIZE = 1 << 20, HEAD_SIZE = 8 };

struct batch_block {
    struct batch_block *next;
    size_t used, room;
    _Alignas(max_align_t) uint8_t data[];
};

void batch_init(struct batch *batch, const struct call *call, const char *path, size_t reject_limit)
{
    *batch = (struct batch){
        .path = path, .registry = call->registry, .now = call->now, .reject_limit = reject_limit};
    device_init(&batch->model, "model");
}

void batch_clear(struct batch *batch)
{
    while (batch->blocks) {
        struct batch_block *next = batch->blocks->next;
        crypto_wipe(batch->blocks->data, batch->blocks->used);
        free(batch->blocks);
        batch->blocks = next;
    }
    for (size_t i = 0; i < batch->reject_kept; i++)
        free(batch->rejects[i].reason);
    free(batch->rejects);
    free(batch->sorted);
    free(batch->roles);
    pack_free(&batch->pack);
    device_clear(&batch->model);
}

/* An array that is full gets twice the room. Nothing secret is in one. */
static void *grow(void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? 2 * *room : 64;
    void *grown = realloc(items, *room * size);
    if (!grown)
        memory_out();
    return grown;
}

static void *block_get(struct batch *batch, size_t size)
{
    struct batch_block *block = batch->blocks;
    size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (!block || block->room - block->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        block = memory_get(sizeof *block + room);
        *block = (struct batch_block){.next = batch->blocks, .room = room};
        batch->blocks = block;
    }
    block->used += size;
    return block->data + block->used - size;
}

void batch_begin_device(const struct batch *batch, struct device *device, const char *id)
{
    const struct device *model = &batch->model;
    device_init(device, id);
    memcpy(device->note, model->note, strlen(model->note) + 1);
    memcpy(device->client_id, model->client_id, strlen(model->client_id) + 1);
    device->expires = model->expires;
    device->attribute_count = model->attribute_count;
    memcpy(device->attributes, model->attributes,
           model->attribute_count * sizeof *model->attributes);
}

void batch_default_roles(const struct batch *batch, struct device *device)
{
    device->role_count = batch->model.role_count;
    memcpy(device->roles, batch->model.roles, device->role_count * sizeof *device->roles);
}

/* The larger line of those that are kept makes room, so that the first ones are told. */
static struct batch_reject *reject_place(struct batch *batch, size_t line)
{
    if (batch->reject_kept < batch->reject_limit) {
        batch->rejects =
            grow(batch->rejects, batch->reject_kept, &batch->reject_room, sizeof *batch->rejects);
        batch->rejects[batch->reject_kept].reason = NULL;
        return &batch->rejects[batch->reject_kept++];
    }
    struct batch_reject *last = &batch->rejects[0];
    for (size_t i = 1; i < batch->reject_kept; i++) {
        if (batch->rejects[i].line > last->line)
            last = &batch->rejects[i];
    }
    return line < last->line ? last : NULL;
}

void batch_refuse(struct batch *batch, size_t line, enum status status, const char *format, ...)
{
    char reason[BATCH_REASON_MAX + 1];
    va_list values;
    batch->reject_count++;
    batch->refused++;
    if (batch->reject_status != STATUS_MISUSE)
        batch->reject_status = status;
    struct batch_reject *reject = reject_place(batch, line);
    if (!reject)
        return;
    va_start(values, format);
    vsnprintf(reason, sizeof reason, format, values);
    va_end(values);
    key_hide(reason); /* a key may stand in any cell of a file */
    size_t size = strlen(reason) + 1;
    char *copy = memory_get(size);
    memcpy(copy, reason, size);
    free(reject->reason);
    *reject = (struct batch_reject){line, copy};
}

void batch_refuse_row(struct batch *batch, const struct csv *csv, size_t line, const char *reason)
{
    if (csv->row_last <= csv->row_line) {
        batch_refuse(batch, line, STATUS_MISUSE, "%s", reason);
        return;
    }
    batch_refuse(batch, csv->long_quote, STATUS_MISUSE, "%s; lines %zu to %zu are not read%s",
                 reason, csv->row_line, csv->row_last,
                 csv->unclosed ? "" : ": a quote that opens here makes one row of them");
    batch->refused += csv->row_last - csv->row_line;
}

static int reject_order(const void *a, const void *b)
{
    const struct batch_reject *x = a, *y = b;
    return (x->line > y->line) - (x->line < y->line);
}

void batch_tell_refused(struct batch *batch)
{
    if (batch->reject_kept)
        qsort(batch->rejects, batch->reject_kept, sizeof *batch->rejects, reject_order);
    for (size_t i = 0; i < batch->reject_kept; i++) {
        const struct batch_reject *reject = &batch->rejects[i];
        if (batch->path)
            tell("devreg: " SHOWN ":%zu: %s", batch->path, reject->line, reject->reason);
        else
            tell("devreg: %s", reject->reason);
    }
    size_t more = batch->reject_count - batch->reject_kept;
    if (more)
        tell("devreg: and %zu more", more);
}

static enum err role_ask(struct batch *batch, const char *name)
{
    struct role role;
    enum err e = registry_read(batch->registry);
    if (e)
        return e;
    e = registry_get_role(batch->registry, name, &role);
    registry_end(batch->registry);
    if (!e)
        role_clear(&role);
    return e;
}

static void role_remember(struct batch *batch, size_t at, const char *name)
{
    batch->roles = grow(batch->roles, batch->role_count, &batch->role_room, sizeof *batch->roles);
    memmove(batch->roles[at + 1], batch->roles[at],
            (batch->role_count - at) * sizeof *batch->roles);
    batch->role_count++;
    (void)text_copy(batch->roles[at], ROLE_NAME_MAX, name); /* a role's name fits */
}

/* Is the role there? Those that are, are remembered. */
static enum err role_known(struct batch *batch, const char *name)
{
    size_t low = 0, high = batch->role_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(batch->roles[middle], name);
        if (order == 0)
            return ERR_OK;
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    enum err e = role_ask(batch, name);
    if (!e)
        role_remember(batch, low, name);
    return e;
}

static bool roles_known(struct batch *batch, const struct device *device, size_t line)
{
    for (size_t i = 0; i < device->role_count; i++) {
        enum err e = role_known(batch, device->roles[i]);
        if (e == ERR_NOT_FOUND)
            batch_refuse(batch, line, STATUS_NO,
                         "%s: there is no role @%s; make it with 'devreg role add %s'", device->id,
                         device->roles[i], device->roles[i]);
        else if (e && !batch->error)
            batch->error = e;
        if (e)
            return false;
    }
    return true;
}

const char *place_of_key(const struct device *device)
{
    if (key_is_within(device->id))
        return "its id";
    if (key_is_within(device->note))
        return "its note";
    if (key_is_within(device->reason))
        return "its reason";
    if (key_is_within(device->client_id))
        return "its client id";
    for (size_t i = 0; i < device->attribute_count; i++) {
        if (key_is_within(device->attributes[i].value))
            return "an attribute";
    }
    return NULL;
}

static bool holds_no_key(struct batch *batch, const struct device *device, size_t line)
{
    const char *place = place_of_key(device);
    if (place)
        batch_refuse(batch, line, STATUS_MISUSE,
                     "%s: %s holds a key, which anybody could read there; take it out", device->id,
                     place);
    return !place;
}

void batch_add(struct batch *batch, const struct device *device, size_t line)
{
    struct pack *pack = &batch->pack;
    if (!holds_no_key(batch, device, line) || !roles_known(batch, device, line))
        return;
    pack->size = 0;
    device_encode(pack, device);
    if (pack->failed)
        memory_out();
    struct batch_entry *entry = block_get(batch, sizeof *entry + pack->size);
    *entry = (struct batch_entry){.line = (uint32_t)line, .size = (uint32_t)pack->size};
    memcpy(entry->record, pack->data, pack->size);
    if (batch->last)
        batch->last->next = entry;
    else
        batch->first = entry;
    batch->last = entry;
    batch->count++;
}

/* The id within a record. */
static struct bytes entry_id(const struct batch_entry *entry)
{
    struct unpack u = unpack_of((struct bytes){entry->record, entry->size});
    (void)unpack_number(&u, UINT64_MAX); /* the format */
    return unpack_blob(&u, DEVICE_ID_MAX);
}

void batch_id(const struct batch_entry *entry, char id[static DEVICE_ID_MAX + 1])
{
    struct bytes bytes = entry_id(entry);
    memcpy(id, bytes.data, bytes.size);
    id[bytes.size] = '\0';
}

static int id_order(const struct batch_entry *a, const struct batch_entry *b)
{
    struct bytes x = entry_id(a), y = entry_id(b);
    for (size_t i = 0; i < x.size && i < y.size; i++) {
        int order = text_fold((char)x.data[i]) - text_fold((char)y.data[i]);
        if (order)
            return order;
    }
    return (x.size > y.size) - (x.size < y.size);
}

static int item_order(const void *a, const void *b)
{
    const struct batch_item *x = a, *y = b;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    int order = id_order(x->entry, y->entry);
    return order ? order : (x->entry->line > y->entry->line) - (x->entry->line < y->entry->line);
}

/* How many bytes all ids have in common: "pump-0". */
static size_t common_size(const struct batch *batch)
{
    struct bytes first = entry_id(batch->first);
    size_t common = first.size;
    for (const struct batch_entry *entry = batch->first; entry; entry = entry->next) {
        struct bytes id = entry_id(entry);
        size_t i = 0;
        while (i < common && i < id.size &&
               text_fold((char)id.data[i]) == text_fold((char)first.data[i]))
            i++;
        common = i;
    }
    return common;
}

/* The bytes behind those, as a number that orders as they do: then few comparisons have to look at
 * the entries, which lie all over the memory. */
static uint64_t head_of(const struct batch_entry *entry, size_t common)
{
    struct bytes id = entry_id(entry);
    uint64_t head = 0;
    for (size_t i = common; i < common + HEAD_SIZE; i++)
        head = head << 8 | (i < id.size ? text_fold((char)id.data[i]) : 0);
    return head;
}

static void refuse_entry(struct batch *batch, struct batch_entry *entry)
{
    entry->refused = true;
    batch->count--;
}

static void refuse_twins(struct batch *batch)
{
    char id[DEVICE_ID_MAX + 1], other[DEVICE_ID_MAX + 1];
    const struct batch_entry *before = NULL;
    for (size_t i = 0; i < batch->sorted_count; i++) {
        struct batch_entry *entry = batch->sorted[i].entry;
        if (!before || id_order(before, entry) != 0) {
            before = entry;
            continue;
        }
        batch_id(entry, id);
        batch_id(before, other);
        refuse_entry(batch, entry);
        if (strcmp(id, other) == 0)
            batch_refuse(batch, entry->line, STATUS_MISUSE, "%s: line %u has it already", id,
                         (unsigned)before->line);
        else
            batch_refuse(batch, entry->line, STATUS_MISUSE,
                         "%s: it differs only in case from %s in line %u", id, other,
                         (unsigned)before->line);
    }
}

void batch_sort(struct batch *batch)
{
    if (!batch->first)
        return;
    size_t common = common_size(batch), at = 0;
    batch->sorted_count = batch->count;
    batch->sorted = memory_get(batch->sorted_count * sizeof *batch->sorted);
    for (struct batch_entry *entry = batch->first; entry; entry = entry->next)
        batch->sorted[at++] = (struct batch_item){head_of(entry, common), entry};
    qsort(batch->sorted, batch->sorted_count, sizeof *batch->sorted, item_order);
    refuse_twins(batch);
}

static void refuse_known(struct batch *batch, struct batch_entry *entry, const char *id,
                         const char *twin)
{
    refuse_entry(batch, entry);
    if (strcmp(id, twin) == 0)
        batch_refuse(batch, entry->line, STATUS_NO, "%s: it is there already", id);
    else
        batch_refuse(batch, entry->line, STATUS_NO,
                     "%s: it differs only in case from %s, which is "
                     "there already",
                     id, twin);
}

enum err batch_compare(struct batch *batch)
{
    char id[DEVICE_ID_MAX + 1], twin[DEVICE_ID_MAX + 1];
    enum err e = registry_read(batch->registry);
    for (size_t i = 0; i < batch->sorted_count && !e; i++) {
        struct batch_entry *entry = batch->sorted[i].entry;
        if (entry->refused)
            continue;
        batch_id(entry, id);
        e = registry_find_twin(batch->registry, id, twin);
        if (!e)
            refuse_known(batch, entry, id, twin);
        if (e == ERR_DAMAGED) {
            refuse_entry(batch, entry);
            batch_refuse(batch, entry->line, STATUS_NO,
                         "%s: it is there already, and damaged; see 'devreg check'", id);
        }
        e = e == ERR_NOT_FOUND || e == ERR_DAMAGED ? ERR_OK : e;
    }
    registry_end(batch->registry);
    return e;
}
