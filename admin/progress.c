#include "admin/progress.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 200, NARROW = 80, BAR_WIDTH = 24, EVERY_MS = 100, CALLS_PER_LOOK = 64 };

/* Their parts of the whole are those of a million devices. */
static const struct {
    const char *name;
    double before, share;
} steps[] = {[STEP_READ] = {"Reading", 0, 0.2},     [STEP_SELECT] = {"Selecting", 0, 0.3},
             [STEP_CHECK] = {"Checking", 0.2, 0.1}, [STEP_KEYS] = {"Keys", 0.3, 0.3},
             [STEP_STORE] = {"Storing", 0.6, 0.3},  [STEP_SAVE] = {"Saving", 0.9, 0.1},
             [STEP_COPY] = {"Copying", 0, 0.5},     [STEP_VERIFY] = {"Verifying", 0.5, 0.5}};

static int64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails for a bad clock only */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int terminal_open(void)
{
    char path[100];
    if (!isatty(STDERR_FILENO) || ttyname_r(STDERR_FILENO, path, sizeof path) != 0)
        return -1;
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void progress_begin(struct progress *progress, bool shown)
{
    *progress = (struct progress){.terminal = shown ? terminal_open() : -1, .begin = clock_ms()};
}

int64_t progress_time(const struct progress *progress)
{
    return clock_ms() - progress->begin;
}

char *count_format(char text[static COUNT_TEXT_MAX + 1], uint64_t count)
{
    char digits[COUNT_TEXT_MAX + 1];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *to = text;
    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

/* Adds to the line what fits. */
__attribute__((format(printf, 3, 4))) static void line_add(char *line, size_t *used,
                                                           const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int size = vsnprintf(line + *used, LINE_MAX_SIZE + 1 - *used, format, values);
    va_end(values);
    if (size > 0)
        *used += (size_t)size < LINE_MAX_SIZE - *used ? (size_t)size : LINE_MAX_SIZE - *used;
}

static void add_bar(char *line, size_t *used, double part)
{
    char bar[BAR_WIDTH + 1];
    size_t full = (size_t)(part * BAR_WIDTH);
    for (size_t i = 0; i < BAR_WIDTH; i++)
        bar[i] = (char)(i < full ? '=' : i == full ? '>' : ' ');
    bar[BAR_WIDTH] = '\0';
    line_add(line, used, "[%s] %3d%%  ", bar, (int)(part * 100));
}

static void add_time(char *line, size_t *used, double seconds)
{
    if (seconds < 100)
        line_add(line, used, "%.0f s left", seconds);
    else
        line_add(line, used, "%.0f min left", seconds / 60);
}

static size_t terminal_width(int terminal)
{
    struct winsize size;
    if (ioctl(terminal, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return NARROW;
    return size.ws_col;
}

static void line_write(const struct progress *progress, const char *line, size_t size)
{
    ssize_t written = write(progress->terminal, line, size);
    (void)written; /* what a stopped terminal does not take is not missed */
}

static void draw(struct progress *progress, uint64_t done, uint64_t devices, int64_t now)
{
    char line[LINE_MAX_SIZE + 1] = "\r", text[COUNT_TEXT_MAX + 1];
    size_t used = 1, width = terminal_width(progress->terminal);
    double part = progress->total ? (double)done / (double)progress->total : 0;
    double whole =
        steps[progress->step].before + (part < 1 ? part : 1) * steps[progress->step].share;
    int64_t step = now - progress->step_begin, all = now - progress->begin;
    line_add(line, &used, "%-9s ", steps[progress->step].name);
    bool known = progress->total || progress->step > STEP_READ;
    if (known)
        add_bar(line, &used, whole);
    if (devices)
        line_add(line, &used, "%s devices", count_format(text, devices));
    if (devices && step > 0)
        line_add(line, &used, "  %s/s", count_format(text, devices * 1000 / (uint64_t)step));
    if (whole > 0.01 && known) {
        line_add(line, &used, "  ");
        add_time(line, &used, (double)all / 1000 * (1 - whole) / whole);
    }
    if (used > width) /* the last column stays free: some terminals begin a line behind it */
        used = width;
    line[used] = '\0';
    line_add(line, &used, "\x1b[K");
    line_write(progress, line, used);
    progress->drawn = true;
    progress->shown = now;
}

void progress_step(struct progress *progress, enum step step, uint64_t total)
{
    int64_t now = clock_ms();
    progress->step = step;
    progress->total = total;
    progress->step_begin = now;
    if (progress->terminal >= 0 && now - progress->begin >= EVERY_MS)
        draw(progress, 0, 0, now);
}

void progress_show(struct progress *progress, uint64_t done, uint64_t devices)
{
    if (progress->calls++ % CALLS_PER_LOOK == 0)
        progress_draw(progress, done, devices);
}

void progress_draw(struct progress *progress, uint64_t done, uint64_t devices)
{
    if (progress->terminal < 0)
        return;
    int64_t now = clock_ms();
    if (now - progress->shown >= EVERY_MS && now - progress->begin >= EVERY_MS)
        draw(progress, done, devices, now);
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        line_write(progress, "\r\x1b[K", 4);
    progress->drawn = false;
}

void progress_end(struct progress *progress)
{
    progress_clear(progress);
    if (progress->terminal >= 0)
        (void)close(progress->terminal); /* only written to, and nothing that matters */
    progress->terminal = -1;
}
