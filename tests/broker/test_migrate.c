/* test_migrate.c - Mosquitto's own files, imported: who could come in still can, and may do what it
 * could. Each file is first run by a broker without the plugin, and every decision is compared. */
#include <ctype.h>
#include <glob.h>
#include <string.h>

#include "deadline.h"
#include "decisions.h"
#include "tests/support/naive_topic.h"
#include "tests/support/rng.h"

#define CONF_FILES                                                                                 \
    CONF_SOCKET "allow_anonymous false\npassword_file @DIR@/passwd\nacl_file @DIR@/acl\n"

enum { LINES = 30, LINE_SIZE = 60, FILE_SIZE = LINES * LINE_SIZE + 1024, ROUNDS = 3 };

/* An acl_file whose lines can be taken out. */
struct acl {
    size_t count;
    char lines[LINES][LINE_SIZE];
};

static void write_passwd(struct scene *s, bool with_admin)
{
    char text[FILE_SIZE] = "# users\n";
    for (size_t i = 0; i < USERS + (with_admin ? 1U : 0U); i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s:%s\n", i < USERS ? users[i] : ADMIN,
                 USER_HASH);
    }
    scene_write(s, "passwd", text, 0644);
}

static void write_acl(struct scene *s, const struct acl *acl, bool with_admin)
{
    char text[FILE_SIZE] = "";
    for (size_t i = 0; i < acl->count; i++)
        strcat(strcat(text, acl->lines[i]), "\n");
    if (with_admin)
        strcat(text, "user " ADMIN "\ntopic readwrite #\ntopic readwrite $x/#\n");
    scene_write(s, "acl", text, 0644);
}

static void show_acl(const struct acl *acl)
{
    for (size_t i = 0; i < acl->count; i++)
        print_message("acl:%zu: %s\n", i + 1, acl->lines[i]);
}

/* Empties the lines that the import refused. False where it refused nothing. */
static bool drop_refused(struct scene *s, struct acl *acl)
{
    bool any = false;
    for (const char *at = s->answer.err; (at = strstr(at, "/acl:")) != NULL; at += 5) {
        size_t line = strtoul(at + 5, NULL, 10);
        check(line >= 1 && line <= acl->count);
        any |= acl->lines[line - 1][0] != '\0';
        acl->lines[line - 1][0] = '\0';
    }
    return any;
}

/* Whoever may publish everything, in the registry. */
static void add_admin(struct scene *s)
{
    scene_add(s, ADMIN " --no-role");
    scene_do(s, "allow " ADMIN " all #");
    scene_do(s, "allow " ADMIN " all $x/#");
}

static int import_files(struct scene *s)
{
    return scene_try(s, "import --mosquitto-passwd %s/passwd --acl-file %s/acl", s->dir, s->dir);
}

/* The level with what Mosquitto puts into a pattern. */
static struct naive expand(const char *filter, const char *user, bool pattern)
{
    struct naive text = naive_split(filter), out = {0};
    for (size_t i = 0; i < text.count; i++) {
        char id[32];
        const char *level = text.level[i];
        check(path_join(id, sizeof id, "cid-", user));
        level = pattern && strcmp(level, "%u") == 0 ? user : level;
        level = pattern && strcmp(level, "%c") == 0 ? id : level;
        naive_append(&out, level, strlen(level));
    }
    return out;
}

/* A line for that user, which says something about handing on: "deny", "read". */
struct reading {
    bool applies, deny;
    struct naive filter;
};

static struct reading read_line(const char *line, const char *user, char block[static LINE_SIZE])
{
    struct reading reading = {.applies = false};
    char word[LINE_SIZE], access[LINE_SIZE], filter[LINE_SIZE];
    int words = sscanf(line, "%59s %59s %59s", word, access, filter);
    if (words == 2 && strcmp(word, "user") == 0)
        memcpy(block, access, LINE_SIZE);
    if (words != 3 || strcmp(word, "user") == 0)
        return reading;
    bool pattern = strcmp(word, "pattern") == 0;
    reading.deny = strcmp(access, "deny") == 0;
    reading.applies = (pattern || strcmp(block, user) == 0) && strcmp(access, "write") != 0;
    reading.filter = expand(filter, user, pattern);
    return reading;
}

/* DESIGN section 3 of the file's own lines: one that allows covers it, and none that denies. */
static bool covered(const struct acl *acl, const char *user, const char *filter)
{
    char block[LINE_SIZE] = "";
    bool allowed = false, denied = false;
    const struct naive asked = naive_split(filter);
    for (size_t i = 0; i < acl->count; i++) {
        const struct reading reading = read_line(acl->lines[i], user, block);
        if (reading.applies && naive_covers(&reading.filter, &asked))
            *(reading.deny ? &denied : &allowed) = true;
    }
    return allowed && !denied;
}

/* Mosquitto lets every subscription through. devreg those that are covered; and then the same
 * messages come. */
static void compare_acl(const struct acl *acl, const struct decisions *was,
                        const struct decisions *is)
{
    decisions_same_publishes(was, is);
    for (size_t u = 0; u < USERS; u++) {
        for (size_t f = 0; f < filter_count; f++) {
            bool right = is->granted[u][f] == covered(acl, users[u], filter_at(f));
            check(was->granted[u][f]);
            if (!right || (is->granted[u][f] && was->handed[u][f] != is->handed[u][f]))
                decisions_differ(was, is, u, f);
        }
    }
}

/* Imports the file, without the lines that are refused; then both brokers are asked. */
static void import_and_compare(struct scene *s, struct acl *acl)
{
    static struct decisions was, is;
    scene_make_registry(s);
    write_passwd(s, false);
    do
        write_acl(s, acl, false);
    while (import_files(s) != 0 && drop_refused(s, acl));
    if (s->answer.status != 0)
        fail_msg("not imported: %s", s->answer.err);
    add_admin(s);
    scene_start(s, CONF);
    decisions_record(s, &is);
    broker_stop(&s->broker);
    write_passwd(s, true);
    write_acl(s, acl, true);
    scene_remember(s, ADMIN, USER_PASSWORD);
    broker_configure(&s->broker, CONF_FILES);
    broker_start(&s->broker);
    decisions_record(s, &was);
    compare_acl(acl, &was, &is);
}

static void acl_take(struct acl *acl, const char *const *lines, size_t count)
{
    check(count <= LINES);
    for (acl->count = 0; acl->count < count; acl->count++)
        check(path_join(acl->lines[acl->count], LINE_SIZE, lines[acl->count], ""));
}

static void what_an_acl_file_says_holds_in_devreg(void **state)
{
    static const char *const lines[] = {"# roles of a house",
                                        "user pump-7",
                                        "topic readwrite a/pump-7/#",
                                        "topic read b/+",
                                        "topic deny b/b",
                                        "topic write b/b",
                                        "user hall",
                                        "topic read #",
                                        "topic deny a/hall/#",
                                        "topic read $SYS/#",
                                        "",
                                        "user lamp-1",
                                        "topic write a/lamp-1",
                                        "pattern readwrite %u/#",
                                        "pattern read a/%u/%c",
                                        "pattern write b/%c",
                                        "pattern deny pump-7/a",
                                        "pattern write $SYS/broker/connection/%c/state"};
    struct scene *s = *state;
    struct acl acl;
    acl_take(&acl, lines, sizeof lines / sizeof *lines);
    import_and_compare(s, &acl);
}

static void random_level(struct rng *rng, char *filter, bool pattern, bool first)
{
    static const char *const levels[] = {"a", "a", "b", "+", "pump-7", "hall", "", "cid-hall"};
    static const char *const variables[] = {"%u", "%c", "+", "a"};
    if (first && rng_percent(rng, 8))
        strcat(filter, rng_percent(rng, 50) ? "$x" : "$SYS");
    else if (pattern && rng_percent(rng, 50))
        strcat(filter, variables[rng_below(rng, 4)]);
    else
        strcat(filter, levels[rng_below(rng, sizeof levels / sizeof *levels)]);
}

static void random_filter(struct rng *rng, char filter[static LINE_SIZE], bool pattern)
{
    size_t levels = 1 + rng_below(rng, 3);
    filter[0] = '\0';
    for (size_t i = 0; i < levels; i++) {
        strcat(filter, i ? "/" : "");
        random_level(rng, filter, pattern, i == 0);
    }
    if (rng_percent(rng, 40))
        strcat(filter, "/#");
    if (!*filter || rng_percent(rng, 4))
        strcpy(filter, "#");
}

static void random_line(struct rng *rng, char line[static LINE_SIZE], bool pattern)
{
    static const char *const accesses[] = {"read", "read", "write", "readwrite", "deny"};
    char filter[LINE_SIZE];
    random_filter(rng, filter, pattern);
    int size = snprintf(line, LINE_SIZE, "%s %s %s", pattern ? "pattern" : "topic",
                        accesses[rng_below(rng, pattern && rng_percent(rng, 60) ? 4 : 5)], filter);
    check(size > 0 && size < LINE_SIZE);
}

static void random_acl(struct rng *rng, struct acl *acl)
{
    *acl = (struct acl){.count = 0};
    for (size_t u = 0; u < USERS; u++) {
        check(path_join(acl->lines[acl->count++], LINE_SIZE, "user ", users[u]));
        for (size_t i = rng_below(rng, 5); i > 0; i--)
            random_line(rng, acl->lines[acl->count++], false);
    }
    for (size_t i = rng_below(rng, 6); i > 0; i--)
        random_line(rng, acl->lines[acl->count++], true);
    check(acl->count <= LINES);
}

static size_t rounds(void)
{
    const char *given = getenv("DEVREG_ROUNDS");
    return given != NULL ? strtoul(given, NULL, 10) : ROUNDS;
}

static void a_round_begins(void **state)
{
    check(scene_close(state) == 0);
    check(scene_open(state) == 0);
}

static void random_acl_files_hold_in_devreg(void **state)
{
    struct rng rng = rng_start("random_acl_files_hold_in_devreg");
    for (size_t i = 0; i < rounds(); i++) {
        struct acl acl;
        a_round_begins(state);
        random_acl(&rng, &acl);
        print_message("round %zu\n", i);
        show_acl(&acl);
        import_and_compare(*state, &acl);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_an_acl_file_says_holds_in_devreg),
        SCENE_TEST(random_acl_files_hold_in_devreg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
