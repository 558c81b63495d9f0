/* load.c - the benchmark's load generator: `bench_load VERB [OPTION ...]`, see `usage`. */
#include "tests/bench/load.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char usage[] =
    "usage: bench_load VERB --at PORT|SOCKET [OPTION ...]\n"
    "  connect    --accounts FILE --clients N [--skip K] [--window W] [--then-exit]\n"
    "  publish    --accounts FILE --clients SUBSCRIBERS --messages M [--qos 0|1] [--window W]\n"
    "             [--then-exit]\n"
    "  churn      --accounts FILE --clients N --messages CONNECTS [--window W]\n"
    "  pause      --accounts FILE\n"
    "  listen     --accounts FILE --topic FILTER --messages M [--begin TEXT]\n"
    "  retain     --accounts FILE --topic TOPIC --messages M\n"
    "  passwords  --accounts FILE --clients N\n"
    "  ready      [--accounts FILE] [--pid BROKER]\n"
    "  run        -- COMMAND [ARGUMENT ...]\n"
    "--topic T is what publish, pause and retain publish on, and listen subscribes to: %u in it is "
    "the first account's id.\n"
    "--skip K leaves out the first K accounts; --patience S gives up after S seconds of silence.\n";

static const struct verb {
    const char *name;
    void (*run)(struct load *load);
} verbs[] = {
    {"connect", load_connect},     {"publish", load_publish},
    {"churn", load_churn},         {"pause", load_pause},
    {"passwords", load_passwords}, {"listen", load_listen},
    {"ready", load_ready},         {"run", load_run},
    {"retain", load_retain},
};

void print_count(const char *name, uint64_t value)
{
    if (printf("%s %" PRIu64 "\n", name, value) < 0 || fflush(stdout))
        die("stdout: %s", strerror(errno));
}

void print_number(const char *name, double value)
{
    if (printf("%s %.6f\n", name, value) < 0 || fflush(stdout))
        die("stdout: %s", strerror(errno));
}

void load_open_more(struct loop *loop, struct client *clients, size_t *opened, size_t count,
                    size_t under_way, size_t window)
{
    while (*opened < count && under_way < window && client_open(loop, &clients[*opened])) {
        (*opened)++;
        under_way++;
    }
}

void load_expect_accepted(struct client *client, const struct mqtt_packet *packet)
{
    if (packet->type != MQTT_CONNACK || client->up)
        die("%s: packet type %d where a CONNACK belongs", client->account->id, (int)packet->type);
    if (packet->code != 0)
        die("%s: CONNECT refused with code %d", client->account->id, packet->code);
    client->up = true;
}

bool load_released(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&in, 1, 0) != 0;
}

void load_hold(struct loop *loop)
{
    while (!load_released()) {
        loop->heard = now(); /* silence is what is expected here */
        loop_turn(loop, 20);
    }
}

/* ---- the file of accounts */

static struct account account_parse(const char *path, char *line)
{
    char *separator = strpbrk(line, ",\t");
    if (separator)
        *separator = '\0';
    if (!*line)
        die("%s: a line without an id", path);
    struct account account = {.id = strdup(line), .key = separator ? strdup(separator + 1) : NULL};
    if (!account.id || (separator && !account.key))
        die("no memory for accounts");
    return account;
}

static void read_accounts(struct load *load, FILE *file, size_t count)
{
    char *line = NULL;
    size_t room = 0;
    for (size_t i = 0; i < load->skip + count; i++) {
        if (getline(&line, &room, file) < 0)
            die("%s: fewer than %zu accounts", load->accounts_path, load->skip + count);
        line[strcspn(line, "\n")] = '\0';
        if (i >= load->skip)
            load->accounts[i - load->skip] = account_parse(load->accounts_path, line);
    }
    free(line);
}

static void accounts_free(struct load *load)
{
    for (size_t i = 0; i < load->account_count; i++) {
        free(load->accounts[i].id);
        free(load->accounts[i].key);
    }
    free(load->accounts);
}

void load_accounts(struct load *load, size_t count)
{
    if (!load->accounts_path || count == 0)
        die("it needs --accounts, and at least one client");
    load->accounts = calloc(count, sizeof *load->accounts);
    if (!load->accounts)
        die("no memory for %zu accounts", count);
    load->account_count = count;
    FILE *file = fopen(load->accounts_path, "re");
    if (!file)
        die("%s: %s", load->accounts_path, strerror(errno));
    read_accounts(load, file, count);
    if (fclose(file))
        die("%s: %s", load->accounts_path, strerror(errno));
}

void load_topic(const struct load *load, char *to, size_t room)
{
    const char *variable = strstr(load->topic, "%u");
    size_t before = variable ? (size_t)(variable - load->topic) : strlen(load->topic);
    int size = snprintf(to, room, "%.*s%s%s", (int)before, load->topic,
                        variable ? load->accounts[0].id : "", variable ? variable + 2 : "");
    if (size < 0 || (size_t)size >= room)
        die("%s: too long a topic", load->topic);
}

/* ---- the command line */

static _Noreturn void used_wrongly(void)
{
    (void)fputs(usage, stderr);
    exit(2);
}

static uint32_t number(const char *text, uint32_t max)
{
    char *rest;
    errno = 0;
    unsigned long long value = strtoull(text, &rest, 10);
    if (*text < '0' || *text > '9' || *rest || errno || value > max)
        die("%s: not a number up to %" PRIu32, text, max);
    return (uint32_t)value;
}

static void option_parse(struct load *load, int option, const char *value)
{
    switch (option) {
    case 'a':
        load->at = value;
        break;
    case 'f':
        load->accounts_path = value;
        break;
    case 'n':
        load->clients = number(value, 1000000);
        break;
    case 't':
        load->topic = value;
        break;
    case 's':
        load->skip = number(value, 100000000);
        break;
    case 'w':
        load->window = number(value, 1000000);
        break;
    case 'm':
        load->messages = number(value, 1000000000);
        break;
    case 'q':
        load->qos = (uint8_t)number(value, 1);
        break;
    case 'p':
        load->patience = (double)number(value, 86400);
        break;
    case 'b':
        load->pid = (long)number(value, INT32_MAX);
        break;
    case 'g':
        load->begin = value;
        break;
    case 'x':
        load->then_exit = true;
        break;
    default:
        used_wrongly();
    }
}

static void options_parse(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {
        {"at", required_argument, NULL, 'a'},
        {"accounts", required_argument, NULL, 'f'},
        {"clients", required_argument, NULL, 'n'},
        {"skip", required_argument, NULL, 's'},
        {"window", required_argument, NULL, 'w'},
        {"messages", required_argument, NULL, 'm'},
        {"qos", required_argument, NULL, 'q'},
        {"patience", required_argument, NULL, 'p'},
        {"pid", required_argument, NULL, 'b'},
        {"then-exit", no_argument, NULL, 'x'},
        {"topic", required_argument, NULL, 't'},
        {"begin", required_argument, NULL, 'g'},
        {NULL, 0, NULL, 0},
    };
    for (;;) {
        int option = getopt_long(argc, argv, "+", options, NULL);
        if (option < 0)
            break;
        option_parse(load, option, optarg);
    }
    load->rest = argv + optind;
}

/* As many descriptors as the system lets us have. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        die("limit of open files: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        die("limit of open files: %s", strerror(errno));
}

static const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct load load = {
        .clients = 1, .window = 1, .messages = 1, .patience = 60, .topic = "d/%u/t", .begin = ""};
    const struct verb *verb = argc > 1 ? verb_find(argv[1]) : NULL;
    if (!verb)
        used_wrongly();
    options_parse(&load, argc - 1, argv + 1);
    bool runs = verb->run == load_run;
    if (runs ? !load.rest[0] : !load.at || load.rest[0])
        used_wrongly();
    raise_limit();
    verb->run(&load);
    accounts_free(&load);
    return 0;
}
