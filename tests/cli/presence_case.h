/* presence_case.h - a registry with the devices a, b and c, devreg to ask about them, and a
 * plugin's hand in its presence store. */
#ifndef DEVREG_TESTS_PRESENCE_CASE_H
#define DEVREG_TESTS_PRESENCE_CASE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "registry/presence_feed.h"
#include "registry/quarantine.h"
#include "registry/registry.h"
#include "tests/support/cmocka_all.h"

enum { ANSWER_MAX = 4095 };
#define DAY ((int64_t)24 * 3600 * 1000)

static char directory[] = "/tmp/devreg-cli-presence.XXXXXX";

/* Runs devreg with `arguments` in this registry, returns what it said on stdout and checks how it
 * ended. Lends a static buffer. */
static inline const char *devreg(const char *arguments, int status)
{
    static char answer[ANSWER_MAX + 1];
    char command[1000];
    snprintf(command, sizeof command, DEVREG " -r %s %s", directory, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t length = fread(answer, 1, ANSWER_MAX, pipe);
    answer[length] = '\0';
    int ended = pclose(pipe);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), status);
    return answer;
}

/* A write scope of the presence store, as the plugin has. */
struct pen {
    struct store *store;
    struct txn *txn;
};

static inline struct pen pen_begin(void)
{
    char path[sizeof directory + 20];
    struct pen pen;
    snprintf(path, sizeof path, "%s/" PRESENCE_SUBDIR, directory);
    assert_int_equal(store_open(&pen.store, path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    assert_int_equal(txn_write(&pen.txn, pen.store), ERR_OK);
    return pen;
}

static inline void pen_end(struct pen *pen)
{
    assert_int_equal(txn_commit(pen->txn), ERR_OK);
    store_close(pen->store);
}

static inline void note(const char *device, const struct presence *presence)
{
    struct pen pen = pen_begin();
    presence_put(pen.txn, device, presence, NULL);
    pen_end(&pen);
}

static inline void note_topic(const char *topic)
{
    struct pen pen = pen_begin();
    struct patterns patterns = {0};
    patterns_use(&patterns, topic);
    patterns_put(pen.txn, &patterns);
    pen_end(&pen);
}

static inline int64_t now_ms(void)
{
    return (int64_t)time(NULL) * 1000;
}

static inline struct presence offline_for(int64_t ms)
{
    struct presence presence = {
        .seq = 7, .conn = 3, .connections = 3, .generation = 1, .credential = 1};
    presence.since = now_ms() - ms;
    presence.connected_at = presence.since - 1000;
    presence.ended_at = presence.since;
    presence.reason = REASON_CONNECTION_LOST;
    presence.protocol = 5;
    presence.keepalive = 60;
    strcpy(presence.client, "client-7");
    strcpy(presence.address, "192.0.2.7");
    return presence;
}

static inline void assert_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text);
}

static inline int make_registry(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    (void)devreg("init 2>&1", 0);
    (void)devreg("add a --no-key --no-role", 0);
    (void)devreg("add b --no-key --no-role", 0);
    (void)devreg("add c --no-key --no-role", 0);
    (void)devreg("allow a all 'state/#'", 0);
    return 0;
}

static inline int remove_registry(void **state)
{
    char command[sizeof directory + 20];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

#endif
