/* picks.h - the devices that a change is to be made of, as they were when they were selected: 70
 * bytes and an id each, so a million of them fit into memory. In the order of their ids. */
#ifndef DEVREG_ADMIN_PICKS_H
#define DEVREG_ADMIN_PICKS_H

#include "registry/device.h"
#include "registry/key.h"

struct pick {
    struct pick *next;
    uint64_t generation, version;
    uint32_t credential;         /* the id of its next one */
    uint8_t hash[KEY_HASH_SIZE]; /* of the key that is to be that */
    char id[];
};

/* {0} is empty. */
struct picks {
    struct pick *first;
    uint64_t count;

    /* The rest is its own. */
    struct pick *last;
    struct pick_block *blocks;
};

/* Notes the device `id`, of that generation and version, whose next credential has that id. */
void picks_add(struct picks *picks, const char *id, uint64_t generation, uint64_t version,
               uint32_t credential);
/* Wipes and frees. */
void picks_clear(struct picks *picks);

#endif
