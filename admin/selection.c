#include "admin/selection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/device_options.h"
#include "admin/ends.h"
#include "admin/lookup.h"
#include "admin/when.h"
#include "registry/text.h"

#define ATTRIBUTE_PREFIX "attr."
#define CONDITIONS                                                                                 \
    "NAME=VALUE or attr.NAME=VALUE (an attribute), role=ROLE, state=STATE, expiring=TIME, "        \
    "unused-key=TIME, online, offline, offline-for=TIME or never-seen"

enum { PREFIX_SIZE = sizeof ATTRIBUTE_PREFIX - 1 };

/* The words that are no attributes are the names of these options. */
static const struct word {
    enum option option;
    enum condition_kind kind;
} words[] = {{OPT_ONLY_ROLE, CONDITION_ROLE},          {OPT_ONLY_STATE, CONDITION_STATE},
             {OPT_EXPIRING, CONDITION_EXPIRING},       {OPT_UNUSED_KEY, CONDITION_UNUSED_KEY},
             {OPT_ONLY_ONLINE, CONDITION_ONLINE},      {OPT_ONLY_OFFLINE, CONDITION_OFFLINE},
             {OPT_OFFLINE_FOR, CONDITION_OFFLINE_FOR}, {OPT_NEVER_SEEN, CONDITION_NEVER_SEEN}};
enum { WORDS = sizeof words / sizeof *words };

/* What is being read: `text` is it as it was typed behind `option`. */
struct source {
    struct call *call;
    struct selection *selection;
    enum option option;
    const char *text;
};

static enum status take_role(const struct source *source, struct condition *condition,
                             const char *name)
{
    condition->value = role_word(name);
    return check_role_name(source->call, condition->value);
}

static enum status take_state(const struct source *source, struct condition *condition,
                              const char *name)
{
    if (strcmp(name, "expired") == 0) {
        condition->kind = CONDITION_EXPIRED;
        return STATUS_DONE;
    }
    if (strcmp(name, "quarantined") == 0) {
        condition->kind = CONDITION_QUARANTINED;
        if (!source->selection->presence)
            source->selection->presence = condition;
        return STATUS_DONE;
    }
    for (enum device_state state = DEVICE_DISABLED; state <= DEVICE_REVOKED; state++) {
        condition->state = state;
        if (strcmp(name, device_state_name(state)) == 0)
            return STATUS_DONE;
    }
    return complain(source->call, STATUS_MISUSE,
                    "--%s '" SHOWN "': write %senabled, disabled, revoked, expired or "
                    "quarantined",
                    option_rows[source->option].name, source->text,
                    source->option == OPT_WHERE ? "state=" : "");
}

static enum status take_time(const struct source *source, struct condition *condition,
                             const char *duration)
{
    int64_t ms, now = source->call->now;
    if (duration_parse(&ms, duration) && ms > 0) {
        condition->time = condition->kind == CONDITION_EXPIRING ? now + ms : now - ms;
        return STATUS_DONE;
    }
    bool where = source->option == OPT_WHERE;
    return complain(source->call, STATUS_MISUSE, "--%s '" SHOWN "': write %s%s7d or 12h",
                    option_rows[source->option].name, source->text, where ? condition->label : "",
                    where ? "=" : "");
}

/* May another condition take its place as the one that needs a presence store? It asks less of it.
 */
static bool asks_less(const struct condition *condition)
{
    return !condition || condition->kind == CONDITION_QUARANTINED;
}

/* Who is online, is asked in one way. */
static enum status take_presence(const struct source *source, struct condition *condition,
                                 const char *value)
{
    const struct condition *other = source->selection->presence;
    if (!asks_less(other) && other->kind != CONDITION_UNUSED_KEY)
        return complain(source->call, STATUS_MISUSE, "--%s and --%s exclude each other: use one",
                        other->label, condition->label);
    source->selection->presence = condition;
    return condition->kind == CONDITION_OFFLINE_FOR ? take_time(source, condition, value)
                                                    : STATUS_DONE;
}

static enum status take_word(const struct source *source, const struct word *word,
                             const char *value)
{
    struct selection *selection = source->selection;
    struct condition *condition = &selection->conditions[selection->count];
    bool valued = option_rows[word->option].value;
    *condition = (struct condition){.kind = word->kind,
                                    .value = valued ? value : NULL,
                                    .label = option_rows[word->option].name};
    enum status status = STATUS_DONE;
    switch (word->kind) {
    case CONDITION_ROLE:
        status = take_role(source, condition, value);
        break;
    case CONDITION_STATE:
        status = take_state(source, condition, value);
        break;
    case CONDITION_UNUSED_KEY:
        if (asks_less(selection->presence))
            selection->presence = condition;
        status = take_time(source, condition, value);
        break;
    case CONDITION_EXPIRING:
        status = take_time(source, condition, value);
        break;
    default:
        status = take_presence(source, condition, value);
    }
    selection->count++;
    return status;
}

static enum status take_attribute(const struct source *source, const char *pair)
{
    struct selection *selection = source->selection;
    struct condition *condition = &selection->conditions[selection->count++];
    *condition = (struct condition){.kind = CONDITION_ATTRIBUTE};
    return pair_split(source->call, pair, condition->name, &condition->value);
}

/* "site=kiel", "attr.role=x", "role=pump", "online". */
static enum status take_where(const struct source *source)
{
    const char *text = source->text;
    size_t length = strcspn(text, "=");
    bool valued = text[length] == '=';
    if (strncmp(text, ATTRIBUTE_PREFIX, PREFIX_SIZE) == 0)
        return take_attribute(source, text + PREFIX_SIZE);
    for (size_t i = 0; i < WORDS; i++) {
        const struct option_row *row = &option_rows[words[i].option];
        bool named = strlen(row->name) == length && memcmp(row->name, text, length) == 0;
        if (named && valued == (row->value != NULL))
            return take_word(source, &words[i], valued ? text + length + 1 : "");
    }
    if (valued)
        return take_attribute(source, text);
    return complain(source->call, STATUS_MISUSE, "--where '" SHOWN "': write " CONDITIONS, text);
}

enum status selection_take(struct call *call, struct selection *selection)
{
    const struct arguments *arguments = &call->arguments;
    enum status status = STATUS_DONE;
    /* No more of them than there are options. */
    size_t size = (arguments->given_count + 1) * sizeof *selection->conditions;
    *selection = (struct selection){.conditions = memory_get(size), .now = call->now};
    for (size_t i = 0; i < WORDS && !status; i++) {
        const char *value = call_option(call, words[i].option);
        const struct source source = {call, selection, words[i].option, value};
        if (value)
            status = take_word(&source, &words[i], value);
    }
    for (size_t i = 0; i < arguments->given_count && !status; i++) {
        const struct given *given = &arguments->given[i];
        const struct source source = {call, selection, given->option, given->value};
        if (given->option == OPT_ONLY_SET)
            status = take_attribute(&source, given->value);
        else if (given->option == OPT_WHERE)
            status = take_where(&source);
    }
    return status;
}

void selection_clear(struct selection *selection)
{
    free(selection->conditions);
    *selection = (struct selection){.count = 0};
}

enum status selection_check(struct call *call, const struct selection *selection)
{
    enum status status = read_begin(call);
    for (size_t i = 0; i < selection->count && !status; i++) {
        struct role role;
        if (selection->conditions[i].kind != CONDITION_ROLE)
            continue;
        status = role_find(call, selection->conditions[i].value, &role);
        if (!status)
            role_clear(&role);
    }
    registry_end(call->registry);
    return status;
}

enum status selection_check_view(struct call *call, const struct selection *selection,
                                 const struct presence_view *view)
{
    const struct condition *asked = selection->presence;
    bool there = asked && asked->kind == CONDITION_QUARANTINED && view->txn;
    return asked && !there ? presence_view_check(view, call, asked->label) : STATUS_DONE;
}

bool selection_asks(const struct selection *selection, enum condition_kind kind)
{
    size_t i = 0;
    while (i < selection->count && selection->conditions[i].kind != kind)
        i++;
    return i < selection->count;
}

void selection_format(const struct selection *selection, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < selection->count && used < size; i++) {
        const struct condition *condition = &selection->conditions[i];
        bool attribute = condition->kind == CONDITION_ATTRIBUTE, valued = condition->value;
        int length = snprintf(text + used, size - used, "%s%s%s%s", used ? " " : "",
                              attribute ? condition->name : condition->label, valued ? "=" : "",
                              valued ? condition->value : "");
        used += length > 0 ? (size_t)length : 0;
    }
}

/* What can be told of the device alone. */
static bool device_has(const struct device *device, const struct condition *condition, int64_t now)
{
    const char *held;
    switch (condition->kind) {
    case CONDITION_ATTRIBUTE:
        held = attribute_find(device->attributes, device->attribute_count, condition->name);
        return held && strcmp(held, condition->value) == 0;
    case CONDITION_ROLE:
        return device_holds(device, condition->value);
    case CONDITION_STATE:
        return device->state == condition->state;
    case CONDITION_EXPIRED:
        return device->state == DEVICE_ENABLED && device->expires && device->expires <= now;
    default:
        return true;
    }
}

/* Was it last online before `since`? One that never connected: was it made before? */
static bool silent_since(const struct device *device, const struct noted *noted, int64_t since)
{
    if (noted->state == PRESENCE_NEVER)
        return device->created <= since;
    return noted->state == PRESENCE_OFFLINE && noted->presence.since <= since;
}

/* What is told by what the broker noted, too. */
static bool noted_has(const struct presence_view *view, const struct device *device,
                      const struct condition *condition, const struct noted *noted, int64_t now)
{
    switch (condition->kind) {
    case CONDITION_EXPIRING: {
        struct ending ending = ending_next(view, device, now);
        return ending.time && ending.time <= condition->time;
    }
    case CONDITION_UNUSED_KEY: {
        if (noted->state == PRESENCE_UNKNOWN)
            return false;
        struct idle idle = idle_longest(view, device, noted->state, &noted->presence, now);
        return idle.credential && idle.since <= condition->time;
    }
    case CONDITION_QUARANTINED: {
        struct quarantine quarantine;
        return presence_view_quarantine(view, device, &quarantine);
    }
    case CONDITION_ONLINE:
        return noted->state == PRESENCE_ONLINE;
    case CONDITION_OFFLINE:
        return noted->state == PRESENCE_OFFLINE;
    case CONDITION_NEVER_SEEN:
        return noted->state == PRESENCE_NEVER;
    case CONDITION_OFFLINE_FOR:
        return silent_since(device, noted, condition->time);
    default:
        return true;
    }
}

bool selection_holds(const struct selection *selection, const struct presence_view *view,
                     const struct device *device, bool look, struct noted *noted)
{
    size_t i = 0;
    while (i < selection->count && device_has(device, &selection->conditions[i], selection->now))
        i++;
    if (i < selection->count)
        return false;
    noted->state = PRESENCE_UNKNOWN;
    if (look || selection->presence)
        noted->state = presence_view_get(view, device, &noted->presence);
    for (i = 0; i < selection->count; i++) {
        if (!noted_has(view, device, &selection->conditions[i], noted, selection->now))
            return false;
    }
    return true;
}

/* One short scope. ERR_NOT_FOUND at the end, and where the presence that is asked for cannot be
 * told: then there is a complaint. */
static enum err walk_some(struct walk *walk)
{
    struct call *call = walk->call;
    struct device device;
    struct noted noted;
    enum err e = registry_read(call->registry);
    presence_view_begin(&walk->view);
    walk->status = selection_check_view(call, walk->selection, &walk->view);
    if (!e && walk->status)
        e = ERR_NOT_FOUND;
    for (size_t i = 0; i < WALK_DEVICES && !e && !walk->ended; i++) {
        e = device_step(call, walk->after, &device, &walk->damaged);
        if (e)
            break;
        walk->seen++;
        if (selection_holds(walk->selection, &walk->view, &device, walk->look, &noted))
            walk->ended = !walk->each(walk, &device, &noted);
        device_clear(&device);
    }
    presence_view_end(&walk->view);
    registry_end(call->registry);
    return e;
}

void walk_forget(const struct call *call, const struct presence_view *view)
{
    store_forget_pages(registry_store(call->registry));
    if (view->store)
        store_forget_pages(view->store);
}

enum status walk_run(struct walk *walk)
{
    enum err e = ERR_OK;
    walk->status = STATUS_DONE;
    walk->seen = 0;
    walk->damaged = walk->ended = false;
    presence_view_open(&walk->view, walk->call);
    while (!e && !walk->ended) {
        e = walk_some(walk);
        if (walk->seen % FORGET_AFTER < WALK_DEVICES)
            walk_forget(walk->call, &walk->view);
        if (walk->pause && !walk->pause(walk, walk->seen))
            walk->ended = true;
    }
    if (!walk->status)
        presence_view_warn(&walk->view, walk->call);
    presence_view_close(&walk->view);
    if (e && e != ERR_NOT_FOUND)
        walk->status = complain_err(walk->call, e);
    return walk->status;
}
