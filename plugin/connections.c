#include "plugin/connections.h"

#include <stdlib.h>
#include <string.h>

void connections_open(struct connections *connections, struct cache *cache)
{
    *connections = (struct connections){.cache = cache};
    crypto_random(connections->key, sizeof connections->key);
}

void connections_close(struct connections *connections)
{
    struct table_node *n;
    while ((n = table_next(&connections->by_pointer, NULL)))
        connection_free(connections, AROUND(n, struct connection, by_pointer));
    table_clear(&connections->by_pointer);
    table_clear(&connections->by_client);
}

uint64_t connections_hash(const struct connections *connections, const char *client_id)
{
    return crypto_table_hash(client_id, strlen(client_id), connections->key);
}

struct connection *connection_of(const struct connections *connections, const void *pointer,
                                 const char *client_id)
{
    struct connection *connection = connection_find(connections, pointer);
    return connection && strcmp(connection->client_id, client_id) == 0 ? connection : NULL;
}

static struct connection *with_client_id(struct table_node *n, const char *client_id)
{
    for (; n; n = table_again(n)) {
        struct connection *connection = AROUND(n, struct connection, by_client);
        if (strcmp(connection->client_id, client_id) == 0)
            return connection;
    }
    return NULL;
}

struct connection *connection_with_client_id(const struct connections *connections,
                                             const char *client_id, uint64_t hash)
{
    return with_client_id(table_find(&connections->by_client, hash), client_id);
}

struct connection *connection_again(const struct connection *connection)
{
    return with_client_id(table_again(&connection->by_client), connection->client_id);
}

static void queue_leave(struct connection *connection)
{
    struct connection_list *list = connection->queue;
    if (!list)
        return;
    *(connection->queue_previous ? &connection->queue_previous->queue_next : &list->first) =
        connection->queue_next;
    *(connection->queue_next ? &connection->queue_next->queue_previous : &list->last) =
        connection->queue_previous;
    connection->queue_next = connection->queue_previous = NULL;
    connection->queue = NULL;
    list->count--;
}

static void queue_join(struct connection_list *list, struct connection *connection)
{
    queue_leave(connection);
    connection->queue = list;
    connection->queue_previous = list->last;
    *(list->last ? &list->last->queue_next : &list->first) = connection;
    list->last = connection;
    list->count++;
}

static void device_join(struct connections *connections, struct connection *connection,
                        struct cached_device *device)
{
    if (!device->connections)
        cache_hold(connections->cache, device);
    connection->device = device;
    connection->next = device->connections;
    if (connection->next)
        connection->next->previous = connection;
    device->connections = connection;
}

static void device_leave(struct connections *connections, struct connection *connection)
{
    struct cached_device *device = connection->device;
    if (!device)
        return;
    *(connection->previous ? &connection->previous->next : &device->connections) = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    connection->next = connection->previous = NULL;
    connection->device = NULL;
    if (!device->connections)
        cache_release(connections->cache, device);
}

static void connection_disown(struct connections *connections, struct connection *connection)
{
    if (connection->owner)
        table_remove(&connections->by_client, &connection->by_client);
    connection->owner = false;
}

void connection_free(struct connections *connections, struct connection *connection)
{
    queue_leave(connection);
    device_leave(connections, connection);
    connection_disown(connections, connection);
    table_remove(&connections->by_pointer, &connection->by_pointer);
    free(connection);
}

/* Puts the text at `*place`, and moves that behind it. */
static const char *text_put(char **place, const char *text, size_t size)
{
    char *at = *place;
    memcpy(at, text, size);
    *place += size;
    return at;
}

/* Room for it and its texts. */
static struct connection *allocate(const struct newcomer *newcomer)
{
    const char *device_id = newcomer->device ? newcomer->device->id : "";
    const char *address = newcomer->address ? newcomer->address : "";
    const size_t client_size = strlen(newcomer->client_id) + 1, device_size = strlen(device_id) + 1,
                 address_size = strlen(address) + 1;
    struct connection *new = calloc(1, sizeof *new + client_size + device_size + address_size);
    if (!new)
        return NULL;
    char *place = new->client_id;
    (void)text_put(&place, newcomer->client_id, client_size);
    new->device_id = text_put(&place, device_id, device_size);
    new->address = text_put(&place, address, address_size);
    return new;
}

struct connection *connection_new(struct connections *connections, const struct newcomer *newcomer)
{
    struct connection *old = connection_find(connections, newcomer->pointer);
    struct connection *new = allocate(newcomer);
    if (!new)
        return NULL;
    new->pointer = newcomer->pointer;
    if (!table_add(&connections->by_pointer, &new->by_pointer, table_hash_pointer(new->pointer))) {
        free(new);
        return NULL;
    }
    new->owner = table_add(&connections->by_client, &new->by_client, newcomer->client_hash);
    if (newcomer->device)
        device_join(connections, new, newcomer->device);
    if (old)
        connection_free(connections, old);
    if (!new->owner) {
        connection_free(connections, new);
        return NULL;
    }
    connection_become(connections, new, newcomer->state);
    return new;
}

void connection_become(struct connections *connections, struct connection *connection,
                       enum connection_state state)
{
    connection->state = (uint8_t)state;
    connection->last.access = 0;
    if (state == CONNECTION_PENDING)
        queue_join(&connections->pending, connection);
    else if (state == CONNECTION_LIVE)
        queue_join(&connections->live, connection);
    else if (state == CONNECTION_GONE)
        queue_join(&connections->gone, connection);
    else
        queue_leave(connection);
    if (state == CONNECTION_GONE)
        device_leave(connections, connection);
}

struct connection *connection_next_live(struct connections *connections)
{
    struct connection *connection = connections->live.first;
    if (connection)
        queue_join(&connections->live, connection);
    return connection;
}

void connection_rest(struct connections *connections, struct connection *connection)
{
    queue_leave(connection);
    connection_disown(connections, connection);
}

void connection_kick(struct connections *connections, struct connection *connection,
                     enum reason reason)
{
    if (connection->kicked || connection->state == CONNECTION_GONE)
        return;
    connection->kicked = true;
    connection->last.access = 0;
    connection->kick_reason = (uint8_t)reason;
    queue_join(&connections->kicks, connection);
}

void connection_set_end(struct connections *connections, struct connection *connection,
                        int64_t ends)
{
    connection->ends = ends;
    connection->last.access = 0; /* it was given without a look at the clock */
    if (ends && (!connections->next_end || ends < connections->next_end))
        connections->next_end = ends;
}
