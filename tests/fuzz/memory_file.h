/* memory_file.h - a file without a disk: for readers that want a descriptor or a path. */
#ifndef DEVREG_TESTS_MEMORY_FILE_H
#define DEVREG_TESTS_MEMORY_FILE_H

#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

struct memory_file {
    int fd;
    char path[40];
};

static inline void memory_file_open(struct memory_file *file)
{
    file->fd = memfd_create("fuzz", MFD_CLOEXEC);
    HOLDS(file->fd >= 0);
    (void)snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
}

/* It holds that, and is read from its beginning. */
static inline void memory_file_set(const struct memory_file *file, const void *data, size_t size)
{
    HOLDS(ftruncate(file->fd, 0) == 0);
    HOLDS(pwrite(file->fd, data, size, 0) == (ssize_t)size);
    HOLDS(lseek(file->fd, 0, SEEK_SET) == 0);
}

#endif
