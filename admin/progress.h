/* progress.h - a bar on a terminal for what takes long; nothing where stderr is none.
 *
 *   Reading  [=========>           ]  43%   430,000 devices  190,000/s  4 s left
 *
 * The terminal is opened once more so that writing never waits: a stopped one (Ctrl-S) may not hold
 * up a transaction.
 */
#ifndef DEVREG_ADMIN_PROGRESS_H
#define DEVREG_ADMIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum step {
    STEP_READ,
    STEP_SELECT,
    STEP_CHECK,
    STEP_KEYS,
    STEP_STORE,
    STEP_SAVE,
    STEP_COPY, /* and STEP_VERIFY: of a backup */
    STEP_VERIFY
};

struct progress {
    int terminal; /* -1 for none */
    enum step step;
    uint64_t total;            /* of the step, in its own unit; 0 where nobody knows */
    int64_t begin, step_begin; /* ms of a clock that never goes back */
    int64_t shown;
    uint64_t calls;
    bool drawn;
};

/* `shown`: may it be drawn at all? */
void progress_begin(struct progress *progress, bool shown);

/* The next step begins. */
void progress_step(struct progress *progress, enum step step, uint64_t total);

/* So far: `done` of the step's total, and so many devices. Cheap enough to be called for each. */
void progress_show(struct progress *progress, uint64_t done, uint64_t devices);

/* The same for who calls it seldom. */
void progress_draw(struct progress *progress, uint64_t done, uint64_t devices);

/* Wipes the line, before something else is said. */
void progress_clear(struct progress *progress);
void progress_end(struct progress *progress);

/* Milliseconds since progress_begin. */
int64_t progress_time(const struct progress *progress);

/* Writes "1,234,567". */
enum { COUNT_TEXT_MAX = 26 };
char *count_format(char text[static COUNT_TEXT_MAX + 1], uint64_t count);

#endif
