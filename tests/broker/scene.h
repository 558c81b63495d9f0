/* scene.h - what a broker test plays in: a registry, a broker with the plugin, its clients.
 *
 *     static void a_wrong_key_is_refused(void **state)
 *     {
 *         struct scene *s = *state;
 *         scene_start(s, CONF);
 *         scene_add(s, "pump-7");
 *         scene_refuse(s, LOGIN(.user = "pump-7", .key = scene_key(s, "lamp-1")));
 *     }
 *
 *     SCENE_TEST(a_wrong_key_is_refused)
 *
 * The fixture ends what the test began, also where it failed, and fails a test whose broker ended
 * badly, or whose log holds a sanitizer's finding or one of the scene's keys and passwords.
 * $DEVREG_KEEP keeps the directory.
 */
#ifndef DEVREG_TESTS_SCENE_H
#define DEVREG_TESTS_SCENE_H

#include "broker.h"
#include "check.h"
#include "client.h"
#include "program.h"
#include "websocket.h"

enum { SCENE_SECRETS_MAX = 40, SCENE_SECRET_MAX = 128 };

struct scene {
    struct broker broker;
    char dir[BROKER_PATH_MAX], registry[BROKER_PATH_MAX];
    struct program answer; /* of the last `devreg` */
    struct client *clients;
    struct websocket websocket;
    size_t secret_count;
    struct {
        char device[129], text[SCENE_SECRET_MAX];
    } secrets[SCENE_SECRETS_MAX];
};

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)
#define LOGIN(...)       (&(struct login){__VA_ARGS__})

#define CONF_PLUGIN      "plugin @PLUGIN@\nplugin_opt_registry @DIR@/registry\n"
#define CONF_SOCKET      "listener 0 @DIR@/broker/socket\n"
#define CONF_TCP         "listener @TCP@ 127.0.0.1\n"
#define CONF_WEBSOCKETS  "listener @WS@\nprotocol websockets\n"
#define CONF_PERSISTENCE "persistence true\npersistence_location @DIR@/broker/\n"
/* What most tests run. Options of the plugin may be appended. */
#define CONF CONF_SOCKET CONF_PLUGIN

int scene_open(void **state);
int scene_close(void **state);

/* Makes the registry, unless it is there, and starts the broker. */
void scene_start(struct scene *scene, const char *config);
void scene_make_registry(struct scene *scene);

/* `devreg`, its words parted by single blanks; what it said is in `answer`. */
__attribute__((format(printf, 2, 3))) int scene_try(struct scene *scene, const char *command, ...);
/* The same, and it has to succeed. */
__attribute__((format(printf, 2, 3))) void scene_do(struct scene *scene, const char *command, ...);

/* `devreg add ID...`; remembers the key that it prints. */
void scene_add(struct scene *scene, const char *command);
/* `devreg rotate ID...`; remembers the new key, and hands out the old one, as long as the scene. */
const char *scene_rotate(struct scene *scene, const char *command);
/* The device's key, the last one that was remembered. Lent. */
const char *scene_key(struct scene *scene, const char *device);
void scene_remember(struct scene *scene, const char *device, const char *secret);
/* Writes `text` and a line's end to DIR/`name`. The broker can read it with mode 0644. */
void scene_write(struct scene *scene, const char *name, const char *text, mode_t mode);

/* Connects, with the user's own key unless `login` has one, over the Unix socket unless it has a
 * port. The scene frees the client. */
struct client *scene_connect(struct scene *scene, const struct login *login);
/* Only sends CONNECT. */
struct client *scene_begin(struct scene *scene, const struct login *login);
/* The same, and the broker has to accept it. */
struct client *scene_accept(struct scene *scene, const struct login *login);
/* Connects and goes away again: what the broker answered. */
int scene_knock(struct scene *scene, const struct login *login);
/* The same, and it has to be refused as "not authorized". */
void scene_refuse(struct scene *scene, const struct login *login);
/* scene_accept of the device, with its own key and a made-up client id. */
struct client *scene_device(struct scene *scene, const char *device);

/* Is key given as no key at all? */
#define NO_KEY ""

/* Over WebSockets: the scene's one connection, which has to be accepted. */
struct websocket *scene_websocket(struct scene *scene, const struct login *login);

#endif
