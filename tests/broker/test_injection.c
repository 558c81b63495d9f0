/* test_injection.c - client ids, usernames, topics and addresses that try to be a log line, JSON,
 * or an escape sequence of a terminal. Mosquitto refuses control characters in what MQTT carries;
 * what 2.0.21 takes for the address of a websocket, it does not look at. */
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <mosquitto.h>

#include "registry/text.h"
#include "scene.h"
#include "watch.h"

#define CONF_ALL CONF_WEBSOCKETS CONF "plugin_opt_events on\nplugin_opt_unknown deny\n"

/* The direction override and the separators move a terminal without being control characters. */
#define OVERRIDE "\xe2\x80\xae"
#define LINE_END "\xe2\x80\xa8"

static const char *const nasty[] = {
    "\"",
    "\\",
    "a\",\"state\":\"online\",\"device\":\"hall",
    "a\"}\xc2\xa0{\"v\":1",
    "\\\"\\u0000\\n",
    "%s%s%s%n%n",
    "x reason=none 1700000000: devreg: refused device=hall",
    "<script>alert(1)</script>",
    "'; DROP TABLE devices; --",
    "$(reboot) `reboot` ;reboot",
    OVERRIDE "txe" LINE_END "two",
    "\xf0\x9f\x98\x80 \xc3\xa4",
};
enum { NASTY = sizeof nasty / sizeof *nasty };

/* As headers; no line can end within one. */
static const char *const addresses[] = {
    "\x1b[2J\x1b[H\x1b]0;owned\x07",
    "6.6.6.6, evil\"}<x>",
    "203.0.113.5\treason=none",
    "a\",\"state\":\"offline\",\"x\":\"",
    "\xff\xfe\x9b"
    "2J",
    OVERRIDE LINE_END,
    "%n%s",
};
enum { ADDRESSES = sizeof addresses / sizeof *addresses };

static void expect_printable(const char *what, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] < ' ' || text[i] > '~')
            fail_msg("%s holds the byte %02x: %.*s", what, (unsigned char)text[i], (int)size, text);
    }
}

static void expect_log_is_sound(struct scene *s, size_t at_least)
{
    const char *end;
    size_t lines = 0;
    for (const char *line = broker_log_all(&s->broker); *line; line = end) {
        size_t size = strcspn(line, "\n");
        end = line + size + (line[size] == '\n');
        size_t time = strspn(line, "0123456789");
        if (strncmp(line + time, ": devreg: ", 10) != 0)
            continue; /* Mosquitto's, which names topics as they are */
        lines++;
        expect_printable("a log line", line, size);
    }
    check(lines >= at_least);
}

/* Each member once, and each text of it shown as it came. */
static void expect_object(const struct message *message)
{
    cJSON *json = cJSON_ParseWithOpts(message->payload, NULL, true);
    if (!cJSON_IsObject(json))
        fail_msg("not JSON: %s", message->payload);
    const cJSON *member;
    cJSON_ArrayForEach(member, json)
    {
        if (cJSON_GetObjectItemCaseSensitive(json, member->string) != member)
            fail_msg("there is '%s' twice: %s", member->string, message->payload);
    }
    const cJSON *device = cJSON_GetObjectItemCaseSensitive(json, "device");
    if (strcmp(message->topic, "devreg/summary") != 0)
        check(cJSON_IsString(device) && strcmp(device->valuestring, "pump-7") == 0);
    for (const char *c = message->payload; *c; c++)
        check((unsigned char)*c >= ' ');
    check(mosquitto_validate_utf8(message->payload, (int)strlen(message->payload)) == 0);
    cJSON_Delete(json);
}

/* What came so far. */
static void expect_messages(struct client *hall)
{
    client_sync(hall);
    while (hall->messages) {
        struct message *message = client_next(hall);
        if (strncmp(message->topic, "devreg/", 7) == 0 &&
            (strstr(message->topic, "hall") == NULL)) {
            expect_printable("a topic", message->topic, strlen(message->topic));
            expect_object(message);
        }
        message_free(message);
    }
}

/* What devreg says of it moves no terminal. */
static void expect_devreg_is_sound(struct scene *s)
{
    static const char *const commands[] = {"show pump-7",
                                           "show pump-7 --json",
                                           "list",
                                           "list --columns device,client,address,presence",
                                           "list --json --columns device,client,address",
                                           "log"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        scene_do(s, "%s", commands[i]);
        for (char *c = s->answer.out; *c; c++)
            *c = *c == '\n' || *c == '\t' ? ' ' : *c;
        if (!text_is_plain(s->answer.out, s->answer.out_size))
            fail_msg("devreg %s: %s", commands[i], s->answer.out);
    }
}

static struct client *start(struct scene *s)
{
    scene_start(s, CONF_ALL);
    scene_add(s, "pump-7");
    scene_add(s, "hall");
    scene_do(s, "allow hall subscribe devreg/#");
    struct client *hall = scene_device(s, "hall");
    assert_int_equal(client_subscribe(hall, "devreg/#", 1), 1);
    return hall;
}

static void what_a_client_calls_itself_is_only_a_text(void **state)
{
    struct scene *s = *state;
    struct client *hall = start(s);
    for (size_t i = 0; i < NASTY; i++) {
        scene_refuse(s, LOGIN(.user = "pump-7", .id = nasty[i], .key = nasty[i]));
        scene_refuse(s, LOGIN(.user = nasty[i], .id = nasty[i], .key = nasty[i]));
        struct client *pump =
            scene_accept(s, LOGIN(.user = "pump-7", .id = nasty[i], .version = 5));
        assert_int_equal(client_publish(pump, nasty[i], "x", 1), 0x87);
        assert_int_equal(client_subscribe(pump, nasty[i], 0), 0x87);
        expect_devreg_is_sound(s);
        client_disconnect(pump);
        expect_messages(hall);
    }
    broker_stop(&s->broker);       /* which writes what waits to be logged */
    expect_log_is_sound(s, NASTY); /* some are left out, and their number said */
}

static void an_address_that_a_client_makes_up_is_only_a_text(void **state)
{
    struct scene *s = *state;
    struct client *hall = start(s);
    size_t refused = 0;
    for (size_t i = 0; i < ADDRESSES; i++) {
        struct login login = {.user = "pump-7",
                              .id = "wrong",
                              .key = "wrong",
                              .host = "127.0.0.1",
                              .port = s->broker.ws_port,
                              .forwarded = addresses[i]};
        bool taken = websocket_connect(&s->websocket, &login) != UNANSWERED;
        websocket_close(&s->websocket);
        refused += taken;
        login.id = "right";
        login.key = scene_key(s, "pump-7");
        /* 2.1 takes no such header. */
        assert_int_equal(websocket_connect(&s->websocket, &login), taken ? ACCEPTED : UNANSWERED);
        if (taken)
            assert_int_equal(websocket_subscribe(&s->websocket, "devices/pump-7/#"), 0);
        expect_devreg_is_sound(s);
        websocket_close(&s->websocket);
        expect_messages(hall);
    }
    check(refused > 0);
    broker_stop(&s->broker);
    expect_log_is_sound(s, refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_a_client_calls_itself_is_only_a_text),
        SCENE_TEST(an_address_that_a_client_makes_up_is_only_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
