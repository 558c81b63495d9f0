/* fuzz_acl.c - Mosquitto's acl_file.
 *
 * Where nothing is refused, each user may publish what Mosquitto lets it, and is handed what
 * Mosquitto hands it, on each topic that the file's filters have to do with. */
#include "tests/fuzz/migrated.h"
#include "tests/fuzz/samples.h"

enum { LINES_MAX = 40 };

static struct memory_file file;

/* A 'topic' or 'pattern' of the file. */
struct line {
    bool pattern, deny, read, write;
    char *user, *filter; /* lent from `text` */
};

struct acl {
    size_t count;
    struct line lines[LINES_MAX];
};

/* ---- the file, read once more */

static void trim_end(char *text)
{
    size_t length = strlen(text);
    while (length && strchr(" \t\n\v\f\r", text[length - 1]))
        text[--length] = '\0';
}

static char *skip(char *text, const char *blanks)
{
    return text + strspn(text, blanks);
}

/* Cuts off the first word; what follows. */
static char *cut_word(char *text)
{
    char *end = text + strcspn(text, " ");
    if (*end)
        *end++ = '\0';
    return end;
}

/* False for a line that says nothing of topics. */
static bool read_line(struct line *line, char *text, char **user)
{
    trim_end(text);
    if (*text == '#' || !*skip(text, " "))
        return false;
    char *word = skip(text, " "), *rest = cut_word(word);
    if (strcmp(word, "user") == 0) {
        *user = skip(rest, " \t\v\f\r");
        return false;
    }
    char *access = skip(rest, " "), *filter = skip(cut_word(access), " \t\v\f\r");
    bool whole = !*filter;
    *line = (struct line){.pattern = strcmp(word, "pattern") == 0,
                          .deny = !whole && strcmp(access, "deny") == 0,
                          .read = whole || strcmp(access, "write") != 0,
                          .write = whole || strcmp(access, "read") != 0,
                          .user = *user,
                          .filter = whole ? access : filter};
    return true;
}

/* The lines lend from `text`. False where there are too many. */
static bool read_acl(struct acl *acl, char *text)
{
    char *user = NULL;
    acl->count = 0;
    for (char *next; text; text = next) {
        next = strchr(text, '\n');
        if (next)
            *next++ = '\0';
        if (acl->count == LINES_MAX)
            return false;
        acl->count += read_line(&acl->lines[acl->count], text, &user);
    }
    return true;
}

/* ---- what Mosquitto decides: see admin/migrate_acl.c */

static bool line_matches(const struct line *line, const char *device, const char *topic)
{
    static struct plain filter, name;
    plain_split(&filter, line->filter);
    plain_split(&name, topic);
    for (size_t i = 0; i < filter.count && line->pattern; i++) {
        struct plain_level *level = &filter.levels[i];
        if (plain_is(level, "%u"))
            *level = (struct plain_level){PLAIN_TEXT, device, strlen(device)};
        else if (plain_is(level, "%c"))
            *level = (struct plain_level){PLAIN_TEXT, CLIENT_ID, strlen(CLIENT_ID)};
    }
    return plain_matches(&filter, &name);
}

static bool any_line(const struct acl *acl, bool pattern, bool deny, const char *device, bool write,
                     const char *topic)
{
    for (size_t i = 0; i < acl->count; i++) {
        const struct line *line = &acl->lines[i];
        bool its = pattern ? line->pattern : !line->pattern && strcmp(line->user, device) == 0;
        if (its && line->deny == deny && (deny || (write ? line->write : line->read)) &&
            line_matches(line, device, topic))
            return true;
    }
    return false;
}

static bool mosquitto_allows(const struct acl *acl, const char *device, bool write,
                             const char *topic)
{
    if (any_line(acl, false, true, device, write, topic))
        return false;
    if (any_line(acl, false, false, device, write, topic))
        return true;
    return !any_line(acl, true, true, device, write, topic) &&
           any_line(acl, true, false, device, write, topic);
}

static void check_user(const struct migration *migration, const struct acl *acl, size_t user)
{
    static struct samples samples;
    struct rights rights;
    char *filters[LINES_MAX];
    rights_begin(&rights, migration, user);
    for (size_t i = 0; i < acl->count; i++)
        filters[i] = acl->lines[i].filter;
    samples_make(&samples, filters, acl->count, rights.device, CLIENT_ID);
    for (size_t i = 0; i < samples.count; i++) {
        const char *topic = samples.text[i];
        if (!topic_name_valid(topic))
            continue;
        HOLDS(rights_allow(&rights, QUESTION_PUBLISH, topic) ==
              mosquitto_allows(acl, rights.device, true, topic));
        HOLDS(rights_allow(&rights, QUESTION_DELIVER, topic) ==
              mosquitto_allows(acl, rights.device, false, topic));
    }
    rights_end(&rights);
}

static enum status migrate_acl_alone(struct migration *migration, const char *path)
{
    return migrate_acl(migration, path, "patterns");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_init();
    memory_file_open(&file);
    return crypto_init() == ERR_OK ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct migrated migrated;
    static struct acl acl;
    const struct migration *migration = &migrated.migration;
    if (size > FUZZ_INPUT_MAX / 8)
        return 0;
    memory_file_set(&file, data, size);
    migrated_read(&migrated, &file, migrate_acl_alone);
    char *text = input_copy(data, size);
    if (!migration->refused_count && read_acl(&acl, text)) {
        for (size_t i = 0; i < migration->user_names.count && i < 3; i++)
            check_user(migration, &acl, i);
    }
    free(text);
    migration_clear(&migrated.migration);
    return 0;
}
