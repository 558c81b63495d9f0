/* prop_selection.c - random devices, random questions: what `list` answers, page by page too, and
 * what `disable --where` would change, is what a filter says that asks each condition in the
 * plainest way.
 *
 * All times are half days away from any that is asked for, so it does not matter when the program
 * looks at the clock. */
#include "tests/cli/presence_case.h"
#include "tests/support/rng.h"

enum { DEVICES = 60, ROUNDS = 60, KEYS = 3, TEXT = 600 };
enum { NEVER, OFFLINE, ONLINE }; /* presence */

struct key_fact {
    uint32_t id, ended_by;
    int64_t created, expires;
    bool used;
    int64_t last; /* use */
};

struct fact {
    char id[8];
    enum device_state state;
    const char *site; /* NULL for none */
    bool pump;
    int64_t created, expires;
    size_t key_count;
    struct key_fact keys[KEYS];
    int presence;
    int64_t since;
    uint32_t credential;
};

struct query {
    const char *site, *state;
    bool pump, expired;
    int expiring, unused, offline_for; /* days, 0 for not asked */
    int presence;                      /* or -1 for any */
};

static struct rng rng;
static struct fact facts[DEVICES];
static int64_t now;

static int64_t days(size_t from, size_t to)
{
    return (int64_t)(from + rng_below(&rng, to - from)) * DAY + DAY / 2;
}

static void make_key(struct fact *fact, size_t i)
{
    struct key_fact *key = &fact->keys[i];
    *key = (struct key_fact){.id = (uint32_t)i + 1, .created = fact->created};
    if (rng_percent(&rng, 40))
        key->expires = rng_percent(&rng, 70) ? now + days(0, 20) : now - days(0, 5);
    if (rng_percent(&rng, 30) && i + 1 < fact->key_count)
        key->ended_by = key->id + 1;
    key->used = fact->presence != NEVER && rng_percent(&rng, 50);
    key->last = key->used ? now - days(0, 20) : 0;
}

static void make_fact(struct fact *fact, int number)
{
    static const char *const sites[] = {"kiel", "bonn", NULL};
    *fact = (struct fact){.state = (enum device_state)rng_below(&rng, 3),
                          .site = sites[rng_below(&rng, 3)],
                          .pump = rng_percent(&rng, 50),
                          .created = now - days(20, 40),
                          .key_count = rng_below(&rng, KEYS + 1)};
    snprintf(fact->id, sizeof fact->id, "%c%02d", rng_percent(&rng, 50) ? 'd' : 'D', number);
    if (rng_percent(&rng, 40))
        fact->expires = rng_percent(&rng, 70) ? now + days(0, 20) : now - days(0, 5);
    fact->presence = (int)rng_below(&rng, 3);
    for (size_t i = 0; i < fact->key_count; i++)
        make_key(fact, i);
    fact->since = now - days(0, 20);
    fact->credential = 1 + (uint32_t)rng_below(&rng, KEYS);
}

static void store_device(struct registry *registry, const struct fact *fact, uint64_t generation)
{
    struct device device;
    device_init(&device, fact->id);
    device.state = fact->state;
    device.expires = fact->expires;
    device.created = device.changed = fact->created;
    device.generation = generation;
    device.version = 1;
    if (fact->site)
        assert_int_equal(device_set_attribute(&device, "site", fact->site), ERR_OK);
    if (fact->pump)
        assert_int_equal(device_add_role(&device, "pump"), ERR_OK);
    for (size_t i = 0; i < fact->key_count; i++) {
        struct credential *key = device_new_credential(&device, CREDENTIAL_KEY, 0);
        key->created = fact->keys[i].created;
        key->expires = fact->keys[i].expires;
        key->ended_by = fact->keys[i].ended_by;
    }
    assert_int_equal(registry_restore_device(registry, &device), ERR_OK);
    device_clear(&device);
}

static void store_presence(struct txn *txn, const struct fact *fact, uint64_t generation)
{
    struct presence presence = {.generation = generation,
                                .connections = 1,
                                .online = fact->presence == ONLINE,
                                .since = fact->since,
                                .credential = fact->credential};
    if (fact->presence == NEVER)
        return;
    if (fact->presence == OFFLINE)
        presence.ended_at = fact->since;
    for (size_t i = 0; i < fact->key_count; i++) {
        if (fact->keys[i].used)
            presence_use(&presence, fact->keys[i].id, fact->keys[i].last);
    }
    presence_put(txn, fact->id, &presence, NULL);
}

/* ---- the plainest way */

static bool key_works(const struct fact *fact, const struct key_fact *key)
{
    if (key->expires && key->expires <= now)
        return false;
    for (size_t i = 0; i < fact->key_count; i++) {
        if (key->ended_by == fact->keys[i].id && fact->keys[i].used)
            return false;
    }
    return true;
}

static bool within(int64_t time, int in_days)
{
    return time > now && time < now + in_days * DAY;
}

static bool any_expiring(const struct fact *fact, int in_days)
{
    bool any = within(fact->expires, in_days);
    for (size_t i = 0; i < fact->key_count; i++)
        any |= key_works(fact, &fact->keys[i]) && within(fact->keys[i].expires, in_days);
    return any;
}

static bool any_unused(const struct fact *fact, int for_days)
{
    bool any = false;
    for (size_t i = 0; i < fact->key_count; i++) {
        const struct key_fact *key = &fact->keys[i];
        const int64_t limit = now - for_days * DAY;
        bool newest = fact->presence != NEVER && fact->credential == key->id;
        bool recent = key->created > limit || key->last > limit ||
                      (newest && (fact->presence == ONLINE || fact->since > limit));
        any |= key_works(fact, key) && !recent;
    }
    return any;
}

static bool is_silent(const struct fact *fact, int for_days)
{
    const int64_t limit = now - for_days * DAY;
    if (fact->presence == NEVER)
        return fact->created < limit;
    return fact->presence == OFFLINE && fact->since < limit;
}

static bool is_selected(const struct fact *fact, const struct query *query)
{
    if (query->site && !(fact->site && strcmp(fact->site, query->site) == 0))
        return false;
    if (query->state && strcmp(query->state, device_state_name(fact->state)) != 0)
        return false;
    if (query->expired && !(fact->state == DEVICE_ENABLED && fact->expires && fact->expires < now))
        return false;
    if (query->pump && !fact->pump)
        return false;
    if (query->expiring && !any_expiring(fact, query->expiring))
        return false;
    if (query->unused && !any_unused(fact, query->unused))
        return false;
    if (query->offline_for && !is_silent(fact, query->offline_for))
        return false;
    return query->presence < 0 || query->presence == fact->presence;
}

/* ---- the question, as it is typed */

static void add_condition(char *text, const char *word, const char *value, bool where)
{
    size_t used = strlen(text);
    const char *equals = *value ? "=" : "";
    if (where)
        snprintf(text + used, TEXT - used, " --where %s%s%s", word, equals, value);
    else if (strcmp(word, "site") == 0)
        snprintf(text + used, TEXT - used, " --set site=%s", value);
    else
        snprintf(text + used, TEXT - used, " --%s%s%s", word, equals, value);
}

static const char *in_days(int count)
{
    static char text[16];
    snprintf(text, sizeof text, "%dd", count);
    return text;
}

static void type_query(const struct query *query, char *text, bool where_only)
{
    static const char *const words[] = {"never-seen", "offline", "online"};
    const struct {
        bool asked;
        const char *word, *value;
    } parts[] = {{query->site, "site", query->site},
                 {query->state, "state", query->state},
                 {query->expired, "state", "expired"},
                 {query->pump, "role", "pump"}};
    text[0] = '\0';
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (parts[i].asked)
            add_condition(text, parts[i].word, parts[i].value, where_only || rng_percent(&rng, 50));
    }
    if (query->expiring)
        add_condition(text, "expiring", in_days(query->expiring), where_only);
    if (query->unused)
        add_condition(text, "unused-key", in_days(query->unused), where_only);
    if (query->offline_for)
        add_condition(text, "offline-for", in_days(query->offline_for), where_only);
    if (query->presence >= 0)
        add_condition(text, words[query->presence], "", where_only);
}

static int some_days(unsigned percent)
{
    return rng_percent(&rng, percent) ? 1 + (int)rng_below(&rng, 25) : 0;
}

static struct query make_query(void)
{
    static const char *const sites[] = {"kiel", "bonn", "ulm"};
    struct query query = {.presence = -1};
    if (rng_percent(&rng, 30))
        query.site = sites[rng_below(&rng, COUNT(sites))];
    if (rng_percent(&rng, 20))
        query.state = device_state_name((enum device_state)rng_below(&rng, 3));
    else
        query.expired = rng_percent(&rng, 10);
    query.pump = rng_percent(&rng, 20);
    query.expiring = some_days(25);
    query.unused = some_days(25);
    query.offline_for = some_days(15);
    if (!query.offline_for && rng_percent(&rng, 25))
        query.presence = (int)rng_below(&rng, 3);
    return query;
}

static void expect(const struct query *query, bool only_enabled, char *ids)
{
    ids[0] = '\0';
    for (size_t i = 0; i < DEVICES; i++) {
        if (is_selected(&facts[i], query) && (!only_enabled || facts[i].state == DEVICE_ENABLED))
            strcat(strcat(ids, facts[i].id), "\n");
    }
}

static void list_pages(const char *conditions, char *ids)
{
    char arguments[TEXT + 100], after[20] = "";
    size_t limit = 1 + rng_below(&rng, 30);
    ids[0] = '\0';
    for (;;) {
        snprintf(arguments, sizeof arguments, "list --columns device --limit %zu%s%s%s", limit,
                 *after ? " --after " : "", after, conditions);
        const char *page = devreg(arguments, 0);
        if (!*page)
            return;
        strcat(ids, page);
        snprintf(after, sizeof after, "%s", ids + strlen(ids) - 4);
        after[3] = '\0';
    }
}

static void the_answer_is_that_of_a_plain_filter(void **state)
{
    char conditions[TEXT], arguments[TEXT + 100], expected[TEXT], answer[TEXT];
    size_t found = 0;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct query query = make_query();
        expect(&query, false, expected);
        type_query(&query, conditions, false);
        snprintf(arguments, sizeof arguments, "list --columns device%s", conditions);
        if (strcmp(devreg(arguments, 0), expected) != 0)
            fail_msg("%s\n%s... and not\n%s", arguments, devreg(arguments, 0), expected);
        list_pages(conditions, answer);
        assert_string_equal(answer, expected);
        found += *expected != '\0';
        type_query(&query, conditions, true);
        if (!*conditions)
            continue;
        expect(&query, true, expected);
        snprintf(arguments, sizeof arguments, "disable --dry-run%s 2>&-", conditions);
        if (strcmp(devreg(arguments, 0), expected) != 0)
            fail_msg("%s\n%s... and not\n%s", arguments, devreg(arguments, 0), expected);
    }
    assert_true(found > ROUNDS / 10);
}

static int make_devices(void **state)
{
    struct registry *registry;
    struct role role;
    (void)state;
    now = now_ms();
    if (!mkdtemp(directory) || registry_create(directory, geteuid(), getegid(), "maker", now) ||
        registry_open(&registry, directory, STORE_WRITE) || registry_write(registry, "maker", now))
        return -1;
    role_init(&role, "pump");
    assert_int_equal(registry_put_role(registry, &role), ERR_OK);
    role_clear(&role);
    struct pen pen = pen_begin();
    for (int i = 0; i < DEVICES; i++) {
        make_fact(&facts[i], i);
        store_device(registry, &facts[i], (uint64_t)i + 1);
        store_presence(pen.txn, &facts[i], (uint64_t)i + 1);
    }
    pen_end(&pen);
    assert_int_equal(registry_commit(registry), ERR_OK);
    registry_close(registry);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_that_of_a_plain_filter),
    };
    rng = rng_start("prop_selection");
    return cmocka_run_group_tests(tests, make_devices, remove_registry);
}
