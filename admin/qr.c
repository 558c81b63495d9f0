#include "admin/qr.h"

#include <unistd.h>

#include "admin/complain.h"

enum status qr_check_many(struct call *call)
{
    if (!call_option(call, OPT_QR))
        return STATUS_DONE;
    return complain(call, STATUS_MISUSE,
                    "--qr draws the key of one device: take one at a time, or leave it out");
}

#ifdef DEVREG_QR

#include <errno.h>
#include <fcntl.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "admin/secret.h"

#define TERMINAL "/dev/tty"
/* Black on white whatever the terminal's own colours are: of these 256 no theme changes the last
 * 240. Many a scanner does not read a code that is light on dark. */
#define COLOURS "\033[38;5;16;48;5;231m"
#define RESET   "\033[0m\n"

enum { QUIET = 4, TEXT_MAX = QR_ROWS * (sizeof COLOURS + sizeof RESET + sizeof "█" * QR_COLUMNS) };

static bool is_too_small(int tty)
{
    struct winsize size;
    if (ioctl(tty, TIOCGWINSZ, &size) != 0 || !size.ws_col || !size.ws_row)
        return false; /* it does not say */
    return size.ws_col < QR_COLUMNS || size.ws_row <= QR_ROWS;
}

static enum status terminal_check(struct call *call, int tty)
{
    const char *term = getenv("TERM");
    if (!term || !*term || strcmp(term, "dumb") == 0)
        return complain(call, STATUS_MISUSE,
                        "--qr: this terminal knows no colours, which the code needs: set TERM, or "
                        "leave it out");
    if (is_too_small(tty))
        return complain(call, STATUS_MISUSE,
                        "--qr: the code needs a terminal of %d columns and %d lines: make it "
                        "larger, or leave it out",
                        QR_COLUMNS, QR_ROWS + 1);
    return STATUS_DONE;
}

enum status qr_check(struct call *call)
{
    if (!call_option(call, OPT_QR))
        return STATUS_DONE;
    if (call->json && isatty(STDOUT_FILENO))
        return complain(call, STATUS_MISUSE,
                        "--json and --qr would show the key twice on one screen: use one, or write "
                        "the answer to a file");
    int tty = open(TERMINAL, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (tty < 0)
        return complain(call, STATUS_MISUSE,
                        "--qr: there is no terminal to draw the code on: leave it out");
    enum status status = terminal_check(call, tty);
    (void)close(tty); /* nothing was written */
    return status;
}

static bool is_dark(const QRcode *code, int row, int column)
{
    bool inside = row >= 0 && row < code->width && column >= 0 && column < code->width;
    return inside && code->data[row * code->width + column] & 1;
}

/* Two rows of modules in a line of text. Returns its size. */
static size_t render(const QRcode *code, char text[static TEXT_MAX])
{
    static const char *const blocks[2][2] = {{" ", "▄"}, {"▀", "█"}};
    char *end = text;
    int past = code->width + QUIET;
    for (int row = -QUIET; row < past; row += 2) {
        end = stpcpy(end, COLOURS);
        for (int column = -QUIET; column < past; column++)
            end = stpcpy(end, blocks[is_dark(code, row, column)][is_dark(code, row + 1, column)]);
        end = stpcpy(end, RESET);
    }
    return (size_t)(end - text);
}

/* Returns 0, or an errno. */
static int draw(int tty, const char *key)
{
    char text[TEXT_MAX];
    errno = 0;
    const QRcode *code = QRcode_encodeString8bit(key, 0, QR_ECLEVEL_L);
    if (!code)
        return errno ? errno : ENOMEM;
    if (code->width + 2 * QUIET != QR_COLUMNS)
        return EMSGSIZE;
    size_t size = render(code, text);
    return secret_write(tty, text, size) ? 0 : errno;
}

/* What the process that drew has to tell: an errno, or 0. */
static int await(pid_t pid)
{
    int status;
    pid_t ended;
    do {
        ended = waitpid(pid, &status, 0);
    } while (ended < 0 && errno == EINTR);
    if (ended < 0)
        return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

bool qr_draw(const char key[static KEY_TEXT_SIZE + 1])
{
    int tty = open(TERMINAL, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (tty < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        _exit(draw(tty, key));
    int problem = pid < 0 ? errno : await(pid);
    if (close(tty) != 0 && !problem)
        problem = errno;
    errno = problem;
    return problem == 0;
}

#else

#include <errno.h>

enum status qr_check(struct call *call)
{
    if (!call_option(call, OPT_QR))
        return STATUS_DONE;
    return complain(call, STATUS_MISUSE,
                    "--qr: this devreg was built without libqrencode: leave it out, or build it "
                    "where that is installed");
}

bool qr_draw(const char key[static KEY_TEXT_SIZE + 1])
{
    (void)key;
    errno = ENOSYS;
    return false;
}

#endif
