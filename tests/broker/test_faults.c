/* test_faults.c - what may happen to the registry's files under a running broker: it lives, denies
 * what it cannot know, says so once, and goes right again when the thing is mended, without a
 * restart. test_restore.c has what `devreg restore` does. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"
#include "files.h"
#include "registry/registry.h"
#include "scene.h"

enum { MANY = 100, DENIED = 0x87 };

/* A broker with `pump-7`, which is connected and may publish, and `lamp-1`, which is disabled. */
struct play {
    struct scene *s;
    struct client *pump;
    char data[BROKER_PATH_MAX], away[BROKER_PATH_MAX];
    int changes;
};

static struct play begin(struct scene *s)
{
    struct play play = {.s = s};
    scene_start(s, CONF);
    scene_add(s, "pump-7");
    scene_add(s, "lamp-1");
    scene_do(s, "disable lamp-1");
    check(path_join(play.data, sizeof play.data, s->registry, "/data.mdb"));
    check(path_join(play.away, sizeof play.away, s->dir, "/away"));
    play.pump = scene_accept(s, LOGIN(.user = "pump-7", .version = 5));
    return play;
}

static int publish(const struct play *play, const char *topic)
{
    return client_publish(play->pump, topic, "x", 1);
}

/* What the rules allow is denied, and everybody is refused. */
static void expect_denied_soon(const struct play *play)
{
    bool denied;
    WAIT_UNTIL(denied, publish(play, "devices/pump-7/x") == DENIED);
    check(denied);
    scene_refuse(play->s, LOGIN(.user = "pump-7"));
    scene_refuse(play->s, LOGIN(.user = "lamp-1"));
}

/* The log says it once, however often it is asked. */
static void expect_said_once(const struct play *play, const char *text)
{
    struct broker *broker = &play->s->broker;
    broker_log_wait(broker, text, 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(publish(play, "devices/pump-7/x"), DENIED);
    size_t count = broker_log_count(broker, text);
    if (count != 1)
        broker_show_log(broker);
    assert_int_equal(count, 1);
}

/* All is as it was, and what devreg changes from now on is followed at once. */
static void expect_right_soon(struct play *play)
{
    struct scene *s = play->s;
    char topic[32];
    bool right;
    WAIT_UNTIL(right, publish(play, "devices/pump-7/x") == 0);
    if (!right)
        broker_show_log(&s->broker);
    check(right);
    client_expect_alive(scene_device(s, "pump-7"));
    scene_refuse(s, LOGIN(.user = "lamp-1"));
    check(snprintf(topic, sizeof topic, "extra/%d", ++play->changes) > 0);
    assert_int_equal(publish(play, topic), DENIED);
    scene_do(s, "allow pump-7 publish %s", topic);
    assert_int_equal(publish(play, topic), 0);
}

/* In place: as cp does it, or a disk that fails. The broker reads through a mapping of what is cut
 * short, and LMDB meets what it takes for impossible. */
static void a_registry_that_is_damaged_in_place_denies_until_it_is_mended(void **state)
{
    static const enum damage all[] = {CUT_TO_NOTHING,   CUT_TO_A_BYTE, CUT_TO_A_PAGE,
                                      CUT_ITS_ROOT_OFF, ZEROED,        NOISE};
    struct scene *s = *state;
    struct play play = begin(s);
    const size_t faults = sizeof all / sizeof *all;
    for (size_t i = 0; i < faults; i++) {
        size_t size;
        uint8_t *sound = file_load(play.data, &size);
        file_damage(play.data, all[i]);
        scene_refuse(s, LOGIN(.user = "lamp-1"));
        expect_denied_soon(&play);
        broker_log_wait(&s->broker, "cannot be opened", i + 1);
        file_store(play.data, sound, size);
        expect_right_soon(&play);
    }
    assert_int_equal(broker_log_count(&s->broker, "cannot be opened"), faults);
}

static void a_registry_that_is_cut_to_nothing_is_mended_by_restore(void **state)
{
    struct scene *s = *state;
    struct play play = begin(s);
    scene_do(s, "backup %s/backup", s->dir);
    file_damage(play.data, CUT_TO_NOTHING);
    expect_denied_soon(&play);
    expect_said_once(&play, "cannot be opened");
    scene_do(s, "restore --force %s/backup", s->dir);
    expect_right_soon(&play);
}

/* `cp` of an earlier or a later state over the file that the broker has open. */
static void a_registry_that_is_written_over_with_another_state_is_followed(void **state)
{
    struct scene *s = *state;
    struct play play = begin(s);
    size_t early_size, late_size;
    uint8_t *early = file_load(play.data, &early_size);
    for (int i = 0; i < 5; i++)
        scene_do(s, "allow pump-7 publish late/%d", i);
    assert_int_equal(publish(&play, "late/3"), 0);
    uint8_t *late = file_load(play.data, &late_size);
    bool held;
    file_store(play.data, early, early_size);
    WAIT_UNTIL(held, publish(&play, "late/3") == DENIED && publish(&play, "devices/pump-7/x") == 0);
    check(held);
    file_store(play.data, late, late_size);
    WAIT_UNTIL(held, publish(&play, "late/3") == 0);
    check(held);
    expect_right_soon(&play);
    scene_do(s, "check");
}

static void a_registry_of_a_later_devreg_denies_until_it_is_taken_away(void **state)
{
    struct scene *s = *state;
    struct play play = begin(s);
    size_t size;
    uint8_t *bytes = file_load(play.data, &size);
    check(rename(play.data, play.away) == 0);
    int fd = open(play.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    check(fd >= 0 && fchmod(fd, 0644) == 0 && close(fd) == 0);
    file_store(play.data, bytes, size);
    store_make_newer(play.data);
    expect_denied_soon(&play);
    expect_said_once(&play, "newer");
    check(rename(play.away, play.data) == 0);
    expect_right_soon(&play);
}

/* The file alone, and all of the directory, away and back. */
static void a_registry_that_is_moved_away_denies_until_it_is_back(void **state)
{
    struct scene *s = *state;
    struct play play = begin(s);
    check(rename(play.data, play.away) == 0);
    expect_denied_soon(&play);
    expect_said_once(&play, "there is no registry");
    check(rename(play.away, play.data) == 0);
    expect_right_soon(&play);
    check(rename(s->registry, play.away) == 0);
    expect_denied_soon(&play);
    check(rename(play.away, s->registry) == 0);
    expect_right_soon(&play);
}

/* What is open stays open: nothing that was changed since is missed. */
static void a_registry_that_becomes_read_only_is_still_read(void **state)
{
    struct scene *s = *state;
    struct play play = begin(s);
    check(chmod(play.data, 0440) == 0 && chmod(s->registry, 0550) == 0);
    assert_int_equal(publish(&play, "devices/pump-7/x"), 0);
    client_expect_alive(scene_device(s, "pump-7"));
    scene_refuse(s, LOGIN(.user = "lamp-1"));
    check(chmod(s->registry, 0750) == 0 && chmod(play.data, 0640) == 0);
    expect_right_soon(&play);
    assert_int_equal(broker_log_count(&s->broker, "devreg: cannot"), 0);
}

/* Root may do it, and then it is a file of root's that lies there. */
static void a_registry_whose_permission_is_lost_denies_until_it_is_given_back(void **state)
{
    struct scene *s = *state;
    struct stat before;
    if (geteuid() != 0)
        skip();
    struct play play = begin(s);
    size_t size;
    check(stat(play.data, &before) == 0);
    check(chmod(play.data, 0) == 0 && chmod(s->registry, 0700) == 0);
    expect_right_soon(&play); /* it is open, and followed */
    check(chmod(s->registry, 0750) == 0);
    uint8_t *bytes = file_load(play.data, &size);
    check(rename(play.data, play.away) == 0);
    int fd = open(play.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    check(fd >= 0 && close(fd) == 0);
    file_store(play.data, bytes, size);
    expect_denied_soon(&play);
    expect_said_once(&play, "permission denied");
    check(chown(play.data, before.st_uid, before.st_gid) == 0 && chmod(play.data, 0640) == 0);
    expect_right_soon(&play);
}

/* Others hold all places of LMDB's table of readers, while the broker has to open it again. */
static void a_full_table_of_readers_denies_until_there_is_room(void **state)
{
    enum { MOST = 300 };
    static struct registry *held[MOST];
    struct scene *s = *state;
    struct play play = begin(s);
    size_t count = 0;
    check(rename(s->registry, play.away) == 0);
    expect_denied_soon(&play);
    while (count < MOST && registry_open(&held[count], play.away, STORE_READ) == ERR_OK)
        count++;
    check(count > 0 && count < MOST);
    check(rename(play.away, s->registry) == 0);
    broker_log_wait(&s->broker, "busy", 1);
    expect_denied_soon(&play);
    expect_said_once(&play, "busy");
    while (count > 0)
        registry_close(held[--count]);
    expect_right_soon(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_registry_that_is_damaged_in_place_denies_until_it_is_mended),
        SCENE_TEST(a_registry_that_is_cut_to_nothing_is_mended_by_restore),
        SCENE_TEST(a_registry_that_is_written_over_with_another_state_is_followed),
        SCENE_TEST(a_registry_of_a_later_devreg_denies_until_it_is_taken_away),
        SCENE_TEST(a_registry_that_is_moved_away_denies_until_it_is_back),
        SCENE_TEST(a_registry_that_becomes_read_only_is_still_read),
        SCENE_TEST(a_registry_whose_permission_is_lost_denies_until_it_is_given_back),
        SCENE_TEST(a_full_table_of_readers_denies_until_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
