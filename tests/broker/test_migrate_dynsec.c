/* test_migrate_dynsec.c - a dynamic-security.json, imported, decides as Mosquitto's own plugin does
 * in the same broker: by hand and at random, every publish, subscription and delivery compared. */
#include <ctype.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decisions.h"
#include "tests/support/rng.h"

#define CONF_DYNSEC                                                                                \
    CONF_SOCKET "allow_anonymous false\nplugin @DIR@/dynsec.so\n"                                  \
                "plugin_opt_config_file @DIR@/broker/dynsec.json\n"
#define SALT_AND_PASSWORD                                                                          \
    "\"salt\":\"AAECAwQFBgcICQoL\",\"iterations\":101,\"password\":\"lp0Cm29zl+CI/RXyXDKvLye7OxM3" \
    "OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==\""

enum {
    ROLES = 4,
    HELD = 2,
    ACLS = 10,
    GROUPS = 2,
    FILTER_SIZE = 40,
    FILE_SIZE = 1 << 15,
    ROUNDS = 3
};

struct acl {
    bool out; /* it was refused */
    const char *type;
    char topic[FILTER_SIZE];
    int priority;
    bool allow;
};

/* A role of somebody, with its priority. */
struct held {
    size_t role;
    int priority;
};

struct setting {
    bool receive; /* by default */
    size_t acl_count[ROLES];
    struct acl acls[ROLES][ACLS];
    struct held users[USERS][HELD], groups[GROUPS][HELD];
    bool member[GROUPS][USERS];
    int member_priority[GROUPS][USERS];
};

struct text {
    char at[FILE_SIZE];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int size = vsnprintf(text->at + text->used, sizeof text->at - text->used, format, values);
    va_end(values);
    check(size >= 0 && text->used + (size_t)size < sizeof text->at);
    text->used += (size_t)size;
}

static void put_acl(struct text *text, const char *type, const char *topic, int priority,
                    bool allow)
{
    bool first = text->at[text->used - 1] == '[';
    put(text, "%s{\"acltype\":\"%s\",\"topic\":\"%s\",\"priority\":%d,\"allow\":%s}",
        first ? "" : ",", type, topic, priority, allow ? "true" : "false");
}

static void put_roles(struct text *text, const struct setting *setting)
{
    put(text, "\"roles\":[");
    for (size_t r = 0; r < ROLES; r++) {
        put(text, "%s{\"rolename\":\"r%zu\",\"acls\":[", r ? "," : "", r);
        for (size_t a = 0; a < setting->acl_count[r]; a++) {
            const struct acl *acl = &setting->acls[r][a];
            if (!acl->out)
                put_acl(text, acl->type, acl->topic, acl->priority, acl->allow);
        }
        put(text, "]}");
    }
}

/* The user who may do everything, for the broker that runs the file itself. */
static void put_admin_role(struct text *text)
{
    static const char *const everything[] = {"#", "$x/#"};
    put(text, ",{\"rolename\":\"admin\",\"acls\":[");
    for (size_t i = 0; i < 2; i++)
        put_acl(text, "publishClientSend", everything[i], 0, true);
    put(text, "]}");
}

/* Two different roles, or one that is there twice: then it is written once. */
static void put_held(struct text *text, const struct held held[static HELD])
{
    put(text, "\"roles\":[{\"rolename\":\"r%zu\",\"priority\":%d}", held[0].role, held[0].priority);
    if (held[1].role != held[0].role)
        put(text, ",{\"rolename\":\"r%zu\",\"priority\":%d}", held[1].role, held[1].priority);
    put(text, "]");
}

static void put_clients(struct text *text, const struct setting *setting, bool with_admin)
{
    put(text, "\"clients\":[");
    for (size_t u = 0; u < USERS; u++) {
        put(text, "%s{\"username\":\"%s\"," SALT_AND_PASSWORD ",", u ? "," : "", users[u]);
        put_held(text, setting->users[u]);
        put(text, "}");
    }
    if (with_admin)
        put(text, ",{\"username\":\"" ADMIN "\"," SALT_AND_PASSWORD
                  ",\"roles\":[{\"rolename\":\"admin\"}]}");
    put(text, "],");
}

static void put_groups(struct text *text, const struct setting *setting)
{
    put(text, "\"groups\":[");
    for (size_t g = 0; g < GROUPS; g++) {
        bool first = true;
        put(text, "%s{\"groupname\":\"g%zu\",", g ? "," : "", g);
        put_held(text, setting->groups[g]);
        put(text, ",\"clients\":[");
        for (size_t u = 0; u < USERS; u++) {
            if (!setting->member[g][u])
                continue;
            put(text, "%s{\"username\":\"%s\",\"priority\":%d}", first ? "" : ",", users[u],
                setting->member_priority[g][u]);
            first = false;
        }
        put(text, "]}");
    }
    put(text, "],");
}

static bool is_2_1(void)
{
    return broker_version() >= 20100;
}

static void write_setting(struct scene *s, const struct setting *setting, bool with_admin,
                          const char *name)
{
    static struct text text;
    text.used = 0;
    put(&text, "{%s", is_2_1() ? "\"changeIndex\":3," : "");
    put(&text,
        "\"defaultACLAccess\":{\"publishClientSend\":false,\"publishClientReceive\":%s,"
        "\"subscribe\":false,\"unsubscribe\":true},",
        setting->receive ? "true" : "false");
    put_clients(&text, setting, with_admin);
    put_groups(&text, setting);
    put_roles(&text, setting);
    if (with_admin)
        put_admin_role(&text);
    put(&text, "]}");
    scene_write(s, name, text.at, 0644);
}

/* Mosquitto's plugin, where the broker's user can reach it. False where it is not shipped. */
static bool copy_plugin(const struct scene *s)
{
    static const char name[] = "mosquitto_dynamic_security.so";
    const char *program = getenv("DEVREG_MOSQUITTO");
    char pattern[512], to_path[BROKER_PATH_MAX];
    glob_t found;
    struct stat info;
    const char *slash = program != NULL ? strrchr(program, '/') : NULL;
    bool own = slash != NULL;
    int dir = own ? (int)(slash - program) : 0;
    check(snprintf(pattern, sizeof pattern, own ? "%.*s/lib/%s" : "%.*s/usr/lib/*/%s", dir,
                   own ? program : "", name) < (int)sizeof pattern);
    bool there = glob(pattern, 0, NULL, &found) == 0;
    check(path_join(to_path, sizeof to_path, s->dir, "/dynsec.so"));
    if (there) {
        int from = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
        int to = open(to_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        check(from >= 0 && to >= 0 && fstat(from, &info) == 0 && fchmod(to, 0644) == 0);
        check(sendfile(to, from, NULL, (size_t)info.st_size) == info.st_size);
        check(close(from) == 0 && close(to) == 0);
    }
    globfree(&found);
    return there;
}

/* The ACL that stands as the `number`th of a role, those that are out not counted. */
static struct acl *acl_numbered(struct setting *setting, size_t role, size_t number)
{
    for (size_t a = 0; a < setting->acl_count[role]; a++) {
        if (!setting->acls[role][a].out && --number == 0)
            return &setting->acls[role][a];
    }
    fail_msg("there is no such ACL");
    return NULL;
}

/* Takes the first ACL out that the import refused. False where it refused nothing. */
static bool drop_refused(struct scene *s, struct setting *setting)
{
    size_t role, number;
    const char *at = strstr(s->answer.err, "role 'r");
    if (at == NULL || sscanf(at, "role 'r%zu', ACL %zu", &role, &number) != 2)
        return false;
    acl_numbered(setting, role, number)->out = true;
    return true;
}

/* In Mosquitto 2.0 a wildcard at the first level admits a subscription to "$...". */
static bool is_known(const struct decisions *was, const struct decisions *is, size_t u, size_t f)
{
    return !is_2_1() && filter_at(f)[0] == '$' && was->granted[u][f] && !is->granted[u][f];
}

static void compare(const struct decisions *was, const struct decisions *is)
{
    decisions_same_publishes(was, is);
    for (size_t u = 0; u < USERS; u++) {
        for (size_t f = 0; f < filter_count; f++) {
            bool same =
                was->granted[u][f] == is->granted[u][f] && was->handed[u][f] == is->handed[u][f];
            if (!same && !is_known(was, is, u, f))
                decisions_differ(was, is, u, f);
        }
    }
}

static void add_admin(struct scene *s)
{
    scene_add(s, ADMIN " --no-role");
    scene_do(s, "allow " ADMIN " all #");
    scene_do(s, "allow " ADMIN " all $x/#");
}

static void import_and_compare(struct scene *s, struct setting *setting)
{
    static struct decisions was, is;
    int status;
    scene_make_registry(s);
    do
        write_setting(s, setting, false, "dynsec.json");
    while ((status = scene_try(s, "import --dynsec %s/dynsec.json", s->dir)) != 0 &&
           drop_refused(s, setting));
    if (status != 0)
        fail_msg("not imported: %s", s->answer.err);
    add_admin(s);
    scene_start(s, CONF);
    decisions_record(s, &is);
    broker_stop(&s->broker);
    write_setting(s, setting, true, "broker/dynsec.json");
    scene_remember(s, ADMIN, USER_PASSWORD);
    broker_configure(&s->broker, CONF_DYNSEC);
    broker_start(&s->broker);
    decisions_record(s, &was);
    compare(&was, &is);
}

static void random_level(struct rng *rng, char *topic, bool wild, bool first)
{
    static const char *const levels[] = {"a", "a", "b", "b", "pump-7", "hall", "", "cid-hall"};
    static const char *const wilds[] = {"+", "+", "%u", "%c"};
    if (first && rng_percent(rng, 8))
        strcat(topic, rng_percent(rng, 50) ? "$x" : "$SYS");
    else if (wild && rng_percent(rng, 35))
        strcat(topic, wilds[rng_below(rng, is_2_1() ? 4 : 2)]);
    else
        strcat(topic, levels[rng_below(rng, sizeof levels / sizeof *levels)]);
}

static void random_topic(struct rng *rng, char topic[static FILTER_SIZE], bool wild)
{
    do {
        size_t levels = 1 + rng_below(rng, 3);
        topic[0] = '\0';
        for (size_t i = 0; i < levels; i++) {
            strcat(topic, i ? "/" : "");
            random_level(rng, topic, wild, i == 0);
        }
        if (wild && rng_percent(rng, 40))
            strcat(topic, "/#");
        if (wild && rng_percent(rng, 8))
            strcpy(topic, "#");
    } while (!*topic);
}

static bool is_there(const struct setting *setting, size_t role, const struct acl *acl)
{
    for (size_t a = 0; a < setting->acl_count[role]; a++) {
        const struct acl *other = &setting->acls[role][a];
        if (strcmp(other->type, acl->type) == 0 && strcmp(other->topic, acl->topic) == 0)
            return true;
    }
    return false;
}

static void add_acl(struct setting *setting, size_t role, const struct acl *acl)
{
    if (setting->acl_count[role] < ACLS && !is_there(setting, role, acl))
        setting->acls[role][setting->acl_count[role]++] = *acl;
}

/* What is subscribed to is often handed on, too: else there would be little to compare. */
static void random_acl(struct rng *rng, struct setting *setting, size_t role)
{
    static const char *const types[] = {
        "publishClientSend", "publishClientSend",    "subscribePattern", "subscribePattern",
        "subscribePattern",  "publishClientReceive", "subscribeLiteral", "unsubscribePattern"};
    struct acl acl = {.type = types[rng_below(rng, sizeof types / sizeof *types)],
                      .priority = (int)rng_below(rng, 5) - 2,
                      .allow = rng_percent(rng, 65)};
    random_topic(rng, acl.topic, strcmp(acl.type, "subscribeLiteral") != 0);
    add_acl(setting, role, &acl);
    if (strcmp(acl.type, "subscribePattern") == 0 && rng_percent(rng, acl.allow ? 60 : 90)) {
        acl.type = "publishClientReceive";
        add_acl(setting, role, &acl);
    }
}

static struct held random_held(struct rng *rng)
{
    return (struct held){rng_below(rng, ROLES), (int)rng_below(rng, 4) - 1};
}

static void random_setting(struct rng *rng, struct setting *setting)
{
    *setting = (struct setting){.receive = rng_percent(rng, 50)};
    for (size_t r = 0; r < ROLES; r++) {
        for (size_t i = rng_below(rng, 9); i > 0; i--)
            random_acl(rng, setting, r);
    }
    for (size_t h = 0; h < HELD; h++) {
        for (size_t g = 0; g < GROUPS; g++)
            setting->groups[g][h] = random_held(rng);
        for (size_t u = 0; u < USERS; u++)
            setting->users[u][h] = random_held(rng);
    }
    for (size_t g = 0; g < GROUPS; g++) {
        for (size_t u = 0; u < USERS; u++) {
            setting->member[g][u] = rng_percent(rng, 50);
            setting->member_priority[g][u] = (int)rng_below(rng, 3) - 1;
        }
    }
}

static size_t rounds(void)
{
    const char *given = getenv("DEVREG_ROUNDS");
    return given != NULL ? strtoul(given, NULL, 10) : ROUNDS;
}

static void show(const struct setting *setting)
{
    for (size_t r = 0; r < ROLES; r++) {
        for (size_t a = 0; a < setting->acl_count[r]; a++) {
            const struct acl *acl = &setting->acls[r][a];
            print_message("r%zu%s %s %s %s %d\n", r, acl->out ? " (out)" : "",
                          acl->allow ? "allow" : "deny", acl->type, acl->topic, acl->priority);
        }
    }
}

static void random_settings_hold_in_devreg(void **state)
{
    struct rng rng = rng_start("random_settings_hold_in_devreg");
    for (size_t i = 0; i < rounds(); i++) {
        static struct setting setting;
        check(scene_close(state) == 0);
        check(scene_open(state) == 0);
        if (!copy_plugin(*state))
            skip();
        random_setting(&rng, &setting);
        print_message("round %zu\n", i);
        import_and_compare(*state, &setting);
        show(&setting);
    }
}

static void add(struct setting *setting, size_t role, const char *type, const char *topic,
                int priority, bool allow)
{
    struct acl acl = {.type = type, .priority = priority, .allow = allow};
    check(path_join(acl.topic, sizeof acl.topic, topic, ""));
    add_acl(setting, role, &acl);
}

static void add_both(struct setting *setting, size_t role, const char *topic, int priority,
                     bool allow)
{
    add(setting, role, "subscribePattern", topic, priority, allow);
    add(setting, role, "publishClientReceive", topic, priority, allow);
}

/* Of all kinds, priorities and groups; and not one ACL is refused. */
static void what_a_setting_says_holds_in_devreg(void **state)
{
    static struct setting setting;
    struct scene *s = *state;
    if (!copy_plugin(s))
        skip();
    setting = (struct setting){.users = {{{0, 1}, {0, 1}}, {{0, 0}, {1, 5}}, {{2, 0}, {2, 0}}},
                               .groups = {{{1, 0}, {3, 2}}, {{3, 0}, {3, 0}}},
                               .member = {{true}, {false, false, true, true}},
                               .member_priority = {{1}, {0, 0, 4, 0}}};
    add(&setting, 0, "publishClientSend", "a/+", 0, true);
    add(&setting, 0, "publishClientSend", "a/b", 3, false);
    add(&setting, 0, "publishClientSend", "a/a", -3, false);
    add(&setting, 0, "publishClientSend", "$x/#", 0, true);
    add_both(&setting, 0, "b/#", 0, true);
    add_both(&setting, 0, "b/b/#", 1, false);
    add(&setting, 1, "publishClientSend", "pump-7/#", 0, true);
    add(&setting, 1, "subscribeLiteral", "a/b/a", 0, true);
    add(&setting, 1, "publishClientReceive", "a/b/#", 0, true);
    add_both(&setting, 2, "#", 0, true);
    add_both(&setting, 2, "a/hall/+", 2, false);
    add(&setting, 2, "unsubscribePattern", "#", 2, true);
    add_both(&setting, 3, "$SYS/broker/+", 0, true);
    add(&setting, 3, "publishClientSend", "$SYS/broker/connection/+/state", 0, true);
    import_and_compare(s, &setting);
    for (size_t r = 0; r < ROLES; r++) {
        for (size_t a = 0; a < setting.acl_count[r]; a++)
            assert_false(setting.acls[r][a].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_a_setting_says_holds_in_devreg),
        SCENE_TEST(random_settings_hold_in_devreg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
