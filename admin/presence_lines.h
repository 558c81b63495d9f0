/* presence_lines.h - what is noted of a device's connections, in a few lines for people. */
#ifndef DEVREG_ADMIN_PRESENCE_LINES_H
#define DEVREG_ADMIN_PRESENCE_LINES_H

#include "admin/presence_view.h"

/* The credential that its last connection was made with; NULL for none, or where it is gone. Lends.
 */
const struct credential *credential_used(const struct device *device,
                                         const struct presence *presence);

/* Adds the lines to `answer`, each under its name, where there is something to say:
 *
 *   presence_line   offline since 2026-..., connection_lost
 *   client          pump-7
 *   address         192.0.2.7
 *   protocol_line   MQTT 5, persistent session, keepalive 60 s
 *   connected_line  2026-... with key 1 'spring'; 17 times in all
 *   left_line       2026-..., connection_lost     while it is online again
 *   refused_line    2 times, last 2026-...
 *   denied_line     12 times, last 2026-...
 */
void presence_lines(cJSON *answer, const struct device *device, enum presence_state state,
                    const struct presence *presence);

/* quarantine_line: since 2026-...: 192.0.2.1 and 198.51.100.7 took its connection from each other;
 * ... */
void quarantine_line(cJSON *answer, const char *device, const struct quarantine *quarantine);

#endif
