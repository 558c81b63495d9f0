/* fuzz_peer.c - hostile clients (hostile.h) at a broker, beside devices that must go on
 * undisturbed.
 *
 *   peers      know the key of the device "peer", which may use devices/peer/#, and try everything
 *   good       publishes to itself all the while, and gets just that
 *   witness    subscribes to everything there is: nobody published where no rule lets him
 *   tower      publishes the canary, on topics that no peer may read
 *
 * After each burst all of that is asked, a wrong key is tried, presence has to be true, and the log
 * free of control characters. DEVREG_BURSTS makes it longer. DEVREG_BARE=1 plays to a broker
 * without devreg, to tell whose a crash is: then only the broker has to live.
 */
#include <string.h>

#include <cjson/cJSON.h>

#include "deadline.h"
#include "peer.h"
#include "scene.h"

#define CANARY     "canary-5e1f7a"
#define CONF_BURST CONF_SOCKET CONF_TCP CONF_WEBSOCKETS "max_queued_messages 100\n"

enum { BURSTS = 10, PEERS = 24, GOOD_EVERY = 16, RELOAD_EVERY = 4 };

static struct peer peers[PEERS];
static struct rng rng;

struct siege {
    struct scene *scene;
    struct client *good, *witness, *tower; /* NULL without devreg */
    struct hostile hostile;
    size_t published, handed; /* by good, and to it */
    bool peer_online;         /* as published last */
};

static bool is_bare(void)
{
    const char *bare = getenv("DEVREG_BARE");
    return bare != NULL && *bare == '1';
}

static size_t burst_count(void)
{
    const char *given = getenv("DEVREG_BURSTS");
    return given == NULL ? BURSTS : strtoul(given, NULL, 10);
}

/* ---- who goes on undisturbed */

static void good_publishes(struct siege *siege)
{
    char payload[32];
    (void)snprintf(payload, sizeof payload, "%zu", siege->published++);
    client_send(siege->good, "devices/good/beat", payload, 1);
}

/* What it is handed is what it sent, in that order. */
static void good_is_handed(struct siege *siege)
{
    char payload[32];
    client_sync(siege->good);
    while (siege->handed < siege->published) {
        (void)snprintf(payload, sizeof payload, "%zu", siege->handed++);
        client_expect(siege->good, "devices/good/beat", payload);
    }
    client_expect_none(siege->good);
    client_expect_alive(siege->good);
}

/* ---- who sees all */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* What devreg itself publishes is JSON of its own making. */
static void witness_reads(struct siege *siege, const struct message *message)
{
    cJSON *json = cJSON_ParseWithOpts(message->payload, NULL, true);
    if (!cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(json, "v")))
        fail_msg("%s: not devreg's: %s", message->topic, message->payload);
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "state"));
    if (strcmp(message->topic, "devreg/presence/peer") == 0)
        siege->peer_online = state != NULL && strcmp(state, "online") == 0;
    if (strcmp(message->topic, "devreg/presence/good") == 0)
        check(state != NULL && strcmp(state, "online") == 0);
    cJSON_Delete(json);
}

static void witness_sees(struct siege *siege, const struct message *message)
{
    const char *topic = message->topic;
    if (begins(topic, "canary/"))
        assert_string_equal(message->payload, CANARY);
    else if (begins(topic, "devreg/"))
        witness_reads(siege, message);
    else if (!begins(topic, "devices/peer/") && strcmp(topic, "devices/peer") != 0 &&
             strcmp(topic, "devices/good/beat") != 0)
        fail_msg("somebody published on '%.100s'", topic);
}

static void witness_looks(struct siege *siege)
{
    client_sync(siege->witness);
    while (siege->witness->messages != NULL) {
        struct message *message = client_next(siege->witness);
        witness_sees(siege, message);
        message_free(message);
    }
}

/* ---- the burst */

static void peer_begin(struct siege *siege, struct peer *peer)
{
    enum peer_by by = (enum peer_by)rng_below(&rng, 3);
    peer->forbidden = CANARY;
    check(peer_open(peer, by, &siege->scene->broker, &rng));
    siege->hostile.keepalive = by != PEER_WEBSOCKET;
    stream_make(&peer->stream, &siege->hostile);
}

static void peer_end(struct peer *peer)
{
    if (peer->fd >= 0)
        peer_read(peer);
    peer_close(peer, rng_percent(&rng, 30));
    check(!peer->saw);
}

/* One thing that one of them does. False where all have done all that they had to. */
static bool peer_step(void)
{
    size_t first = rng_below(&rng, PEERS);
    for (size_t i = 0; i < PEERS; i++) {
        struct peer *peer = &peers[(first + i) % PEERS];
        if (peer->fd < 0)
            continue;
        bool more = peer_send(peer);
        peer_read(peer);
        if (!more && rng_percent(&rng, 60))
            peer_end(peer);
        if (more || peer->fd < 0)
            return true;
    }
    return false;
}

static void burst(struct siege *siege)
{
    for (size_t i = 0; i < PEERS; i++)
        peer_begin(siege, &peers[i]);
    for (size_t step = 0; peer_step(); step++) {
        if (siege->good != NULL && step % GOOD_EVERY == 0) {
            good_publishes(siege);
            client_send(siege->tower, "canary/live", CANARY, 0);
        }
    }
    check(broker_alive(&siege->scene->broker));
    if (rng_below(&rng, RELOAD_EVERY) == 0) /* with those that are still there */
        broker_reload(&siege->scene->broker);
    for (size_t i = 0; i < PEERS; i++)
        peer_end(&peers[i]);
}

/* ---- what has to be true behind it */

/* Filters that read as one of devreg's lines stand behind a tab, in lines of Mosquitto's. */
static bool is_devregs(const char *line)
{
    return begins(line + strspn(line, "0123456789"), ": devreg: ");
}

/* It is as plain as can be: what it tells came from those who want to write there. */
static void check_line(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (line[i] < 0x20 || line[i] > 0x7e)
            fail_msg("the log has a 0x%02x in it: %.*s", (unsigned char)line[i], (int)size, line);
    }
}

/* Behind a line of devreg's another begins, with its time: nobody has made two of one. (2.0.21 says
 * "no payload" now and then, without the time.) */
static void check_log(struct broker *broker)
{
    bool behind = false;
    for (const char *line = broker_log(broker); *line != '\0'; line += *line == '\n') {
        size_t size = strcspn(line, "\n");
        bool timed = strspn(line, "0123456789") >= 10;
        if (behind && size > 0 && !timed && !begins(line, "no payload\n"))
            fail_msg("a line of devreg's goes on in another: %.*s", (int)size, line);
        behind = is_devregs(line);
        if (behind)
            check_line(line, size);
        line += size;
    }
}

/* All hostile connections have ended, and that is told, and recorded. */
static bool presence_is_true(struct siege *siege)
{
    witness_looks(siege);
    if (siege->peer_online)
        return false;
    scene_do(siege->scene, "list --online");
    const char *online = siege->scene->answer.out;
    return strstr(online, "good\t") != NULL && strstr(online, "peer\t") == NULL;
}

static void check_presence(struct siege *siege)
{
    bool is_true;
    WAIT_UNTIL(is_true, presence_is_true(siege));
    check(is_true);
}

static void check_all(struct siege *siege)
{
    struct scene *s = siege->scene;
    check(broker_alive(&s->broker));
    if (siege->good == NULL)
        return;
    good_is_handed(siege);
    scene_refuse(s, LOGIN(.user = "good", .key = scene_key(s, "peer")));
    scene_refuse(s, LOGIN(.user = "good", .key = scene_key(s, "peer"), .version = 5));
    scene_refuse(s, LOGIN(.user = "peer", .id = "good"));
    check_presence(siege);
    client_expect_alive(siege->tower);
    client_expect_alive(siege->witness);
    assert_int_equal(scene_knock(s, LOGIN(.user = "peer", .id = "peer-0")), ACCEPTED);
    check_log(&s->broker);
}

static void begin(struct siege *siege, struct scene *s)
{
    *siege = (struct siege){.scene = s, .hostile = {"peer", "no key", "good", true}};
    for (size_t i = 0; i < PEERS; i++)
        peers[i].fd = -1;
    if (is_bare()) {
        scene_start(s, CONF_BURST "allow_anonymous true\n");
        return;
    }
    scene_start(s, CONF_BURST CONF_PLUGIN "plugin_opt_events on\nplugin_opt_errors on\n");
    scene_add(s, "peer");
    scene_add(s, "good");
    scene_add(s, "witness");
    scene_add(s, "tower");
    scene_do(s, "allow witness subscribe #");
    scene_do(s, "allow tower publish canary/#");
    siege->hostile.key = scene_key(s, "peer");
    siege->good = scene_accept(s, LOGIN(.user = "good", .id = "good"));
    siege->witness = scene_device(s, "witness");
    siege->tower = scene_device(s, "tower");
    assert_int_equal(client_subscribe(siege->good, "devices/good/#", 1), 1);
    assert_int_equal(client_subscribe(siege->witness, "#", 0), 0);
    assert_int_equal(client_retain(siege->tower, "canary/kept", CANARY), 0);
}

static void hostile_clients_get_nothing_and_disturb_nobody(void **state)
{
    struct siege siege;
    size_t bursts = burst_count();
    begin(&siege, *state);
    for (size_t i = 0; i < bursts; i++) {
        burst(&siege);
        check_all(&siege);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {SCENE_TEST(hostile_clients_get_nothing_and_disturb_nobody)};
    rng = rng_start("fuzz_peer");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
