#include "admin/command_line.h"

#include <stdio.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/complete.h"
#include "admin/help.h"
#include "admin/nearest.h"

const struct command *command_find(int argc, char *const *argv, int at, int *words)
{
    const struct command *found = NULL;
    for (size_t i = 0; i < command_count; i++) {
        const char *name = commands[i].name;
        size_t first = strcspn(name, " ");
        if (strncmp(name, argv[at], first) != 0 || argv[at][first])
            continue;
        bool two = name[first];
        if (two && (at + 1 == argc || strcmp(name + first + 1, argv[at + 1]) != 0))
            continue;
        if (!found || two) {
            found = &commands[i];
            *words = two ? 2 : 1;
        }
    }
    return found;
}

bool is_group(const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i < command_count; i++) {
        if (strncmp(commands[i].name, word, length) == 0 && commands[i].name[length] == ' ')
            return true;
    }
    return false;
}

/* The verb that `word` may have meant, or NULL. */
static const char *nearest_command(const char *word)
{
    struct nearest nearest = nearest_to(word, strlen(word));
    for (size_t i = 0; i < command_count; i++)
        nearest_offer(&nearest, commands[i].name);
    return nearest.found;
}

/* What others call a verb, where no edit of a letter or two leads there. */
static const char *same_as(const char *word)
{
    static const char *const words[][2] = {
        {"create", "add"},      {"new", "add"},          {"ls", "list"},
        {"delete", "remove"},   {"del", "remove"},       {"rm", "remove"},
        {"passwd", "password"}, {"info", "show"},        {"get", "show"},
        {"block", "disable"},   {"ban", "revoke"},       {"test", "explain"},
        {"verify", "check"},    {"status", "stats"},     {"roles", "role list"},
        {"dump", "export"},     {"load", "import"},      {"monitor", "watch"},
        {"grant", "allow"},     {"version", "--version"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i][0], word) == 0)
            return words[i][1];
    }
    return NULL;
}

/* The verb that two words may have meant, or NULL: the second may have another name. */
static const char *meant_by_two(const char *word, const char *next)
{
    char two[NEAREST_MAX + 1];
    const char *same = is_group(word) ? same_as(next) : NULL;
    snprintf(two, sizeof two, "%.*s %.*s", NEAREST_MAX / 2, word, NEAREST_MAX / 2,
             same ? same : next);
    return nearest_command(two);
}

/* argv[at] begins no verb, or not with what follows it. */
static enum status unknown_command(struct call *call, int argc, char *const *argv, int at)
{
    const char *word = argv[at], *next = at + 1 < argc ? argv[at + 1] : "", *second = "";
    bool group = is_group(word);
    const char *meant = group ? NULL : same_as(word);
    if (!meant)
        meant = nearest_command(word);
    if (!meant && *next) {
        second = next;
        meant = meant_by_two(word, next);
    }
    if (meant)
        return complain(call, STATUS_MISUSE,
                        "'" SHOWN "%s" SHOWN "' is no verb: did you mean '%s'?", word,
                        *second ? " " : "", second, meant);
    return complain(call, STATUS_MISUSE,
                    "'" SHOWN "%s" SHOWN "' is no verb: 'devreg %s%s--help' lists them all", word,
                    group ? " " : "", group ? second : "", group ? word : "", group ? " " : "");
}

/* `devreg role`, and no verb of it. */
static enum status group_alone(struct call *call, int argc, char *const *argv, int at)
{
    const char *group = argv[at], *word = at + 1 < argc ? argv[at + 1] : NULL;
    bool asks = word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);
    if (asks && help_group(stdout, group))
        return STATUS_DONE;
    if (word && word[0] != '-')
        return unknown_command(call, argc, argv, at);
    return complain(call, STATUS_MISUSE, "'%s' needs a verb: see 'devreg %s --help'", group, group);
}

/* `devreg help`, `devreg help VERB`. */
static enum status help_verb(struct call *call, int argc, char *const *argv, int at)
{
    int words;
    if (at == argc || argv[at][0] == '-') {
        help_all(stdout);
        return STATUS_DONE;
    }
    const struct command *command = command_find(argc, argv, at, &words);
    if (command)
        help_command(stdout, command);
    else if (!help_group(stdout, argv[at]))
        return unknown_command(call, argc, argv, at);
    return STATUS_DONE;
}

static enum status check_words(struct call *call, const struct command *command)
{
    size_t count = call->arguments.word_count;
    if (count >= command->words_min && count <= command->words_max)
        return STATUS_DONE;
    if (count < command->words_min)
        return complain(call, STATUS_MISUSE, "%s: too few arguments: write devreg %s %s",
                        command->name, command->name, command->words);
    return complain(call, STATUS_MISUSE,
                    "%s: '" SHOWN "' is one argument too many: write devreg %s%s%s", command->name,
                    call_word(call, command->words_max), command->name, command->words ? " " : "",
                    command->words ? command->words : "");
}

static enum status misread(struct call *call, const char *problem)
{
    return complain(call, STATUS_MISUSE, "%s", problem);
}

enum status command_line_read(struct call *call, int argc, char *const *argv)
{
    char problem[OPTION_PROBLEM_MAX + 1];
    int words;
    int at = arguments_parse(&call->arguments, argc, argv, 1, OPTIONS_FIRST, true, problem);
    if (at < 0)
        return misread(call, problem);
    if (call_option(call, OPT_VERSION)) {
        (void)puts("devreg " DEVREG_VERSION);
        return STATUS_DONE;
    }
    if (call_option(call, OPT_HELP))
        return help_verb(call, argc, argv, at);
    if (at == argc)
        return complain(call, STATUS_MISUSE, "which verb? 'devreg --help' lists them all");
    if (strcmp(argv[at], "help") == 0)
        return help_verb(call, argc, argv, at + 1);
    if (strcmp(argv[at], COMPLETE_VERB) == 0) {
        at += 1 + (at + 1 < argc && strcmp(argv[at + 1], "--") == 0);
        complete(call, argc - at, argv + at);
        return STATUS_DONE;
    }
    const struct command *command = command_find(argc, argv, at, &words);
    if (!command)
        return is_group(argv[at]) ? group_alone(call, argc, argv, at)
                                  : unknown_command(call, argc, argv, at);
    if (arguments_parse(&call->arguments, argc, argv, at + words, command->options | OPTIONS_COMMON,
                        false, problem) < 0)
        return misread(call, problem);
    if (call_option(call, OPT_HELP)) {
        help_command(stdout, command);
        return STATUS_DONE;
    }
    enum status status = check_words(call, command);
    if (!status)
        call->command = command;
    return status;
}
