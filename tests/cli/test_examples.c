/* Every example in the help of every verb works as it stands there: typed on a terminal, in a
 * directory that holds what the examples speak of.
 *
 * `watch` never ends and is left to test_watch; test_help looks at the form of all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "admin/command.h"
#include "registry/presence_store.h"
#include "tests/cli/tty.h"

enum { LINE_SIZE = 1000 };

static char directory[] = "/tmp/devreg-examples.XXXXXX";

/* What the examples speak of. sudo and what they run as another user stay with this one. */
static const char model[] =
    "mkdir -p srv/new srv/copy srv/backup mnt/stick opt/mosquitto &&"
    "ln -s " PLUGIN " opt/mosquitto/devreg.so && devreg -r srv/new init && devreg init &&"
    "devreg role add pump && devreg role add valve &&"
    "devreg allow @pump publish 'site/%{site}/%u/#' && devreg deny @pump all 'site/+/+/firmware' &&"
    "devreg add pump-7 --set site=kiel --set floor=2 && devreg add pump-8 --set site=kiel &&"
    "devreg add pump-9 --set site=kiel && devreg disable pump-9 &&"
    "devreg allow pump-7 publish plant/flow &&"
    "(umask 077; echo correct horse battery >new-password.txt) &&"
    "devreg add alice --password-file new-password.txt &&"
    "printf 'device,role\\npump-1,pump\\npump-2,pump\\n' >pumps.csv &&"
    "devreg -r other init && devreg -r other add lamp-1 && devreg -r other export devices.jsonl &&"
    "devreg backup devreg.mdb && cp devreg.mdb srv/backup/devreg-2027-01-31.mdb &&"
    "devreg export --with-hashes backup.jsonl && devreg export fleet.jsonl &&"
    "printf 'anna:$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/"
    "pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==\\n' >passwd && chmod 600 passwd &&"
    "printf 'user anna\\ntopic readwrite house/#\\n' >acl &&"
    "printf '{\"clients\":[{\"username\":\"anna\"}],\"groups\":[],\"roles\":[],"
    "\"defaultACLAccess\":{\"publishClientSend\":false,\"publishClientReceive\":true,"
    "\"subscribe\":false,\"unsubscribe\":true}}' >dynamic-security.json";

/* What has to be so before an example can work: all rows whose part stands in it. */
static const struct {
    const char *part, *before;
} needs[] = {
    {"devreg init", "rm -r registry"},
    {"./registry init", "rm -r registry"},
    {"devreg add pump-7", "devreg remove pump-7"},
    {"devreg add alice", "devreg remove alice"},
    {"--prefix pump-", "devreg remove pump-7; devreg remove pump-8; devreg remove pump-9"},
    {"devreg enable pump-7", "devreg disable pump-7"},
    {"devreg role add pump", "devreg role remove pump"},
    {"role=pump", "devreg set pump-7 --add-role pump"},
    {"devreg allow @pump publish", "devreg unset @pump publish 'site/%{site}/%u/#'"},
    {"devreg allow pump-7 publish plant", "devreg unset pump-7 publish plant/flow"},
    {"devreg deny @pump all", "devreg unset @pump all 'site/+/+/firmware'"},
    {"export --with-hashes", "rm backup.jsonl"},
    {"devreg backup /srv", "rm srv/backup/*"},
};

/* Other users and places than these here. */
static const struct {
    const char *from, *to;
} instead[] = {
    {"--user broker", "--user $(id -un)"}, {"/srv/", "srv/"}, {"/mnt/", "mnt/"}, {"/opt/", "opt/"}};

static const struct {
    const char *question, *answer;
} dialogues[] = {{"[y/N] ", "y\n"},
                 {"New password: ", "correct horse battery\n"},
                 {"The same again: ", "correct horse battery\n"}};

static void run(const char *line)
{
    char command[sizeof model + LINE_SIZE];
    snprintf(command, sizeof command, "cd %s/now && { %s\n} >run.log 2>&1 </dev/null", directory,
             line);
    if (system(command) != 0) {
        (void)snprintf(command, sizeof command, "cat %s/now/run.log >&2", directory);
        (void)!system(command);
        fail_msg("failed: %s", line);
    }
}

/* A broker ran here once. */
static void note_presence(void)
{
    char path[sizeof directory + 40];
    struct store *store;
    struct txn *txn;
    struct patterns patterns = {0};
    snprintf(path, sizeof path, "%s/now/registry/" PRESENCE_SUBDIR, directory);
    assert_int_equal(store_open(&store, path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    assert_int_equal(txn_write(&txn, store), ERR_OK);
    patterns_use(&patterns, PRESENCE_PATTERN);
    patterns_put(txn, &patterns);
    assert_int_equal(txn_commit(txn), ERR_OK);
    store_close(store);
}

static void begin_anew(void)
{
    char command[LINE_SIZE];
    snprintf(command, sizeof command, "cd %s && rm -rf now && cp -a model now", directory);
    assert_int_equal(system(command), 0);
}

static void replace(char line[static LINE_SIZE], const char *from, const char *to)
{
    char rest[LINE_SIZE];
    char *at = strstr(line, from);
    if (!at)
        return;
    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, LINE_SIZE - (size_t)(at - line), "%s%s", to, rest);
}

/* Answers what is asked, until it ends. Returns its exit status. */
static int converse(struct tty *tty)
{
    size_t answered = 0;
    int64_t deadline = tty_now() + TTY_DEADLINE_MS;
    while (tty_read(tty, deadline)) {
        for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++) {
            const char *asked = strstr(tty->said + answered, dialogues[i].question);
            if (!asked)
                continue;
            answered = (size_t)(asked - tty->said) + strlen(dialogues[i].question);
            size_t size = strlen(dialogues[i].answer);
            assert_int_equal(write(tty->terminal, dialogues[i].answer, size), size);
        }
    }
    return tty_end(tty);
}

static int type(struct tty *tty, const char *line)
{
    char path[sizeof directory + 10];
    snprintf(path, sizeof path, "%s/now", directory);
    if (tty_fork(tty, 24, 80)) {
        if (chdir(path) == 0)
            execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    return converse(tty);
}

/* A question may be answered with no. */
static void check_example(const char *example)
{
    static struct tty tty;
    char line[LINE_SIZE];
    begin_anew();
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        if (strstr(example, needs[i].part))
            run(needs[i].before);
    }
    snprintf(line, sizeof line, "%s", example);
    for (size_t i = 0; i < sizeof instead / sizeof *instead; i++)
        replace(line, instead[i].from, instead[i].to);
    int status = type(&tty, line);
    if (status && !(status == STATUS_NO && strncmp(line, "devreg explain", 14) == 0))
        fail_msg("%s\nexit status %d: %s", example, status, tty.said);
}

static void every_example_works_as_it_stands(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        char *lines = strdup(commands[i].examples), *rest = lines, *line;
        while ((line = strsep(&rest, "\n"))) {
            assert_memory_equal(line, "  ", 2);
            if (!strstr(line, "devreg watch"))
                check_example(line + 2);
        }
        free(lines);
    }
}

static int prepare(void **state)
{
    char text[4000], command[LINE_SIZE];
    (void)state;
    if (!mkdtemp(directory) || chmod(directory, 0755) != 0)
        return -1;
    snprintf(text, sizeof text, "%s/bin:%s", directory, getenv("PATH"));
    setenv("PATH", text, 1);
    setenv("DEVREG_REGISTRY", "registry", 1);
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", "C", 1);
    snprintf(command, sizeof command,
             "cd %s && mkdir bin now && ln -s " DEVREG " bin/devreg &&"
             "printf '#!/bin/sh\\nexec \"$@\"\\n' >bin/sudo && chmod 755 bin/sudo",
             directory);
    if (system(command) != 0)
        return -1;
    run(model);
    note_presence();
    snprintf(command, sizeof command, "mv %s/now %s/model", directory, directory);
    return system(command);
}

static int clean(void **state)
{
    char command[LINE_SIZE];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_works_as_it_stands),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
