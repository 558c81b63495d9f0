/* connect.c - the verbs that open connections: connect, churn, ready. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/load.h"

struct storm {
    size_t opened, accepted;
};

static void storm_packet(struct loop *loop, struct client *client, const struct mqtt_packet *packet)
{
    struct storm *storm = loop->context;
    load_expect_accepted(client, packet);
    storm->accepted++;
}

static void storm_run(struct loop *loop, struct client *clients, const struct load *load)
{
    struct storm *storm = loop->context;
    while (storm->accepted < load->clients) {
        size_t under_way = storm->opened - storm->accepted;
        load_open_more(loop, clients, &storm->opened, load->clients, under_way, load->window);
        loop_turn(loop, storm->opened > storm->accepted ? -1 : 1);
    }
}

static void say_goodbye(struct loop *loop, struct client *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        client_disconnect(loop, &clients[i]);
}

void load_connect(struct load *load)
{
    struct loop loop;
    struct storm storm = {0};
    load_accounts(load, load->clients);
    loop_open(&loop, load->at, load->patience);
    loop.context = &storm;
    loop.packet = storm_packet;
    struct client *clients = clients_new(load->accounts, load->clients);
    double begin = now();
    storm_run(&loop, clients, load);
    print_number("seconds", now() - begin);
    print_count("connected", load->clients);
    if (!load->then_exit)
        load_hold(&loop);
    say_goodbye(&loop, clients, load->clients);
    clients_free(clients, load->clients);
    loop_close(&loop);
}

/* ---- churn */

struct churn {
    uint64_t begun, done;
    size_t busy;
};

static void churn_packet(struct loop *loop, struct client *client, const struct mqtt_packet *packet)
{
    struct churn *churn = loop->context;
    load_expect_accepted(client, packet);
    client_disconnect(loop, client);
    churn->done++;
    churn->busy--;
}

/* The next client in turn connects, as long as it is not still at it. */
static void churn_more(struct loop *loop, struct client *clients, const struct load *load)
{
    struct churn *churn = loop->context;
    while (churn->begun < load->messages && churn->busy < load->window) {
        struct client *client = &clients[churn->begun % load->clients];
        if (client->fd >= 0 || !client_open(loop, client))
            break;
        churn->begun++;
        churn->busy++;
    }
}

void load_churn(struct load *load)
{
    struct loop loop;
    struct churn churn = {0};
    load_accounts(load, load->clients);
    loop_open(&loop, load->at, load->patience);
    loop.context = &churn;
    loop.packet = churn_packet;
    struct client *clients = clients_new(load->accounts, load->clients);
    double begin = now();
    while (churn.done < load->messages) {
        churn_more(&loop, clients, load);
        loop_turn(&loop, churn.busy > 0 ? -1 : 1);
    }
    double seconds = now() - begin;
    print_number("seconds", seconds);
    print_number("connects_per_second", (double)load->messages / seconds);
    clients_free(clients, load->clients);
    loop_close(&loop);
}

/* ---- ready */

/* Has the process ended, even if nobody has taken note of it yet? */
static bool has_ended(long pid)
{
    char path[64], text[512];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return true;
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    const char *state = strrchr(text, ')');
    return !state || strncmp(state, ") Z", 3) == 0;
}

struct attempt {
    bool accepted, refused;
};

static void attempt_packet(struct loop *loop, struct client *client,
                           const struct mqtt_packet *packet)
{
    struct attempt *attempt = loop->context;
    load_expect_accepted(client, packet);
    attempt->accepted = true;
}

static void attempt_gone(struct loop *loop, struct client *client)
{
    struct attempt *attempt = loop->context;
    (void)client;
    attempt->refused = true;
}

/* Is anybody listening? loop_turn would take a refused connection for an error. */
static bool is_listening(const struct loop *loop)
{
    int fd = socket(loop->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket: %s", strerror(errno));
    bool listening = connect(fd, (const struct sockaddr *)&loop->address, loop->address_size) == 0;
    (void)close(fd);
    return listening;
}

static void await_listener(const struct loop *loop, const struct load *load)
{
    double until = now() + load->patience;
    while (!is_listening(loop)) {
        if (load->pid && has_ended(load->pid))
            die("the broker has ended");
        if (now() > until)
            die("no broker within %.0f s", load->patience);
        (void)usleep(1000);
    }
}

void load_ready(struct load *load)
{
    static char name[] = "ready";
    const struct account nobody = {.id = name};
    struct loop loop;
    struct attempt attempt = {0};
    double begin = now();
    if (load->accounts_path)
        load_accounts(load, 1);
    loop_open(&loop, load->at, load->patience);
    loop.context = &attempt;
    loop.packet = attempt_packet;
    loop.gone = attempt_gone;
    await_listener(&loop, load);
    struct client *client = clients_new(load->accounts ? load->accounts : &nobody, 1);
    if (!client_open(&loop, client))
        die("the broker's backlog is full");
    while (!attempt.accepted && !attempt.refused)
        loop_turn(&loop, -1);
    if (attempt.refused)
        die("the broker closed the connection");
    client_disconnect(&loop, client);
    print_number("seconds", now() - begin);
    clients_free(client, 1);
    loop_close(&loop);
}
