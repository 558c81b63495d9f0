/* journal.h - what is to be said in the broker's log, said at the next tick.
 *
 * mosquitto_log_printf may come back into ACL_CHECK before it returns (`log_dest topic`), so no
 * line is written while a callback decides. Lines wait in a ring of fixed size; what does not fit
 * is counted and the count is said, so a storm of failures costs little and fills no disk.
 */
#ifndef DEVREG_PLUGIN_JOURNAL_H
#define DEVREG_PLUGIN_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

enum { JOURNAL_LINES = 64, JOURNAL_LINE_MAX = 400, JOURNAL_LINES_A_SECOND = 20 };

/* {0} is an empty one. */
struct journal {
    struct {
        int level;
        char text[JOURNAL_LINE_MAX + 1];
    } lines[JOURNAL_LINES];
    size_t first, count;
    uint64_t dropped;
    int64_t budget, budget_at; /* lines that may still be written, as of that ms */
};

/* Notes a line of Mosquitto's level (MOSQ_LOG_*). Text from the network goes through text_escape
 * first. Never a secret. */
void journal_add(struct journal *journal, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes what waits, as far as the budget goes. `now`: ms of a clock that never goes back. */
void journal_flush(struct journal *journal, int64_t now);

/* Writes all of it. */
void journal_end(struct journal *journal);

#endif
