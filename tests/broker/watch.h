/* watch.h - what the tests read from devreg/presence/<device>. */
#ifndef DEVREG_TESTS_WATCH_H
#define DEVREG_TESTS_WATCH_H

#include "scene.h"

/* One presence message in JSON. */
struct sighting {
    bool cleared; /* an empty message: the rest is not set */
    bool retained;
    bool online;
    char device[129], reason[32], client[160], address[128], session[16];
    uint64_t version, generation, seq, conn, protocol, keepalive;
    int64_t ts, since, connected_at;
};

/* A client of the device `watcher`, which is added where it is missing and may subscribe to all
 * presence, that is subscribed to the presence of `device`. */
struct client *watch_open(struct scene *scene, const char *device);

/* The next message. It has to hold the fields of DESIGN.md's section 6 and no others. */
struct sighting watch_next(struct client *watch);
/* The next message says that the device is online, or offline for that reason (NULL: any). */
struct sighting watch_online(struct client *watch);
struct sighting watch_offline(struct client *watch, const char *reason);
/* Waits for it past older messages, whose seq must not be higher. */
struct sighting watch_until(struct client *watch, bool online);
/* Waits until the device's retained message is no more. */
void watch_until_none(struct scene *scene, const char *device);

/* 2.1 tells why a connection ended, 2.0 does not: that reason, or "unknown". */
const char *watch_reason(const char *known);

#endif
