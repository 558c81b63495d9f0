/* devreg on a pseudo terminal: passwords are typed without echo, and lists are tables, and what
 * takes long shows how far it is. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <termios.h>

#include "tests/cli/terminal_session.h"

enum { DEVICES = 200000 };

/* The prompt comes when the echo is off: what is typed after it may not be seen. */
static void a_password_is_typed_twice_and_never_echoed(void **state)
{
    struct tty session;
    (void)state;
    RUN(&session, WORD("add"), WORD("alice"), WORD("--password"));
    session_await(&session, "New password: ", 1);
    session_type(&session, "correct horse\n");
    session_await(&session, "The same again: ", 1);
    session_type(&session, "correct horse\n");
    assert_exit(tty_wait(&session), 0);
    assert_null(strstr(session.said, "horse"));
    assert_non_null(strstr(session.said, "alice: added"));
    RUN(&session, WORD("show"), WORD("alice"));
    assert_exit(tty_wait(&session), 0);
    assert_non_null(strstr(session.said, "credential  password 1,"));
}

static void two_different_passwords_are_refused(void **state)
{
    struct tty session;
    (void)state;
    RUN(&session, WORD("add"), WORD("bob"), WORD("--password"));
    session_await(&session, "New password: ", 1);
    session_type(&session, "correct horse\n");
    session_await(&session, "The same again: ", 1);
    session_type(&session, "correct house\n");
    assert_exit(tty_wait(&session), 2);
    assert_non_null(strstr(session.said, "differ"));
    assert_null(strstr(session.said, "correct"));
    RUN(&session, WORD("show"), WORD("bob"));
    assert_exit(tty_wait(&session), 1);
}

static void a_password_that_is_too_long_is_not_cut(void **state)
{
    struct tty session;
    char line[140];
    (void)state;
    memset(line, 'x', sizeof line);
    line[138] = '\n';
    line[139] = '\0';
    RUN(&session, WORD("password"), WORD("alice"));
    session_await(&session, "New password: ", 1);
    session_type(&session, line);
    assert_exit(tty_wait(&session), 2);
    assert_non_null(strstr(session.said, "longer than 128 bytes"));
}

static void ctrl_d_changes_nothing(void **state)
{
    struct tty session;
    (void)state;
    RUN(&session, WORD("password"), WORD("alice"));
    session_await(&session, "New password: ", 1);
    session_type(&session, "\004");
    assert_exit(tty_wait(&session), 3);
    assert_non_null(strstr(session.said, "nothing was changed"));
}

/* Does the terminal show what is typed? */
static bool echoes(const struct tty *session)
{
    struct termios mode;
    assert_int_equal(tcgetattr(session->terminal, &mode), 0);
    return mode.c_lflag & ECHO;
}

static void ctrl_c_ends_it_and_leaves_the_echo_on(void **state)
{
    struct tty session;
    int status;
    (void)state;
    RUN(&session, WORD("password"), WORD("alice"));
    session_await(&session, "New password: ", 1);
    assert_false(echoes(&session));
    session_type(&session, "\003");
    session_await(&session, "\n", 1);
    assert_int_equal(waitpid(session.pid, &status, 0), session.pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    assert_int_equal(close(session.terminal), 0);
}

static void a_terminal_gets_tables_with_a_header(void **state)
{
    struct tty session;
    (void)state;
    RUN(&session, WORD("list"));
    assert_exit(tty_wait(&session), 0);
    assert_string_equal(session.said, "DEVICE  STATE     ROLES   PRESENCE  SINCE\r\n"
                                      "alice   enabled   device  never     -\r\n");
}

static void the_secret_is_not_exported_to_a_screen(void **state)
{
    struct tty session;
    (void)state;
    RUN(&session, WORD("export"), WORD("--with-hashes"));
    assert_exit(tty_wait(&session), 2);
    assert_null(strstr(session.said, "secret\""));
}

static void an_export_says_whether_credentials_are_in_it(void **state)
{
    struct tty session;
    char path[100];
    (void)state;
    RUN(&session, WORD("export"));
    assert_exit(tty_wait(&session), 0);
    assert_non_null(strstr(session.said, " without credentials: --with-hashes takes them along."));
    RUN(&session, WORD("export"), WORD("--with-hashes"), path_of(path, "hashes"));
    assert_exit(tty_wait(&session), 0);
    assert_non_null(strstr(session.said, " with all credentials and the registry's secret"));
}

/* A registry of two devices, and a file that names one of them, whose note is `note`. */
static void write_fleet(const char *path, const char *note)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file,
                        "{\"devreg_export\":1}\n{\"role\":\"device\"}\n{\"device\":\"kept\","
                        "\"note\":\"%s\"}\n{\"devreg_export\":\"end\"}\n",
                        note) > 0);
    assert_int_equal(fclose(file), 0);
}

static char fleet_dir[120], fleet[100];

static void fleet_make(void)
{
    struct tty session;
    char path[100];
    snprintf(fleet_dir, sizeof fleet_dir, "%s", path_of(path, "fleet-registry"));
    (void)path_of(fleet, "fleet");
    session_start(&session, (char *[]){WORD("devreg"), WORD("-r"), fleet_dir, WORD("init"), NULL});
    (void)tty_wait(&session);
    write_fleet(fleet, "");
    session_start(&session,
                  (char *[]){WORD("devreg"), WORD("-r"), fleet_dir, WORD("apply"), fleet, NULL});
    assert_exit(tty_wait(&session), 0);
    session_start(&session, (char *[]){WORD("devreg"), WORD("-r"), fleet_dir, WORD("add"),
                                       WORD("gone"), WORD("--no-key"), NULL});
    assert_exit(tty_wait(&session), 0);
}

#define PRUNE(session)                                                                             \
    session_start(session, (char *[]){WORD("devreg"), WORD("-r"), fleet_dir, WORD("apply"),        \
                                      WORD("--prune"), fleet, NULL})

static void assert_is_there(const char *id, bool expected)
{
    struct tty session;
    session_start(&session,
                  (char *[]){WORD("devreg"), WORD("-r"), fleet_dir, WORD("show"), WORD(id), NULL});
    assert_exit(tty_wait(&session), expected ? 0 : 1);
}

static void apply_shows_what_it_will_remove_and_asks(void **state)
{
    static const char *const refusals[] = {"n\n", "\n", "yesterday\n", "yy\n", "\004"};
    struct tty session;
    (void)state;
    fleet_make();
    write_fleet(fleet, "new");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        PRUNE(&session);
        session_await(&session, "Remove 1 device? [y/N] ", 1);
        assert_non_null(strstr(session.said, "DEVICE  FIELDS"));
        assert_non_null(strstr(session.said, "gone"));
        session_type(&session, refusals[i]);
        assert_exit(tty_wait(&session), 1);
        assert_non_null(strstr(session.said, "devreg: nothing was changed"));
        assert_is_there("gone", true);
    }
    PRUNE(&session);
    session_await(&session, "Remove 1 device? [y/N] ", 1);
    session_type(&session, "y\n");
    assert_exit(tty_wait(&session), 0);
    assert_non_null(strstr(session.said, "Applied. Devices: 1 changed, 1 removed, 0 unchanged;"));
    assert_null(strstr(strstr(session.said, "[y/N]"), "gone")); /* it is shown once */
    assert_is_there("gone", false);
    assert_is_there("kept", true);
}

/* Not what was shown would be done, but something else. */
static void apply_does_nothing_else_than_it_has_shown(void **state)
{
    struct tty session, other;
    (void)state;
    assert_is_there("kept", true);
    session_start(&other, (char *[]){WORD("devreg"), WORD("-r"), fleet_dir, WORD("add"),
                                     WORD("gone"), WORD("--no-key"), NULL});
    assert_exit(tty_wait(&other), 0);
    PRUNE(&session);
    session_await(&session, "Remove 1 device? [y/N] ", 1);
    session_start(&other, (char *[]){WORD("devreg"), WORD("-r"), fleet_dir, WORD("add"),
                                     WORD("more"), WORD("--no-key"), NULL});
    assert_exit(tty_wait(&other), 0);
    session_type(&session, "y\n");
    assert_exit(tty_wait(&session), 1);
    assert_non_null(strstr(session.said, "nothing was changed, run it again"));
    assert_is_there("gone", true);
    assert_is_there("more", true);
}

static void without_a_terminal_a_password_is_not_asked_for(void **state)
{
    int status;
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (setsid() > 0 && freopen("/dev/null", "w", stderr))
            execl(DEVREG, "devreg", "-r", directory, "add", "carol", "--password", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_exit(status, 3);
}

static void a_bar_shows_how_far_many_devices_are(void **state)
{
    struct tty session;
    char devices[100], keys[100];
    (void)state;
    FILE *file = fopen(path_of(devices, "devices"), "w");
    assert_non_null(file);
    assert_true(fputs("device\n", file) >= 0);
    for (int i = 0; i < DEVICES; i++)
        assert_true(fprintf(file, "pump-%d\n", i) > 0);
    assert_int_equal(fclose(file), 0);
    RUN(&session, WORD("add"), WORD("--from"), devices, WORD("--keys"), path_of(keys, "keys"));
    assert_exit(tty_wait(&session), 0);
    assert_non_null(strstr(session.said, "%  "));
    assert_non_null(strstr(session.said, " devices  "));
    assert_non_null(strstr(session.said, "/s  "));
    assert_non_null(strstr(session.said, " s left\x1b[K"));
    assert_non_null(strstr(session.said, "\r\x1b[KAdded 200,000 devices in "));
}

/* What comes on the terminal is made of whole lines: ids with their keys. */
static void assert_keys_only(const char *said)
{
    assert_int_equal(strncmp(said, "device,key\r\n", 12), 0);
    for (said += 12; strncmp(said, "Added ", 6) != 0; said = strchr(said, '\n') + 1) {
        char *end;
        assert_int_equal(strncmp(said, "screen-", 7), 0);
        (void)strtoul(said + 7, &end, 10);
        assert_int_equal(strncmp(end, ",devreg_", 8), 0);
        assert_int_equal(strcspn(end, "\r"), 44);
        assert_non_null(strchr(said, '\n'));
    }
}

/* They come slowly enough for a bar: the devices come through a pipe, after the time of one. */
static void keys_on_a_terminal_have_no_bar_among_them(void **state)
{
    struct tty session;
    char fifo[100];
    (void)state;
    assert_int_equal(mkfifo(path_of(fifo, "fifo"), 0600), 0);
    RUN(&session, WORD("add"), WORD("--from"), fifo);
    int pipe = open(fifo, O_WRONLY | O_CLOEXEC);
    assert_true(pipe >= 0);
    assert_int_equal(write(pipe, "device\n", 7), 7);
    (void)poll(NULL, 0, 300); /* a bar is drawn from 100 ms on */
    for (int i = 0; i < 500; i++)
        assert_true(dprintf(pipe, "screen-%d\n", i) > 0);
    assert_int_equal(close(pipe), 0);
    assert_exit(tty_wait(&session), 0);
    assert_keys_only(session.said);
    assert_int_equal(unlink(fifo), 0);
}

/* Writes devices into the pipe until it has been said. */
static void write_until(struct tty *session, int pipe, const char *text)
{
    int64_t deadline = tty_now() + TTY_DEADLINE_MS;
    for (int i = 0; !strstr(session->said, text); i++) {
        struct pollfd poll_on = {.fd = session->terminal, .events = POLLIN};
        char line[40];
        int size = snprintf(line, sizeof line, "fifo-%d\n", i);
        assert_int_equal(write(pipe, line, (size_t)size), size);
        assert_true(tty_now() < deadline);
        if (poll(&poll_on, 1, 0) == 1)
            assert_true(tty_read(session, deadline));
    }
}

static void of_a_pipe_nobody_knows_the_end(void **state)
{
    struct tty session;
    char fifo[100];
    (void)state;
    assert_int_equal(mkfifo(path_of(fifo, "fifo"), 0600), 0);
    RUN(&session, WORD("add"), WORD("--from"), fifo, WORD("--dry-run"));
    int pipe = open(fifo, O_WRONLY | O_CLOEXEC);
    assert_true(pipe >= 0);
    assert_int_equal(write(pipe, "device\n", 7), 7);
    write_until(&session, pipe, " devices  ");
    assert_null(strchr(session.said, '%'));
    assert_null(strstr(session.said, "left"));
    assert_int_equal(close(pipe), 0);
    assert_exit(tty_wait(&session), 0);
    assert_non_null(strstr(session.said, "Would add "));
    assert_int_equal(unlink(fifo), 0);
}

/* Ctrl-S stops what is written to a terminal. */
static void a_stopped_terminal_does_not_hold_a_transaction_up(void **state)
{
    struct tty session;
    char fifo[100], keys[100];
    int64_t deadline = tty_now() + TTY_DEADLINE_MS;
    (void)state;
    assert_int_equal(mkfifo(path_of(fifo, "fifo"), 0600), 0);
    RUN(&session, WORD("add"), WORD("--from"), fifo, WORD("--keys"), path_of(keys, "more-keys"));
    int pipe = open(fifo, O_WRONLY | O_CLOEXEC);
    assert_true(pipe >= 0);
    assert_int_equal(write(pipe, "device\n", 7), 7);
    write_until(&session, pipe, " devices  ");
    session_type(&session, "\x13");
    for (int i = 0; i < DEVICES; i++)
        assert_true(dprintf(pipe, "stopped-%d\n", i) > 0);
    assert_int_equal(close(pipe), 0);
    while (access(keys, F_OK) != 0) {
        assert_true(tty_now() < deadline);
        (void)poll(NULL, 0, 1);
    }
    session_type(&session, "\x11");
    assert_exit(tty_wait(&session), 0);
    assert_non_null(strstr(session.said, "Added "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_typed_twice_and_never_echoed),
        cmocka_unit_test(two_different_passwords_are_refused),
        cmocka_unit_test(a_password_that_is_too_long_is_not_cut),
        cmocka_unit_test(ctrl_d_changes_nothing),
        cmocka_unit_test(ctrl_c_ends_it_and_leaves_the_echo_on),
        cmocka_unit_test(a_terminal_gets_tables_with_a_header),
        cmocka_unit_test(the_secret_is_not_exported_to_a_screen),
        cmocka_unit_test(an_export_says_whether_credentials_are_in_it),
        cmocka_unit_test(apply_shows_what_it_will_remove_and_asks),
        cmocka_unit_test(apply_does_nothing_else_than_it_has_shown),
        cmocka_unit_test(without_a_terminal_a_password_is_not_asked_for),
        cmocka_unit_test(a_bar_shows_how_far_many_devices_are),
        cmocka_unit_test(of_a_pipe_nobody_knows_the_end),
        cmocka_unit_test(keys_on_a_terminal_have_no_bar_among_them),
        cmocka_unit_test(a_stopped_terminal_does_not_hold_a_transaction_up),
    };
    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
