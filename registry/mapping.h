/* mapping.h - memory that a file is mapped to. */
#ifndef DEVREG_REGISTRY_MAPPING_H
#define DEVREG_REGISTRY_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Gives back the pages of the open file that this process reads through a mapping: the system keeps
 * them in its cache as before, and whoever reads them again has them again. Where there is no /proc
 * nothing happens. */
void mapping_forget(int file);

/* The mapping that the address lies in; one of that file that others share. False where there is
 * none, or no /proc. Some file systems (btrfs, overlay) give stat another device than mappings:
 * there only the address finds it. */
bool mapping_around(const void *address, uintptr_t *begin, uintptr_t *end);
bool mapping_of(dev_t device, ino_t inode, uintptr_t *begin, uintptr_t *end);

/* Between these two, who reads what lies between the bytes `from` and `to` of the open file through
 * a mapping sees zeros: where the file is shorter that would be SIGBUS. False where nothing was
 * done: there is no /proc, or no such mapping. */
bool mapping_cover(int file, size_t from, size_t to);
bool mapping_uncover(int file, size_t from, size_t to);

#endif
