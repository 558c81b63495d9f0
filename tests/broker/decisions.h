/* decisions.h - everything that a broker lets some users do, found out by doing it.
 *
 * For each user: may it publish on each topic? And for each filter: may it subscribe to that, and
 * which of the topics does it get then, when everything is published? One user, ADMIN, may do
 * everything in both brokers: it publishes.
 *
 * The users' client ids are "cid-" and their names, and all have one password.
 */
#ifndef DEVREG_TESTS_DECISIONS_H
#define DEVREG_TESTS_DECISIONS_H

#include "scene.h"

#define ADMIN         "admin-1"
#define USER_PASSWORD "correct horse"
/* Of that password, as mosquitto_passwd 2.0 makes one. */
#define USER_HASH                                                                                  \
    "$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/"                       \
    "pFh2Ur7yarLDpKRUKpB0tOj"                                                                      \
    "6l0UrRv41zqxmD4tg=="

enum { USERS = 4, TOPICS_MAX = 64, FILTERS_MAX = 96 };

extern const char *const users[USERS];
extern const char *const topics[];
extern const size_t topic_count;
extern const size_t filter_count; /* those with wildcards, and all topics */

/* The filter, or topic, of that number. */
const char *filter_at(size_t number);

struct decisions {
    bool publish[USERS][TOPICS_MAX];
    bool granted[USERS][FILTERS_MAX];
    uint64_t handed[USERS][FILTERS_MAX]; /* a bit for each topic; 0 where it is not granted */
};

/* Asks the broker that runs. ADMIN's key, or password, is the scene's. */
void decisions_record(struct scene *scene, struct decisions *decisions);

/* Are both the same for every publish? Else fails, and says what differs. */
void decisions_same_publishes(const struct decisions *was, const struct decisions *is);
/* Fails with what differs about that user and filter. */
_Noreturn void decisions_differ(const struct decisions *was, const struct decisions *is,
                                size_t user, size_t filter);

#endif
