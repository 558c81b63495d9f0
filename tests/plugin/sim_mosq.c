/* What the plugin calls, and how the broker loads and unloads it. */
#include "tests/plugin/sim_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/clock.h"

enum {
    QUEUE = 4096,
    RETAINED = 4 * SIM_CLIENTS, /* a power of 2 */
    PAYLOAD_MAX = 1023,
    LOG_LINES = 100,
    LOG_LINE_MAX = 500,
    OPTIONS = 10
};

/* All that is kept lies in fixed places, so that memory that comes and goes is the plugin's. */
static struct {
    struct text topic;
    char payload[PAYLOAD_MAX + 1];
} retained[RETAINED];
static struct {
    struct text topic;
    void *payload;
    size_t size;
    bool retain;
} queue[QUEUE];
static size_t queued;
static char log_lines[LOG_LINES][LOG_LINE_MAX + 1];
static size_t log_count;

/* Loading. */

static int options_fill(struct mosquitto_opt *given, const struct sim_options *options)
{
    const struct {
        const char *name, *value;
    } all[OPTIONS] = {{"registry", options->registry},
                      {"anonymous_role", options->anonymous_role},
                      {"presence", options->presence},
                      {"presence_topic", options->presence_topic},
                      {"presence_format", options->presence_format},
                      {"presence_delay", options->presence_delay},
                      {"events", options->events},
                      {"duplicate_use", options->duplicate_use},
                      {"errors", options->errors},
                      {"unknown", options->unknown}};
    int count = 0;
    for (size_t i = 0; i < OPTIONS; i++) {
        if (all[i].value)
            given[count++] = (struct mosquitto_opt){(char *)all[i].name, (char *)all[i].value};
    }
    return count;
}

int sim_try_start(const struct sim_options *options)
{
    struct mosquitto_opt given[OPTIONS];
    const int versions[] = {MOSQ_PLUGIN_VERSION};
    assert_false(sim.runs);
    sim.options = *options;
    sim.wall = sim.wall ? sim.wall : SIM_BEGINNING;
    sim.next_tick = 0;
    sim_places_fill();
    assert_int_equal(mosquitto_plugin_version(1, versions), MOSQ_PLUGIN_VERSION);
    int answer = mosquitto_plugin_init((mosquitto_plugin_id_t *)&sim, &sim.userdata, given,
                                       options_fill(given, options));
    sim.runs = answer == MOSQ_ERR_SUCCESS;
    return answer;
}

void sim_start(const struct sim_options *options)
{
    int answer = sim_try_start(options);
    if (answer) {
        sim_print_log();
        fail_msg("the plugin does not start: %d", answer);
    }
    sim_turn(); /* a first one ends before any client can have sent anything */
}

void sim_stop(void)
{
    assert_true(sim.runs);
    sim_send_wills();
    if (sim.options.before_tick)
        sim.options.before_tick();
    assert_int_equal(mosquitto_plugin_cleanup(sim.userdata, NULL, 0), MOSQ_ERR_SUCCESS);
    memset(sim.callbacks, 0, sizeof sim.callbacks);
    sim.runs = sim.hang_up = false;
    while (queued)
        mosquitto_free(queue[--queued].payload); /* lost */
    sim_restore();
}

void sim_forget(void)
{
    assert_false(sim.runs);
    memset(retained, 0, sizeof retained);
    memset(log_lines, 0, sizeof log_lines);
    log_count = 0;
    sim.places_filled = false;
    sim.first_place = sim.place_count = 0;
    memset(sim.by_id, 0, sizeof sim.by_id);
    memset(sim.clients, 0, sizeof sim.clients);
}

static bool event_exists(int event)
{
    return event > 0 && event < EVENTS &&
           (event <= MOSQ_EVT_DISCONNECT ||
            (IS_2_1 && (event == EVENT_CONNECT || event == EVENT_CLIENT_OFFLINE)));
}

int mosquitto_callback_register(mosquitto_plugin_id_t *identifier, int event,
                                MOSQ_FUNC_generic_callback call, const void *data, void *userdata)
{
    (void)identifier;
    (void)data;
    if (!event_exists(event))
        return MOSQ_ERR_NOT_SUPPORTED;
    if (sim.callbacks[event].call)
        return ALREADY_REGISTERED;
    sim.callbacks[event].call = call;
    sim.callbacks[event].userdata = userdata;
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_callback_unregister(mosquitto_plugin_id_t *identifier, int event,
                                  MOSQ_FUNC_generic_callback call, const void *data)
{
    (void)identifier;
    (void)call;
    (void)data;
    if (!event_exists(event))
        return MOSQ_ERR_NOT_SUPPORTED;
    sim.callbacks[event].call = NULL;
    return MOSQ_ERR_SUCCESS;
}

/* Clients. The plugin may look at the one that it is asked about, and at no other: any other may
 * have been freed since. */

static const struct mosquitto *look(const struct mosquitto *client)
{
    assert_non_null(client);
    if (client != sim.subject || client->state == SIM_FREE)
        fail_msg("event %d: the plugin looks at a client that it was not asked about", sim.event);
    return client;
}

const char *mosquitto_client_id(const struct mosquitto *client)
{
    return look(client)->id;
}

const char *mosquitto_client_username(const struct mosquitto *client)
{
    return look(client)->username;
}

const char *mosquitto_client_address(const struct mosquitto *client)
{
    return look(client)->address;
}

bool mosquitto_client_clean_session(const struct mosquitto *client)
{
    return look(client)->clean;
}

int mosquitto_client_keepalive(const struct mosquitto *client)
{
    return look(client)->keepalive;
}

int mosquitto_client_protocol(const struct mosquitto *client)
{
    return look(client)->websockets ? mp_websockets : mp_mqtt;
}

int mosquitto_client_protocol_version(const struct mosquitto *client)
{
    return look(client)->protocol;
}

int mosquitto_client_sub_count(const struct mosquitto *client)
{
    return (int)look(client)->subscription_count;
}

#ifdef SIM_2_1
struct mosquitto *mosquitto_client(const char *id)
{
    return sim_client(id);
}

void mosquitto_complete_basic_auth(const char *id, int result)
{
    fail_msg("%s: delayed logins are not simulated (%d)", id, result);
}
#endif

/* Memory, messages, the log, the clocks. */

void *mosquitto_malloc(size_t size)
{
    return malloc(size);
}

void mosquitto_free(void *memory)
{
    free(memory);
}

int mosquitto_broker_publish(const char *client_id, const char *topic, int size, void *payload,
                             int qos, bool retain, mosquitto_property *properties)
{
    assert_null(client_id);
    assert_null(properties);
    assert_true(qos >= 0 && qos <= 2 && size >= 0 && size <= PAYLOAD_MAX);
    assert_true(queued < QUEUE && strlen(topic) <= SIM_TEXT_MAX);
    strcpy(queue[queued].topic.bytes, topic);
    queue[queued].payload = payload;
    queue[queued].retain = retain;
    queue[queued++].size = (size_t)size;
    return MOSQ_ERR_SUCCESS;
}

/* The place of the topic, or the empty one where it belongs. */
static size_t retained_place(const char *topic)
{
    size_t at = sim_hash(topic) & (RETAINED - 1), tries = 0;
    while (retained[at].topic.bytes[0] && strcmp(retained[at].topic.bytes, topic) != 0) {
        at = (at + 1) & (RETAINED - 1);
        assert_true(++tries < RETAINED);
    }
    return at;
}

void sim_retain(const char *topic, const void *payload, size_t size)
{
    size_t at = retained_place(topic);
    strcpy(retained[at].topic.bytes, topic);
    if (size)
        memcpy(retained[at].payload, payload, size);
    retained[at].payload[size] = '\0';
    if (sim.options.published)
        sim.options.published(retained[at].topic.bytes, retained[at].payload);
}

static void tell(const char *topic, const void *payload, size_t size)
{
    char text[PAYLOAD_MAX + 1] = "";
    if (size)
        memcpy(text, payload, size);
    if (sim.options.told)
        sim.options.told(topic, text);
}

void sim_flush(void)
{
    for (size_t i = 0; i < queued; i++) {
        (queue[i].retain ? sim_retain : tell)(queue[i].topic.bytes, queue[i].payload,
                                              queue[i].size);
        mosquitto_free(queue[i].payload);
    }
    queued = 0;
}

const char *sim_retained_next(size_t *at, const char **payload)
{
    while (*at < RETAINED && !retained[*at].payload[0])
        ++*at;
    if (*at == RETAINED)
        return NULL;
    *payload = retained[*at].payload;
    return retained[(*at)++].topic.bytes;
}

const char *sim_retained(const char *topic)
{
    size_t at = retained_place(topic);
    return retained[at].payload[0] ? retained[at].payload : NULL;
}

void mosquitto_log_printf(int level, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* which the header leaves out */

void mosquitto_log_printf(int level, const char *format, ...)
{
    va_list arguments;
    (void)level;
    va_start(arguments, format);
    vsnprintf(log_lines[log_count++ % LOG_LINES], sizeof log_lines[0], format, arguments);
    va_end(arguments);
}

size_t sim_log_count(void)
{
    return log_count;
}

void sim_forget_log(void)
{
    memset(log_lines, 0, sizeof log_lines);
    log_count = 0;
}

bool sim_logged(const char *text)
{
    for (size_t i = 0; i < LOG_LINES; i++) {
        if (strstr(log_lines[i], text))
            return true;
    }
    return false;
}

void sim_print_log(void)
{
    for (size_t i = log_count > LOG_LINES ? log_count - LOG_LINES : 0; i < log_count; i++)
        print_message("%s\n", log_lines[i % LOG_LINES]);
}

int64_t clock_wall(void)
{
    return sim.wall;
}

int64_t clock_steady(void)
{
    return sim.steady;
}

void sim_clock(int64_t ms)
{
    sim.wall += ms;
    sim.steady += ms;
}

int64_t sim_now(void)
{
    return sim.wall;
}

int64_t sim_steady(void)
{
    return sim.steady;
}

void sim_set_clock(int64_t wall, int64_t steady)
{
    sim.wall = wall;
    sim.steady = steady;
}
