/* replay.c - plays the files of a corpus to a fuzz target in a build without libFuzzer. */
#include <dirent.h>
#include <errno.h>

#include "tests/fuzz/fuzz.h"

enum { PATH_SIZE = 4096 };

static bool play_file(const char *path)
{
    uint8_t room[FUZZ_INPUT_MAX + 1];
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t size = fread(room, 1, sizeof room, file);
    bool whole = !ferror(file) && size <= FUZZ_INPUT_MAX;
    (void)fclose(file); /* only read from */
    if (!whole)
        return false;
    /* Memory of exactly that size: a checker sees a read behind it. */
    uint8_t *data = malloc(size ? size : 1);
    HOLDS(data);
    memcpy(data, room, size);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return true;
}

/* How many files there were; -1 where one could not be played. */
static int play_folder(const char *folder)
{
    char path[PATH_SIZE];
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && count >= 0 && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        int size = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void)fprintf(stderr, "%s\n", path); /* the last one is the one that broke */
        count = size > 0 && size < PATH_SIZE && play_file(path) ? count + 1 : -1;
    }
    if (dir)
        (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize(&argc, &argv) != 0)
        return 1;
    for (int i = 1; i < argc; i++) {
        int count = play_folder(argv[i]);
        if (count <= 0) {
            (void)fprintf(stderr, "%s: %s\n", argv[i],
                          count ? "a file cannot be played: too long?" : "there is nothing in it");
            return 1;
        }
        (void)printf("%s: %d inputs\n", argv[i], count);
    }
    return argc > 1 ? 0 : 2;
}
