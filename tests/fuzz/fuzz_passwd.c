/* fuzz_passwd.c - Mosquitto's password_file.
 *
 * Where nothing is refused, there is a user for each line that is neither blank nor a comment, with
 * the hash of that line. */
#include "tests/fuzz/migrated.h"

static struct memory_file file;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_init();
    memory_file_open(&file);
    return crypto_init() == ERR_OK ? 0 : 1;
}

/* The text without blanks around it. */
static char *trimmed(char *text)
{
    static const char blanks[] = " \t\n\v\f\r";
    text += strspn(text, blanks);
    size_t length = strlen(text);
    while (length && strchr(blanks, text[length - 1]))
        length--;
    text[length] = '\0';
    return text;
}

static void check_line(const struct migration *migration, char *line, size_t *user)
{
    if (*line == '#' || !*trimmed(line))
        return;
    char *colon = strchr(line, ':');
    HOLDS(colon && *user < migration->user_names.count);
    *colon = '\0';
    HOLDS(strcmp(migration->user_names.names[*user], trimmed(line)) == 0);
    HOLDS(strcmp(migration->users[*user].hash, trimmed(colon + 1)) == 0);
    ++*user;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct migrated migrated;
    struct input input = {data, size};
    const struct migration *migration = &migrated.migration;
    size_t users = 0;
    if (size > FUZZ_INPUT_MAX)
        return 0;
    memory_file_set(&file, data, size);
    migrated_read(&migrated, &file, migrate_passwd);
    HOLDS(!memchr(data, '\0', size) || migration->refused_count);
    while (input.size && !migration->refused_count) {
        char *line = input_line(&input);
        check_line(migration, line, &users);
        free(line);
    }
    HOLDS(migration->refused_count || users == migration->user_names.count);
    migration_clear(&migrated.migration);
    return 0;
}
