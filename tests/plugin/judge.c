#include "tests/plugin/judge.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"

struct judge judge;

/* What the registry says of whoever it is. */
static void print_facts(const struct mosquitto *client)
{
    struct facts facts;
    if (!sim_username(client))
        return;
    facts_read(&facts, judge.registry, sim_username(client));
    print_message(
        "now %" PRId64 "; there %d, generation %" PRIu64 ", state %d, expires %" PRId64 "\n",
        sim_now(), facts.there, facts.there ? facts.device.generation : 0,
        facts.there ? (int)facts.device.state : 0, facts.there ? facts.device.expires : 0);
    for (size_t i = 0; facts.there && i < facts.device.credential_count; i++)
        print_message("credential %u: expires %" PRId64 ", ended by %u\n",
                      facts.device.credentials[i].id, facts.device.credentials[i].expires,
                      facts.device.credentials[i].ended_by);
    facts_clear(&facts);
    if (sim_protocol(client)) {
        const struct seat *seat = &judge.seats[sim_place(client)];
        print_message("let in %d, generation %" PRIu64 ", credential %u\n", seat->let_in,
                      seat->generation, seat->credential);
    }
}

void judge_fail(const struct mosquitto *client, const char *what, const char *topic, int expected,
                int answer)
{
    const char *user = sim_username(client);
    sim_print_log();
    print_facts(client);
    fail_msg("%s of client %s, user %s, protocol %d, state %d%s%s is %d, and not %d; the "
             "latest change was %s",
             what, sim_id(client), user ? user : "(none)", sim_protocol(client),
             (int)sim_state(client), topic ? " on " : "", topic ? topic : "", answer, expected,
             judge.latest());
}

/* The device that the username may be; WORLD_DEVICES for none. */
static size_t place_of(const char *username)
{
    return username ? world_place(username) : WORLD_DEVICES;
}

static bool device_there(const char *id)
{
    struct facts facts;
    facts_read(&facts, judge.registry, id);
    bool there = facts.there;
    facts_clear(&facts);
    return there;
}

static bool was_used(const char *username, uint64_t generation, uint32_t credential)
{
    const struct used *used = &judge.used[place_of(username)];
    return used->generation == generation && used->credential[credential];
}

/* The credential was used for the first time: whom does that end? */
static void replace_others(const char *username, const struct seat *by)
{
    struct facts facts;
    facts_read(&facts, judge.registry, username);
    for (struct mosquitto *client = sim_next(NULL); client; client = sim_next(client)) {
        struct seat *seat = &judge.seats[sim_place(client)];
        if (!seat->let_in || strcmp(sim_username(client), username) != 0)
            continue;
        const struct credential *credential = facts_credential(&facts, seat->credential, sim_now());
        seat->replaced |= credential && credential->ended_by == by->credential;
    }
    facts_clear(&facts);
}

void judge_prove(const struct mosquitto *client)
{
    const struct seat *seat = &judge.seats[sim_place(client)];
    if (!seat->let_in)
        return;
    struct used *used = &judge.used[place_of(sim_username(client))];
    assert_true(seat->credential < CREDENTIAL_IDS);
    if (used->generation != seat->generation)
        *used = (struct used){.generation = seat->generation};
    if (!used->credential[seat->credential])
        replace_others(sim_username(client), seat);
    used->credential[seat->credential] = true;
}

/* What the connection was let in with, if that is good still: NULL where it has ended. */
static const struct credential *seat_credential(const struct mosquitto *client,
                                                const struct facts *facts)
{
    const struct seat *seat = &judge.seats[sim_place(client)];
    if (!seat->let_in || !facts_live(facts, sim_now()) ||
        facts->device.generation != seat->generation)
        return NULL;
    return facts_credential(facts, seat->credential, sim_now());
}

/* The same, and no other was used that ends it. */
static bool seat_good(const struct mosquitto *client, const struct facts *facts)
{
    const struct credential *used = seat_credential(client, facts);
    return used && !(used->ended_by &&
                     was_used(facts->device.id, facts->device.generation, used->ended_by));
}

static int answer_of(bool allowed)
{
    return allowed ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED;
}

/* While it is kicked, the broker asks whether its session may keep a subscription. */
static bool may_keep(const struct mosquitto *client, const struct facts *facts)
{
    const struct seat *seat = &judge.seats[sim_place(client)];
    return seat->let_in && facts->device.generation == seat->generation &&
           facts->device.state != DEVICE_REVOKED;
}

static bool may_ask(const struct mosquitto *client, int access, const struct facts *facts)
{
    if (sim_protocol(client) == 0)
        return facts_live(facts, sim_now()); /* never on the wire: the name counts */
    if (sim_kicking(client) && access == MOSQ_ACL_SUBSCRIBE)
        return may_keep(client, facts);
    if (sim_state(client) == SIM_OFFLINE && access == MOSQ_ACL_READ)
        return facts_live(facts, sim_now()) && judge.seats[sim_place(client)].let_in &&
               facts->device.generation == judge.seats[sim_place(client)].generation;
    if (sim_state(client) == SIM_OFFLINE) /* its will */
        return seat_credential(client, facts);
    return seat_good(client, facts);
}

static int expected_of_nobody(const struct mosquitto *client, int access, const char *topic)
{
    size_t at = place_of(sim_username(client));
    if (access == MOSQ_ACL_WRITE && oracle_reserved(topic))
        return MOSQ_ERR_ACL_DENIED;
    return at < WORLD_DEVICES && judge.accepted[at] ? MOSQ_ERR_ACL_DENIED : MOSQ_ERR_PLUGIN_DEFER;
}

static int expected_answer(const struct mosquitto *client, int access, const char *topic)
{
    const char *username = sim_username(client), *id = sim_id(client);
    struct facts facts;
    int answer;
    if (!username && !id[0])
        return MOSQ_ERR_SUCCESS; /* the broker's own, from an earlier run */
    if (username)
        facts_read(&facts, judge.registry, username);
    else
        facts_read_anonymous(&facts, judge.registry, "r0");
    if (!facts.there)
        answer = expected_of_nobody(client, access, topic);
    else if (access == MOSQ_ACL_UNSUBSCRIBE)
        answer = MOSQ_ERR_SUCCESS;
    else
        answer = answer_of((!username || may_ask(client, access, &facts)) &&
                           facts_allow(&facts, id, access, topic));
    facts_clear(&facts);
    return answer;
}

static bool proves(const struct mosquitto *client, int access)
{
    struct facts facts;
    if (sim_state(client) != SIM_CONNECTED || !judge.seats[sim_place(client)].let_in ||
        sim_kicking(client) || (access != MOSQ_ACL_WRITE && access != MOSQ_ACL_SUBSCRIBE))
        return false;
    facts_read(&facts, judge.registry, sim_username(client));
    bool good = seat_good(client, &facts);
    facts_clear(&facts);
    return good;
}

static const char *access_name(int access)
{
    return access == MOSQ_ACL_WRITE       ? "a publish"
           : access == MOSQ_ACL_READ      ? "a delivery"
           : access == MOSQ_ACL_SUBSCRIBE ? "a subscription"
                                          : "an unsubscription";
}

void judge_checked(struct mosquitto *client, int access, const char *topic, int answer)
{
    int expected = expected_answer(client, access, topic);
    judge.checks++;
    judge.allowed += answer == MOSQ_ERR_SUCCESS;
    /* One that is being closed, or is to be, may be denied whatever it may. */
    bool closing = sim_state(client) == SIM_CLOSING ||
                   (sim_protocol(client) && judge.seats[sim_place(client)].replaced);
    if (closing && answer == MOSQ_ERR_ACL_DENIED)
        return;
    if (answer != expected)
        judge_fail(client, access_name(access), topic, expected, answer);
    if (proves(client, access))
        judge_prove(client);
}

static bool client_id_foreign(const char *id, const char *username)
{
    const char *user = username ? username : "";
    const struct mosquitto *other = sim_client(id);
    if (other && (sim_state(other) == SIM_CONNECTED || sim_state(other) == SIM_CLOSING) &&
        judge.seats[sim_place(other)].let_in && strcmp(sim_username(other), user) != 0)
        return true;
    return strcmp(id, user) != 0 && device_there(id);
}

/* The live credential that the login proves, or 0. */
static uint32_t proven_credential(const struct facts *facts, const struct sim_login *login)
{
    const struct device *device = &facts->device;
    if (!login->password || !facts_live(facts, sim_now()) ||
        (device->client_id[0] && !client_id_matches(device->client_id, device->id, login->id)))
        return 0;
    const struct credential *key =
        credential_of_key(device, login->password, registry_secret(judge.registry), sim_now());
    if (!key || (key->ended_by && was_used(device->id, device->generation, key->ended_by)))
        return 0;
    return key->id;
}

static int expected_login(struct seat *seat)
{
    struct facts facts;
    int answer = MOSQ_ERR_PLUGIN_DEFER;
    *seat = (struct seat){.websockets = judge.login.websockets, .password = judge.login.password};
    if (client_id_foreign(judge.login.id, judge.login.username))
        return MOSQ_ERR_AUTH;
    if (!judge.login.username)
        return answer;
    facts_read(&facts, judge.registry, judge.login.username);
    if (facts.there) {
        uint32_t credential = proven_credential(&facts, &judge.login);
        answer = credential ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH;
        seat->let_in = credential != 0;
        seat->generation = facts.device.generation;
        seat->credential = credential;
    }
    facts_clear(&facts);
    return answer;
}

static void seat_take(const struct mosquitto *client, const struct seat *seat)
{
    judge.seats[sim_place(client)] = *seat;
    if (seat->let_in)
        judge.accepted[place_of(sim_username(client))] = true;
}

static bool login_again_admits(const struct mosquitto *client, int answer)
{
    struct seat now;
    judge.login = (struct sim_login){.id = sim_id(client),
                                     .username = sim_username(client),
                                     .password = judge.seats[sim_place(client)].password,
                                     .websockets = true};
    if (answer != expected_login(&now))
        return false;
    if (answer == MOSQ_ERR_SUCCESS)
        seat_take(client, &now);
    return true;
}

/* SIGHUP asks about a session. Offline ones are left alone, and so is who came in by others. 2.0
 * does not tell such a question from a login, on websockets without subscriptions. */
static void on_asked_again(struct mosquitto *client, int answer)
{
    struct facts facts;
    const struct seat *seat = &judge.seats[sim_place(client)];
    bool like_login = seat->websockets && !mosq_is_2_1() && !sim_subscriptions(client);
    if (sim_state(client) == SIM_OFFLINE || !sim_username(client) || (!seat->let_in && !like_login))
        return;
    facts_read(&facts, judge.registry, sim_username(client));
    bool live = seat_credential(client, &facts);
    facts_clear(&facts);
    int expected = live ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH;
    if (answer != expected && !(like_login && login_again_admits(client, answer)))
        judge_fail(client, "a second login", NULL, expected, answer);
}

void judge_logged_in(struct mosquitto *client, bool again, int answer)
{
    struct seat seat;
    if (again) {
        on_asked_again(client, answer);
        return;
    }
    int expected = expected_login(&seat);
    judge.logins++;
    if (answer != expected)
        judge_fail(client, "a login", NULL, expected, answer);
    seat_take(client, &seat);
}

void judge_before_tick(void)
{
    for (struct mosquitto *client = sim_next(NULL); client; client = sim_next(client)) {
        if (sim_state(client) == SIM_CONNECTED)
            judge_prove(client);
    }
}

/* Has it ended, and should be closed? */
bool judge_ended(const struct mosquitto *client)
{
    struct facts facts;
    if (sim_state(client) != SIM_CONNECTED || !judge.seats[sim_place(client)].let_in)
        return false;
    facts_read(&facts, judge.registry, sim_username(client));
    bool good = seat_good(client, &facts);
    facts_clear(&facts);
    return !good;
}

void judge_restart(void)
{
    memset(judge.seats, 0, sizeof judge.seats);
    memset(judge.accepted, 0, sizeof judge.accepted);
}
