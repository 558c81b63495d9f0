/* load.h - the load generator's verbs. Each prints `name value` lines on stdout, and dies where
 * anything is not as expected.
 */
#ifndef DEVREG_TESTS_BENCH_LOAD_H
#define DEVREG_TESTS_BENCH_LOAD_H

#include "tests/bench/client.h"

struct load {
    const char *at;            /* the broker: see loop_open */
    const char *accounts_path; /* lines of "id,key" or "id<TAB>key"; or "id" alone */
    struct account *accounts;  /* those that the verb asked for, behind `skip` */
    size_t account_count;
    const char *topic; /* see load_topic */
    const char *begin; /* of listen: what a message has to begin with to count */
    size_t skip;       /* accounts at the top of the file to leave out */
    size_t clients;    /* how many connect; of publish: how many subscribe */
    size_t window;     /* how much may be under way at a time */
    uint64_t messages; /* of publish: messages; of churn: connects */
    uint8_t qos;       /* 0 or 1 */
    double patience;   /* seconds without any news after which it gives up */
    long pid;          /* of ready: the broker's, to notice its end; 0 for not known */
    bool then_exit;    /* does not hold the connections */
    char **rest;       /* behind the options, up to a NULL */
};

/* Connects the clients all at once, and holds the connections until something comes on stdin, be it
 * its end. */
void load_connect(struct load *load);
/* The first account publishes, the others subscribe and count what comes. */
void load_publish(struct load *load);
/* Connects and disconnects, over and over. */
void load_churn(struct load *load);
/* A message to itself each millisecond until something comes on stdin: how long the broker makes it
 * wait. */
void load_pause(struct load *load);
/* Subscribes, and tells when that many messages have come that count. */
void load_listen(struct load *load);
/* Publishes that many retained messages, at TOPIC/000000 and so on. */
void load_retain(struct load *load);
/* People log in at once, and again while they are refused. */
void load_passwords(struct load *load);
/* Waits until a broker accepts a client. */
void load_ready(struct load *load);
/* Runs a command: how long it takes, and how much memory. */
void load_run(struct load *load);

/* Reads `count` accounts. */
void load_accounts(struct load *load, size_t count);
/* The topic of the first account: `topic` with its id where "%u" stands. */
void load_topic(const struct load *load, char *to, size_t room);
/* Opens clients[*opened] and those that follow while fewer than `window` are under way. */
void load_open_more(struct loop *loop, struct client *clients, size_t *opened, size_t count,
                    size_t under_way, size_t window);
/* Takes a CONNACK that has to be a yes. */
void load_expect_accepted(struct client *client, const struct mqtt_packet *packet);
/* Lets the loop turn until then. */
void load_hold(struct loop *loop);
/* Has something come on stdin, or its end? Does not wait. */
bool load_released(void);
void print_count(const char *name, uint64_t value);
void print_number(const char *name, double value);

#endif
