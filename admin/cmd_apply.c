/* devreg apply: the registry becomes what a file says. Other writers wait for the last step alone:
 *
 *   read      the whole file; each line is checked            nothing is changed
 *   compare   with one snapshot of the registry: a plan
 *   ask       about what --prune removes
 *   store     one transaction: all of the plan
 *
 * The transaction begins only where nothing was committed since the snapshot. Otherwise the plan is
 * made anew; after a few times within the transaction, so that it comes to an end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "admin/apply_plan.h"
#include "admin/change.h"
#include "admin/complain.h"
#include "admin/confirm.h"
#include "admin/lookup.h"
#include "admin/output.h"

enum { TRIES = 3 };

struct apply {
    struct call *call;
    struct import_file import;
    struct apply_plan plan;
    struct progress progress;
    bool prune, dry_run;
    bool shown; /* the plan, to somebody who was asked */
};

static enum status complain_lines(struct apply *apply, enum status status)
{
    const struct import_file *import = &apply->import;
    progress_clear(&apply->progress);
    import_tell_rejects(import);
    return complain(apply->call, status,
                    SHOWN ": %zu bad line%s: nothing was changed; correct the file", import->path,
                    import->reject_count, plural(import->reject_count));
}

static enum status read_file(struct apply *apply)
{
    struct call *call = apply->call;
    struct import_file *import = &apply->import;
    const char *path = call_word(call, 0);
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    if (!file)
        return complain_file(call, path, errno);
    enum status status = import_file_read(call, import, file);
    if (!is_stdin)
        (void)fclose(file); /* only read from */
    if (!status && import->reject_count)
        return complain_lines(apply, STATUS_MISUSE);
    if (!status && apply->prune && !import->ended)
        return complain(call, STATUS_MISUSE,
                        SHOWN
                        ": --prune has to know that the file was not cut short: its last line "
                        "has to be " EXPORT_END,
                        import->path);
    return status;
}

/* Makes the plan in the open scope. It has to be what was shown, if any was. */
static enum status plan(struct apply *apply)
{
    struct apply_plan before = apply->plan;
    apply->plan = (struct apply_plan){0};
    enum status status = apply_plan_make(apply->call, &apply->plan, &apply->import, apply->prune);
    if (!status && apply->shown && !apply_plan_same(&before, &apply->plan))
        status =
            complain(apply->call, STATUS_NO,
                     "the registry was changed meanwhile, and other changes would be made than "
                     "you were shown: nothing was changed, run it again");
    apply_plan_clear(&before);
    return status;
}

/* Behind the scope. */
static enum status plan_check(struct apply *apply, enum status status)
{
    if (!status && apply->import.reject_count)
        return complain_lines(apply, STATUS_NO);
    return status;
}

static enum status compare(struct apply *apply)
{
    enum status status = read_begin(apply->call);
    if (!status)
        status = plan(apply);
    registry_end(apply->call->registry);
    return plan_check(apply, status);
}

/* `change` as people and programs read it. */
static cJSON *change_to_json(const struct apply_change *change, bool role, enum shape shape)
{
    static const char *const signs[] = {"+", "~", "-"};
    static const char *const words[] = {"added", "changed", "removed"};
    char name[DEVICE_ID_MAX + 1], subject[DEVICE_ID_MAX + 2];
    cJSON *row = cJSON_CreateObject();
    record_name(change->name, name);
    snprintf(subject, sizeof subject, "%s%s", role ? "@" : "", name);
    json_text(row, "change", (shape == SHAPE_JSON ? words : signs)[change->kind]);
    json_text(row, shape == SHAPE_JSON ? (role ? "role" : "device") : "subject",
              shape == SHAPE_JSON ? name : subject);
    if (change->kind != CHANGE_EDIT)
        return row;
    cJSON *fields = json_array(row, "fields");
    for (unsigned field = 1; field < FIELD_END; field <<= 1) {
        if (change->fields & field)
            json_add(fields, field_name((enum field)field));
    }
    return row;
}

static void show_changes(struct listing *listing, const struct apply_changes *changes, bool role)
{
    static const enum colour colours[] = {COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED};
    for (size_t i = 0; i < changes->count && !ferror(stdout); i++) {
        const struct apply_change *change = &changes->items[i];
        listing_add_painted(listing, change_to_json(change, role, listing->shape),
                            colours[change->kind]);
        if (listing->row_count == LISTING_ROWS)
            listing_flush(listing);
    }
}

static void show_plan(struct apply *apply)
{
    static const struct column columns[] = {{"change", "", CELL_PAINTED},
                                            {"subject", "DEVICE", CELL_PAINTED},
                                            {"fields", "FIELDS", CELL_PLAIN}};
    struct listing listing;
    if (apply->shown)
        return;
    progress_clear(&apply->progress);
    listing_begin(&listing, apply->call, columns, sizeof columns / sizeof *columns);
    show_changes(&listing, &apply->plan.roles, true);
    show_changes(&listing, &apply->plan.devices, false);
    listing_end(&listing);
    apply->shown = true;
}

/* What is gone is gone with its keys. Somebody who is asked sees all of it before. */
static enum status ask(struct apply *apply)
{
    const size_t devices = apply->plan.devices.counts[CHANGE_REMOVE];
    const size_t roles = apply->plan.roles.counts[CHANGE_REMOVE];
    if (!devices && !roles)
        return STATUS_DONE;
    if (call_option(apply->call, OPT_YES))
        return STATUS_DONE;
    show_plan(apply);
    output_flush(apply->call);
    if (!roles)
        return confirm(apply->call, "Remove %zu device%s?", devices, plural(devices));
    if (!devices)
        return confirm(apply->call, "Remove %zu role%s?", roles, plural(roles));
    return confirm(apply->call, "Remove %zu device%s and %zu role%s?", devices, plural(devices),
                   roles, plural(roles));
}

/* Begins a write scope that sees what the plan was made for. */
static enum status begin(struct apply *apply)
{
    struct call *call = apply->call;
    for (int tries = 1; tries <= TRIES; tries++) {
        enum status status = change_begin(call);
        if (status || registry_is_still(call->registry, apply->plan.snapshot))
            return status;
        change_end(call);
        status = compare(apply);
        if (status)
            return status;
    }
    enum status status = change_begin(call);
    if (status)
        return status;
    status = plan(apply);
    if (!status && !apply->import.reject_count)
        return STATUS_DONE;
    change_end(call);
    return plan_check(apply, status);
}

static enum status store(struct apply *apply)
{
    struct call *call = apply->call;
    if (apply_plan_is_empty(&apply->plan))
        return STATUS_DONE;
    enum status status = begin(apply);
    if (status)
        return status;
    enum err e = apply_store(call, &apply->plan, &apply->import);
    if (!e && !apply_plan_is_empty(&apply->plan)) {
        progress_step(&apply->progress, STEP_SAVE, 0);
        return change_keep(call);
    }
    change_end(call);
    return complain_err(call, e);
}

static cJSON *counts_to_json(const struct apply_changes *changes)
{
    cJSON *counts = cJSON_CreateObject();
    json_number(counts, "added", changes->counts[CHANGE_ADD]);
    json_number(counts, "changed", changes->counts[CHANGE_EDIT]);
    json_number(counts, "removed", changes->counts[CHANGE_REMOVE]);
    json_number(counts, "unchanged", changes->unchanged);
    json_number(counts, "not_in_file", changes->left);
    return counts;
}

static void sum_up_json(const struct apply *apply)
{
    cJSON *answer = cJSON_CreateObject();
    (void)cJSON_AddBoolToObject(answer, "dry_run", apply->dry_run);
    (void)cJSON_AddItemToObject(answer, "devices", counts_to_json(&apply->plan.devices));
    (void)cJSON_AddItemToObject(answer, "roles", counts_to_json(&apply->plan.roles));
    json_number(answer, "without_keys", apply->plan.keyless);
    json_print(stdout, answer);
    cJSON_Delete(answer);
}

enum { COUNTS_TEXT_MAX = 200 };

/* "1 added, 2 removed, 1,000 unchanged" */
static char *counts_format(char text[static COUNTS_TEXT_MAX + 1],
                           const struct apply_changes *changes)
{
    static const char *const words[] = {"added", "changed", "removed"};
    char count[COUNT_TEXT_MAX + 1];
    size_t used = 0;
    for (size_t kind = 0; kind < CHANGE_KINDS; kind++) {
        if (changes->counts[kind])
            used += (size_t)snprintf(text + used, COUNTS_TEXT_MAX + 1 - used, "%s %s, ",
                                     count_format(count, changes->counts[kind]), words[kind]);
    }
    used += (size_t)snprintf(text + used, COUNTS_TEXT_MAX + 1 - used, "%s unchanged",
                             count_format(count, changes->unchanged));
    if (changes->left)
        snprintf(text + used, COUNTS_TEXT_MAX + 1 - used, ", %s not in the file",
                 count_format(count, changes->left));
    return text;
}

static void sum_up(struct apply *apply)
{
    char devices[COUNTS_TEXT_MAX + 1], roles[COUNTS_TEXT_MAX + 1], count[COUNT_TEXT_MAX + 1];
    const size_t keyless = apply->plan.keyless;
    const char *done = apply_plan_is_empty(&apply->plan) ? "Nothing to change"
                       : apply->dry_run                  ? "Would apply"
                                                         : "Applied";
    progress_clear(&apply->progress);
    if (apply->call->json) {
        sum_up_json(apply);
        return;
    }
    tell("%s. Devices: %s; roles: %s.", done, counts_format(devices, &apply->plan.devices),
         counts_format(roles, &apply->plan.roles));
    if (keyless)
        tell("%s new device%s no key: 'devreg rotate ID' makes one.", count_format(count, keyless),
             keyless == 1 ? " has" : "s have");
}

static enum status run(struct apply *apply)
{
    enum status status = apply->prune ? confirm_possible(apply->call) : STATUS_DONE;
    if (!status)
        status = read_file(apply);
    if (!status)
        status = compare(apply);
    if (!status && !apply->dry_run)
        status = ask(apply);
    if (!status && !apply->dry_run)
        status = store(apply);
    if (status)
        return status;
    show_plan(apply);
    sum_up(apply);
    return STATUS_DONE;
}

enum status cmd_apply(struct call *call)
{
    const char *path = call_word(call, 0);
    struct apply apply = {.call = call,
                          .import.path = strcmp(path, "-") == 0 ? "stdin" : path,
                          .prune = call_option(call, OPT_PRUNE),
                          .dry_run = call_option(call, OPT_DRY_RUN)};
    apply.import.progress = &apply.progress;
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit is an error of write(), which is told */
    progress_begin(&apply.progress, true);
    enum status status = run(&apply);
    progress_end(&apply.progress);
    apply_plan_clear(&apply.plan);
    import_file_clear(&apply.import);
    return status;
}
