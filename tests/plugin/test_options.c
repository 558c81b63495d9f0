/* man/devreg.so.7 and the README tell all options of the plugin and no other, with the values that
 * they take and the right defaults. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/options.h"

enum { TEXT_MAX = 100000, NAME_MAX_SIZE = 64, VALUE_MAX_SIZE = 200 };

#define PREFIX "plugin_opt_"

static char man[TEXT_MAX], readme[TEXT_MAX];

/* "registry, presence, ...": what an unknown option is answered. */
static char known[OPTION_ERROR_MAX + 1];

static bool read_text(const char *path, char *text)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t size = fread(text, 1, TEXT_MAX - 1, file);
    text[size] = '\0';
    return fclose(file) == 0 && size > 0 && size < TEXT_MAX - 1;
}

static bool accepts(const char *name, const char *value, struct options *options)
{
    char error[OPTION_ERROR_MAX + 1], key[NAME_MAX_SIZE], given[VALUE_MAX_SIZE];
    snprintf(key, sizeof key, "%s", name);
    snprintf(given, sizeof given, "%s", value);
    struct mosquitto_opt option = {.key = key, .value = given};
    return options_read(options, &option, 1, error);
}

static int prepare(void **state)
{
    struct options options;
    char key[] = "no_such_option", value[] = "";
    struct mosquitto_opt option = {.key = key, .value = value};
    (void)state;
    if (options_read(&options, &option, 1, known) || !strstr(known, "(known: "))
        return -1;
    memmove(known, strstr(known, "(known: ") + 8, strlen(strstr(known, "(known: ") + 8) + 1);
    known[strcspn(known, ")")] = '\0';
    return read_text(MAN_PAGE, man) && read_text(README, readme) ? 0 : -1;
}

static bool is_known(const char *name)
{
    char list[sizeof known];
    memcpy(list, known, sizeof list);
    for (char *word = strtok(list, ", "); word; word = strtok(NULL, ", ")) {
        if (strcmp(word, name) == 0)
            return true;
    }
    return false;
}

/* Takes a name of an option at `at`. */
static void take_name(const char *at, char name[static NAME_MAX_SIZE])
{
    size_t length = 0;
    while ((isalpha((unsigned char)at[length]) || at[length] == '_') && length + 1 < NAME_MAX_SIZE)
        length++;
    memcpy(name, at, length);
    name[length] = '\0';
}

static void assert_names_exist(const char *text)
{
    char name[NAME_MAX_SIZE];
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, PREFIX)); count++) {
        at += strlen(PREFIX);
        take_name(at, name);
        if (!is_known(name))
            fail_msg(PREFIX "%s is told of and is no option", name);
    }
    assert_true(count > 0);
}

static void no_option_is_told_of_that_is_not_there(void **state)
{
    (void)state;
    assert_names_exist(man);
    assert_names_exist(readme);
}

/* `form` has a %s for the name. */
static void assert_all_told(const char *text, const char *form)
{
    char list[sizeof known], entry[NAME_MAX_SIZE * 2];
    memcpy(list, known, sizeof list);
    for (char *word = strtok(list, ", "); word; word = strtok(NULL, ", ")) {
        int length = snprintf(entry, sizeof entry, "%.*s%s", (int)strcspn(form, "*"), form, word);
        snprintf(entry + length, sizeof entry - (size_t)length, "%s", strchr(form, '*') + 1);
        if (!strstr(text, entry))
            fail_msg("nothing is told of " PREFIX "%s", word);
    }
}

static void every_option_is_told_of(void **state)
{
    (void)state;
    assert_all_told(man, "\n.TP\n\\fB" PREFIX "*\\fR ");
    assert_all_told(readme, "\n| `" PREFIX "*` | ");
}

/* Reads what is bold at `at`, if it is so. Returns what follows it. */
static const char *take_bold(const char *at, char value[static VALUE_MAX_SIZE])
{
    const char *end = strncmp(at, "\\fB", 3) == 0 ? strstr(at, "\\fR") : NULL;
    value[0] = '\0';
    if (!end)
        return at;
    snprintf(value, VALUE_MAX_SIZE, "%.*s", (int)(end - at - 3), at + 3);
    return end + 3;
}

/* "\fBon\fR | \fBoff\fR": each is a value. Returns how many there are. */
static size_t check_values(const char *name, const char *at)
{
    struct options options;
    char value[VALUE_MAX_SIZE];
    size_t count = 0;
    for (at = take_bold(at, value); *value; count++) {
        if (!accepts(name, value, &options))
            fail_msg(PREFIX "%s takes no '%s'", name, value);
        at += strncmp(at, " | ", 3) == 0 ? 3 : 0;
        at = take_bold(at, value);
    }
    assert_true(count || strncmp(at, "\\fI", 3) == 0);
    return count;
}

/* "Default: \fBon\fR.": as if it were given. */
static void check_default(const char *name, const char *entry)
{
    static struct options without, with;
    char value[VALUE_MAX_SIZE], error[OPTION_ERROR_MAX + 1];
    const char *at = strstr(entry, "\nDefault:");
    const char *next = strstr(entry, "\n.TP\n");
    if (!at || (next && next < at))
        fail_msg("no default is told of " PREFIX "%s", name);
    (void)take_bold(at + strlen("\nDefault: "), value);
    if (!*value)
        return; /* none, or one that depends on others */
    assert_true(options_read(&without, NULL, 0, error));
    assert_true(accepts(name, value, &with));
    if (!options_equal(&with, &without))
        fail_msg("%s is not the default of " PREFIX "%s", value, name);
}

static void values_and_defaults_are_as_told(void **state)
{
    char name[NAME_MAX_SIZE];
    size_t entries = 0, values = 0;
    (void)state;
    for (const char *at = man; (at = strstr(at, "\n.TP\n\\fB" PREFIX)); entries++) {
        at += strlen("\n.TP\n\\fB" PREFIX);
        take_name(at, name);
        at += strlen(name);
        assert_memory_equal(at, "\\fR ", 4);
        values += check_values(name, at + 4);
        check_default(name, at);
    }
    assert_true(entries > 5 && values > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_option_is_told_of_that_is_not_there),
        cmocka_unit_test(every_option_is_told_of),
        cmocka_unit_test(values_and_defaults_are_as_told),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
