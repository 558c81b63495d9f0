/* pause.c - the verbs about waiting: pause, passwords. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/load.h"

/* ---- pause: a message each millisecond, whether the last one came back or not, so that a long
 * pause of the broker is not counted as a single late message. */

enum { TOPIC_MAX = 300, PACKET_MAX = 512, SAMPLES_STEP = 65536 };

struct pause {
    char topic[TOPIC_MAX];
    bool subscribed;
    uint32_t *round_trips; /* in microseconds */
    size_t count, room;
};

static void add_sample(struct pause *pause, uint32_t microseconds)
{
    if (pause->count == pause->room) {
        pause->room += SAMPLES_STEP;
        pause->round_trips = realloc(pause->round_trips, pause->room * sizeof *pause->round_trips);
        if (!pause->round_trips)
            die("no memory for %zu round trips", pause->room);
    }
    pause->round_trips[pause->count++] = microseconds;
}

static void pause_packet(struct loop *loop, struct client *client, const struct mqtt_packet *packet)
{
    struct pause *pause = loop->context;
    double sent;
    if (packet->type == MQTT_CONNACK) {
        load_expect_accepted(client, packet);
        client_subscribe(loop, client, pause->topic, 0);
    } else if (packet->type == MQTT_SUBACK && packet->code == 0) {
        pause->subscribed = true;
    } else if (packet->type == MQTT_PUBLISH && packet->payload_size == sizeof sent) {
        memcpy(&sent, packet->payload, sizeof sent);
        add_sample(pause, (uint32_t)((now() - sent) * 1e6));
    } else {
        die("%s: packet type %d was not expected", client->account->id, (int)packet->type);
    }
}

static void send_stamp(struct loop *loop, struct client *client, const struct pause *pause)
{
    uint8_t packet[PACKET_MAX];
    double stamp = now();
    size_t size = mqtt_publish(packet, sizeof packet, pause->topic, 0, 0, &stamp, sizeof stamp);
    if (client_has_room(client, size)) /* else the broker has been silent for long enough to tell */
        client_send(loop, client, packet, size);
}

static void send_until_released(struct loop *loop, struct client *client, const struct pause *pause)
{
    double next = now();
    while (!load_released()) {
        double wait = next - now();
        if (wait <= 0) {
            send_stamp(loop, client, pause);
            next += 0.001;
            wait = next - now();
        }
        loop_turn(loop, wait > 0 ? 1 : 0);
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void print_pauses(struct pause *pause)
{
    if (pause->count == 0)
        die("no message came back");
    qsort(pause->round_trips, pause->count, sizeof *pause->round_trips, compare);
    print_count("round_trips", pause->count);
    print_count("median_us", pause->round_trips[pause->count / 2]);
    print_count("p999_us", pause->round_trips[pause->count * 999 / 1000]);
    print_count("longest_us", pause->round_trips[pause->count - 1]);
}

void load_pause(struct load *load)
{
    struct loop loop;
    struct pause pause = {0};
    load_accounts(load, 1);
    load_topic(load, pause.topic, sizeof pause.topic);
    loop_open(&loop, load->at, load->patience);
    loop.context = &pause;
    loop.packet = pause_packet;
    struct client *client = clients_new(load->accounts, 1);
    if (!client_open(&loop, client))
        die("the broker's backlog is full");
    while (!pause.subscribed)
        loop_turn(&loop, -1);
    print_count("subscribed", 1);
    send_until_released(&loop, client, &pause);
    print_pauses(&pause);
    free(pause.round_trips);
    clients_free(client, 1);
    loop_close(&loop);
}

/* ---- passwords: who is refused comes again a little later, as clients do */

enum { RETRY_MS = 100 };

struct people {
    size_t in;
    uint64_t tries;
};

static void people_packet(struct loop *loop, struct client *client,
                          const struct mqtt_packet *packet)
{
    struct people *people = loop->context;
    if (packet->type == MQTT_CONNACK && packet->code == 5) {
        client_close(loop, client);
        return;
    }
    load_expect_accepted(client, packet);
    people->in++;
}

static void people_gone(struct loop *loop, struct client *client)
{
    (void)loop;
    (void)client;
}

static void knock(struct loop *loop, struct client *clients, size_t count)
{
    struct people *people = loop->context;
    for (size_t i = 0; i < count; i++) {
        if (clients[i].fd < 0 && client_open(loop, &clients[i]))
            people->tries++;
    }
}

void load_passwords(struct load *load)
{
    struct loop loop;
    struct people people = {0};
    load_accounts(load, load->clients);
    loop_open(&loop, load->at, load->patience);
    loop.context = &people;
    loop.packet = people_packet;
    loop.gone = people_gone;
    struct client *clients = clients_new(load->accounts, load->clients);
    double begin = now(), next = begin, end = begin + load->patience;
    while (people.in < load->clients) {
        if (now() >= next) {
            knock(&loop, clients, load->clients);
            next = now() + RETRY_MS / 1000.0;
        }
        if (now() > end)
            die("only %zu of %zu people were let in", people.in, load->clients);
        loop_turn(&loop, RETRY_MS / 4);
    }
    print_number("seconds", now() - begin);
    print_count("tries", people.tries);
    clients_free(clients, load->clients);
    loop_close(&loop);
}
