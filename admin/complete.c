#include "admin/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command_line.h"
#include "admin/complete_names.h"
#include "admin/list_columns.h"
#include "admin/secret.h"
#include "registry/text.h"

enum { SUMMARY_MAX = 200, PLACE_MAX = 40, BEFORE_MAX = 300 };

/* What has been typed. */
struct typed {
    struct call *call;
    const char *current;           /* is being typed */
    const char *before;            /* stands before each candidate: "--role=" */
    const struct command *command; /* NULL while there is none */
    const char *group;             /* its first word, or that of verbs to come; or NULL */
    size_t words;                  /* arguments before the current one */
    enum option awaits;            /* its value is being typed; else OPT_COUNT */
    uint64_t given;
    bool options_end;
    bool helps; /* `devreg help VERB` */
    bool lost;  /* there is no such verb */
};

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void offer_line(const struct typed *typed, const char *candidate, const char *what)
{
    char shown[SUMMARY_MAX];
    (void)printf("%s%s\t%s\n", typed->before, candidate, text_escape(shown, sizeof shown, what));
}

static void offer(const struct typed *typed, const char *candidate, const char *what)
{
    if (begins(candidate, typed->current))
        offer_line(typed, candidate, what);
}

/* Names from the registry. */

struct named {
    const struct typed *typed;
    const char *sign; /* "@" before a role where a device could stand */
};

static void offer_name(void *context, const char *name, const char *note)
{
    const struct named *named = context;
    char candidate[DEVICE_ID_MAX + 2];
    snprintf(candidate, sizeof candidate, "%s%s", named->sign, name);
    offer_line(named->typed, candidate, note ? note : "...");
}

static void offer_names(const struct typed *typed, enum names names, const char *sign)
{
    struct named named = {typed, sign};
    struct registry *registry;
    const char *current = *typed->current ? typed->current : sign;
    if (!begins(current, sign) || registry_open(&registry, typed->call->dir, STORE_READ))
        return;
    if (registry_read(registry) == ERR_OK)
        names_complete(registry, names, current + strlen(sign), offer_name, &named);
    registry_end(registry);
    registry_close(registry);
}

static void offer_devices(const struct typed *typed)
{
    offer_names(typed, NAMES_DEVICES, "");
}

/* `--role pump` and `role show pump`; with "@" if that is typed. */
static void offer_roles(const struct typed *typed)
{
    offer_names(typed, NAMES_ROLES, typed->current[0] == '@' ? "@" : "");
}

static void offer_signed_roles(const struct typed *typed)
{
    offer_names(typed, NAMES_ROLES, "@");
}

/* What help calls by a placeholder. */

static void offer_nothing(const struct typed *typed)
{
    (void)typed;
}

static void offer_files(const struct typed *typed)
{
    (void)typed;
    (void)puts(":files");
}

static void offer_directories(const struct typed *typed)
{
    (void)typed;
    (void)puts(":directories");
}

static void offer_users(const struct typed *typed)
{
    (void)typed;
    (void)puts(":users");
}

static void offer_place(const struct typed *typed, const char *name);

/* What is behind the first `length` bytes of the word alone. */
static struct typed behind(const struct typed *typed, size_t length, char before[static BEFORE_MAX])
{
    struct typed rest = *typed;
    snprintf(before, BEFORE_MAX, "%s%.*s", typed->before, (int)length, typed->current);
    rest.before = before;
    rest.current += length;
    return rest;
}

/* "device,attr.site,sta" */
static void offer_columns(const struct typed *typed)
{
    char before[BEFORE_MAX];
    const char *comma = strrchr(typed->current, ',');
    struct typed rest = behind(typed, comma ? (size_t)(comma + 1 - typed->current) : 0, before);
    for (size_t i = 0; i < list_column_count; i++)
        offer(&rest, list_columns[i].name, "");
}

/* The options of `list` that are words of a condition, as selection.h says. */
static const enum option conditions[] = {OPT_ONLY_ROLE,   OPT_ONLY_STATE,  OPT_EXPIRING,
                                         OPT_UNUSED_KEY,  OPT_ONLY_ONLINE, OPT_ONLY_OFFLINE,
                                         OPT_OFFLINE_FOR, OPT_NEVER_SEEN};

/* "role=pu" */
static void offer_conditions(const struct typed *typed)
{
    char word[PLACE_MAX], before[BEFORE_MAX];
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        const struct option_row *row = &option_rows[conditions[i]];
        snprintf(word, sizeof word, "%s%s", row->name, row->value ? "=" : "");
        struct typed value = behind(typed, strlen(word), before);
        if (!row->value || !begins(typed->current, word))
            offer(typed, word, row->help);
        else
            offer_place(&value, row->value);
    }
}

/* "retain=n" */
static void offer_limits(const struct typed *typed)
{
    static const char *const words[] = {"none", "unlimited", "yes", "no", "0", "1", "2"};
    char word[PLACE_MAX];
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        uint32_t value;
        snprintf(word, sizeof word, "%s=", limit_name(limit));
        if (!begins(typed->current, word)) {
            offer(typed, word, limit_takes(limit));
            continue;
        }
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            bool number = words[i][0] <= '9' && limit != LIMIT_QOS;
            if (number || !limit_parse(limit, words[i], &value))
                continue;
            snprintf(word, sizeof word, "%s=%s", limit_name(limit), words[i]);
            offer(typed, word, "");
        }
    }
}

static const struct place {
    const char *name;
    void (*offer)(const struct typed *typed);
    const char *literals; /* instead: parted by blanks */
} places[] = {
    {"ID", offer_devices, NULL},
    {"DEVICE", offer_devices, NULL},
    {"@ROLE", offer_signed_roles, NULL},
    {"ROLE", offer_roles, NULL},
    {"NAME", offer_roles, NULL}, /* as in `role show NAME` */
    {"FILE", offer_files, NULL},
    {"DIR", offer_directories, NULL},
    {"USER", offer_users, NULL},
    {"CONDITION", offer_conditions, NULL},
    {"NAMES", offer_columns, NULL},
    {"ACTION", NULL, "publish subscribe all"},
    {"STATE", NULL, "enabled disabled revoked expired quarantined"},
    {"PATTERN", NULL, "any device prefix"},
    {"LIMIT=VALUE", offer_limits, NULL},
    {"FILTER", offer_nothing, NULL},
    {"TOPIC", offer_nothing, NULL},
    {"NAME=VALUE", offer_nothing, NULL},
    {"TEXT", offer_nothing, NULL},
    {"TIME", offer_nothing, NULL},
    {"WHEN", offer_nothing, NULL},
    {"N", offer_nothing, NULL},
    {"-", offer_nothing, NULL},
};

static const struct place *place_find(const char *name)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (strcmp(places[i].name, name) == 0)
            return &places[i];
    }
    return NULL;
}

bool complete_knows(const char *placeholder)
{
    return place_find(placeholder) != NULL;
}

static void offer_literals(const struct typed *typed, const char *literals)
{
    char word[PLACE_MAX];
    for (size_t length; *literals; literals += length + (literals[length] == ' ')) {
        length = strcspn(literals, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, literals);
        offer(typed, word, "");
    }
}

/* A word in lower case stands for itself. */
static void offer_place(const struct typed *typed, const char *name)
{
    const struct place *place = place_find(name);
    if (place && place->literals)
        offer_literals(typed, place->literals);
    else if (place)
        place->offer(typed);
    else if (name[0] >= 'a' && name[0] <= 'z')
        offer(typed, name, "");
}

/* "ID", or one of "TIME|N", or "[DEVICE...]". It ends with a blank. */
static void offer_places(const struct typed *typed, const char *text)
{
    static const char separators[] = "[]|.";
    char name[PLACE_MAX];
    const char *end = text + strcspn(text, " ");
    for (const char *at = text + strspn(text, separators); at < end; at += strspn(at, separators)) {
        size_t length = strcspn(at, "[]|. ");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        offer_place(typed, name);
        at += length;
    }
}

/* What stands in the `words` of a verb: "ID", "DEVICE|@ROLE ACTION FILTER", "[DEVICE...]", and
 * behind a "|" of its own the options that may stand instead: "ID | --count N --prefix TEXT". */

static const char *skip_word(const char *at)
{
    at += strcspn(at, " ");
    return at + strspn(at, " ");
}

static const char *skip_instead(const char *at)
{
    while (begins(at, "| ")) {
        at += 2;
        while (begins(at, "--"))
            at = skip_word(skip_word(at));
    }
    return at;
}

/* The place of the argument with that number, NULL behind the last. */
static const char *place_of(const char *words, size_t number)
{
    const char *at = words ? skip_instead(words) : "";
    for (; *at && number > 0; number--) {
        const char *dots = strstr(at, "...");
        if (dots && dots < at + strcspn(at, " "))
            break; /* the last one goes on */
        at = skip_instead(skip_word(at));
    }
    return *at ? at : NULL;
}

static void offer_argument(const struct typed *typed)
{
    const struct command *command = typed->command;
    bool many = typed->given & OPTION_BIT(OPT_WHERE); /* which stands for the first */
    const char *at = place_of(command->words, typed->words + many);
    bool is_new = command->run == cmd_add || command->run == cmd_role_add;
    if (at && !(is_new && typed->words == 0))
        offer_places(typed, at);
}

/* Options and verbs. */

static uint64_t allowed(const struct typed *typed)
{
    return typed->command ? typed->command->options | OPTIONS_COMMON : OPTIONS_FIRST;
}

static void offer_options(const struct typed *typed)
{
    char name[PLACE_MAX];
    for (enum option option = 0; option < OPT_COUNT; option++) {
        uint64_t bit = OPTION_BIT(option);
        if (!(allowed(typed) & bit) || (typed->given & bit && !option_rows[option].repeats))
            continue;
        snprintf(name, sizeof name, "--%s", option_rows[option].name);
        offer(typed, name, option_rows[option].help);
    }
}

static void offer_value(const struct typed *typed, enum option option)
{
    const char *value = option_rows[option].value;
    if (value && option != OPT_UNSET) /* its NAME is an attribute's */
        offer_places(typed, value);
}

/* The second words of verbs that begin with typed->group. */
static void offer_members(const struct typed *typed)
{
    size_t length = strlen(typed->group);
    for (size_t i = 0; i < command_count; i++) {
        const char *name = commands[i].name;
        if (begins(name, typed->group) && name[length] == ' ')
            offer(typed, name + length + 1, commands[i].summary);
    }
}

/* Each first word once, with the summary of the verb that has no other. */
static void offer_verbs(const struct typed *typed)
{
    char word[PLACE_MAX], last[PLACE_MAX] = "", members[SUMMARY_MAX];
    for (size_t i = 0; i < command_count; i++) {
        size_t length = strcspn(commands[i].name, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, commands[i].name);
        snprintf(members, sizeof members, "See 'devreg %s --help'", word);
        if (strcmp(word, last) != 0)
            offer(typed, word, commands[i].name[length] ? members : commands[i].summary);
        memcpy(last, word, sizeof last);
    }
    if (!typed->helps)
        offer(typed, "help", "Show what a verb does");
}

/* Reading what stands before the current word. */

static void read_option(struct typed *typed, const char *word)
{
    size_t length;
    enum option option = option_of_word(word, allowed(typed), &length);
    if (option == OPT_COUNT)
        return;
    const char *value = word[length] ? word + length + (word[length] == '=') : NULL;
    typed->given |= OPTION_BIT(option);
    if (option_rows[option].value && !value)
        typed->awaits = option;
    else if (option == OPT_REGISTRY)
        typed->call->dir = value;
}

/* Reads the verb at words[at]. Returns how many words it has. */
static int read_verb(struct typed *typed, int count, char *const *words, int at)
{
    int used = 1;
    if (!typed->helps && strcmp(words[at], "help") == 0) {
        typed->helps = true;
        return 1;
    }
    typed->command = command_find(count, words, at, &used);
    if (!typed->command)
        used = 1;
    if (is_group(words[at]) && used == 1)
        typed->group = words[at];
    typed->lost = !typed->command && !typed->group;
    return used;
}

static void read_words(struct typed *typed, int count, char *const *words)
{
    for (int at = 0; at < count; at++) {
        const char *word = words[at];
        if (typed->awaits != OPT_COUNT) {
            if (typed->awaits == OPT_REGISTRY)
                typed->call->dir = word;
            typed->awaits = OPT_COUNT;
        } else if (!typed->options_end && strcmp(word, "--") == 0) {
            typed->options_end = true;
        } else if (!typed->options_end && word[0] == '-' && word[1]) {
            read_option(typed, word);
        } else if (typed->command || typed->group || typed->lost) {
            typed->words++;
        } else {
            at += read_verb(typed, count, words, at) - 1;
        }
    }
}

/* "--role=pu": the value is being typed. */
static bool offer_joined(const struct typed *typed)
{
    size_t length;
    char before[BEFORE_MAX];
    const char *word = typed->current;
    enum option option = option_of_word(word, allowed(typed), &length);
    if (option == OPT_COUNT || word[1] != '-' || word[length] != '=')
        return false;
    struct typed value = behind(typed, length + 1, before);
    offer_value(&value, option);
    return true;
}

static void answer(const struct typed *typed)
{
    if (typed->lost)
        return;
    if (typed->awaits != OPT_COUNT) {
        offer_value(typed, typed->awaits);
    } else if (!typed->options_end && typed->current[0] == '-') {
        if (!typed->helps && !offer_joined(typed))
            offer_options(typed);
    } else if (!typed->command && !typed->group) {
        offer_verbs(typed);
    } else {
        if (typed->group && typed->words == 0)
            offer_members(typed);
        if (typed->command && !typed->helps)
            offer_argument(typed);
    }
}

void complete(struct call *call, int count, char *const *words)
{
    struct typed typed = {.call = call, .before = "", .awaits = OPT_COUNT};
    const char *variable = getenv("DEVREG_REGISTRY");
    call->dir = variable && *variable ? variable : REGISTRY_DIR;
    if (count < 1 || secrets_guard(call)) {
        call->complaint[0] = '\0';
        return;
    }
    typed.current = words[count - 1];
    read_words(&typed, count - 1, words);
    answer(&typed);
}
