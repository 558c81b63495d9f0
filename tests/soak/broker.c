/* What the broker takes: its memory, its files, and the CPU time of its longest turn.
 *
 * A connection sends a PINGREQ, waits for the answer, and again. What the broker's main thread has
 * run meanwhile, by the kernel's count (/proc/PID/task/PID/schedstat), is what it did between
 * reading one packet of ours and the next: a turn of its loop, at most two. So a machine that is
 * busy with other things makes nothing of that longer, and the fleet has only so many questions
 * open that a turn which answers them all is short. */
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "soak.h"
#include "tests/broker/deadline.h"

/* One turn in a thousand may be longer than 10 ms: where the machine is a virtual one, what others
 * took of its CPU counts as the broker's. */
enum { STALL = 3, STALL_IN = 1000 };
static const unsigned bounds_ms[TURN_BUCKETS] = {1, 2, 5, 10, 20};

static FILE *proc_open(const char *name)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)s.scene->broker.pid, name);
    return fopen(path, "re");
}

/* Nanoseconds that its main thread was on a CPU; 0 where the kernel does not tell. */
static uint64_t broker_cpu(void)
{
    char name[48], line[128] = "";
    (void)snprintf(name, sizeof name, "task/%d/schedstat", (int)s.scene->broker.pid);
    FILE *file = proc_open(name);
    if (!file)
        return 0;
    const char *got = fgets(line, sizeof line, file);
    (void)fclose(file);
    return got ? strtoull(got, NULL, 10) : 0;
}

static uint64_t broker_memory(void)
{
    char line[128];
    uint64_t kb = 0;
    FILE *file = proc_open("smaps_rollup");
    while (file && kb == 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "Pss_Anon:", 9) == 0 || strncmp(line, "Anonymous:", 10) == 0)
            kb = strtoull(strchr(line, ':') + 1, NULL, 10);
    if (file)
        (void)fclose(file);
    return kb * 1024;
}

static size_t count_in(const char *name)
{
    char path[96];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)s.scene->broker.pid, name);
    DIR *dir = opendir(path);
    while (dir && readdir(dir))
        count++;
    if (dir)
        (void)closedir(dir);
    return count;
}

void watch_open(void)
{
    const struct mqtt_login login = {
        .client_id = s.clock.id, .user = s.clock.id, .password = s.clock.key, .keepalive = 3600};
    s.watch.files = count_in("fd");
    s.watch.threads = count_in("task");
    link_init(&s.watch.link, LINK_ROOM);
    s.watch.link.owner = &s.clock.conns[0];
    s.clock.conns[0].unit = &s.clock;
    check(link_open(&s.swarm, &s.watch.link, BY_SOCKET, &login));
}

/* All connections are closed: it has as many files open as before them. Its writer's thread began
 * with the first device. */
void watch_close(void)
{
    bool closed;
    link_clear(&s.swarm, &s.watch.link);
    WAIT_UNTIL(closed, count_in("fd") <= s.watch.files);
    check(closed);
    check(count_in("task") <= s.watch.threads + 1);
}

void watch_turn(void)
{
    struct watch_broker *w = &s.watch;
    if (w->link.state != LINK_SURE)
        return;
    uint64_t now = broker_cpu(), spent = now - w->asked_at;
    if (w->asked_at && !s.filling) {
        w->turns++;
        w->longest = spent > w->longest ? spent : w->longest;
        for (int i = 0; i < TURN_BUCKETS; i++)
            w->over[i] += spent > (uint64_t)bounds_ms[i] * 1000000;
    }
    w->asked_at = now;
    link_ping(&s.swarm, &w->link);
}

void watch_sample(void)
{
    uint64_t memory = broker_memory();
    if (memory && s.watch.memory_count < sizeof s.watch.memory / sizeof *s.watch.memory)
        s.watch.memory[s.watch.memory_count++] = memory;
}

static uint64_t mean(const uint64_t *samples, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += samples[i];
    return count ? sum / count : 0;
}

bool watch_judge(void)
{
    enum { GROWTH_KB = 512, GROWTH_PERCENT = 1 };
    const struct watch_broker *w = &s.watch;
    const size_t third = w->memory_count / 3;
    uint64_t first = mean(w->memory, third), last = mean(w->memory + 2 * third, third);
    uint64_t limit = first + first * GROWTH_PERCENT / 100 + (uint64_t)GROWTH_KB * 1024;
    (void)printf("memory: %" PRIu64 " KiB in the first third, %" PRIu64 " KiB in the last\n",
                 first / 1024, last / 1024);
    (void)printf("turns: %zu, the longest took %.1f ms of the broker's own time\n", w->turns,
                 (double)w->longest / 1e6);
    for (int i = 0; i < TURN_BUCKETS; i++)
        (void)printf("  over %2u ms: %zu\n", bounds_ms[i], w->over[i]);
#ifdef __SANITIZE_ADDRESS__ /* it keeps what is freed, and takes its time */
    return true;
#endif
    if (last > limit)
        print_error("its memory grew\n");
    bool swift = w->over[STALL] * STALL_IN <= w->turns;
    if (!swift)
        print_error("its turns are too long\n");
    return last <= limit && swift;
}
