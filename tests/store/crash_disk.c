#include "tests/store/crash_disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/store/crash_calls.h"
#include "tests/support/tempdir.h"

enum { SECTOR = 512, LOCK_SIZE = 16384, NOWHERE = -1 };

struct content {
    uint8_t *bytes;
    size_t size;
};

struct name {
    const char *path;
    size_t file;
    bool is_directory;
};

struct names {
    struct name *all;
    size_t count;
};

struct note {
    enum crash_kind kind;
    char *path, *to;
    size_t file; /* in order of creation */
    uint64_t at, size, inode;
    const uint8_t *bytes;
    size_t ends; /* where it ends in the trace */
};

/* What is to be said of a note once its call has returned. */
enum fate {
    OPEN,   /* it may be lost */
    SURE,   /* it is on the disk, in its turn among the open ones */
    SETTLED /* and so is all before it: `files` and `names` have it */
};

struct crash_disk {
    const char *root;
    struct content trace;
    size_t count, done, file_count;
    struct note *notes;
    enum fate *fates;      /* of the notes before `done` */
    struct content *files; /* as synced */
    struct names names;
};

static void must(bool so, const char *what)
{
    if (so)
        return;
    (void)fprintf(stderr, "crash_disk: %s\n", what);
    abort();
}

static void *grow(void *array, size_t size)
{
    void *larger = realloc(array, size ? size : 1);
    must(larger != NULL, "no memory");
    return larger;
}

/* ---- the notes */

static struct content file_read(const char *path)
{
    struct content content;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && fstat(fd, &info) == 0, "no trace");
    content.size = (size_t)info.st_size;
    content.bytes = grow(NULL, content.size);
    must(read(fd, content.bytes, content.size) == info.st_size, "the trace cannot be read");
    (void)close(fd);
    return content;
}

static char *text_take(const struct content *trace, size_t *at, size_t size)
{
    must(size <= trace->size - *at, "the trace ends in a path");
    char *text = strndup((const char *)trace->bytes + *at, size);
    must(text != NULL, "no memory");
    *at += size;
    return text;
}

/* The file of that inode, the newest: numbers are used again. */
static size_t file_of(const struct crash_disk *disk, uint64_t inode)
{
    for (size_t i = disk->count; i-- > 0;) {
        if (disk->notes[i].kind == CRASH_CREATE && disk->notes[i].inode == inode)
            return disk->notes[i].file;
    }
    return (size_t)NOWHERE;
}

static void note_take(struct crash_disk *disk, size_t *at)
{
    struct crash_note head;
    must(sizeof head <= disk->trace.size - *at, "the trace ends in a note");
    memcpy(&head, disk->trace.bytes + *at, sizeof head);
    *at += sizeof head;
    struct note note = {
        .kind = (enum crash_kind)head.kind, .at = head.at, .size = head.size, .inode = head.file};
    note.path = text_take(&disk->trace, at, head.path_size);
    note.to = text_take(&disk->trace, at, head.to_size);
    note.bytes = disk->trace.bytes + *at;
    must(head.size <= disk->trace.size - *at, "the trace ends in a write");
    note.ends = *at += head.size;
    note.file = note.kind == CRASH_CREATE ? disk->file_count++ : file_of(disk, note.inode);
    must(note.file != (size_t)NOWHERE || note.kind == CRASH_MKDIR || note.kind == CRASH_UNLINK ||
             note.kind == CRASH_SYNC,
         "a file that was there before, or a directory that moved");
    disk->notes[disk->count++] = note;
}

struct crash_disk *crash_disk_open(const char *trace, const char *root)
{
    struct crash_disk *disk = grow(NULL, sizeof *disk);
    *disk = (struct crash_disk){.root = root, .trace = file_read(trace)};
    for (size_t at = 0; at < disk->trace.size;) {
        disk->notes = grow(disk->notes, (disk->count + 1) * sizeof *disk->notes);
        note_take(disk, &at);
    }
    disk->fates = calloc(disk->count + 1, sizeof *disk->fates);
    disk->files = calloc(disk->file_count + 1, sizeof *disk->files);
    must(disk->fates && disk->files, "no memory");
    disk->names.all = grow(NULL, sizeof *disk->names.all);
    disk->names.all[disk->names.count++] = (struct name){root, (size_t)NOWHERE, true};
    return disk;
}

void crash_disk_close(struct crash_disk *disk)
{
    for (size_t i = 0; i < disk->count; i++) {
        free(disk->notes[i].path);
        free(disk->notes[i].to);
    }
    for (size_t i = 0; i < disk->file_count; i++)
        free(disk->files[i].bytes);
    free(disk->notes);
    free(disk->fates);
    free(disk->files);
    free(disk->names.all);
    free(disk->trace.bytes);
    free(disk);
}

size_t crash_disk_notes(const struct crash_disk *disk)
{
    return disk->count;
}

size_t crash_disk_notes_in(const struct crash_disk *disk, size_t bytes)
{
    size_t count = 0;
    while (count < disk->count && disk->notes[count].ends <= bytes)
        count++;
    return count;
}

/* ---- what a note does */

static void content_resize(struct content *content, size_t size)
{
    content->bytes = grow(content->bytes, size);
    if (size > content->size)
        memset(content->bytes + content->size, 0, size - content->size);
    content->size = size;
}

/* Those of its bytes that lie in the file's sector that `at` is in. Returns where the next begins.
 */
static uint64_t sector_write(struct content *content, const struct note *note, uint64_t at)
{
    uint64_t end = (at / SECTOR + 1) * SECTOR;
    if (end > note->at + note->size)
        end = note->at + note->size;
    if (content && end > content->size)
        content_resize(content, end);
    if (content)
        memcpy(content->bytes + at, note->bytes + (at - note->at), end - at);
    return end;
}

static void bytes_apply(struct content *files, const struct note *note)
{
    if (note->kind == CRASH_SIZE && note->file != (size_t)NOWHERE)
        content_resize(&files[note->file], note->at);
    else if (note->kind == CRASH_WRITE || note->kind == CRASH_WRITE_SYNC)
        for (uint64_t at = note->at; at < note->at + note->size;)
            at = sector_write(&files[note->file], note, at);
}

/* Some of its sectors. The file may be as long as if it were all there, with anything in it. */
static void bytes_tear(struct content *files, const struct note *note, struct rng *rng)
{
    struct content *content = &files[note->file];
    size_t before = content->size;
    if (rng_percent(rng, 30) && note->at + note->size > before) {
        content_resize(content, note->at + note->size);
        for (size_t i = before; i < content->size && rng_percent(rng, 99); i++)
            content->bytes[i] = (uint8_t)rng_next(rng);
    }
    for (uint64_t at = note->at; at < note->at + note->size;)
        at = sector_write(rng_percent(rng, 50) ? content : NULL, note, at);
}

static struct name *name_find(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->all[i].path, path) == 0)
            return &names->all[i];
    }
    return NULL;
}

static void name_put(struct names *names, const char *path, size_t file, bool is_directory)
{
    struct name *name = name_find(names, path);
    if (!name) {
        names->all = grow(names->all, (names->count + 1) * sizeof *names->all);
        name = &names->all[names->count++];
    }
    *name = (struct name){path, file, is_directory};
}

static void name_drop(struct names *names, const char *path)
{
    struct name *name = name_find(names, path);
    if (name)
        *name = names->all[--names->count];
}

/* A file that was renamed is there by its new name, also where its old one never came to the disk.
 */
static void name_apply(struct names *names, const struct note *note)
{
    if (note->kind == CRASH_MKDIR)
        name_put(names, note->path, (size_t)NOWHERE, true);
    else if (note->kind == CRASH_LINK || (note->kind == CRASH_CREATE && *note->path))
        name_put(names, note->path, note->file, false);
    else if (note->kind == CRASH_RENAME)
        name_put(names, note->to, note->file, false);
    if (note->kind == CRASH_RENAME || note->kind == CRASH_UNLINK)
        name_drop(names, note->path);
}

static bool is_about_bytes(const struct note *note)
{
    return note->kind == CRASH_WRITE || note->kind == CRASH_WRITE_SYNC || note->kind == CRASH_SIZE;
}

/* Does the sync of a file or directory settle it? */
static bool settles(const struct note *sync, const struct note *note)
{
    const char *path = note->kind == CRASH_RENAME ? note->to : note->path;
    size_t size = strlen(sync->path);
    if (is_about_bytes(note))
        return sync->file != (size_t)NOWHERE && note->file == sync->file;
    return note->kind != CRASH_SYNC && strncmp(path, sync->path, size) == 0 && path[size] == '/' &&
           !strchr(path + size + 1, '/');
}

/* ---- cuts */

static void settle(struct crash_disk *disk, size_t number)
{
    const struct note *note = &disk->notes[number];
    disk->fates[number] = SETTLED;
    if (is_about_bytes(note))
        bytes_apply(disk->files, note);
    else
        name_apply(&disk->names, note);
}

static void call_returned(struct crash_disk *disk, size_t number)
{
    const struct note *note = &disk->notes[number];
    disk->fates[number] = note->kind == CRASH_SYNC         ? SETTLED
                          : note->kind == CRASH_WRITE_SYNC ? SURE
                                                           : OPEN;
    for (size_t i = 0; note->kind == CRASH_SYNC && i < number; i++) {
        if (disk->fates[i] != SETTLED && settles(note, &disk->notes[i]))
            settle(disk, i);
    }
}

void crash_disk_cut(struct crash_disk *disk, size_t count)
{
    must(count >= disk->done && count <= disk->count, "a cut lies behind the last one");
    while (disk->done < count)
        call_returned(disk, disk->done++);
}

/* ---- images */

struct image {
    struct content *files;
    struct names names;
};

static void image_init(struct image *image, const struct crash_disk *disk)
{
    image->files = calloc(disk->file_count + 1, sizeof *image->files);
    must(image->files != NULL, "no memory");
    for (size_t i = 0; i < disk->file_count; i++) {
        content_resize(&image->files[i], disk->files[i].size);
        if (disk->files[i].size)
            memcpy(image->files[i].bytes, disk->files[i].bytes, disk->files[i].size);
    }
    image->names =
        (struct names){grow(NULL, disk->names.count * sizeof *disk->names.all), disk->names.count};
    memcpy(image->names.all, disk->names.all, disk->names.count * sizeof *disk->names.all);
}

static void image_clear(struct image *image, const struct crash_disk *disk)
{
    for (size_t i = 0; i < disk->file_count; i++)
        free(image->files[i].bytes);
    free(image->files);
    free(image->names.all);
}

enum made { MADE_NOT, MADE, MADE_TORN, MADE_WAYS };

static void image_note(struct image *image, const struct note *note, enum made made,
                       struct rng *rng)
{
    bool is_write = note->kind == CRASH_WRITE || note->kind == CRASH_WRITE_SYNC;
    if (made == MADE_TORN && is_write)
        bytes_tear(image->files, note, rng);
    else if (made != MADE_NOT && is_about_bytes(note))
        bytes_apply(image->files, note);
    else if (made != MADE_NOT)
        name_apply(&image->names, note);
}

/* The call in flight, too, if there is one. */
static bool is_open(const struct crash_disk *disk, size_t number)
{
    return number == disk->done || disk->fates[number] == OPEN;
}

static size_t notes_begun(const struct crash_disk *disk)
{
    return disk->done + (disk->done < disk->count);
}

static size_t notes_open(const struct crash_disk *disk)
{
    size_t count = 0;
    for (size_t i = 0; i < notes_begun(disk); i++)
        count += is_open(disk, i);
    return count;
}

static void image_play(struct image *image, const struct crash_disk *disk, enum crash_image kind,
                       struct rng *rng)
{
    const size_t until = rng_below(rng, notes_open(disk) + 1);
    size_t seen = 0;
    for (size_t i = 0; i < notes_begun(disk); i++) {
        enum made made = (enum made)rng_below(rng, MADE_WAYS);
        if (!is_open(disk, i))
            made = disk->fates[i] == SURE ? MADE : MADE_NOT; /* not again */
        else if (kind == IMAGE_KILLED)
            made = i < disk->done ? MADE : made;
        else if (kind == IMAGE_SYNCED)
            made = MADE_NOT;
        else if (kind == IMAGE_ORDERED)
            made = seen < until ? MADE : seen == until ? made : MADE_NOT;
        seen += is_open(disk, i);
        image_note(image, &disk->notes[i], made, rng);
    }
}

static void file_write(const char *path, const struct content *content, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && fchmod(fd, mode) == 0, "an image's file");
    for (size_t at = 0; at < content->size;) {
        ssize_t size = write(fd, content->bytes + at, content->size - at);
        must(size > 0, "an image's bytes");
        at += (size_t)size;
    }
    (void)close(fd);
}

static bool ends_with(const char *path, const char *name)
{
    size_t size = strlen(path), end = strlen(name);
    return size >= end && strcmp(path + size - end, name) == 0;
}

/* What is written through a mapping is there or not, as the system liked. */
static void lock_write(const char *path, struct rng *rng)
{
    struct content junk = {0};
    content_resize(&junk, rng_percent(rng, 50) ? LOCK_SIZE : rng_below(rng, LOCK_SIZE));
    for (size_t i = 0; i < junk.size && rng_percent(rng, 50); i += 8)
        junk.bytes[i] = (uint8_t)rng_next(rng);
    file_write(path, &junk, 0660);
    free(junk.bytes);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->path, ((const struct name *)b)->path);
}

/* Parents come first; what has none cannot be reached. */
static bool image_write(struct image *image, const char *root, const char *to, struct rng *rng)
{
    struct names *names = &image->names;
    qsort(names->all, names->count, sizeof *names->all, by_path);
    for (size_t i = 0; i < names->count; i++) {
        char path[TEMPDIR_MAX], parent[TEMPDIR_MAX];
        const struct name *name = &names->all[i];
        int size = snprintf(path, sizeof path, "%s%s", to, name->path + strlen(root));
        must(size > 0 && size < TEMPDIR_MAX, "a long path");
        memcpy(parent, path, sizeof parent);
        *strrchr(parent, '/') = '\0';
        if (access(parent, F_OK) != 0)
            continue;
        if (name->is_directory)
            must(mkdir(path, 0750) == 0 && chmod(path, 0750) == 0, "an image's directory");
        else if (ends_with(path, "/lock.mdb"))
            lock_write(path, rng);
        else
            file_write(path, &image->files[name->file], 0640);
    }
    return access(to, F_OK) == 0;
}

bool crash_disk_image(const struct crash_disk *disk, enum crash_image kind, struct rng *rng,
                      const char *to)
{
    struct image image;
    tree_remove(to);
    image_init(&image, disk);
    image_play(&image, disk, kind, rng);
    bool there = image_write(&image, disk->root, to, rng);
    image_clear(&image, disk);
    return there;
}
