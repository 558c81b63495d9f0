/* test_core.c - a devreg that holds a secret is held there: it may leave no core, no other process
 * of its user may read its memory, and the secret is nowhere in /proc.
 *
 * What holds it is a pipe: a full one that it has to write a key to, or one that it reads a
 * password from whose line does not end. Root may do everything, so a test that runs as root plays
 * another user. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry/key.h"
#include "tests/broker/deadline.h"
#include "tests/support/tempdir.h"

extern char **environ;

enum { NOBODY = 65534, WORDS_MAX = 12, TEXT_SIZE = 65536, PATIENCE_MS = 120000, DIED = 128 };

#define PASSWORD "correct horse battery"

static struct {
    struct tempdir dir;
    char registry[TEMPDIR_MAX];
    int program; /* devreg, opened by whoever may find it */
} s;

static uid_t player(void)
{
    return geteuid() == 0 ? NOBODY : geteuid();
}

/* In the child: another user than root, in the test's directory, with as much core as there may be.
 */
static void become(int in, int out, int err)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    (void)setrlimit(RLIMIT_CORE, &all); /* as much as the hard limit allows */
    if (dup2(in, 0) != 0 || dup2(out, 1) != 1 || dup2(err, 2) != 2 || chdir(s.dir.path) != 0)
        _exit(DIED);
    if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        _exit(DIED);
}

/* `devreg -r REGISTRY WORDS...`, parted by single blanks. */
static pid_t begin_devreg(const char *words, int in, int out)
{
    char text[TEMPDIR_MAX], *argv[WORDS_MAX + 1] = {(char *)"devreg", (char *)"-r", s.registry};
    size_t count = 3;
    (void)snprintf(text, sizeof text, "%s", words);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        assert_true(count < WORDS_MAX);
        argv[count++] = word;
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        become(in < 0 ? null : in, out < 0 ? null : out, null);
        (void)fexecve(s.program, argv, environ);
        _exit(DIED);
    }
    return pid;
}

static int end_of(pid_t pid)
{
    int status = -1;
    pid_t ended = 0;
    for (int64_t until = clock_ms() + PATIENCE_MS;
         (ended = waitpid(pid, &status, WNOHANG)) == 0 && wait_step(until);)
        ;
    assert_int_equal(ended, pid);
    return status;
}

static int run(const char *words)
{
    int status = end_of(begin_devreg(words, -1, -1));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* All of a file of /proc about the process. Returns its size. */
static size_t proc_read(pid_t pid, const char *name, char text[static TEXT_SIZE])
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    size_t size = 0;
    for (ssize_t got;
         size < TEXT_SIZE - 1 && (got = read(file, text + size, TEXT_SIZE - 1 - size)) > 0;)
        size += (size_t)got;
    text[size] = '\0';
    (void)close(file);
    return size;
}

/* Whose memory is it? What may not be dumped is root's. */
static uid_t memory_owner(pid_t pid)
{
    char path[64];
    struct stat info;
    (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    assert_int_equal(stat(path, &info), 0);
    return info.st_uid;
}

/* A pipe that takes nothing more. */
static void full_pipe(int ends[2])
{
    static const char filling[512];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], filling, sizeof filling) > 0)
        ;
    while (write(ends[1], filling, 1) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, 0), 0);
}

/* What is behind the filling. */
static void drain(int file, char text[static TEXT_SIZE])
{
    char byte;
    size_t size = 0;
    while (size < TEXT_SIZE - 1 && read(file, &byte, 1) == 1) {
        if (byte != '\0')
            text[size++] = byte;
    }
    text[size] = '\0';
}

/* It is held, with what it has to tell still in its memory. */
static bool is_there(const char *device)
{
    char words[200];
    (void)snprintf(words, sizeof words, "show %s", device);
    return run(words) == 0;
}

static pid_t held_adding(const char *words, const char *device, int ends[2])
{
    bool there = false;
    full_pipe(ends);
    pid_t pid = begin_devreg(words, -1, ends[1]);
    for (int64_t until = clock_ms() + PATIENCE_MS; !(there = is_there(device)) && wait_step(until);)
        ;
    assert_true(there); /* and so the key is made, and cannot be told */
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    return pid;
}

/* What a process of that user leaves that has no guard: to see that there is something to see. Does
 * it leave a core, and whose is its memory? */
static bool cores_are_left_here(uid_t *memory)
{
    char command[TEXT_SIZE], *const argv[] = {(char *)"cat", NULL};
    int ends[2];
    bool there = false;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become(ends[0], ends[1], ends[1]);
        (void)execv("/bin/cat", argv);
        _exit(DIED);
    }
    for (int64_t until = clock_ms() + PATIENCE_MS; !there && wait_step(until);)
        there = proc_read(pid, "cmdline", command) && strcmp(command, "cat") == 0;
    assert_true(there);
    *memory = memory_owner(pid);
    assert_int_equal(kill(pid, SIGABRT), 0);
    int status = end_of(pid);
    assert_true(WIFSIGNALED(status));
    (void)close(ends[0]);
    (void)close(ends[1]);
    return WCOREDUMP(status);
}

static void expect_guarded(pid_t pid)
{
    char limits[TEXT_SIZE];
    uid_t owner;
    unsigned long long soft = 1, hard = 1;
    bool cores = cores_are_left_here(&owner);
    (void)proc_read(pid, "limits", limits);
    const char *line = strstr(limits, "Max core file size");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "Max core file size %llu %llu", &soft, &hard), 2);
    assert_true(soft == 0 && hard == 0);
    assert_int_equal(owner, player());
    assert_int_equal(memory_owner(pid), 0);
    if (!cores)
        print_message("no process leaves a core here\n");
    assert_int_equal(kill(pid, SIGABRT), 0);
    int status = end_of(pid);
    assert_true(WIFSIGNALED(status));
    assert_false(WCOREDUMP(status));
}

static void a_devreg_that_has_a_key_to_tell_leaves_no_core(void **state)
{
    static const char *const cases[][2] = {{"add a", "a"}, {"add b --json", "b"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int ends[2];
        pid_t pid = held_adding(cases[i][0], cases[i][1], ends);
        expect_guarded(pid);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
}

static void a_devreg_that_reads_a_password_leaves_no_core(void **state)
{
    int ends[2], left = 1;
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(write(ends[1], PASSWORD, sizeof PASSWORD - 1) == sizeof PASSWORD - 1);
    pid_t pid = begin_devreg("add anna --password-file -", ends[0], -1);
    for (int64_t until = clock_ms() + PATIENCE_MS;
         ioctl(ends[0], FIONREAD, &left) == 0 && left && wait_step(until);)
        ;
    assert_int_equal(left, 0); /* it has read it, and waits for the rest of the line */
    expect_guarded(pid);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_key_is_in_no_command_line_and_no_environment(void **state)
{
    static char text[TEXT_SIZE], command[TEXT_SIZE], environment[TEXT_SIZE];
    int ends[2];
    (void)state;
    pid_t pid = held_adding("add e", "e", ends);
    size_t command_size = proc_read(pid, "cmdline", command);
    size_t environment_size = proc_read(pid, "environ", environment);
    (void)close(ends[1]);
    drain(ends[0], text);
    assert_int_equal(end_of(pid), 0);
    text[strcspn(text, "\n")] = '\0';
    assert_true(key_well_formed(text));
    assert_true(command_size > 0 && environment_size > 0);
    assert_non_null(memmem(command, command_size, "add", sizeof "add"));
    assert_null(memmem(command, command_size, text, KEY_TEXT_SIZE));
    assert_null(memmem(environment, environment_size, text, KEY_TEXT_SIZE));
    (void)close(ends[0]);
}

static int begin(void **state)
{
    (void)state;
    tempdir_make(&s.dir);
    path_join(s.registry, s.dir.path, "registry");
    s.program = open(DEVREG, O_RDONLY); /* no O_CLOEXEC: the sanitizers' runtime opens itself */
    if (s.program < 0 || (geteuid() == 0 && chown(s.dir.path, NOBODY, NOBODY) != 0))
        return -1;
    return run("init");
}

static int end(void **state)
{
    (void)state;
    (void)close(s.program);
    tempdir_remove(&s.dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_devreg_that_has_a_key_to_tell_leaves_no_core),
        cmocka_unit_test(a_devreg_that_reads_a_password_leaves_no_core),
        cmocka_unit_test(a_key_is_in_no_command_line_and_no_environment),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
