#include "plugin/stranger.h"

void stranger_enter(struct plugin *plugin, const void *pointer, const char *client_id,
                    const char *username, bool connected)
{
    plugin_forget(plugin, pointer);
    const struct newcomer newcomer = {.pointer = pointer,
                                      .client_id = client_id,
                                      .client_hash =
                                          connections_hash(&plugin->connections, client_id),
                                      .state = CONNECTION_INTRUDER};
    struct connection *connection = connection_new(&plugin->connections, &newcomer);
    if (!connection)
        return;
    journal_add(&plugin->journal, MOSQ_LOG_WARNING,
                "device %s came in without a login (use_identity_as_username or "
                "use_subject_as_username): it is denied everything and disconnected",
                username);
    if (connected)
        connection_kick(&plugin->connections, connection, REASON_KICKED);
}

/* Where it cannot be noted, every publish may be a will. */
void stranger_ended(struct plugin *plugin, const struct mosquitto *client)
{
    bool noted = mosquitto_client_protocol_version(client) != 5 ||
                 hash_set_add(&plugin->ended_of_mqtt5, table_hash_pointer(client));
    if (plugin->ended_count < ENDED_STRANGERS_MAX)
        plugin->ended_strangers[plugin->ended_count++] = client;
    if (!noted)
        plugin->ended_count = ENDED_STRANGERS_MAX;
}

/* Does a publish from this unknown pointer prove that it is connected? */
static bool publish_is_alive(const struct plugin *plugin, const struct mosquitto *client)
{
    if (plugin->ended_count == ENDED_STRANGERS_MAX)
        return false;
    for (size_t i = 0; i < plugin->ended_count; i++) {
        if (plugin->ended_strangers[i] == client)
            return false;
    }
    return !hash_set_has(&plugin->ended_of_mqtt5, table_hash_pointer(client));
}

void stranger_asks(struct plugin *plugin, const struct mosquitto *client, const char *client_id,
                   const char *username, int access)
{
    struct connection *known = connection_of(&plugin->connections, client, client_id);
    if (access == MOSQ_ACL_READ || plugin->kicking)
        return; /* it may be an offline session */
    if (known && known->state == CONNECTION_INTRUDER)
        connection_kick(&plugin->connections, known, REASON_KICKED); /* a will is one message */
    else
        stranger_enter(plugin, client, client_id, username,
                       access == MOSQ_ACL_SUBSCRIBE || publish_is_alive(plugin, client));
}
