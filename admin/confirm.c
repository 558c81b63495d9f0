#include "admin/confirm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "admin/complain.h"
#include "admin/terminal.h"

enum { QUESTION_MAX = 200, ANSWER_MAX = 20 };

static enum status complain_no_terminal(struct call *call)
{
    return complain(call, STATUS_MISUSE,
                    "there is no terminal to ask on whether so many devices are meant: give --yes; "
                    "--dry-run tells what would be done");
}

enum status confirm_possible(struct call *call)
{
    if (call_option(call, OPT_YES) || call_option(call, OPT_DRY_RUN) || isatty(STDIN_FILENO))
        return STATUS_DONE;
    return complain_no_terminal(call);
}

static bool is_yes(const char *answer)
{
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* fails for a bad clock only */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum status confirm(struct call *call, const char *format, ...)
{
    char question[QUESTION_MAX + 1], prompt[QUESTION_MAX + 20], answer[ANSWER_MAX + 1];
    va_list values;
    if (call_option(call, OPT_YES))
        return STATUS_DONE;
    va_start(values, format);
    vsnprintf(question, sizeof question, format, values);
    va_end(values);
    snprintf(prompt, sizeof prompt, "%s [y/N] ", question);
    enum terminal result = terminal_question(prompt, answer, ANSWER_MAX);
    if (result == TERMINAL_NONE)
        return complain_no_terminal(call);
    if (result != TERMINAL_OK || !is_yes(answer))
        return complain(call, STATUS_NO, "nothing was changed");
    call->now = now_ms();
    return STATUS_DONE;
}
