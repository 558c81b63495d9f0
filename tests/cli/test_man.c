/* man/devreg.1 says what the tables say: of each verb all there is, and nothing that is not there.
 *
 * The part between its marks is written anew here and compared; DEVREG_GOLDEN_UPDATE=1 puts it into
 * the page. What stands around it is prose, in which each option, verb and exit status has to
 * exist.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/command.h"

#define BEGIN "\n.\\\" BEGIN: from the tables\n"
#define END   ".\\\" END: from the tables\n"

enum { PAGE_MAX = 200000, PROSE_MAX = 68 };

static char page[PAGE_MAX];

static int read_page(void **state)
{
    FILE *file = fopen(MAN_PAGE, "r");
    (void)state;
    if (!file)
        return -1;
    size_t size = fread(page, 1, sizeof page - 1, file);
    page[size] = '\0';
    return fclose(file) || size == 0 || size == sizeof page - 1 ? -1 : 0;
}

/* roff. */

static const char *escape_of(char c)
{
    switch (c) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '\'':
        return "\\(aq";
    case '~':
        return "\\(ti";
    case '^':
        return "\\(ha";
    case '`':
        return "\\(ga";
    default:
        return NULL;
    }
}

static void put_text(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool line_begins = i == 0 || text[i - 1] == '\n';
        if (line_begins && text[i] == '.')
            (void)fputs("\\&", out);
        const char *escape = escape_of(text[i]);
        if (escape)
            (void)fputs(escape, out);
        else
            (void)fputc(text[i], out);
    }
}

static void put_line(FILE *out, const char *text)
{
    put_text(out, text, strlen(text));
    (void)fputc('\n', out);
}

/* Prose, its words in lines that mandoc finds short enough. */
static void put_prose(FILE *out, const char *text, size_t length)
{
    size_t used = 0;
    for (size_t i = 0; i < length;) {
        size_t word = strcspn(text + i, " \n");
        word = word > length - i ? length - i : word;
        bool breaks = used && used + word > PROSE_MAX;
        if (used)
            (void)fputc(breaks ? '\n' : ' ', out);
        put_text(out, text + i, word);
        for (size_t at = i; at < i + word; at++)
            used += escape_of(text[at]) ? 4 : 1;
        used = breaks ? word : used + 1;
        i += word + strspn(text + i + word, " \n");
    }
    (void)fputc('\n', out);
}

/* In a table it has neither a capital nor a full stop. */
static void put_sentence(FILE *out, const char *text)
{
    char sentence[300];
    snprintf(sentence, sizeof sentence, "%c%s.", toupper((unsigned char)*text), text + 1);
    put_prose(out, sentence, strlen(sentence));
}

/* Paragraphs are parted by empty lines. */
static void put_paragraphs(FILE *out, const char *text)
{
    while (text) {
        const char *end = strstr(text, "\n\n");
        (void)fputs(".PP\n", out);
        put_prose(out, text, end ? (size_t)(end - text) : strlen(text));
        text = end ? end + 2 : NULL;
    }
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '@' || c == '=' || c == '-';
}

/* "ID | --from FILE": what is typed as it is is bold, what it stands for italic. */
static void put_words(FILE *out, const char *words)
{
    while (*words) {
        size_t length = 0;
        while (is_word(words[length]))
            length++;
        bool placeholder = false;
        for (size_t i = 0; i < length; i++)
            placeholder = placeholder || isupper((unsigned char)words[i]);
        if (length)
            (void)fputs(placeholder ? "\\fI" : "\\fB", out);
        put_text(out, words, length ? length : 1);
        if (length)
            (void)fputs("\\fR", out);
        words += length ? length : 1;
    }
}

static void put_option(FILE *out, enum option option)
{
    const struct option_row *row = &option_rows[option];
    (void)fputs(".TP\n", out);
    if (row->letter)
        (void)fprintf(out, "\\fB\\-%c\\fR, ", row->letter);
    (void)fputs("\\fB\\-\\-", out);
    put_text(out, row->name, strlen(row->name));
    (void)fputs("\\fR", out);
    if (row->value) {
        (void)fputs(" \\fI", out);
        put_text(out, row->value, strlen(row->value));
        (void)fputs("\\fR", out);
    }
    (void)fputc('\n', out);
    put_sentence(out, row->help);
}

static void put_options(FILE *out, uint64_t options)
{
    for (enum option option = 0; option < OPT_COUNT; option++) {
        if (options & OPTION_BIT(option))
            put_option(out, option);
    }
}

static void put_command(FILE *out, const struct command *command)
{
    (void)fprintf(out, ".SS devreg %s", command->name);
    if (command->words) {
        (void)fputc(' ', out);
        put_words(out, command->words);
    }
    (void)fputc('\n', out);
    put_sentence(out, command->summary);
    if (command->details)
        put_paragraphs(out, command->details);
    put_options(out, command->options);
    (void)fputs(".PP\nExamples:\n.PP\n.EX\n", out);
    put_line(out, command->examples);
    (void)fputs(".EE\n", out);
}

/* What belongs between the marks. The caller frees it. */
static char *make_part(void)
{
    char *part = NULL;
    size_t size;
    FILE *out = open_memstream(&part, &size);
    assert_non_null(out);
    (void)fputs(".SH OPTIONS\nEvery verb takes these, but the last, which stands alone.\n", out);
    put_options(out, OPTIONS_FIRST);
    (void)fputs(".SH VERBS\n", out);
    for (size_t i = 0; i < command_count; i++)
        put_command(out, &commands[i]);
    assert_int_equal(fclose(out), 0);
    return part;
}

static void write_page(const char *before, size_t before_size, const char *part, const char *after)
{
    FILE *file = fopen(MAN_PAGE, "w");
    assert_non_null(file);
    (void)fwrite(before, 1, before_size, file);
    (void)fputs(part, file);
    (void)fputs(after, file);
    assert_int_equal(fclose(file), 0);
}

/* Shows the first line in which they differ. */
static void assert_same(const char *is, const char *should_be, size_t size)
{
    size_t at = 0, line = 0;
    while (at < size && is[at] == should_be[at]) {
        line = is[at] == '\n' ? at + 1 : line;
        at++;
    }
    if (at == size && !should_be[at])
        return;
    fail_msg("man/devreg.1 says\n%.*s\nand not\n%.*s\nDEVREG_GOLDEN_UPDATE=1 writes it anew",
             (int)strcspn(is + line, "\n"), is + line, (int)strcspn(should_be + line, "\n"),
             should_be + line);
}

static void it_says_of_each_verb_what_the_tables_say(void **state)
{
    char *part = make_part(), *begin = strstr(page, BEGIN), *end = strstr(page, END);
    (void)state;
    assert_true(begin && end && begin < end);
    begin += strlen(BEGIN);
    if (getenv("DEVREG_GOLDEN_UPDATE"))
        write_page(page, (size_t)(begin - page), part, end);
    else
        assert_same(begin, part, (size_t)(end - begin));
    free(part);
}

/* Reads a name of letters, digits and "-", which roff writes "\-". */
static size_t take_name(const char *at, char *name, size_t size)
{
    size_t length = 0;
    for (; length + 1 < size; at++) {
        if (at[0] == '\\' && at[1] == '-')
            at++;
        else if (!isalnum((unsigned char)*at))
            break;
        name[length++] = *at;
    }
    name[length] = '\0';
    return length;
}

static bool is_option(const char *name)
{
    for (enum option option = 0; option < OPT_COUNT; option++) {
        if (strcmp(option_rows[option].name, name) == 0)
            return true;
    }
    return false;
}

static void every_option_that_it_names_is_there(void **state)
{
    char name[40];
    size_t count = 0;
    (void)state;
    for (const char *at = page; (at = strstr(at, "\\-\\-")); count++) {
        at += strlen("\\-\\-");
        if (take_name(at, name, sizeof name) && !is_option(name))
            fail_msg("it names --%s, which is no option", name);
    }
    assert_true(count > OPT_COUNT);
}

static bool is_verb(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < command_count; i++) {
        const char *known = commands[i].name;
        if (strncmp(known, name, length) == 0 && (!known[length] || known[length] == ' '))
            return true;
    }
    return strcmp(name, "help") == 0;
}

/* In bold, in an example, or in quotes. */
static void every_verb_that_it_names_is_there(void **state)
{
    static const char *const before[] = {".B devreg ",  "  devreg ",    "\\(aqdevreg ",
                                         ".SS devreg ", "sudo devreg ", ".BR \"devreg "};
    char name[40];
    (void)state;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        for (const char *at = page; (at = strstr(at, before[i]));) {
            at += strlen(before[i]);
            if (take_name(at, name, sizeof name) && islower((unsigned char)*name) && !is_verb(name))
                fail_msg("it names 'devreg %s', which is no verb", name);
        }
    }
}

static void every_exit_status_is_explained_and_no_other(void **state)
{
    const char *section = strstr(page, "\n.SH \"EXIT STATUS\"\n");
    char entry[20];
    (void)state;
    assert_non_null(section);
    for (int status = STATUS_DONE; status <= STATUS_FAILED + 1; status++) {
        snprintf(entry, sizeof entry, "\n.TP\n.B %d\n", status);
        const char *found = strstr(section, entry);
        assert_int_equal(found && found < strstr(section + 1, "\n.SH "), status <= STATUS_FAILED);
    }
}

static void it_is_of_this_version(void **state)
{
    (void)state;
    assert_non_null(strstr(page, "\"devreg " DEVREG_VERSION "\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_of_each_verb_what_the_tables_say),
        cmocka_unit_test(every_option_that_it_names_is_there),
        cmocka_unit_test(every_verb_that_it_names_is_there),
        cmocka_unit_test(every_exit_status_is_explained_and_no_other),
        cmocka_unit_test(it_is_of_this_version),
    };
    return cmocka_run_group_tests(tests, read_page, NULL);
}
