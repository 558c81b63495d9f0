/* The countdown, memory, the random source and the clock. */
#include "tests/fault/fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "tests/fault/fault_internal.h"

enum { NOON = 1800000000 };

static struct fault_report own_report;
struct fault_report *fault_report = &own_report;

static struct fault_plan plan;
static atomic_ulong calls;
static atomic_long pieces;
static uint64_t draws;
static bool same;

void fault_begin(struct fault_plan wanted)
{
    memset(fault_report, 0, sizeof *fault_report);
    atomic_store(&calls, 0);
    draws = 0;
    plan = wanted;
}

void fault_end(void)
{
    fault_report->calls = atomic_load(&calls);
    plan.kind = FAULT_NONE;
}

void fault_make_same(void)
{
    same = true;
}

long fault_pieces(void)
{
    return atomic_load(&pieces);
}

/* AddressSanitizer asks where a stack ends before a jump or an exit, and gives up if that fails. */
EXPORT int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
    FIND_REAL(pthread_getattr_np);
    const struct fault_plan kept = plan;
    plan.kind = FAULT_NONE;
    int code = real_pthread_getattr_np(thread, attributes);
    plan = kept;
    return code;
}

/* The look-up may ask for memory itself, before it is known who gives any. */
static _Alignas(max_align_t) char first_memory[1 << 16];
static size_t first_used;
static _Thread_local bool finding; /* others go on meanwhile */

static void *first_get(size_t size)
{
    void *memory = first_memory + first_used;
    first_used += (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (first_used > sizeof first_memory)
        abort();
    return memory;
}

static bool is_first(const void *memory)
{
    return (const char *)memory >= first_memory &&
           (const char *)memory < first_memory + sizeof first_memory;
}

void fault_find(void *function, const char *name)
{
    void *found;
    memcpy(&found, function, sizeof found);
    if (found)
        return;
    const bool outer = finding;
    finding = true;
    found = dlsym(RTLD_NEXT, name);
    finding = outer;
    if (!found)
        abort();
    memcpy(function, &found, sizeof found);
}

static int code_of(enum fault kind)
{
    return kind == FAULT_MEMORY ? ENOMEM : kind == FAULT_DISK ? ENOSPC : EIO;
}

bool fault_hits(enum fault kind, const char *name)
{
    if (plan.kind != kind)
        return false;
    unsigned long number = atomic_fetch_add(&calls, 1) + 1;
    bool hits = plan.n && (plan.lasts ? number >= plan.n : number == plan.n);
    if (hits) {
        strncpy(fault_report->name, name, sizeof fault_report->name - 1);
        fault_report->failed++;
        errno = code_of(kind);
    }
    fault_report->calls = number;
    return hits;
}

static void *counted(void *memory)
{
    if (memory)
        atomic_fetch_add(&pieces, 1);
    return memory;
}

EXPORT void *malloc(size_t size)
{
    if (finding)
        return first_get(size);
    FIND_REAL(malloc);
    return fault_hits(FAULT_MEMORY, "malloc") ? NULL : counted(real_malloc(size));
}

EXPORT void *calloc(size_t count, size_t size)
{
    if (finding)
        return first_get(count * size); /* zeros: nothing is used twice */
    FIND_REAL(calloc);
    return fault_hits(FAULT_MEMORY, "calloc") ? NULL : counted(real_calloc(count, size));
}

EXPORT void *realloc(void *memory, size_t size)
{
    FIND_REAL(realloc);
    if (fault_hits(FAULT_MEMORY, "realloc"))
        return NULL;
    void *grown = real_realloc(memory, size);
    return memory ? grown : counted(grown);
}

EXPORT int posix_memalign(void **memory, size_t alignment, size_t size)
{
    FIND_REAL(posix_memalign);
    if (fault_hits(FAULT_MEMORY, "posix_memalign"))
        return ENOMEM;
    int code = real_posix_memalign(memory, alignment, size);
    if (!code)
        (void)counted(*memory);
    return code;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    FIND_REAL(aligned_alloc);
    if (fault_hits(FAULT_MEMORY, "aligned_alloc"))
        return NULL;
    return counted(real_aligned_alloc(alignment, size));
}

EXPORT void free(void *memory)
{
    if (finding || is_first(memory)) /* what a look-up frees is its own */
        return;
    FIND_REAL(free);
    if (memory)
        atomic_fetch_sub(&pieces, 1);
    real_free(memory);
}

/* SplitMix64, as tests/support/rng.h. */
static uint8_t draw(void)
{
    uint64_t z = draws += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint8_t)(z ^ z >> 31);
}

static bool is_sodium(const void *caller)
{
    Dl_info info;
    return dladdr(caller, &info) && strstr(info.dli_fname, "sodium");
}

EXPORT ssize_t getrandom(void *data, size_t size, unsigned flags)
{
    FIND_REAL(getrandom);
    if (!is_sodium(__builtin_return_address(0)) && fault_hits(FAULT_RANDOM, "getrandom"))
        return -1;
    if (!same)
        return real_getrandom(data, size, flags);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)data)[i] = draw();
    return (ssize_t)size;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *now)
{
    FIND_REAL(clock_gettime);
    if (!same || clock != CLOCK_REALTIME)
        return real_clock_gettime(clock, now);
    *now = (struct timespec){.tv_sec = NOON};
    return 0;
}
