/* fuzz_options.c - plugin_opt_*: a line "name value" for each, and what they say of presence's
 * topic.
 *
 *   ID NAME=VALUE     of a device, for the topic; the first line
 *   NAME VALUE        an option
 */
#include <ctype.h>

#include "plugin/options.h"
#include "registry/access.h"
#include "registry/text.h"
#include "tests/fuzz/fuzz.h"

enum { OPTIONS_READ = 16 };

struct given {
    int count;
    char *lines[OPTIONS_READ];
    struct mosquitto_opt options[OPTIONS_READ];
};

static void given_read(struct given *given, struct input *input)
{
    *given = (struct given){0};
    while (input->size && given->count < OPTIONS_READ) {
        char *line = input_line(input), *value = strchr(line, ' ');
        if (value)
            *value++ = '\0';
        given->lines[given->count] = line;
        given->options[given->count++] = (struct mosquitto_opt){.key = line, .value = value};
    }
}

static bool is_twice(const struct given *given)
{
    bool twice = false;
    for (int a = 0; a < given->count; a++) {
        for (int b = 0; b < a; b++)
            twice |= strcmp(given->options[a].key, given->options[b].key) == 0;
    }
    return twice;
}

static const char *given_value(const struct given *given, const char *name)
{
    for (int i = 0; i < given->count; i++) {
        if (strcmp(given->options[i].key, name) == 0)
            return given->options[i].value;
    }
    return NULL;
}

/* One line, and nothing in it that moves a terminal. */
static void check_error(const char *error)
{
    HOLDS(memchr(error, '\0', OPTION_ERROR_MAX + 1) && *error);
    for (; *error; error++)
        HOLDS(isprint((unsigned char)*error));
}

/* Wherever the device's values lead, presence is published where nobody else may. */
static void check_topic(const struct options *options, const char *line)
{
    struct device device;
    char topic[PRESENCE_TOPIC_MAX + 1], id[DEVICE_ID_MAX + 1] = "d";
    const char *blank = strchr(line, ' ');
    size_t size = blank ? (size_t)(blank - line) : 0;
    if (size && size <= DEVICE_ID_MAX) {
        memcpy(id, line, size);
        id[size] = '\0';
    }
    device_init(&device, device_id_valid(id) ? id : "d");
    char *name =
        input_copy((const uint8_t *)(blank ? blank + 1 : ""), blank ? strlen(blank + 1) : 0);
    char *value = strchr(name, '=');
    if (value)
        *value++ = '\0';
    if (value && device_set_attribute(&device, name, value) != ERR_OK)
        HOLDS(device.attribute_count == 0);
    const struct subject subject = {device.id, device.attributes, device.attribute_count};
    presence_topic_make(topic, options->presence_topic, &subject);
    HOLDS(topic_name_valid(topic) && topic[0] != '$' && text_is_plain(topic, PRESENCE_TOPIC_MAX));
    HOLDS(topic_matches(options->presence_filter, topic));
    HOLDS(topic_reserved(topic, options->presence_filter));
    HOLDS(strstr(topic, device.id));
    free(name);
    device_clear(&device);
}

static void check_options(const struct options *options, const struct given *given)
{
    static const char *const texts[] = {"registry", "presence_store", "presence_topic",
                                        "anonymous_role"};
    const char *const kept[] = {options->registry, options->presence_store, options->presence_topic,
                                options->anonymous_role};
    HOLDS(!is_twice(given));
    HOLDS(options->registry[0] == '/' && options->presence_store[0] == '/');
    HOLDS(presence_pattern_valid(options->presence_topic));
    HOLDS(options->presence_delay <= PRESENCE_DELAY_MAX);
    HOLDS(!*options->anonymous_role || role_name_valid(options->anonymous_role));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *value = given_value(given, texts[i]);
        HOLDS(!value || strcmp(value, kept[i]) == 0);
    }
}

/* The order in which they stand never matters. */
static void check_order(const struct options *options, const struct given *given, bool good)
{
    static struct options other;
    struct mosquitto_opt turned[OPTIONS_READ];
    char error[OPTION_ERROR_MAX + 1];
    for (int i = 0; i < given->count; i++)
        turned[i] = given->options[given->count - 1 - i];
    HOLDS(options_read(&other, turned, given->count, error) == good);
    HOLDS(!good || options_equal(options, &other));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct options options;
    struct input input = {data, size};
    struct given given;
    char error[OPTION_ERROR_MAX + 1];
    if (size > FUZZ_INPUT_MAX)
        return 0;
    memset(error, 'x', sizeof error);
    char *device = input_line(&input);
    given_read(&given, &input);
    bool good = options_read(&options, given.options, given.count, error);
    if (good) {
        check_options(&options, &given);
        check_topic(&options, device);
    } else {
        check_error(error);
    }
    check_order(&options, &given, good);
    free(device);
    for (int i = 0; i < given.count; i++)
        free(given.lines[i]);
    return 0;
}
