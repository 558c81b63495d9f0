/* retain.c - the verb `retain`: a client that publishes retained messages, each on a topic of its
 * own, about as fast as devreg tells presence: what that costs the broker without devreg. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/load.h"

enum { A_TURN = 25, TOPIC_MAX = 300, PACKET_MAX = 512, PAYLOAD = 150, RETAIN = 1 };
#define TURN_SECONDS 0.006

struct retain {
    struct load *load;
    bool connected;
};

static void retain_packet(struct loop *loop, struct client *client,
                          const struct mqtt_packet *packet)
{
    struct retain *retain = loop->context;
    if (packet->type != MQTT_CONNACK)
        die("%s: packet type %d was not expected", client->account->id, (int)packet->type);
    load_expect_accepted(client, packet);
    retain->connected = true;
}

static void retain_one(struct client *client, const char *topic, uint64_t number)
{
    char full[TOPIC_MAX + 24], payload[PAYLOAD];
    uint8_t packet[PACKET_MAX];
    memset(payload, 'x', sizeof payload);
    (void)snprintf(full, sizeof full, "%s/%06" PRIu64, topic, number);
    size_t size = mqtt_publish(packet, sizeof packet, full, 0, 0, payload, sizeof payload);
    packet[0] |= RETAIN;
    client_queue(client, packet, size);
}

static void retain_all(struct loop *loop, struct client *client, const struct load *load)
{
    char topic[TOPIC_MAX];
    double next = now();
    load_topic(load, topic, sizeof topic);
    for (uint64_t sent = 0; sent < load->messages;) {
        double wait = next - now();
        loop_turn(loop, wait > 0 ? (int)(wait * 1000) + 1 : 0);
        if (now() < next)
            continue;
        for (int i = 0; i < A_TURN && sent < load->messages && client_has_room(client, PACKET_MAX);
             i++)
            retain_one(client, topic, sent++);
        client_flush(loop, client);
        next += TURN_SECONDS;
    }
}

void load_retain(struct load *load)
{
    struct loop loop;
    struct retain retain = {.load = load};
    load_accounts(load, 1);
    loop_open(&loop, load->at, load->patience);
    loop.context = &retain;
    loop.packet = retain_packet;
    struct client *client = clients_new(load->accounts, 1);
    if (!client_open(&loop, client))
        die("the broker's backlog is full");
    while (!retain.connected)
        loop_turn(&loop, -1);
    retain_all(&loop, client, load);
    print_count("sent", load->messages);
    client_disconnect(&loop, client);
    clients_free(client, 1);
    loop_close(&loop);
}
