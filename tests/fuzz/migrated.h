/* migrated.h - a file of Mosquitto's, read, and what its users may do then. */
#ifndef DEVREG_TESTS_MIGRATED_H
#define DEVREG_TESTS_MIGRATED_H

#include "admin/migrate.h"
#include "registry/password_hash.h"
#include "registry/policy.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/memory_file.h"

#define CLIENT_ID "cid"

struct migrated {
    struct call call;
    struct migration migration;
};

/* Each user and role is such as the registry takes, whatever else was refused. */
static inline void migrated_check(const struct migration *migration)
{
    struct password_hash hash;
    for (size_t i = 0; i < migration->user_names.count; i++) {
        const struct migrant *user = &migration->users[i];
        HOLDS(device_id_valid(migration->user_names.names[i]));
        HOLDS(!user->hash ||
              (!password_hash_parse(&hash, user->hash) && !password_hash_too_slow(&hash)));
        HOLDS(!user->note || strlen(user->note) <= NOTE_MAX);
        HOLDS(!user->client_id || client_id_pattern_valid(user->client_id));
        for (size_t r = 0; r < user->role_count; r++)
            HOLDS(user->roles[r] < migration->role_names.count);
    }
    for (size_t i = 0; i < migration->role_names.count; i++)
        HOLDS(role_name_valid(migration->role_names.names[i]));
}

/* Reads it by `read`. What is refused is told: a line for each, of the first thousand. */
static inline void migrated_read(struct migrated *migrated, const struct memory_file *file,
                                 enum status (*read)(struct migration *migration, const char *path))
{
    struct heard heard;
    *migrated = (struct migrated){.migration = {.everybodys = NAME_NONE}};
    migrated->migration.call = &migrated->call;
    device_init(&migrated->migration.model, "model");
    heard_begin(&heard);
    HOLDS(read(&migrated->migration, file->path) == STATUS_DONE);
    migration_tell_refused(&migrated->migration);
    HOLDS(heard_end(&heard) >= migrated->migration.refused_kept);
    HOLDS(!*migrated->call.complaint);
    migrated_check(&migrated->migration);
}

/* A user's rules and its roles', compiled. */
struct rights {
    const char *device;
    struct policy *policies[ROLES_MAX + 2];
    size_t count;
};

static inline void rights_add(struct rights *rights, const struct rules *rules)
{
    HOLDS(policy_compile(&rights->policies[rights->count++], rules) == ERR_OK);
}

static inline void rights_begin(struct rights *rights, const struct migration *migration,
                                size_t number)
{
    const struct migrant *user = &migration->users[number];
    *rights = (struct rights){.device = migration->user_names.names[number]};
    HOLDS(user->role_count <= ROLES_MAX);
    rights_add(rights, &user->rules);
    if (migration->everybodys != NAME_NONE)
        rights_add(rights, &migration->roles[migration->everybodys].rules);
    for (size_t i = 0; i < user->role_count; i++)
        rights_add(rights, &migration->roles[user->roles[i]].rules);
}

static inline void rights_end(struct rights *rights)
{
    for (size_t i = 0; i < rights->count; i++)
        policy_free(rights->policies[i]);
}

static inline bool rights_allow(const struct rights *rights, enum question question,
                                const char *topic)
{
    const struct subject subject = {rights->device, NULL, 0};
    bool allow = false, deny = false;
    for (size_t i = 0; i < rights->count; i++) {
        struct policy_match match =
            policy_match(rights->policies[i], &subject, CLIENT_ID, question, topic, strlen(topic));
        allow |= match.allow != NULL;
        deny |= match.deny != NULL;
    }
    return allow && !deny;
}

#endif
