/* world.h - a directory with a registry, and whatever else a devreg works on, that can be had again
 * and compared.
 *
 *   WORLD/registry    the registry     WORLD/...    the files that a command reads and writes
 */
#ifndef DEVREG_TESTS_WORLD_H
#define DEVREG_TESTS_WORLD_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that grow. */
struct blob {
    char *data;
    size_t size, room;
};
void blob_add(struct blob *blob, const void *data, size_t size);
void blob_add_text(struct blob *blob, const char *text);
void blob_free(struct blob *blob);
bool blob_same(const struct blob *a, const struct blob *b);

/* Reads a whole file; nothing where there is none. */
void blob_read(struct blob *blob, const char *path);

/* Makes `to`, which is not there, what `from` is, with its modes. */
void world_copy(const char *from, const char *to);

/* All records of both stores, as they lie there. "no registry" is one, too. */
void world_dump(struct blob *blob, const char *world);

/* The names and modes of all files, and what is in those that are no store's. */
void world_list(struct blob *blob, const char *world);

/* Only the names and modes. */
void world_names(struct blob *blob, const char *world);

#endif
