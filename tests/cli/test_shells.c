/* completions/ in the shells themselves: a line is typed on a terminal, with the Tab key, and what
 * the shell then runs is told by a function that has devreg's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/cli/tty.h"

enum { TYPED_MAX = 1000 };

static char directory[] = "/tmp/devreg-shells.XXXXXX";

#define BASH_INIT                                                                                  \
    "devreg() { printf 'RAN'; printf '<%s>' \"$@\"; echo; }; unset HISTFILE; "                     \
    "bind 'set enable-bracketed-paste off'; . " COMPLETIONS "/devreg.bash; PS1='ready'\"> \""
#define ZSH_INIT                                                                                   \
    "devreg() { printf 'RAN'; printf '<%s>' \"$@\"; echo }; fpath=(" COMPLETIONS " $fpath); "      \
    "autoload -U compinit && compinit -u -D; PS1='ready'\"> \""

struct shell {
    const char *path;
    const char *arguments[4];
    const char *init;
    const char *slash; /* that a blank leaves behind a directory */
};

static const struct shell bash = {"bash", {"bash", "--norc", "--noprofile", "-i"}, BASH_INIT, "/"};
static const struct shell zsh = {"zsh", {"zsh", "-f", "-i", NULL}, ZSH_INIT, ""};

static bool is_there(const char *shell)
{
    char command[100];
    snprintf(command, sizeof command, "command -v %s >/dev/null", shell);
    return system(command) == 0;
}

static void await(struct tty *tty, size_t from, const char *text)
{
    int64_t deadline = tty_now() + TTY_DEADLINE_MS;
    while (!strstr(tty->said + from, text)) {
        if (!tty_read(tty, deadline))
            fail_msg("it ended before it said '%s': %s", text, tty->said);
    }
}

static void type(struct tty *tty, const char *text)
{
    assert_int_equal(write(tty->terminal, text, strlen(text)), strlen(text));
}

static void set_environment(void)
{
    char path[4000];
    snprintf(path, sizeof path, "%s:%s", directory, getenv("PATH"));
    setenv("PATH", path, 1);
    snprintf(path, sizeof path, "%s/registry", directory);
    setenv("DEVREG_REGISTRY", path, 1);
    setenv("HOME", directory, 1);
    setenv("TERM", "dumb", 1);
    setenv("LC_ALL", "C", 1);
}

static void start(struct tty *tty, const struct shell *shell)
{
    if (tty_fork(tty, 50, 200)) {
        char *arguments[5] = {NULL};
        memcpy(arguments, shell->arguments, sizeof shell->arguments);
        if (chdir(directory) == 0)
            execvp(shell->path, arguments);
        _exit(127);
    }
    type(tty, shell->init);
    type(tty, "\n");
    await(tty, 0, "ready> ");
}

/* Types `line`, in which | is the Tab key. The shell has to run devreg with `expected`. */
static void expect(struct tty *tty, const char *line, const char *expected)
{
    size_t from = tty->length;
    char typed[TYPED_MAX];
    snprintf(typed, sizeof typed, "%s\n", line);
    for (char *at = typed; (at = strchr(at, '|'));)
        *at = '\t';
    type(tty, typed);
    await(tty, from, "\nRAN<");
    const char *ran = strstr(tty->said + from, "\nRAN<") + 4;
    await(tty, (size_t)(ran - tty->said), "ready> ");
    size_t length = strcspn(ran, "\r\n");
    if (strlen(expected) != length || strncmp(ran, expected, length) != 0)
        fail_msg("'%s' became %.*s, not %s", line, (int)length, ran, expected);
}

static void finish(struct tty *tty)
{
    type(tty, "exit\n");
    (void)tty_end(tty);
}

/* What bash and zsh have in common. Ids and roles hold characters at which bash parts words. */
static void complete_all_kinds(const struct shell *shell)
{
    static struct tty tty;
    char expected[TYPED_MAX];
    if (!is_there(shell->path))
        skip();
    start(&tty, shell);
    expect(&tty, "devreg sho| val|", "<show><valve:1@kiel>");
    expect(&tty, "devreg show valve:|", "<show><valve:1@kiel>");
    expect(&tty, "devreg show valve:1|", "<show><valve:1@kiel>");
    expect(&tty, "devreg show valve:1@|", "<show><valve:1@kiel>");
    expect(&tty, "devreg show valve:1@k|", "<show><valve:1@kiel>");
    expect(&tty, "devreg rol| sho| pu|", "<role><show><pump>");
    expect(&tty, "devreg allow @pu| publ| x", "<allow><@pump><publish><x>");
    expect(&tty, "devreg allow @| publ| x", "<allow><@><publish><x>");
    expect(&tty, "devreg list --role=pu|", "<list><--role=pump>");
    expect(&tty, "devreg list --role pu|", "<list><--role><pump>");
    expect(&tty, "devreg list --stat|  rev|", "<list><--state><revoked>");
    expect(&tty, "devreg set --where rol|pu| x=y", "<set><--where><role=pump><x=y>");
    expect(&tty, "devreg list --columns device,sta|", "<list><--columns><device,state>");
    expect(&tty, "devreg -r ./else show onl|", "<-r><./else><show><only>");
    snprintf(expected, sizeof expected, "<-r><%s/else><show><only>", directory);
    expect(&tty, "devreg -r ~/else show onl|", expected);
    snprintf(expected, sizeof expected, "<-r><else%s><show><x>", shell->slash);
    expect(&tty, "devreg -r els| show x", expected);
    expect(&tty, "devreg add --from pum|", "<add><--from><pumps.csv>");
    expect(&tty, "devreg add --from=pum|", "<add><--from=pumps.csv>");
    expect(&tty, "devreg import two|", "<import><two words>");
    expect(&tty, "devreg init --user roo|", "<init><--user><root>");
    expect(&tty, "devreg show ma|x|", "<show><mass-x>"); /* there are 300 mass-1, ... */
    expect(&tty, "devreg frobnicate val|", "<frobnicate><val>");
    finish(&tty);
}

static void bash_completes(void **state)
{
    (void)state;
    complete_all_kinds(&bash);
}

static void zsh_completes(void **state)
{
    (void)state;
    complete_all_kinds(&zsh);
}

/* bash with '@', ':' and '=' as parts of words, as some have it. */
static void bash_completes_whatever_parts_its_words(void **state)
{
    static struct tty tty;
    (void)state;
    if (!is_there("bash"))
        skip();
    start(&tty, &bash);
    type(&tty, "COMP_WORDBREAKS=' '\n");
    expect(&tty, "devreg show valve:1|", "<show><valve:1@kiel>");
    expect(&tty, "devreg allow @pu| x y", "<allow><@pump><x><y>");
    expect(&tty, "devreg list --role=pu|", "<list><--role=pump>");
    expect(&tty, "devreg add --from=pum|", "<add><--from=pumps.csv>");
    finish(&tty);
}

/* The whole of bash-completion, which finds ours by the command's name, also behind sudo. */
static void bash_completion_finds_it_behind_sudo(void **state)
{
    static struct tty tty;
    (void)state;
    if (!is_there("bash") || access("/usr/share/bash-completion/bash_completion", R_OK) != 0)
        skip();
    start(&tty, &bash);
    type(&tty, "sudo() { \"$@\"; }; . /usr/share/bash-completion/bash_completion\n");
    expect(&tty, "sudo devreg sho| valve:|", "<show><valve:1@kiel>");
    expect(&tty, "sudo devreg list --role=pu|", "<list><--role=pump>");
    finish(&tty);
}

/* fish says without a terminal what it would offer. */
static void assert_fish(const char *line, const char *expected)
{
    char command[TYPED_MAX], said[TYPED_MAX] = "";
    size_t used = 0;
    snprintf(command, sizeof command,
             "cd %s; fish --no-config -c 'source " COMPLETIONS "/devreg.fish; complete -C \"%s\"'",
             directory, line);
    FILE *fish = popen(command, "r");
    assert_non_null(fish);
    while (fgets(said + used, (int)(sizeof said - used), fish))
        used += strcspn(said + used, "\t\n") + 1;
    assert_int_equal(pclose(fish), 0);
    for (size_t i = 0; i < used; i++)
        said[i] = said[i] ? said[i] : ' ';
    for (char *at = said; *at; at++)
        *at = *at == '\t' || *at == '\n' ? ' ' : *at;
    said[used ? used - 1 : 0] = '\0';
    if (strcmp(said, expected) != 0)
        fail_msg("'%s': %s", line, said);
}

static void fish_completes(void **state)
{
    (void)state;
    if (!is_there("fish"))
        skip();
    assert_fish("devreg sho", "show");
    assert_fish("devreg show val", "valve:1@kiel");
    assert_fish("devreg show valve:1@", "valve:1@kiel");
    assert_fish("devreg role show pu", "pump");
    assert_fish("devreg allow @pu", "@pump");
    assert_fish("devreg allow @pump publ", "publish");
    assert_fish("devreg list --role=pu", "--role=pump");
    assert_fish("devreg list --role pu", "pump");
    assert_fish("devreg set --where role=p", "role=pump");
    assert_fish("devreg list --columns device,stat", "device,state");
    assert_fish("devreg -r ./else show onl", "only");
    assert_fish("devreg -r ~/else show onl", "only");
    assert_fish("devreg -r els", "else/");
    assert_fish("devreg add --from pum", "pumps.csv");
    assert_fish("devreg add --from=pum", "--from=pumps.csv");
    assert_fish("devreg init --user roo", "root");
    assert_fish("devreg frobnicate val", "");
    assert_fish("devreg list --stat", "--state");
}

static void run(const char *command)
{
    char line[TYPED_MAX];
    snprintf(line, sizeof line, "cd %s && { %s; } >run.log 2>&1 || { cat run.log >&2; false; }",
             directory, command);
    if (system(line) != 0)
        fail_msg("failed: %s", command);
}

static int prepare(void **state)
{
    (void)state;
    if (!mkdtemp(directory) || chmod(directory, 0755) != 0)
        return -1;
    set_environment();
    run("ln -s " DEVREG " devreg");
    run("devreg init && devreg add valve:1@kiel --no-key; devreg role add pump");
    run("devreg -r else init && devreg -r else add only --no-key");
    run("touch pumps.csv 'two words'");
    run("devreg add --count 300 --prefix mass- --no-key; devreg add mass-x --no-key");
    return 0;
}

static int clean(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_completes),
        cmocka_unit_test(bash_completes_whatever_parts_its_words),
        cmocka_unit_test(bash_completion_finds_it_behind_sudo),
        cmocka_unit_test(zsh_completes),
        cmocka_unit_test(fish_completes),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
