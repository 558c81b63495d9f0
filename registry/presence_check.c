#include "registry/presence_check.h"

#include <stdio.h>
#include <string.h>

#include "registry/quarantine.h"
#include "registry/text.h"

struct check {
    struct txn *txn;
    struct presence_check *result;
    void (*report)(void *context, const char *what, const char *problem);
    void *context;
    struct presence_counts found;
};

static const char *kind_name(uint8_t kind)
{
    switch (kind) {
    case 'p':
        return "presence of device";
    case 'o':
        return "owner of client id";
    case 'r':
        return "presence topic of device";
    case 'x':
        return "cleared topic";
    case 't':
        return "presence patterns";
    case 'q':
        return "quarantine of device";
    case 'w':
        return "piece of the presence feed";
    default:
        return "presence record";
    }
}

static uint64_t piece_number(struct bytes key)
{
    uint64_t number = 0;
    for (size_t i = 1; i < key.size; i++)
        number = number << 8 | key.data[i];
    return number;
}

static void find(struct check *check, struct bytes key, const char *problem)
{
    char raw[STORE_KEY_MAX + 1] = {0}, name[100], what[140];
    memcpy(raw, key.data + 1, key.size - 1);
    if (*key.data == 'o') /* its length, or that there is more of it; then the client id */
        memmove(raw, raw + 1, sizeof raw - 1);
    else if (*key.data == 'w')
        snprintf(raw, sizeof raw, "%llu", (unsigned long long)piece_number(key));
    snprintf(what, sizeof what, "%s%s%s", kind_name(*key.data), *raw ? " " : "",
             text_escape(name, sizeof name, raw));
    check->result->findings++;
    check->report(check->context, what, problem);
}

/* The name behind the letter of a key, where a device can have it. */
static bool name_of(struct bytes key, char device[static DEVICE_ID_MAX + 1])
{
    size_t size = key.size - 1;
    if (size > DEVICE_ID_MAX)
        return false;
    memcpy(device, key.data + 1, size);
    device[size] = '\0';
    return strlen(device) == size && device_id_valid(device);
}

static void check_device(struct check *check, struct bytes key, struct bytes record)
{
    struct presence presence;
    char device[DEVICE_ID_MAX + 1];
    if (!name_of(key, device))
        find(check, key, "stands under a name that no device can have");
    if (presence_decode(&presence, record)) {
        find(check, key, "does not decode");
        return;
    }
    check->found.seen += presence.connections > 0;
    check->found.online += presence.online;
}

/* Does the device that it names own that session? */
static void check_owner(struct check *check, struct bytes key)
{
    struct client_key client;
    struct presence presence;
    char device[DEVICE_ID_MAX + 1];
    if (key.size != 1 + sizeof client.bytes) {
        find(check, key, "does not decode");
        return;
    }
    memcpy(client.bytes, key.data + 1, sizeof client.bytes);
    if (owner_get(check->txn, &client, device) != ERR_OK)
        find(check, key, "does not decode");
    else if (presence_get(check->txn, device, &presence) != ERR_OK ||
             presence_session(&presence, &client) == presence.session_count)
        find(check, key, "names a device whose record does not name it");
}

static void check_standing(struct check *check, struct bytes key, struct bytes record)
{
    struct presence presence;
    char device[DEVICE_ID_MAX + 1];
    if (!name_of(key, device) || record.size > PRESENCE_TOPIC_MAX ||
        (record.size && memchr(record.data, '\0', record.size)))
        find(check, key, "does not decode");
    else if (presence_get(check->txn, device, &presence) == ERR_NOT_FOUND)
        find(check, key, "is of a device without a record");
}

static void check_cleared(struct check *check, struct bytes key, struct bytes record)
{
    struct unpack u = unpack_of(record);
    char device[DEVICE_ID_MAX + 1];
    unpack_text(&u, device, DEVICE_ID_MAX);
    (void)unpack_time(&u);
    if (!unpack_done(&u))
        find(check, key, "does not decode");
}

static void check_piece(struct check *check, struct bytes key)
{
    struct feed_item item;
    struct bytes items = {0};
    uint64_t number = key.size == 1 + sizeof number ? piece_number(key) : 0;
    if (!number || feed_next(check->txn, number - 1, &number, &items) != ERR_OK) {
        find(check, key, "does not decode");
        return;
    }
    bool sound = true;
    while (sound && items.size)
        sound = feed_item_next(&items, &item);
    if (!sound)
        find(check, key, "holds what is no item");
}

static void check_quarantine(struct check *check, struct bytes key, struct bytes record)
{
    struct quarantine quarantine;
    char device[DEVICE_ID_MAX + 1];
    if (!name_of(key, device) || quarantine_decode(&quarantine, record))
        find(check, key, "does not decode");
}

static void check_record(struct check *check, struct bytes key, struct bytes record)
{
    struct patterns patterns;
    switch (*key.data) {
    case 'p':
        check_device(check, key, record);
        break;
    case 'o':
        check_owner(check, key);
        break;
    case 'r':
        check_standing(check, key, record);
        break;
    case 'x':
        check_cleared(check, key, record);
        break;
    case 't':
        if (patterns_get(check->txn, &patterns) != ERR_OK)
            find(check, key, "does not decode");
        break;
    case 'q':
        check_quarantine(check, key, record);
        break;
    case 'w':
        check_piece(check, key);
        break;
    case 'a': /* says all by being there */
    case 'm': /* read when the store was opened */
    case 'v': /* for `devreg check` alone, which reads it */
        break;
    default:
        find(check, key, "is of no known kind");
    }
}

/* All records of one kind. The walk's own key is kept here, since the checks move the cursor. */
static enum err check_kind(struct check *check, uint8_t kind)
{
    uint8_t at[STORE_KEY_MAX];
    struct bytes after = {at, 0};
    for (;;) {
        struct bytes key, record;
        enum err e = txn_next(check->txn, kind, after, &key, &record);
        if (e == ERR_NOT_FOUND)
            return ERR_OK;
        if (e && e != ERR_DAMAGED)
            return e;
        memcpy(at, key.data, key.size);
        after.size = key.size;
        check->result->devices += kind == 'p';
        if (e)
            find(check, after, "is damaged: its seal does not fit");
        else
            check_record(check, after, record);
    }
}

/* What is damaged counts as nothing, here as in the plugin. */
static void check_counts(struct check *check)
{
    struct presence_counts said;
    enum err e = presence_counts_get(check->txn, &said);
    if (!e && (said.seen != check->found.seen || said.online != check->found.online)) {
        check->result->findings++;
        check->report(check->context, "counts of presence", "are wrong");
    }
}

enum err presence_check(struct txn *txn, struct presence_check *result,
                        void (*report)(void *context, const char *what, const char *problem),
                        void *context)
{
    struct check check = {.txn = txn, .result = result, .report = report, .context = context};
    *result = (struct presence_check){0};
    for (unsigned kind = 0; kind <= UINT8_MAX - 1; kind++) {
        enum err e = check_kind(&check, (uint8_t)kind);
        if (e)
            return e;
    }
    check_counts(&check);
    return ERR_OK;
}
