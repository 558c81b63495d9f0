/* online.c - `bench_online REGISTRY SKIP COUNT`: writes into the presence store of a registry whose
 * broker does not run that COUNT devices, after the first SKIP, are online: what a broker leaves
 * behind that was killed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/presence_feed.h"
#include "registry/registry.h"

static _Noreturn void die(const char *what, enum err e)
{
    (void)fprintf(stderr, "bench_online: %s: %s\n", what, err_text(e));
    exit(EXIT_FAILURE);
}

static void must(const char *what, enum err e)
{
    if (e)
        die(what, e);
}

static uint64_t number(const char *text)
{
    char *rest;
    errno = 0;
    uint64_t value = strtoull(text, &rest, 10);
    if (*text < '0' || *text > '9' || *rest || errno)
        die(text, ERR_INVALID);
    return value;
}

static struct presence record_of(const struct device *device, int64_t now)
{
    const uint64_t seq = (uint64_t)now;
    struct presence record = {.online = true,
                              .seq = seq,
                              .conn = 1,
                              .connections = 1,
                              .generation = device->generation,
                              .place = 1,
                              .since = now,
                              .connected_at = now,
                              .protocol = 4,
                              .keepalive = 60,
                              .credential = 1,
                              .address = "192.0.2.1"};
    (void)snprintf(record.client, sizeof record.client, "%s", device->id);
    return record;
}

static void write_all(struct registry *registry, struct txn *txn, uint64_t skip, uint64_t count)
{
    struct presence_counts counts = {0};
    struct patterns patterns = {0};
    const struct pack nothing = {0};
    char after[DEVICE_ID_MAX + 1] = "";
    const int64_t now = (int64_t)time(NULL) * 1000;
    for (uint64_t i = 0; i < skip + count; i++) {
        struct device device;
        must("too few devices", registry_next_device(registry, after, &device));
        memcpy(after, device.id, sizeof after);
        if (i >= skip) {
            const struct presence record = record_of(&device, now);
            presence_put(txn, device.id, &record, NULL);
            counts.seen++;
        }
        device_clear(&device);
    }
    counts.online = counts.seen;
    patterns_use(&patterns, PRESENCE_PATTERN);
    patterns_put(txn, &patterns);
    feed_put(txn, 1, &counts, &nothing);
}

int main(int argc, char **argv)
{
    char dir[4096];
    struct registry *registry;
    struct store *store;
    struct txn *txn;
    if (argc != 4 || snprintf(dir, sizeof dir, "%s/" PRESENCE_SUBDIR, argv[1]) >= (int)sizeof dir)
        die("usage: bench_online REGISTRY SKIP COUNT", ERR_INVALID);
    must("crypto", crypto_init());
    must(argv[1], registry_open(&registry, argv[1], STORE_READ));
    must(dir, store_open(&store, dir, STORE_PRESENCE, STORE_WRITE));
    must("registry", registry_read(registry));
    must("presence store", txn_write(&txn, store));
    write_all(registry, txn, number(argv[2]), number(argv[3]));
    must("commit", txn_commit(txn));
    registry_end(registry);
    store_close(store);
    registry_close(registry);
    return EXIT_SUCCESS;
}
