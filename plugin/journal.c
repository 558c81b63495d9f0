#include "plugin/journal.h"

#include <stdarg.h>
#include <stdio.h>

#include "plugin/mosq.h"

void journal_add(struct journal *journal, int level, const char *format, ...)
{
    if (journal->count == JOURNAL_LINES) {
        journal->dropped++;
        return;
    }
    size_t at = (journal->first + journal->count++) % JOURNAL_LINES;
    va_list arguments;
    journal->lines[at].level = level;
    va_start(arguments, format);
    vsnprintf(journal->lines[at].text, sizeof journal->lines[at].text, format, arguments);
    va_end(arguments);
}

/* The line is copied and taken out first: writing it may add others. */
static void write_first(struct journal *journal)
{
    char text[JOURNAL_LINE_MAX + 1];
    int level = journal->lines[journal->first].level;
    snprintf(text, sizeof text, "%s", journal->lines[journal->first].text);
    journal->first = (journal->first + 1) % JOURNAL_LINES;
    journal->count--;
    mosquitto_log_printf(level, "devreg: %s", text);
}

static void write_dropped(struct journal *journal)
{
    unsigned long long dropped = journal->dropped;
    journal->dropped = 0;
    if (dropped)
        mosquitto_log_printf(MOSQ_LOG_WARNING, "devreg: %llu more lines were left out", dropped);
}

void journal_flush(struct journal *journal, int64_t now)
{
    if (!journal->count)
        return;
    if (now - journal->budget_at >= 1000) {
        journal->budget = JOURNAL_LINES_A_SECOND;
        journal->budget_at = now;
    }
    while (journal->count && journal->budget > 0) {
        journal->budget--;
        write_first(journal);
    }
    if (!journal->count)
        write_dropped(journal);
}

void journal_end(struct journal *journal)
{
    while (journal->count)
        write_first(journal);
    write_dropped(journal);
}
