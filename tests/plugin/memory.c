#include "tests/plugin/memory.h"

#include <malloc.h>
#include <stdatomic.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

static atomic_size_t used;

__attribute__((weak)) bool memory_fails(void)
{
    return false;
}

size_t memory_used(void)
{
    return atomic_load(&used);
}

static void *count(void *memory)
{
    if (memory)
        atomic_fetch_add(&used, malloc_usable_size(memory));
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return memory_fails() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t items, size_t size)
{
    return memory_fails() ? NULL : count(__real_calloc(items, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (memory_fails())
        return NULL;
    size_t before = memory ? malloc_usable_size(memory) : 0;
    void *after = count(__real_realloc(memory, size));
    if (after)
        atomic_fetch_sub(&used, before);
    return after;
}

char *__wrap_strdup(const char *text)
{
    return memory_fails() ? NULL : count(__real_strdup(text));
}

void __wrap_free(void *memory)
{
    if (memory)
        atomic_fetch_sub(&used, malloc_usable_size(memory));
    __real_free(memory);
}
