#include "admin/help.h"

#include <string.h>

enum { NAME_WIDTH = 13, OPTION_WIDTH = 24 };

static void print_command_line(FILE *file, const struct command *command)
{
    (void)fprintf(file, "  %-*s %s\n", NAME_WIDTH, command->name, command->summary);
}

static void print_option(FILE *file, enum option option)
{
    const struct option_row *row = &option_rows[option];
    char name[OPTION_WIDTH + 40];
    snprintf(name, sizeof name, "%s%c%s--%s%s%s", row->letter ? "-" : " ",
             row->letter ? row->letter : ' ', row->letter ? ", " : "  ", row->name,
             row->value ? " " : "", row->value ? row->value : "");
    (void)fprintf(file, "  %-*s  %s\n", OPTION_WIDTH, name, row->help);
}

static void print_options(FILE *file, uint64_t options)
{
    for (enum option option = 0; option < OPT_COUNT; option++) {
        if (options & OPTION_BIT(option))
            print_option(file, option);
    }
}

void help_all(FILE *file)
{
    (void)fputs("Usage: devreg [-r DIR] VERB [ARGUMENT...] [OPTION...]\n\n"
                "Keys, topics and presence for the devices of a Mosquitto broker.\n\nVerbs:\n",
                file);
    for (size_t i = 0; i < command_count; i++)
        print_command_line(file, &commands[i]);
    (void)fputs("\nOptions, before or after the verb:\n", file);
    print_options(file, OPTIONS_FIRST);
    (void)fputs("\n'devreg VERB --help' tells more. A role is written @NAME where a device could "
                "stand.\n"
                "Lists are tables on a terminal, and else lines of cells parted by tabs, without a "
                "header.\n"
                "Exit status: 0 done, 1 no (not found, denied, there already), 2 used wrongly,\n"
                "3 the system failed. Where it is not 0, nothing was changed unless it says so.\n",
                file);
}

void help_command(FILE *file, const struct command *command)
{
    (void)fprintf(file, "Usage: devreg %s%s%s [OPTION...]\n\n%s.\n", command->name,
                  command->words ? " " : "", command->words ? command->words : "",
                  command->summary);
    if (command->details)
        (void)fprintf(file, "\n%s\n", command->details);
    (void)fputs("\nOptions:\n", file);
    print_options(file, command->options);
    print_options(file, OPTIONS_COMMON);
    (void)fprintf(file, "\nExamples:\n%s\n", command->examples);
}

bool help_group(FILE *file, const char *group)
{
    size_t length = strlen(group);
    bool found = false;
    for (size_t i = 0; i < command_count; i++) {
        if (strncmp(commands[i].name, group, length) != 0 || commands[i].name[length] != ' ')
            continue;
        if (!found)
            (void)fprintf(file, "Usage: devreg %s VERB [ARGUMENT...] [OPTION...]\n\nVerbs:\n",
                          group);
        print_command_line(file, &commands[i]);
        found = true;
    }
    if (found)
        (void)fprintf(file, "\n'devreg %s VERB --help' tells more.\n", group);
    return found;
}
