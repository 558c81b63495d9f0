/* crash_images.c - the machine loses its power at every write of devreg; what was done stays done.
 *
 *   devreg init, add, rotate ... --> notes of each call --> a disk that stops at each of them
 *                                    (crash_calls.so)       (crash_disk.h) --> images
 *
 * In every image the registry opens, devreg check finds nothing, and the records are bit by bit
 * those after the last command that had returned, or after the one that was at work. Keys that a
 * command wrote are on the disk before the devices that they open; a backup is whole or
 * not there. (What goes through stdio, as an export does, is not seen.) And one can go on: the next
 * change is made.
 *
 * DEVREG_IMAGES says how many of each kind are drawn at each call, DEVREG_SEED which. */
#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/presence_check.h"
#include "registry/registry.h"
#include "tests/broker/program.h"
#include "tests/store/crash_disk.h"
#include "tests/support/tempdir.h"

enum {
    IMAGES = 2,
    CHECK_EVERY = 50,
    STEPS_MAX = 64,
    WORDS_MAX = 16,
    ALL_RECORDS = 256,
    NOW = 9000
};

/* What a command writes besides the registry. */
enum aside {
    NOTHING,
    KEYS,  /* there when its devices are, by its name or as FILE.part */
    WHOLE, /* there when it has returned; never in part */
};

/* "~" is the folder that all lies in. */
struct step {
    const char *command;
    enum aside aside;
    const char *file;
};

static const struct step steps[] = {
    {"init --user $USER", NOTHING, NULL},
    {"add pump-1", NOTHING, NULL},
    {"add pump-2 --set site=kiel --expires 90d", NOTHING, NULL},
    {"role add sensors --note all", NOTHING, NULL},
    {"allow @sensors publish s/%u/#", NOTHING, NULL},
    {"add --from ~/devices.csv --role sensors --keys ~/keys.csv", KEYS, "keys.csv"},
    {"deny pump-1 publish secret/#", NOTHING, NULL},
    {"rotate pump-1 --grace 1h", NOTHING, NULL},
    {"rotate pump-2 --grace 0", NOTHING, NULL},
    {"disable pump-2 --reason winter", NOTHING, NULL},
    {"backup ~/backup.mdb", WHOLE, "backup.mdb"},
    {"enable pump-2", NOTHING, NULL},
    {"export --with-hashes ~/export.jsonl", NOTHING, NULL},
    {"set --where site=ulm floor=2 --yes", NOTHING, NULL},
    {"revoke pump-1", NOTHING, NULL},
    {"remove pump-1", NOTHING, NULL},
    {"add pump-1", NOTHING, NULL},
    {"rotate --where site=bonn --keys ~/more.csv --yes", KEYS, "more.csv"},
    {"remove --where site=ulm --yes", NOTHING, NULL},
    {"unset @sensors publish s/%u/#", NOTHING, NULL},
    {"add --count 400 --prefix lamp- --keys ~/lamps.csv", KEYS, "lamps.csv"},
    {"log trim --keep 5", NOTHING, NULL},
    {"apply ~/export.jsonl --prune --yes", NOTHING, NULL},
    {"check --repair", NOTHING, NULL},
    {"restore --force ~/backup.mdb", NOTHING, NULL},
    {"add pump-3", NOTHING, NULL},
    {"set pump-3 --note last", NOTHING, NULL},
};
enum { STEPS = sizeof steps / sizeof *steps };

/* What a step left behind. */
struct after {
    uint64_t records; /* a hash of them all; 0 for no registry */
    size_t notes;     /* that had been made by then */
    char *file;       /* of its own */
    size_t file_size;
};

struct play {
    struct tempdir dir;
    char root[TEMPDIR_MAX], trace[TEMPDIR_MAX], image[TEMPDIR_MAX];
    struct after after[STEPS + 1]; /* after so many steps */
    struct rng rng;
    size_t cut, images;
    enum crash_image kind;
    uint64_t seed; /* of the image at hand */
};

static struct play p;

/* ---- what is recorded */

static uint64_t mix(uint64_t hash, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    return (hash ^ bytes.size) * 0x100000001b3u;
}

static uint64_t records_hash(struct registry *registry)
{
    uint64_t hash = 0xcbf29ce484222325u;
    struct txn *txn;
    assert_int_equal(txn_reader(&txn, registry_store(registry)), ERR_OK);
    assert_int_equal(txn_renew(txn), ERR_OK);
    for (unsigned kind = 0; kind < ALL_RECORDS; kind++) {
        struct bytes key = {NULL, 0}, record;
        enum err e;
        while (!(e = txn_next(txn, (uint8_t)kind, key, &key, &record)))
            hash = mix(mix(hash, key), record);
        assert_int_equal(e, ERR_NOT_FOUND);
    }
    txn_close(txn);
    return hash;
}

static uint64_t registry_hash(const char *root)
{
    struct registry *registry;
    char path[TEMPDIR_MAX];
    path_join(path, root, "registry");
    assert_int_equal(registry_open(&registry, path, STORE_READ), ERR_OK);
    uint64_t hash = records_hash(registry);
    registry_close(registry);
    return hash;
}

/* ---- the commands */

static char *file_take(const char *dir, const char *name, size_t *size)
{
    char path[TEMPDIR_MAX];
    struct stat info;
    int fd = open(path_join(path, dir, name), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0)
        return NULL;
    *size = (size_t)info.st_size;
    char *text = malloc(*size + 1);
    assert_non_null(text);
    assert_int_equal(read(fd, text, *size), info.st_size);
    assert_int_equal(close(fd), 0);
    return text;
}

static char *word_expand(const char *word)
{
    char *text = NULL;
    int size = *word == '~'                 ? asprintf(&text, "%s%s", p.root, word + 1)
               : strcmp(word, "$USER") == 0 ? asprintf(&text, "%s", getpwuid(geteuid())->pw_name)
                                            : asprintf(&text, "%s", word);
    assert_true(size >= 0);
    return text;
}

static void devreg_run(struct program *program, const char *root, const char *command)
{
    char registry[TEMPDIR_MAX], line[256], *argv[WORDS_MAX] = {DEVREG_PROGRAM, "-r", registry};
    size_t count = 3;
    path_join(registry, root, "registry");
    assert_true(snprintf(line, sizeof line, "%s", command) < (int)sizeof line);
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
        assert_true(count < WORDS_MAX - 1);
        argv[count++] = word_expand(word);
    }
    assert_true(program_run(program, argv));
    while (count > 3)
        free(argv[--count]);
}

static void step_play(const struct step *step, struct after *after)
{
    struct program program;
    struct stat trace;
    assert_int_equal(setenv("LD_PRELOAD", CRASH_BEHIND CRASH_CALLS, 1), 0);
    devreg_run(&program, p.root, step->command);
    assert_int_equal(unsetenv("LD_PRELOAD"), 0);
    if (program.status != 0)
        fail_msg("devreg %s: %s", step->command, program.err);
    program_clear(&program);
    assert_int_equal(stat(p.trace, &trace), 0);
    after->notes = (size_t)trace.st_size; /* turned into a number of notes when all are there */
    after->records = registry_hash(p.root);
    if (step->file)
        assert_non_null(after->file = file_take(p.root, step->file, &after->file_size));
}

static void devices_write(void)
{
    static const char *const sites[] = {"kiel", "ulm", "bonn"};
    char path[TEMPDIR_MAX];
    FILE *to = fopen(path_join(path, p.root, "devices.csv"), "we");
    assert_non_null(to);
    assert_true(fputs("device,attr.site\n", to) >= 0);
    for (int i = 0; i < 300; i++)
        assert_true(fprintf(to, "meter-%d,%s\n", i, sites[i % 3]) > 0);
    assert_int_equal(fclose(to), 0);
}

static void commands_play(void)
{
    assert_int_equal(setenv("CRASH_ROOT", p.root, 1), 0);
    assert_int_equal(setenv("CRASH_TRACE", p.trace, 1), 0);
    devices_write();
    for (size_t i = 0; i < STEPS; i++)
        step_play(&steps[i], &p.after[i + 1]);
}

/* ---- the images */

static _Noreturn void differs(const char *what, size_t done)
{
    static const char *const kinds[] = {"killed", "synced", "ordered", "any"};
    const char *name = done < STEPS ? steps[done].command : "";
    fail_msg("%s, at call %zu, in image %zu (%s, seed %" PRIu64 "), in or before 'devreg %s'", what,
             p.cut, p.images, kinds[p.kind], p.seed, name);
    abort();
}

static void finding(void *context, const char *what, const char *problem)
{
    char text[300];
    snprintf(text, sizeof text, "%s: %s", what, problem);
    differs(text, *(const size_t *)context);
}

static void presence_fine(size_t done)
{
    struct store *store;
    struct txn *txn;
    struct presence_check result = {0};
    char path[TEMPDIR_MAX];
    path_join(path, p.image, "registry/" PRESENCE_SUBDIR);
    if (store_open(&store, path, STORE_PRESENCE, STORE_WRITE))
        differs("the presence store does not open", done);
    assert_int_equal(txn_reader(&txn, store), ERR_OK);
    assert_int_equal(txn_renew(txn), ERR_OK);
    if (presence_check(txn, &result, finding, &done))
        differs("the presence store cannot be checked", done);
    txn_close(txn);
    store_close(store);
}

static bool file_is_there(const char *name, const char *end, const struct after *after)
{
    char path[64];
    size_t size = 0;
    snprintf(path, sizeof path, "%s%s", name, end);
    char *text = file_take(p.image, path, &size);
    bool same = text && size == after->file_size && memcmp(text, after->file, size) == 0;
    free(text);
    return same;
}

/* Of the steps that had returned, and of the next where its records are there. */
static void files_kept(size_t done, bool is_next)
{
    char path[TEMPDIR_MAX];
    for (size_t i = 0; i < done + 1 && i < STEPS; i++) {
        const struct step *step = &steps[i];
        const struct after *after = &p.after[i + 1];
        bool there = step->aside != NOTHING && file_is_there(step->file, "", after);
        if (step->aside == WHOLE && !there &&
            access(path_join(path, p.image, step->file), F_OK) == 0)
            differs("a file is there in part", done);
        if (i == done && step->aside == KEYS && is_next && !there)
            there = file_is_there(step->file, ".part", after);
        if (step->aside != NOTHING && !there && (i < done || (step->aside == KEYS && is_next)))
            differs("a file is not there", done);
    }
}

/* Opened again, too, after one more change. */
static void goes_on(struct registry *registry, size_t done)
{
    struct registry_check result = {0};
    if (registry_write(registry, "tester", NOW))
        differs("nothing can be written", done);
    registry_log(registry, LOG_REPAIR, LOG_NOTHING, "", "");
    if (registry_commit(registry))
        differs("a change cannot be made", done);
    assert_int_equal(registry_read(registry), ERR_OK);
    if (registry_check(registry, &result, finding, &done))
        differs("it cannot be checked after a change", done);
    registry_end(registry);
}

/* What is left of an init that had not returned is no obstacle for the next. */
static void begins(const char *path, size_t done)
{
    if (done > 0)
        differs("the registry is not there", done);
    if (registry_create(path, geteuid(), getegid(), "tester", NOW))
        differs("no registry can be made", done);
}

static void registry_fine(const char *path, size_t done)
{
    struct registry *registry;
    struct registry_check result = {0};
    enum err e = registry_open(&registry, path, STORE_WRITE);
    if (e)
        differs(err_text(e), done);
    uint64_t records = records_hash(registry);
    bool is_next = done < STEPS && records == p.after[done + 1].records;
    if (records != p.after[done].records && !is_next)
        differs("other records", done);
    assert_int_equal(registry_read(registry), ERR_OK);
    if (registry_check(registry, &result, finding, &done))
        differs("it cannot be checked", done);
    registry_end(registry);
    files_kept(done, is_next && p.after[done].records != p.after[done + 1].records);
    presence_fine(done);
    goes_on(registry, done);
    registry_close(registry);
}

/* The program itself. What it says of a devreg that was killed it may say. */
static void check_fine(size_t done)
{
    struct program program;
    devreg_run(&program, p.image, "check");
    if (program.status > 1)
        differs(program.err, done);
    for (char *line = strtok(program.out, "\n"); line; line = strtok(NULL, "\n")) {
        if (!strstr(line, "a devreg that was killed left it"))
            differs(line, done);
    }
    program_clear(&program);
}

static void image_look(struct crash_disk *disk, enum crash_image kind, size_t done)
{
    char path[TEMPDIR_MAX], data[TEMPDIR_MAX];
    p.kind = kind;
    p.images++;
    p.seed = rng_next(&p.rng);
    bool there = crash_disk_image(disk, kind, &(struct rng){p.seed}, p.image);
    assert_true(there);
    path_join(path, p.image, "registry");
    if (access(path_join(data, path, "data.mdb"), F_OK) != 0)
        begins(path, done);
    else
        registry_fine(path, done);
    if (p.images % CHECK_EVERY == 0)
        check_fine(done);
}

static void images_look(struct crash_disk *disk, size_t count)
{
    size_t done = 0;
    for (p.cut = 0; p.cut <= crash_disk_notes(disk); p.cut++) {
        while (done < STEPS && p.after[done + 1].notes <= p.cut)
            done++;
        crash_disk_cut(disk, p.cut);
        image_look(disk, IMAGE_KILLED, done);
        image_look(disk, IMAGE_SYNCED, done);
        for (size_t i = 0; i < count; i++) {
            image_look(disk, IMAGE_ORDERED, done);
            image_look(disk, IMAGE_ANY, done);
        }
    }
}

static void every_image_holds_what_was_acknowledged(void **state)
{
    (void)state;
    const char *given = getenv("DEVREG_IMAGES");
    commands_play();
    struct crash_disk *disk = crash_disk_open(p.trace, p.root);
    for (size_t i = 1; i <= STEPS; i++)
        p.after[i].notes = crash_disk_notes_in(disk, p.after[i].notes);
    assert_int_equal(p.after[STEPS].notes, crash_disk_notes(disk));
    images_look(disk, given ? strtoul(given, NULL, 10) : IMAGES);
    print_message("%zu calls of %d commands, %zu images\n", crash_disk_notes(disk), STEPS,
                  p.images);
    crash_disk_close(disk);
}

static int begin(void **state)
{
    char real[TEMPDIR_MAX];
    (void)state;
    tempdir_make(&p.dir);
    if (!realpath(p.dir.path, real) || crypto_init())
        return -1;
    path_join(p.root, real, "live");
    path_join(p.trace, real, "trace");
    path_join(p.image, real, "image");
    return mkdir(p.root, 0755) != 0 || chmod(real, 0755) != 0 ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i <= STEPS; i++)
        free(p.after[i].file);
    if (!getenv("DEVREG_KEEP"))
        tempdir_remove(&p.dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_image_holds_what_was_acknowledged, begin, end),
    };
    /* What a disk would have kept is worked out here; memory is faster. */
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1);
    p.rng = rng_start("crash_images");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
