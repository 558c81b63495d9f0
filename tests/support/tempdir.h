/* tempdir.h - a directory of a test's own, below $TMPDIR or /tmp, removed with all in it. */
#ifndef DEVREG_TESTS_TEMPDIR_H
#define DEVREG_TESTS_TEMPDIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMPDIR_MAX = 4096 };

struct tempdir {
    char path[TEMPDIR_MAX];
};

/* Ends the program where there is none to be had. */
static inline void tempdir_make(struct tempdir *dir)
{
    const char *base = getenv("TMPDIR");
    int size = snprintf(dir->path, sizeof dir->path, "%s/devreg-test-XXXXXX", base ? base : "/tmp");
    if (size < 0 || (size_t)size >= sizeof dir->path || !mkdtemp(dir->path)) {
        perror("mkdtemp");
        abort();
    }
}

/* Writes "DIR/name" to `path`. */
static inline char *path_join(char path[static TEMPDIR_MAX], const char *dir, const char *name)
{
    int size = snprintf(path, TEMPDIR_MAX, "%s/%s", dir, name);
    if (size < 0 || size >= TEMPDIR_MAX)
        abort();
    return path;
}

static inline void tree_remove(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char child[TEMPDIR_MAX];
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        path_join(child, path, entry->d_name);
        if (lstat(child, &status) == 0 && S_ISDIR(status.st_mode))
            tree_remove(child);
        else
            (void)unlink(child);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(path);
}

static inline void tempdir_remove(struct tempdir *dir)
{
    tree_remove(dir->path);
}

#endif
