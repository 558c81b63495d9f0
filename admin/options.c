#include "admin/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/nearest.h"

#define WHEN_HELP "90d, 12h, 2027-01-31, 2027-01-31T12:00:00Z (UTC)"

const struct option_row option_rows[OPT_COUNT] = {
    [OPT_REGISTRY] = {"registry", 'r', "DIR", false,
                      "the registry (else $DEVREG_REGISTRY, else /var/lib/devreg)"},
    [OPT_JSON] = {"json", 0, NULL, false, "answer in JSON; times are ms since 1970"},
    [OPT_HELP] = {"help", 'h', NULL, false, "show this help"},
    [OPT_VERSION] = {"version", 'V', NULL, false, "show the version"},
    [OPT_USER] = {"user", 0, "USER", false,
                  "the broker's user (else mosquitto if run by root, else you)"},
    [OPT_ROLE] = {"role", 0, "ROLE", true, "give it this role and not 'device'; may be repeated"},
    [OPT_NO_ROLE] = {"no-role", 0, NULL, false, "give it no role"},
    [OPT_SET] = {"set", 0, "NAME=VALUE", true, "set an attribute; may be repeated"},
    [OPT_EXPIRES] = {"expires", 0, "WHEN", false, "it ends then: " WHEN_HELP ", never"},
    [OPT_NOTE] = {"note", 0, "TEXT", false, "a note for people"},
    [OPT_CLIENT_ID] = {"client-id", 0, "PATTERN", false,
                       "the client ids it may use: any, device, prefix, or text with %u and *"},
    [OPT_NO_KEY] = {"no-key", 0, NULL, false, "make no key now; see 'devreg rotate'"},
    [OPT_PASSWORD] = {"password", 0, NULL, false, "for a person: ask for a password, make no key"},
    [OPT_PASSWORD_FILE] = {"password-file", 0, "FILE", false,
                           "the password is the first line of FILE; - is stdin"},
    [OPT_FROM] = {"from", 0, "FILE", false, "add a device for each line of FILE; - is stdin"},
    [OPT_COUNT_OF] = {"count", 0, "N", false, "add N devices: --prefix and a number"},
    [OPT_PREFIX] = {"prefix", 0, "TEXT", false, "what stands before the number, as pump-"},
    [OPT_START] = {"start", 0, "N", false, "the first number (else 1)"},
    [OPT_KEYS] = {"keys", 0, "FILE", false,
                  "the keys go to this new file, which only you can read; else to stdout"},
    [OPT_KEEP_GOING] = {"keep-going", 0, NULL, false, "add the good lines though others are bad"},
    [OPT_DRY_RUN] = {"dry-run", 0, NULL, false, "only check, and tell what would be done"},
    [OPT_UNSET] = {"unset", 0, "NAME", true, "remove an attribute; may be repeated"},
    [OPT_ROLES] = {"role", 0, "ROLE", true, "hold this role and no other; may be repeated"},
    [OPT_ADD_ROLE] = {"add-role", 0, "ROLE", true, "hold this role too; may be repeated"},
    [OPT_REMOVE_ROLE] = {"remove-role", 0, "ROLE", true, "hold it no longer; may be repeated"},
    [OPT_REASON] = {"reason", 0, "TEXT", false, "why; shown by 'show', 'explain' and 'log'"},
    [OPT_GRACE] = {"grace", 0, "TIME", false,
                   "how long the keys so far still work: 7d (the default), 12h, 0"},
    [OPT_UNTIL_USED] = {"until-used", 0, NULL, false,
                        "end the old keys with the first use of the new one, if that is earlier"},
    [OPT_LABEL] = {"label", 0, "TEXT", false, "a name for the new key, for people"},
    [OPT_QR] = {"qr", 0, NULL, false, "draw the key on the terminal as a QR code"},
    [OPT_AS_CLIENT] = {"client-id", 0, "ID", false, "the client id that asks (else the device's)"},
    [OPT_ONLY_STATE] = {"state", 0, "STATE", false,
                        "only: enabled, disabled, revoked, expired, or quarantined"},
    [OPT_ONLY_ROLE] = {"role", 0, "ROLE", false, "only devices that hold this role"},
    [OPT_ONLY_SET] = {"set", 0, "NAME=VALUE", true,
                      "only devices with this attribute; may be repeated"},
    [OPT_ONLY_ONLINE] = {"online", 0, NULL, false, "only devices that are online"},
    [OPT_ONLY_OFFLINE] = {"offline", 0, NULL, false,
                          "only devices that were online once and are not now"},
    [OPT_OFFLINE_FOR] = {"offline-for", 0, "TIME", false,
                         "only devices that were not online for so long: 7d, 12h"},
    [OPT_NEVER_SEEN] = {"never-seen", 0, NULL, false,
                        "only devices that never connected since they were added"},
    [OPT_EXPIRING] = {"expiring", 0, "TIME", false,
                      "only devices that end, or one of whose keys ends, within 30d"},
    [OPT_UNUSED_KEY] = {"unused-key", 0, "TIME", false,
                        "only devices with a key or password that was not used for 365d"},
    [OPT_WHERE] = {"where", 0, "CONDITION", true,
                   "all devices that are so: site=kiel, role=pump, ...; may be repeated"},
    [OPT_FIRST] = {"limit", 0, "N", false, "only the first N of them"},
    [OPT_AFTER] = {"after", 0, "ID", false, "only those behind this id, in the order of the list"},
    [OPT_COLUMNS] = {"columns", 0, "NAMES", false, "these columns, parted by commas: see above"},
    [OPT_YES] = {"yes", 0, NULL, false, "do not ask whether so many devices are meant"},
    [OPT_OF_DEVICE] = {"device", 0, "ID", false, "only changes of this device"},
    [OPT_OF_ROLE] = {"role", 0, "ROLE", false, "only changes of this role"},
    [OPT_SINCE] = {"since", 0, "WHEN", false, "only changes since then: 7d (ago) or a date"},
    [OPT_LIMIT] = {"limit", 0, "N", false, "only the newest N of them"},
    [OPT_WITH_HASHES] = {"with-hashes", 0, NULL, false,
                         "with all credentials and the registry's secret: keep it safe"},
    [OPT_MOSQUITTO_PASSWD] = {"mosquitto-passwd", 0, "FILE", false,
                              "the users of Mosquitto's password_file, with their passwords"},
    [OPT_ACL_FILE] = {"acl-file", 0, "FILE", false, "what they may do, of Mosquitto's acl_file"},
    [OPT_PATTERN_ROLE] = {"pattern-role", 0, "ROLE", false,
                          "the role that its 'pattern' lines become (else 'patterns')"},
    [OPT_DYNSEC] = {"dynsec", 0, "FILE", false,
                    "all of the dynamic-security plugin's dynamic-security.json"},
    [OPT_FORCE] = {"force", 0, NULL, false, "replace what is there"},
    [OPT_ACCEPT_DAMAGE] = {"accept-damage", 0, NULL, false,
                           "even if some of its records are damaged: those deny"},
    [OPT_PRESENCE_STORE] = {"presence-store", 0, "DIR", false,
                            "the broker's (else $DEVREG_PRESENCE_STORE, else DIR/presence)"},
    [OPT_PLUGIN] = {"plugin", 0, "FILE", false,
                    "the devreg.so that the broker loads (else where it is installed)"},
    [OPT_REPAIR] = {"repair", 0, NULL, false, "count anew what is only counted, before"},
    [OPT_KEEP] = {"keep", 0, "TIME|N", false,
                  "what stays: 90d, a date (since then), or a number: the newest N"},
    [OPT_PRUNE] = {"prune", 0, NULL, false, "remove devices and roles that FILE does not name"},
};

bool arguments_init(struct arguments *arguments, int argc)
{
    size_t room = argc > 0 ? (size_t)argc : 1;
    *arguments = (struct arguments){.words = calloc(room, sizeof *arguments->words),
                                    .given = calloc(room, sizeof *arguments->given)};
    return arguments->words && arguments->given;
}

void arguments_clear(struct arguments *arguments)
{
    free(arguments->words);
    free(arguments->given);
    *arguments = (struct arguments){0};
}

const char *option_value(const struct arguments *arguments, enum option option)
{
    for (size_t i = arguments->given_count; i-- > 0;) {
        if (arguments->given[i].option == option)
            return arguments->given[i].value;
    }
    return NULL;
}

const char *option_next(const struct arguments *arguments, enum option option, size_t *at)
{
    while (*at < arguments->given_count) {
        const struct given *given = &arguments->given[(*at)++];
        if (given->option == option)
            return given->value;
    }
    return NULL;
}

/* What is being read. */
struct reader {
    struct arguments *arguments;
    int argc;
    char *const *argv;
    int at;
    uint64_t allowed;
    char *problem;
};

static bool row_is(enum option option, const char *name, size_t length, bool letter)
{
    const struct option_row *row = &option_rows[option];
    if (letter)
        return row->letter && row->letter == *name;
    return strlen(row->name) == length && memcmp(row->name, name, length) == 0;
}

/* OPT_COUNT for an unknown one. */
static enum option option_find(uint64_t allowed, const char *name, size_t length, bool letter)
{
    enum option option = 0;
    while (option < OPT_COUNT &&
           !((allowed & OPTION_BIT(option)) && row_is(option, name, length, letter)))
        option++;
    return option;
}

enum option option_of_word(const char *word, uint64_t allowed, size_t *length)
{
    bool letter = word[0] == '-' && word[1] != '-';
    *length = letter ? 2 : strcspn(word, "=");
    if (word[0] != '-' || !word[1] || (!letter && *length < 3))
        return OPT_COUNT;
    return letter ? option_find(allowed, word + 1, 1, true)
                  : option_find(allowed, word + 2, *length - 2, false);
}

static bool unknown_option(struct reader *reader, const char *name, size_t length)
{
    struct nearest nearest = nearest_to(name, length);
    for (enum option option = 0; option < OPT_COUNT; option++) {
        if (reader->allowed & OPTION_BIT(option))
            nearest_offer(&nearest, option_rows[option].name);
    }
    int shown = length > 60 ? 60 : (int)length;
    if (reader->allowed == OPTIONS_FIRST &&
        option_find(~(uint64_t)0, name, length, false) != OPT_COUNT)
        snprintf(reader->problem, OPTION_PROBLEM_MAX + 1,
                 "--%.*s belongs to some verbs: write it behind one of them", shown, name);
    else if (nearest.found)
        snprintf(reader->problem, OPTION_PROBLEM_MAX + 1,
                 "--%.*s: there is no such option here; did you mean --%s?", shown, name,
                 nearest.found);
    else
        snprintf(reader->problem, OPTION_PROBLEM_MAX + 1,
                 "--%.*s: there is no such option here; --help shows those there are", shown, name);
    return false;
}

static bool misused(struct reader *reader, const struct option_row *row, const char *how)
{
    snprintf(reader->problem, OPTION_PROBLEM_MAX + 1, "--%s %s", row->name, how);
    return false;
}

static bool take_option(struct reader *reader, enum option option, const char *value)
{
    const struct option_row *row = &option_rows[option];
    char example[OPTION_PROBLEM_MAX / 2];
    if (!row->value && value)
        return misused(reader, row, "takes no value: write it alone");
    if (row->value && !value && reader->at >= reader->argc) {
        snprintf(example, sizeof example, "needs a value: write --%s %s", row->name, row->value);
        return misused(reader, row, example);
    }
    if (!row->repeats && option_value(reader->arguments, option))
        return misused(reader, row, "is given twice: write it once");
    if (row->value && !value)
        value = reader->argv[reader->at++];
    reader->arguments->given[reader->arguments->given_count++] =
        (struct given){option, value ? value : ""};
    return true;
}

static bool read_long(struct reader *reader, const char *name)
{
    size_t length = strcspn(name, "=");
    enum option option = option_find(reader->allowed, name, length, false);
    if (option == OPT_COUNT)
        return unknown_option(reader, name, length);
    return take_option(reader, option, name[length] ? name + length + 1 : NULL);
}

static bool read_short(struct reader *reader, const char *letter)
{
    enum option option = option_find(reader->allowed, letter, 1, true);
    if (option == OPT_COUNT) {
        snprintf(reader->problem, OPTION_PROBLEM_MAX + 1,
                 "-%c: there is no such option here; --help shows those there are", *letter);
        return false;
    }
    return take_option(reader, option, letter[1] ? letter + 1 : NULL);
}

int arguments_parse(struct arguments *arguments, int argc, char *const *argv, int at,
                    uint64_t allowed, bool first_only, char problem[static OPTION_PROBLEM_MAX + 1])
{
    struct reader reader = {arguments, argc, argv, at, allowed, problem};
    bool options_end = false;
    while (reader.at < argc) {
        const char *word = argv[reader.at];
        if (options_end || word[0] != '-' || word[1] == '\0') {
            if (first_only)
                break;
            arguments->words[arguments->word_count++] = word;
            reader.at++;
            continue;
        }
        reader.at++;
        if (strcmp(word, "--") == 0)
            options_end = true;
        else if (!(word[1] == '-' ? read_long(&reader, word + 2) : read_short(&reader, word + 1)))
            return -1;
    }
    return reader.at;
}
