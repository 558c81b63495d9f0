/* publish.c - one publisher, n subscribers.
 *
 * A message is on its way until every subscriber has it. When half of the window is free the
 * publisher fills it again, so that no queue of the broker ever runs over: it drops QoS 0 messages
 * then. Window 1 alternates strictly: publish, delivery, publish.
 *
 * Each line on stdin asks for a batch of messages on the same connections, until one says "end": so
 * instructions can be counted around messages alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/load.h"

enum { PAYLOAD = 32, TOPIC_MAX = 300, PACKET_MAX = 512 };

struct publish {
    struct load *load;
    struct client *clients; /* the publisher, then the subscribers */
    char topic[TOPIC_MAX];
    size_t ready; /* clients that are connected, and subscribed if they do */
    uint64_t wanted, sent, delivered, acknowledged;
};

static bool is_publisher(const struct publish *publish, const struct client *client)
{
    return client == publish->clients;
}

static void take_connack(struct loop *loop, struct client *client, const struct mqtt_packet *packet)
{
    struct publish *publish = loop->context;
    load_expect_accepted(client, packet);
    if (is_publisher(publish, client))
        publish->ready++;
    else
        client_subscribe(loop, client, publish->topic, publish->load->qos);
}

static void take_suback(struct publish *publish, struct client *client,
                        const struct mqtt_packet *packet)
{
    if (packet->code != publish->load->qos)
        die("%s: the subscription was answered with %d", client->account->id, packet->code);
    publish->ready++;
}

static void acknowledge(struct loop *loop, struct client *client, uint16_t id)
{
    uint8_t packet[4];
    size_t size = mqtt_puback(packet, sizeof packet, id);
    client_send(loop, client, packet, size);
}

/* Each message bears its number, and they come in order. */
static void take_message(struct loop *loop, struct client *client, const struct mqtt_packet *packet)
{
    struct publish *publish = loop->context;
    char expected[PAYLOAD + 1];
    (void)snprintf(expected, sizeof expected, "%0*" PRIu64, PAYLOAD, client->received);
    if (packet->payload_size != PAYLOAD || memcmp(packet->payload, expected, PAYLOAD) != 0)
        die("%s: a message is missing before number %" PRIu64, client->account->id,
            client->received);
    client->received++;
    publish->delivered++;
    if (packet->qos == 1)
        acknowledge(loop, client, packet->id);
}

static void publish_packet(struct loop *loop, struct client *client,
                           const struct mqtt_packet *packet)
{
    struct publish *publish = loop->context;
    bool publishes = is_publisher(publish, client);
    if (packet->type == MQTT_CONNACK)
        take_connack(loop, client, packet);
    else if (packet->type == MQTT_SUBACK && !publishes)
        take_suback(publish, client, packet);
    else if (packet->type == MQTT_PUBLISH && !publishes)
        take_message(loop, client, packet);
    else if (packet->type == MQTT_PUBACK && publishes)
        publish->acknowledged++;
    else
        die("%s: packet type %d was not expected", client->account->id, (int)packet->type);
}

/* Messages that all have, publisher included. */
static uint64_t finished(const struct publish *publish)
{
    uint64_t delivered = publish->delivered / publish->load->clients;
    if (publish->load->qos == 0)
        return delivered;
    return publish->acknowledged < delivered ? publish->acknowledged : delivered;
}

static void queue_one(struct publish *publish)
{
    char payload[PAYLOAD + 1];
    uint8_t packet[PACKET_MAX];
    (void)snprintf(payload, sizeof payload, "%0*" PRIu64, PAYLOAD, publish->sent);
    uint16_t id = (uint16_t)(publish->sent % UINT16_MAX + 1);
    size_t size = mqtt_publish(packet, sizeof packet, publish->topic, publish->load->qos, id,
                               payload, PAYLOAD);
    client_queue(publish->clients, packet, size);
    publish->sent++;
}

static void fill_window(struct loop *loop, struct publish *publish)
{
    size_t window = publish->load->window;
    uint64_t under_way = publish->sent - finished(publish);
    if (under_way > window / 2)
        return;
    while (publish->sent < publish->wanted && under_way < window &&
           client_has_room(publish->clients, PACKET_MAX)) {
        queue_one(publish);
        under_way++;
    }
    client_flush(loop, publish->clients);
}

static void connect_all(struct loop *loop, struct publish *publish)
{
    size_t opened = 0, count = publish->load->clients + 1;
    while (publish->ready < count) {
        load_open_more(loop, publish->clients, &opened, count, opened - publish->ready, 100);
        loop_turn(loop, opened > publish->ready ? -1 : 1);
    }
}

static void publish_batch(struct loop *loop, struct publish *publish)
{
    double begin = now();
    uint64_t messages = publish->load->messages;
    publish->wanted += messages;
    loop->heard = begin;
    while (finished(publish) < publish->wanted) {
        fill_window(loop, publish);
        loop_turn(loop, -1);
    }
    double seconds = now() - begin;
    print_number("seconds", seconds);
    print_number("messages_per_second", (double)messages / seconds);
    print_count("delivered", messages * publish->load->clients);
}

static void publish_batches(struct loop *loop, struct publish *publish)
{
    char line[8];
    if (publish->load->then_exit) {
        publish_batch(loop, publish);
        return;
    }
    print_count("subscribed", publish->load->clients);
    while (fgets(line, sizeof line, stdin) && strcmp(line, "end\n") != 0)
        publish_batch(loop, publish);
}

void load_publish(struct load *load)
{
    struct loop loop;
    struct publish publish = {.load = load};
    if (load->clients == 0 || load->window == 0)
        die("publish needs a subscriber and a window");
    load_accounts(load, load->clients + 1);
    load_topic(load, publish.topic, sizeof publish.topic);
    loop_open(&loop, load->at, load->patience);
    loop.context = &publish;
    loop.packet = publish_packet;
    publish.clients = clients_new(load->accounts, load->clients + 1);
    connect_all(&loop, &publish);
    publish_batches(&loop, &publish);
    for (size_t i = 0; i <= load->clients; i++)
        client_disconnect(&loop, &publish.clients[i]);
    clients_free(publish.clients, load->clients + 1);
    loop_close(&loop);
}
