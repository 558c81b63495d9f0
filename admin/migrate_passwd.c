/* Mosquitto's password_file: a line "user:hash" for each user.
 *
 * Mosquitto skips lines that it cannot use, with a warning; here they are refused. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/migrate.h"

/* The text without what stands around it. */
static char *trim(char *text)
{
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static void show_user(struct migration *migration, struct place place, size_t user)
{
    migration_show_device(migration, user);
    for (size_t i = 0; i < migration->model.role_count; i++)
        migration_show(migration, place, migration->user_names.names[user], "role @%s",
                       migration->model.roles[i]);
}

static void read_line(struct migration *migration, struct place place, char *text)
{
    if (text[0] == '#' || !*trim(text))
        return;
    char *colon = strchr(text, ':');
    if (!colon) {
        migration_refuse(migration, place, "it is no 'user:hash'");
        return;
    }
    *colon = '\0';
    size_t user = migration_add_user(migration, place, trim(text));
    if (user == NAME_NONE)
        return;
    if (migration_take_hash(migration, user, place, trim(colon + 1)))
        show_user(migration, place, user);
}

enum status migrate_passwd(struct migration *migration, const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    struct place place = {path, 0};
    if (!file)
        return complain_file(migration->call, path, errno);
    while ((length = getline(&text, &room, file)) >= 0) {
        place.line++;
        if (strlen(text) != (size_t)length)
            migration_refuse(migration, place, "it holds a NUL");
        else
            read_line(migration, place, text);
        crypto_wipe(text, (size_t)length);
    }
    bool failed = !feof(file); /* getline may also lack memory */
    int problem = errno;
    free(text);
    (void)fclose(file); /* only read from */
    return failed ? complain_file(migration->call, path, problem) : STATUS_DONE;
}
