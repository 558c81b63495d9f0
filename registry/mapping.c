#include "registry/mapping.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A number, and the character behind it, stepped over. */
static bool take_number(const char **at, int base, char after, uintmax_t *number)
{
    char *end;
    errno = 0;
    *number = strtoumax(*at, &end, base);
    bool taken = end != *at && *end == after && !errno;
    *at = taken ? end + 1 : *at;
    return taken;
}

/* A mapping of the file, such that only what is in the file can be seen there: shared, and not
 * written to. A line of /proc/self/maps, see proc(5): "7f00-7f10 r--s 00000000 fe:01 4711
 * /var/lib/..." */
static bool is_of(const char *line, const struct stat *info, uintmax_t *begin, uintmax_t *end)
{
    enum { MODES = 5 }; /* "r--s " */
    uintmax_t offset, major_number, minor_number, inode;
    const char *at = line;
    if (!take_number(&at, 16, '-', begin) || !take_number(&at, 16, ' ', end) ||
        strnlen(at, MODES) < MODES || at[1] != '-' || at[3] != 's')
        return false;
    at += MODES;
    return take_number(&at, 16, ' ', &offset) && take_number(&at, 16, ':', &major_number) &&
           take_number(&at, 16, ' ', &minor_number) && take_number(&at, 10, ' ', &inode) &&
           inode == info->st_ino &&
           makedev((unsigned)major_number, (unsigned)minor_number) == info->st_dev;
}

void mapping_forget(int file)
{
    char line[512]; /* of a longer one the rest is read as one that is no mapping */
    uintmax_t begin, end;
    struct stat info;
    FILE *maps = fstat(file, &info) == 0 ? fopen("/proc/self/maps", "re") : NULL;
    if (!maps)
        return;
    while (fgets(line, sizeof line, maps)) {
        if (!is_of(line, &info, &begin, &end))
            continue;
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): so the kernel tells it */
        void *pages = (void *)(uintptr_t)begin;
        (void)madvise(pages, (size_t)(end - begin), MADV_DONTNEED); /* else they stay */
    }
    (void)fclose(maps); /* only read from */
}

/* Where the mapping of the open file begins; NULL for none. */
static char *mapping_find(int file)
{
    char line[512];
    uintmax_t begin = 0, end;
    struct stat info;
    FILE *maps = fstat(file, &info) == 0 ? fopen("/proc/self/maps", "re") : NULL;
    bool found = false;
    if (!maps)
        return NULL;
    while (!found && fgets(line, sizeof line, maps))
        found = is_of(line, &info, &begin, &end);
    (void)fclose(maps); /* only read from */
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): so the kernel tells it */
    return found ? (char *)(uintptr_t)begin : NULL;
}

/* The file's last page is there as a whole: it ends with zeros. */
static bool remap(int file, size_t from, size_t to, int flags, int source)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *begin = mapping_find(file);
    from = (from + page - 1) / page * page;
    if (!begin || from >= to)
        return begin != NULL;
    off_t offset = source < 0 ? 0 : (off_t)from;
    return mmap(begin + from, to - from, PROT_READ, flags | MAP_FIXED, source, offset) !=
           MAP_FAILED;
}

bool mapping_cover(int file, size_t from, size_t to)
{
    return remap(file, from, to, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

bool mapping_uncover(int file, size_t from, size_t to)
{
    return remap(file, from, to, MAP_SHARED, file);
}
