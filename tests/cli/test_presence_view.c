/* What the broker noted of a device, as `show`, `list` and `explain` tell it. */
#include "tests/cli/presence_case.h"

static void a_device_is_shown_offline_with_the_reason(void **state)
{
    struct presence presence = offline_for(2 * DAY);
    (void)state;
    note("a", &presence);
    const char *answer = devreg("show a", 0);
    assert_holds(answer, "\npresence\toffline since 2");
    assert_holds(answer, "Z, connection_lost\nclient id\tclient-7\naddress\t192.0.2.7\n");
    answer = devreg("show a --json", 0);
    assert_holds(answer, "\"presence\":{\"state\":\"offline\",\"since\":");
    assert_holds(answer, "\"reason\":\"connection_lost\",\"client\":\"client-7\","
                         "\"address\":\"192.0.2.7\",\"protocol\":5,\"keepalive\":60,"
                         "\"session\":\"clean\",\"credential\":1,\"conn\":3,\"seq\":7,"
                         "\"connections\":3,\"failures\":{\"count\":0,\"last\":null},"
                         "\"denials\":{\"count\":0,\"last\":null}}");
    assert_holds(devreg("list --json", 0), "\"presence\":\"offline\",\"since\":1");
}

static void a_device_is_shown_online(void **state)
{
    struct presence presence = offline_for(DAY);
    (void)state;
    presence.online = true;
    presence.reason = REASON_NONE;
    presence.persistent = true;
    note("a", &presence);
    assert_holds(devreg("show a", 0), "\npresence\tonline since 2");
    assert_holds(devreg("show a --json", 0), "\"session\":\"persistent\"");
    assert_holds(devreg("list", 0), "a\tenabled\t-\tonline\t2");
}

/* The line of `show a` that begins with this title; "" for none. Lends a static buffer. */
static const char *line_of(const char *title)
{
    static char line[ANSWER_MAX + 1];
    char begin[40];
    snprintf(begin, sizeof begin, "\n%s\t", title);
    const char *found = strstr(devreg("show a", 0), begin);
    snprintf(line, sizeof line, "%.*s", found ? (int)strcspn(found + 1, "\n") : 0,
             found ? found + 1 : "");
    return line;
}

static void the_last_disconnect_is_told_while_it_is_online_again(void **state)
{
    struct presence presence = offline_for(DAY);
    char ended[40];
    (void)state;
    presence.online = true;
    presence.since += DAY;
    presence.reason = REASON_KEEPALIVE_TIMEOUT;
    note("a", &presence);
    assert_holds(line_of("last left"), "Z, keepalive_timeout");
    assert_null(strchr(line_of("presence"), ','));
    snprintf(ended, sizeof ended, "\"ended_at\":%lld,", (long long)presence.ended_at);
    assert_holds(devreg("show a --json", 0), ended);
    assert_holds(devreg("show a --json", 0), "\"reason\":\"keepalive_timeout\"");
    presence.ended_at = 0; /* it has been online since its first connection */
    presence.reason = REASON_NONE;
    note("a", &presence);
    assert_string_equal(line_of("last left"), "");
    assert_holds(devreg("show a --json", 0), "\"ended_at\":null,\"client\"");
}

static void how_it_last_connected_is_told(void **state)
{
    struct presence presence = offline_for(DAY);
    (void)state;
    presence.connections = 17;
    note("a", &presence);
    assert_string_equal(line_of("protocol"), "protocol\tMQTT 5, clean session, keepalive 60 s");
    assert_holds(line_of("connected"), "Z with credential 1, which is gone; 17 times in all");
    assert_null(strstr(devreg("show a --json", 0), "credential_label"));
    (void)devreg("rotate a --label spring 2>&1", 0);
    assert_holds(line_of("connected"), "Z with key 1 'spring'; 17 times in all");
    assert_holds(devreg("show a --json", 0), "\"credential_label\":\"spring\"");
    presence.protocol = 0;
    presence.connections = 1;
    presence.persistent = true;
    note("a", &presence);
    assert_string_equal(line_of("protocol"), "protocol\tpersistent session, keepalive 60 s");
    assert_holds(line_of("connected"), "; 1 time in all");
}

static void what_was_refused_and_denied_is_counted(void **state)
{
    struct presence presence = offline_for(DAY);
    (void)state;
    note("a", &presence);
    assert_string_equal(line_of("refused"), "");
    assert_string_equal(line_of("denied"), "");
    presence.failures = (struct tally){3, 1795000000000};
    presence.denials = (struct tally){1, 1795000001000};
    note("a", &presence);
    assert_string_equal(line_of("refused"), "refused\t3 times, last 2026-11-18T11:06:40Z");
    assert_string_equal(line_of("denied"), "denied\t1 time, last 2026-11-18T11:06:41Z");
    assert_holds(devreg("show a --json", 0), "\"failures\":{\"count\":3,\"last\":1795000000000},"
                                             "\"denials\":{\"count\":1,\"last\":1795000001000}");
}

static void a_device_that_was_only_refused_never_connected(void **state)
{
    const struct presence presence = {.generation = 1, .failures = {2, 1795000000000}};
    (void)state;
    note("a", &presence);
    assert_string_equal(line_of("presence"), "presence\tnever connected");
    assert_string_equal(line_of("refused"), "refused\t2 times, last 2026-11-18T11:06:40Z");
    assert_string_equal(line_of("connected"), "");
    assert_holds(devreg("show a --json", 0), "\"presence\":{\"state\":\"never\",\"connections\":0,"
                                             "\"failures\":{\"count\":2,\"last\":1795000000000}");
    assert_holds(devreg("list --never-seen", 0), "a\tenabled\t-\tnever\t-\n");
}

static void what_a_client_is_called_cannot_move_the_terminal(void **state)
{
    struct presence presence = offline_for(DAY);
    (void)state;
    strcpy(presence.client, "x\xe2\x80\xaey\x1b[2J");
    note("a", &presence);
    assert_holds(devreg("show a", 0), "client id\tx\\xe2\\x80\\xaey\\x1b[2J\n");
    assert_holds(devreg("show a --json", 0), "\"client\":\"x\\u202ey\\u001b[2J\"");
}

static void the_presence_of_a_removed_namesake_does_not_count(void **state)
{
    struct presence presence = offline_for(DAY);
    (void)state;
    presence.generation = 99;
    note("a", &presence);
    assert_holds(devreg("show a", 0), "\npresence\tnever connected\n");
    assert_holds(devreg("show a --json", 0), "\"presence\":{\"state\":\"never\",\"connections\":0,"
                                             "\"failures\":{\"count\":0,\"last\":null},"
                                             "\"denials\":{\"count\":0,\"last\":null}}");
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
    note("a", &long_ago);
    note("b", &lately);
    note("c", &online);
    const char *answer = devreg("list --offline-for 7d", 0);
    assert_int_equal(strncmp(answer, "a\tenabled\t-\toffline\t", 20), 0);
    assert_ptr_equal(strchr(answer, '\n') + 1, strchr(answer, '\0'));
    assert_string_equal(devreg("list --offline-for 2w", 0), "");
    assert_holds(devreg("list --offline-for 1h", 0), "\nb\t");
}

/* The ids that `list` gives, one behind the other. */
static const char *ids(const char *options)
{
    static char all[40];
    char command[100];
    size_t length = 0;
    snprintf(command, sizeof command, "list %s", options);
    for (const char *line = devreg(command, 0); *line; line = strchr(line, '\n') + 1) {
        assert_true(length + 1 < sizeof all && line[1] == '\t');
        all[length++] = *line;
    }
    all[length] = '\0';
    return all;
}

static void devices_are_found_by_their_presence(void **state)
{
    struct presence offline = offline_for(DAY), online = offline_for(DAY);
    struct presence namesake = offline_for(DAY);
    (void)state;
    online.generation = 2;
    online.online = true;
    namesake.generation = 99;
    note("a", &offline);
    note("b", &online);
    note("c", &namesake);
    assert_string_equal(ids("--online"), "b");
    assert_string_equal(ids("--offline"), "a");
    assert_string_equal(ids("--never-seen"), "c");
    assert_string_equal(ids("--state disabled --online"), "");
    assert_string_equal(ids(""), "abc");
}

static void what_there_is_is_counted(void **state)
{
    const struct presence_counts counts = {.seen = 2, .online = 1};
    const struct pack nothing = {0};
    struct presence presence = offline_for(DAY);
    (void)state;
    presence.failures = (struct tally){3, 1795000000000};
    presence.denials = (struct tally){1, 1795000001000};
    note("a", &presence);
    presence.failures = (struct tally){1, 1795000002000};
    note("b", &presence);
    presence.connections = 0;
    note("c", &presence);
    struct pen pen = pen_begin();
    feed_put(pen.txn, 1, &counts, &nothing);
    pen_end(&pen);
    const char *answer = devreg("stats", 0);
    assert_holds(answer, "devices\t3\nstates\t3 enabled, 0 disabled, 0 revoked\n"
                         "presence\t1 online, 1 offline, 1 never seen\n"
                         "refused\t5 in all, last 2026-11-18T11:06:42Z\n"
                         "denied\t3 in all, last 2026-11-18T11:06:41Z\n");
    answer = devreg("stats --json", 0);
    assert_holds(answer, "\"presence\":{\"online\":1,\"offline\":1,\"never_seen\":1,"
                         "\"failures\":{\"count\":5,\"last\":1795000002000},"
                         "\"denials\":{\"count\":3,\"last\":1795000001000},\"topic\":");
    note_topic("state/%u");
    assert_holds(devreg("stats --json", 0), "\"topic\":\"state/%u\"");
    pen = pen_begin();
    txn_put(pen.txn, (struct bytes){(const uint8_t *)"w\0\0\0\0\0\0\0\1", 9},
            (struct bytes){(const uint8_t *)"\5", 1});
    pen_end(&pen);
    assert_holds(devreg("stats", 0), "presence\t0 online, 2 offline, 1 never seen\n");
    pen = pen_begin();
    txn_put(pen.txn, (struct bytes){(const uint8_t *)"pa", 2}, (struct bytes){NULL, 0});
    pen_end(&pen);
    assert_holds(devreg("stats", 0), "presence\t0 online, 1 offline, 2 never seen\n");
    answer = devreg("check 2>&1", 1);
    assert_holds(answer,
                 "presence of device a\tdoes not decode: to begin the store anew stop the broker");
    assert_holds(answer, "3 presence records: 2 findings\n");
}

static void explain_knows_the_presence_topic_in_use(void **state)
{
    (void)state;
    assert_holds(devreg("explain a publish state/kiel/a/now", 0), "allowed by");
    note_topic("state/%{site}/%u/now");
    assert_holds(devreg("explain a publish state/kiel/b/now", 1),
                 "denied: nobody but devreg publishes there");
    assert_holds(devreg("explain a deliver state/kiel/b/now", 0), "allowed by");
}

static void with_presence_off_nothing_is_known(void **state)
{
    struct presence presence = offline_for(DAY);
    (void)state;
    note("a", &presence);
    note_topic("");
    assert_holds(devreg("list --online 2>&1", 3), "devreg: --online: the broker notes no presence");
    assert_holds(devreg("list --offline-for 7d 2>&1", 3), "devreg: --offline-for: the broker");
    assert_holds(devreg("list", 0), "a\tenabled\t-\tunknown\t-\n");
    assert_holds(devreg("stats", 0), "\npresence\tunknown\n");
    assert_holds(devreg("stats --json", 0), "\"presence\":null");
    assert_holds(devreg("show a --json", 0), "\"presence\":{\"state\":\"unknown\"}");
    assert_holds(devreg("show c --json", 0), "\"presence\":{\"state\":\"unknown\"}");
}

static void quarantine_b(bool damaged)
{
    const struct quarantine quarantine = {.generation = 2,
                                          .version = 1,
                                          .since = 1795000000000,
                                          .addresses = {"192.0.2.1", "198.51.100.7"}};
    struct pack pack = {0};
    struct pen pen = pen_begin();
    quarantine_encode(&pack, &quarantine);
    quarantine_put(pen.txn, "b", (struct bytes){pack.data, damaged ? 1 : pack.size});
    pack_free(&pack);
    pen_end(&pen);
}

static void a_quarantine_is_told_until_the_record_changes(void **state)
{
    (void)state;
    assert_null(strstr(devreg("show b", 0), "quarantine"));
    quarantine_b(false);
    assert_holds(devreg("show b", 0),
                 "\nquarantine\tsince 2026-11-18T11:06:40Z: 192.0.2.1 and 198.51.100.7 took its "
                 "connection from each other; it is refused until it changes: "
                 "'devreg rotate b --grace 0'\n");
    assert_holds(devreg("show b --json", 0),
                 "\"quarantine\":{\"since\":1795000000000,\"addresses\":["
                 "\"192.0.2.1\",\"198.51.100.7\"]}");
    assert_null(strstr(devreg("show a --json", 0), "quarantine"));
    assert_string_equal(ids("--state quarantined"), "b");
    assert_string_equal(ids("--where state=quarantined --never-seen"), "b");
    assert_string_equal(ids("--where state=quarantined --online"), "");
    quarantine_b(true);
    assert_holds(devreg("show b", 0), "\nquarantine\tit is not known why, since that record is "
                                      "damaged; it is refused until");
    assert_string_equal(ids("--state quarantined"), "b");
    quarantine_b(false);
    (void)devreg("disable --where state=quarantined --yes 2>&1", 0);
    assert_string_equal(ids("--state disabled"), "b");
    assert_string_equal(ids("--state quarantined"), "");
    assert_null(strstr(devreg("show b --json", 0), "quarantine"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_shown_offline_with_the_reason),
        cmocka_unit_test(a_device_is_shown_online),
        cmocka_unit_test(the_last_disconnect_is_told_while_it_is_online_again),
        cmocka_unit_test(how_it_last_connected_is_told),
        cmocka_unit_test(what_was_refused_and_denied_is_counted),
        cmocka_unit_test(a_device_that_was_only_refused_never_connected),
        cmocka_unit_test(what_a_client_is_called_cannot_move_the_terminal),
        cmocka_unit_test(the_presence_of_a_removed_namesake_does_not_count),
        cmocka_unit_test(the_silent_ones_are_found),
        cmocka_unit_test(devices_are_found_by_their_presence),
        cmocka_unit_test(what_there_is_is_counted),
        cmocka_unit_test(explain_knows_the_presence_topic_in_use),
        cmocka_unit_test(a_quarantine_is_told_until_the_record_changes),
        cmocka_unit_test(with_presence_off_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
