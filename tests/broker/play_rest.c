#include <cjson/cJSON.h>
#include <string.h>

#include "deadline.h"
#include "play.h"

enum {
    LOOK_MS = 8,
    LIST_EACH = 5,      /* rounds */
    EVENTS_AT_ONCE = 10 /* that a device may have */
};

static bool stands_wrong(struct actor *actor, const char *why)
{
    (void)snprintf(actor->why, sizeof actor->why, "%s", why);
    return false;
}

/* On its topic, in the format of this run, and nowhere else. */
static bool stands_once(struct actor *actor, struct model_message *standing)
{
    char topic[TOPIC_ROOM];
    fleet_topic(topic, p.setting.pattern, actor->id, actor->site);
    for (size_t i = 0; i < actor->place_count; i++) {
        const struct place *place = &actor->places[i];
        if (place->says.what == MODEL_NONE)
            continue;
        if (strcmp(place->topic, topic) != 0)
            return stands_wrong(actor, "a message stands on a topic that is not its");
        if (place->plain != p.setting.plain)
            return stands_wrong(actor, "its message is in the other format");
        *standing = place->says;
    }
    return true;
}

static bool agrees(struct actor *actor)
{
    struct model_message recorded = {.what = MODEL_NONE}, standing = {.what = MODEL_NONE};
    struct presence record;
    if (!stands_once(actor, &standing))
        return false;
    if (play_record(actor, &record))
        model_message_of_record(&recorded, &record);
    return actor_agrees(actor, &standing, &recorded);
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
        /* What is only online or offline may be that of before. */
        actor->settled = over && ((p.setting.plain && !past) || agrees(actor));
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

static void forget_answers(struct actor *actor)
{
    for (size_t i = 0; i < actor->place_count; i++)
        actor->places[i].answered = false;
}

static void look_at_answers(const struct actor *actor)
{
    for (size_t i = 0; i < actor->place_count && actor->settled; i++)
        if (actor->places[i].answered != (actor->places[i].says.what != MODEL_NONE))
            play_report(actor, actor->places[i].answered
                                   ? "a message stands there"
                                   : "a new subscription is not answered with it");
}

static void check_answer(void)
{
    for (size_t i = 0; i < p.actor_count; i++)
        forget_answers(&p.actors[i]);
    p.rounds_since_start++;
    play_subscribe();
    for (size_t i = 0; i < p.actor_count; i++)
        look_at_answers(&p.actors[i]);
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
        actor->listed = true;
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
        p.actors[i].listed = false;
    scene_do(p.scene, "list --json");
    char *rest = NULL;
    for (char *line = strtok_r(p.scene->answer.out, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        check_row(line);
    for (size_t i = 0; i < p.actor_count; i++)
        if (p.actors[i].settled && p.actors[i].listed != (p.actors[i].phase != PHASE_ABSENT))
            play_report(&p.actors[i], "devreg list has it not, or should not");
}

/* The counts of devices that are online, offline, never seen; of those that wait for something each
 * may be one of the three. */
static bool counts_fit(size_t waiting, const size_t count[static 3])
{
    const struct summary *s = &p.summary;
    const size_t seen[3] = {s->never_seen, s->online, s->offline};
    bool fit = s->there && s->total == waiting + count[0] + count[1] + count[2] &&
               seen[0] + seen[1] + seen[2] == s->total;
    for (size_t i = 0; i < 3; i++)
        fit &= seen[i] >= count[i] && seen[i] <= count[i] + waiting;
    return fit;
}

static bool summary_is_right(void)
{
    size_t waiting = 0,
           count[3] = {[MODEL_ONLINE] = 1, [MODEL_OFFLINE] = 1}; /* watcher, sentinel */
    if (p.setting.off)
        return !p.summary.there;
    for (size_t i = 0; i < p.actor_count; i++) {
        const struct actor *actor = &p.actors[i];
        if (actor->phase == PHASE_ABSENT)
            continue;
        if (actor->settled)
            count[model_expected(actor->models[0])->what]++;
        else
            waiting++;
    }
    return counts_fit(waiting, count);
}

/* It comes a second late. */
static void check_summary(void)
{
    int64_t until = clock_ms() + PATIENCE_MS;
    while (!summary_is_right()) {
        if (clock_ms() >= until)
            fail_msg("DEVREG_SEED=%" PRIu64 ": devreg/summary says %zu online, %zu offline, %zu "
                     "never seen, %zu in all",
                     p.seed, p.summary.online, p.summary.offline, p.summary.never_seen,
                     p.summary.total);
        wait_a_little();
    }
}

static void delay_is_over(struct model_device *model)
{
    model_delay_over(model, true);
}

/* Connections of this run that are in the record. */
static size_t connections_of(const struct actor *actor)
{
    struct presence record;
    bool before = actor->was_recorded && actor->recorded.generation == actor->generation;
    if (!play_record(actor, &record))
        return 0;
    return (size_t)(record.connections - (before ? actor->recorded.connections : 0));
}

static size_t count_in(const struct actor *actor)
{
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++)
        count += actor->slots[i].in;
    return count;
}

/* No event of what did not happen; and one of each thing that did, of a device that had fewer than
 * it may have at once, however many the others had. All are here that came before the answer to the
 * new subscription; what a device was parked for may have happened since. */
static void check_events(void)
{
    for (size_t i = 0; i < p.actor_count; i++) {
        const struct actor *actor = &p.actors[i];
        if (!actor->settled || actor->parked || actor->told.unsure || actor->phase == PHASE_ABSENT)
            continue;
        size_t connects = connections_of(actor), ends = connects - count_in(actor);
        if (actor->told.connects > connects || actor->told.ends > ends)
            play_report(actor, "there are events of what did not happen");
        if (actor->told.all < EVENTS_AT_ONCE &&
            (actor->told.connects < connects || actor->told.ends < ends))
            play_report(actor, "it misses events of what happened");
    }
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
    if (!p.setting.off)
        sentinel();
    for (size_t i = 0; i < p.actor_count; i++)
        p.actors[i].settled = false;
    if (!settle(true))
        return false;
    check_answer();
    if (!settle(true))
        return false;
    if (p.round % LIST_EACH == 0) {
        check_summary();
        if (!p.setting.off)
            check_list();
    }
    if (p.setting.events && !p.setting.off)
        check_events();
    return true;
}
