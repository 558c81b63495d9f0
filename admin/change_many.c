#include "admin/change_many.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/change.h"
#include "admin/complain.h"
#include "admin/confirm.h"
#include "admin/key_file.h"
#include "admin/lookup.h"
#include "admin/progress.h"
#include "admin/secret.h"
#include "admin/selection.h"

/* What is under way. */
struct many {
    struct call *call;
    const struct many_change *change;
    struct selection selection;
    struct picks picks;
    uint64_t same, revoked;
    uint64_t moved; /* between the question and the transaction */
    bool damaged;   /* some records were passed over */
    char detail[LOG_DETAIL_MAX + 1];
    struct progress progress;
    struct key_file keys;
    bool committing; /* it may have succeeded */
    enum status status;
};

enum status many_asked(struct call *call, bool *many)
{
    static const enum option only[] = {OPT_YES, OPT_DRY_RUN, OPT_KEYS};
    *many = call_option(call, OPT_WHERE);
    /* Only `set` takes other words: NAME=VALUE. */
    bool named = call->arguments.word_count &&
                 (call->command->words_max != WORDS_ANY || !strchr(call_word(call, 0), '='));
    if (*many && named)
        return complain(call, STATUS_MISUSE,
                        "'" SHOWN "' and --where exclude each other: name one device, or what many "
                        "have in common",
                        call_word(call, 0));
    if (*many)
        return STATUS_DONE;
    for (size_t i = 0; i < sizeof only / sizeof *only; i++) {
        if (call_option(call, only[i]))
            return complain(call, STATUS_MISUSE, "--%s goes with --where",
                            option_rows[only[i]].name);
    }
    if (call->arguments.word_count)
        return STATUS_DONE;
    return complain(call, STATUS_MISUSE, "%s: too few arguments: write devreg %s %s",
                    call->command->name, call->command->name, call->command->words);
}

/* A complaint that does not say of which device it is. */
static void complaint_name(struct call *call, enum status status, const char *id)
{
    char text[COMPLAINT_MAX + 1];
    size_t length = strlen(id);
    if (strncmp(call->complaint, id, length) == 0 && call->complaint[length] == ':')
        return;
    memcpy(text, call->complaint, sizeof text);
    call->complaint[0] = '\0';
    (void)complain(call, status, "%s: %.*s", id, COMPLAINT_MAX - DEVICE_ID_MAX - 10, text);
}

static enum outcome edit(struct many *many, struct device *device, const struct presence_view *view,
                         const struct pick *pick)
{
    struct call *call = many->call;
    call->detail[0] = '\0';
    enum outcome outcome = many->change->edit(call, device, view, pick, many->change->context);
    if (outcome == OUTCOME_REFUSED || outcome == OUTCOME_FAILED) {
        many->status = outcome == OUTCOME_FAILED ? STATUS_FAILED : STATUS_NO;
        complaint_name(call, many->status, device->id);
    }
    if (outcome == OUTCOME_CHANGED && !*many->detail)
        memcpy(many->detail, call->detail, sizeof many->detail);
    return outcome;
}

static bool select_one(struct walk *walk, struct device *device, const struct noted *noted)
{
    struct many *many = walk->context;
    const uint32_t credential = device->next_credential;
    (void)noted;
    switch (edit(many, device, &walk->view, NULL)) {
    case OUTCOME_CHANGED:
        picks_add(&many->picks, device->id, device->generation, device->version, credential);
        return true;
    case OUTCOME_SAME:
        many->same++;
        return true;
    case OUTCOME_REVOKED:
        many->revoked++;
        return true;
    default:
        return false;
    }
}

static bool select_pause(struct walk *walk, uint64_t seen)
{
    struct many *many = walk->context;
    progress_show(&many->progress, seen, seen);
    return true;
}

static enum status select_all(struct many *many)
{
    struct call *call = many->call;
    struct walk walk = {.call = call,
                        .selection = &many->selection,
                        .context = many,
                        .each = select_one,
                        .pause = select_pause};
    uint64_t devices = 0;
    enum status status = read_begin(call);
    if (!status)
        status = complain_err(call, registry_device_count(call->registry, &devices));
    registry_end(call->registry);
    if (status)
        return status;
    progress_step(&many->progress, STEP_SELECT, devices);
    status = walk_run(&walk);
    many->damaged = walk.damaged;
    progress_clear(&many->progress);
    return status ? status : many->status;
}

static enum status make_keys(struct many *many)
{
    char key[KEY_TEXT_SIZE + 1];
    uint64_t done = 0;
    bool fine = true;
    enum status status = STATUS_DONE;
    progress_step(&many->progress, STEP_KEYS, many->picks.count);
    for (struct pick *pick = many->picks.first; pick && fine; pick = pick->next) {
        struct credential credential = {.id = pick->credential};
        status = key_credential(many->call, pick->id, &credential, key);
        if (status)
            break;
        memcpy(pick->hash, credential.secret, KEY_HASH_SIZE);
        crypto_wipe(&credential, sizeof credential);
        fine = key_file_add(&many->keys, pick->id, pick->credential, key);
        done++;
        progress_show(&many->progress, done, done);
    }
    crypto_wipe(key, sizeof key);
    return status ? status : key_file_sync(many->call, &many->keys);
}

/* Is it still the device that was confirmed? One that gets a new key has to be just as it was,
 * since the key is bound to what it had then; who is online may change meanwhile. */
static bool is_confirmed(const struct many *many, const struct presence_view *view,
                         const struct device *device, const struct pick *pick)
{
    struct noted noted;
    if (device->generation != pick->generation)
        return false;
    if (many->change->makes_keys)
        return device->version == pick->version;
    return selection_holds(&many->selection, view, device, false, &noted);
}

static enum err put(struct many *many, struct registry_bulk *bulk, struct device *device,
                    const struct presence_view *view, const struct pick *pick)
{
    struct roles_held before;
    roles_held_by(&before, device);
    if (many->change->removes)
        return registry_bulk_remove(bulk, device);
    switch (edit(many, device, view, pick)) {
    case OUTCOME_CHANGED:
        return registry_bulk_put(bulk, device, &before);
    case OUTCOME_REFUSED:
    case OUTCOME_FAILED:
        break;
    default:
        many->moved++;
    }
    return ERR_OK;
}

static enum err put_one(struct many *many, struct registry_bulk *bulk,
                        const struct presence_view *view, const struct pick *pick)
{
    struct device device;
    enum err e = registry_get_device(many->call->registry, pick->id, &device);
    if (e == ERR_NOT_FOUND) {
        many->moved++;
        return ERR_OK;
    }
    if (e)
        return e;
    if (is_confirmed(many, view, &device, pick))
        e = put(many, bulk, &device, view, pick);
    else
        many->moved++;
    device_clear(&device);
    return e;
}

static enum err put_all(struct many *many, const struct presence_view *view)
{
    struct registry_bulk *bulk;
    uint64_t done = 0;
    enum err e = registry_bulk_begin(&bulk, many->call->registry, NULL);
    if (e)
        return e;
    for (const struct pick *pick = many->picks.first; pick && !e && !many->status;
         pick = pick->next) {
        e = put_one(many, bulk, view, pick);
        if (many->moved && many->change->makes_keys)
            break;
        if (++done % FORGET_AFTER == 0)
            walk_forget(many->call, view);
        progress_show(&many->progress, done, done);
    }
    enum err end = registry_bulk_end(bulk);
    return e ? e : end;
}

/* May what is stored be made so? */
static enum status judge(struct many *many, enum err e)
{
    struct call *call = many->call;
    if (many->status)
        return many->status;
    if (e == ERR_NOT_FOUND || (!e && many->moved && many->change->makes_keys))
        return complain(call, STATUS_NO,
                        "the registry was changed meanwhile: nothing was changed, try again");
    if (e)
        return complain_err(call, e);
    return many->change->makes_keys ? key_file_hold(call, &many->keys) : STATUS_DONE;
}

/* "312 devices where site=kiel, site=hamburg" */
static enum status commit(struct many *many)
{
    struct call *call = many->call;
    char where[LOG_DETAIL_MAX + 1];
    uint64_t count = many->picks.count - many->moved;
    selection_format(&many->selection, where, sizeof where);
    call->detail[0] = '\0';
    detail_add(call, "%llu device%s where %s", (unsigned long long)count, plural(count), where);
    if (*many->detail)
        detail_add(call, "%s", many->detail);
    many->committing = true;
    progress_step(&many->progress, STEP_SAVE, 0);
    return change_commit(call, many->change->verb, LOG_BULK, "");
}

static enum status store_seen(struct many *many, struct presence_view *view)
{
    struct call *call = many->call;
    enum status status = change_begin(call);
    if (status)
        return status;
    presence_view_begin(view);
    status = selection_check_view(call, &many->selection, view);
    progress_step(&many->progress, STEP_STORE, many->picks.count);
    if (!status)
        status = judge(many, put_all(many, view));
    presence_view_end(view);
    if (!status && many->moved < many->picks.count)
        return commit(many);
    change_end(call);
    return status;
}

static enum status store(struct many *many)
{
    struct presence_view view;
    presence_view_open(&view, many->call);
    enum status status = store_seen(many, &view);
    presence_view_close(&view);
    return status;
}

/* After a commit that failed: is it certain that no key was changed? One device tells of all. */
static bool surely_unchanged(struct many *many)
{
    struct device device;
    const struct pick *pick = many->picks.first;
    if (registry_read(many->call->registry) != ERR_OK)
        return false;
    enum err e = registry_get_device(many->call->registry, pick->id, &device);
    registry_end(many->call->registry);
    if (e)
        return false;
    bool same = device.generation == pick->generation && device.version == pick->version;
    device_clear(&device);
    return same;
}

/* The keys stay where they may be good. */
static void give_up(struct many *many)
{
    if (!many->committing || surely_unchanged(many)) {
        key_file_remove(&many->keys);
        return;
    }
    progress_clear(&many->progress);
    warn("it is not certain that nothing was changed, see 'devreg log': if devices have new keys, "
         "they are %s" SHOWN,
         many->keys.path ? "in " : "those on stdout", many->keys.path ? many->keys.part : "");
}

static enum status store_with_keys(struct many *many)
{
    struct call *call = many->call;
    enum status status = key_file_open(call, &many->keys, key_file_path(call), true);
    if (status)
        return status;
    status = make_keys(many);
    if (!status)
        status = store(many);
    if (status)
        give_up(many);
    else
        status = key_file_keep(call, &many->keys);
    key_file_close(&many->keys);
    return status;
}

/* The time that it takes to answer is not that of the work. */
static enum status ask(struct many *many)
{
    char count[COUNT_TEXT_MAX + 1];
    const char *does = many->change->does;
    const int64_t before = progress_time(&many->progress);
    enum status status = confirm(many->call, "%c%s %s device%s%s?", toupper((unsigned char)does[0]),
                                 does + 1, count_format(count, many->picks.count),
                                 plural(many->picks.count), many->change->rest);
    many->progress.begin += progress_time(&many->progress) - before;
    return status;
}

static void answer_json(const struct many *many, bool dry)
{
    uint64_t changed = many->picks.count - many->moved;
    cJSON *object = cJSON_CreateObject();
    json_number(object, "changed", dry ? 0 : changed);
    if (dry)
        json_number(object, "would_change", changed);
    json_number(object, "unchanged", many->same);
    json_number(object, "revoked", many->revoked);
    json_number(object, "meanwhile", many->moved);
    (void)cJSON_AddBoolToObject(object, "dry_run", dry);
    json_print(stdout, object);
    cJSON_Delete(object);
}

enum { REST_MAX = 300 };

/* "; 3 are so already; 2 are revoked for good" */
static void rest_format(const struct many *many, char text[static REST_MAX + 1])
{
    const struct {
        uint64_t count;
        const char *what;
    } rest[] = {{many->same, "so already"},
                {many->revoked, "revoked for good, and left so"},
                {many->moved, "not what they were when you were asked, and left alone"}};
    char count[COUNT_TEXT_MAX + 1];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof rest / sizeof *rest && used < REST_MAX; i++) {
        int length = 0;
        if (rest[i].count)
            length = snprintf(text + used, REST_MAX + 1 - used, "; %s %s %s",
                              count_format(count, rest[i].count), rest[i].count == 1 ? "is" : "are",
                              rest[i].what);
        used += length > 0 ? (size_t)length : 0;
    }
}

static void print_ids(const struct picks *picks)
{
    for (const struct pick *pick = picks->first; pick && !ferror(stdout); pick = pick->next)
        (void)puts(pick->id);
}

static void answer(struct many *many, bool dry)
{
    const struct many_change *change = many->change;
    const struct call *call = many->call;
    uint64_t changed = many->picks.count - many->moved;
    char count[COUNT_TEXT_MAX + 1], rest[REST_MAX + 1];
    const char *keys = !dry && change->makes_keys && changed ? key_file_path(call) : NULL;
    bool keys_on_stdout = !dry && change->makes_keys && changed && !keys;
    double seconds = (double)progress_time(&many->progress) / 1000;
    if (call->json && !keys_on_stdout)
        answer_json(many, dry);
    else if (dry)
        print_ids(&many->picks);
    rest_format(many, rest);
    count_format(count, changed);
    if (!changed && !*rest)
        tell("No device is so: nothing to do");
    else if (!changed)
        tell("Nothing to do%s", rest);
    else if (dry)
        tell("Would %s %s device%s%s%s", change->does, count, plural(changed), change->rest, rest);
    else
        tell("%c%s %s device%s%s in %.1f s%s%s%s", toupper((unsigned char)change->did[0]),
             change->did + 1, count, plural(changed), change->rest, seconds, rest,
             keys ? "; keys: " : "", keys ? keys : "");
}

static enum status run(struct many *many)
{
    bool dry = call_option(many->call, OPT_DRY_RUN);
    enum status status = selection_check(many->call, &many->selection);
    if (!status)
        status = select_all(many);
    if (!status && !dry && many->picks.count) {
        status = ask(many);
        if (!status)
            status = many->change->makes_keys ? store_with_keys(many) : store(many);
    }
    progress_end(&many->progress);
    if (status)
        return status;
    answer(many, dry);
    if (many->damaged)
        return complain(many->call, STATUS_FAILED,
                        "some records are damaged, and %s passed over%s: see 'devreg check'",
                        dry ? "would be" : "were", dry ? "" : "; the rest is done");
    return STATUS_DONE;
}

enum status change_many(struct call *call, const struct many_change *change)
{
    const char *keys = change->makes_keys ? key_file_path(call) : NULL;
    struct many *many = memory_get(sizeof *many); /* 64 KB for keys */
    memset(many, 0, sizeof *many);
    many->call = call;
    many->change = change;
    enum status status = selection_take(call, &many->selection);
    if (!status)
        status = confirm_possible(call);
    if (!status && keys)
        status = key_file_check(call, keys);
    if (!status) {
        bool on_screen = change->makes_keys && !keys && isatty(STDOUT_FILENO);
        /* A limit is an error of write(), after which keys are removed. */
        (void)signal(SIGXFSZ, SIG_IGN);
        progress_begin(&many->progress, !on_screen); /* it would be drawn over the keys */
        status = run(many);
    }
    selection_clear(&many->selection);
    picks_clear(&many->picks);
    crypto_wipe(many, sizeof *many);
    free(many);
    return status;
}
