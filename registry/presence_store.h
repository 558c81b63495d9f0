/* presence_store.h - presence records and session owners, over a store.
 *
 *   DIR/presence/   mosquitto:mosquitto 0750, its files 0640, written by the plugin alone
 *
 *   key                     record
 *   'p' device id           presence (presence.h)
 *   'o' client key, 16 B    the id of the device that owns the session
 *   't'                     the patterns of presence topics that messages stand under, for
 *                           clearing up after a change, and for `devreg explain`
 *   'r' device id           the topic under which its message stands, where the pattern names
 *                           attributes
 *   'x' topic               a topic where a message stood that may come back, since Mosquitto
 *                           restarts with what it saved: the device, and when it was cleared
 *   'a'                     the store is new, and Mosquitto may still restart with what it saved
 *                           before: what it shows then is of another store
 *   'v'                     the version of the devreg.so that ran last
 *   'q' device id           a quarantine: quarantine.h
 *   'w' number, 8 B         the feed: presence_feed.h
 *
 * The scopes are those of store.h: txn_reader and txn_renew to read, txn_write to write.
 */
#ifndef DEVREG_REGISTRY_PRESENCE_STORE_H
#define DEVREG_REGISTRY_PRESENCE_STORE_H

#include "registry/presence.h"
#include "registry/presence_topic.h"
#include "registry/store.h"

/* ERR_NOT_FOUND where the device never connected; ERR_DAMAGED. */
MUST_CHECK enum err presence_get(struct txn *txn, const char *device, struct presence *presence);
/* The record that follows the device `after` ("" for the first). ERR_NOT_FOUND at the end. `device`
 * is also set with ERR_DAMAGED. `device` may be `after`. What stands under a name that no device
 * can have is passed over. */
MUST_CHECK enum err presence_next(struct txn *txn, const char *after,
                                  char device[static DEVICE_ID_MAX + 1], struct presence *presence);
/* Who owns the client id's session; ERR_NOT_FOUND for nobody. */
MUST_CHECK enum err owner_get(struct txn *txn, const struct client_key *client,
                              char device[static DEVICE_ID_MAX + 1]);
/* Does anybody own a session? In doubt yes. */
bool owners_exist(struct txn *txn);
/* The pattern in use, "" where presence is off; ERR_NOT_FOUND before the plugin's first run. */
MUST_CHECK enum err presence_topic_get(struct txn *txn, char topic[static RULE_FILTER_MAX + 1]);
/* The version of the devreg.so that ran last; ERR_NOT_FOUND before its first run. */
enum { VERSION_TEXT_MAX = 31 };
MUST_CHECK enum err ran_version_get(struct txn *txn, char version[static VERSION_TEXT_MAX + 1]);
/* May the broker show what is of a store before this one? In doubt yes. */
bool store_is_anew(struct txn *txn);
/* The patterns that messages stand under; none before the plugin's first run. */
MUST_CHECK enum err patterns_get(struct txn *txn, struct patterns *patterns);

/* The topic under which the message of a device stands whose record is `presence`; ERR_NOT_FOUND
 * where there is none. */
MUST_CHECK enum err standing_topic_get(struct txn *txn, const char *device,
                                       const struct presence *presence,
                                       char topic[static PRESENCE_TOPIC_MAX + 1]);

/* The cleared topic that follows `after` ("" for the first), whose it was, and when it was cleared.
 * ERR_NOT_FOUND at the end; `topic` is also set with ERR_DAMAGED. `topic` may be `after`. */
MUST_CHECK enum err cleared_topic_next(struct txn *txn, const char *after,
                                       char topic[static PRESENCE_TOPIC_MAX + 1],
                                       char device[static DEVICE_ID_MAX + 1], int64_t *when);

/* Stores what presence_encode made; the owner records do not follow: for a record that names no
 * sessions, and follows one that named none. Keeps its failure in the scope. */
void presence_put_encoded(struct txn *txn, const char *device, struct bytes record);
/* The same where nothing is recorded of the device yet: else ERR_EXISTS, which is an answer. */
MUST_CHECK enum err presence_insert_encoded(struct txn *txn, const char *device,
                                            struct bytes record);

/* These keep their failure in the scope. presence_put also makes owner records follow the record's
 * sessions: those that it names are the device's, those of `before` (NULL for none) that it no
 * longer names are nobody's. */
void presence_put(struct txn *txn, const char *device, const struct presence *presence,
                  const struct presence *before);
void presence_delete(struct txn *txn, const char *device, const struct presence *before);
void patterns_put(struct txn *txn, const struct patterns *patterns);
void ran_version_put(struct txn *txn, const char *version);
void store_begins_anew(struct txn *txn);
void store_is_known(struct txn *txn);
/* `topic` NULL: the record's pattern says it all. */
void standing_topic_put(struct txn *txn, const char *device, const char *topic);
void cleared_topic_put(struct txn *txn, const char *topic, const char *device, int64_t now);
void cleared_topic_delete(struct txn *txn, const char *topic);

#endif
