/* mosq.h - Mosquitto's headers, and what 2.1 adds to them.
 *
 * The plugin is built against the headers of any version and loads into all: what is new in 2.1
 * is named by number or weakly, and is NULL in 2.0.
 */
#ifndef DEVREG_PLUGIN_MOSQ_H
#define DEVREG_PLUGIN_MOSQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

/* Events of 2.1 by number: MOSQ_EVT_CONNECT and MOSQ_EVT_CLIENT_OFFLINE. 2.0 answers
 * MOSQ_ERR_NOT_SUPPORTED to them. CLIENT_OFFLINE has the layout of DISCONNECT. */
enum { EVENT_CONNECT = 11, EVENT_CLIENT_OFFLINE = 28 };

struct event_connect {
    void *future;
    struct mosquitto *client;
    void *future2[4];
};

/* TICK has one layout and two spellings: the third member is next_ns in 2.0, which reads nothing,
 * and next_ms in 2.1, which reads milliseconds. */
struct event_tick {
    void *future;
    long now_ns, next_ms;
    time_t now_s, next_s;
    void *future2[4];
};

/* 2.1: the connection waits for mosquitto_complete_basic_auth. */
enum { AUTH_DELAYED = -5 };
/* 2.1: what DISCONNECT says of a connection; 2.0 always says -1. */
enum { ENDED_KEEPALIVE = 19 /* MOSQ_ERR_KEEPALIVE */, ENDED_TAKEN_OVER = 142, ENDED_KICKED = 152 };
/* 2.0: a second registration of the same function. */
enum { ALREADY_REGISTERED = 31 };

extern struct mosquitto *mosquitto_client(const char *client_id) __attribute__((weak));
extern void mosquitto_complete_basic_auth(const char *client_id, int result) __attribute__((weak));

/* Is the broker a 2.1? */
static inline bool mosq_is_2_1(void)
{
    return mosquitto_client != NULL;
}

#endif
