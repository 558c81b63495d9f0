/* test_migrate_login.c - passwords that Mosquitto hashed open their devices, until they are
 * replaced. Made by mosquitto_passwd, and as Mosquitto 2.1 makes them. */
#include <string.h>

#include "deadline.h"
#include "scene.h"

#define CELLAR "in the cellar"
/* Of "correct horse": $7$ and $argon2id$ of 2.1, the latter by the reference library. */
#define SALT_64                                                                                    \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw"
#define HASH_1000                                                                                  \
    "$7$1000$" SALT_64 "==$53KiEygVzVVEVUVTe4h79yMtYp0OxxoKFip82vf7OCrEbcm4/E88oGkCyN0NhQ7fLOSBIp" \
    "iITuELG/0ldDPFMQ=="
#define HASH_ARGON2ID                                                                              \
    "$argon2id$v=19$m=47104,t=1,p=1$" SALT_64                                                      \
    "$aVo1St5PsxylF7NjjIPOOE5jxNbeUNweT/LEl8ONyxYqiqflWO7BotCdzcmTPqR4fg0oMZSzDQFY9PDfbH+biw"
#define HORSE "correct horse"

/* Turns a file of plain "user:password" lines into a password file. */
static void hash_file(const struct scene *s, const char *name, const char *algorithm)
{
    char path[BROKER_PATH_MAX * 2];
    struct program program;
    check(path_join(path, sizeof path, s->dir, name));
    check(program_run(&program, (char *const[]){"/usr/bin/mosquitto_passwd", "-H",
                                                (char *)algorithm, "-U", path, NULL}));
    check(program.status == 0);
    program_clear(&program);
}

static void import(struct scene *s, const char *name)
{
    scene_do(s, "import --mosquitto-passwd %s%s", s->dir, name);
}

static void start_with_users(struct scene *s)
{
    scene_make_registry(s);
    scene_write(s, "pbkdf2", "pump-7:" CELLAR "\nhall:other", 0600);
    scene_write(s, "sha512", "lamp-1:" CELLAR, 0600);
    scene_write(s, "new", "door:" HASH_1000 "\nanna:" HASH_ARGON2ID, 0600);
    hash_file(s, "/pbkdf2", "sha512-pbkdf2");
    hash_file(s, "/sha512", "sha512");
    import(s, "/pbkdf2");
    import(s, "/sha512");
    import(s, "/new");
    scene_remember(s, "pump-7", CELLAR);
    scene_remember(s, "lamp-1", CELLAR);
    scene_remember(s, "hall", "other");
    scene_remember(s, "door", HORSE);
    scene_remember(s, "anna", HORSE);
    scene_start(s, CONF);
}

static void what_mosquitto_hashed_fast_is_answered_at_once(void **state)
{
    struct scene *s = *state;
    start_with_users(s);
    for (int version = 3; version <= 5; version++) {
        (void)scene_accept(s, LOGIN(.user = "pump-7", .version = version));
        (void)scene_accept(s, LOGIN(.user = "lamp-1", .version = version));
        (void)scene_accept(s, LOGIN(.user = "hall", .version = version));
    }
    assert_int_equal(broker_log_count(&s->broker, "password_is_being_checked"), 0);
}

static bool lets_in(struct scene *s, const struct login *login)
{
    return scene_knock(s, login) == ACCEPTED;
}

/* On 2.0 what takes longer is let in at its second try. */
static void what_2_1_hashed_opens_the_device(void **state)
{
    struct scene *s = *state;
    bool in;
    start_with_users(s);
    WAIT_UNTIL(in, lets_in(s, LOGIN(.user = "door")));
    check(in);
    WAIT_UNTIL(in, lets_in(s, LOGIN(.user = "anna")));
    check(in);
    WAIT_UNTIL(in, lets_in(s, LOGIN(.user = "anna", .version = 5)));
    check(in);
}

static void another_password_opens_nothing(void **state)
{
    static const char *const wrong[] = {"In the cellar", "in the cella", "in the cellar ", "other",
                                        "x"};
    struct scene *s = *state;
    start_with_users(s);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        scene_refuse(s, LOGIN(.user = "pump-7", .key = wrong[i]));
        scene_refuse(s, LOGIN(.user = "lamp-1", .key = wrong[i], .version = 5));
    }
    scene_refuse(s, LOGIN(.user = "pump-7", .key = NO_KEY));
    scene_refuse(s, LOGIN(.user = "anna", .key = "correct horsf"));
    broker_log_wait(&s->broker, "device=pump-7 client=", 6);
    check(broker_log_count(&s->broker, "reason=wrong_password") >= 10);
    (void)scene_device(s, "pump-7");
}

static void a_rotation_ends_it_when_the_key_is_used(void **state)
{
    struct scene *s = *state;
    start_with_users(s);
    struct client *pump = scene_device(s, "pump-7");
    scene_add(s, "other"); /* a device of another's name changes nothing */
    const char *old = scene_rotate(s, "pump-7 --until-used");
    client_expect_alive(pump);
    (void)scene_accept(s, LOGIN(.user = "pump-7", .key = old, .id = "still"));
    struct client *renewed = scene_accept(s, LOGIN(.user = "pump-7", .id = "renewed"));
    client_expect_gone(pump);
    bool refused;
    WAIT_UNTIL(refused, !lets_in(s, LOGIN(.user = "pump-7", .key = old)));
    check(refused);
    client_expect_alive(renewed);
}

static void a_rotation_without_grace_ends_it_at_once(void **state)
{
    struct scene *s = *state;
    start_with_users(s);
    struct client *pump = scene_device(s, "pump-7");
    const char *old = scene_rotate(s, "pump-7 --grace 0");
    client_expect_gone(pump);
    scene_refuse(s, LOGIN(.user = "pump-7", .key = old));
    (void)scene_device(s, "pump-7");
}

static void a_new_password_replaces_it(void **state)
{
    struct scene *s = *state;
    bool in;
    start_with_users(s);
    struct client *lamp = scene_device(s, "lamp-1");
    scene_write(s, "fresh", "battery staple", 0600);
    scene_do(s, "password lamp-1 --password-file %s/fresh", s->dir);
    client_expect_gone(lamp);
    scene_refuse(s, LOGIN(.user = "lamp-1", .key = CELLAR));
    WAIT_UNTIL(in, lets_in(s, LOGIN(.user = "lamp-1", .key = "battery staple")));
    check(in);
}

/* devreg takes passwords of up to 128 bytes, Mosquitto longer ones. */
static void a_password_works_on_up_to_its_limit(void **state)
{
    struct scene *s = *state;
    char text[300] = "most:", *at = text + strlen(text);
    char most[129], more[130];
    memset(most, 'x', 128);
    memset(more, 'x', 129);
    most[128] = more[129] = '\0';
    snprintf(at, sizeof text - 5, "%s\nmore:%s", most, more);
    scene_make_registry(s);
    scene_write(s, "long", text, 0600);
    hash_file(s, "/long", "sha512-pbkdf2");
    import(s, "/long");
    scene_start(s, CONF);
    (void)scene_accept(s, LOGIN(.user = "most", .key = most));
    scene_refuse(s, LOGIN(.user = "most", .key = more));
    scene_refuse(s, LOGIN(.user = "more", .key = more));
}

/* dynamic-security: a client that is disabled, and one that has its client id. */
static void what_dynamic_security_says_of_a_client_holds(void **state)
{
    static const char json[] =
        "{\"changeIndex\":1,\"defaultACLAccess\":{\"unsubscribe\":true},\"clients\":["
        "{\"username\":\"off\",\"disabled\":true,\"encoded_password\":\"" HASH_1000 "\"},"
        "{\"username\":\"own\",\"clientid\":\"cid-1\",\"encoded_password\":\"" HASH_1000 "\"}]}";
    struct scene *s = *state;
    bool in;
    scene_make_registry(s);
    scene_write(s, "dynsec.json", json, 0600);
    scene_do(s, "import --dynsec %s/dynsec.json", s->dir);
    scene_remember(s, "own", HORSE);
    scene_start(s, CONF);
    WAIT_UNTIL(in, lets_in(s, LOGIN(.user = "own", .id = "cid-1")));
    check(in);
    scene_refuse(s, LOGIN(.user = "own", .id = "cid-2"));
    scene_refuse(s, LOGIN(.user = "off", .key = HORSE));
    scene_do(s, "enable off");
    WAIT_UNTIL(in, lets_in(s, LOGIN(.user = "off", .key = HORSE)));
    check(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_mosquitto_hashed_fast_is_answered_at_once),
        SCENE_TEST(what_2_1_hashed_opens_the_device),
        SCENE_TEST(another_password_opens_nothing),
        SCENE_TEST(a_rotation_ends_it_when_the_key_is_used),
        SCENE_TEST(a_rotation_without_grace_ends_it_at_once),
        SCENE_TEST(a_new_password_replaces_it),
        SCENE_TEST(a_password_works_on_up_to_its_limit),
        SCENE_TEST(what_dynamic_security_says_of_a_client_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
