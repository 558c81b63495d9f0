/* oracle.h - what DESIGN says of a device and a question, read afresh each time: no cache, no
 * compiled rules, nothing kept from one question to the next. */
#ifndef DEVREG_TESTS_ORACLE_H
#define DEVREG_TESTS_ORACLE_H

#include "tests/plugin/world.h"

/* All that is registered about one username. End what facts_read filled with facts_clear. */
struct facts {
    bool there;
    struct device device;
    size_t role_count;
    struct role roles[ROLES_MAX];
};

/* From the registry, in a scope of its own. The second is for a client without a username, who has
 * that role or none. */
void facts_read(struct facts *facts, struct registry *registry, const char *username);
void facts_read_anonymous(struct facts *facts, struct registry *registry, const char *role);
void facts_clear(struct facts *facts);

/* From a world, which it lends: no clear. */
void facts_of_world(struct facts *facts, const struct world *world, const char *username);

/* Is the device enabled, and not expired? */
bool facts_live(const struct facts *facts, int64_t now);

/* Is there a credential of that number, and has it not expired? Lends it, or NULL. */
const struct credential *facts_credential(const struct facts *facts, uint32_t id, int64_t now);

/* Do the rules let a client with that id publish on, subscribe to, be handed (MOSQ_ACL_*) the
 * topic? */
bool facts_allow(const struct facts *facts, const char *client_id, int access, const char *topic);

/* May a client publish there at all? */
bool oracle_reserved(const char *topic);

#endif
