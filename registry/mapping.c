#include "registry/mapping.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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
