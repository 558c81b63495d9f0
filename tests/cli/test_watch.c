/* devreg watch: what happens while it runs is told, once, and soon. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "tests/cli/presence_case.h"

enum { DEADLINE_MS = 60000, SAID_MAX = 400000, ARGUMENTS_MAX = 8 };

/* A devreg that watches, and what it said so far. */
struct watcher {
    pid_t pid;
    int out, err; /* the same on a terminal */
    size_t out_length, err_length;
    char said[SAID_MAX + 1], told[ANSWER_MAX + 1];
};

static int64_t steady_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* `arguments` are parted by blanks. */
static void exec_devreg(const char *arguments)
{
    char words[200], *argv[ARGUMENTS_MAX + 1] = {(char *)"devreg", (char *)"-r", directory};
    size_t count = 3;
    snprintf(words, sizeof words, "%s", arguments);
    for (char *word = strtok(words, " "); word && count < ARGUMENTS_MAX; word = strtok(NULL, " "))
        argv[count++] = word;
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL); /* a shell's background ignores it */
    execv(DEVREG, argv);
    _exit(127);
}

/* Takes what came on one of the two; false at its end. */
static bool take(int fd, char *text, size_t *length, size_t max)
{
    assert_true(*length < max);
    ssize_t got = read(fd, text + *length, max - *length);
    if (got <= 0)
        return false;
    *length += (size_t)got;
    text[*length] = '\0';
    return true;
}

/* Waits for more of what it says, and takes it. False when it says no more. */
static bool hear(struct watcher *watcher, int64_t deadline)
{
    struct pollfd both[] = {{.fd = watcher->out, .events = POLLIN},
                            {.fd = watcher->err, .events = POLLIN}};
    int64_t left = deadline - steady_ms();
    if (left <= 0 || poll(both, 2, (int)left) == 0)
        fail_msg("nothing more came after: %s%s", watcher->told, watcher->said);
    bool more = false;
    if (both[0].revents)
        more = take(watcher->out, watcher->said, &watcher->out_length, SAID_MAX);
    if (both[1].revents && watcher->err != watcher->out)
        more = take(watcher->err, watcher->told, &watcher->err_length, ANSWER_MAX) || more;
    return more;
}

/* Waits until `text` stands in `where`, which is one of its two texts. */
static void await(struct watcher *watcher, const char *where, const char *text)
{
    int64_t deadline = steady_ms() + DEADLINE_MS;
    while (!strstr(where, text)) {
        if (!hear(watcher, deadline))
            fail_msg("it ended before it said '%s': %s%s", text, watcher->told, watcher->said);
    }
}

/* What it tells is of what happens after this. */
static struct watcher *watch(const char *arguments)
{
    static struct watcher watcher;
    int out[2], err[2];
    memset(&watcher, 0, sizeof watcher);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(err), 0);
    watcher.pid = fork();
    assert_true(watcher.pid >= 0);
    if (watcher.pid == 0) {
        if (dup2(out[1], STDOUT_FILENO) < 0 || dup2(err[1], STDERR_FILENO) < 0)
            _exit(126);
        (void)close(out[0]); /* or it would read its own answers */
        (void)close(out[1]);
        exec_devreg(arguments);
    }
    assert_int_equal(close(out[1]), 0);
    assert_int_equal(close(err[1]), 0);
    watcher.out = out[0];
    watcher.err = err[0];
    await(&watcher, watcher.told, "Watching");
    return &watcher;
}

static struct watcher *watch_on_a_terminal(const char *arguments)
{
    static struct watcher watcher;
    memset(&watcher, 0, sizeof watcher);
    watcher.pid = forkpty(&watcher.out, NULL, NULL, NULL);
    assert_true(watcher.pid >= 0);
    if (watcher.pid == 0)
        exec_devreg(arguments);
    watcher.err = watcher.out;
    await(&watcher, watcher.said, "Watching");
    return &watcher;
}

/* Its wait status, once it ended. */
static int status_of(struct watcher *watcher)
{
    int64_t deadline = steady_ms() + DEADLINE_MS;
    int status;
    pid_t ended;
    while ((ended = waitpid(watcher->pid, &status, WNOHANG)) == 0) {
        if (steady_ms() > deadline)
            fail_msg("it does not end, after: %s%s", watcher->told, watcher->said);
        (void)poll(NULL, 0, 5);
    }
    assert_int_equal(ended, watcher->pid);
    if (watcher->err != watcher->out)
        assert_int_equal(close(watcher->err), 0);
    if (watcher->out >= 0)
        assert_int_equal(close(watcher->out), 0);
    return status;
}

static void end(struct watcher *watcher, int signal_number)
{
    assert_int_equal(kill(watcher->pid, signal_number), 0);
    int status = status_of(watcher);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Later than any start of a watcher. */
static struct feed_item item_of(const char *device, enum feed_kind kind, enum reason reason)
{
    struct feed_item item = {.kind = kind, .reason = reason, .conn = 3, .time = now_ms() + DAY};
    strcpy(item.device, device);
    return item;
}

/* A piece of the feed, with the record that stands behind it. */
static void feed(const struct feed_item *items, size_t count, const struct presence *record)
{
    struct pen pen = pen_begin();
    const struct presence_counts counts = {.seen = 2, .online = 1};
    struct pack pack = {0};
    uint64_t last;
    for (size_t i = 0; i < count; i++) {
        feed_item_add(&pack, &items[i]);
        if (record)
            presence_put(pen.txn, items[i].device, record, NULL);
    }
    assert_int_equal(feed_last(pen.txn, &last), ERR_OK);
    feed_put(pen.txn, last + 1, &counts, &pack);
    pack_free(&pack);
    pen_end(&pen);
}

static void feed_one(const char *device, enum feed_kind kind, enum reason reason)
{
    const struct feed_item item = item_of(device, kind, reason);
    feed(&item, 1, NULL);
}

static void what_the_broker_notes_is_told(void **state)
{
    const struct feed_item items[] = {item_of("a", FEED_ONLINE, REASON_NONE),
                                      item_of("a", FEED_OFFLINE, REASON_KEEPALIVE_TIMEOUT),
                                      item_of("b", FEED_FAILED, REASON_NONE),
                                      item_of("b", FEED_DENIED, REASON_NONE),
                                      item_of("gone", FEED_REMOVED, REASON_NONE)};
    struct presence record = offline_for(1000);
    (void)state;
    record.failures.count = 5;
    record.denials.count = 6;
    struct watcher *watcher = watch("watch --json");
    feed(items, COUNT(items), &record);
    await(watcher, watcher->said, "\"gone\"}\n");
    const char *said = watcher->said;
    assert_int_equal(strncmp(said, "{\"time\":1", 9), 0);
    assert_holds(said, ",\"event\":\"online\",\"device\":\"a\",\"conn\":3,\"client\":\"client-7\","
                       "\"address\":\"192.0.2.7\"}\n{");
    assert_holds(said, ",\"event\":\"offline\",\"device\":\"a\",\"reason\":\"keepalive_timeout\","
                       "\"conn\":3,\"client\":\"client-7\",\"address\":\"192.0.2.7\"}\n{");
    assert_holds(said, ",\"event\":\"refused\",\"device\":\"b\",\"count\":5}\n{");
    assert_holds(said, ",\"event\":\"denied\",\"device\":\"b\",\"count\":6}\n{");
    assert_holds(said, ",\"event\":\"forgotten\",\"device\":\"gone\"}\n");
    end(watcher, SIGTERM);
}

/* Of another connection nothing is known by now. */
static void a_record_that_went_on_is_not_taken_for_the_event(void **state)
{
    const struct feed_item item = item_of("a", FEED_ONLINE, REASON_NONE);
    struct presence record = offline_for(1000);
    (void)state;
    record.conn = 4;
    struct watcher *watcher = watch("watch --json");
    feed(&item, 1, &record);
    await(watcher, watcher->said, "\"conn\":3}\n");
    end(watcher, SIGTERM);
}

static void changes_of_the_registry_are_told(void **state)
{
    (void)state;
    struct watcher *watcher = watch("watch");
    (void)devreg("disable b --reason 'in repair' 2>&1", 0);
    (void)devreg("enable b 2>&1", 0);
    (void)devreg("role add pump 2>&1", 0);
    await(watcher, watcher->said, "\t@pump\t");
    assert_holds(watcher->said, "Z\tb\tdisable\tby ");
    assert_holds(watcher->said, ": in repair\n");
    assert_holds(watcher->said, "Z\tb\tenable\tby ");
    assert_holds(watcher->said, "Z\t@pump\tadd\tby ");
    (void)devreg("role remove pump 2>&1", 0);
    await(watcher, watcher->said, "\t@pump\tremove\t");
    end(watcher, SIGTERM);
    watcher = watch("watch --json");
    (void)devreg("set b site=kiel 2>&1", 0);
    await(watcher, watcher->said, ",\"event\":\"set\",\"device\":\"b\",\"who\":\"");
    await(watcher, watcher->said, "\"detail\":\"site=kiel\",\"seq\":");
    end(watcher, SIGTERM);
}

static void what_happened_before_is_no_news(void **state)
{
    (void)state;
    feed_one("a", FEED_ONLINE, REASON_NONE);
    struct watcher *watcher = watch("watch");
    feed_one("b", FEED_ONLINE, REASON_NONE);
    await(watcher, watcher->said, "\tb\tonline\t");
    assert_ptr_equal(strchr(watcher->said, '\n') + 1, strchr(watcher->said, '\0'));
    end(watcher, SIGTERM);
}

static void only_named_devices_are_told(void **state)
{
    (void)state;
    struct watcher *watcher = watch("watch c later");
    assert_holds(watcher->told, "later: there is no such device yet");
    feed_one("a", FEED_ONLINE, REASON_NONE);
    feed_one("later", FEED_ONLINE, REASON_NONE);
    (void)devreg("set b site=kiel 2>&1", 0);
    (void)devreg("set c site=kiel 2>&1", 0);
    feed_one("c", FEED_OFFLINE, REASON_CONNECTION_LOST);
    await(watcher, watcher->said, "\tc\toffline\t");
    assert_null(strstr(watcher->said, "\ta\t"));
    assert_null(strstr(watcher->said, "\tb\t"));
    assert_holds(watcher->said, "\tlater\tonline\t");
    assert_holds(watcher->said, "\tc\tset\t");
    end(watcher, SIGTERM);
}

static void what_a_client_is_called_cannot_move_the_terminal(void **state)
{
    const struct feed_item item = item_of("a", FEED_ONLINE, REASON_NONE);
    struct presence record = offline_for(1000);
    (void)state;
    strcpy(record.client, "x\xe2\x80\xaey\x1b[2J");
    struct watcher *watcher = watch("watch");
    feed(&item, 1, &record);
    await(watcher, watcher->said, "\ta\tonline\tclient id x\\xe2\\x80\\xaey\\x1b[2J, address 192");
    end(watcher, SIGTERM);
}

static void many_items_of_one_piece_are_all_told_once(void **state)
{
    enum { ITEMS = 2500 }; /* more than a listing holds */
    static struct feed_item items[ITEMS];
    (void)state;
    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = item_of("", FEED_OFFLINE, REASON_BROKER_RESTART);
        snprintf(items[i].device, sizeof items[i].device, "many-%zu", i);
    }
    struct watcher *watcher = watch("watch");
    feed(items, ITEMS, NULL);
    feed_one("last", FEED_ONLINE, REASON_NONE);
    await(watcher, watcher->said, "\tlast\tonline\t");
    const char *at = watcher->said;
    for (size_t i = 0; i < ITEMS; i++) {
        char line[60];
        snprintf(line, sizeof line, "Z\tmany-%zu\toffline\tbroker_restart\n", i);
        at = strstr(at, line);
        assert_non_null(at);
        at += strlen(line);
    }
    assert_int_equal(strcspn(at, "\n") + 1, strlen(at));
    end(watcher, SIGTERM);
}

static void pause_it(const struct watcher *watcher)
{
    int status;
    assert_int_equal(kill(watcher->pid, SIGSTOP), 0);
    assert_int_equal(waitpid(watcher->pid, &status, WUNTRACED), watcher->pid);
    assert_true(WIFSTOPPED(status));
}

/* It is stopped while more happens than the store keeps. */
static void who_falls_behind_is_told_how_much_he_missed(void **state)
{
    const struct feed_item item = item_of("a", FEED_ONLINE, REASON_NONE);
    (void)state;
    struct watcher *watcher = watch("watch --json");
    feed(&item, 1, NULL);
    await(watcher, watcher->said, "\"online\"");
    pause_it(watcher);
    for (int i = 0; i < FEED_KEPT + 7; i++)
        feed(&item, 1, NULL);
    assert_int_equal(kill(watcher->pid, SIGCONT), 0);
    feed_one("b", FEED_ONLINE, REASON_NONE);
    await(watcher, watcher->said, "\"b\"");
    /* It may have gone on before the last piece dropped one more. */
    assert_true(strstr(watcher->said, "\"event\":\"missed\",\"count\":7}\n") ||
                strstr(watcher->said, "\"event\":\"missed\",\"count\":8}\n"));
    end(watcher, SIGTERM);
}

/* As the plugin does with a damaged store. */
static void put_aside(void)
{
    char from[100], to[120];
    snprintf(from, sizeof from, "%s/" PRESENCE_SUBDIR "/data.mdb", directory);
    snprintf(to, sizeof to, "%s.damaged", from);
    assert_int_equal(rename(from, to), 0);
}

static void a_store_that_goes_and_comes_is_followed(void **state)
{
    (void)state;
    put_aside();
    struct watcher *watcher = watch("watch");
    assert_holds(watcher->told, "there is no presence in ");
    assert_holds(watcher->told, "Watching 3 devices.\n");
    (void)devreg("set b site=bonn 2>&1", 0);
    await(watcher, watcher->said, "\tb\tset\t");
    (void)devreg("init 2>&1", 1); /* makes the presence store again */
    await(watcher, watcher->told, "is there now.\n");
    feed_one("c", FEED_ONLINE, REASON_NONE);
    await(watcher, watcher->said, "\tc\tonline\t");
    put_aside();
    (void)devreg("init 2>&1", 1);
    feed_one("c", FEED_OFFLINE, REASON_UNKNOWN);
    await(watcher, watcher->said, "\tc\toffline\t");
    /* It may have looked while there was none. */
    assert_true(strstr(watcher->told, "is another one now.\n") ||
                strstr(strstr(watcher->told, "is there now.\n") + 1, "is there now.\n"));
    end(watcher, SIGTERM);
}

/* It is stopped meanwhile, so that it finds all of it at once. */
static void of_a_store_that_comes_back_only_what_is_new_is_told(void **state)
{
    struct feed_item items[] = {item_of("a", FEED_ONLINE, REASON_NONE),
                                item_of("b", FEED_ONLINE, REASON_NONE)};
    (void)state;
    items[0].time -= 2 * DAY;
    struct watcher *watcher = watch("watch");
    pause_it(watcher);
    put_aside();
    (void)devreg("init 2>&1", 1);
    feed(items, COUNT(items), NULL);
    assert_int_equal(kill(watcher->pid, SIGCONT), 0);
    await(watcher, watcher->said, "\tb\tonline\t");
    assert_null(strstr(watcher->said, "\ta\t"));
    assert_null(strstr(watcher->said, "missed"));
    feed(items, 1, NULL); /* the clock was set back */
    await(watcher, watcher->said, "\ta\tonline\t");
    end(watcher, SIGTERM);
}

static void with_presence_off_it_says_so(void **state)
{
    (void)state;
    struct watcher *watcher = watch("watch");
    assert_holds(watcher->told, "Watching 3 devices, 0 of them online.\n");
    note_topic("");
    await(watcher, watcher->told, "the broker notes no presence");
    note_topic("devreg/presence/%u");
    await(watcher, watcher->told, "is there now");
    end(watcher, SIGTERM);
}

static void ctrl_c_ends_it_well(void **state)
{
    (void)state;
    end(watch("watch"), SIGINT);
}

/* Nobody waits for the next event to learn that nobody listens. */
static void it_ends_when_nobody_reads_it(void **state)
{
    (void)state;
    struct watcher *watcher = watch("watch");
    assert_int_equal(close(watcher->out), 0);
    watcher->out = -1;
    int status = status_of(watcher);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGPIPE);
}

/* A pipe that is full: its reader does nothing. */
static void a_reader_that_does_not_read_cannot_keep_it(void **state)
{
    const struct feed_item item = item_of("a", FEED_ONLINE, REASON_NONE);
    (void)state;
    struct watcher *watcher = watch("watch");
    int size = fcntl(watcher->out, F_GETPIPE_SZ);
    assert_true(size > 0 && size < 1 << 20);
    struct feed_item *items = test_calloc((size_t)size / 20, sizeof item);
    for (int i = 0; i < size / 20; i++)
        items[i] = item;
    feed(items, (size_t)size / 20, NULL); /* a line has more than 20 bytes */
    test_free(items);
    int64_t deadline = steady_ms() + DEADLINE_MS;
    int waiting = 0;
    while (waiting < size / 2) { /* it is printing */
        assert_int_equal(ioctl(watcher->out, FIONREAD, &waiting), 0);
        assert_true(steady_ms() < deadline);
        (void)poll(NULL, 0, 1);
    }
    end(watcher, SIGTERM);
}

/* While it waits, the pages of old snapshots are used again: the store does not grow. */
static void waiting_it_keeps_no_old_pages(void **state)
{
    uint64_t before, after, limit;
    (void)state;
    for (int i = 0; i < FEED_KEPT; i++)
        feed_one("a", FEED_ONLINE, REASON_NONE);
    struct watcher *watcher = watch("watch b");
    struct pen pen = pen_begin();
    store_size(pen.store, &before, &limit);
    pen_end(&pen);
    for (int i = 0; i < FEED_KEPT; i++)
        feed_one("a", FEED_ONLINE, REASON_NONE);
    pen = pen_begin();
    store_size(pen.store, &after, &limit);
    pen_end(&pen);
    assert_true(after < before + 400000); /* a snapshot held takes megabytes */
    end(watcher, SIGTERM);
}

static void a_terminal_gets_colours(void **state)
{
    const struct feed_item items[] = {
        item_of("a", FEED_ONLINE, REASON_NONE), item_of("a", FEED_OFFLINE, REASON_UNKNOWN),
        item_of("a", FEED_FAILED, REASON_NONE), item_of("a", FEED_DENIED, REASON_NONE)};
    (void)state;
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    assert_int_equal(unsetenv("NO_COLOR"), 0);
    struct watcher *watcher = watch_on_a_terminal("watch");
    feed(items, COUNT(items), NULL);
    await(watcher, watcher->said, "denied");
    await(watcher, watcher->said, "DEVICE            WHAT       DETAILS\r\n");
    await(watcher, watcher->said, "  a                 \x1b[32monline     \x1b[0m");
    await(watcher, watcher->said, "\x1b[31moffline    \x1b[0munknown");
    await(watcher, watcher->said, "\x1b[31mrefused    \x1b[0m");
    await(watcher, watcher->said, "\x1b[33mdenied     \x1b[0m");
    end(watcher, SIGINT);
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    watcher = watch_on_a_terminal("watch");
    feed(items, COUNT(items), NULL);
    await(watcher, watcher->said, "  a                 online     ");
    assert_null(strchr(watcher->said, '\x1b'));
    end(watcher, SIGTERM);
}

/* Each test begins with an empty presence store. */
static int renew_store(void **state)
{
    char command[sizeof directory + 40];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s/" PRESENCE_SUBDIR "'", directory);
    if (system(command) != 0)
        return -1;
    (void)devreg("init 2>&1", 1);
    return 0;
}

#define test(name) cmocka_unit_test_setup(name, renew_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_the_broker_notes_is_told),
        test(a_record_that_went_on_is_not_taken_for_the_event),
        test(changes_of_the_registry_are_told),
        test(what_happened_before_is_no_news),
        test(only_named_devices_are_told),
        test(what_a_client_is_called_cannot_move_the_terminal),
        test(many_items_of_one_piece_are_all_told_once),
        test(who_falls_behind_is_told_how_much_he_missed),
        test(a_store_that_goes_and_comes_is_followed),
        test(of_a_store_that_comes_back_only_what_is_new_is_told),
        test(with_presence_off_it_says_so),
        test(ctrl_c_ends_it_well),
        test(it_ends_when_nobody_reads_it),
        test(a_reader_that_does_not_read_cannot_keep_it),
        test(waiting_it_keeps_no_old_pages),
        test(a_terminal_gets_colours),
    };
    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
