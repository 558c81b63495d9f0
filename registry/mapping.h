/* mapping.h - memory that a file is mapped to. */
#ifndef DEVREG_REGISTRY_MAPPING_H
#define DEVREG_REGISTRY_MAPPING_H

/* Gives back the pages of the open file that this process reads through a mapping: the system keeps
 * them in its cache as before, and whoever reads them again has them again. Where there is no /proc
 * nothing happens. */
void mapping_forget(int file);

#endif
