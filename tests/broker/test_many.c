/* test_many.c - changes of many devices, seen by those that are meant and by the others. */
#include "deadline.h"
#include "scene.h"

#include <string.h>
#include <unistd.h>

enum { LAMPS = 12, KICKED_V5 = 0x98 /* DISCONNECT: administrative action */ };

/* lamp-0, lamp-1, ...: those with an even number in Kiel, the others in Bonn. */
struct lamps {
    char ids[LAMPS][16];
    struct client *clients[LAMPS];
};

static bool in_kiel(int i)
{
    return i % 2 == 0;
}

static void lamps_add(struct scene *s, struct lamps *lamps)
{
    char command[64];
    for (int i = 0; i < LAMPS; i++) {
        check(snprintf(lamps->ids[i], sizeof lamps->ids[i], "lamp-%d", i) > 0);
        check(snprintf(command, sizeof command, "%s --set site=%s", lamps->ids[i],
                       in_kiel(i) ? "kiel" : "bonn") > 0);
        scene_add(s, command);
    }
}

static void lamps_connect(struct scene *s, struct lamps *lamps)
{
    for (int i = 0; i < LAMPS; i++)
        lamps->clients[i] = scene_accept(s, LOGIN(.user = lamps->ids[i], .version = 5));
}

static int publish_own(struct lamps *lamps, int i)
{
    char topic[64];
    check(snprintf(topic, sizeof topic, "devices/%s/x", lamps->ids[i]) > 0);
    return client_publish(lamps->clients[i], topic, "1", 1);
}

/* Runs `command`, and those in Kiel are off while nobody else has noticed anything. */
static void cut_off_kiel(struct scene *s, struct lamps *lamps, const char *command)
{
    scene_start(s, CONF);
    lamps_add(s, lamps);
    lamps_connect(s, lamps);
    scene_do(s, "%s", command);
    for (int i = 0; i < LAMPS; i++) {
        if (in_kiel(i)) {
            client_expect_gone(lamps->clients[i]);
            assert_int_equal(lamps->clients[i]->gone_reason, KICKED_V5);
            scene_refuse(s, LOGIN(.user = lamps->ids[i]));
        } else {
            client_expect_alive(lamps->clients[i]);
            assert_int_equal(publish_own(lamps, i), 0);
        }
    }
}

static void disable_where_cuts_off_exactly_those(void **state)
{
    struct lamps lamps;
    cut_off_kiel(*state, &lamps, "disable --where site=kiel --yes");
    scene_do(*state, "enable --where state=disabled --yes");
    lamps_connect(*state, &lamps);
    for (int i = 0; i < LAMPS; i++)
        client_expect_alive(lamps.clients[i]);
}

static void revoke_where_cuts_off_exactly_those(void **state)
{
    struct lamps lamps;
    cut_off_kiel(*state, &lamps, "revoke --where site=kiel --yes");
}

static void remove_where_cuts_off_exactly_those(void **state)
{
    struct lamps lamps;
    cut_off_kiel(*state, &lamps, "remove --where site=kiel --yes");
}

static void an_expiry_of_many_cuts_off_exactly_those(void **state)
{
    struct lamps lamps;
    cut_off_kiel(*state, &lamps, "set --where site=kiel --expires 1s --yes");
}

static void online_is_a_condition(void **state)
{
    struct scene *s = *state;
    bool noted;
    scene_start(s, CONF);
    scene_add(s, "here");
    scene_add(s, "away");
    struct client *here = scene_device(s, "here");
    WAIT_UNTIL(noted, scene_try(s, "list --online") == 0 && s->answer.out_size);
    check(noted);
    scene_do(s, "disable --where online --yes");
    client_expect_gone(here);
    client_expect_alive(scene_device(s, "away"));
}

/* Rules of a role follow an attribute. All stay connected, whether they moved or not. */
static void set_where_moves_a_site_and_disconnects_nobody(void **state)
{
    struct scene *s = *state;
    struct lamps lamps;
    scene_start(s, CONF);
    scene_do(s, "allow @device publish site/%%{site}/%%u");
    lamps_add(s, &lamps);
    lamps_connect(s, &lamps);
    scene_do(s, "set --where site=kiel site=hamburg --yes");
    for (int i = 0; i < LAMPS; i++) {
        char topic[64];
        client_expect_alive(lamps.clients[i]);
        check(snprintf(topic, sizeof topic, "site/hamburg/%s", lamps.ids[i]) > 0);
        assert_int_equal(client_publish(lamps.clients[i], topic, "1", 1), in_kiel(i) ? 0 : 0x87);
        check(snprintf(topic, sizeof topic, "site/kiel/%s", lamps.ids[i]) > 0);
        assert_int_equal(client_publish(lamps.clients[i], topic, "1", 1), 0x87);
        check(snprintf(topic, sizeof topic, "site/bonn/%s", lamps.ids[i]) > 0);
        assert_int_equal(client_publish(lamps.clients[i], topic, "1", 1), in_kiel(i) ? 0x87 : 0);
    }
}

/* What is changed to what it is already is no change for anybody. */
static void who_would_not_change_is_left_alone(void **state)
{
    struct scene *s = *state;
    struct lamps lamps;
    scene_start(s, CONF);
    lamps_add(s, &lamps);
    lamps_connect(s, &lamps);
    scene_do(s, "set --where role=device site=bonn --yes");
    scene_do(s, "list --limit 4 --columns device,version");
    assert_string_equal(s->answer.out, "lamp-0\t2\nlamp-1\t1\nlamp-10\t2\nlamp-11\t1\n");
    for (int i = 0; i < LAMPS; i++)
        client_expect_alive(lamps.clients[i]);
}

/* `rotate --where`, whose answer is "device,key" and a line for each; remembers the new keys. */
static void rotate_where(struct scene *s, const char *command)
{
    char device[129], key[64];
    scene_do(s, "rotate --where %s", command);
    for (const char *line = strchr(s->answer.out, '\n'); line && line[1];
         line = strchr(line + 1, '\n')) {
        check(sscanf(line + 1, "%128[^,],%63[^\n]", device, key) == 2);
        scene_remember(s, device, key);
    }
}

static void key_copy(char key[static 64], const char *from)
{
    check(from != NULL);
    check(snprintf(key, 64, "%s", from) > 0);
}

static void many_keys_are_rotated_and_the_old_ones_end_with_the_grace(void **state)
{
    struct scene *s = *state;
    struct lamps lamps;
    char old[LAMPS][64];
    scene_start(s, CONF);
    lamps_add(s, &lamps);
    for (int i = 0; i < LAMPS; i++)
        key_copy(old[i], scene_key(s, lamps.ids[i]));
    lamps_connect(s, &lamps);
    rotate_where(s, "site=kiel --grace 2s --yes");
    for (int i = 0; i < LAMPS; i++) {
        struct client *fresh = scene_device(s, lamps.ids[i]);
        if (in_kiel(i)) {
            check(strcmp(old[i], scene_key(s, lamps.ids[i])) != 0);
            client_expect_gone(lamps.clients[i]);
            scene_refuse(s, LOGIN(.user = lamps.ids[i], .key = old[i]));
        }
        client_expect_alive(in_kiel(i) ? fresh : lamps.clients[i]);
    }
}

static bool refused(struct scene *s, const char *device, const char *key)
{
    return scene_knock(s, LOGIN(.user = device, .key = key)) != ACCEPTED;
}

/* Each key ends by the first use of its own successor. */
static void until_used_ends_each_key_by_its_own(void **state)
{
    struct scene *s = *state;
    char old_1[64], old_2[64];
    bool over;
    scene_start(s, CONF);
    scene_add(s, "pump-1 --set site=kiel");
    scene_add(s, "pump-2 --set site=kiel");
    key_copy(old_1, scene_key(s, "pump-1"));
    key_copy(old_2, scene_key(s, "pump-2"));
    rotate_where(s, "site=kiel --grace 1h --until-used --yes");
    client_expect_alive(scene_device(s, "pump-1"));
    WAIT_UNTIL(over, refused(s, "pump-1", old_1));
    check(over);
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-2", .key = old_2)));
    broker_restart(&s->broker);
    scene_refuse(s, LOGIN(.user = "pump-1", .key = old_1));
    client_expect_alive(scene_accept(s, LOGIN(.user = "pump-2", .key = old_2)));
    scene_do(s, "show pump-1");
    assert_non_null(strstr(s->answer.out, ", ended when key 2 was used\n"));
    scene_do(s, "list --expiring 30d --columns device,ending");
    assert_string_equal(s->answer.out, "pump-2\tkey 1\n");
}

/* First uses are noted also where nothing else is. */
static void until_used_needs_no_presence(void **state)
{
    struct scene *s = *state;
    char old[64];
    bool over;
    scene_start(s, CONF "plugin_opt_presence off\n");
    scene_add(s, "pump-1 --set site=kiel");
    key_copy(old, scene_key(s, "pump-1"));
    rotate_where(s, "site=kiel --grace 1h --until-used --yes");
    client_expect_alive(scene_device(s, "pump-1"));
    WAIT_UNTIL(over, refused(s, "pump-1", old));
    check(over);
    broker_restart(&s->broker);
    scene_refuse(s, LOGIN(.user = "pump-1", .key = old));
    rotate_where(s, "site=kiel --grace 1h --until-used --yes");
    scene_do(s, "list --columns credentials,ending");
    assert_string_equal(s->answer.out, "key 2,key 3\tkey 2\n");
    assert_int_equal(scene_try(s, "list --unused-key 1d"), 3);
}

/* The grace ends it in any case; until then the next use of the new key is noted again. */
static void without_its_presence_store_the_old_key_ends_with_the_next_use(void **state)
{
    struct scene *s = *state;
    char old[64], path[BROKER_PATH_MAX + 40];
    bool over;
    scene_start(s, CONF);
    scene_add(s, "pump-1 --set site=kiel");
    key_copy(old, scene_key(s, "pump-1"));
    rotate_where(s, "site=kiel --grace 1h --until-used --yes");
    client_expect_alive(scene_device(s, "pump-1"));
    WAIT_UNTIL(over, refused(s, "pump-1", old));
    check(over);
    broker_stop(&s->broker);
    check(snprintf(path, sizeof path, "%s/presence/data.mdb", s->registry) > 0);
    check(unlink(path) == 0);
    broker_start(&s->broker);
    client_expect_alive(scene_device(s, "pump-1"));
    WAIT_UNTIL(over, refused(s, "pump-1", old));
    check(over);
    client_expect_alive(scene_device(s, "pump-1"));
}

static bool shown(struct scene *s, const char *text)
{
    return scene_try(s, "show pump-1") == 0 && strstr(s->answer.out, text);
}

/* Ten rotations within a grace, each key used: those that ended make room, once that is noted. */
static void keys_that_ended_by_use_make_room(void **state)
{
    enum { ROTATIONS = 10 };
    struct scene *s = *state;
    char text[64];
    bool over;
    scene_start(s, CONF);
    scene_add(s, "pump-1");
    for (int i = 0; i < ROTATIONS; i++) {
        (void)scene_rotate(s, "pump-1 --grace 30d --until-used");
        client_expect_alive(scene_device(s, "pump-1"));
        check(snprintf(text, sizeof text, ", ended when key %d was used\n", i + 2) > 0);
        WAIT_UNTIL(over, shown(s, text));
        check(over);
    }
    scene_do(s, "list --columns credentials");
    assert_string_equal(s->answer.out, "key 10,key 11\n");
}

/* In use while it is connected with, and used last when that ended. */
static void the_last_use_of_a_key_is_noted(void **state)
{
    struct scene *s = *state;
    bool noted;
    scene_start(s, CONF);
    scene_add(s, "pump-1");
    scene_add(s, "idle");
    struct client *pump = scene_device(s, "pump-1");
    const int64_t second = clock_ms() + 1000;
    WAIT_UNTIL(noted, clock_ms() > second);
    WAIT_UNTIL(noted, scene_try(s, "list --unused-key 1s --columns device,unused,last_used") == 0 &&
                          strcmp(s->answer.out, "idle\tkey 1\t-\n") == 0);
    check(noted);
    client_disconnect(pump);
    WAIT_UNTIL(noted, scene_try(s, "list --unused-key 1s --columns device") == 0 &&
                          strcmp(s->answer.out, "idle\npump-1\n") == 0);
    check(noted);
    scene_do(s, "list --columns unused,last_used --after idle");
    check(strncmp(s->answer.out, "key 1\t2", 7) == 0);
    (void)scene_rotate(s, "pump-1 --grace 30d");
    client_expect_alive(scene_device(s, "pump-1"));
    WAIT_UNTIL(noted,
               scene_try(s, "list --unused-key 1s --columns device,unused --after idle") == 0 &&
                   strcmp(s->answer.out, "pump-1\tkey 1\n") == 0);
    check(noted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(disable_where_cuts_off_exactly_those),
        SCENE_TEST(revoke_where_cuts_off_exactly_those),
        SCENE_TEST(remove_where_cuts_off_exactly_those),
        SCENE_TEST(an_expiry_of_many_cuts_off_exactly_those),
        SCENE_TEST(online_is_a_condition),
        SCENE_TEST(set_where_moves_a_site_and_disconnects_nobody),
        SCENE_TEST(who_would_not_change_is_left_alone),
        SCENE_TEST(many_keys_are_rotated_and_the_old_ones_end_with_the_grace),
        SCENE_TEST(until_used_ends_each_key_by_its_own),
        SCENE_TEST(until_used_needs_no_presence),
        SCENE_TEST(without_its_presence_store_the_old_key_ends_with_the_next_use),
        SCENE_TEST(keys_that_ended_by_use_make_room),
        SCENE_TEST(the_last_use_of_a_key_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
