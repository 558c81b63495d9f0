#include "admin/migrate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "registry/access.h"
#include "registry/key.h"
#include "registry/password_hash.h"

enum { REFUSED_KEPT = 1000, REASON_SIZE = 1024 };

/* An array that is full, moved to twice the room. */
static void *grow(void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? 2 * *room : 64;
    void *grown = memory_get(*room * size);
    if (count)
        memcpy(grown, items, count * size);
    free(items);
    return grown;
}

char *migration_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_get(size), text, size);
}

void migration_refuse(struct migration *migration, struct place place, const char *format, ...)
{
    char reason[REASON_SIZE];
    va_list values;
    migration->refused_count++;
    if (migration->refused_kept == REFUSED_KEPT)
        return;
    va_start(values, format);
    vsnprintf(reason, sizeof reason, format, values);
    va_end(values);
    key_hide(reason); /* a key may stand anywhere in a file */
    migration->refused = grow(migration->refused, migration->refused_kept, &migration->refused_room,
                              sizeof *migration->refused);
    migration->refused[migration->refused_kept++] = (struct refused){place, migration_copy(reason)};
}

void migration_show(struct migration *migration, struct place place, const char *what,
                    const char *format, ...)
{
    char text[REASON_SIZE], from[REASON_SIZE];
    va_list values;
    if (!migration->shown)
        return;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    snprintf(from, sizeof from, place.line ? SHOWN ":%zu" : SHOWN, place.file, place.line);
    cJSON *row = cJSON_CreateObject();
    json_text(row, "from", from);
    json_text(row, "what", what);
    json_text(row, "becomes", text);
    listing_add(migration->shown, row);
    if (migration->shown->row_count == LISTING_ROWS)
        listing_flush(migration->shown);
}

/* Is the name free? `kind` is "user" or "role". */
static bool name_free(struct migration *migration, const struct name_table *names,
                      struct place place, const char *kind, const char *name)
{
    size_t there = name_table_find(names, name);
    if (there == NAME_NONE)
        return true;
    if (strcmp(names->names[there], name) == 0)
        migration_refuse(migration, place, "%s '" SHOWN "' is there twice", kind, name);
    else
        migration_refuse(migration, place,
                         "%s '" SHOWN
                         "' differs only in case from '%s': devreg keeps such twins out",
                         kind, name, names->names[there]);
    return false;
}

size_t migration_add_user(struct migration *migration, struct place place, const char *name)
{
    struct name_table *names = &migration->user_names;
    if (!device_id_valid(name)) {
        migration_refuse(migration, place,
                         "user '" SHOWN "' cannot be a device: its id has 1 to %d characters of "
                         "A-Z a-z 0-9 . _ : @ - and begins with a letter or digit",
                         name, DEVICE_ID_MAX);
        return NAME_NONE;
    }
    if (!name_free(migration, names, place, "user", name))
        return NAME_NONE;
    migration->users =
        grow(migration->users, names->count, &migration->user_room, sizeof *migration->users);
    migration->users[names->count] = (struct migrant){.place = place};
    return name_table_add(names, name);
}

size_t migration_add_role(struct migration *migration, struct place place, const char *name)
{
    struct name_table *names = &migration->role_names;
    if (!role_name_valid(name)) {
        migration_refuse(migration, place,
                         "role '" SHOWN "' cannot be one here: its name has 1 to %d characters of "
                         "A-Z a-z 0-9 . _ : - and begins with a letter or digit",
                         name, ROLE_NAME_MAX);
        return NAME_NONE;
    }
    if (!name_free(migration, names, place, "role", name))
        return NAME_NONE;
    migration->roles =
        grow(migration->roles, names->count, &migration->role_room, sizeof *migration->roles);
    migration->roles[names->count] = (struct migrant_role){.place = place};
    return name_table_add(names, name);
}

bool migration_take_hash(struct migration *migration, size_t user, struct place place,
                         const char *text)
{
    struct password_hash hash;
    char described[PASSWORD_SCHEME_MAX + 1];
    const char *name = migration->user_names.names[user];
    const char *problem = password_hash_parse(&hash, text);
    password_hash_describe(described, &hash);
    if (problem)
        migration_refuse(migration, place, "user '%s': no password that Mosquitto hashed: %s", name,
                         problem);
    else if (password_hash_too_slow(&hash))
        migration_refuse(
            migration, place,
            "user '%s': its password (%s) costs too much to check: at most $7$ with %d "
            "rounds, or $argon2id$ with m=%d and m*t=%d; give it another in Mosquitto, "
            "or leave it out and use 'devreg add'",
            name, described, PASSWORD_ROUNDS_MAX, PASSWORD_MEMORY_MAX, PASSWORD_WORK_MAX);
    else
        migration->users[user].hash = migration_copy(text);
    crypto_wipe(&hash, sizeof hash);
    return migration->users[user].hash != NULL;
}

const char *migration_filter_problem(const char *filter, bool variables, bool publishes)
{
    const char *problem = rule_filter_problem(filter);
    for (const char *level = filter; !problem; level++) {
        size_t length = strcspn(level, "/");
        if (level[0] == '%' && length > 1 && !variables)
            problem = "a level that begins with '%' stands for itself here, and would be a "
                      "variable in a rule";
        else if (level[0] == '%' && length > 2) /* others but %u and %c are no filters */
            problem = "'%{name}' stands for itself here, and would be an attribute in a rule";
        level += length;
        if (!*level)
            break;
    }
    bool own = strncmp(filter, RESERVED_TOPIC, strlen(RESERVED_TOPIC)) == 0 &&
               strchr("/", filter[strlen(RESERVED_TOPIC)]);
    if (!problem && own && publishes)
        problem = "topics below devreg/ are devreg's own: nobody else publishes there";
    return problem;
}

bool migration_add_rule(struct migration *migration, struct place place, struct rules *rules,
                        enum effect effect, enum action action, const char *filter)
{
    enum err e = rules_set(rules, effect, action, filter, NULL);
    if (e == ERR_NO_MEMORY)
        memory_out();
    if (!e || e == ERR_EXISTS)
        return true;
    migration_refuse(migration, place, "it would be rule number %d: no more than %d fit",
                     RULES_MAX + 1, RULES_MAX);
    return false;
}

void migration_show_device(struct migration *migration, size_t number)
{
    struct password_hash hash;
    char password[PASSWORD_SCHEME_MAX + 32] = "without a password";
    char described[PASSWORD_SCHEME_MAX + 1];
    const struct migrant *user = &migration->users[number];
    if (!migration->shown)
        return;
    if (user->hash && !password_hash_parse(&hash, user->hash)) {
        password_hash_describe(described, &hash);
        snprintf(password, sizeof password, "its password works on (%s)", described);
    }
    migration_show(migration, user->place, migration->user_names.names[number], "device%s, %s",
                   user->disabled ? ", disabled" : "", password);
}
