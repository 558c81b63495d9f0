/* broker.h - a private Mosquitto with the plugin, in a directory of its own.
 *
 *   DIR/                 0755, the test's user
 *     mosquitto.conf     the test's text, with words between @ replaced:
 *                          @DIR@ @PLUGIN@   paths      @TCP@ @WS@   free ports
 *     log                all that the broker says, over all its runs
 *     broker/            what the broker's user owns: socket, mosquitto.db
 *     registry/          made by `devreg init`
 *
 * Started by root the broker becomes the user mosquitto, as a packaged one does, so the tests meet
 * the file modes that its users meet. $DEVREG_MOSQUITTO names the broker to run.
 *
 * A function that meets what it does not expect fails the test. The broker is ended by broker_clear
 * at the latest, and by guard.h where the test program itself dies.
 */
#ifndef DEVREG_TESTS_BROKER_H
#define DEVREG_TESTS_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { BROKER_PATH_MAX = 96, BROKER_CONFIG_MAX = 8192 };

struct broker {
    char dir[BROKER_PATH_MAX];    /* DIR */
    char socket[BROKER_PATH_MAX]; /* where `listener 0 @DIR@/broker/socket` listens */
    int tcp_port, ws_port;
    pid_t pid;           /* 0 while it does not run */
    off_t run_begins;    /* where the log of its last run begins */
    char *log;           /* what broker_log lends */
    const char *preload; /* a library to be loaded before the others, lent; NULL for none */
};

/* 20011 for 2.0.11, 20102 for 2.1.2. */
int broker_version(void);

/* Makes broker/ in `dir`, an existing directory. */
void broker_init(struct broker *broker, const char *dir);
/* Writes mosquitto.conf. Global lines for the log are put in front. */
void broker_configure(struct broker *broker, const char *config);
/* Starts it and waits until all listeners are open. Needs the one on `socket`. */
void broker_start(struct broker *broker);
/* Starts it, and it has to end by itself with an exit status that is not 0. */
void broker_refuses_start(struct broker *broker);
/* SIGTERM, and it has to end with 0. */
void broker_stop(struct broker *broker);
/* SIGKILL: a crash. */
void broker_kill(struct broker *broker);
void broker_restart(struct broker *broker);
/* SIGHUP. Returns when its work is done. */
void broker_reload(struct broker *broker);
/* SIGUSR1: writes broker/mosquitto.db. Returns when it is written. */
void broker_save(struct broker *broker);
/* SIGSTOP and SIGCONT: what happens meanwhile, it meets all at once. */
void broker_pause(struct broker *broker);
void broker_resume(struct broker *broker);
bool broker_alive(struct broker *broker);

/* What the broker's own thread has computed so far, in ns: what others do on the machine is not in
 * it. */
int64_t broker_cpu_ns(const struct broker *broker);

/* What the broker said since its last start. Lent until the next call. */
const char *broker_log(struct broker *broker);
/* What it said in all its runs. Lent as well. */
const char *broker_log_all(struct broker *broker);
void broker_show_log(struct broker *broker);
size_t broker_log_count(struct broker *broker, const char *text);
/* Waits until the log holds `text` at least `count` times. */
void broker_log_wait(struct broker *broker, const char *text, size_t count);

/* Ends a broker that still runs, and says whether its end and its log are sound. */
bool broker_clear(struct broker *broker);

#endif
