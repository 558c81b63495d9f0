/* test_crash_broker.c - the broker is killed at any moment under load: what it told of presence it
 * had recorded, and started again it decides and tells what is true.
 *
 *   round:  dozens of devices connect, publish, leave; devreg disables and enables some of them
 *           SIGKILL -> what is recorded? -> start, now and then killed while it starts
 *           some devices come back -> at rest: presence is online for these and offline for the
 *           others, who is disabled is refused, who is not publishes its own topics and no other's
 *
 * Each message tells who sent it, and its number, so a client that hears everything finds each that
 * should not have been let through. DEVREG_CRASHES says how many rounds, DEVREG_SEED which. */
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "registry/key.h"
#include "registry/presence_check.h"
#include "scene.h"
#include "swarm.h"
#include "tests/support/rng.h"

enum {
    CRASHES = 15,
    DEVICES = 50,
    STEPS_MIN = 20,
    STEPS_SPAN = 1200,
    ROOM = 65536,
    PACKET_SIZE = 256,
    REST_MS = 4 * DEADLINE_MS
};

/* Nothing that is to be heard is dropped. (With no limit at all, 0, Mosquitto 2.0 closes a client
 * whose publish is denied.) */
#define CONF_LOAD                                                                                  \
    CONF "persistence true\npersistence_location @DIR@/broker/\nmax_queued_messages 100000\n"

enum expect { MAY_BE, ACCEPT, REFUSE };

struct member {
    char id[16], key[KEY_TEXT_SIZE + 1];
    bool enabled;
    enum expect expect;  /* of its CONNECT that is not answered yet */
    uint64_t last_right; /* number of the last message that could be let through */
    uint64_t heard;      /* number of the last one that was */
    bool online;         /* as told last */
    uint64_t seq;        /* of that; 0 for nothing */
    struct link link;
};

struct play {
    struct scene *scene;
    struct rng rng;
    struct swarm swarm;
    struct member devices[DEVICES];
    struct link watcher, ear;
    char watcher_key[KEY_TEXT_SIZE + 1];
    size_t subscribed; /* of both */
    uint64_t number;   /* of the last message */
    bool dead;         /* the broker */
    pid_t devreg;      /* one that runs, or 0 */
    struct member *changed;
    bool enables;
    size_t publishes, changes, connects;
};

static struct play p;

/* ---- what is heard */

static uint64_t number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    check(at != NULL);
    return strtoull(at + strlen(name), NULL, 10);
}

static struct member *device_of(const char *id)
{
    unsigned at;
    check(sscanf(id, "d-%u", &at) == 1 && at >= 1 && at <= DEVICES);
    return &p.devices[at - 1];
}

/* seq never falls, and the same one never says something else. */
static void presence_heard(struct member *device, const char *text)
{
    if (*text == '\0')
        fail_msg("the presence of %s is cleared", device->id);
    uint64_t seq = number_after(text, "\"seq\":");
    bool online = strstr(text, "\"state\":\"online\"") != NULL;
    if (seq < device->seq || (seq == device->seq && online != device->online))
        fail_msg("%s: seq %" PRIu64 " after %" PRIu64 ": %s", device->id, seq, device->seq, text);
    device->seq = seq;
    device->online = online;
}

/* "d-7 1234" on devices/d-7/x. */
static void message_heard(const struct member *topic, const char *text)
{
    struct member *device = device_of(text);
    uint64_t number = number_after(text, " ");
    if (device != topic || number > device->last_right)
        fail_msg("%s was let through on the topic of %s, number %" PRIu64 ", last %" PRIu64, text,
                 topic->id, number, device->last_right);
    device->heard = number;
}

static void heard(struct swarm *swarm, struct link *link, const struct mqtt_packet *packet)
{
    char topic[64], text[1024];
    (void)swarm;
    if (packet->type == MQTT_SUBACK) {
        check(packet->code == 0);
        p.subscribed++;
        return;
    }
    check(packet->type == MQTT_PUBLISH);
    check(packet->topic_size < sizeof topic && packet->payload_size < sizeof text);
    memcpy(topic, packet->topic, packet->topic_size);
    topic[packet->topic_size] = '\0';
    if (packet->payload_size)
        memcpy(text, packet->payload, packet->payload_size);
    text[packet->payload_size] = '\0';
    if (strcmp(topic, "devreg/presence/watcher") == 0)
        return;
    if (link == &p.watcher)
        presence_heard(device_of(topic + strlen("devreg/presence/")), text);
    else
        message_heard(device_of(topic + strlen("devices/")), text);
}

/* A refusal, a device that was disabled, or the broker's end. */
static void ended(struct swarm *swarm, struct link *link, enum link_state before)
{
    struct member *device = link->owner;
    (void)swarm;
    if (p.dead || before == LINK_SURE)
        return;
    check(device != NULL);
    if (device->expect == ACCEPT && before == LINK_ASKED)
        fail_msg("%s is refused with %d", device->id, link->code);
}

/* ---- the devices */

static void device_open(struct member *device)
{
    const struct mqtt_login login = {
        .client_id = device->id, .user = device->id, .password = device->key, .keepalive = 600};
    device->expect = device == p.changed ? MAY_BE : device->enabled ? ACCEPT : REFUSE;
    p.connects += link_open(&p.swarm, &device->link, BY_SOCKET, &login);
}

static void device_answered(const struct member *device)
{
    if (device->expect == REFUSE && device->link.state >= LINK_IN)
        fail_msg("%s is disabled, and let in", device->id);
}

static void device_publish(struct member *device, const struct member *topic)
{
    uint8_t packet[PACKET_SIZE];
    char name[64], text[64];
    check(snprintf(name, sizeof name, "devices/%s/x", topic->id) > 0);
    int size = snprintf(text, sizeof text, "%s %" PRIu64, device->id, ++p.number);
    check(size > 0);
    size_t all = mqtt_publish(packet, sizeof packet, name, 0, 0, text, (size_t)size);
    link_send(&p.swarm, &device->link, packet, all);
    p.publishes++;
}

static void device_step(struct member *device)
{
    unsigned dice = (unsigned)rng_below(&p.rng, 100);
    device_answered(device);
    if (device->link.state == LINK_NONE)
        device_open(device);
    else if (device->link.state != LINK_SURE || device->link.waits_for_room)
        return;
    else if (dice < 60)
        device_publish(device, device);
    else if (dice < 85)
        device_publish(device, &p.devices[rng_below(&p.rng, DEVICES)]);
    else if (dice < 93)
        link_disconnect(&p.swarm, &device->link);
    else
        link_drop(&p.swarm, &device->link, false);
}

/* ---- devreg, beside all that */

static void change_begin(void)
{
    struct member *device = &p.devices[rng_below(&p.rng, DEVICES)];
    p.changed = device;
    p.enables = !device->enabled;
    device->expect = MAY_BE;
    device->last_right = UINT64_MAX;
    p.devreg = fork();
    check(p.devreg >= 0);
    if (p.devreg == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2)
            (void)execl(DEVREG_PROGRAM, "devreg", "-r", p.scene->registry,
                        p.enables ? "enable" : "disable", device->id, (char *)NULL);
        _exit(126);
    }
}

/* Has it returned? From now on its device is as it says. */
static bool change_ended(void)
{
    int status;
    if (waitpid(p.devreg, &status, WNOHANG) != p.devreg)
        return false;
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    p.changed->enabled = p.enables;
    p.changed->last_right = p.enables ? UINT64_MAX : p.number;
    p.changed = NULL;
    p.devreg = 0;
    p.changes++;
    return true;
}

/* ---- a round */

static void load_run(size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        device_step(&p.devices[rng_below(&p.rng, DEVICES)]);
        if (p.devreg == 0)
            change_begin();
        else
            (void)change_ended();
        if (i % 4 == 0)
            swarm_turn(&p.swarm, 0);
    }
}

static void broker_dies(void)
{
    bool so;
    p.dead = true;
    broker_kill(&p.scene->broker);
    for (size_t i = 0; i < DEVICES; i++)
        link_drop(&p.swarm, &p.devices[i].link, false);
    link_drop(&p.swarm, &p.watcher, false);
    link_drop(&p.swarm, &p.ear, false);
    WAIT_UNTIL(so, p.devreg == 0 || change_ended());
    check(so);
}

static void finding(void *context, const char *what, const char *problem)
{
    (void)context;
    fail_msg("check: %s: %s", what, problem);
}

/* What was told had been recorded. */
static void record_expect(struct txn *txn, const struct member *device)
{
    struct presence record = {.seq = 0};
    enum err e = presence_get(txn, device->id, &record);
    check(e == ERR_OK || e == ERR_NOT_FOUND);
    if (record.seq < device->seq || (record.seq == device->seq && record.online != device->online))
        fail_msg("%s: told %s with seq %" PRIu64 ", recorded %s with %" PRIu64, device->id,
                 device->online ? "online" : "offline", device->seq,
                 record.online ? "online" : "offline", record.seq);
}

static void records_expect(void)
{
    char path[BROKER_PATH_MAX];
    struct store *store;
    struct txn *txn;
    struct presence_check result = {0};
    check(path_join(path, sizeof path, p.scene->registry, "/presence"));
    check(store_open(&store, path, STORE_PRESENCE, STORE_READ) == ERR_OK);
    check(txn_reader(&txn, store) == ERR_OK && txn_renew(txn) == ERR_OK);
    check(presence_check(txn, &result, finding, NULL) == ERR_OK);
    for (size_t i = 0; i < DEVICES; i++)
        record_expect(txn, &p.devices[i]);
    txn_close(txn);
    store_close(store);
}

static void subscriber_open(struct link *link, const char *client_id, const char *filter)
{
    uint8_t packet[PACKET_SIZE];
    const struct mqtt_login login = {
        .client_id = client_id, .user = "watcher", .password = p.watcher_key, .keepalive = 600};
    check(link_open(&p.swarm, link, BY_SOCKET, &login));
    size_t size = mqtt_subscribe(packet, sizeof packet, 1, filter, 0);
    link_send(&p.swarm, link, packet, size);
}

static bool turn(void)
{
    swarm_turn(&p.swarm, 2);
    for (size_t i = 0; i < DEVICES; i++)
        device_answered(&p.devices[i]);
    return true;
}

/* Turns until `condition` holds. */
#define SWARM_UNTIL(condition, what)                                                               \
    do {                                                                                           \
        int64_t swarm_end = clock_ms() + REST_MS;                                                  \
        while (!(condition) && turn())                                                             \
            if (clock_ms() > swarm_end)                                                            \
                fail_msg("%s: not so", what);                                                      \
    } while (0)

static void broker_comes_back(void)
{
    broker_start(&p.scene->broker);
    while (rng_percent(&p.rng, 30)) {
        broker_kill(&p.scene->broker);
        records_expect();
        broker_start(&p.scene->broker);
    }
    p.dead = false;
    p.subscribed = 0;
    subscriber_open(&p.watcher, "watcher", "devreg/presence/+");
    subscriber_open(&p.ear, "ear", "devices/#");
    SWARM_UNTIL(p.subscribed == 2, "both subscribed");
}

static bool all_answered(void)
{
    for (size_t i = 0; i < DEVICES; i++) {
        enum link_state state = p.devices[i].link.state;
        if (state != LINK_NONE && state != LINK_SURE)
            return false;
    }
    return true;
}

static bool presence_is_true(void)
{
    for (size_t i = 0; i < DEVICES; i++) {
        if (p.devices[i].online != (p.devices[i].link.state == LINK_SURE))
            return false;
    }
    return true;
}

static bool all_heard(const uint64_t *numbers)
{
    for (size_t i = 0; i < DEVICES; i++) {
        if (numbers[i] != 0 && p.devices[i].heard < numbers[i])
            return false;
    }
    return true;
}

/* Each first tries the topic of another, then publishes on its own: a client's messages keep their
 * order, so once the second has come the first would have. */
static void decisions_expect(void)
{
    uint64_t numbers[DEVICES] = {0};
    for (size_t i = 0; i < DEVICES; i++) {
        if (p.devices[i].link.state != LINK_SURE)
            continue;
        device_publish(&p.devices[i], &p.devices[(i + 1) % DEVICES]);
        device_publish(&p.devices[i], &p.devices[i]);
        numbers[i] = p.number;
    }
    SWARM_UNTIL(all_heard(numbers), "what is allowed is let through");
}

static void come_to_rest(void)
{
    for (size_t i = 0; i < DEVICES; i++) {
        if (!p.devices[i].enabled || rng_percent(&p.rng, 50))
            device_open(&p.devices[i]);
    }
    SWARM_UNTIL(all_answered(), "all are answered");
    for (size_t i = 0; i < DEVICES; i++) {
        const struct member *device = &p.devices[i];
        check(device->enabled || device->link.state == LINK_NONE);
    }
    SWARM_UNTIL(presence_is_true(), "presence is told as it is");
    decisions_expect();
    records_expect();
}

static void devices_add(void)
{
    scene_do(p.scene, "add --count %d --prefix d-", DEVICES);
    char *line = strchr(p.scene->answer.out, '\n'); /* behind the names of the columns */
    for (size_t i = 0; i < DEVICES; i++) {
        struct member *device = &p.devices[i];
        check(line != NULL && sscanf(line, "\n%15[^,],%43s", device->id, device->key) == 2);
        check(device_of(device->id) == device);
        device->enabled = true;
        device->last_right = UINT64_MAX;
        link_init(&device->link, ROOM);
        device->link.owner = device;
        line = strchr(line + 1, '\n');
    }
}

static void play_begin(struct scene *scene)
{
    p.scene = scene;
    p.rng = rng_start("test_crash_broker");
    scene_make_registry(scene);
    devices_add();
    scene_add(scene, "watcher");
    check(path_join(p.watcher_key, sizeof p.watcher_key, scene_key(scene, "watcher"), ""));
    scene_do(scene, "allow watcher subscribe #");
    link_init(&p.watcher, ROOM);
    link_init(&p.ear, ROOM);
    broker_configure(&scene->broker, CONF_LOAD);
    swarm_open(&p.swarm, scene->broker.socket, 0, 0);
    p.swarm.heard = heard;
    p.swarm.ended = ended;
}

static void play_end(void)
{
    for (size_t i = 0; i < DEVICES; i++)
        link_clear(&p.swarm, &p.devices[i].link);
    link_clear(&p.swarm, &p.watcher);
    link_clear(&p.swarm, &p.ear);
    swarm_close(&p.swarm);
}

static void a_killed_broker_comes_back_with_the_truth(void **state)
{
    const char *given = getenv("DEVREG_CRASHES");
    size_t crashes = given ? strtoul(given, NULL, 10) : CRASHES;
    int64_t begin = clock_ms();
    play_begin(*state);
    broker_comes_back();
    for (size_t round = 0; round < crashes; round++) {
        load_run(STEPS_MIN + rng_below(&p.rng, STEPS_SPAN));
        broker_dies();
        records_expect();
        broker_comes_back();
        come_to_rest();
    }
    print_message("%zu crashes, %zu connects, %zu publishes, %zu changes, %.1f s\n", crashes,
                  p.connects, p.publishes, p.changes, (double)(clock_ms() - begin) / 1000);
    play_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_killed_broker_comes_back_with_the_truth),
    };
    /* What a SIGKILL leaves is the same in memory. */
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
