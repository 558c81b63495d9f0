/* places.h - where a registry is made, and for which broker: `init` and `restore`. */
#ifndef DEVREG_ADMIN_PLACES_H
#define DEVREG_ADMIN_PLACES_H

#include <pwd.h>

#include "admin/command.h"

/* The account that the broker runs as: --user, or mosquitto where root runs this and there is one,
 * or whoever runs this. Lends it until the next question to the password file. */
MUST_CHECK enum status broker_user_find(struct call *call, const struct passwd **user);

/* The registry's directory, as an absolute path: what stands in the broker's configuration needs it
 * whole. Lends `buffer` or the call's own. */
enum { PLACE_MAX = 4095 };
const char *place_absolute(const struct call *call, char buffer[static PLACE_MAX + 1]);

/* Says what the broker's configuration needs. */
void places_tell_conf(const struct call *call);

/* The registry's directory could not be made: complains of it. */
MUST_CHECK enum status places_complain(struct call *call, enum err e);

#endif
