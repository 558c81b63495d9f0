#include "scene.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mosquitto.h>

#include "registry/crypto.h"

int scene_open(void **state)
{
    const char *parent = getenv("TMPDIR");
    char dir[BROKER_PATH_MAX];
    check(crypto_init() == ERR_OK && mosquitto_lib_init() == 0);
    struct scene *scene = calloc(1, sizeof *scene);
    check(scene != NULL);
    *state = scene;
    scene->websocket.fd = -1;
    check(path_join(dir, sizeof dir, parent && *parent ? parent : "/tmp", "/devreg-broker-XXXXXX"));
    check(mkdtemp(dir) != NULL);
    check(chmod(dir, 0755) == 0);
    check(path_join(scene->dir, sizeof scene->dir, dir, ""));
    check(path_join(scene->registry, sizeof scene->registry, dir, "/registry"));
    broker_init(&scene->broker, dir);
    return 0;
}

static int file_remove(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static bool log_tells_secret(struct scene *scene)
{
    const char *log = broker_log_all(&scene->broker);
    for (size_t i = 0; i < scene->secret_count; i++)
        if (strstr(log, scene->secrets[i].text) != NULL)
            return true;
    return false;
}

int scene_close(void **state)
{
    struct scene *scene = *state;
    while (scene->clients != NULL) {
        struct client *client = scene->clients;
        scene->clients = client->next;
        client_free(client);
    }
    websocket_close(&scene->websocket);
    bool silent = !log_tells_secret(scene);
    if (!silent)
        print_error("the log tells a secret\n");
    bool sound = broker_clear(&scene->broker);
    program_clear(&scene->answer);
    if (getenv("DEVREG_KEEP") != NULL)
        print_message("kept %s\n", scene->dir);
    else
        sound &= nftw(scene->dir, file_remove, 16, FTW_DEPTH | FTW_PHYS) == 0;
    crypto_wipe(scene, sizeof *scene);
    free(scene);
    return silent && sound && mosquitto_lib_cleanup() == 0 ? 0 : -1;
}

void scene_make_registry(struct scene *scene)
{
    if (access(scene->registry, F_OK) != 0)
        scene_do(scene, "init");
}

void scene_start(struct scene *scene, const char *config)
{
    scene_make_registry(scene);
    broker_configure(&scene->broker, config);
    broker_start(&scene->broker);
}

static int devreg_run(struct scene *scene, char *command)
{
    char *argv[24] = {DEVREG_PROGRAM, "-r", scene->registry};
    size_t count = 3;
    for (char *word = strtok(command, " "); word != NULL; word = strtok(NULL, " ")) {
        check(count < sizeof argv / sizeof *argv - 1);
        argv[count++] = word;
    }
    program_clear(&scene->answer);
    check(program_run(&scene->answer, argv));
    return scene->answer.status;
}

__attribute__((format(printf, 2, 0))) static int
devreg_format(struct scene *scene, const char *format, va_list arguments)
{
    char command[1024];
    int n = vsnprintf(command, sizeof command, format, arguments);
    check(n > 0 && (size_t)n < sizeof command);
    return devreg_run(scene, command);
}

int scene_try(struct scene *scene, const char *command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    int status = devreg_format(scene, command, arguments);
    va_end(arguments);
    return status;
}

void scene_do(struct scene *scene, const char *command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    int status = devreg_format(scene, command, arguments);
    va_end(arguments);
    if (status != 0)
        fail_msg("devreg %s ended with %d: %s", command, status, scene->answer.err);
}

void scene_remember(struct scene *scene, const char *device, const char *secret)
{
    check(scene->secret_count < SCENE_SECRETS_MAX);
    size_t i = scene->secret_count++;
    check(path_join(scene->secrets[i].device, sizeof scene->secrets[i].device, device, ""));
    check(path_join(scene->secrets[i].text, sizeof scene->secrets[i].text, secret, ""));
}

const char *scene_key(struct scene *scene, const char *device)
{
    for (size_t i = scene->secret_count; i-- > 0;)
        if (strcmp(scene->secrets[i].device, device) == 0)
            return scene->secrets[i].text;
    return NULL;
}

/* Runs `verb command` and remembers the key that it prints for the device named first. */
static void key_make(struct scene *scene, const char *verb, const char *command)
{
    char device[129];
    size_t size = strcspn(command, " ");
    check(size < sizeof device);
    memcpy(device, command, size);
    device[size] = '\0';
    scene_do(scene, "%s %s", verb, command);
    char *key = scene->answer.out;
    key[strcspn(key, "\n")] = '\0';
    check(*key != '\0');
    scene_remember(scene, device, key);
    crypto_wipe(key, scene->answer.out_size);
}

void scene_add(struct scene *scene, const char *command)
{
    key_make(scene, "add", command);
}

const char *scene_rotate(struct scene *scene, const char *command)
{
    char device[129];
    check(sscanf(command, "%128s", device) == 1);
    const char *old = scene_key(scene, device);
    check(old != NULL);
    key_make(scene, "rotate", command);
    return old;
}

void scene_write(struct scene *scene, const char *name, const char *text, mode_t mode)
{
    char path[BROKER_PATH_MAX * 2];
    check(snprintf(path, sizeof path, "%s/%s", scene->dir, name) < (int)sizeof path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(fd >= 0);
    check(fchmod(fd, mode) == 0);
    check(dprintf(fd, "%s\n", text) > 0);
    check(close(fd) == 0);
}

/* `login` with what it leaves open. */
static struct login login_fill(struct scene *scene, const struct login *login)
{
    struct login full = *login;
    if (full.key == NULL && full.user != NULL)
        full.key = scene_key(scene, full.user);
    else if (full.key != NULL && *full.key == '\0')
        full.key = NULL;
    if (full.port != 0)
        full.host = "127.0.0.1";
    else
        full.host = scene->broker.socket;
    return full;
}

struct client *scene_begin(struct scene *scene, const struct login *login)
{
    struct login full = login_fill(scene, login);
    struct client *client = client_begin(&full);
    client->next = scene->clients;
    scene->clients = client;
    return client;
}

struct client *scene_connect(struct scene *scene, const struct login *login)
{
    struct client *client = scene_begin(scene, login);
    (void)client_finish(client);
    return client;
}

struct client *scene_accept(struct scene *scene, const struct login *login)
{
    struct client *client = scene_connect(scene, login);
    if (client->connack != ACCEPTED)
        fail_msg("%s is refused with %d", login->user, client->connack);
    return client;
}

int scene_knock(struct scene *scene, const struct login *login)
{
    struct client *client = scene_connect(scene, login);
    int connack = client->connack;
    if (connack == ACCEPTED)
        client_disconnect(client);
    scene->clients = client->next;
    client_free(client);
    return connack;
}

void scene_refuse(struct scene *scene, const struct login *login)
{
    int connack = scene_knock(scene, login);
    if (connack != (login->version == 5 ? REFUSED_V5 : REFUSED_V3))
        fail_msg("%s is answered with %d", login->user, connack);
}

struct client *scene_device(struct scene *scene, const char *device)
{
    return scene_accept(scene, LOGIN(.user = device));
}

struct websocket *scene_websocket(struct scene *scene, const struct login *login)
{
    struct login full = login_fill(scene, login);
    full.port = scene->broker.ws_port;
    assert_int_equal(websocket_connect(&scene->websocket, &full), ACCEPTED);
    return &scene->websocket;
}
