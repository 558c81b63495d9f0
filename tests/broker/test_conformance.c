/* test_conformance.c - a broker with the plugin answers as one without, byte for byte.
 *
 *   conformance/NAME.mqtt --> each step to the broker without the plugin, and to the one with it
 *                         --> all packets that they answer, by peer: the same
 *                         --> is it what the standard says? If not it is noted: it is Mosquitto's
 * own
 *
 * Each script is played twice: by clients without a username, for whom `anonymous_role` is open,
 * and by a device that may do everything. A script is lines:
 *
 *   case TEXT              begins a case. Its connections end with it, its sessions may stay
 *   says TEXT              what the standard has to say about what follows
 *   a> WORDS               peer a sends that, see script.h, and connects first where need be
 *   a>> WORDS              the same, and from then on it sends nothing else, not even to ask
 *   a< PATTERN or end      what has to come to a next; `A || B` where either will do
 *   a drop                 a closes its connection
 *   a wait                 until something comes, however long that takes
 *   reload, restart        SIGHUP; SIGTERM, and it is started again
 *   hide WORDS             in this case what comes behind these bytes is a number of seconds
 *   differs TEXT           the next step has to end otherwise with the plugin: why it does
 *   let NAME = WORDS
 *
 * $DEVREG_PLAY names the tests to play, as `narrow*` or, for all others, `-narrow*`. What a
 * broker says otherwise than the standard does is printed as a note: it is so without the plugin
 * too. $DEVREG_TRANSCRIPT is the name of a file that all answers of the broker with the plugin are
 * appended to.
 */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"
#include "stage.h"

enum { PLAIN, DEVREG, BROKERS, LINE_MAX_SIZE = 600, HIDE_MAX = 8 };

struct play {
    struct scene *scenes[BROKERS];
    struct stage stages[BROKERS];
    struct script script;
    char path[128], name[LINE_MAX_SIZE], says[LINE_MAX_SIZE], differs[LINE_MAX_SIZE];
    int line;
    uint8_t hide[HIDE_MAX];
    size_t hide_size;
    bool done;
    bool tells; /* notes what is not as the standard says */
    size_t cases, answers, differences, notes;
    uint8_t hello[256];
    FILE *transcript;
};

/* ---- telling */

static const char *type_name(const struct answer *answer)
{
    static const char *const names[] = {"reserved 0", "CONNECT",  "CONNACK",     "PUBLISH",
                                        "PUBACK",     "PUBREC",   "PUBREL",      "PUBCOMP",
                                        "SUBSCRIBE",  "SUBACK",   "UNSUBSCRIBE", "UNSUBACK",
                                        "PINGREQ",    "PINGRESP", "DISCONNECT",  "AUTH"};
    return answer->size == 0 ? "end" : names[answer->bytes[0] >> 4];
}

static void answer_print(FILE *to, size_t peer, const struct answer *answer)
{
    enum { SHOWN = 80 };
    (void)fprintf(to, "  %c< %s ", (char)('a' + peer), type_name(answer));
    for (size_t i = 0; i < answer->size && i < SHOWN; i++)
        (void)fprintf(to, "%02x", answer->bytes[i]);
    (void)fputs(answer->size > 0 ? "  " : "", to);
    for (size_t i = 0; i < answer->size && i < SHOWN; i++)
        (void)fputc(isprint(answer->bytes[i]) ? answer->bytes[i] : '.', to);
    (void)fprintf(to, answer->size > SHOWN ? " ... %zu bytes\n" : "\n", answer->size);
}

static void stage_print(FILE *to, const struct stage *stage)
{
    for (size_t i = 0; i < PEERS; i++)
        for (size_t k = 0; k < stage->peers[i].answer_count; k++)
            answer_print(to, i, &stage->peers[i].answers[k]);
}

static _Noreturn void play_fail(struct play *play, const char *why)
{
    (void)fprintf(stderr, "%s:%d: %s: %s\nwithout the plugin:\n", play->path, play->line,
                  play->name, why);
    stage_print(stderr, &play->stages[PLAIN]);
    (void)fputs("with it:\n", stderr);
    stage_print(stderr, &play->stages[DEVREG]);
    fail_msg("%s:%d: %s: %s", play->path, play->line, play->name, why);
    abort();
}

static void note(struct play *play, size_t peer, const char *what, const struct answer *answer)
{
    play->notes++;
    if (!play->tells)
        return;
    (void)printf("note: %s:%d: %s. %s\n  %c should get %s, with and without the plugin it gets\n",
                 play->path, play->line, play->name, play->says, (char)('a' + peer), what);
    if (answer)
        answer_print(stdout, peer, answer);
    else
        (void)printf("  nothing\n");
}

/* ---- comparing */

/* What differs from one run to the next: a client id that the broker made up, seconds that pass. */
static void answer_normalise(const struct play *play, struct answer *answer)
{
    static const char made_up[] = "auto-";
    enum { UUID = 36 };
    uint8_t *at = memmem(answer->bytes, answer->size, made_up, sizeof made_up - 1);
    size_t left = at ? answer->size - (size_t)(at - answer->bytes) : 0;
    if (left >= sizeof made_up - 1 + UUID)
        memset(at + sizeof made_up - 1, 'x', UUID);
    at = play->hide_size > 0 ? memmem(answer->bytes, answer->size, play->hide, play->hide_size)
                             : NULL;
    if (at && at + play->hide_size < answer->bytes + answer->size)
        at[play->hide_size] = 0;
}

static bool answers_equal(const struct play *play, struct peer *plain, struct peer *devreg)
{
    bool equal = plain->answer_count == devreg->answer_count;
    for (size_t i = 0; i < plain->answer_count; i++)
        answer_normalise(play, &plain->answers[i]);
    for (size_t i = 0; i < devreg->answer_count; i++)
        answer_normalise(play, &devreg->answers[i]);
    for (size_t i = 0; i < plain->answer_count && equal; i++)
        equal =
            plain->answers[i].size == devreg->answers[i].size &&
            memcmp(plain->answers[i].bytes, devreg->answers[i].bytes, plain->answers[i].size) == 0;
    return equal;
}

static void compare(struct play *play)
{
    bool equal = true, expected = play->differs[0] == '\0';
    for (size_t i = 0; i < PEERS; i++) {
        equal &= answers_equal(play, &play->stages[PLAIN].peers[i], &play->stages[DEVREG].peers[i]);
        play->answers += play->stages[PLAIN].peers[i].answer_count;
    }
    if (equal && !expected)
        play_fail(play, "there is no such difference");
    if (!equal && expected)
        play_fail(play, "the answers differ");
    play->differences += !equal;
    play->differs[0] = '\0';
    if (play->transcript)
        stage_print(play->transcript, &play->stages[DEVREG]);
}

/* ---- steps */

/* The end after a DISCONNECT, or a CONNACK that refuses, needs no word. */
static bool goes_without_saying(const struct peer *peer, size_t at)
{
    const struct answer *before = at > 0 ? &peer->answers[at - 1] : NULL;
    return peer->answers[at].size == 0 && before && before->size >= 2 &&
           (before->bytes[0] == 0xe0 || (before->bytes[0] == 0x20 && before->bytes[3] != 0));
}

/* What came and was not named. */
static void step_end(struct play *play)
{
    for (size_t i = 0; i < PEERS; i++) {
        const struct peer *peer = &play->stages[PLAIN].peers[i];
        for (size_t k = 0; k < peer->answer_count; k++)
            if (!peer->answers[k].named && !goes_without_saying(peer, k))
                note(play, i, "nothing more", &peer->answers[k]);
    }
    for (int i = 0; i < BROKERS; i++)
        stage_forget(&play->stages[i]);
}

static void step_send(struct play *play, size_t peer, const char *words, bool quiet)
{
    for (int i = 0; i < BROKERS; i++) {
        struct units units = {0};
        play->script.id = play->stages[i].peers[peer].id;
        if (!script_encode(&play->script, words, &units))
            play_fail(play, play->script.why);
        stage_send(&play->stages[i], peer, &units, quiet);
        units_clear(&units);
    }
    for (int i = 0; i < BROKERS; i++)
        stage_settle(&play->stages[i]);
}

static void step_restart(struct play *play)
{
    for (int i = 0; i < BROKERS; i++) {
        stage_clear(&play->stages[i]);
        broker_restart(play->stages[i].broker);
    }
}

static void step_reload(struct play *play)
{
    for (int i = 0; i < BROKERS; i++) {
        broker_reload(play->stages[i].broker);
        stage_settle(&play->stages[i]);
    }
}

static void step_drop(struct play *play, size_t peer)
{
    for (int i = 0; i < BROKERS; i++) {
        stage_drop(&play->stages[i], peer);
        stage_settle(&play->stages[i]);
    }
}

static void step_wait(struct play *play, size_t peer)
{
    for (int i = 0; i < BROKERS; i++)
        stage_wait(&play->stages[i], peer);
}

static bool is_as_said(struct play *play, const char *pattern, const struct answer *answer)
{
    if (strcmp(pattern, "end") == 0)
        return answer->size == 0;
    bool matches =
        answer->size > 0 && script_matches(&play->script, pattern, answer->bytes, answer->size);
    if (play->script.why[0] != '\0')
        play_fail(play, play->script.why);
    return matches;
}

/* The first answer that no line has named yet, and that is not only of a later type: packets of one
 * type have their order. */
static bool name_answer(struct play *play, struct peer *peer, const char *pattern)
{
    unsigned passed = 0; /* types */
    for (size_t i = 0; i < peer->answer_count; i++) {
        struct answer *answer = &peer->answers[i];
        unsigned type = answer->size > 0 ? 1U << (answer->bytes[0] >> 4) : ~0U;
        if (answer->named)
            continue;
        if (!(passed & type) && is_as_said(play, pattern, answer))
            return answer->named = true;
        passed |= type;
    }
    return false;
}

static void step_expect(struct play *play, size_t number, char *patterns)
{
    static const char either[] = " || ";
    struct peer *peer = &play->stages[PLAIN].peers[number];
    struct answer *answer = NULL;
    char all[LINE_MAX_SIZE];
    check(path_join(all, sizeof all, patterns, ""));
    play->script.id = peer->id;
    for (char *pattern = patterns, *next; pattern; pattern = next) {
        if ((next = strstr(pattern, either))) {
            *next = '\0';
            next += sizeof either - 1;
        }
        if (name_answer(play, peer, pattern))
            return;
    }
    for (size_t i = peer->answer_count; i-- > 0;)
        answer = peer->answers[i].named ? answer : &peer->answers[i];
    note(play, number, all, answer);
    if (answer)
        answer->named = true; /* it has been told */
}

static void case_end(struct play *play)
{
    step_end(play);
    for (size_t peer = 0; peer < PEERS; peer++)
        for (int i = 0; i < BROKERS; i++)
            stage_drop(&play->stages[i], peer);
    for (int i = 0; i < BROKERS; i++) {
        stage_settle(&play->stages[i]);
        stage_forget(&play->stages[i]);
    }
    play->hide_size = 0;
    play->says[0] = '\0';
}

static void hide(struct play *play, const char *words)
{
    struct units units = {0};
    if (!script_encode(&play->script, words, &units) || units.count > HIDE_MAX)
        play_fail(play, "what is to be hidden?");
    for (size_t i = 0; i < units.count; i++)
        play->hide[i] = (uint8_t)units.at[i];
    play->hide_size = units.count;
    units_clear(&units);
}

static const char *after(const char *line, const char *word)
{
    size_t size = strlen(word);
    return strncmp(line, word, size) == 0 ? line + size : NULL;
}

/* A line that begins with the letter of a peer. */
static void play_peer(struct play *play, char *line)
{
    size_t peer = (size_t)(line[0] - 'a');
    if (line[0] < 'a' || line[0] > 'z')
        play_fail(play, "no such line");
    if (strncmp(line + 1, "< ", 2) == 0) {
        step_expect(play, peer, line + 3);
        return;
    }
    step_end(play);
    if (strncmp(line + 1, "> ", 2) == 0)
        step_send(play, peer, line + 3, false);
    else if (strncmp(line + 1, ">> ", 3) == 0)
        step_send(play, peer, line + 4, true);
    else if (strcmp(line + 1, " drop") == 0)
        step_drop(play, peer);
    else if (strcmp(line + 1, " wait") == 0)
        step_wait(play, peer);
    else
        play_fail(play, "no such line");
    compare(play);
}

static void text_set(char to[static LINE_MAX_SIZE], const char *text)
{
    check(path_join(to, LINE_MAX_SIZE, text, ""));
}

/* A step that is no peer's. */
static void play_brokers(struct play *play, void (*step)(struct play *play))
{
    step_end(play);
    step(play);
    compare(play);
}

static void play_line(struct play *play, char *line)
{
    const char *rest;
    if (play->transcript)
        (void)fprintf(play->transcript, "%s\n", line);
    if (line[0] == '\0' || line[0] == '#')
        return;
    if ((rest = after(line, "case "))) {
        case_end(play);
        text_set(play->name, rest);
        play->cases++;
    } else if ((rest = after(line, "says "))) {
        text_set(play->says, rest);
    } else if ((rest = after(line, "differs "))) {
        text_set(play->differs, rest);
    } else if ((rest = after(line, "hide "))) {
        hide(play, rest);
    } else if ((rest = after(line, "let "))) {
        if (!script_let(&play->script, rest))
            play_fail(play, play->script.why);
    } else if (strcmp(line, "reload") == 0) {
        play_brokers(play, step_reload);
    } else if (strcmp(line, "restart") == 0) {
        play_brokers(play, step_restart);
    } else {
        play_peer(play, line);
    }
}

static void play_file(struct play *play, const char *name)
{
    char path[512], line[LINE_MAX_SIZE];
    check(snprintf(path, sizeof path, "%s/%s.mqtt", DEVREG_CONFORMANCE, name) < (int)sizeof path);
    check(snprintf(play->path, sizeof play->path, "%s.mqtt", name) < (int)sizeof play->path);
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("cannot read %s", path);
    for (play->line = 1; fgets(line, sizeof line, file); play->line++) {
        check(strchr(line, '\n') != NULL);
        line[strcspn(line, "\n")] = '\0';
        play_line(play, line);
    }
    check(fclose(file) == 0);
}

/* ---- brokers */

#define CONF_OPEN CONF_SOCKET "allow_anonymous true\n" CONF_PERSISTENCE
/* All that can be kept short. */
#define CONF_NARROW                                                                                \
    "max_packet_size 300\nmax_keepalive 600\nmax_inflight_messages 2\nmax_queued_messages 3\n"     \
    "retain_available false\nmax_qos 1\nmax_topic_alias 2\nallow_zero_length_clientid false\n"
#define CONF_ROLE CONF_PLUGIN "plugin_opt_anonymous_role open\n"

static void devreg_prepare(struct play *play, struct scene *scene, bool device)
{
    static const char *const rules[] = {"all #", "all $SYS/#", "all $CONTROL/#", "all $open/#"};
    scene_make_registry(scene);
    scene_do(scene, "role add open");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        scene_do(scene, "allow @open %s", rules[i]);
    /* They would come to #. */
    scene_do(scene, "deny @open subscribe devreg/presence/#");
    scene_do(scene, "deny @open subscribe devreg/summary");
    scene_add(scene, "probe --role open");
    scene_add(scene, "taken");
    play->script.user = device ? "probe" : NULL;
    play->script.key = device ? scene_key(scene, "probe") : NULL;
}

static void hello_make(struct play *play)
{
    struct units units = {0};
    check(script_encode(&play->script, "10 ( 'MQTT' 04 @02 0200 'control' @ )", &units));
    check(units.count <= sizeof play->hello);
    for (size_t i = 0; i < units.count; i++)
        play->hello[i] = (uint8_t)units.at[i];
    for (int i = 0; i < BROKERS; i++) {
        play->stages[i].hello = play->hello;
        play->stages[i].hello_size = units.count;
    }
    units_clear(&units);
}

static void play_begin(struct play *play, const char *options, bool device)
{
    char config[1024];
    const char *transcript = getenv("DEVREG_TRANSCRIPT");
    devreg_prepare(play, play->scenes[DEVREG], device);
    for (int i = 0; i < BROKERS; i++) {
        struct broker *broker = &play->scenes[i]->broker;
        check(snprintf(config, sizeof config, "%s%s%s", CONF_OPEN, options,
                       i == DEVREG ? CONF_ROLE : "") < (int)sizeof config);
        broker_configure(broker, config);
        broker_start(broker);
        stage_init(&play->stages[i], broker);
    }
    hello_make(play);
    play->tells = !device;
    play->transcript = transcript ? fopen(transcript, "ae") : NULL;
}

static void play_end(struct play *play)
{
    for (int i = 0; i < BROKERS; i++)
        stage_clear(&play->stages[i]);
    script_clear(&play->script);
    if (play->transcript)
        check(fclose(play->transcript) == 0);
}

/* Those scripts one after the other, with the same brokers. */
static void perform(struct play *play, const char *const *names, const char *options, bool device)
{
    play_begin(play, options, device);
    play_file(play, "words");
    for (; *names; names++) {
        const struct play before = *play;
        play_file(play, *names);
        case_end(play);
        (void)printf(
            "%s: %zu cases, %zu answers compared, %zu steps differ as they have to, %zu notes\n",
            *names, play->cases - before.cases, play->answers - before.answers,
            play->differences - before.differences, play->notes - before.notes);
        check(play->cases > before.cases && play->answers > before.answers);
    }
    play_end(play);
    play->done = true;
}

static int play_open(void **state)
{
    struct play *play = calloc(1, sizeof *play);
    check(play != NULL);
    for (int i = 0; i < BROKERS; i++) {
        void *scene = NULL;
        check(scene_open(&scene) == 0);
        play->scenes[i] = scene;
    }
    *state = play;
    return 0;
}

static int play_close(void **state)
{
    struct play *play = *state;
    int sound = 0;
    if (!play->done)
        print_error("it ended at %s:%d\n", play->path, play->line);
    for (int i = 0; i < BROKERS; i++) {
        void *scene = play->scenes[i];
        sound |= scene_close(&scene);
    }
    free(play);
    return sound;
}

#define BOTH_WAYS(name, options, ...)                                                              \
    static const char *const name##_scripts[] = {__VA_ARGS__, NULL};                               \
    static void name##_anonymous(void **state)                                                     \
    {                                                                                              \
        perform(*state, name##_scripts, options, false);                                           \
    }                                                                                              \
    static void name##_of_a_device(void **state)                                                   \
    {                                                                                              \
        perform(*state, name##_scripts, options, true);                                            \
    }

BOTH_WAYS(usual, "", "connect", "publish", "subscribe", "mqtt5", "malformed", "own", "session",
          "retain")
BOTH_WAYS(narrow, CONF_NARROW, "narrow")
BOTH_WAYS(timed, "", "timed")

#define PLAY(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name##_anonymous, play_open, play_close),                      \
        cmocka_unit_test_setup_teardown(name##_of_a_device, play_open, play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAY(usual),
        PLAY(narrow),
        PLAY(timed),
    };
    const char *which = getenv("DEVREG_PLAY");
    if (which && *which == '-')
        cmocka_set_skip_filter(which + 1);
    else if (which)
        cmocka_set_test_filter(which);
    return cmocka_run_group_tests_name("conformance", tests, NULL, NULL);
}
