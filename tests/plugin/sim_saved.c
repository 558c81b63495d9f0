/* mosquitto.db: what a broker writes now and then, and one that comes after it begins with. */
#include "tests/plugin/sim_internal.h"

#include <string.h>

enum { SESSIONS = 256, MESSAGES = 256, PAYLOAD_MAX = 1023 };

struct sim_saved {
    size_t session_count, message_count;
    struct mosquitto sessions[SESSIONS];
    struct {
        struct text topic;
        char payload[PAYLOAD_MAX + 1];
    } messages[MESSAGES];
};

size_t sim_saved_size(void)
{
    return sizeof(struct sim_saved);
}

static void save_messages(struct sim_saved *saved)
{
    const char *topic, *payload;
    saved->message_count = 0;
    for (size_t at = 0; (topic = sim_retained_next(&at, &payload));) {
        assert_true(saved->message_count < MESSAGES);
        strcpy(saved->messages[saved->message_count].topic.bytes, topic);
        strcpy(saved->messages[saved->message_count++].payload, payload);
    }
}

void sim_save(struct sim_saved *saved)
{
    saved->session_count = 0;
    for (struct mosquitto *client = sim_next(NULL); client; client = sim_next(client)) {
        if (!client->expiry)
            continue;
        assert_true(saved->session_count < SESSIONS);
        saved->sessions[saved->session_count++] = *client;
    }
    save_messages(saved);
}

static void session_load(const struct mosquitto *session)
{
    struct mosquitto *client = sim_place_take();
    *client = *session;
    client->next = NULL;
    client->id = client->id_text.bytes;
    client->username = session->username ? client->username_text.bytes : NULL;
    sim_session_restore(client);
    if (client->expiry != NEVER && !client->expires_at)
        client->expires_at = sim.wall + (int64_t)client->expiry * 1000;
    sim_list(client);
}

void sim_load(const struct sim_saved *saved)
{
    assert_false(sim.runs);
    sim_places_fill();
    for (size_t i = 0; i < saved->session_count; i++)
        session_load(&saved->sessions[i]);
    for (size_t i = 0; i < saved->message_count; i++)
        sim_retain(saved->messages[i].topic.bytes, saved->messages[i].payload,
                   strlen(saved->messages[i].payload));
    for (struct mosquitto *client = sim_next(NULL); client; client = sim_next(client)) {
        if (client->expires_at)
            sim_due_add(client->expires_at);
    }
}
