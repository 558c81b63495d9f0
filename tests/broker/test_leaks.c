/* test_leaks.c - a whole life of a registry and its broker, and none of the keys and passwords that
 * were used in it is anywhere afterwards but where it was asked for.
 *
 * Looked through: what the broker logged, also as $SYS/broker/log; each message that somebody who
 * may read all of them got; what each devreg said, past the key that it was asked for; every file
 * of the registry, of the presence store, of the broker, of exports and backups; how the broker was
 * started; and, for secrets that no client ever sent, the broker's memory. Not claimed: that the
 * broker's memory does not hold what its clients sent. Mosquitto itself keeps each client's
 * password. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "deadline.h"
#include "registry/crypto.h"
#include "registry/key.h"
#include "scene.h"

#define CONF_ALL                                                                                   \
    CONF_TCP CONF_PERSISTENCE CONF                                                                 \
        "plugin_opt_events on\nlog_dest topic\nlog_type all\nconnection_messages true\n"

#define PASSWORD     "correct horse battery staple"
#define NEW_PASSWORD "purple monkey dishwasher"
#define WRONG        "not the horse at all"

enum { PATH_SIZE = 400, CHUNK = 1 << 20, HUGE_MAPPING = 1 << 30, OVERLAP = 256 };

/* What was seen, each piece behind the last. */
struct seen {
    const char *what;
    char *text;
    size_t size;
};

static struct seen said = {.what = "devreg"}, messages = {.what = "a message"};

static void see(struct seen *seen, const char *text, size_t size)
{
    char *more = realloc(seen->text, seen->size + size + 1);
    check(more != NULL);
    seen->text = more;
    memcpy(more + seen->size, text, size);
    seen->size += size;
    more[seen->size++] = '\n';
}

static bool holds(const struct seen *seen, const char *text)
{
    return memmem(seen->text, seen->size, text, strlen(text)) != NULL;
}

static void expect_silent(const struct scene *s, const char *what, const void *data, size_t size,
                          size_t from)
{
    for (size_t i = from; i < s->secret_count; i++) {
        const char *secret = s->secrets[i].text;
        if (size && memmem(data, size, secret, strlen(secret)))
            fail_msg("%s tells the secret of %s", what, s->secrets[i].device);
    }
}

/* ---- what devreg says */

static void see_answer(struct scene *s, bool out)
{
    if (out)
        see(&said, s->answer.out, s->answer.out_size);
    see(&said, s->answer.err, s->answer.err_size);
}

#define RUN(...)                                                                                   \
    do {                                                                                           \
        scene_do(s, __VA_ARGS__);                                                                  \
        see_answer(s, true);                                                                       \
    } while (0)

static void add(struct scene *s, const char *words)
{
    scene_add(s, words);
    see_answer(s, false);
}

/* `verb` with --json: the object without the key is what it says beside. */
static void add_json(struct scene *s, const char *verb, const char *id)
{
    scene_do(s, "%s %s --json", verb, id);
    cJSON *object = cJSON_Parse(s->answer.out);
    cJSON *key = cJSON_DetachItemFromObjectCaseSensitive(object, "key");
    check(cJSON_IsString(key));
    scene_remember(s, id, cJSON_GetStringValue(key));
    char *rest = cJSON_PrintUnformatted(object);
    check(rest != NULL);
    see(&said, rest, strlen(rest));
    see_answer(s, false);
    cJSON_free(rest);
    cJSON_Delete(key);
    cJSON_Delete(object);
}

/* Remembers the keys that a verb wrote to DIR/`name`, and takes the file away. */
static void take_keys(struct scene *s, const char *name)
{
    char path[PATH_SIZE], line[PATH_SIZE];
    check(snprintf(path, sizeof path, "%s/%s", s->dir, name) < (int)sizeof path);
    FILE *file = fopen(path, "r");
    check(file != NULL && fgets(line, sizeof line, file) != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        char *comma = strchr(line, ',');
        check(comma != NULL);
        *comma = '\0';
        comma[1 + strcspn(comma + 1, ",\r\n")] = '\0';
        check(key_well_formed(comma + 1));
        scene_remember(s, line, comma + 1);
    }
    check(fclose(file) == 0 && unlink(path) == 0);
}

/* ---- what the broker publishes */

static struct client *listen_to_all(struct scene *s)
{
    struct client *hall = scene_accept(s, LOGIN(.user = "hall", .id = "hall"));
    assert_int_equal(client_subscribe(hall, "#", 0), 0);
    assert_int_equal(client_subscribe(hall, "$SYS/#", 0), 0);
    assert_int_equal(client_subscribe(hall, "devreg/#", 0), 0);
    return hall;
}

static void see_messages(struct client *client)
{
    client_sync(client);
    for (const struct message *m = client->messages; m != NULL; m = m->next) {
        see(&messages, m->topic, strlen(m->topic));
        see(&messages, m->payload, strlen(m->payload));
    }
}

/* ---- what lies on the disk */

static struct scene *scene; /* nftw hands nothing on */

static int look_into_file(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)where;
    if (kind != FTW_F || !S_ISREG(info->st_mode) || info->st_size == 0)
        return 0;
    char *text = malloc((size_t)info->st_size);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(text != NULL && fd >= 0);
    ssize_t got = pread(fd, text, (size_t)info->st_size, 0);
    check(got >= 0 && close(fd) == 0);
    expect_silent(scene, path, text, (size_t)got, 0);
    free(text);
    return 0;
}

/* ---- what the broker's process holds */

static void look_into_proc(struct scene *s, const char *name)
{
    static char text[CHUNK];
    char path[PATH_SIZE];
    check(snprintf(path, sizeof path, "/proc/%d/%s", (int)s->broker.pid, name) < (int)sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd >= 0);
    ssize_t got = read(fd, text, sizeof text);
    check(got > 0 && close(fd) == 0);
    expect_silent(s, path, text, (size_t)got, 0);
}

/* One writable mapping, some at a time; a secret may lie across. */
static void look_into_mapping(struct scene *s, int memory, unsigned long long from,
                              unsigned long long to, size_t secrets)
{
    static char text[CHUNK];
    while (from < to) {
        size_t size = to - from < sizeof text ? (size_t)(to - from) : sizeof text;
        ssize_t got = pread(memory, text, size, (off_t)from);
        if (got <= 0)
            return; /* a guard page */
        expect_silent(s, "the broker's memory", text, (size_t)got, secrets);
        from +=
            (size_t)got > OVERLAP && from + (size_t)got < to ? (size_t)got - OVERLAP : (size_t)got;
    }
}

/* For the secrets from that one on. Where the system lets nobody look, there is nothing to see. */
static void look_into_memory(struct scene *s, size_t secrets)
{
    char path[PATH_SIZE], line[PATH_SIZE];
    check(snprintf(path, sizeof path, "/proc/%d/mem", (int)s->broker.pid) < (int)sizeof path);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    if (memory < 0 && (errno == EACCES || errno == EPERM)) {
        print_message("the broker's memory cannot be read here\n");
        return;
    }
    check(memory >= 0);
    check(snprintf(path, sizeof path, "/proc/%d/maps", (int)s->broker.pid) < (int)sizeof path);
    FILE *maps = fopen(path, "r");
    check(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long long from, to;
        char rights[5];
        if (sscanf(line, "%llx-%llx %4s", &from, &to, rights) == 3 && rights[1] == 'w' &&
            to - from < HUGE_MAPPING) /* a sanitizer's shadow has terabytes */
            look_into_mapping(s, memory, from, to, secrets);
    }
    check(fclose(maps) == 0 && close(memory) == 0);
}

/* ---- the life */

static void give_password(struct scene *s, const char *verb, const char *password)
{
    char path[PATH_SIZE];
    scene_write(s, "password", password, 0600);
    scene_remember(s, "anna", password);
    RUN("%s anna --password-file %s/password", verb, s->dir);
    check(snprintf(path, sizeof path, "%s/password", s->dir) < (int)sizeof path);
    check(unlink(path) == 0);
}

static bool lets_in(struct scene *s, const char *user)
{
    return scene_knock(s, LOGIN(.user = user)) == ACCEPTED;
}

/* 2.0 refuses the first login with a password. */
static void come_and_go(struct scene *s, const char *user)
{
    bool in;
    WAIT_UNTIL(in, lets_in(s, user));
    check(in);
}

static void fill_registry(struct scene *s)
{
    scene_make_registry(s);
    add(s, "hall");
    RUN("allow hall subscribe #");
    RUN("allow hall subscribe $SYS/#");
    RUN("allow hall subscribe devreg/#");
    add(s, "pump-7 --set site=kiel");
    add_json(s, "add", "pump-8");
    give_password(s, "add", PASSWORD);
    RUN("add --count 3 --prefix lamp- --keys %s/keys", s->dir);
    take_keys(s, "keys");
}

static void come_in_right_and_wrong(struct scene *s)
{
    char stranger[KEY_TEXT_SIZE + 1];
    key_generate(stranger);
    scene_remember(s, "nobody", stranger);
    scene_remember(s, "nobody", WRONG);
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    assert_int_equal(client_publish(pump, "not/mine", "x", 1), 0x87);
    come_and_go(s, "anna");
    come_and_go(s, "pump-8");
    scene_refuse(s, LOGIN(.user = "pump-7", .key = stranger, .port = s->broker.tcp_port));
    scene_refuse(s, LOGIN(.user = "pump-7", .key = scene_key(s, "pump-8")));
    scene_refuse(s, LOGIN(.user = "anna", .key = WRONG, .port = s->broker.tcp_port));
    scene_refuse(s, LOGIN(.user = "nosuch", .key = WRONG, .version = 5));
    scene_refuse(s, LOGIN(.user = "pump-7", .key = NO_KEY));
    scene_refuse(s, LOGIN(.user = "pump-8", .id = "hall"));
}

/* Old and new keys, a new password, the many. */
static void change_keys(struct scene *s)
{
    const char *old = scene_rotate(s, "pump-7 --grace 1h --label spring");
    see_answer(s, false);
    assert_int_equal(scene_knock(s, LOGIN(.user = "pump-7", .key = old)), ACCEPTED);
    come_and_go(s, "pump-7");
    add_json(s, "rotate", "pump-8");
    scene_refuse(s, LOGIN(.user = "pump-8", .key = scene_key(s, "pump-7")));
    give_password(s, "password", NEW_PASSWORD);
    come_and_go(s, "anna");
    RUN("rotate --where site=kiel --grace 0 --keys %s/keys --yes", s->dir);
    take_keys(s, "keys");
    come_and_go(s, "pump-7");
}

/* All that may be asked, and what is written for others. */
static void ask_all(struct scene *s)
{
    static const char *const questions[] = {"list",
                                            "list --json",
                                            "show pump-7",
                                            "show pump-7 --json",
                                            "show anna --json",
                                            "log",
                                            "log --json",
                                            "stats",
                                            "check --json",
                                            "role list",
                                            "explain pump-7 publish devices/pump-7/x",
                                            "export",
                                            "export --with-hashes"};
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        RUN("%s", questions[i]);
        if (strncmp(questions[i], "export", 6) == 0)
            scene_write(s, i % 2 ? "export" : "export-with-hashes", s->answer.out, 0600);
    }
    RUN("backup %s/backup", s->dir);
    RUN("apply %s/export --dry-run", s->dir);
    check(scene_try(s, "show %s", scene_key(s, "pump-7")) != 0); /* a key in the wrong place */
    see_answer(s, true);
    check(scene_try(s, "add %s", scene_key(s, "pump-7")) != 0);
    see_answer(s, true);
}

static void nothing_of_a_whole_life_is_told(void **state)
{
    struct scene *s = scene = *state;
    fill_registry(s);
    scene_start(s, CONF_ALL);
    struct client *hall = listen_to_all(s);
    come_in_right_and_wrong(s);
    change_keys(s);
    broker_reload(&s->broker);
    RUN("disable pump-8");
    RUN("enable pump-8");
    RUN("revoke lamp-1");
    RUN("remove lamp-2");
    size_t sent = s->secret_count;
    add(s, "quiet"); /* whose key no client ever sends */
    add_json(s, "rotate", "quiet");
    come_and_go(s, "pump-7");
    ask_all(s);
    see_messages(hall);
    look_into_proc(s, "cmdline");
    look_into_proc(s, "environ");
    look_into_memory(s, sent);
    broker_kill(&s->broker);
    broker_start(&s->broker);
    hall = listen_to_all(s);
    come_and_go(s, "pump-7");
    scene_refuse(s, LOGIN(.user = "pump-7", .key = WRONG));
    bool told; /* at a turn; and the first broker had lines for "password_is_being_checked" alone */
    WAIT_UNTIL(told, (see_messages(hall), holds(&messages, "reason=wrong_key")));
    check(told);
    broker_stop(&s->broker);
    /* What there is to find was looked through. */
    const char *log = broker_log_all(&s->broker);
    check(strstr(log, "reason=wrong_key") != NULL && strstr(log, "New client connected") != NULL);
    check(holds(&messages, "$SYS/broker/log/N"));
    check(holds(&messages, "devreg/event/pump-7/auth_failed"));
    check(holds(&messages, "devreg/presence/pump-7"));
    check(holds(&said, "\"pump-7\"") && s->secret_count > 12);
    expect_silent(s, "the broker's log", log, strlen(log), 0);
    expect_silent(s, said.what, said.text, said.size, 0);
    expect_silent(s, messages.what, messages.text, messages.size, 0);
    check(nftw(s->dir, look_into_file, 16, FTW_PHYS) == 0);
}

/* ---- a key in the wrong field */

/* In what devreg itself says and publishes: Mosquitto's own lines name the client ids. */
static void expect_hidden(struct scene *s, struct client *hall)
{
    const char *log = broker_log_all(&s->broker), *end;
    for (const char *line = log; *line; line = end) {
        size_t size = strcspn(line, "\n");
        end = line + size + (line[size] == '\n');
        if (memmem(line, size, "devreg: ", 8) != NULL)
            expect_silent(s, "a line of devreg's", line, size, 0);
    }
    client_sync(hall);
    for (const struct message *m = hall->messages; m != NULL; m = m->next) {
        expect_silent(s, "a topic", m->topic, strlen(m->topic), 0);
        expect_silent(s, "a message", m->payload, strlen(m->payload), 0);
    }
}

static void a_key_in_the_wrong_field_is_not_told(void **state)
{
    struct scene *s = *state;
    scene_start(s, CONF "plugin_opt_events on\n");
    add(s, "hall");
    RUN("allow hall subscribe devreg/#");
    add(s, "pump-7");
    struct client *hall = scene_accept(s, LOGIN(.user = "hall"));
    assert_int_equal(client_subscribe(hall, "devreg/#", 1), 1);
    const char *key = scene_key(s, "pump-7");
    char inside[PATH_SIZE];
    check(snprintf(inside, sizeof inside, "a/%s/b", key) < (int)sizeof inside);
    check(scene_knock(s, LOGIN(.user = key, .key = "pump-7")) != ACCEPTED);
    scene_refuse(s, LOGIN(.user = "pump-7", .id = key, .key = "pump-7"));
    struct client *pump = scene_accept(s, LOGIN(.user = "pump-7", .id = key, .version = 5));
    assert_int_equal(client_publish(pump, inside, "x", 1), 0x87);
    assert_int_equal(client_subscribe(pump, inside, 0), 0x87);
    client_disconnect(pump);
    RUN("show pump-7");
    RUN("show pump-7 --json");
    RUN("list --json");
    client_sync(hall);
    struct message *message;
    bool told = false; /* of a topic that held it */
    for (message = hall->messages; message != NULL; message = message->next)
        told |= strstr(message->payload, "\"topic\":\"a/devreg_*****") != NULL;
    check(told);
    broker_log_wait(&s->broker, "client=devreg_****", 1);
    expect_hidden(s, hall);
    expect_silent(s, said.what, said.text, said.size, 0);
    s->secret_count = 0; /* it looks at Mosquitto's lines, too */
}

static int open_all(void **state)
{
    said.size = messages.size = 0;
    return scene_open(state);
}

static int close_all(void **state)
{
    if (said.text != NULL)
        crypto_wipe(said.text, said.size);
    free(said.text);
    free(messages.text);
    said.text = messages.text = NULL;
    return scene_close(state);
}

#define LEAK_TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(nothing_of_a_whole_life_is_told),
        LEAK_TEST(a_key_in_the_wrong_field_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
