#include "decisions.h"

#include <string.h>

#include "deadline.h"

const char *const users[USERS] = {"pump-7", "lamp-1", "hall", "b"};

/* Of few levels, so that rules meet and contradict each other all the time. */
const char *const topics[] = {"a",
                              "b",
                              "pump-7",
                              "cid-hall",
                              "a/",
                              "/a",
                              "/",
                              "a//b",
                              "a/a",
                              "a/b",
                              "b/a",
                              "b/b",
                              "a/pump-7",
                              "a/lamp-1",
                              "a/hall",
                              "a/cid-pump-7",
                              "a/cid-hall",
                              "pump-7/a",
                              "hall/a",
                              "cid-hall/b",
                              "b/pump-7",
                              "b/cid-b",
                              "b/hall",
                              "a/a/a",
                              "a/a/b",
                              "a/b/a",
                              "a/b/b",
                              "b/a/b",
                              "a/pump-7/a",
                              "a/pump-7/b",
                              "a/b/pump-7",
                              "a/hall/cid-hall",
                              "b/lamp-1/a",
                              "hall/b/a",
                              "a/cid-b/a",
                              "a/b/a/b",
                              "b/b/b/b",
                              "$x",
                              "$x/a",
                              "$x/a/b",
                              "$SYS/broker/version",
                              "$SYS/broker/connection/cid-hall/state"};
const size_t topic_count = sizeof topics / sizeof *topics;

static const char *const wild[] = {"#",
                                   "+",
                                   "/#",
                                   "/+",
                                   "+/#",
                                   "+/+",
                                   "a/#",
                                   "a/+",
                                   "+/a",
                                   "+/b",
                                   "b/#",
                                   "a/+/#",
                                   "a/a/#",
                                   "a/+/b",
                                   "+/b/#",
                                   "+/+/a",
                                   "+/+/+",
                                   "a/b/+",
                                   "hall/#",
                                   "+/+/#",
                                   "a/+/+/b",
                                   "a/pump-7/#",
                                   "a/hall/+",
                                   "b/cid-b/#",
                                   "cid-hall/#",
                                   "a/hall/cid-hall/#",
                                   "$x/#",
                                   "$x/+",
                                   "$SYS/#",
                                   "$SYS/broker/+",
                                   "+/broker/version"};
enum { WILD = sizeof wild / sizeof *wild };
const size_t filter_count = WILD + sizeof topics / sizeof *topics;

const char *filter_at(size_t number)
{
    return number < WILD ? wild[number] : topics[number - WILD];
}

static const char *client_id_of(const char *user)
{
    static char id[64];
    check(path_join(id, sizeof id, "cid-", user));
    return id;
}

/* 2.0 may refuse a password while it is being checked. */
static struct client *user_connect(struct scene *scene, const char *user)
{
    struct client *client = NULL;
    bool in;
    WAIT_UNTIL(in, (client = scene_connect(scene, LOGIN(.user = user, .key = USER_PASSWORD,
                                                        .id = client_id_of(user), .version = 5)))
                           ->connack == ACCEPTED);
    if (!in)
        fail_msg("%s is not let in", user);
    return client;
}

static bool is_sys(const char *topic)
{
    return strncmp(topic, "$SYS", 4) == 0;
}

/* On each topic that a client can publish on. The last is acknowledged: then all are handed on. */
static void publish_all(struct client *admin)
{
    for (size_t t = 0; t < topic_count; t++) {
        if (!is_sys(topics[t]))
            client_send(admin, topics[t], "x", 0);
    }
    check(client_publish(admin, "end", "x", 1) == 0);
}

/* The topics of the messages that have come. */
static uint64_t take_messages(struct client *client)
{
    uint64_t handed = 0;
    while (client->messages) {
        struct message *message = client_next(client);
        for (size_t t = 0; t < topic_count; t++) {
            if (strcmp(message->topic, topics[t]) == 0)
                handed |= UINT64_C(1) << t;
        }
        message_free(message);
    }
    return handed;
}

/* Any answer will do: everything before it has come. */
static void settle(struct client *client)
{
    check(client_subscribe(client, "settle/this", 0) != UNANSWERED);
}

static void record_user(struct scene *scene, struct client *admin, struct decisions *decisions,
                        size_t user)
{
    struct client *client = user_connect(scene, users[user]);
    for (size_t t = 0; t < topic_count; t++)
        decisions->publish[user][t] = client_publish(client, topics[t], "x", 1) == 0;
    for (size_t f = 0; f < filter_count; f++) {
        int answer = client_subscribe(client, filter_at(f), 0);
        check(answer == 0 || answer == 0x87);
        decisions->granted[user][f] = answer == 0;
        if (answer)
            continue;
        publish_all(admin);
        settle(client);
        decisions->handed[user][f] = take_messages(client);
        client_unsubscribe(client, filter_at(f));
    }
    client_disconnect(client);
}

void decisions_record(struct scene *scene, struct decisions *decisions)
{
    check(topic_count <= TOPICS_MAX && filter_count <= FILTERS_MAX);
    memset(decisions, 0, sizeof *decisions);
    struct client *admin = scene_accept(scene, LOGIN(.user = ADMIN, .version = 5));
    for (size_t user = 0; user < USERS; user++)
        record_user(scene, admin, decisions, user);
    client_disconnect(admin);
}

void decisions_same_publishes(const struct decisions *was, const struct decisions *is)
{
    for (size_t u = 0; u < USERS; u++) {
        for (size_t t = 0; t < topic_count; t++) {
            if (was->publish[u][t] != is->publish[u][t])
                fail_msg("%s publishes on '%s': Mosquitto says %s, devreg %s", users[u], topics[t],
                         was->publish[u][t] ? "yes" : "no", is->publish[u][t] ? "yes" : "no");
        }
    }
}

void decisions_differ(const struct decisions *was, const struct decisions *is, size_t user,
                      size_t filter)
{
    print_error("%s subscribes to '%s': Mosquitto says %s, devreg %s\n", users[user],
                filter_at(filter), was->granted[user][filter] ? "yes" : "no",
                is->granted[user][filter] ? "yes" : "no");
    for (size_t t = 0; t < topic_count; t++) {
        bool a = was->handed[user][filter] >> t & 1, b = is->handed[user][filter] >> t & 1;
        if (a != b)
            print_error("  '%s' is handed on by %s alone\n", topics[t], a ? "Mosquitto" : "devreg");
    }
    fail_msg("they differ");
    abort();
}
