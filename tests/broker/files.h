/* files.h - what happens to a store's files besides what devreg does. */
#ifndef DEVREG_TESTS_FILES_H
#define DEVREG_TESTS_FILES_H

#include <stddef.h>
#include <stdint.h>

/* The whole of a file, which the caller frees. */
uint8_t *file_load(const char *path, size_t *size);

/* Over the old content, as cp does it: the file is cut to nothing first, owner and mode stay. Frees
 * `bytes`. */
void file_store(const char *path, uint8_t *bytes, size_t size);

enum damage {
    CUT_TO_NOTHING,
    CUT_TO_A_BYTE,
    CUT_TO_A_PAGE,
    CUT_ITS_ROOT_OFF,
    ZEROED,
    NOISE,
    METAS
};
const char *damage_name(enum damage damage);

/* Does that to the file, in place. */
void file_damage(const char *path, enum damage damage);

/* Makes the store one of the next format. */
void store_make_newer(const char *path);

#endif
