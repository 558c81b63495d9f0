/* child.c - the verb run: what a command takes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/load.h"

/* What the command says on stdout is not ours to print. */
static _Noreturn void become(char **command)
{
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nothing >= 0 && dup2(nothing, STDOUT_FILENO) >= 0)
        (void)execvp(command[0], command);
    (void)fprintf(stderr, "bench load: %s: %s\n", command[0], strerror(errno));
    _exit(127);
}

void load_run(struct load *load)
{
    struct rusage usage;
    int status;
    double begin = now();
    pid_t pid = fork();
    if (pid == 0)
        become(load->rest);
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
        die("%s: %s", load->rest[0], strerror(errno));
    double seconds = now() - begin;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("%s: ended with status %d", load->rest[0],
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    print_number("seconds", seconds);
    print_count("peak_kb", (uint64_t)usage.ru_maxrss);
}
