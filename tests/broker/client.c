#include "client.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "deadline.h"

enum {
    SESSION_SECONDS = 3600,
    NOBODY_LISTENS = 0x10 /* MQTT 5, a success: no matching subscribers */
};

static void connected(struct mosquitto *mosq, void *object, int code, int flags,
                      const mosquitto_property *properties)
{
    struct client *client = object;
    (void)mosq;
    (void)properties;
    client->connack = code;
    client->session_present = flags & 1;
}

static void disconnected(struct mosquitto *mosq, void *object, int code,
                         const mosquitto_property *properties)
{
    struct client *client = object;
    (void)mosq;
    (void)properties;
    client->gone = true;
    client->gone_reason = code;
}

static void acknowledged(struct mosquitto *mosq, void *object, int mid, int code,
                         const mosquitto_property *properties)
{
    struct client *client = object;
    (void)mosq;
    (void)properties;
    client->answered = mid;
    client->answer = code;
}

static void subscribed(struct mosquitto *mosq, void *object, int mid, int count, const int *codes,
                       const mosquitto_property *properties)
{
    acknowledged(mosq, object, mid, count > 0 ? codes[0] : -1, properties);
}

static void unsubscribed(struct mosquitto *mosq, void *object, int mid,
                         const mosquitto_property *properties)
{
    acknowledged(mosq, object, mid, 0, properties);
}

static void received(struct mosquitto *mosq, void *object, const struct mosquitto_message *from,
                     const mosquitto_property *properties)
{
    struct client *client = object;
    struct message *message = calloc(1, sizeof *message), **last = &client->messages;
    (void)mosq;
    (void)properties;
    if (message == NULL)
        abort();
    message->topic = strdup(from->topic);
    message->payload = calloc(1, (size_t)from->payloadlen + 1);
    if (message->topic == NULL || message->payload == NULL)
        abort();
    if (from->payloadlen > 0)
        memcpy(message->payload, from->payload, (size_t)from->payloadlen);
    message->qos = from->qos;
    message->retained = from->retain;
    while (*last != NULL)
        last = &(*last)->next;
    *last = message;
}

void message_free(struct message *message)
{
    free(message->topic);
    free(message->payload);
    free(message);
}

/* One step: false when the deadline has passed. */
static bool client_step(struct client *client, int64_t until)
{
    if (client->gone || clock_ms() >= until)
        return false;
    if (mosquitto_loop(client->mosq, 20, 1) != MOSQ_ERR_SUCCESS)
        client->gone = true;
    return true;
}

/* Drives the client until `condition` holds; ends early when the connection does. */
#define CLIENT_UNTIL(client, condition)                                                            \
    do {                                                                                           \
        int64_t client_end = clock_ms() + DEADLINE_MS;                                             \
        while (!(condition) && client_step(client, client_end))                                    \
            ;                                                                                      \
    } while (0)

static bool credentials_set(struct mosquitto *mosq, const struct login *login)
{
    if (login->psk != NULL)
        return mosquitto_tls_psk_set(mosq, login->psk, login->user, NULL) == 0;
    return login->user == NULL || mosquitto_username_pw_set(mosq, login->user, login->key) == 0;
}

static bool will_set(struct mosquitto *mosq, const struct login *login)
{
    mosquitto_property *properties = NULL; /* the will owns them */
    int size = (int)strlen(login->will);
    if (login->will_delay == 0)
        return mosquitto_will_set(mosq, login->will_topic, size, login->will, 1,
                                  login->will_retained) == 0;
    return mosquitto_property_add_int32(&properties, MQTT_PROP_WILL_DELAY_INTERVAL,
                                        login->will_delay) == 0 &&
           mosquitto_will_set_v5(mosq, login->will_topic, size, login->will, 1,
                                 login->will_retained, properties) == 0;
}

static bool client_prepare(struct client *client, const struct login *login)
{
    int version = login->version == 0 ? MQTT_PROTOCOL_V311 : login->version;
    client->mosq = mosquitto_new(login->id, !login->persistent || login->afresh, client);
    if (client->mosq == NULL)
        return false;
    mosquitto_connect_v5_callback_set(client->mosq, connected);
    mosquitto_disconnect_v5_callback_set(client->mosq, disconnected);
    mosquitto_publish_v5_callback_set(client->mosq, acknowledged);
    mosquitto_subscribe_v5_callback_set(client->mosq, subscribed);
    mosquitto_unsubscribe_v5_callback_set(client->mosq, unsubscribed);
    mosquitto_message_v5_callback_set(client->mosq, received);
    return mosquitto_int_option(client->mosq, MOSQ_OPT_PROTOCOL_VERSION, version) == 0 &&
           credentials_set(client->mosq, login) &&
           (login->will_topic == NULL || will_set(client->mosq, login));
}

static int client_dial(struct client *client, const struct login *login)
{
    mosquitto_property *properties = NULL;
    if (login->persistent && login->version == MQTT_PROTOCOL_V5 &&
        mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
                                     SESSION_SECONDS) != 0)
        return MOSQ_ERR_NOMEM;
    int keepalive = login->keepalive == 0 ? LONG_KEEPALIVE : login->keepalive;
    int e = mosquitto_connect_bind_v5(client->mosq, login->host, login->port, keepalive,
                                      login->from, properties);
    mosquitto_property_free_all(&properties);
    return e;
}

struct client *client_begin(const struct login *login)
{
    struct client *client = calloc(1, sizeof *client);
    check(client != NULL);
    client->connack = UNANSWERED;
    check(client_prepare(client, login));
    int64_t until = clock_ms() + DEADLINE_MS;
    int e = client_dial(client, login);
    while (e == MOSQ_ERR_ERRNO && errno == EAGAIN && wait_step(until)) /* the backlog is full */
        e = client_dial(client, login);
    if (e != MOSQ_ERR_SUCCESS)
        fail_msg("cannot connect to %s: %s", login->host, mosquitto_strerror(e));
    return client;
}

int client_finish(struct client *client)
{
    CLIENT_UNTIL(client, client->connack != UNANSWERED);
    check(client->gone || client->connack != UNANSWERED);
    return client->connack;
}

static int client_answer(struct client *client, int mid, const char *what)
{
    CLIENT_UNTIL(client, client->answered == mid);
    if (client->answered != mid && !client->gone)
        fail_msg("no answer to %s", what);
    return client->answered == mid ? client->answer : UNANSWERED;
}

int client_subscribe(struct client *client, const char *filter, int qos)
{
    int mid = 0, e = mosquitto_subscribe(client->mosq, &mid, filter, qos);
    if (e != MOSQ_ERR_SUCCESS)
        fail_msg("cannot subscribe to %s: %s", filter, mosquitto_strerror(e));
    return client_answer(client, mid, filter);
}

void client_unsubscribe(struct client *client, const char *filter)
{
    int mid = 0;
    check(mosquitto_unsubscribe(client->mosq, &mid, filter) == MOSQ_ERR_SUCCESS);
    check(client_answer(client, mid, filter) == 0);
}

static int client_hand_over(struct client *client, const char *topic, const char *payload, int qos,
                            bool retained)
{
    int mid = 0, size = (int)strlen(payload);
    int e = mosquitto_publish(client->mosq, &mid, topic, size, payload, qos, retained);
    if (e != MOSQ_ERR_SUCCESS)
        fail_msg("cannot publish on %s: %s", topic, mosquitto_strerror(e));
    int code = client_answer(client, mid, topic);
    return code == NOBODY_LISTENS ? 0 : code;
}

int client_publish(struct client *client, const char *topic, const char *payload, int qos)
{
    return client_hand_over(client, topic, payload, qos, false);
}

int client_retain(struct client *client, const char *topic, const char *payload)
{
    return client_hand_over(client, topic, payload, 1, true);
}

void client_send(struct client *client, const char *topic, const char *payload, int qos)
{
    if (mosquitto_publish(client->mosq, NULL, topic, (int)strlen(payload), payload, qos, false) !=
            MOSQ_ERR_SUCCESS ||
        mosquitto_loop(client->mosq, 0, 1) != MOSQ_ERR_SUCCESS)
        client->gone = true;
}

void client_sync(struct client *client)
{
    client_unsubscribe(client, "sync");
}

struct message *client_next(struct client *client)
{
    CLIENT_UNTIL(client, client->messages != NULL);
    struct message *message = client->messages;
    if (message == NULL)
        fail_msg("no message came%s", client->gone ? ": the connection has ended" : "");
    client->messages = message->next;
    return message;
}

void client_expect(struct client *client, const char *topic, const char *payload)
{
    struct message *message = client_next(client);
    bool right = strcmp(message->topic, topic) == 0 && strcmp(message->payload, payload) == 0;
    if (!right)
        print_error("got %s '%s', not %s '%s'\n", message->topic, message->payload, topic, payload);
    message_free(message);
    check(right);
}

void client_expect_none(struct client *client)
{
    client_sync(client);
    if (client->messages != NULL)
        fail_msg("got %s '%s'", client->messages->topic, client->messages->payload);
}

void client_expect_gone(struct client *client)
{
    CLIENT_UNTIL(client, client->gone);
    check(client->gone);
}

void client_expect_alive(struct client *client)
{
    client_sync(client);
    check(!client->gone);
}

void client_disconnect(struct client *client)
{
    check(!client->gone);
    check(mosquitto_disconnect(client->mosq) == MOSQ_ERR_SUCCESS);
    CLIENT_UNTIL(client, client->gone);
    check(client->gone);
}

void client_drop(struct client *client)
{
    int fd = mosquitto_socket(client->mosq);
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
    CLIENT_UNTIL(client, client->gone);
    check(client->gone);
}

void client_free(struct client *client)
{
    while (client->messages != NULL) {
        struct message *message = client->messages;
        client->messages = message->next;
        message_free(message);
    }
    if (client->mosq != NULL)
        mosquitto_destroy(client->mosq);
    free(client);
}
