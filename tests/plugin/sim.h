/* sim.h - a Mosquitto in one process: no sockets, no sleeping, a clock that stands still.
 *
 *   test                        simulated broker                     the plugin
 *   sim_connect, sim_publish -> sessions by client id, their order -> BASIC_AUTH, ACL_CHECK, ...
 *   sim_turn                 -> wills, expiry, TICK, its queue     <- mosquitto_kick_client...,
 *   sim_retained, sim_log    <- what the plugin published, said    <- mosquitto_broker_publish
 *
 * It does what the real one does, in the order in which the real one does it: a take-over asks for
 * the will of the old connection and ends it after the new one's BASIC_AUTH, a refused login still
 * raises DISCONNECT, a will is checked after DISCONNECT, a SIGHUP asks again for every session, a
 * kick asks for the session's subscriptions and ends the connection before it returns.
 *
 * It is a 2.0, or, compiled with SIM_2_1, a 2.1: the symbols that 2.1 adds decide when the program
 * is linked. What the plugin may not do to a broker (kick within a check, deny an offline session,
 * look at a client that was freed, an answer that cuts clients off) fails the test.
 *
 * There is one broker in a process, as there is one plugin.
 */
#ifndef DEVREG_TESTS_SIM_H
#define DEVREG_TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin/mosq.h"

/* Clients at a time, offline sessions and those not freed yet included. SIM_SMALL is for a test
 * with few of them and many processes: each of those has to touch all of this memory. */
#ifdef SIM_SMALL
enum { SIM_CLIENTS = 128 };
#else
enum { SIM_CLIENTS = 2048 };
#endif

enum {
    SIM_TEXT_MAX = 160, /* bytes of a client id, username, password, topic */
    SIM_SUBSCRIPTIONS = 8,
    SIM_KEEPALIVE_S = 60 /* of every client */
};

/* ms since 1970: when the first sim_start finds the clock. */
#define SIM_BEGINNING ((int64_t)1700000000 * 1000)

/* Which place in memory a new client gets. malloc hands out what was freed last; whatever else uses
 * memory meanwhile makes it another. */
enum sim_reuse { SIM_REUSE_LAST_FREED, SIM_REUSE_FIRST_FREED };

struct sim_options {
    const char *registry;       /* plugin_opt_registry */
    const char *anonymous_role; /* plugin_opt_anonymous_role; NULL for none */
    bool others_admit;          /* a password_file that knows every username, and allow_anonymous */
    bool no_ticks;              /* 2.0.11 with per_listener_settings */
    enum sim_reuse reuse;
    /* plugin_opt_presence and so on; NULL where the line is missing */
    const char *presence, *presence_topic, *presence_format, *presence_delay, *events;
    const char *duplicate_use, *errors, *unknown;
    /* These may be NULL. `answer` is the plugin's own. */
    void (*logged_in)(struct mosquitto *client, bool again, int answer); /* BASIC_AUTH */
    void (*checked)(struct mosquitto *client, int access, const char *topic, int answer);
    void (*before_tick)(void); /* TICK, or the end of the run, comes next */
    void (*published)(const char *topic, const char *payload); /* retained; "" clears it */
    void (*told)(const char *topic, const char *payload);      /* not retained */
    /* DISCONNECT, CLIENT_OFFLINE: came just now, for a connection or whatever else raises them.
     * `reason` as 2.1 has it, in either version. And a kick, which comes next. */
    void (*ended)(struct mosquitto *client, int reason);
    void (*kicked)(struct mosquitto *client);
};

/* CONNECT. */
struct sim_login {
    const char *id, *username, *password; /* the last two may be NULL */
    int protocol;                         /* 3, 4, 5 */
    bool clean;
    uint32_t expiry;     /* MQTT 5: s that the session stays after the connection */
    const char *will;    /* its topic; NULL for none */
    uint32_t will_delay; /* MQTT 5: s */
    bool websockets;
    const char *address; /* NULL: some; the text has to stay */
};

/* Of the form of a key, and nobody's. */
#define SIM_NO_KEY "devreg_0000000000000000000000000000002DlIv4"
/* A Unix socket's: nobody's failures are counted there. */
#define SIM_SOCKET "/run/mosquitto/socket"

/* How a connection ends. SIM_LEAVE is DISCONNECT, which takes the will back. */
enum sim_end { SIM_LEAVE, SIM_LOSE, SIM_KEEPALIVE, SIM_BREAK_PROTOCOL };

/* A connection as the broker sees it. A websockets connection of 2.0 that was closed ends only at
 * the turn. A stand-in carries a name into a check, and is no client. */
enum sim_state { SIM_FREE, SIM_KNOCKING, SIM_CONNECTED, SIM_CLOSING, SIM_OFFLINE, SIM_STAND_IN };

/* Loads the plugin. `options` is copied, its texts have to stay. */
void sim_start(const struct sim_options *options);
/* The same, without a turn; the plugin's answer. What is not 0 is no running broker. */
int sim_try_start(const struct sim_options *options);
/* SIGTERM. Sessions and retained messages stay for the next sim_start, as they would in
 * mosquitto.db. */
void sim_stop(void);
/* Forgets them, and the log. Not while the broker runs. */
void sim_forget(void);

/* mosquitto.db: sessions and retained messages as they are now, and a broker that begins with them,
 * which has not run before. The memory is the caller's, who may keep it where it outlives a
 * process. */
struct sim_saved;
size_t sim_saved_size(void);
void sim_save(struct sim_saved *saved);
void sim_load(const struct sim_saved *saved);

/* From now on. */
void sim_set_reuse(enum sim_reuse reuse);

/* The plugin's answer. sim_client tells whether it is in. */
int sim_connect(const struct sim_login *login);
/* A connection that sends nothing. */
void sim_knock(void);
void sim_end(struct mosquitto *client, enum sim_end how);

/* Who has that client id, connected or not; NULL for nobody. */
struct mosquitto *sim_client(const char *id);
/* One after the other, in no order: begin with NULL. */
struct mosquitto *sim_next(struct mosquitto *client);
enum sim_state sim_state(const struct mosquitto *client);
/* Its place in memory, below SIM_CLIENTS: for what a test wants to know beside. */
size_t sim_place(const struct mosquitto *client);
/* As in CONNECT. NULL for a client without a username; protocol 0 for a session that was restored
 * and for a stand-in. */
const char *sim_id(const struct mosquitto *client);
const char *sim_username(const struct mosquitto *client);
int sim_protocol(const struct mosquitto *client);
bool sim_clean(const struct mosquitto *client);
size_t sim_subscriptions(const struct mosquitto *client);
/* Is it being kicked at this moment? */
bool sim_kicking(const struct mosquitto *client);

/* These ask the plugin and return its answer, or the broker's own no. A subscription that is
 * allowed counts from then on. A delivery may go to an offline session. */
int sim_publish(struct mosquitto *client, const char *topic);
int sim_subscribe(struct mosquitto *client, const char *filter);
/* The same with more of what a PUBLISH and a SUBSCRIBE say; sim_publish sends QoS 0 and nothing. */
struct sim_message {
    uint32_t size; /* bytes of its payload */
    uint8_t qos;
    bool retain;
};
int sim_send(struct mosquitto *client, const char *topic, struct sim_message message);
int sim_subscribe_at(struct mosquitto *client, const char *filter, uint8_t qos);
int sim_unsubscribe(struct mosquitto *client, const char *filter);
int sim_deliver(struct mosquitto *client, const char *topic);
/* check_retain_source: may what that client published still be delivered? NULL and "" for what the
 * broker itself published in an earlier run. */
int sim_source(const char *id, const char *username, const char *topic);

/* SIGHUP, which the broker sees at the end of its turn. */
void sim_hang_up(void);
/* The end of one turn of the broker's loop and the beginning of the next. */
void sim_turn(void);
/* The clocks go on. */
void sim_clock(int64_t ms);
int64_t sim_now(void);
int64_t sim_steady(void);
/* Both are set. To set the wall clock alone, give sim_steady(). */
void sim_set_clock(int64_t wall, int64_t steady);
/* 2.1 after its wall clock was set back: no tick comes until it has caught up. */
bool sim_stalled(void);

/* What was published on the topic last; NULL for nothing. */
const char *sim_retained(const char *topic);
/* The next topic with a retained message, and that: begin with `*at` 0. NULL after the last. */
const char *sim_retained_next(size_t *at, const char **payload);
/* Does a log line hold that text? The latest hundred are kept. */
bool sim_logged(const char *text);
void sim_print_log(void);
/* How many lines there were since they were forgotten. */
size_t sim_log_count(void);
void sim_forget_log(void);

#endif
