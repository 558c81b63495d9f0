/* devreg watch: what happens to devices, a line each, as it happens.
 *
 * Two logs are followed: the registry's change log and the feed that the plugin leaves in the
 * presence store. Ten times a second the numbers of their last commits are looked at, which costs
 * no transaction; only where one moved, a short scope reads what is new. Nothing is printed within
 * a scope, and none is open while waiting.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin/complain.h"
#include "admin/lookup.h"
#include "admin/output.h"
#include "admin/presence_follow.h"
#include "admin/stop.h"

enum {
    PAUSE_MS = 100,
    LOOKS_A_SECOND = 1000 / PAUSE_MS,
    DEVICE_WIDTH = 16, /* at least, so that columns seldom move */
    WHAT_WIDTH = 9,
    DETAIL_SIZE = 600
};

/* What was said of the presence store; it is said again when it changes. */
enum store_told { TOLD_FINE, TOLD_MISSING, TOLD_UNREADABLE, TOLD_OFF };

struct watch {
    struct call *call;
    struct listing listing;
    struct presence_follow presence;
    enum store_told told;
    uint64_t commit; /* of the registry, as far as was looked */
    uint64_t entry;  /* of its log, the newest that was shown */
    uint64_t missed; /* entries that cannot be read */
};

static void format_local(char text[static 32], int64_t time)
{
    const time_t seconds = (time_t)(time / 1000);
    struct tm local;
    if (!localtime_r(&seconds, &local) || !strftime(text, 32, "%Y-%m-%d %H:%M:%S", &local))
        text[0] = '\0';
}

/* A line so far. In JSON facts of its own follow, in text the `detail`. */
static cJSON *begin_line(const struct watch *watch, int64_t time, const char *event)
{
    cJSON *line = cJSON_CreateObject();
    char local[32];
    if (watch->listing.shape == SHAPE_TABLE) {
        format_local(local, time);
        json_text(line, "time", local);
    } else {
        json_time(line, "time", time);
    }
    json_text(line, "event", event);
    return line;
}

/* Is it one of those that are watched? */
static bool is_wanted(const struct call *call, const char *device)
{
    size_t count = call->arguments.word_count, i = 0;
    while (i < count && strcmp(call_word(call, i), device) != 0)
        i++;
    return !count || i < count;
}

static const struct {
    const char *name;
    enum colour colour;
} presence_events[FEED_KINDS] = {[FEED_ONLINE] = {"online", COLOUR_GREEN},
                                 [FEED_OFFLINE] = {"offline", COLOUR_RED},
                                 [FEED_FAILED] = {"refused", COLOUR_RED},
                                 [FEED_DENIED] = {"denied", COLOUR_YELLOW},
                                 [FEED_REMOVED] = {"forgotten", COLOUR_NONE}};

static const struct tally *tally_of(const struct presence *record, enum feed_kind kind)
{
    return kind == FEED_FAILED ? &record->failures : &record->denials;
}

/* Is the record still about that connection? It may be newer than the item. */
static bool tells_of(const struct presence *record, const struct feed_item *item)
{
    return record->conn == item->conn;
}

static void add_facts(cJSON *line, const struct feed_item *item, const struct presence *record)
{
    json_text(line, "device", item->device);
    if (item->kind == FEED_ONLINE || item->kind == FEED_OFFLINE) {
        if (item->kind == FEED_OFFLINE)
            json_text(line, "reason", reason_name(item->reason));
        json_number(line, "conn", item->conn);
        if (record && tells_of(record, item)) {
            json_text(line, "client", record->client);
            json_text(line, "address", record->address);
        }
    } else if (item->kind != FEED_REMOVED && record) {
        json_number(line, "count", tally_of(record, item->kind)->count);
    }
}

static void add_detail(cJSON *line, const struct feed_item *item, const struct presence *record)
{
    char detail[DETAIL_SIZE] = "";
    json_text(line, "subject", item->device);
    if (item->kind == FEED_ONLINE || item->kind == FEED_OFFLINE) {
        bool offline = item->kind == FEED_OFFLINE, known = record && tells_of(record, item);
        bool placed = known && *record->address;
        snprintf(detail, sizeof detail, "%s%s%s%s%s%s", offline ? reason_name(item->reason) : "",
                 offline && known ? ", " : "", known ? "client id " : "",
                 known ? record->client : "", placed ? ", address " : "",
                 placed ? record->address : "");
    } else if (item->kind != FEED_REMOVED && record) {
        snprintf(detail, sizeof detail, "%" PRIu64 " in all", tally_of(record, item->kind)->count);
    }
    json_text(line, "detail", detail);
}

static void add_item(struct watch *watch, const struct feed_item *item)
{
    struct presence record;
    bool noted = presence_get(watch->presence.view.txn, item->device, &record) == ERR_OK;
    cJSON *line = begin_line(watch, item->time, presence_events[item->kind].name);
    if (watch->listing.shape == SHAPE_JSON)
        add_facts(line, item, noted ? &record : NULL);
    else
        add_detail(line, item, noted ? &record : NULL);
    listing_add_painted(&watch->listing, line, presence_events[item->kind].colour);
}

static void add_entry(struct watch *watch, const struct log_entry *entry)
{
    char subject[DEVICE_ID_MAX + 2], detail[DETAIL_SIZE];
    bool role = entry->kind == LOG_ROLE;
    cJSON *line = begin_line(watch, entry->time, log_verb_name(entry->verb));
    if (watch->listing.shape == SHAPE_JSON) {
        if (entry->kind != LOG_BULK)
            json_text(line, role ? "role" : "device", entry->subject);
        json_text(line, "who", entry->who);
        json_text(line, "detail", entry->detail);
        json_number(line, "seq", entry->seq);
    } else {
        snprintf(subject, sizeof subject, "%s%s", role ? "@" : "", entry->subject);
        snprintf(detail, sizeof detail, "by %s%s%s", entry->who, *entry->detail ? ": " : "",
                 entry->detail);
        json_text(line, "subject", subject);
        json_text(line, "detail", detail);
    }
    listing_add(&watch->listing, line);
}

/* Behind what was missed, everything has to be looked at afresh. */
static void add_missed(struct watch *watch, uint64_t *missed)
{
    struct timespec now = {0};
    char detail[DETAIL_SIZE];
    if (!*missed)
        return;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    cJSON *line = begin_line(watch, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, "missed");
    if (watch->listing.shape == SHAPE_JSON) {
        json_number(line, "count", *missed);
    } else {
        snprintf(detail, sizeof detail, "%" PRIu64 " write%s went by unseen: see 'devreg list'",
                 *missed, plural(*missed));
        json_text(line, "detail", detail);
    }
    listing_add_painted(&watch->listing, line, COLOUR_YELLOW);
    *missed = 0;
}

/* Prints what waits. A reader of stdout may be slow, or stopped. */
static void flush(struct watch *watch)
{
    stop_at_once(true);
    listing_flush(&watch->listing);
    stop_at_once(false);
}

/* The room of a listing, but for one line that says what was missed. */
static bool has_room(const struct watch *watch)
{
    return watch->listing.row_count < LISTING_ROWS - 1;
}

/* Goes on behind an entry that cannot be read, and behind all that were there by then. */
static void step_over(struct watch *watch)
{
    uint64_t last;
    if (registry_last_entry(watch->call->registry, &last) != ERR_OK || last <= watch->entry)
        return;
    watch->missed += last - watch->entry;
    watch->entry = last;
}

/* What is new in the change log. `*more` is set where the listing was full before its end. */
static enum err read_log(struct watch *watch, bool *more)
{
    struct registry *registry = watch->call->registry;
    struct log_entry entry;
    enum err e = registry_read(registry);
    if (e)
        return e;
    watch->commit = registry_snapshot(registry);
    while (has_room(watch) && !(e = registry_next_entry(registry, watch->entry, &entry))) {
        watch->missed += entry.seq - watch->entry - 1;
        watch->entry = entry.seq;
        if (entry.kind == LOG_BULK || !watch->call->arguments.word_count ||
            (entry.kind == LOG_DEVICE && is_wanted(watch->call, entry.subject)))
            add_entry(watch, &entry);
    }
    *more = !e;
    if (e == ERR_DAMAGED)
        step_over(watch);
    registry_end(registry);
    return e == ERR_NOT_FOUND || e == ERR_DAMAGED ? ERR_OK : e;
}

/* Another registry was put in its place: what is new there is the entry that tells of it. */
static enum err reopen(struct watch *watch)
{
    struct registry *registry = watch->call->registry;
    enum err e = registry_reopen(registry);
    if (e == ERR_BUSY)
        return ERR_OK; /* again at the next look */
    if (!e)
        e = registry_read(registry);
    if (e)
        return e;
    e = registry_last_entry(registry, &watch->entry);
    registry_end(registry);
    watch->entry -= watch->entry > 0;
    watch->commit = 0;
    return e;
}

/* `often` is no: only where something was committed is it asked whether that is still the registry.
 */
static enum err look_at_registry(struct watch *watch, bool often)
{
    bool more = registry_last_commit(watch->call->registry) != watch->commit;
    enum err e = ERR_OK;
    if ((more || often) && !registry_in_place(watch->call->registry)) {
        e = reopen(watch);
        more = registry_in_place(watch->call->registry);
    }
    while (more && !e && !ferror(stdout)) {
        e = read_log(watch, &more);
        add_missed(watch, &watch->missed);
        flush(watch);
    }
    return e;
}

static void look_at_presence(struct watch *watch)
{
    bool more = presence_follow_moved(&watch->presence);
    struct feed_item item;
    while (more && !ferror(stdout)) {
        presence_follow_begin(&watch->presence);
        while (has_room(watch) && (more = presence_follow_next(&watch->presence, &item))) {
            if (is_wanted(watch->call, item.device))
                add_item(watch, &item);
        }
        presence_follow_end(&watch->presence);
        add_missed(watch, &watch->presence.missed);
        flush(watch);
    }
}

static enum store_told state_of_store(const struct presence_view *view)
{
    if (view->txn)
        return view->off ? TOLD_OFF : TOLD_FINE;
    return view->error == ERR_NO_REGISTRY ? TOLD_MISSING : TOLD_UNREADABLE;
}

/* Says once what became of the presence store. */
static void tell_of_store(struct watch *watch, bool again)
{
    enum store_told now = state_of_store(&watch->presence.view);
    const char *dir = watch->call->presence;
    if (now == watch->told && !(again && now == TOLD_FINE))
        return;
    if (now == TOLD_MISSING)
        warn("there is no presence in " SHOWN ": start the broker with devreg.so, which makes it",
             dir);
    else if (now == TOLD_UNREADABLE)
        warn("the presence in " SHOWN " cannot be read: %s; only changes of the registry are shown",
             dir, err_text(watch->presence.view.error));
    else if (now == TOLD_OFF)
        warn("the broker notes no presence: run it with plugin_opt_presence on");
    else
        tell("The presence in " SHOWN " is %s.", dir,
             watch->told == TOLD_FINE ? "another one now" : "there now");
    watch->told = now;
}

/* What is online, before it begins. */
static void tell_summary(struct watch *watch)
{
    struct presence_follow *presence = &watch->presence;
    struct presence_counts counts = {0};
    enum err e = ERR_NO_REGISTRY;
    uint64_t devices = 0;
    bool counted = registry_device_count(watch->call->registry, &devices) == ERR_OK;
    registry_end(watch->call->registry);
    presence_follow_begin(presence);
    if (presence->view.txn && !presence->view.off)
        e = presence_counts_get(presence->view.txn, &counts);
    presence_follow_end(presence);
    tell_of_store(watch, false);
    if (!counted)
        tell("Watching.");
    else if (e)
        tell("Watching %" PRIu64 " device%s.", devices, plural(devices));
    else
        tell("Watching %" PRIu64 " device%s, %" PRIu64 " of them online.", devices, plural(devices),
             counts.online);
}

/* From now on. The summary is of the same moment or a later one, so nothing falls between. */
static enum status watch_begin(struct watch *watch)
{
    struct call *call = watch->call;
    enum status status = read_begin(call);
    if (status)
        return status;
    watch->commit = registry_snapshot(call->registry);
    if (registry_last_entry(call->registry, &watch->entry) != ERR_OK)
        watch->entry = 0;
    presence_follow_open(&watch->presence, call);
    tell_summary(watch);
    return STATUS_DONE;
}

/* Until it is told to stop. */
static enum status watch_on(struct watch *watch)
{
    enum stop stop = STOP_NOT;
    enum err e = ERR_OK;
    for (int looks = 0; !stop && !e && !ferror(stdout); looks = (looks + 1) % LOOKS_A_SECOND) {
        bool again = looks == 0 && presence_follow_again(&watch->presence);
        tell_of_store(watch, again); /* before its news */
        e = look_at_registry(watch, looks == 0);
        look_at_presence(watch);
        tell_of_store(watch, false);
        stop = stop_wait(PAUSE_MS);
    }
    if (stop == STOP_UNREAD) {
        watch->call->write_error = EPIPE; /* which is said where SIGPIPE is ignored */
        (void)raise(SIGPIPE);
    }
    return complain_err(watch->call, e);
}

/* A device may be added later on, or be mistyped. */
static enum status check_words(struct call *call)
{
    enum status status = STATUS_DONE;
    for (size_t i = 0; i < call->arguments.word_count && !status; i++)
        status = check_device_id(call, call_word(call, i));
    for (size_t i = 0; i < call->arguments.word_count && !status; i++) {
        enum err e;
        status = read_begin(call);
        bool there = !status && registry_has_device(call->registry, call_word(call, i), &e);
        registry_end(call->registry);
        if (!status && !there)
            warn("%s: there is no such device yet", call_word(call, i));
    }
    return status;
}

enum status cmd_watch(struct call *call)
{
    static const struct column text[] = {{"time", "TIME", CELL_TIME},
                                         {"subject", "DEVICE", CELL_PLAIN},
                                         {"event", "WHAT", CELL_PAINTED},
                                         {"detail", "DETAILS", CELL_PLAIN}};
    static const struct column table[] = {{"time", "TIME", CELL_PLAIN},
                                          {"subject", "DEVICE", CELL_PLAIN},
                                          {"event", "WHAT", CELL_PAINTED},
                                          {"detail", "DETAILS", CELL_PLAIN}};
    struct watch watch = {.call = call};
    bool local = output_shape(call) == SHAPE_TABLE;
    enum status status = check_words(call);
    if (status)
        return status;
    listing_begin(&watch.listing, call, local ? table : text, sizeof text / sizeof *text);
    watch.listing.widths[1] = DEVICE_WIDTH;
    watch.listing.widths[2] = WHAT_WIDTH;
    stop_catch();
    status = watch_begin(&watch);
    if (!status)
        status = watch_on(&watch);
    presence_follow_close(&watch.presence);
    listing_end(&watch.listing);
    return status;
}
