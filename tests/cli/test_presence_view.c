/* What the broker noted of a device, as `show`, `list` and `explain` tell it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry/presence_store.h"
#include "registry/registry.h"

enum { ANSWER_MAX = 4095 };
#define DAY ((int64_t)24 * 3600 * 1000)

static char directory[] = "/tmp/devreg-presence.XXXXXX";

/* Runs devreg with `arguments` in this registry, returns what it said on stdout and checks how it
 * ended. Lends a static buffer. */
static const char *devreg(const char *arguments, int status)
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

/* Writes into the presence store, as the plugin does. */
static void note(const char *device, const struct presence *presence, const char *topic)
{
    char path[sizeof directory + 20];
    struct store *store;
    struct txn *txn;
    snprintf(path, sizeof path, "%s/" PRESENCE_SUBDIR, directory);
    assert_int_equal(store_open(&store, path, STORE_PRESENCE, STORE_WRITE), ERR_OK);
    assert_int_equal(txn_write(&txn, store), ERR_OK);
    if (presence)
        presence_put(txn, device, presence, NULL);
    if (topic) {
        struct patterns patterns = {0};
        patterns_use(&patterns, topic);
        patterns_put(txn, &patterns);
    }
    assert_int_equal(txn_commit(txn), ERR_OK);
    store_close(store);
}

static int64_t now_ms(void)
{
    return (int64_t)time(NULL) * 1000;
}

static struct presence offline_for(int64_t ms)
{
    struct presence presence = {.seq = 7, .conn = 3, .generation = 1, .credential = 1};
    presence.since = now_ms() - ms;
    presence.connected_at = presence.since - 1000;
    presence.reason = REASON_CONNECTION_LOST;
    presence.protocol = 5;
    presence.keepalive = 60;
    strcpy(presence.client, "client-7");
    strcpy(presence.address, "192.0.2.7");
    return presence;
}

static void assert_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text);
}

static void a_device_is_shown_offline_with_the_reason(void **state)
{
    struct presence presence = offline_for(2 * DAY);
    (void)state;
    note("a", &presence, NULL);
    const char *answer = devreg("show a", 0);
    assert_holds(answer, "\npresence\toffline since 2");
    assert_holds(answer, "Z, connection_lost\nclient id\tclient-7\naddress\t192.0.2.7\n");
    answer = devreg("show a --json", 0);
    assert_holds(answer, "\"presence\":{\"state\":\"offline\",\"since\":");
    assert_holds(answer, "\"reason\":\"connection_lost\",\"client\":\"client-7\","
                         "\"address\":\"192.0.2.7\",\"protocol\":5,\"keepalive\":60,"
                         "\"session\":\"clean\",\"credential\":1,\"conn\":3,\"seq\":7}");
    assert_holds(devreg("list --json", 0), "\"presence\":\"offline\",\"since\":1");
}

static void a_device_is_shown_online(void **state)
{
    struct presence presence = offline_for(DAY);
    (void)state;
    presence.online = true;
    presence.reason = REASON_NONE;
    presence.persistent = true;
    note("a", &presence, NULL);
    assert_holds(devreg("show a", 0), "\npresence\tonline since 2");
    assert_holds(devreg("show a --json", 0), "\"session\":\"persistent\"");
    assert_holds(devreg("list", 0), "a\tenabled\t-\tonline\t2");
}

static void what_a_client_is_called_cannot_move_the_terminal(void **state)
{
    struct presence presence = offline_for(DAY);
    (void)state;
    strcpy(presence.client, "x\xe2\x80\xaey\x1b[2J");
    note("a", &presence, NULL);
    assert_holds(devreg("show a", 0), "client id\tx\\xe2\\x80\\xaey\\x1b[2J\n");
    assert_holds(devreg("show a --json", 0), "\"client\":\"x\\u202ey\\u001b[2J\"");
}

static void the_presence_of_a_removed_namesake_does_not_count(void **state)
{
    struct presence presence = offline_for(DAY);
    (void)state;
    presence.generation = 99;
    note("a", &presence, NULL);
    assert_holds(devreg("show a", 0), "\npresence\tnever connected\n");
    assert_holds(devreg("show a --json", 0), "\"presence\":{\"state\":\"never\"}");
}

static void the_silent_ones_are_found(void **state)
{
    struct presence long_ago = offline_for(8 * DAY), lately = offline_for(DAY);
    struct presence online = offline_for(30 * DAY);
    (void)state;
    lately.generation = 2;
    online.generation = 3;
    online.online = true;
    online.reason = REASON_NONE;
    note("a", &long_ago, NULL);
    note("b", &lately, NULL);
    note("c", &online, NULL);
    const char *answer = devreg("list --offline-for 7d", 0);
    assert_int_equal(strncmp(answer, "a\tenabled\t-\toffline\t", 20), 0);
    assert_ptr_equal(strchr(answer, '\n') + 1, strchr(answer, '\0'));
    assert_string_equal(devreg("list --offline-for 2w", 0), "");
    assert_holds(devreg("list --offline-for 1h", 0), "\nb\t");
}

static void explain_knows_the_presence_topic_in_use(void **state)
{
    (void)state;
    assert_holds(devreg("explain a publish state/kiel/a/now", 0), "allowed by");
    note("a", NULL, "state/%{site}/%u/now");
    assert_holds(devreg("explain a publish state/kiel/b/now", 1),
                 "denied: nobody but devreg publishes there");
    assert_holds(devreg("explain a deliver state/kiel/b/now", 0), "allowed by");
}

static void with_presence_off_nothing_is_known(void **state)
{
    struct presence presence = offline_for(DAY);
    (void)state;
    note("a", &presence, "");
    assert_holds(devreg("show a --json", 0), "\"presence\":{\"state\":\"unknown\"}");
    assert_holds(devreg("show c --json", 0), "\"presence\":{\"state\":\"unknown\"}");
}

static int make_registry(void **state)
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

static int remove_registry(void **state)
{
    char command[sizeof directory + 20];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_shown_offline_with_the_reason),
        cmocka_unit_test(a_device_is_shown_online),
        cmocka_unit_test(what_a_client_is_called_cannot_move_the_terminal),
        cmocka_unit_test(the_presence_of_a_removed_namesake_does_not_count),
        cmocka_unit_test(the_silent_ones_are_found),
        cmocka_unit_test(explain_knows_the_presence_topic_in_use),
        cmocka_unit_test(with_presence_off_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
