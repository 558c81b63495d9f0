/* presence_store.h - presence records and session owners, over a store.
 *
 *   DIR/presence/   mosquitto:mosquitto 0750, its files 0640, written by the plugin alone
 *
 *   key                     record
 *   'p' device id           presence (presence.h)
 *   'o' client key, 16 B    the id of the device that owns the session
 *   't'                     the presence topic in use, for `devreg explain` and for clearing up
 *                           after it was changed
 *
 * The scopes are those of store.h: txn_reader and txn_renew to read, txn_write to write.
 */
#ifndef DEVREG_REGISTRY_PRESENCE_STORE_H
#define DEVREG_REGISTRY_PRESENCE_STORE_H

#include "registry/presence.h"
#include "registry/store.h"

/* ERR_NOT_FOUND where the device never connected; ERR_DAMAGED. */
MUST_CHECK enum err presence_get(struct txn *txn, const char *device, struct presence *presence);
/* The record that follows the device `after` ("" for the first). ERR_NOT_FOUND at the end. `device`
 * is also set with ERR_DAMAGED. `device` may be `after`. */
MUST_CHECK enum err presence_next(struct txn *txn, const char *after,
                                  char device[static DEVICE_ID_MAX + 1], struct presence *presence);
/* Who owns the client id's session; ERR_NOT_FOUND for nobody. */
MUST_CHECK enum err owner_get(struct txn *txn, const struct client_key *client,
                              char device[static DEVICE_ID_MAX + 1]);
/* Does anybody own a session? In doubt yes. */
bool owners_exist(struct txn *txn);
/* The presence topic that the plugin last ran with; ERR_NOT_FOUND before its first run. */
MUST_CHECK enum err presence_topic_get(struct txn *txn, char topic[static RULE_FILTER_MAX + 1]);

/* Stores what presence_encode made; the owner records do not follow: for a record that names no
 * sessions, and follows one that named none. Keeps its failure in the scope. */
void presence_put_encoded(struct txn *txn, const char *device, struct bytes record);

/* These keep their failure in the scope. presence_put also makes owner records follow the record's
 * sessions: those that it names are the device's, those of `before` (NULL for none) that it no
 * longer names are nobody's. */
void presence_put(struct txn *txn, const char *device, const struct presence *presence,
                  const struct presence *before);
void presence_delete(struct txn *txn, const char *device, const struct presence *before);
void presence_topic_put(struct txn *txn, const char *topic);

#endif
