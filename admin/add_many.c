/* Many devices at once. Other writers wait for the last step alone:
 *
 *   read      the whole file; each line is checked              nothing is changed
 *   compare   sort; twins in the file and in the registry
 *   keys      made, hashed, written and synced (key_file.h)     FILE.part
 *   store     one transaction, in the order of the ids          the devices are there
 *   keep      FILE.part becomes FILE
 */
#include "admin/add_many.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/batch_reader.h"
#include "admin/change.h"
#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/json.h"
#include "admin/key_file.h"
#include "admin/lookup.h"
#include "admin/qr.h"
#include "admin/secret.h"
#include "registry/record.h"

enum { NUMBERED_MAX = 10000000, START_MAX = 1000000000 };

/* What is under way. */
struct many {
    struct call *call;
    struct batch batch;
    struct key_file keys;
    struct progress progress;
    bool make_keys;
    bool committing; /* it may have succeeded */
};

static enum status options_agree(struct call *call)
{
    bool from = call_option(call, OPT_FROM), count = call_option(call, OPT_COUNT_OF);
    if (from + count + (call->arguments.word_count > 0) > 1)
        return complain(call, STATUS_MISUSE,
                        "an ID, --from and --count exclude each other: use one");
    if (call_option(call, OPT_PASSWORD) || call_option(call, OPT_PASSWORD_FILE))
        return complain(call, STATUS_MISUSE, "--password is for one person: add each by itself");
    if (count && !call_option(call, OPT_PREFIX))
        return complain(call, STATUS_MISUSE, "--count needs --prefix, as in --prefix pump-");
    if (from && (call_option(call, OPT_PREFIX) || call_option(call, OPT_START)))
        return complain(call, STATUS_MISUSE, "--%s goes with --count: --from names its devices",
                        call_option(call, OPT_PREFIX) ? "prefix" : "start");
    if (from && !*call_option(call, OPT_FROM))
        return complain(call, STATUS_MISUSE, "--from: it needs the name of a file, or - for stdin");
    if (call_option(call, OPT_KEYS) && call_option(call, OPT_NO_KEY))
        return complain(call, STATUS_MISUSE, "--keys and --no-key exclude each other: use one");
    return qr_check_many(call);
}

static enum status check_roles(struct call *call, const struct device *model)
{
    enum status status = read_begin(call);
    if (!status)
        status = new_roles_check(call, model);
    registry_end(call->registry);
    return status;
}

static enum status model_init(struct many *many)
{
    struct call *call = many->call;
    struct device *model = &many->batch.model;
    enum status status = STATUS_DONE;
    if (call_option(call, OPT_ROLE))
        status = device_take_roles(call, model, OPT_ROLE);
    else if (!call_option(call, OPT_NO_ROLE))
        status = complain_err(call, device_add_role(model, DEFAULT_ROLE));
    /* Lines may name their own; then it does not matter that the default one is not there. */
    if (!status && (call_option(call, OPT_ROLE) || call_option(call, OPT_COUNT_OF)))
        status = check_roles(call, model);
    return status ? status : device_take_options(call, model);
}

static enum status read_file(struct many *many)
{
    const char *path = call_option(many->call, OPT_FROM);
    bool is_stdin = strcmp(path, "-") == 0;
    int file = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0)
        return complain_file(many->call, path, errno);
    enum status status = batch_read(many->call, &many->batch, file, &many->progress);
    if (!is_stdin)
        (void)close(file); /* only read from */
    return status;
}

/* The option's number, which stays as it is where it is not given. */
static enum status take_number(struct call *call, enum option option, unsigned long least,
                               unsigned long most, unsigned long *number)
{
    const char *text = call_option(call, option);
    char *end;
    if (!text)
        return STATUS_DONE;
    errno = 0;
    unsigned long read = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || read < least || read > most)
        return complain(call, STATUS_MISUSE, "--%s: write a number from %lu to %lu",
                        option_rows[option].name, least, most);
    *number = read;
    return STATUS_DONE;
}

/* pump-1 to pump-N, or from --start on. */
static enum status number(struct many *many)
{
    struct call *call = many->call;
    const char *prefix = call_option(call, OPT_PREFIX);
    char id[DEVICE_ID_MAX + 1];
    unsigned long count = 0, start = 1;
    enum status status = take_number(call, OPT_COUNT_OF, 1, NUMBERED_MAX, &count);
    if (!status)
        status = take_number(call, OPT_START, 0, START_MAX, &start);
    if (status)
        return status;
    struct device device;
    progress_step(&many->progress, STEP_READ, count);
    for (unsigned long i = 1; i <= count && !many->batch.error; i++) {
        int size = snprintf(id, sizeof id, "%s%lu", prefix, start + i - 1);
        if (size < 0 || (size_t)size >= sizeof id || !device_id_valid(id))
            return complain(call, STATUS_MISUSE,
                            "--prefix: '" SHOWN "%lu' cannot be a device id: it has 1 to %d "
                            "characters of A-Z a-z 0-9 . _ : @ - and begins with a letter or digit",
                            prefix, start + i - 1, DEVICE_ID_MAX);
        batch_begin_device(&many->batch, &device, id);
        batch_default_roles(&many->batch, &device);
        batch_add(&many->batch, &device, i);
        device_clear(&device);
        progress_show(&many->progress, i, i);
    }
    return complain_err(call, many->batch.error);
}

/* The good lines are known, and why the others are bad. */
static enum status collect(struct many *many)
{
    enum status status = call_option(many->call, OPT_FROM) ? read_file(many) : number(many);
    if (status)
        return status;
    progress_step(&many->progress, STEP_CHECK, 0);
    batch_sort(&many->batch);
    enum err e = batch_compare(&many->batch);
    return complain_err(many->call, e);
}

/* Says what is refused. STATUS_DONE where the rest is to be added. */
static enum status refuse(struct many *many)
{
    const struct call *call = many->call;
    struct batch *batch = &many->batch;
    bool keep_going = call_option(call, OPT_KEEP_GOING);
    progress_clear(&many->progress);
    batch_tell_refused(batch);
    if (!batch->reject_count || (keep_going && batch->count))
        return STATUS_DONE;
    return complain(many->call, batch->reject_status,
                    SHOWN "%s%zu bad %s%s: nothing was added; %s%s", batch->path ? batch->path : "",
                    batch->path ? ": " : "", batch->refused, batch->path ? "line" : "id",
                    plural(batch->refused),
                    batch->path ? "correct the file" : "use another --prefix or --start",
                    batch->count && !keep_going ? ", or add the others with --keep-going" : "");
}

static enum status make_key(struct many *many, struct batch_entry *entry, bool *fine)
{
    char id[DEVICE_ID_MAX + 1], key[KEY_TEXT_SIZE + 1];
    struct credential credential = {.id = 1};
    batch_id(entry, id);
    enum status status = key_credential(many->call, id, &credential, key);
    if (status)
        return status;
    memcpy(entry->hash, credential.secret, KEY_HASH_SIZE);
    entry->has_key = true;
    *fine = key_file_add(&many->keys, id, credential.id, key);
    crypto_wipe(key, sizeof key);
    crypto_wipe(&credential, sizeof credential);
    return STATUS_DONE;
}

static enum status make_keys(struct many *many)
{
    uint64_t done = 0;
    bool fine = true;
    progress_step(&many->progress, STEP_KEYS, many->batch.count);
    for (struct batch_entry *entry = many->batch.first; entry && fine; entry = entry->next) {
        if (entry->refused)
            continue;
        enum status status = make_key(many, entry, &fine);
        if (status)
            return status;
        done++;
        progress_show(&many->progress, done, done);
    }
    return key_file_sync(many->call, &many->keys);
}

static enum err put_entry(struct many *many, struct registry_bulk *bulk,
                          const struct batch_entry *entry)
{
    struct device device;
    enum err e = device_decode(&device, (struct bytes){entry->record, entry->size});
    if (e)
        return e;
    if (entry->has_key) {
        struct credential *credential =
            device_new_credential(&device, CREDENTIAL_KEY, many->call->now);
        memcpy(credential->secret, entry->hash, KEY_HASH_SIZE);
        credential->secret_size = KEY_HASH_SIZE;
    }
    e = registry_bulk_add(bulk, &device);
    device_clear(&device);
    return e;
}

static enum err put_all(struct many *many)
{
    struct registry_bulk *bulk;
    char last[DEVICE_ID_MAX + 1];
    batch_id(many->batch.sorted[many->batch.sorted_count - 1].entry, last);
    enum err e = registry_bulk_begin(&bulk, many->call->registry, last);
    if (e)
        return e;
    uint64_t done = 0;
    for (size_t i = 0; i < many->batch.sorted_count && !e; i++) {
        const struct batch_entry *entry = many->batch.sorted[i].entry;
        if (entry->refused)
            continue;
        e = put_entry(many, bulk, entry);
        done++;
        progress_show(&many->progress, done, done);
    }
    enum err end = registry_bulk_end(bulk);
    return e ? e : end;
}

/* "500 devices, +@pump, site=kiel": what all of them got by options stands behind. */
static void note_detail(struct many *many)
{
    struct call *call = many->call;
    char options[sizeof call->detail];
    memcpy(options, call->detail, sizeof options);
    call->detail[0] = '\0';
    detail_add(call, "%zu device%s", many->batch.count, plural(many->batch.count));
    if (*options)
        detail_add(call, "%s", options);
}

static enum status commit(struct many *many)
{
    note_detail(many);
    many->committing = true;
    progress_step(&many->progress, STEP_SAVE, 0);
    return change_commit(many->call, LOG_ADD, LOG_BULK, "");
}

static enum status store(struct many *many)
{
    struct call *call = many->call;
    enum status status = change_begin(call);
    if (status)
        return status;
    progress_step(&many->progress, STEP_STORE, many->batch.count);
    enum err e = put_all(many);
    if (!e && many->make_keys)
        status = key_file_hold(call, &many->keys);
    if (!e && !status)
        return commit(many);
    change_end(call);
    if (status)
        return status;
    if (e == ERR_EXISTS || e == ERR_NOT_FOUND)
        return complain(call, STATUS_NO,
                        "the registry was changed meanwhile (%s): nothing was added, try again",
                        err_text(e));
    return complain_err(call, e);
}

/* After a commit that failed: is it certain that nothing was added? One device tells of all. */
static bool surely_absent(struct many *many)
{
    char id[DEVICE_ID_MAX + 1], twin[DEVICE_ID_MAX + 1];
    const struct batch_entry *entry = many->batch.first;
    while (entry && entry->refused)
        entry = entry->next;
    if (!entry || registry_read(many->call->registry) != ERR_OK)
        return !entry;
    batch_id(entry, id);
    enum err e = registry_find_twin(many->call->registry, id, twin);
    registry_end(many->call->registry);
    return e == ERR_NOT_FOUND;
}

/* The keys stay where they may be good. */
static void give_up(struct many *many)
{
    if (!many->committing || surely_absent(many)) {
        if (many->make_keys)
            key_file_remove(&many->keys);
        return;
    }
    progress_clear(&many->progress);
    if (many->keys.path)
        warn("it is not certain that nothing was added, see 'devreg log': if there are devices, "
             "their keys are in " SHOWN,
             many->keys.part);
    else
        warn("it is not certain that nothing was added, see 'devreg log'%s",
             many->make_keys ? ": if there are devices, the keys on stdout are theirs" : "");
}

static enum status add_with_keys(struct many *many)
{
    enum status status = key_file_open(many->call, &many->keys, key_file_path(many->call), false);
    if (status)
        return status;
    status = make_keys(many);
    if (!status)
        status = store(many);
    if (status)
        give_up(many);
    else
        status = key_file_keep(many->call, &many->keys);
    key_file_close(&many->keys);
    return status;
}

static enum status add_all(struct many *many)
{
    if (many->batch.count == 0)
        return STATUS_DONE;
    if (many->make_keys)
        return add_with_keys(many);
    enum status status = store(many);
    if (status)
        give_up(many);
    return status;
}

/* Not on stdout where the keys are. */
static void answer_json(const struct many *many, bool dry)
{
    const struct batch *batch = &many->batch;
    const bool keys = many->make_keys && !key_file_path(many->call);
    if (!dry && keys && batch->count)
        return;
    (void)printf("{\"added\":%zu,", dry ? 0 : batch->count);
    if (dry)
        (void)printf("\"would_add\":%zu,", batch->count);
    (void)printf("\"refused\":%zu,\"dry_run\":%s}\n", batch->refused, dry ? "true" : "false");
}

static void answer(struct many *many)
{
    const struct batch *batch = &many->batch;
    const struct call *call = many->call;
    bool dry = call_option(call, OPT_DRY_RUN);
    const char *keys = !dry && many->make_keys ? key_file_path(call) : NULL;
    char count[COUNT_TEXT_MAX + 1], refused[COUNT_TEXT_MAX + 1];
    double seconds = (double)progress_time(&many->progress) / 1000;
    progress_clear(&many->progress);
    if (call->json)
        answer_json(many, dry);
    if (!batch->count)
        tell(SHOWN ": no devices in it: nothing was added", batch->path);
    else
        tell("%s %s device%s in %.1f s%s%s%s%s", dry ? "Would add" : "Added",
             count_format(count, batch->count), plural(batch->count), seconds,
             batch->refused ? ", refused " : "",
             batch->refused ? count_format(refused, batch->refused) : "", keys ? "; keys: " : "",
             keys ? keys : "");
}

static enum status run(struct many *many)
{
    enum status status = model_init(many);
    if (!status)
        status = collect(many);
    if (!status)
        status = refuse(many);
    if (!status && !call_option(many->call, OPT_DRY_RUN))
        status = add_all(many);
    if (status)
        return status;
    answer(many);
    return many->batch.reject_count ? many->batch.reject_status : STATUS_DONE;
}

enum status add_many(struct call *call)
{
    const char *path = call_option(call, OPT_FROM), *keys = key_file_path(call);
    enum status status = options_agree(call);
    if (!status && keys)
        status = key_file_check(call, keys);
    if (status)
        return status;
    (void)signal(SIGXFSZ,
                 SIG_IGN); /* a limit is an error of write(), after which keys are removed */
    struct many *many = memory_get(sizeof *many);
    many->call = call;
    many->make_keys = !call_option(call, OPT_NO_KEY);
    many->committing = false;
    many->keys.path = NULL;
    bool all = call_option(call, OPT_KEEP_GOING);
    const char *shown = path && strcmp(path, "-") == 0 ? "stdin" : path;
    batch_init(&many->batch, call, shown, all ? SIZE_MAX : BATCH_SHOWN);
    bool on_screen =
        many->make_keys && !keys && !call_option(call, OPT_DRY_RUN) && isatty(STDOUT_FILENO);
    progress_begin(&many->progress, !on_screen); /* it would be drawn over the keys */
    status = run(many);
    progress_end(&many->progress);
    batch_clear(&many->batch);
    free(many);
    return status;
}
