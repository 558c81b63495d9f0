/* new_file.h - a file that is there whole or not at all, never in the place of another, and for
 * nobody but its owner.
 *
 * While it is written it has no name, so nothing is left of a program that is killed. Where the
 * file system knows no files without a name it is called PATH.part-XXXXXX meanwhile; then a signal
 * that ends the program removes it, and only SIGKILL leaves it behind.
 */
#ifndef DEVREG_ADMIN_NEW_FILE_H
#define DEVREG_ADMIN_NEW_FILE_H

enum { NEW_FILE_NAME_MAX = 40 };

struct new_file {
    const char *path; /* lent */
    char *part;       /* its name meanwhile; NULL for none */
    int file;         /* to be written and read */
    char name[NEW_FILE_NAME_MAX + 1];
};

/* These return 0, or errno: EEXIST where `path` is there. After new_file_open failed there is
 * nothing to end. */
int new_file_open(struct new_file *new_file, const char *path);

/* As for a file system that knows no files without a name. */
int new_file_open_named(struct new_file *new_file, const char *path);

/* A path that leads to it meanwhile, in this process. Lent. */
const char *new_file_name(struct new_file *new_file);

/* It is whole: has it on the disk, and under its name. */
int new_file_keep(struct new_file *new_file);

/* Closes it. What was not kept is gone. */
void new_file_end(struct new_file *new_file);

#endif
