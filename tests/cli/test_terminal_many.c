/* devreg on a pseudo terminal: many devices are asked back, and a list is a table though it is
 * streamed. */
#include <signal.h>

#include "tests/cli/terminal_session.h"

enum { SHORT = 1200, LONG = 400, STREAMED = 100000 };

/* Runs devreg off the terminal, and it has to succeed. Lends what it says on stdout. */
static const char *devreg(const char *arguments)
{
    static char answer[SAID_MAX + 1];
    char command[1000];
    snprintf(command, sizeof command, DEVREG " -r %s %s 2>/dev/null </dev/null", directory,
             arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    answer[fread(answer, 1, SAID_MAX, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    return answer;
}

static void no_is_the_answer_to_everything_but_yes(void **state)
{
    static const char *const answers[] = {"\n", "n\n", "nay\n", "yess\n", " y\n", "\004"};
    struct tty session;
    (void)state;
    (void)devreg("add --count 3 --prefix no- --set site=no --no-key");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        RUN(&session, WORD("disable"), WORD("--where"), WORD("site=no"));
        session_await(&session, "Disable 3 devices? [y/N] ", 1);
        session_type(&session, answers[i]);
        assert_exit(tty_wait(&session), 1);
        assert_non_null(strstr(session.said, "devreg: nothing was changed"));
    }
    assert_string_equal(devreg("list --set site=no --columns version"), "1\n1\n1\n");
}

static void yes_changes_them(void **state)
{
    static const char *const answers[] = {"y\n", "Y\n", "yes\n", "YES\n"};
    static const char *const verbs[] = {"disable", "enable", "disable", "enable"};
    struct tty session;
    char verb[10];
    (void)state;
    (void)devreg("add --count 1200 --prefix yes- --set site=yes --no-key");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        snprintf(verb, sizeof verb, "%s", verbs[i]);
        RUN(&session, verb, WORD("--where"), WORD("site=yes"));
        session_await(&session, "able 1,200 devices? [y/N] ", 1);
        session_type(&session, answers[i]);
        assert_exit(tty_wait(&session), 0);
        assert_non_null(strstr(session.said, "abled 1,200 devices in "));
    }
    assert_string_equal(devreg("list --set site=yes --columns version --limit 2"), "5\n5\n");
}

static void with_yes_nothing_is_asked_and_neither_where_there_is_nothing_to_do(void **state)
{
    struct tty session;
    (void)state;
    (void)devreg("add quiet --set site=quiet --no-key");
    RUN(&session, WORD("disable"), WORD("--where"), WORD("site=quiet"), WORD("--yes"));
    assert_exit(tty_wait(&session), 0);
    assert_null(strchr(session.said, '?'));
    RUN(&session, WORD("disable"), WORD("--where"), WORD("site=quiet"));
    assert_exit(tty_wait(&session), 0);
    assert_string_equal(session.said, "Nothing to do; 1 is so already\r\n");
    RUN(&session, WORD("remove"), WORD("--where"), WORD("site=quiet"), WORD("--dry-run"));
    assert_exit(tty_wait(&session), 0);
    assert_string_equal(session.said, "quiet\r\nWould remove 1 device\r\n");
}

static void ctrl_c_at_the_question_changes_nothing(void **state)
{
    struct tty session;
    int status;
    (void)state;
    (void)devreg("add broken --set site=broken --no-key");
    RUN(&session, WORD("remove"), WORD("--where"), WORD("site=broken"));
    session_await(&session, "Remove 1 device? [y/N] ", 1);
    session_type(&session, "\003");
    assert_int_equal(waitpid(session.pid, &status, 0), session.pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    assert_int_equal(close(session.terminal), 0);
    assert_string_equal(devreg("list --set site=broken --columns device"), "broken\n");
}

/* Nothing is held while a person thinks: others change what they like, and what was not confirmed
 * is not touched. */
static void what_changed_while_the_question_stood_is_left_alone(void **state)
{
    struct tty session;
    (void)state;
    (void)devreg("add --count 5 --prefix w- --set site=while --no-key");
    RUN(&session, WORD("disable"), WORD("--where"), WORD("site=while"), WORD("--reason"),
        WORD("asked"));
    session_await(&session, "Disable 5 devices? [y/N] ", 1);
    (void)devreg("set w-1 site=elsewhere");
    (void)devreg("remove w-2");
    (void)devreg("remove w-3");
    (void)devreg("add w-3 --set site=while --no-key");
    (void)devreg("disable w-4 --reason before");
    (void)devreg("set w-5 floor=2");
    (void)devreg("add w-6 --set site=while --no-key");
    session_type(&session, "y\n");
    assert_exit(tty_wait(&session), 0);
    assert_non_null(strstr(session.said, "Disabled 1 device in "));
    assert_non_null(strstr(session.said, "; 4 are not what they were when you were asked"));
    assert_string_equal(devreg("list --after w --limit 5 --columns device,state,reason"),
                        "w-1\tenabled\t-\nw-3\tenabled\t-\nw-4\tdisabled\tbefore\n"
                        "w-5\tdisabled\tasked\nw-6\tenabled\t-\n");
    assert_non_null(
        strstr(devreg("log --limit 1"), "\tdisable\t-\t1 device where site=while, asked"));
}

static void new_keys_are_for_all_that_were_confirmed_or_for_nobody(void **state)
{
    struct tty session;
    char keys[100], part[110];
    (void)state;
    (void)devreg("add --count 3 --prefix r- --set site=rotated");
    RUN(&session, WORD("rotate"), WORD("--where"), WORD("site=rotated"), WORD("--keys"),
        path_of(keys, "rotated"));
    session_await(&session, "Give 3 devices new keys? [y/N] ", 1);
    (void)devreg("set r-2 floor=2");
    session_type(&session, "y\n");
    assert_exit(tty_wait(&session), 1);
    assert_non_null(
        strstr(session.said, "the registry was changed meanwhile: nothing was changed"));
    snprintf(part, sizeof part, "%s.part", keys);
    assert_int_not_equal(access(keys, F_OK), 0);
    assert_int_not_equal(access(part, F_OK), 0);
    assert_string_equal(devreg("list --set site=rotated --columns credentials"),
                        "key 1\nkey 1\nkey 1\n");
}

static void the_registry_is_free_while_the_question_stands(void **state)
{
    struct tty session;
    (void)state;
    (void)devreg("add free --set site=free --no-key");
    RUN(&session, WORD("set"), WORD("--where"), WORD("site=free"), WORD("floor=1"));
    session_await(&session, "Change 1 device? [y/N] ", 1);
    (void)devreg("add other --no-key"); /* it would wait for ever */
    session_type(&session, "y\n");
    assert_exit(tty_wait(&session), 0);
}

static void write_ids(const char *path, const char *prefix, const char *site, int count)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("device,attr.site\n", file) >= 0);
    for (int i = 0; i < count; i++)
        assert_true(fprintf(file, "%s%06d,%s\n", prefix, i, site) > 0);
    assert_int_equal(fclose(file), 0);
}

static void add_file(const char *prefix, const char *site, int count)
{
    char path[100], arguments[200];
    write_ids(path_of(path, prefix), prefix, site, count);
    snprintf(arguments, sizeof arguments, "add --from %s --no-key", path);
    (void)devreg(arguments);
}

/* Each row's cells begin where those of the header above it do. The ids that come late are longer
 * than all before. Returns how many headers there were. */
static int assert_aligned(char *said)
{
    size_t state_at = 0;
    int headers = 0, rows = 0;
    for (char *line = strtok(said, "\r\n"); line; line = strtok(NULL, "\r\n")) {
        char *title = strstr(line, "STATE");
        if (strncmp(line, "DEVICE ", 7) == 0 && title) {
            state_at = (size_t)(title - line);
            headers++;
            continue;
        }
        rows++;
        assert_true(state_at > 0 && strlen(line) > state_at);
        assert_int_equal(strncmp(line + state_at - 2, "  enabled  ", 11), 0);
    }
    assert_int_equal(rows, SHORT + LONG);
    return headers;
}

static void a_streamed_table_stands_under_its_header(void **state)
{
    struct tty session;
    (void)state;
    add_file("s-", "table", SHORT);
    add_file("t-which-is-the-longest-of-all-of-them-", "table", LONG);
    RUN(&session, WORD("list"), WORD("--set"), WORD("site=table"), WORD("--columns"),
        WORD("device,state,version"));
    assert_exit(tty_wait(&session), 0);
    assert_int_equal(assert_aligned(session.said), 2);
}

/* A pipe takes 64 KB of the four megabytes: who read it all first could not have said a line. */
static void the_first_line_comes_before_the_last_device_is_read(void **state)
{
    char line[200];
    int ends[2], status;
    (void)state;
    add_file("z-", "stream", STREAMED);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGPIPE, SIG_DFL);
        if (dup2(ends[1], STDOUT_FILENO) >= 0 && close(ends[0]) == 0 && close(ends[1]) == 0)
            execl(DEVREG, "devreg", "-r", directory, "list", "--set", "site=stream", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(close(ends[1]), 0);
    FILE *from = fdopen(ends[0], "r");
    assert_non_null(from);
    assert_non_null(fgets(line, sizeof line, from));
    assert_string_equal(line, "z-000000\tenabled\tdevice\tnever\t-\n");
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    assert_int_equal(fclose(from), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_is_the_answer_to_everything_but_yes),
        cmocka_unit_test(yes_changes_them),
        cmocka_unit_test(with_yes_nothing_is_asked_and_neither_where_there_is_nothing_to_do),
        cmocka_unit_test(ctrl_c_at_the_question_changes_nothing),
        cmocka_unit_test(what_changed_while_the_question_stood_is_left_alone),
        cmocka_unit_test(new_keys_are_for_all_that_were_confirmed_or_for_nobody),
        cmocka_unit_test(the_registry_is_free_while_the_question_stands),
        cmocka_unit_test(a_streamed_table_stands_under_its_header),
        cmocka_unit_test(the_first_line_comes_before_the_last_device_is_read),
    };
    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
