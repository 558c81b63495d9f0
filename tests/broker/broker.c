#include "broker.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "deadline.h"
#include "guard.h"
#include "program.h"
#include "registry/crypto.h"

enum { PORT_FIRST = 20000, PORT_COUNT = 12000, PORT_TRIES = 1000 };

static char *broker_program(void)
{
    char *program = getenv("DEVREG_MOSQUITTO");
    return program == NULL || *program == '\0' ? "/usr/sbin/mosquitto" : program;
}

int broker_version(void)
{
    static const char before[] = "mosquitto version ";
    static int version;
    struct program help;
    if (version != 0)
        return version;
    check(program_run(&help, (char *const[]){broker_program(), "-h", NULL}));
    check(strncmp(help.out, before, sizeof before - 1) == 0);
    char *at = help.out + sizeof before - 1;
    for (int part = 0; part < 3; part++)
        version = version * 100 + (int)strtol(at + (part > 0), &at, 10);
    program_clear(&help);
    return version;
}

static bool port_free(int port)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool is_free = fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof any) == 0;
    if (fd >= 0)
        (void)close(fd);
    return is_free;
}

/* A port below those that the system hands out by itself. */
static int port_pick(void)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        int port = PORT_FIRST + (int)crypto_random_below(PORT_COUNT);
        if (port_free(port))
            return port;
    }
    fail_msg("no free port");
    return 0;
}

/* The broker's user may not reach the folder that was built in, so what it needs lies in its own.
 */
static void file_copy(const char *dir, const char *name, const char *source)
{
    char path[BROKER_PATH_MAX];
    struct stat file;
    check(path_join(path, sizeof path, dir, name));
    int from = open(source, O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    check(from >= 0 && to >= 0 && fstat(from, &file) == 0);
    check(fchmod(to, 0644) == 0);
    while (file.st_size > 0) {
        ssize_t size = sendfile(to, from, NULL, (size_t)file.st_size);
        check(size > 0);
        file.st_size -= size;
    }
    check(close(from) == 0 && close(to) == 0);
}

void broker_init(struct broker *broker, const char *dir)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam("mosquitto") : NULL;
    char own[BROKER_PATH_MAX];
    *broker = (struct broker){.tcp_port = port_pick()};
    do
        broker->ws_port = port_pick();
    while (broker->ws_port == broker->tcp_port);
    check(path_join(broker->dir, sizeof broker->dir, dir, ""));
    check(path_join(own, sizeof own, dir, "/broker"));
    check(path_join(broker->socket, sizeof broker->socket, dir, "/broker/socket"));
    check(mkdir(own, 0755) == 0);
    file_copy(dir, "/devreg.so", DEVREG_PLUGIN);
#ifdef DEVREG_LEAKS
    file_copy(dir, "/leaks.supp", DEVREG_LEAKS);
#endif
    check(user == NULL || chown(own, user->pw_uid, user->pw_gid) == 0);
}

static void word_write(FILE *to, const struct broker *broker, const char *word, size_t size)
{
    if (size == 3 && memcmp(word, "DIR", size) == 0)
        check(fputs(broker->dir, to) >= 0);
    else if (size == 6 && memcmp(word, "PLUGIN", size) == 0)
        check(fprintf(to, "%s/devreg.so", broker->dir) > 0);
    else if (size == 3 && memcmp(word, "TCP", size) == 0)
        check(fprintf(to, "%d", broker->tcp_port) > 0);
    else if (size == 2 && memcmp(word, "WS", size) == 0)
        check(fprintf(to, "%d", broker->ws_port) > 0);
    else
        fail_msg("no such word: @%.*s@", (int)size, word);
}

static void config_write(FILE *to, const struct broker *broker, const char *config)
{
    while (*config != '\0') {
        size_t plain = strcspn(config, "@");
        check(fwrite(config, 1, plain, to) == plain);
        config += plain;
        if (*config == '\0')
            break;
        size_t size = strcspn(++config, "@");
        check(config[size] == '@');
        word_write(to, broker, config, size);
        config += size + 1;
    }
}

void broker_configure(struct broker *broker, const char *config)
{
    char path[BROKER_PATH_MAX];
    check(path_join(path, sizeof path, broker->dir, "/mosquitto.conf"));
    FILE *to = fopen(path, "we");
    check(to != NULL);
    if (geteuid() == 0 && getpwnam("mosquitto") == NULL)
        check(fputs("user root\n", to) >= 0);
    check(fputs("log_dest stderr\nlog_type all\n", to) >= 0);
    config_write(to, broker, config);
    check(fclose(to) == 0);
    check(chmod(path, 0644) == 0);
}

/* The plugin of a sanitized build needs the sanitizer in a broker that was built without. */
static bool sanitizer_enter(const struct broker *broker)
{
#ifdef DEVREG_PRELOAD
    char leaks[BROKER_PATH_MAX + 64];
    int size = snprintf(leaks, sizeof leaks, "suppressions=%s/leaks.supp:print_suppressions=0",
                        broker->dir);
    return size > 0 && (size_t)size < sizeof leaks &&
           setenv("LD_PRELOAD", DEVREG_PRELOAD, 1) == 0 &&
           setenv("ASAN_OPTIONS", DEVREG_ASAN_OPTIONS, 1) == 0 &&
           setenv("LSAN_OPTIONS", leaks, 1) == 0 &&
           setenv("UBSAN_OPTIONS", "print_stacktrace=1", 1) == 0;
#else
    (void)broker;
    return true;
#endif
}

/* Behind the sanitizer, if there is one. */
static bool preload_enter(const struct broker *broker)
{
    char libraries[2 * 4096];
    const char *first = getenv("LD_PRELOAD");
    if (broker->preload == NULL)
        return true;
    int size = snprintf(libraries, sizeof libraries, "%s:%s", first ? first : "", broker->preload);
    return size > 0 && (size_t)size < sizeof libraries && setenv("LD_PRELOAD", libraries, 1) == 0;
}

static _Noreturn void broker_exec(const struct broker *broker, const char *config, int log)
{
    int in = open("/dev/null", O_RDONLY);
    if (in >= 0 && dup2(in, 0) == 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2 &&
        sanitizer_enter(broker) && preload_enter(broker))
        (void)execl(broker_program(), broker_program(), "-c", config, (char *)NULL);
    _exit(126);
}

static void broker_launch(struct broker *broker)
{
    char path[BROKER_PATH_MAX], config[BROKER_PATH_MAX];
    check(broker->pid == 0);
    check(path_join(path, sizeof path, broker->dir, "/log"));
    check(path_join(config, sizeof config, broker->dir, "/mosquitto.conf"));
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    check(log >= 0);
    broker->run_begins = lseek(log, 0, SEEK_END);
    (void)unlink(broker->socket);
    guard_begin();
    pid_t pid = fork();
    if (pid == 0)
        broker_exec(broker, config, log);
    (void)close(log);
    check(pid > 0);
    broker->pid = pid;
    guard_watch(pid);
}

static void broker_fail(struct broker *broker, const char *how)
{
    broker_show_log(broker);
    fail_msg("the broker %s", how);
}

/* Has it ended? Then `status` is its exit status, or 128 and the signal. */
static bool broker_ended(struct broker *broker, int *status)
{
    int raw;
    if (broker->pid == 0 || waitpid(broker->pid, &raw, WNOHANG) != broker->pid)
        return false;
    *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    guard_forget(broker->pid);
    broker->pid = 0;
    return true;
}

bool broker_alive(struct broker *broker)
{
    int status;
    return broker->pid != 0 && !broker_ended(broker, &status);
}

static bool broker_runs(struct broker *broker)
{
    /* The last thing that it says before its loop, when the listeners are open. */
    const char *log = broker_log(broker), *at = strstr(log, "mosquitto version ");
    while (at != NULL) {
        const char *end = strchr(at, '\n');
        if (end != NULL && end - at > 8 && memcmp(end - 8, " running", 8) == 0)
            return true;
        at = strstr(at + 1, "mosquitto version ");
    }
    return false;
}

/* Waits for a turn of the broker's loop: a connection that begins with PINGREQ is closed. */
static void broker_turn(const struct broker *broker)
{
    static const uint8_t pingreq[] = {0xC0, 0};
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    uint8_t answer;
    struct pollfd ended = {.events = POLLIN};
    check(path_join(to.sun_path, sizeof to.sun_path, broker->socket, ""));
    ended.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(ended.fd >= 0);
    check(connect(ended.fd, (const struct sockaddr *)&to, sizeof to) == 0);
    check(send(ended.fd, pingreq, sizeof pingreq, MSG_NOSIGNAL) == sizeof pingreq);
    check(poll(&ended, 1, DEADLINE_MS) == 1);
    check(recv(ended.fd, &answer, 1, 0) <= 0);
    check(close(ended.fd) == 0);
}

void broker_start(struct broker *broker)
{
    int status;
    bool done;
    broker_launch(broker);
    WAIT_UNTIL(done, broker_runs(broker) || broker_ended(broker, &status));
    if (!done || broker->pid == 0)
        broker_fail(broker, "does not start");
    broker_turn(broker); /* 2.1 loses a SIGTERM that comes right before its first one */
}

void broker_refuses_start(struct broker *broker)
{
    int status = 0;
    bool done;
    broker_launch(broker);
    WAIT_UNTIL(done, broker_ended(broker, &status) || broker_runs(broker));
    if (!done || broker->pid != 0)
        broker_fail(broker, "starts");
    if (status == 0 || status >= 126)
        broker_fail(broker, "ends as if all were well, or by a crash");
}

static int broker_end(struct broker *broker, int signal)
{
    int status = 0;
    bool ended;
    check(broker->pid != 0);
    check(kill(broker->pid, signal) == 0);
    WAIT_UNTIL(ended, broker_ended(broker, &status));
    if (!ended)
        broker_fail(broker, "does not end");
    return status;
}

void broker_stop(struct broker *broker)
{
    if (broker_end(broker, SIGTERM) != 0)
        broker_fail(broker, "ends badly");
}

void broker_kill(struct broker *broker)
{
    check(broker_end(broker, SIGKILL) == 128 + SIGKILL);
}

void broker_restart(struct broker *broker)
{
    broker_stop(broker);
    broker_start(broker);
}

static void broker_signal(struct broker *broker, int signal, const char *answer)
{
    size_t before = broker_log_count(broker, answer);
    check(broker_alive(broker));
    check(kill(broker->pid, signal) == 0);
    broker_log_wait(broker, answer, before + 1);
}

/* A second SIGHUP while it works at the first would be lost. */
void broker_reload(struct broker *broker)
{
    broker_signal(broker, SIGHUP, "Reloading config.");
    broker_turn(broker);
}

void broker_pause(struct broker *broker)
{
    check(broker_alive(broker));
    check(kill(broker->pid, SIGSTOP) == 0);
}

int64_t broker_cpu_ns(const struct broker *broker)
{
    char path[64];
    long long ns = -1;
    check(snprintf(path, sizeof path, "/proc/%ld/task/%ld/schedstat", (long)broker->pid,
                   (long)broker->pid) > 0);
    FILE *file = fopen(path, "re");
    check(file && fscanf(file, "%lld", &ns) == 1 && ns >= 0);
    check(fclose(file) == 0);
    return ns;
}

void broker_resume(struct broker *broker)
{
    check(kill(broker->pid, SIGCONT) == 0);
}

static ino_t database(const struct broker *broker)
{
    struct stat info;
    char path[BROKER_PATH_MAX];
    check(path_join(path, sizeof path, broker->dir, "/broker/mosquitto.db"));
    return stat(path, &info) == 0 ? info.st_ino : 0;
}

void broker_save(struct broker *broker)
{
    ino_t before = database(broker);
    bool written;
    broker_signal(broker, SIGUSR1, "Saving in-memory database to ");
    WAIT_UNTIL(written, database(broker) != before); /* it is renamed into place */
    check(written);
}

bool broker_clear(struct broker *broker)
{
    int status = 0;
    bool ended = true;
    if (broker->pid != 0) {
        (void)kill(broker->pid, SIGTERM);
        (void)kill(broker->pid, SIGCONT);
        WAIT_UNTIL(ended, broker_ended(broker, &status));
    }
    if (!ended) {
        (void)kill(broker->pid, SIGKILL);
        (void)waitpid(broker->pid, &status, 0);
        guard_forget(broker->pid);
        broker->pid = 0;
    }
    const char *log = broker_log_all(broker);
    bool sound = ended && status == 0 && strstr(log, "Sanitizer") == NULL &&
                 strstr(log, "runtime error") == NULL;
    if (!sound)
        (void)fprintf(stderr, "the broker ended with %d:\n%s\n", status, log);
    free(broker->log);
    broker->log = NULL;
    return sound;
}
