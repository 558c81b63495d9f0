#include "registry/mapping.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A line of /proc/self/maps, see proc(5): "7f00-7f10 r--s 00000000 fe:01 4711   /var/lib/..." */
static bool is_of(const char *line, const struct stat *info, uintptr_t *begin, uintptr_t *end)
{
    char modes[5];
    unsigned major_number, minor_number;
    unsigned long inode;
    /* Only what is shared and not written to is in the file as it is here. */
    return sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %x:%x %lu", begin, end, modes,
                  &major_number, &minor_number, &inode) == 6 &&
           modes[1] == '-' && modes[3] == 's' && inode == info->st_ino &&
           makedev(major_number, minor_number) == info->st_dev;
}

void mapping_forget(int file)
{
    char line[512]; /* of a longer one the rest is read as one that is no mapping */
    uintptr_t begin, end;
    struct stat info;
    FILE *maps = fstat(file, &info) == 0 ? fopen("/proc/self/maps", "re") : NULL;
    if (!maps)
        return;
    while (fgets(line, sizeof line, maps)) {
        if (is_of(line, &info, &begin, &end))
            (void)madvise((void *)begin, end - begin, MADV_DONTNEED); /* else they stay */
    }
    (void)fclose(maps); /* only read from */
}
