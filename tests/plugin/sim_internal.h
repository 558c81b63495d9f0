/* sim_internal.h - what the parts of the simulated broker share. Include sim.h elsewhere. */
#ifndef DEVREG_TESTS_SIM_INTERNAL_H
#define DEVREG_TESTS_SIM_INTERNAL_H

#include "tests/plugin/sim.h"
#include "tests/support/cmocka_all.h"

#ifdef SIM_2_1
enum { IS_2_1 = 1 };
#else
enum { IS_2_1 = 0 };
#endif

enum { EVENTS = 32, NO_EVENT = 0, HEADS = 1024 /* a power of 2 */ };
#define NEVER UINT32_MAX

struct text {
    char bytes[SIM_TEXT_MAX + 1];
};

struct mosquitto {
    enum sim_state state;
    struct mosquitto *next; /* of the same hash in `by_id`, or of those to be freed */
    bool listed;            /* in `by_id` */
    bool quits;             /* its will is withheld */
    bool ends;              /* DISCONNECT is under way */
    bool again;             /* SIGHUP asks for it */
    const char *id, *username, *password, *address; /* these, or NULL */
    struct text id_text, username_text, password_text, will;
    int protocol, keepalive;
    bool clean, websockets;
    int reason;      /* SIM_CLOSING: why */
    uint32_t expiry; /* s; 0 for a session that ends with its connection */
    uint32_t will_delay;
    int64_t will_at, expires_at; /* OFFLINE: 0 for none */
    size_t subscription_count;
    struct text subscriptions[SIM_SUBSCRIPTIONS];
};

struct sim {
    bool runs;
    struct sim_options options;
    void *userdata;
    struct {
        MOSQ_FUNC_generic_callback call;
        void *userdata;
    } callbacks[EVENTS];
    int event;                       /* the innermost that is under way */
    const struct mosquitto *subject; /* whom it is about */
    const struct mosquitto *kicking;
    struct sim_message message; /* that is asked about */
    struct mosquitto clients[SIM_CLIENTS];
    struct mosquitto *places[SIM_CLIENTS]; /* a ring of those that are free */
    size_t first_place, place_count;
    bool places_filled;
    struct mosquitto *by_id[HEADS];
    struct mosquitto *disused; /* freed at the turn */
    size_t closing;            /* how many are SIM_CLOSING */
    int64_t next_due;          /* no earlier `will_at` or `expires_at`; 0 for none */
    bool hang_up;
    int64_t wall, steady, next_tick;
};

extern struct sim sim;

/* Hands the event to the plugin. `subject` is whom it is about, NULL for nobody. */
int sim_raise(int event, void *data, const struct mosquitto *subject);

/* BASIC_AUTH. True where the plugin, or who else is asked, lets it in. */
bool sim_log_in(struct mosquitto *client, bool again, int *answer);

/* do_disconnect: ends the connection, or begins to, which on 2.0's websockets takes until the turn.
 * `reason` is what 2.1 tells. */
void sim_disconnect(struct mosquitto *client, int reason);
/* context__disconnect: DISCONNECT, the will, and what becomes of the session. */
void sim_finish(struct mosquitto *client, int reason);
/* Asks for the will now, or notes when. */
void sim_send_will(struct mosquitto *client);
void sim_due_add(int64_t at);
/* The session is over: freed at the turn. */
void sim_dispose(struct mosquitto *client);
void sim_list(struct mosquitto *client);
void sim_unlist(struct mosquitto *client);
struct mosquitto *sim_place_take(void);
void sim_place_give(struct mosquitto *client);
void sim_subscription_remove(struct mosquitto *client, size_t at);

/* ACL_CHECK. */
int sim_ask(struct mosquitto *client, int access, const char *topic);

/* Before the plugin is loaded; at SIGTERM before it is unloaded, and after: wills, and what
 * mosquitto.db would bring back. */
void sim_places_fill(void);
void sim_send_wills(void);
void sim_restore(void);
/* What one that mosquitto.db brings back has lost. */
void sim_session_restore(struct mosquitto *client);

void sim_retain(const char *topic, const void *payload, size_t size);

/* What the plugin published becomes retained messages. */
void sim_flush(void);

uint64_t sim_hash(const char *text);

#endif
