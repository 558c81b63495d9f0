/* devreg complete: what the shells are told follows from the tables and from the registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/command.h"
#include "admin/complete.h"
#include "admin/complete_names.h"
#include "registry/registry.h"
#include "tests/support/rng.h"

enum { LINES_MAX = 500, LINE_SIZE = 400, IDS = 2000 };

static char directory[] = "/tmp/devreg-complete.XXXXXX";

/* What was answered: candidates, and what each is. */
struct candidates {
    size_t count;
    char names[LINES_MAX][LINE_SIZE];
    char what[LINES_MAX][LINE_SIZE];
};

static struct candidates answer;

/* `words` as a shell would write them. Nothing may be said on stderr, and nothing may fail. */
static void ask_in(const char *registry, const char *words)
{
    char command[1000];
    snprintf(command, sizeof command, "DEVREG_REGISTRY=%s %s complete -- %s 2>&1", registry, DEVREG,
             words);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    answer.count = 0;
    char line[LINE_SIZE];
    while (fgets(line, sizeof line, pipe)) {
        assert_true(answer.count < LINES_MAX);
        line[strcspn(line, "\n")] = '\0';
        size_t length = strcspn(line, "\t");
        snprintf(answer.names[answer.count], LINE_SIZE, "%.*s", (int)length, line);
        snprintf(answer.what[answer.count++], LINE_SIZE, "%s",
                 line[length] ? line + length + 1 : "no tab");
    }
    assert_int_equal(pclose(pipe), 0);
}

static void ask(const char *words)
{
    ask_in(directory, words);
}

static const char *what_of(const char *name)
{
    for (size_t i = 0; i < answer.count; i++) {
        if (strcmp(answer.names[i], name) == 0)
            return answer.what[i];
    }
    return NULL;
}

static void assert_answer(const char *words, const char *expected)
{
    char all[LINES_MAX * 20] = "";
    size_t used = 0;
    ask(words);
    for (size_t i = 0; i < answer.count; i++)
        used +=
            (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? " " : "", answer.names[i]);
    if (strcmp(all, expected) != 0)
        fail_msg("%s: %s", words, all);
}

static void every_verb_is_offered(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        const char *name = commands[i].name, *blank = strchr(name, ' ');
        char words[100];
        snprintf(words, sizeof words, "%.*s ''", blank ? (int)(blank - name) : 0, name);
        ask(words);
        const char *what = what_of(blank ? blank + 1 : name);
        if (!what)
            fail_msg("%s is not offered", name);
        assert_string_equal(what, commands[i].summary);
    }
    ask("''");
    assert_non_null(what_of("role"));
    assert_null(what_of(COMPLETE_VERB));
}

static void every_option_of_a_verb_is_offered_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        char words[100], name[60];
        snprintf(words, sizeof words, "%s --", commands[i].name);
        ask(words);
        uint64_t takes = commands[i].options | OPTIONS_COMMON;
        size_t count = 0;
        for (enum option option = 0; option < OPT_COUNT; option++) {
            if (!(takes & OPTION_BIT(option)))
                continue;
            snprintf(name, sizeof name, "--%s", option_rows[option].name);
            assert_non_null(what_of(name));
            count++;
        }
        assert_int_equal(answer.count, count);
    }
}

/* A new word in help needs a decision: what stands for it? */
static void every_placeholder_of_help_is_known(void **state)
{
    (void)state;
    for (enum option option = 0; option < OPT_COUNT; option++) {
        char value[200];
        snprintf(value, sizeof value, "%s",
                 option_rows[option].value ? option_rows[option].value : "");
        for (char *word = strtok(value, "|"); word; word = strtok(NULL, "|")) {
            if (!complete_knows(word))
                fail_msg("--%s %s: admin/complete.c does not know it", option_rows[option].name,
                         word);
        }
    }
    for (size_t i = 0; i < command_count; i++) {
        char words[200];
        snprintf(words, sizeof words, "%s", commands[i].words ? commands[i].words : "");
        for (char *word = strtok(words, " []|."); word; word = strtok(NULL, " []|.")) {
            bool itself = (word[0] >= 'a' && word[0] <= 'z') || strncmp(word, "--", 2) == 0;
            if (!itself && !complete_knows(word))
                fail_msg("%s %s: admin/complete.c does not know it", commands[i].name, word);
        }
    }
}

static void devreg(const char *arguments)
{
    char command[1000];
    snprintf(command, sizeof command, "%s -r %s %s 2>&1", DEVREG, directory, arguments);
    assert_int_equal(system(command), 0);
}

static void arguments_are_completed_by_their_place(void **state)
{
    (void)state;
    devreg("add pump-7 --no-key --note 'by the \\door'");
    devreg("add valve:1@kiel --no-key");
    devreg("role add pump");
    assert_answer("show ''", "pump-7 valve:1@kiel");
    assert_string_equal(what_of("pump-7"), "by the \\x5cdoor");
    assert_answer("show p", "pump-7");
    assert_answer("show P", "");
    assert_answer("show pump-7", "pump-7");
    assert_answer("show pump-7 ''", "");
    assert_answer("show x/y", "");
    assert_answer("add ''", "");
    assert_answer("role add p", "");
    assert_answer("role show p", "pump");
    assert_answer("role show @p", "@pump");
    assert_answer("allow ''", "pump-7 valve:1@kiel @device @pump");
    assert_answer("allow @", "@device @pump");
    assert_answer("allow @pump ''", "publish subscribe all");
    assert_answer("allow @pump all ''", "");
    assert_answer("limit @p", "@pump");
    assert_answer("limit pump-7 ''", "messages= burst= payload= retain= qos= connections=");
    assert_answer("limit @pump qos=1 re", "retain=");
    assert_answer("limit @pump retain=", "retain=none retain=yes retain=no");
    assert_answer("limit @pump qos=", "qos=none qos=0 qos=1 qos=2");
    assert_answer("limit @pump payload=u", "payload=unlimited");
    assert_answer("limit --where role=pump me", "messages=");
    assert_answer("explain pump-7 d", "deliver");
    assert_answer("watch pump-7 x v", "valve:1@kiel");
    assert_answer("set pump-7 ''", "");
    assert_answer("import ''", ":files");
    assert_answer("export ''", ":files");
    assert_answer("list ''", "");
    assert_answer("log ''", "trim");
    assert_answer("log trim ''", "");
    assert_answer("log trim --ke", "--keep");
    assert_answer("log --de", "--device");
}

static void values_of_options_are_completed(void **state)
{
    (void)state;
    assert_answer("list --role ''", "device pump");
    assert_answer("list --role=pu", "--role=pump");
    assert_answer("list --role=@pu", "--role=@pump");
    assert_answer("--json list --state dis", "disabled");
    assert_answer("list --state=r", "--state=revoked");
    assert_answer("list --columns dev", "device");
    assert_answer("list --columns device,attr.site,sta", "device,attr.site,state");
    assert_answer("list --columns=device,sta", "--columns=device,state");
    assert_answer("set --where o", "online offline offline-for=");
    assert_answer("set --where role=p", "role=pump");
    assert_answer("set --where=role=p", "--where=role=pump");
    assert_answer("set --where state=", "state=enabled state=disabled state=revoked state=expired "
                                        "state=quarantined");
    assert_answer("set --where site=", "");
    assert_answer("-r ''", ":directories");
    assert_answer("add --from ''", ":files");
    assert_answer("add --keys=", ":files");
    assert_answer("init --user ''", ":users");
    assert_answer("log --device p", "pump-7");
    assert_answer("add x --note ''", "");
    assert_answer("set pump-7 --unset ''", "");
    assert_answer("set pump-7 --client-id d", "device");
    assert_answer("list --role pump --ro", "");
    assert_answer("add x --role pump --ro", "--role");
    assert_answer("show -- --", "");
    assert_answer("-r nowhere show ''", "");
    assert_answer("--registry=nowhere show ''", "");
    assert_answer("show -rnowhere ''", "");
}

static void a_line_that_is_wrong_already_is_not_completed(void **state)
{
    (void)state;
    assert_answer("frobnicate ''", "");
    assert_answer("frobnicate --", "");
    assert_answer("role frobnicate ''", "");
    assert_answer("frobnicate sh", "");
    assert_answer("list --frob l", "");
    assert_answer("help sh", "show");
    assert_answer("help role l", "list");
    assert_answer("help show ''", "");
    assert_answer("help show --", "");
    assert_answer("", "");
}

/* A registry's errors would be written into what is being typed. */
static void nothing_is_said_of_what_is_wrong(void **state)
{
    char path[sizeof directory + 20], command[300];
    (void)state;
    snprintf(path, sizeof path, "%s/nowhere", directory);
    ask_in(path, "show ''");
    assert_int_equal(answer.count, 0);
    snprintf(command, sizeof command, "cp -r %s %s.damaged", directory, directory);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s.damaged", directory);
    snprintf(command, sizeof command,
             "sed -i 's/by the/by tha/' %s/data.mdb && %s -r %s show pump-7 >%s/said 2>&1", path,
             DEVREG, path, path);
    assert_int_not_equal(system(command), 0); /* it is damaged */
    ask_in(path, "show ''");
    assert_int_equal(answer.count, 1);
    assert_string_equal(answer.names[0], "valve:1@kiel");
    snprintf(command, sizeof command, "echo nothing >%s/data.mdb", path);
    assert_int_equal(system(command), 0);
    ask_in(path, "show ''");
    assert_int_equal(answer.count, 0);
    ask_in(path, "sho");
    assert_int_equal(answer.count, 1);
}

/* Many devices. */

static char ids[IDS][DEVICE_ID_MAX + 1];
static size_t id_count;

static void note_offer(void *context, const char *name, const char *note)
{
    struct candidates *all = context;
    assert_true(all->count < LINES_MAX);
    snprintf(all->what[all->count], LINE_SIZE, "%s", note ? "" : "...");
    snprintf(all->names[all->count++], LINE_SIZE, "%s", name);
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static size_t count_of(const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < id_count; i++)
        count += begins(ids[i], prefix);
    return count;
}

static bool is_id(const char *name)
{
    for (size_t i = 0; i < id_count; i++) {
        if (strcmp(ids[i], name) == 0)
            return true;
    }
    return false;
}

/* Each device can be reached, and nothing leads nowhere. */
static void check_prefix(struct registry *registry, const char *prefix)
{
    answer.count = 0;
    assert_int_equal(registry_read(registry), ERR_OK);
    names_complete(registry, NAMES_DEVICES, prefix, note_offer, &answer);
    registry_end(registry);
    size_t below = count_of(prefix), reached = 0;
    for (size_t i = 0; i < answer.count; i++) {
        const char *name = answer.names[i];
        bool part = *answer.what[i];
        size_t count = count_of(name);
        assert_true(begins(name, prefix));
        assert_true(part ? count > 1 : is_id(name));
        assert_true(part ? strlen(name) > strlen(prefix) : true);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(name, answer.names[j]);
        reached += part ? count : 1;
    }
    if (reached != below)
        fail_msg("'%s': of %zu devices %zu can be reached", prefix, below, reached);
    assert_true(answer.count <= NAMES_MAX + 1);
    if (below <= NAMES_MAX)
        assert_int_equal(answer.count, below);
}

static void add_ids(struct registry *registry, struct rng *rng)
{
    static const char *const parts[] = {"a", "b", "-", "1", "2", "pump-", "site:"};
    id_count = 0;
    assert_int_equal(registry_write(registry, "test", 1), ERR_OK);
    for (size_t tries = 0; tries < IDS; tries++) {
        struct device device;
        char id[DEVICE_ID_MAX + 1] = "x";
        for (size_t parts_left = rng_below(rng, 9); parts_left; parts_left--)
            strcat(id, parts[rng_below(rng, sizeof parts / sizeof *parts)]);
        if (is_id(id))
            continue;
        device_init(&device, id);
        assert_int_equal(registry_add_device(registry, &device), ERR_OK);
        device_clear(&device);
        memcpy(ids[id_count++], id, sizeof id);
    }
    assert_int_equal(registry_commit(registry), ERR_OK);
}

static void of_many_devices_each_can_be_reached(void **state)
{
    struct registry *registry;
    char path[sizeof directory + 10], prefix[DEVICE_ID_MAX + 1];
    struct rng rng = rng_start("of_many_devices_each_can_be_reached");
    (void)state;
    snprintf(path, sizeof path, "%s/many", directory);
    assert_int_equal(registry_create(path, getuid(), getgid(), "test", 1), ERR_OK);
    assert_int_equal(registry_open(&registry, path, STORE_WRITE), ERR_OK);
    add_ids(registry, &rng);
    assert_true(id_count > 5 * NAMES_MAX);
    check_prefix(registry, "");
    check_prefix(registry, "y");
    for (size_t i = 0; i < 200; i++) {
        const char *id = ids[rng_below(&rng, id_count)];
        snprintf(prefix, sizeof prefix, "%.*s", (int)rng_below(&rng, strlen(id) + 1), id);
        check_prefix(registry, prefix);
    }
    registry_close(registry);
}

static int prepare(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    devreg("init");
    return 0;
}

static int clean(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s %s.damaged", directory, directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_is_offered),
        cmocka_unit_test(every_option_of_a_verb_is_offered_and_no_other),
        cmocka_unit_test(every_placeholder_of_help_is_known),
        cmocka_unit_test(arguments_are_completed_by_their_place),
        cmocka_unit_test(values_of_options_are_completed),
        cmocka_unit_test(a_line_that_is_wrong_already_is_not_completed),
        cmocka_unit_test(nothing_is_said_of_what_is_wrong),
        cmocka_unit_test(of_many_devices_each_can_be_reached),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
