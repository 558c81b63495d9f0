/* test_crash_devreg.c - devreg is killed again and again while a broker runs: what it was told is
 * done stays done, nothing is half done, nobody waits for the dead, and the broker decides rightly
 * all the while.
 *
 *   round:  devreg disable pump-1 ... SIGKILL at a counted call (crash_calls.so), or at any time
 *           meanwhile a steady device publishes what it may, and what it may not
 *           then: was it committed? That is what the log says; and by that, wholly or not at all,
 *           the broker has to decide for every device
 *
 * For each kind of command the calls come in turn, so all are met once there are enough rounds:
 * DEVREG_KILLS says how many, DEVREG_SEED which. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "registry/key.h"
#include "registry/registry.h"
#include "scene.h"
#include "tests/support/rng.h"

enum {
    KILLS = 2000,
    SUBJECTS = 3,
    WORDS_MAX = 12,
    LINE_SIZE = 200,
    BY_TIME_PERCENT = 25,
    BESIDE_PERCENT = 20,
    SPAN_US = 8000, /* a command takes about as long */
    CHECK_EVERY = 50,
    RESTORE_STRIDE = 6
};

enum verb {
    DISABLE,
    ENABLE,
    ALLOW,
    UNSET,
    ROTATE,
    REVOKE,
    REMOVE,
    ADD,
    ROLE_DENY,
    ROLE_UNSET,
    ALL_OFF,
    ALL_ON,
    MANY_ADD,
    MANY_REMOVE,
    VERBS
};

/* A command, with the id of one device or none, and the rest of its words. */
static const struct {
    const char *verb, *rest;
    bool many;
} commands[VERBS] = {
    [DISABLE] = {"disable", "", false},
    [ENABLE] = {"enable", "", false},
    [ALLOW] = {"allow", "publish extra/x", false},
    [UNSET] = {"unset", "publish extra/x", false},
    [ROTATE] = {"rotate", "--grace 0", false},
    [REVOKE] = {"revoke", "", false},
    [REMOVE] = {"remove", "", false},
    [ADD] = {"add", "--set site=kiel", false},
    [ROLE_DENY] = {"deny", "@device publish common/x", true},
    [ROLE_UNSET] = {"unset", "@device publish common/x", true},
    [ALL_OFF] = {"disable", "--where site=kiel --yes", true},
    [ALL_ON] = {"enable", "--where state=disabled --yes", true},
    [MANY_ADD] = {"add", "--count 40 --prefix many- --set site=many", true},
    [MANY_REMOVE] = {"remove", "--where site=many --yes", true},
};

/* A device, and what is true of it. */
struct subject {
    char id[8];
    bool there, enabled, revoked, extra;
    char key[KEY_TEXT_SIZE + 1], old_key[KEY_TEXT_SIZE + 1]; /* "": not known; there is none */
};

struct truth {
    struct subject subjects[SUBJECTS];
    bool common, many; /* may all publish common/x; are the many there */
};

/* A devreg that runs. */
struct child {
    pid_t pid;
    int out;
    int64_t kill_at_us; /* 0: it does that itself */
};

struct play {
    struct scene *scene;
    struct registry *registry;
    struct rng rng;
    struct truth truth;
    struct client *steady, *live[SUBJECTS];
    long next_call[VERBS];
    size_t kills, committed, unharmed, publishes, beside;
};

static struct play p;

/* ---- a devreg to be killed */

static int64_t clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static _Noreturn void child_exec(char *line, int out, long call)
{
    char number[24], *argv[WORDS_MAX] = {DEVREG_PROGRAM, "-r", p.scene->registry};
    size_t count = 3;
    for (char *word = strtok(line, " "); word && count < WORDS_MAX - 1; word = strtok(NULL, " "))
        argv[count++] = word;
    (void)snprintf(number, sizeof number, "%ld", call);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0 && dup2(null, 0) == 0 && dup2(out, 1) == 1 && dup2(null, 2) == 2 &&
        (call == 0 || (setenv("LD_PRELOAD", CRASH_BEHIND CRASH_CALLS, 1) == 0 &&
                       setenv("CRASH_AT", number, 1) == 0)))
        (void)execv(argv[0], argv);
    _exit(126);
}

/* `call` 0: killed from outside. */
static struct child child_begin(const char *command, long call)
{
    char line[LINE_SIZE];
    struct child child = {.out = memfd_create("out", MFD_CLOEXEC)};
    check(child.out >= 0 && path_join(line, sizeof line, command, ""));
    child.pid = fork();
    check(child.pid >= 0);
    if (child.pid == 0)
        child_exec(line, child.out, call);
    if (call == 0)
        child.kill_at_us = clock_us() + (int64_t)rng_below(&p.rng, SPAN_US);
    return child;
}

static bool child_ended(struct child *child, int *status)
{
    if (child->kill_at_us != 0 && clock_us() >= child->kill_at_us) {
        check(kill(child->pid, SIGKILL) == 0);
        child->kill_at_us = 0;
    }
    return waitpid(child->pid, status, WNOHANG) == child->pid;
}

/* The key that stands alone in what it said; "" where there is none, or not all of it. */
static void child_key(const struct child *child, char key[static KEY_TEXT_SIZE + 1])
{
    char text[KEY_TEXT_SIZE + 2];
    ssize_t size = pread(child->out, text, sizeof text, 0);
    key[0] = '\0';
    if (size != KEY_TEXT_SIZE + 1 || text[KEY_TEXT_SIZE] != '\n')
        return;
    memcpy(key, text, KEY_TEXT_SIZE);
    key[KEY_TEXT_SIZE] = '\0';
}

/* ---- what the broker decides */

static bool accepted(int answer)
{
    return answer == 0 || answer == 0x10; /* MQTT 5: nobody has subscribed to it */
}

static void steady_publishes(void)
{
    int may = client_publish(p.steady, "devices/steady/x", "1", 1);
    int may_not = client_publish(p.steady, "other/x", "1", 1);
    if (!accepted(may) || may_not != 0x87)
        fail_msg("the steady device was answered %d and %d", may, may_not);
    p.publishes += 2;
}

static void live_free(struct client **live)
{
    struct client **link = &p.scene->clients;
    while (*link != *live)
        link = &(*link)->next;
    *link = (*live)->next;
    client_free(*live);
    *live = NULL;
}

static void expect_publish(struct client *client, const char *id, const char *topic, bool may)
{
    int answer = client_publish(client, topic, "1", 1);
    if (may ? !accepted(answer) : answer != 0x87)
        fail_msg("%s on %s is answered %d, and should be %s", id, topic, answer,
                 may ? "allowed" : "denied");
}

static void subject_expect(size_t i)
{
    const struct subject *subject = &p.truth.subjects[i];
    bool in = subject->there && subject->enabled && !subject->revoked;
    if (*subject->old_key)
        scene_refuse(p.scene, LOGIN(.user = subject->id, .key = subject->old_key));
    if (p.live[i] && (!in || *subject->old_key || !*subject->key)) {
        client_expect_gone(p.live[i]);
        live_free(&p.live[i]);
    }
    if (!*subject->key)
        return;
    if (!in) {
        scene_refuse(p.scene, LOGIN(.user = subject->id, .key = subject->key));
        return;
    }
    if (!p.live[i])
        p.live[i] =
            scene_accept(p.scene, LOGIN(.user = subject->id, .key = subject->key, .version = 5));
    expect_publish(p.live[i], subject->id, "extra/x", subject->extra);
    expect_publish(p.live[i], subject->id, "common/x", p.truth.common);
}

static void many_expect(void)
{
    enum err e;
    check(registry_read(p.registry) == ERR_OK);
    for (int i = 1; i <= 40; i++) {
        char id[16];
        check(snprintf(id, sizeof id, "many-%d", i) > 0);
        check(registry_has_device(p.registry, id, &e) == p.truth.many);
    }
    registry_end(p.registry);
}

static void finding(void *context, const char *what, const char *problem)
{
    (void)context;
    fail_msg("check: %s: %s", what, problem);
}

static void registry_fine(void)
{
    struct registry_check result = {0};
    check(registry_read(p.registry) == ERR_OK);
    check(registry_check(p.registry, &result, finding, NULL) == ERR_OK);
    registry_end(p.registry);
}

/* ---- what is to be done */

static bool verb_fits(enum verb verb, const struct subject *subject)
{
    bool alive = subject->there && !subject->revoked, known = *subject->key != '\0', on = false,
         off = false;
    for (size_t i = 0; i < SUBJECTS; i++) {
        const struct subject *other = &p.truth.subjects[i];
        on |= other->there && !other->revoked && other->enabled;
        off |= other->there && !other->revoked && !other->enabled;
    }
    switch (verb) {
    case DISABLE:
    case ENABLE:
        return alive && known && subject->enabled == (verb == DISABLE);
    case ALLOW:
    case UNSET:
        return alive && known && subject->extra == (verb == UNSET);
    case ROTATE:
        return alive;
    case REVOKE:
        return alive && known && rng_percent(&p.rng, 30);
    case REMOVE:
        return subject->there && rng_percent(&p.rng, 30);
    case ADD:
        return !subject->there;
    case ROLE_DENY:
    case ROLE_UNSET:
        return p.truth.common == (verb == ROLE_DENY);
    case ALL_OFF:
        return on;
    case ALL_ON:
        return off;
    case MANY_ADD:
    case MANY_REMOVE:
        return p.truth.many == (verb == MANY_REMOVE);
    default:
        return false;
    }
}

static void all_set(struct truth *truth, bool enabled)
{
    for (size_t i = 0; i < SUBJECTS; i++) {
        if (truth->subjects[i].there && !truth->subjects[i].revoked)
            truth->subjects[i].enabled = enabled;
    }
}

static void subject_change(struct subject *subject, enum verb verb, const char *key)
{
    bool new_key = verb == ROTATE || verb == ADD;
    if (new_key || verb == REMOVE || verb == REVOKE)
        memcpy(subject->old_key, subject->key, sizeof subject->old_key);
    if (new_key || verb == REMOVE || verb == REVOKE)
        memcpy(subject->key, new_key ? key : "", new_key ? KEY_TEXT_SIZE + 1 : 1);
    if (verb == DISABLE || verb == ENABLE || verb == ADD)
        subject->enabled = verb != DISABLE;
    if (verb == ALLOW || verb == UNSET || verb == ADD)
        subject->extra = verb == ALLOW;
    if (verb == ADD || verb == REMOVE)
        subject->there = verb == ADD;
    subject->revoked = verb == REVOKE || (subject->revoked && verb != ADD && verb != REMOVE);
}

/* It was committed. */
static void truth_change(enum verb verb, struct subject *subject, const char *key)
{
    if (verb == ROLE_DENY || verb == ROLE_UNSET)
        p.truth.common = verb == ROLE_UNSET;
    else if (verb == ALL_OFF || verb == ALL_ON)
        all_set(&p.truth, verb == ALL_ON);
    else if (verb == MANY_ADD || verb == MANY_REMOVE)
        p.truth.many = verb == MANY_ADD;
    else
        subject_change(subject, verb, key);
}

static uint64_t last_entry(void)
{
    uint64_t seq;
    check(registry_read(p.registry) == ERR_OK);
    check(registry_last_entry(p.registry, &seq) == ERR_OK);
    registry_end(p.registry);
    return seq;
}

/* Publishes until it has ended: how? */
static int child_await(struct child *child, const char *command)
{
    int status = 0;
    int64_t until = clock_ms() + 4 * (int64_t)DEADLINE_MS;
    bool ended;
    while (!(ended = child_ended(child, &status)) && clock_ms() < until)
        steady_publishes();
    if (!ended) {
        (void)kill(child->pid, SIGKILL);
        (void)waitpid(child->pid, &status, 0);
        fail_msg("devreg %s waits for somebody", command);
    }
    return status;
}

/* Runs it to its end, or until it is killed: was it? */
static bool play_command(const char *command, long call, char key[static KEY_TEXT_SIZE + 1])
{
    struct child child = child_begin(command, call);
    int status = child_await(&child, command);
    child_key(&child, key);
    check(close(child.out) == 0);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        fail_msg("devreg %s ended with %d", command, status);
    return killed;
}

/* Another devreg, that waits for the one that is killed, or the other way round. */
static struct child beside_begin(void)
{
    char command[LINE_SIZE];
    check(snprintf(command, sizeof command, "set steady --note %zu", p.beside++) > 0);
    struct child child = child_begin(command, 0);
    child.kill_at_us = 0;
    return child;
}

static void beside_end(struct child *child)
{
    int status = child_await(child, "set steady");
    check(close(child->out) == 0);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Killed between its commit and LMDB's note of it in the lock file, a change is there from the next
 * writer on: readers go by that note. It changes nothing. */
static void writer_comes(void)
{
    check(scene_try(p.scene, "enable steady") == 1);
}

static void play_round(void)
{
    char command[LINE_SIZE], key[KEY_TEXT_SIZE + 1];
    struct subject *subject = &p.truth.subjects[rng_below(&p.rng, SUBJECTS)];
    enum verb verb;
    do
        verb = (enum verb)rng_below(&p.rng, VERBS);
    while (!verb_fits(verb, subject));
    check(snprintf(command, sizeof command, "%s %s %s", commands[verb].verb,
                   commands[verb].many ? "" : subject->id, commands[verb].rest) > 0);
    long call = rng_percent(&p.rng, BY_TIME_PERCENT) ? 0 : ++p.next_call[verb];
    bool two = rng_percent(&p.rng, BESIDE_PERCENT);
    uint64_t before = last_entry() + two;
    struct child beside = {.pid = 0};
    if (two)
        beside = beside_begin();
    bool killed = play_command(command, call, key);
    if (two)
        beside_end(&beside);
    uint64_t after = last_entry();
    if (killed && after == before) {
        writer_comes();
        after = last_entry();
    }
    if (call != 0 && !killed)
        p.next_call[verb] = 0;
    if (after < before || after > before + 1 || (after == before && (!killed || *key)))
        fail_msg("devreg %s: %" PRIu64 " entries in the log%s%s", command, after - before,
                 killed ? "" : ", and it had returned", *key ? ", and told a key" : "");
    for (size_t i = 0; i < SUBJECTS; i++)
        p.truth.subjects[i].old_key[0] = '\0';
    if (after > before)
        truth_change(verb, subject, key);
    p.kills += killed;
    p.unharmed += !killed;
    p.committed += killed && after > before;
    for (size_t i = 0; i < SUBJECTS; i++)
        subject_expect(i);
}

static void play_begin(struct scene *scene)
{
    p = (struct play){.scene = scene, .rng = rng_start("test_crash_devreg"), .truth.common = true};
    scene_start(scene, CONF);
    scene_add(scene, "steady");
    scene_do(scene, "allow @device publish common/#");
    for (size_t i = 0; i < SUBJECTS; i++)
        check(snprintf(p.truth.subjects[i].id, sizeof p.truth.subjects[i].id, "pump-%zu", i) > 0);
    p.steady = scene_accept(scene, LOGIN(.user = "steady", .version = 5));
    check(registry_open(&p.registry, scene->registry, STORE_READ) == ERR_OK);
}

static void a_killed_devreg_leaves_all_or_nothing(void **state)
{
    const char *given = getenv("DEVREG_KILLS");
    size_t kills = given ? strtoul(given, NULL, 10) : KILLS;
    int64_t begin = clock_ms();
    play_begin(*state);
    for (size_t round = 1; p.kills < kills; round++) {
        play_round();
        if (round % CHECK_EVERY == 0) {
            many_expect();
            registry_fine();
        }
    }
    many_expect();
    registry_fine();
    registry_close(p.registry);
    print_message("%zu killed, %zu of them after their commit; %zu unharmed; %zu publishes "
                  "meanwhile, %.1f s\n",
                  p.kills, p.committed, p.unharmed, p.publishes,
                  (double)(clock_ms() - begin) / 1000);
}

/* ---- restore puts another registry in the place of the one that the broker has open */

static bool lamp_is_enabled(void)
{
    struct device lamp;
    check(registry_open(&p.registry, p.scene->registry, STORE_READ) == ERR_OK);
    check(registry_read(p.registry) == ERR_OK);
    check(registry_get_device(p.registry, "lamp", &lamp) == ERR_OK);
    bool enabled = lamp.state == DEVICE_ENABLED;
    device_clear(&lamp);
    registry_end(p.registry);
    registry_fine();
    registry_close(p.registry);
    return enabled;
}

/* The broker finds out by itself where nobody was left to tell it. */
static void expect_lamp(bool enabled)
{
    bool so;
    WAIT_UNTIL(so,
               (scene_knock(p.scene, LOGIN(.user = "lamp", .version = 5)) == ACCEPTED) == enabled);
    check(so);
}

static void a_killed_restore_leaves_one_registry_or_the_other(void **state)
{
    char command[LINE_SIZE], key[KEY_TEXT_SIZE + 1];
    size_t restored = 0;
    bool killed = true;
    p = (struct play){.scene = *state, .rng = rng_start("test_crash_devreg, restore")};
    scene_start(p.scene, CONF);
    scene_add(p.scene, "steady");
    scene_add(p.scene, "lamp");
    scene_do(p.scene, "backup %s/backup.mdb", p.scene->dir);
    check(snprintf(command, sizeof command, "restore --force %s/backup.mdb", p.scene->dir) > 0);
    p.steady = scene_accept(p.scene, LOGIN(.user = "steady", .version = 5));
    for (long call = 1; killed; call += 1 + (long)rng_below(&p.rng, RESTORE_STRIDE)) {
        scene_do(p.scene, "disable lamp");
        expect_lamp(false);
        killed = play_command(command, call, key);
        bool enabled = lamp_is_enabled();
        check(enabled || killed);
        expect_lamp(enabled);
        steady_publishes();
        restored += enabled;
        p.kills++;
        if (enabled)
            continue;
        scene_do(p.scene, "enable lamp");
    }
    print_message("%zu restores, %zu of them done\n", p.kills, restored);
}

/* Moves the files of the registry in `from` to where the broker's lies, as a restore does. */
static void files_move(const char *from)
{
    static const char *const names[] = {"/lock.mdb", "/data.mdb"};
    for (size_t i = 0; i < 2; i++) {
        char old[BROKER_PATH_MAX], new[BROKER_PATH_MAX];
        check(path_join(old, sizeof old, from, names[i]));
        check(path_join(new, sizeof new, p.scene->registry, names[i]));
        check(rename(old, new) == 0);
    }
}

/* A registry in which the lamp is enabled. */
static void other_make(char path[static BROKER_PATH_MAX])
{
    struct program program;
    char backup[BROKER_PATH_MAX];
    check(path_join(path, BROKER_PATH_MAX, p.scene->dir, "/other"));
    check(path_join(backup, sizeof backup, p.scene->dir, "/backup.mdb"));
    scene_do(p.scene, "backup %s", backup);
    check(program_run(&program, (char *[]){DEVREG_PROGRAM, "-r", path, "restore", backup, NULL}));
    check(program.status == 0);
    program_clear(&program);
}

/* The one that puts the files in place, or closes what was there, holds the directory. */
static void a_broker_that_cannot_open_the_new_registry_yet_goes_by_the_old(void **state)
{
    char other[BROKER_PATH_MAX];
    p = (struct play){.scene = *state};
    scene_start(p.scene, CONF);
    scene_add(p.scene, "steady");
    scene_add(p.scene, "lamp");
    other_make(other);
    scene_do(p.scene, "disable lamp");
    p.steady = scene_accept(p.scene, LOGIN(.user = "steady", .version = 5));
    check(registry_open(&p.registry, p.scene->registry, STORE_WRITE) == ERR_OK);
    check(registry_write(p.registry, "test", 1) == ERR_OK);
    int dir = open(p.scene->registry, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(dir >= 0 && flock(dir, LOCK_EX) == 0);
    files_move(other);
    registry_log(p.registry, LOG_RESTORE, LOG_BULK, "", "");
    check(registry_commit(p.registry) == ERR_REPLACED); /* and the broker is told */
    for (int i = 0; i < 100; i++)
        steady_publishes();
    scene_refuse(p.scene, LOGIN(.user = "lamp"));
    check(close(dir) == 0);
    registry_close(p.registry);
    expect_lamp(true);
    steady_publishes();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_killed_devreg_leaves_all_or_nothing),
        SCENE_TEST(a_killed_restore_leaves_one_registry_or_the_other),
        SCENE_TEST(a_broker_that_cannot_open_the_new_registry_yet_goes_by_the_old),
    };
    /* What a SIGKILL leaves is the same in memory. */
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
