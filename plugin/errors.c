#include "plugin/errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/json_text.h"
#include "plugin/message.h"
#include "registry/access.h"
#include "registry/key.h"
#include "registry/text.h"

enum {
    FORMAT = 1,
    TEXT_MAX = 200, /* bytes of a topic or client id; a longer one is cut */
    ESCAPED = 6,    /* bytes that one takes at the most */
    JSON_MAX = 200 + DEVICE_ID_MAX + ESCAPED * TEXT_MAX,
    TOPIC_SIZE = sizeof ERRORS_TOPIC + DEVICE_ID_MAX
};

struct error_entry {
    struct table_node node;
    struct error_entry *next; /* in its list */
    unsigned kind;
    uint64_t count; /* since it was told last */
    int64_t due;    /* steady clock; of a resting one */
    int64_t ts;     /* of the latest */
    bool connect;   /* `text` is a client id and not a topic */
    char device[DEVICE_ID_MAX + 1];
    char text[TEXT_MAX + 1];
};

static void list_add(struct error_list *list, struct error_entry *entry)
{
    entry->next = NULL;
    *(list->last ? &list->last->next : &list->first) = entry;
    list->last = entry;
}

static struct error_entry *list_take(struct error_list *list)
{
    struct error_entry *entry = list->first;
    list->first = entry->next;
    if (!list->first)
        list->last = NULL;
    return entry;
}

void errors_open(struct errors *errors, bool on)
{
    *errors = (struct errors){.on = on};
}

void errors_close(struct errors *errors)
{
    while (errors->fresh.first)
        free(list_take(&errors->fresh));
    while (errors->resting.first)
        free(list_take(&errors->resting));
    table_clear(&errors->entries);
}

static const char *kind_name(unsigned kind)
{
    return kind == ERROR_PUBLISH_DENIED     ? "publish_denied"
           : kind == ERROR_SUBSCRIBE_DENIED ? "subscribe_denied"
                                            : limit_name((enum limit)kind);
}

static struct error_entry *entry_find(const struct errors *errors, const char *device,
                                      unsigned kind, uint64_t hash)
{
    struct table_node *n = table_find(&errors->entries, hash);
    for (; n; n = table_again(n)) {
        struct error_entry *entry = AROUND(n, struct error_entry, node);
        if (entry->kind == kind && strcmp(entry->device, device) == 0)
            return entry;
    }
    return NULL;
}

/* NULL where there are too many, or no memory is left. */
static struct error_entry *entry_new(struct errors *errors, const char *device, unsigned kind,
                                     uint64_t hash)
{
    struct error_entry *entry =
        errors->entries.count < ERRORS_MAX ? calloc(1, sizeof *entry) : NULL;
    if (!entry)
        return NULL;
    entry->kind = kind;
    (void)text_copy(entry->device, DEVICE_ID_MAX, device); /* it is a valid id */
    if (!table_add(&errors->entries, &entry->node, hash)) {
        free(entry);
        return NULL;
    }
    list_add(&errors->fresh, entry);
    return entry;
}

void errors_note(struct errors *errors, const char *device, unsigned kind, const char *topic,
                 const char *client_id, int64_t now)
{
    if (!errors->on)
        return;
    const uint64_t hash = table_hash_name(device) + kind;
    struct error_entry *entry = entry_find(errors, device, kind, hash);
    if (!entry)
        entry = entry_new(errors, device, kind, hash);
    if (!entry)
        return;
    entry->count++;
    entry->ts = now;
    entry->connect = !topic;
    text_cut(entry->text, TEXT_MAX, topic ? topic : client_id);
    key_hide(entry->text); /* others may be let read it */
}

/* What cannot be handed over is lost. */
static void tell(const struct error_entry *entry)
{
    char text[JSON_MAX], topic[TOPIC_SIZE];
    struct json_text json = json_begin(text, sizeof text, FORMAT);
    json_add_word(&json, "device", entry->device);
    json_add_word(&json, "kind", kind_name(entry->kind));
    if (entry->connect)
        json_add_text(&json, "client", entry->text);
    else
        json_add_text(&json, "topic", entry->text);
    json_add_number(&json, "count", entry->count);
    json_add_number(&json, "ts", (uint64_t)entry->ts);
    snprintf(topic, sizeof topic, ERRORS_TOPIC "%s", entry->device);
    (void)message_send_text(topic, text, json_end(&json), false);
}

static void tell_and_rest(struct errors *errors, struct error_entry *entry, int64_t now)
{
    tell(entry);
    entry->count = 0;
    entry->due = now + ERRORS_REST_MS;
    list_add(&errors->resting, entry);
}

void errors_tell(struct errors *errors, int64_t now)
{
    unsigned left = ERRORS_A_TURN;
    while (errors->resting.first && errors->resting.first->due <= now &&
           (left || !errors->resting.first->count)) {
        struct error_entry *entry = list_take(&errors->resting);
        if (entry->count) {
            tell_and_rest(errors, entry, now);
            left--;
        } else {
            table_remove(&errors->entries, &entry->node);
            free(entry);
        }
    }
    for (; left && errors->fresh.first; left--)
        tell_and_rest(errors, list_take(&errors->fresh), now);
}
