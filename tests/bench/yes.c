/* yes.c - a plugin that says yes to everything at once: what asking a plugin costs at least. */
#include <stddef.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int mosquitto_plugin_version(int supported_count, const int *supported);
EXPORTED int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **data,
                                   struct mosquitto_opt *options, int count);
EXPORTED int mosquitto_plugin_cleanup(void *data, struct mosquitto_opt *options, int count);

static mosquitto_plugin_id_t *plugin;

static int yes(int event, void *event_data, void *data)
{
    (void)event;
    (void)event_data;
    (void)data;
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_version(int supported_count, const int *supported)
{
    for (int i = 0; i < supported_count; i++)
        if (supported[i] == 5)
            return 5;
    return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **data, struct mosquitto_opt *options,
                          int count)
{
    (void)data;
    (void)options;
    (void)count;
    plugin = id;
    int failed = mosquitto_callback_register(id, MOSQ_EVT_BASIC_AUTH, yes, NULL, NULL);
    if (failed)
        return failed;
    return mosquitto_callback_register(id, MOSQ_EVT_ACL_CHECK, yes, NULL, NULL);
}

int mosquitto_plugin_cleanup(void *data, struct mosquitto_opt *options, int count)
{
    (void)data;
    (void)options;
    (void)count;
    int failed = mosquitto_callback_unregister(plugin, MOSQ_EVT_BASIC_AUTH, yes, NULL);
    if (failed)
        return failed;
    return mosquitto_callback_unregister(plugin, MOSQ_EVT_ACL_CHECK, yes, NULL);
}
