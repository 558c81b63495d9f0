#include "admin/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/complain.h"
#include "admin/terminal.h"
#include "registry/text.h"

enum status secrets_guard(struct call *call)
{
    const struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0)
        return STATUS_DONE;
    return complain(call, STATUS_FAILED,
                    "cannot turn core dumps off: %s; a key could end up in one, so nothing was "
                    "done: see the system's log",
                    strerror(errno));
}

static enum status password_check(struct call *call, const char *password)
{
    size_t length = strlen(password);
    if (strncmp(password, "devreg_", 7) == 0)
        return complain(call, STATUS_MISUSE,
                        "the password looks like a generated key: keys are made by devreg; choose "
                        "another");
    if (length < PASSWORD_MIN || !text_is_plain(password, PASSWORD_MAX))
        return complain(call, STATUS_MISUSE,
                        "the password is refused: it needs %d to %d bytes of UTF-8 without control "
                        "characters",
                        PASSWORD_MIN, PASSWORD_MAX);
    return STATUS_DONE;
}

static enum status ask(struct call *call, const char *prompt, char line[static PASSWORD_MAX + 1])
{
    switch (terminal_ask(prompt, line, PASSWORD_MAX)) {
    case TERMINAL_OK:
        return STATUS_DONE;
    case TERMINAL_NONE:
        return complain(call, STATUS_FAILED,
                        "no terminal to ask for the password on: use --password-file");
    case TERMINAL_TOO_LONG:
        return complain(call, STATUS_MISUSE,
                        "the password is longer than %d bytes: choose a shorter one", PASSWORD_MAX);
    default:
        return complain(call, STATUS_FAILED,
                        "no password was typed, so nothing was changed: run it again");
    }
}

enum status password_ask(struct call *call, char password[static PASSWORD_MAX + 1])
{
    char again[PASSWORD_MAX + 1] = "";
    enum status status = ask(call, "New password: ", password);
    if (!status)
        status = password_check(call, password);
    if (!status)
        status = ask(call, "The same again: ", again);
    if (!status && strcmp(password, again) != 0)
        status = complain(call, STATUS_MISUSE,
                          "the two passwords differ, so nothing was changed: run it again");
    crypto_wipe(again, sizeof again);
    return status;
}

/* Reads up to the end of the first line, or until `size` bytes are there. -1 for an error. */
static ssize_t read_line(int file, char *line, size_t size)
{
    size_t used = 0;
    while (used < size && !memchr(line, '\n', used)) {
        ssize_t got = read(file, line + used, size - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

/* Cuts the line's end off. False where it is too long or holds a NUL. */
static bool line_end(char *line, size_t used)
{
    char *end = memchr(line, '\n', used);
    size_t length = end ? (size_t)(end - line) : used;
    if (length && line[length - 1] == '\r')
        length--;
    if (length > PASSWORD_MAX || memchr(line, '\0', length))
        return false;
    line[length] = '\0';
    return true;
}

static void warn_if_open(int file, const char *path)
{
    struct stat info;
    if (fstat(file, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 077))
        warn(SHOWN " can be read by others: chmod 600 it", path);
}

enum status password_read(struct call *call, const char *path,
                          char password[static PASSWORD_MAX + 1])
{
    char line[PASSWORD_MAX + 3]; /* CR, LF and one more to see that it is too long */
    bool is_stdin = strcmp(path, "-") == 0;
    int file = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return complain_file(call, path, errno);
    if (!is_stdin)
        warn_if_open(file, path);
    ssize_t used = read_line(file, line, sizeof line);
    enum status status = STATUS_DONE;
    if (used < 0)
        status = complain_file(call, path, errno);
    else if (!line_end(line, (size_t)used))
        status = complain(
            call, STATUS_MISUSE,
            SHOWN
            ": the password is longer than %d bytes or holds a NUL: write a shorter one there",
            path, PASSWORD_MAX);
    else
        (void)text_copy(password, PASSWORD_MAX, line); /* line_end saw to it */
    crypto_wipe(line, sizeof line);
    if (!is_stdin)
        (void)close(file); /* only read from */
    return status ? status : password_check(call, password);
}

enum status password_credential(struct call *call, struct credential *credential)
{
    char password[PASSWORD_MAX + 1] = "", hash[CRYPTO_PASSWORD_MAX + 1] = "";
    const char *path = call_option(call, OPT_PASSWORD_FILE);
    enum status status = path ? password_read(call, path, password) : password_ask(call, password);
    if (!status)
        status = complain_err(call, crypto_password_hash(hash, password));
    crypto_wipe(password, sizeof password);
    if (!status) {
        credential->secret_size = strlen(hash);
        memcpy(credential->secret, hash, credential->secret_size + 1);
    }
    crypto_wipe(hash, sizeof hash);
    return status;
}

enum status key_credential(struct call *call, const char *device, struct credential *credential,
                           char key[static KEY_TEXT_SIZE + 1])
{
    if (key_generate(key) != ERR_OK)
        return complain(call, STATUS_FAILED,
                        "the system's random source failed: no key could be drawn; see the "
                        "system's log");
    key_hash(credential->secret, key, device, credential->id, registry_secret(call->registry));
    credential->secret_size = KEY_HASH_SIZE;
    return STATUS_DONE;
}

/* May a write that failed be tried again? A pipe or terminal may be one that does not wait. */
static bool write_again(int file)
{
    struct pollfd ready = {.fd = file, .events = POLLOUT};
    if (errno == EINTR)
        return true;
    return errno == EAGAIN && (poll(&ready, 1, -1) >= 0 || errno == EINTR);
}

bool secret_write(int file, const char *text, size_t size)
{
    while (size) {
        ssize_t put = write(file, text, size);
        if (put == 0)
            errno = EIO;
        if (put == 0 || (put < 0 && !write_again(file)))
            return false;
        text += put > 0 ? put : 0;
        size -= put > 0 ? (size_t)put : 0;
    }
    return true;
}
