#include "files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "registry/crypto.h"
#include "tests/support/newer_store.h"

uint8_t *file_load(const char *path, size_t *size)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd >= 0);
    check(fstat(fd, &info) == 0);
    *size = (size_t)info.st_size;
    uint8_t *bytes = malloc(*size + 1);
    check(bytes != NULL);
    check(read(fd, bytes, *size) == info.st_size);
    check(close(fd) == 0);
    return bytes;
}

void file_store(const char *path, uint8_t *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    check(fd >= 0);
    check(write(fd, bytes, size) == (ssize_t)size);
    check(close(fd) == 0);
    free(bytes);
}

const char *damage_name(enum damage damage)
{
    static const char *const names[] = {
        "cut to nothing", "cut to a byte", "cut to a page", "cut before its root",
        "zeroed",         "noise",         "no metas"};
    return names[damage];
}

enum { PAGE = 4096, LMDB_MAGIC_AT = 16, LMDB_ROOT_AT = 128, LMDB_COMMIT_AT = 144 };

/* The number of the page where the latest commit's records begin, which cannot be a free one. */
static size_t root_of(const uint8_t *bytes)
{
    uint64_t root[2], commit[2];
    for (size_t i = 0; i < 2; i++) {
        memcpy(&root[i], bytes + i * PAGE + LMDB_ROOT_AT, sizeof root[i]);
        memcpy(&commit[i], bytes + i * PAGE + LMDB_COMMIT_AT, sizeof commit[i]);
    }
    return (size_t)root[commit[1] > commit[0]];
}

void file_damage(const char *path, enum damage damage)
{
    size_t size;
    uint8_t *bytes = file_load(path, &size);
    check(size >= 3UL * PAGE);
    switch (damage) {
    case CUT_TO_NOTHING:
        size = 0;
        break;
    case CUT_TO_A_BYTE:
        size = 1;
        break;
    case CUT_TO_A_PAGE:
        size = PAGE;
        break;
    case CUT_ITS_ROOT_OFF:
        size = root_of(bytes) * PAGE;
        break;
    case ZEROED:
        memset(bytes, 0, size);
        break;
    case NOISE:
        crypto_random(bytes, size);
        break;
    case METAS:
        bytes[LMDB_MAGIC_AT] ^= 1;
        bytes[PAGE + LMDB_MAGIC_AT] ^= 1;
        break;
    }
    file_store(path, bytes, size);
}

void store_make_newer(const char *path)
{
    size_t size;
    uint8_t *bytes = file_load(path, &size);
    check(newer_store(bytes, size));
    file_store(path, bytes, size);
}
