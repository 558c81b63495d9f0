#include "plugin/guesses.h"

#include <stdlib.h>
#include <string.h>

enum { WAYS = 8, NETWORKS = 1024 };

struct guess {
    uint64_t name, pair; /* as of struct guesser; 0 in an empty one */
    int64_t last;        /* when it was counted last */
    int64_t looked;      /* how far the looks of then have been used up: see spend */
    uint32_t failures;
    bool home;
};

struct guess_table {
    struct guess guesses[GUESS_PLACES][WAYS];
    int64_t told[NETWORKS];  /* as `looked`, by the network's hash; */
    int64_t named[NETWORKS]; /* by that of its first 48 bits */
    uint8_t marks[GUESS_MARKS / 8];
};

void guesses_open(struct guesses *guesses)
{
    crypto_random(guesses->key, sizeof guesses->key);
}

void guesses_close(struct guesses *guesses)
{
    free(guesses->table);
    guesses->table = NULL;
}

static struct guess_table *table_of(struct guesses *guesses)
{
    if (!guesses->table)
        guesses->table = calloc(1, sizeof *guesses->table);
    return guesses->table;
}

/* Not keyed: it is asked at each login once anybody has failed, and who finds two names of one mark
 * has found nothing. */
static uint32_t mark_of(const char *name)
{
    return (uint32_t)(table_hash_name(name) % GUESS_MARKS);
}

bool guesses_mark(const struct guess_table *table, const char *name)
{
    uint32_t mark = mark_of(name);
    return table->marks[mark / 8] & 1 << mark % 8;
}

static uint64_t hash_of(const struct guesses *guesses, const void *data, size_t size)
{
    uint64_t hash = crypto_table_hash(data, size, guesses->key);
    return hash ? hash : 1;
}

static uint64_t hash_of_name(const struct guesses *guesses, const char *name)
{
    return hash_of(guesses, name, strlen(name));
}

struct guesser guesser_of(const struct guesses *guesses, const char *name,
                          const struct network *network)
{
    if (!network->family)
        return (struct guesser){0};
    const uint64_t parts[] = {hash_of_name(guesses, name), network->prefix, network->family};
    return (struct guesser){.network = *network,
                            .name = parts[0],
                            .pair = hash_of(guesses, parts, sizeof parts),
                            .mark = mark_of(name)};
}

/* A bucket of `most` tokens, one more every `each` ms, as the moment at which it is full again. */
static bool spend(int64_t *full_at, int64_t most, int64_t each, int64_t now)
{
    int64_t from = *full_at > now ? *full_at : now;
    if (from - now > (most - 1) * each)
        return false;
    *full_at = from + each;
    return true;
}

static struct guess *find(const struct guesses *guesses, const struct guesser *guesser)
{
    if (!guesses->table || !guesser->pair)
        return NULL;
    struct guess *place = guesses->table->guesses[guesser->pair % GUESS_PLACES];
    for (size_t i = 0; i < WAYS; i++) {
        if (place[i].pair == guesser->pair)
            return &place[i];
    }
    return NULL;
}

static uint32_t guilt(const struct guess *guess, int64_t now)
{
    return now - guess->last < GUESS_FORGET_MS ? guess->failures : 0;
}

static int64_t penalty(uint32_t failures)
{
    if (failures <= GUESS_FREE)
        return 0;
    uint32_t doublings = failures - GUESS_FREE - 1;
    int64_t ms = doublings < 20 ? (int64_t)GUESS_PENALTY_MS << doublings : GUESS_PENALTY_MAX_MS;
    return ms < GUESS_PENALTY_MAX_MS ? ms : GUESS_PENALTY_MAX_MS;
}

/* Of the names that come from the network's site. */
static int64_t *named(const struct guesses *guesses, const struct network *network)
{
    const uint64_t site = network->family == 6 ? network->prefix >> 16 : network->prefix;
    const uint64_t parts[] = {site, network->family};
    return &guesses->table->named[hash_of(guesses, parts, sizeof parts) % NETWORKS];
}

bool guesses_flooded(const struct guesses *guesses, const struct guesser *guesser, int64_t now)
{
    if (!guesses->table || !guesser->pair || guesser->home || find(guesses, guesser))
        return false;
    int64_t full_at = *named(guesses, &guesser->network);
    return !spend(&full_at, GUESS_NAMES, GUESS_NAME_MS, now);
}

bool guesses_refuse(const struct guesses *guesses, const struct guesser *guesser, int64_t now)
{
    const struct guess *guess = find(guesses, guesser);
    return guess && now - guess->last < penalty(guess->failures);
}

bool guesses_look(struct guesses *guesses, const struct guesser *guesser, int64_t now)
{
    struct guess *guess = find(guesses, guesser);
    return guess && spend(&guess->looked, GUESS_LOOKS, GUESS_LOOK_MS, now);
}

bool guesses_at_home(const struct guesses *guesses, const struct guesser *guesser)
{
    const struct guess *guess = find(guesses, guesser);
    return guess && guess->home;
}

/* The one that is known, or the least guilty of its place, of those the one counted longest ago.
 * NULL for one name too many. */
static struct guess *place_for(struct guesses *guesses, const struct guesser *guesser, int64_t now)
{
    struct guess *least = find(guesses, guesser);
    if (least)
        return least;
    if (!guesser->home &&
        !spend(named(guesses, &guesser->network), GUESS_NAMES, GUESS_NAME_MS, now))
        return NULL;
    struct guess *place = guesses->table->guesses[guesser->pair % GUESS_PLACES];
    least = place;
    for (size_t i = 1; i < WAYS; i++) {
        uint32_t a = guilt(&place[i], now), b = guilt(least, now);
        if (a < b || (a == b && place[i].last < least->last))
            least = &place[i];
    }
    *least = (struct guess){.name = guesser->name, .pair = guesser->pair, .last = now};
    return least;
}

void guesses_count(struct guesses *guesses, const struct guesser *guesser, int64_t now)
{
    if (!guesser->pair || !table_of(guesses))
        return;
    if (now - guesses->last >= GUESS_FORGET_MS) /* so the marks are few again */
        guesses_pardon_all(guesses);
    guesses->last = now;
    struct guess *guess = place_for(guesses, guesser, now);
    if (!guess)
        return;
    guess->failures = guilt(guess, now);
    guess->failures += guess->failures < UINT32_MAX;
    guess->last = now;
    guess->home = guesser->home;
    guesses->table->marks[guesser->mark / 8] |= (uint8_t)(1 << guesser->mark % 8);
}

void guesses_forgive(struct guesses *guesses, const struct guesser *guesser)
{
    struct guess *guess = find(guesses, guesser);
    if (guess)
        *guess = (struct guess){0};
}

void guesses_pardon(struct guesses *guesses, const char *name)
{
    if (!guesses_may_concern(guesses, name))
        return;
    uint64_t hash = hash_of_name(guesses, name);
    struct guess *all = guesses->table->guesses[0];
    for (size_t i = 0; i < (size_t)GUESS_PLACES * WAYS; i++) {
        if (all[i].name == hash)
            all[i] = (struct guess){0};
    }
}

void guesses_pardon_all(struct guesses *guesses)
{
    if (!guesses->table)
        return;
    memset(guesses->table->guesses, 0, sizeof guesses->table->guesses);
    memset(guesses->table->marks, 0, sizeof guesses->table->marks);
}

bool guesses_may_tell(struct guesses *guesses, const struct network *network, int64_t now)
{
    if (!table_of(guesses))
        return true;
    const uint64_t parts[] = {network->prefix, network->family};
    size_t at = hash_of(guesses, parts, sizeof parts) % NETWORKS;
    return spend(&guesses->table->told[at], GUESS_LINES, GUESS_LINE_MS, now);
}
