/* client.h - an MQTT client that a test leads by the hand: libmosquitto without a thread.
 *
 * Each call drives the client until what it waits for has come, or fails the test at a deadline.
 * To show that a message does not come, publish it, then one that may come, and expect that: a
 * client gets what was sent to it in order.
 */
#ifndef DEVREG_TESTS_CLIENT_H
#define DEVREG_TESTS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

/* A test that waits for others on a slow machine, or stops the broker, sends no PINGREQ meanwhile.
 */
enum { LONG_KEEPALIVE = 3600 };

/* The rest of a zeroed one is the ordinary case. */
struct login {
    const char *user; /* NULL: none */
    const char *key;  /* NULL: none; scene_login puts in the user's own key */
    const char *id;   /* client id; NULL: the broker makes one up */
    int version;      /* 3, 4 or 5 as in CONNECT; 0 is 4, MQTT 3.1.1 */
    bool persistent;  /* the session outlives the connection */
    bool afresh;      /* MQTT 5: and still it begins with nothing (Clean Start) */
    int keepalive;    /* seconds; 0 is LONG_KEEPALIVE */
    const char *will_topic, *will;
    bool will_retained;
    unsigned will_delay; /* seconds, of MQTT 5 */
    const char *psk;     /* hexadecimal: over TLS-PSK with the identity `user`, and no password */
    const char *host;    /* where it connects to: a path where port is 0 */
    int port;
    const char *forwarded; /* over WebSockets: the header X-Forwarded-For */
    const char *from;      /* the address of its own end; NULL: any */
};

enum {
    UNANSWERED = -1, /* the connection ended first */
    ACCEPTED = 0,
    REFUSED_V3 = 5,      /* return code: not authorized */
    REFUSED_V5 = 0x87,   /* reason code: not authorized */
    SUBACK_FAILED = 0x80 /* MQTT 3.1.1 */
};

struct mosquitto;
struct message;

struct client {
    struct mosquitto *mosq;
    struct client *next; /* the scene's list of them */
    int connack;
    bool session_present;
    bool gone;       /* the connection has ended */
    int gone_reason; /* MQTT 5: what the broker's DISCONNECT said; or 0, or libmosquitto's error */
    int answered;    /* the packet id that was answered last */
    int answer;      /* with what: granted QoS, or reason code */
    struct message *messages;
};

struct message {
    struct message *next;
    char *topic, *payload;
    int qos;
    bool retained;
};

/* Sends CONNECT. */
struct client *client_begin(const struct login *login);
/* Waits for the answer, whatever it is: `connack`. */
int client_finish(struct client *client);

/* The granted QoS, or the code of the refusal; UNANSWERED where the connection ends instead. */
int client_subscribe(struct client *client, const char *filter, int qos);
void client_unsubscribe(struct client *client, const char *filter);

/* QoS 0 returns when it is sent, 1 and 2 when it is acknowledged, with MQTT 5's reason code (0 for
 * 3.1.1); UNANSWERED as above. */
int client_publish(struct client *client, const char *topic, const char *payload, int qos);
int client_retain(struct client *client, const char *topic, const char *payload);
/* Sends and does not wait; fine on a connection that ends. */
void client_send(struct client *client, const char *topic, const char *payload, int qos);

/* Waits until everything that the client sent was handled and everything that was sent to it before
 * has come. */
void client_sync(struct client *client);

/* Waits for the next message. The caller frees it with message_free. */
struct message *client_next(struct client *client);
void message_free(struct message *message);
/* The next message is this one. */
void client_expect(struct client *client, const char *topic, const char *payload);
/* After a client_sync no message is there. */
void client_expect_none(struct client *client);

/* Waits until the broker has ended the connection. */
void client_expect_gone(struct client *client);
/* Is it still connected? Asks the broker. */
void client_expect_alive(struct client *client);

/* DISCONNECT, and waits until it is sent. */
void client_disconnect(struct client *client);
/* Closes the socket without DISCONNECT, as a device that loses power; fine at any time. */
void client_drop(struct client *client);

void client_free(struct client *client);

#endif
