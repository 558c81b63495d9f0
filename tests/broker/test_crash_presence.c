/* test_crash_presence.c - the machine loses its power at every write of the plugin's presence
 * store: what was told was on the disk before, and the store is whole.
 *
 *   clients come and go --> a broker, with crash_calls.so --> notes of each call --> images
 *          presence messages that came: each with how many notes there were by then
 *
 * In every image the store opens, nothing is wrong with it, each device is recorded at least as far
 * as it had been told, and what was told with that very seq is what is recorded.
 *
 * DEVREG_IMAGES says how many of each kind are drawn at each call, DEVREG_SEED which. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/presence_check.h"
#include "scene.h"
#include "tests/store/crash_disk.h"
#include "tests/support/rng.h"
#include "watch.h"

enum { DEVICES = 8, STEPS = 60, TOLD_MAX = 1000, IMAGES = 1 };

/* A presence message, and the size of the trace when it had come. */
struct told {
    size_t device, bytes, notes;
    uint64_t seq;
    bool online;
};

struct play {
    struct scene *scene;
    struct rng rng;
    struct client *watch, *clients[DEVICES];
    size_t told_count, images;
    struct told told[TOLD_MAX];
    bool online[DEVICES];
    char trace[BROKER_PATH_MAX], image[BROKER_PATH_MAX], root[BROKER_PATH_MAX];
    size_t cut;
    enum crash_image kind;
    uint64_t seed;
};

static struct play p;

static const char *device_id(size_t device)
{
    static char id[8];
    check(snprintf(id, sizeof id, "pump-%zu", device) > 0);
    return id;
}

/* ---- what happens */

static void hear(void)
{
    struct stat trace;
    struct sighting seen = watch_next(p.watch);
    struct told *told = &p.told[p.told_count++];
    check(p.told_count < TOLD_MAX && !seen.cleared);
    check(stat(p.trace, &trace) == 0);
    if (sscanf(seen.device, "pump-%zu", &told->device) != 1) {
        p.told_count--; /* the watcher itself */
        return;
    }
    told->bytes = (size_t)trace.st_size;
    told->seq = seen.seq;
    told->online = p.online[told->device] = seen.online;
}

/* Until it was told of all as it is. */
static void hear_all(void)
{
    for (size_t i = 0; i < DEVICES; i++) {
        while (p.online[i] != (p.clients[i] != NULL))
            hear();
    }
}

static void step(void)
{
    size_t i = rng_below(&p.rng, DEVICES);
    if (p.clients[i] == NULL) {
        p.clients[i] = scene_accept(p.scene, LOGIN(.user = device_id(i), .id = device_id(i),
                                                   .persistent = rng_percent(&p.rng, 30)));
        return;
    }
    if (rng_percent(&p.rng, 50))
        client_disconnect(p.clients[i]);
    else
        client_drop(p.clients[i]);
    p.clients[i] = NULL; /* the scene frees it */
}

static void preload(bool on)
{
    check((on ? setenv("LD_PRELOAD", CRASH_BEHIND CRASH_CALLS, 1) : unsetenv("LD_PRELOAD")) == 0);
}

static void play_begin(struct scene *scene)
{
    p = (struct play){.scene = scene, .rng = rng_start("test_crash_presence")};
    check(path_join(p.trace, sizeof p.trace, scene->dir, "/trace"));
    check(path_join(p.image, sizeof p.image, scene->dir, "/image"));
    char *real = realpath(scene->dir, NULL); /* into a given place it takes PATH_MAX bytes */
    check(real && path_join(p.root, sizeof p.root, real, "/registry"));
    free(real);
    check(setenv("CRASH_ROOT", p.root, 1) == 0 && setenv("CRASH_TRACE", p.trace, 1) == 0);
    preload(true);
    scene_make_registry(scene);
    preload(false);
    scene->broker.preload = CRASH_CALLS;
    scene_start(scene, CONF);
    for (size_t i = 0; i < DEVICES; i++)
        scene_add(scene, device_id(i));
    p.watch = watch_open(scene, "+");
}

/* The broker runs twice, and is killed and stopped. */
static void play(void)
{
    for (size_t i = 0; i < STEPS; i++) {
        step();
        if (rng_percent(&p.rng, 40))
            hear_all();
    }
    hear_all();
    broker_kill(&p.scene->broker);
    memset(p.clients, 0, sizeof p.clients);
    broker_start(&p.scene->broker);
    p.watch = watch_open(p.scene, "+");
    hear_all();
    broker_stop(&p.scene->broker);
}

/* ---- the images */

static _Noreturn void differs(const char *what, const char *more)
{
    fail_msg("%s: %s, at call %zu, in image %zu (kind %d, seed %" PRIu64 ")", what, more, p.cut,
             p.images, (int)p.kind, p.seed);
    abort();
}

static void finding(void *context, const char *what, const char *problem)
{
    (void)context;
    differs(what, problem);
}

static void device_fine(struct txn *txn, size_t device)
{
    struct presence record = {.seq = 0};
    enum err e = presence_get(txn, device_id(device), &record);
    if (e && e != ERR_NOT_FOUND)
        differs(device_id(device), err_text(e));
    for (size_t i = 0; i < p.told_count; i++) {
        const struct told *told = &p.told[i];
        if (told->device != device)
            continue;
        if (told->notes <= p.cut && record.seq < told->seq)
            differs(device_id(device), "it was told what is not recorded");
        if (record.seq == told->seq && record.online != told->online)
            differs(device_id(device), "it was told otherwise");
    }
}

static void image_fine(void)
{
    char path[BROKER_PATH_MAX];
    struct store *store;
    struct txn *txn;
    struct presence_check result = {0};
    check(path_join(path, sizeof path, p.image, "/presence"));
    enum err e = store_open(&store, path, STORE_PRESENCE, STORE_WRITE);
    if (e)
        differs("the store does not open", err_text(e));
    check(txn_reader(&txn, store) == ERR_OK && txn_renew(txn) == ERR_OK);
    e = presence_check(txn, &result, finding, NULL);
    if (e)
        differs("it cannot be checked", err_text(e));
    for (size_t i = 0; i < DEVICES; i++)
        device_fine(txn, i);
    txn_close(txn);
    check(txn_write(&txn, store) == ERR_OK);
    ran_version_put(txn, "another");
    if (txn_commit(txn) != ERR_OK)
        differs("nothing can be written", "");
    store_close(store);
}

static void image_look(const struct crash_disk *disk, enum crash_image kind)
{
    p.kind = kind;
    p.images++;
    p.seed = rng_next(&p.rng);
    check(crash_disk_image(disk, kind, &(struct rng){p.seed}, p.image));
    image_fine();
}

static void what_was_told_outlives_a_power_cut(void **state)
{
    const char *given = getenv("DEVREG_IMAGES");
    size_t count = given ? strtoul(given, NULL, 10) : IMAGES, made;
    struct stat trace;
    play_begin(*state);
    check(stat(p.trace, &trace) == 0);
    made = (size_t)trace.st_size; /* the store, by then */
    play();
    struct crash_disk *disk = crash_disk_open(p.trace, p.root);
    for (size_t i = 0; i < p.told_count; i++)
        p.told[i].notes = crash_disk_notes_in(disk, p.told[i].bytes);
    for (p.cut = crash_disk_notes_in(disk, made); p.cut <= crash_disk_notes(disk); p.cut++) {
        crash_disk_cut(disk, p.cut);
        image_look(disk, IMAGE_KILLED);
        image_look(disk, IMAGE_SYNCED);
        for (size_t i = 0; i < count; i++) {
            image_look(disk, IMAGE_ORDERED);
            image_look(disk, IMAGE_ANY);
        }
    }
    print_message("%zu calls, %zu messages, %zu images\n", crash_disk_notes(disk), p.told_count,
                  p.images);
    crash_disk_close(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_was_told_outlives_a_power_cut),
    };
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
