/* refusals.h - logins that were refused: what is said of them in the log, and counted.
 *
 *   login failed from 203.0.113.5 device=pump-7 client=probe reason=wrong_key
 *
 * is the form that other programs read (examples/fail2ban): the address first, and behind it no
 * blank that a client chose. Where there is no address that can be held against anybody (network.h)
 *
 *   refused device=pump-7 client=probe address=/run/mqtt reason=wrong_key
 *
 * A network has a small budget of lines (guesses_may_tell), so that it cannot use up the journal's,
 * which all share. How many were left out is said.
 *
 * It is all done at the turn, after the answer: the time that it takes tells nobody whether there
 * is a device of that name.
 */
#ifndef DEVREG_PLUGIN_REFUSALS_H
#define DEVREG_PLUGIN_REFUSALS_H

#include "plugin/network.h"
#include "registry/device.h"
#include "registry/presence.h"

struct plugin;

enum refusal {
    REFUSED_NOT, /* it was let in, or handed on */
    REFUSED_UNKNOWN,
    REFUSED_NO_PASSWORD,
    REFUSED_WRONG_KEY,
    REFUSED_WRONG_PASSWORD,
    REFUSED_NOT_CHECKED, /* the password is on its way to the worker: it may be right */
    REFUSED_UNSEEN,      /* too many passwords: nobody looked at it */
    REFUSED_GUESSING,    /* nor here: there were too many failures */
    REFUSED_DISABLED,
    REFUSED_REVOKED,
    REFUSED_EXPIRED,
    REFUSED_QUARANTINED,
    REFUSED_CLIENT_ID,
    REFUSED_FOREIGN_CLIENT_ID,
    REFUSED_CONNECTIONS,   /* it has as many as it may */
    REFUSED_FAULT,         /* what it takes to know cannot be read, in the registry, */
    REFUSED_PRESENCE_FAULT /* in the presence store */
};

enum { REFUSALS_MAX = 32, REFUSAL_CLIENT_MAX = 200, REFUSALS_LEFT_OUT_MS = 10000 };

/* {0} is empty. */
struct refusals {
    struct refusal_note {
        enum refusal refusal;
        struct network network; /* of a family, or none */
        int64_t now;
        char device[DEVICE_ID_MAX + 1], client[REFUSAL_CLIENT_MAX + 1];
        char address[PRESENCE_ADDRESS_MAX + 1]; /* "" for none */
    } notes[REFUSALS_MAX];
    size_t count;
    uint64_t left_out; /* lines, of networks that were over their budget */
    int64_t said_at;   /* steady clock: when that was said last */
};

/* Notes one, of which `username`, `client_id` and `address` are what a stranger may have chosen;
 * they may be NULL. `now` in ms since 1970. */
struct refused {
    const char *username, *client_id, *address;
    struct network network;
    enum refusal refusal;
    int64_t now;
};
void refusals_note(struct plugin *plugin, const struct refused *refused);

/* Says and counts what was noted. */
void refusals_tell(struct plugin *plugin);

/* Is there anything to tell? */
static inline bool refusals_wait(const struct refusals *refusals)
{
    return refusals->count || refusals->left_out;
}

#endif
