#include "program.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "registry/crypto.h"

static _Noreturn void child_exec(char *const argv[], int out, int err)
{
    int in = open("/dev/null", O_RDONLY);
    if (in >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2)
        (void)execvp(argv[0], argv);
    _exit(126);
}

static int child_wait(pid_t pid)
{
    int status = 0;
    bool ended;
    WAIT_UNTIL(ended, waitpid(pid, &status, WNOHANG) == pid);
    if (!ended) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char *memory_read(int fd, size_t *size)
{
    off_t end = lseek(fd, 0, SEEK_END);
    char *text = end < 0 ? NULL : malloc((size_t)end + 1);
    if (text == NULL || pread(fd, text, (size_t)end, 0) != end) {
        free(text);
        return NULL;
    }
    text[end] = '\0';
    *size = (size_t)end;
    return text;
}

bool program_run(struct program *program, char *const argv[])
{
    *program = (struct program){.status = -1};
    int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
    pid_t pid = out < 0 || err < 0 ? -1 : fork();
    if (pid == 0)
        child_exec(argv, out, err);
    if (pid > 0) {
        program->status = child_wait(pid);
        program->out = memory_read(out, &program->out_size);
        program->err = memory_read(err, &program->err_size);
    }
    if (out >= 0)
        (void)close(out);
    if (err >= 0)
        (void)close(err);
    return program->out != NULL && program->err != NULL;
}

void program_clear(struct program *program)
{
    if (program->out != NULL)
        crypto_wipe(program->out, program->out_size);
    free(program->out);
    free(program->err);
    *program = (struct program){.status = -1};
}
