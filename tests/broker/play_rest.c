#include <cjson/cJSON.h>
#include <string.h>

#include "deadline.h"
#include "play.h"

enum {
    LOOK_MS = 8,
    LIST_EACH = 5 /* rounds */
};

static bool agrees(struct actor *actor)
{
    struct model_message recorded = {.what = MODEL_NONE};
    struct presence record;
    if (play_record(actor, &record))
        model_message_of_record(&recorded, &record);
    return actor_agrees(actor, &actor->says, &recorded);
}

/* Those that wait for what takes its time are left out until it has come. */
static struct actor *unsettled(bool past)
{
    struct actor *found = NULL;
    for (size_t i = 0; i < p.actor_count; i++) {
        struct actor *actor = &p.actors[i];
        if (actor->settled)
            continue;
        bool over = step_is_over(actor);
        if ((!over && actor->parked) || (!past && actor->flickered))
            continue;
        if (over)
            actor_waited(actor);
        actor->settled = over && agrees(actor);
        if (!actor->settled)
            found = actor;
    }
    return found;
}

bool play_is_killed(void)
{
    return p.events >= p.kill_at;
}

/* Each packet makes 2.0 tick, which an idle one does ten times a second. */
static void wait_a_little(void)
{
    int64_t next = clock_ms() + LOOK_MS;
    link_ping(&p.swarm, &p.watcher);
    do
        swarm_turn(&p.swarm, LOOK_MS);
    while (!play_is_killed() && clock_ms() < next);
}

/* False where the moment for the SIGKILL came first. `past`: is the broker past all that the
 * clients did? */
static bool settle(bool past)
{
    struct actor *actor = NULL;
    int64_t until = clock_ms() + PATIENCE_MS;
    while (!play_is_killed() && (actor = unsettled(past)) && clock_ms() < until)
        wait_a_little();
    if (!play_is_killed() && actor)
        play_report(actor, step_is_over(actor) ? actor->why : "a client is not where it should be");
    return !play_is_killed();
}

static void sentinel_await(bool online)
{
    int64_t until = clock_ms() + PATIENCE_MS;
    while (!p.sentinel_told || p.sentinel_online != online) {
        check(clock_ms() < until);
        wait_a_little();
    }
    p.sentinel_told = false;
}

/* What the broker knew before is recorded and told by now. */
static void sentinel(void)
{
    const struct mqtt_login login = {.client_id = "sentinel",
                                     .user = "sentinel",
                                     .password = scene_key(p.scene, "sentinel"),
                                     .keepalive = WATCH_KEEPALIVE};
    p.sentinel_told = false;
    check(link_open(&p.swarm, &p.sentinel, BY_SOCKET, &login));
    sentinel_await(true);
    link_disconnect(&p.swarm, &p.sentinel);
    sentinel_await(false);
}

static void check_answer(void)
{
    for (size_t i = 0; i < p.actor_count; i++)
        p.actors[i].answered = false;
    p.rounds_since_start++;
    play_subscribe();
    for (size_t i = 0; i < p.actor_count; i++) {
        struct actor *actor = &p.actors[i];
        if (actor->settled && actor->answered != (actor->standing[0] != '\0'))
            play_report(actor, actor->answered ? "a message stands there"
                                               : "a new subscription is not answered with it");
    }
}

/* `devreg list` says the same. */
static void check_row(const char *line)
{
    static const char *const words[] = {"never", "online", "offline"};
    cJSON *row = cJSON_ParseWithOpts(line, NULL, true);
    const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(row, "device"));
    const char *says = cJSON_GetStringValue(cJSON_GetObjectItem(row, "presence"));
    check(id != NULL && says != NULL);
    struct actor *actor = play_actor(id);
    if (actor && actor->settled) {
        actor->answered = true;
        if (strcmp(says, words[model_expected(actor->models[0])->what]) != 0) {
            print_error("devreg list: %s\n", line);
            play_report(actor, "devreg list says otherwise");
        }
    }
    cJSON_Delete(row);
}

static void check_list(void)
{
    for (size_t i = 0; i < p.actor_count; i++)
        p.actors[i].answered = false;
    scene_do(p.scene, "list --json");
    char *rest = NULL;
    for (char *line = strtok_r(p.scene->answer.out, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        check_row(line);
    for (size_t i = 0; i < p.actor_count; i++)
        if (p.actors[i].settled && p.actors[i].answered != (p.actors[i].phase != PHASE_ABSENT))
            play_report(&p.actors[i], "devreg list has it not, or should not");
}

static void delay_is_over(struct model_device *model)
{
    model_delay_over(model, true);
}

/* Until then an offline may be told or not. False as settle. */
static bool wait_out_delay(void)
{
    int64_t end = clock_ms() + DELAY_MS;
    while (!play_is_killed() && clock_ms() < end)
        wait_a_little();
    for (size_t i = 0; i < p.actor_count && !play_is_killed(); i++)
        actor_broker(&p.actors[i], delay_is_over);
    return !play_is_killed();
}

bool play_rest(void)
{
    if ((p.setting.delay && !wait_out_delay()) || !settle(false))
        return false;
    sentinel();
    for (size_t i = 0; i < p.actor_count; i++)
        p.actors[i].settled = false;
    if (!settle(true))
        return false;
    check_answer();
    if (!settle(true))
        return false;
    if (p.round % LIST_EACH == 0)
        check_list();
    return true;
}
