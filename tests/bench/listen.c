/* listen.c - the verb `listen`: a subscriber that counts what comes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/load.h"

struct listener {
    struct load *load;
    uint64_t came;
    double first, last;
};

static bool counts(const struct load *load, const struct mqtt_packet *packet)
{
    size_t length = strlen(load->begin);
    return packet->payload_size >= length && memcmp(packet->payload, load->begin, length) == 0;
}

static void listen_packet(struct loop *loop, struct client *client,
                          const struct mqtt_packet *packet)
{
    struct listener *listener = loop->context;
    if (packet->type == MQTT_CONNACK) {
        load_expect_accepted(client, packet);
        client_subscribe(loop, client, listener->load->topic, 0);
    } else if (packet->type == MQTT_SUBACK && packet->code == 0) {
        print_count("subscribed", 1);
    } else if (packet->type == MQTT_PUBLISH) {
        if (!counts(listener->load, packet))
            return;
        listener->last = now();
        if (listener->came++ == 0)
            listener->first = listener->last;
    } else {
        die("%s: packet type %d was not expected", client->account->id, (int)packet->type);
    }
}

void load_listen(struct load *load)
{
    struct loop loop;
    struct listener listener = {.load = load};
    load_accounts(load, 1);
    loop_open(&loop, load->at, load->patience);
    loop.context = &listener;
    loop.packet = listen_packet;
    struct client *client = clients_new(load->accounts, 1);
    if (!client_open(&loop, client))
        die("the broker's backlog is full");
    while (listener.came < load->messages && !load_released())
        loop_turn(&loop, 20);
    print_number("seconds", listener.last - listener.first);
    print_count("came", listener.came);
    if (!load->then_exit)
        load_hold(&loop);
    client_disconnect(&loop, client);
    clients_free(client, 1);
    loop_close(&loop);
}
