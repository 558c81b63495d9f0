#include "plugin/network.h"

#include <arpa/inet.h>
#include <string.h>

static uint64_t take(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

bool network_parse(struct network *network, const char *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t bytes[16];
    *network = (struct network){0};
    if (!address)
        return false;
    if (inet_pton(AF_INET, address, bytes) == 1)
        *network = (struct network){.prefix = take(bytes, 4), .family = 4};
    else if (inet_pton(AF_INET6, address, bytes) != 1)
        return false;
    else if (memcmp(bytes, mapped, sizeof mapped) == 0)
        *network = (struct network){.prefix = take(bytes + sizeof mapped, 4), .family = 4};
    else
        *network = (struct network){.prefix = take(bytes, 8), .family = 6};
    return true;
}

bool network_of(struct network *network, const struct mosquitto *client, const char *address)
{
    *network = (struct network){0};
    return mosquitto_client_protocol(client) == mp_mqtt && network_parse(network, address);
}
