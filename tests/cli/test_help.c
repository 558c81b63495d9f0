/* Help is made of the tables: is it complete, and are its examples fit to be typed? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/command.h"
#include "admin/help.h"
#include "admin/list_columns.h"

/* What `help` writes about a command, or about all for NULL. The caller frees it. */
static char *help_text(const struct command *command)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    if (command)
        help_command(file, command);
    else
        help_all(file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void the_overview_names_every_verb(void **state)
{
    char *text = help_text(NULL), line[200];
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        snprintf(line, sizeof line, "\n  %-13s %s\n", commands[i].name, commands[i].summary);
        assert_non_null(strstr(text, line));
    }
    free(text);
}

static void every_verb_explains_all_its_options_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        char *text = help_text(&commands[i]);
        uint64_t takes = commands[i].options | OPTIONS_COMMON;
        for (enum option option = 0; option < OPT_COUNT; option++) {
            const char *shown = strstr(text, option_rows[option].help);
            assert_int_equal(shown != NULL, (takes & OPTION_BIT(option)) != 0);
        }
        assert_non_null(strstr(text, commands[i].summary));
        assert_non_null(strstr(text, "Examples:\n  "));
        free(text);
    }
}

static void no_line_of_help_is_wider_than_a_terminal(void **state)
{
    (void)state;
    for (size_t i = 0; i <= command_count; i++) {
        char *text = help_text(i < command_count ? &commands[i] : NULL);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            if (strlen(line) > 100)
                fail_msg("%zu characters: %s", strlen(line), line);
        }
        free(text);
    }
}

static void no_verb_takes_two_options_of_one_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        uint64_t takes = commands[i].options | OPTIONS_COMMON;
        for (enum option a = 0; a < OPT_COUNT; a++) {
            for (enum option b = 0; b < a; b++) {
                if ((takes & OPTION_BIT(a)) && (takes & OPTION_BIT(b)))
                    assert_string_not_equal(option_rows[a].name, option_rows[b].name);
            }
        }
    }
}

static void every_option_belongs_to_a_verb(void **state)
{
    uint64_t taken = OPTIONS_FIRST;
    (void)state;
    for (size_t i = 0; i < command_count; i++)
        taken |= commands[i].options;
    assert_int_equal(taken, OPTION_BIT(OPT_COUNT) - 1);
}

/* Cuts an example into words as a shell does: blanks, and single quotes. */
static int split_words(char *line, char **words, int max)
{
    int count = 0;
    char *to = line;
    for (const char *at = line + strspn(line, " "); *at; at += strspn(at, " ")) {
        assert_true(count < max);
        words[count++] = to;
        for (bool quoted = false; *at && (quoted || *at != ' '); at++) {
            if (*at == '\'')
                quoted = !quoted;
            else
                *to++ = *at;
        }
        at += *at == ' ';
        *to++ = '\0';
    }
    return count;
}

/* Of "devreg [-r DIR] VERB ..." the rest after the verb, which may be two words. */
static int skip_verb(const struct command *command, char **words, int count)
{
    char verb[40];
    int at = strcmp(words[0], "sudo") == 0;
    assert_string_equal(words[at++], "devreg");
    if (strcmp(words[at], "-r") == 0)
        at += 2;
    bool two = strchr(command->name, ' ');
    assert_true(at + two < count);
    snprintf(verb, sizeof verb, "%s%s%s", words[at], two ? " " : "", two ? words[at + 1] : "");
    if (strcmp(verb, command->name) != 0)
        return -1; /* a neighbour, as `allow` in the help of `role add` */
    return at + 1 + two;
}

static void check_example(const struct command *command, char *line, bool *own)
{
    char *words[20], problem[OPTION_PROBLEM_MAX + 1];
    struct arguments arguments;
    for (char *at = line; *at; at++) {
        if (strchr("<>|", *at) && at > line && at[-1] == ' ')
            *at = '\0'; /* the shell's part */
    }
    int count = split_words(line, words, 20), at = skip_verb(command, words, count);
    if (at < 0)
        return;
    *own = true;
    assert_true(arguments_init(&arguments, count));
    assert_int_equal(arguments_parse(&arguments, count, words, at,
                                     command->options | OPTIONS_COMMON, false, problem),
                     count);
    assert_in_range(arguments.word_count, command->words_min, command->words_max);
    arguments_clear(&arguments);
}

static void every_example_is_well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        char *lines = strdup(commands[i].examples), *rest = lines, *line;
        bool own = false;
        size_t count = 0;
        for (; (line = strsep(&rest, "\n")); count++)
            check_example(&commands[i], line, &own);
        assert_true(own);
        if (count < 2)
            fail_msg("%s has but one example", commands[i].name);
        free(lines);
    }
}

static const struct command *command_named(const char *name)
{
    size_t i = 0;
    while (strcmp(commands[i].name, name) != 0)
        assert_true(++i < command_count);
    return &commands[i];
}

/* The sentence that begins with "Columns:" names them all. */
static void the_columns_of_a_list_are_in_its_help(void **state)
{
    const char *begin = strstr(command_named("list")->details, "\nColumns: ");
    (void)state;
    assert_non_null(begin);
    char *columns = strdup(begin + strlen("\nColumns:"));
    char *last = strstr(columns, ". With");
    assert_non_null(last);
    *last = '\0';
    for (size_t i = 0; i < list_column_count; i++) {
        const char *name = list_columns[i].name, *at = columns;
        bool found = false;
        while (!found && (at = strstr(at, name))) {
            at += strlen(name);
            found = strchr(" ,\n", at[-(int)strlen(name) - 1]) && (!*at || strchr(" ,\n", *at));
        }
        if (!found)
            fail_msg("%s is not in the help of list", name);
    }
    free(columns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_overview_names_every_verb),
        cmocka_unit_test(every_verb_explains_all_its_options_and_no_other),
        cmocka_unit_test(no_line_of_help_is_wider_than_a_terminal),
        cmocka_unit_test(no_verb_takes_two_options_of_one_name),
        cmocka_unit_test(every_option_belongs_to_a_verb),
        cmocka_unit_test(every_example_is_well_formed),
        cmocka_unit_test(the_columns_of_a_list_are_in_its_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
