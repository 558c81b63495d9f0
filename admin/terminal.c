#include "admin/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "registry/crypto.h"

/* Signals that would leave the terminal silent behind them, or that stop the program there. */
static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { CAUGHT = sizeof caught / sizeof *caught };

static volatile sig_atomic_t came; /* the signal, or 0: a handler has nowhere else to put it */

static void note_signal(int number)
{
    came = number;
}

static void catch_signals(struct sigaction before[static CAUGHT])
{
    struct sigaction action = {.sa_handler = note_signal}; /* no SA_RESTART: read() has to end */
    sigemptyset(&action.sa_mask);
    came = 0;
    for (size_t i = 0; i < CAUGHT; i++)
        (void)sigaction(caught[i], &action, &before[i]);
}

static void restore_signals(const struct sigaction before[static CAUGHT])
{
    for (size_t i = 0; i < CAUGHT; i++)
        (void)sigaction(caught[i], &before[i], NULL);
}

static bool write_text(int tty, const char *text)
{
    size_t size = strlen(text);
    return write(tty, text, size) == (ssize_t)size;
}

/* Reads a line byte by byte: what is typed ahead belongs to whoever reads next. */
static enum terminal read_line(int tty, char *line, size_t max)
{
    size_t used = 0;
    char c = 0;
    bool too_long = false;
    while (!came) {
        ssize_t got = read(tty, &c, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return TERMINAL_ENDED;
        if (c == '\n')
            break;
        if (used < max)
            line[used++] = c;
        else
            too_long = true;
    }
    line[used] = '\0';
    crypto_wipe(&c, sizeof c);
    return came ? TERMINAL_ENDED : too_long ? TERMINAL_TOO_LONG : TERMINAL_OK;
}

static enum terminal ask_silently(int tty, const char *prompt, char *line, size_t max)
{
    struct termios before, silent;
    if (tcgetattr(tty, &before) != 0)
        return TERMINAL_NONE;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    if (tcsetattr(tty, TCSAFLUSH, &silent) != 0)
        return TERMINAL_NONE;
    enum terminal result = TERMINAL_ENDED;
    if (write_text(tty, prompt))
        result = read_line(tty, line, max);
    while (tcsetattr(tty, TCSAFLUSH, &before) != 0 && errno == EINTR)
        ;
    (void)write_text(tty, "\n");
    return result;
}

enum terminal terminal_ask(const char *prompt, char *line, size_t max)
{
    struct sigaction before[CAUGHT];
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    line[0] = '\0';
    if (tty < 0)
        return TERMINAL_NONE;
    catch_signals(before);
    enum terminal result = ask_silently(tty, prompt, line, max);
    restore_signals(before);
    (void)close(tty);
    if (result != TERMINAL_OK)
        crypto_wipe(line, max + 1);
    if (came)
        (void)raise(came); /* as if it had come now, with the terminal as it was */
    return result;
}

enum terminal terminal_question(const char *question, char *line, size_t max)
{
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    enum terminal result = TERMINAL_ENDED;
    line[0] = '\0';
    if (tty < 0)
        return TERMINAL_NONE;
    came = 0;
    if (write_text(tty, question))
        result = read_line(tty, line, max);
    (void)close(tty);
    return result;
}
