#include "registry/mapping.h"

#include <errno.h>
#include <inttypes.h>
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

/* A line of /proc/self/maps, see proc(5): "7f00-7f10 r--s 00000000 fe:01 4711 /var/lib/..." */
struct mapping {
    uintptr_t begin, end;
    bool written, shared;
    dev_t device;
    ino_t inode;
};

static bool mapping_parse(struct mapping *mapping, const char *line)
{
    enum { MODES = 5 }; /* "r--s " */
    uintmax_t begin, end, offset, major_number, minor_number, inode;
    const char *at = line;
    if (!take_number(&at, 16, '-', &begin) || !take_number(&at, 16, ' ', &end) ||
        strnlen(at, MODES) < MODES)
        return false;
    const bool written = at[1] != '-', shared = at[3] == 's';
    at += MODES;
    if (!take_number(&at, 16, ' ', &offset) || !take_number(&at, 16, ':', &major_number) ||
        !take_number(&at, 16, ' ', &minor_number) || !take_number(&at, 10, ' ', &inode))
        return false;
    *mapping = (struct mapping){.begin = (uintptr_t)begin,
                                .end = (uintptr_t)end,
                                .written = written,
                                .shared = shared,
                                .device = makedev((unsigned)major_number, (unsigned)minor_number),
                                .inode = (ino_t)inode};
    return true;
}

/* The next one; of a line that is too long the rest is read as one that is no mapping. False at the
 * end. */
static bool mapping_next(FILE *maps, struct mapping *mapping)
{
    char line[512];
    bool parsed = false;
    while (!parsed && fgets(line, sizeof line, maps))
        parsed = mapping_parse(mapping, line);
    return parsed;
}

static FILE *maps_open(void)
{
    return fopen("/proc/self/maps", "re");
}

/* Only what is in the file can be seen there: shared, and not written to. */
void mapping_forget(int file)
{
    struct mapping mapping;
    struct stat info;
    FILE *maps = fstat(file, &info) == 0 ? maps_open() : NULL;
    if (!maps)
        return;
    while (mapping_next(maps, &mapping)) {
        if (!mapping.shared || mapping.written || mapping.inode != info.st_ino ||
            mapping.device != info.st_dev)
            continue;
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): so the kernel tells it */
        void *pages = (void *)mapping.begin;
        (void)madvise(pages, mapping.end - mapping.begin, MADV_DONTNEED); /* else they stay */
    }
    (void)fclose(maps); /* only read from */
}

static bool find(struct mapping *found, const void *address, dev_t device, ino_t inode)
{
    const uintptr_t at = (uintptr_t)address;
    bool is_it = false;
    FILE *maps = maps_open();
    while (maps && !is_it && mapping_next(maps, found))
        is_it = address ? at >= found->begin && at < found->end
                        : found->shared && found->device == device && found->inode == inode;
    if (maps)
        (void)fclose(maps); /* only read from */
    return is_it;
}

bool mapping_around(const void *address, uintptr_t *begin, uintptr_t *end)
{
    struct mapping found;
    if (!find(&found, address, 0, 0))
        return false;
    *begin = found.begin;
    *end = found.end;
    return true;
}

bool mapping_of(dev_t device, ino_t inode, uintptr_t *begin, uintptr_t *end)
{
    struct mapping found;
    if (!find(&found, NULL, device, inode))
        return false;
    *begin = found.begin;
    *end = found.end;
    return true;
}

/* Where the mapping of the open file begins; NULL for none. */
static char *mapping_find(int file)
{
    struct stat info;
    uintptr_t begin, end;
    if (fstat(file, &info) != 0 || !mapping_of(info.st_dev, info.st_ino, &begin, &end))
        return NULL;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): so the kernel tells it */
    return (char *)begin;
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
