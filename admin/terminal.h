/* terminal.h - asks a person on the terminal: for a secret without echo, or a question. */
#ifndef DEVREG_ADMIN_TERMINAL_H
#define DEVREG_ADMIN_TERMINAL_H

#include <stddef.h>

enum terminal {
    TERMINAL_OK,
    TERMINAL_NONE,     /* this process has none */
    TERMINAL_TOO_LONG, /* more than `max` bytes were typed */
    TERMINAL_ENDED     /* Ctrl-D, or the terminal went away */
};

/* Writes `prompt` to /dev/tty and reads a line of at most `max` bytes into `line`, which has room
 * for one more; "" after a failure. A signal that ends the program leaves the terminal as it was.
 * The caller wipes `line`. */
enum terminal terminal_ask(const char *prompt, char *line, size_t max);

/* The same for what may be seen. A signal ends the program as it would anywhere. */
enum terminal terminal_question(const char *question, char *line, size_t max);

#endif
