/* The part of broker.h that reads the log. */
#include "broker.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "deadline.h"

/* NULL where there is none yet. */
static char *file_read(const char *path, off_t from)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = NULL;
    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size >= from) {
        size_t size = (size_t)(info.st_size - from);
        text = malloc(size + 1);
        if (text != NULL) {
            ssize_t got = pread(fd, text, size, from);
            text[got < 0 ? 0 : got] = '\0';
        }
    }
    if (fd >= 0)
        (void)close(fd);
    return text;
}

static const char *broker_log_from(struct broker *broker, off_t from)
{
    char path[BROKER_PATH_MAX];
    free(broker->log);
    broker->log = path_join(path, sizeof path, broker->dir, "/log") ? file_read(path, from) : NULL;
    return broker->log == NULL ? "" : broker->log;
}

const char *broker_log(struct broker *broker)
{
    return broker_log_from(broker, broker->run_begins);
}

const char *broker_log_all(struct broker *broker)
{
    return broker_log_from(broker, 0);
}

void broker_show_log(struct broker *broker)
{
    (void)fprintf(stderr, "%s\n", broker_log(broker)); /* cmocka would cut it */
}

size_t broker_log_count(struct broker *broker, const char *text)
{
    size_t count = 0;
    for (const char *at = broker_log(broker); (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

void broker_log_wait(struct broker *broker, const char *text, size_t count)
{
    bool there;
    WAIT_UNTIL(there, broker_log_count(broker, text) >= count);
    if (there)
        return;
    broker_show_log(broker);
    fail_msg("the log does not say '%s' %zu times", text, count);
}
