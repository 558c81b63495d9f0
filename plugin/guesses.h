/* guesses.h - failed logins, counted by the name that was tried and the network that it came from.
 *
 *   failures in a row    1 to 5    6     7     8    ...   16 and more
 *   refused for          -         1 s   2 s   4 s  ...   15 min
 *
 * Refused is: at once, without a look at what was sent. Attempts meanwhile are not counted, so a
 * device that retries all day is let in as soon as the time is over and its key is right. A login
 * that succeeds ends it, and so do an hour of quiet and a change of the device by an administrator.
 * Whether there is a device of that name makes no difference.
 *
 * A stranger behind the same address must not lock the device out, nor get past the penalty. A key
 * is looked at all the same, since nobody guesses one. Of passwords those that are remembered are,
 * GUESS_LOOKS of them and then one a second, from the network where the device was accepted last
 * ("home").
 *
 * The table has a fixed size and is allocated with the first failure. Where eight are in one place
 * already, the least guilty makes room. A network may bring in GUESS_NAMES names and then one a
 * second, so it takes one longer to push out what was counted than that is remembered anyway.
 *
 * Knows no broker. `now` is ms of a clock that never goes back.
 */
#ifndef DEVREG_PLUGIN_GUESSES_H
#define DEVREG_PLUGIN_GUESSES_H

#include "plugin/network.h"
#include "plugin/table.h"
#include "registry/crypto.h"

enum {
    GUESS_PLACES = 1024, /* of eight each: 330 KB */
    GUESS_MARKS = 32768, /* bits */
    GUESS_FREE = 5,      /* failures without a penalty */
    GUESS_PENALTY_MS = 1000,
    GUESS_PENALTY_MAX_MS = 15 * 60 * 1000,
    GUESS_FORGET_MS = 60 * 60 * 1000,
    GUESS_LOOKS = 1000,
    GUESS_LOOK_MS = 1000,
    GUESS_NAMES = 100, /* that a network may fail with at once, and then one more in */
    GUESS_NAME_MS = 1000,
    GUESS_LINES = 10, /* that a network may cause in the log at once, and then one in */
    GUESS_LINE_MS = 1000
};

/* Who guesses: {0} is nobody, where no network is known. */
struct guesser {
    struct network network;
    uint64_t name, pair; /* hashes under a key of this process: of the name; and of both */
    uint32_t mark;
    bool home; /* is it where the device was accepted last? The caller's to say */
};

struct guess_table;

/* {0} and guesses_open. */
struct guesses {
    struct guess_table *table; /* NULL until the first failure */
    int64_t last;              /* when that was counted last */
    uint8_t key[CRYPTO_MAC_KEY_SIZE];
};

void guesses_open(struct guesses *guesses);
void guesses_close(struct guesses *guesses);

/* May something be counted against that name, from wherever? Never no where there is. */
bool guesses_mark(const struct guess_table *table, const char *name);
static inline bool guesses_may_concern(const struct guesses *guesses, const char *name)
{
    return guesses->table && guesses_mark(guesses->table, name);
}

struct guesser guesser_of(const struct guesses *guesses, const char *name,
                          const struct network *network);

/* Is it to be refused at once? */
bool guesses_refuse(const struct guesses *guesses, const struct guesser *guesser, int64_t now);

/* Is this one name more than its network may fail with, of IPv6 the first 48 bits? Then no failure
 * would be counted, and no password is to be looked at: otherwise who fails under ever new names
 * would have those forgotten that were counted before. Never at home. */
bool guesses_flooded(const struct guesses *guesses, const struct guesser *guesser, int64_t now);

/* At home, while it is refused: may one more password be looked at? */
bool guesses_look(struct guesses *guesses, const struct guesser *guesser, int64_t now);

/* Was it the device's home when a failure was counted last? */
bool guesses_at_home(const struct guesses *guesses, const struct guesser *guesser);

/* A login failed for want of the right key or password. */
void guesses_count(struct guesses *guesses, const struct guesser *guesser, int64_t now);

/* It succeeded. */
void guesses_forgive(struct guesses *guesses, const struct guesser *guesser);

/* The device of that name was changed; any may have been. */
void guesses_pardon(struct guesses *guesses, const char *name);
void guesses_pardon_all(struct guesses *guesses);

/* May one more line about that network stand in the log? Yes for want of memory. */
bool guesses_may_tell(struct guesses *guesses, const struct network *network, int64_t now);

#endif
