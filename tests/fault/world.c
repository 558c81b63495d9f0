#include "tests/fault/world.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/registry.h"
#include "tests/support/tempdir.h"

enum { CHUNK = 1 << 16, NAMES_MAX = 200 };

void blob_add(struct blob *blob, const void *data, size_t size)
{
    if (blob->size + size + 1 > blob->room) {
        blob->room = 2 * (blob->size + size + 1);
        blob->data = realloc(blob->data, blob->room);
        if (!blob->data)
            abort();
    }
    if (size)
        memcpy(blob->data + blob->size, data, size);
    blob->size += size;
    blob->data[blob->size] = '\0';
}

void blob_add_text(struct blob *blob, const char *text)
{
    blob_add(blob, text, strlen(text));
}

void blob_free(struct blob *blob)
{
    free(blob->data);
    *blob = (struct blob){.data = NULL};
}

bool blob_same(const struct blob *a, const struct blob *b)
{
    return a->size == b->size && (!a->size || memcmp(a->data, b->data, a->size) == 0);
}

void blob_read(struct blob *blob, const char *path)
{
    char chunk[4096];
    ssize_t got = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    blob_add(blob, "", 0);
    while (file >= 0 && (got = read(file, chunk, sizeof chunk)) > 0)
        blob_add(blob, chunk, (size_t)got);
    if (file >= 0)
        (void)close(file);
}

static void file_copy(const char *from, const char *to, mode_t mode)
{
    static char chunk[CHUNK];
    ssize_t got;
    int source = open(from, O_RDONLY | O_CLOEXEC);
    int copy = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (source < 0 || copy < 0 || fchmod(copy, mode) != 0)
        abort();
    while ((got = read(source, chunk, sizeof chunk)) > 0) {
        if (write(copy, chunk, (size_t)got) != got)
            abort();
    }
    if (got < 0 || close(source) != 0 || close(copy) != 0)
        abort();
}

void world_copy(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    struct stat info;
    if (!dir || stat(from, &info) != 0 || mkdir(to, 0700) != 0)
        abort();
    for (struct dirent *entry; (entry = readdir(dir));) {
        char source[TEMPDIR_MAX], copy[TEMPDIR_MAX];
        struct stat inner;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        path_join(source, from, entry->d_name);
        path_join(copy, to, entry->d_name);
        if (lstat(source, &inner) != 0)
            abort();
        if (S_ISDIR(inner.st_mode))
            world_copy(source, copy);
        else
            file_copy(source, copy, inner.st_mode & 07777);
    }
    (void)closedir(dir);
    if (chmod(to, info.st_mode & 07777) != 0)
        abort();
}

static void dump_kind(struct blob *blob, struct txn *txn, uint8_t kind)
{
    struct bytes key = {NULL, 0}, record;
    enum err e;
    while ((e = txn_next(txn, kind, key, &key, &record)) != ERR_NOT_FOUND) {
        blob_add_text(blob, err_text(e));
        if (e && e != ERR_DAMAGED)
            return;
        blob_add(blob, key.data, key.size);
        blob_add_text(blob, "=");
        if (!e)
            blob_add(blob, record.data, record.size);
        blob_add_text(blob, "\n");
    }
}

static void dump_store(struct blob *blob, const char *dir, enum store_kind kind)
{
    struct store *store;
    struct txn *txn = NULL;
    enum err e = store_open(&store, dir, kind, STORE_READ);
    if (e) {
        blob_add_text(blob, err_text(e));
        blob_add_text(blob, "\n");
        return;
    }
    e = txn_reader(&txn, store);
    if (!e)
        e = txn_renew(txn);
    for (int letter = 1; !e && letter < 255; letter++)
        dump_kind(blob, txn, (uint8_t)letter);
    blob_add_text(blob, err_text(e));
    txn_close(txn);
    store_close(store);
}

void world_dump(struct blob *blob, const char *world)
{
    char path[TEMPDIR_MAX], presence[TEMPDIR_MAX];
    path_join(path, world, "registry");
    dump_store(blob, path, STORE_REGISTRY);
    dump_store(blob, path_join(presence, path, PRESENCE_SUBDIR), STORE_PRESENCE);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_file(struct blob *blob, const char *path, const char *name, bool contents);

static void list_dir(struct blob *blob, const char *path, bool contents)
{
    char *names[NAMES_MAX];
    size_t count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (count == NAMES_MAX || !(names[count++] = strdup(entry->d_name)))
            abort();
    }
    if (dir)
        (void)closedir(dir);
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        char inner[TEMPDIR_MAX];
        list_file(blob, path_join(inner, path, names[i]), names[i], contents);
        free(names[i]);
    }
}

static void list_file(struct blob *blob, const char *path, const char *name, bool contents)
{
    char line[TEMPDIR_MAX];
    struct stat info;
    bool store = strcmp(name, "data.mdb") == 0 || strcmp(name, "lock.mdb") == 0;
    if (lstat(path, &info) != 0)
        abort();
    snprintf(line, sizeof line, "%s %o\n", name, (unsigned)info.st_mode);
    blob_add_text(blob, line);
    if (S_ISDIR(info.st_mode)) {
        list_dir(blob, path, contents);
        blob_add_text(blob, "up\n");
    } else if (contents && !store) {
        blob_read(blob, path);
    }
}

void world_list(struct blob *blob, const char *world)
{
    list_dir(blob, world, true);
}

void world_names(struct blob *blob, const char *world)
{
    list_dir(blob, world, false);
}
