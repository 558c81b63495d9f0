#include "admin/list_columns.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "admin/complain.h"
#include "admin/ends.h"
#include "admin/record_json.h"
#include "registry/text.h"

#define ATTRIBUTE_PREFIX "attr."
enum { PREFIX_SIZE = sizeof ATTRIBUTE_PREFIX - 1, TIME_WIDTH = 20, NAMES_MAX = 400 };

static void add_device(cJSON *row, const char *name, const struct list_source *source)
{
    json_text(row, name, source->device->id);
}

static void add_state(cJSON *row, const char *name, const struct list_source *source)
{
    json_text(row, name, device_state_name(source->device->state));
}

static void add_reason(cJSON *row, const char *name, const struct list_source *source)
{
    json_text(row, name, source->device->reason);
}

static void add_roles(cJSON *row, const char *name, const struct list_source *source)
{
    cJSON *roles = json_array(row, name);
    for (size_t i = 0; i < source->device->role_count; i++)
        json_add(roles, source->device->roles[i]);
}

static void add_presence(cJSON *row, const char *name, const struct list_source *source)
{
    json_text(row, name, presence_state_name(source->noted->state));
}

static void add_since(cJSON *row, const char *name, const struct list_source *source)
{
    enum presence_state state = source->noted->state;
    bool known = state == PRESENCE_ONLINE || state == PRESENCE_OFFLINE;
    json_time(row, name, known ? source->noted->presence.since : 0);
}

static void add_note(cJSON *row, const char *name, const struct list_source *source)
{
    json_text(row, name, source->device->note);
}

static void add_client_id(cJSON *row, const char *name, const struct list_source *source)
{
    json_text(row, name, source->device->client_id);
}

static void add_attributes(cJSON *row, const char *name, const struct list_source *source)
{
    const struct device *device = source->device;
    cJSON *attributes = cJSON_AddObjectToObject(row, name);
    for (size_t i = 0; i < device->attribute_count; i++)
        json_text(attributes, device->attributes[i].name, device->attributes[i].value);
}

/* `name` is "attr.site". */
static void add_attribute(cJSON *row, const char *name, const struct list_source *source)
{
    const struct device *device = source->device;
    const char *value =
        attribute_find(device->attributes, device->attribute_count, name + PREFIX_SIZE);
    if (value)
        json_text(row, name, value);
    else
        (void)cJSON_AddNullToObject(row, name);
}

static void add_limits(cJSON *row, const char *name, const struct list_source *source)
{
    (void)name; /* the same */
    limits_to_json(row, &source->device->limits);
}

static void add_expires(cJSON *row, const char *name, const struct list_source *source)
{
    json_time(row, name, source->device->expires);
}

static void add_ending(cJSON *row, const char *name, const struct list_source *source)
{
    char word[CREDENTIAL_WORD_MAX + 1];
    struct ending ending = ending_next(source->view, source->device, source->now);
    json_text(row, name, ending.time ? credential_word(word, ending.credential) : "");
}

static void add_ends(cJSON *row, const char *name, const struct list_source *source)
{
    json_time(row, name, ending_next(source->view, source->device, source->now).time);
}

static struct idle idle_of(const struct list_source *source)
{
    return idle_longest(source->view, source->device, source->noted->state,
                        &source->noted->presence, source->now);
}

static void add_unused(cJSON *row, const char *name, const struct list_source *source)
{
    char word[CREDENTIAL_WORD_MAX + 1];
    struct idle idle = idle_of(source);
    bool known = idle.credential && source->noted->state != PRESENCE_UNKNOWN;
    json_text(row, name, known ? credential_word(word, idle.credential) : "");
}

static void add_last_used(cJSON *row, const char *name, const struct list_source *source)
{
    json_time(row, name, source->noted->state == PRESENCE_UNKNOWN ? 0 : idle_of(source).last);
}

static void add_credentials(cJSON *row, const char *name, const struct list_source *source)
{
    char word[CREDENTIAL_WORD_MAX + 1];
    cJSON *array = json_array(row, name);
    for (size_t i = 0; i < source->device->credential_count; i++)
        json_add(array, credential_word(word, &source->device->credentials[i]));
}

static void add_client(cJSON *row, const char *name, const struct list_source *source)
{
    json_text(row, name, source->noted->presence.client);
}

static void add_address(cJSON *row, const char *name, const struct list_source *source)
{
    json_text(row, name, source->noted->presence.address);
}

static void add_version(cJSON *row, const char *name, const struct list_source *source)
{
    json_number(row, name, source->device->version);
}

static void add_created(cJSON *row, const char *name, const struct list_source *source)
{
    json_time(row, name, source->device->created);
}

static void add_changed(cJSON *row, const char *name, const struct list_source *source)
{
    json_time(row, name, source->device->changed);
}

const struct list_column list_columns[] = {
    {"device", "DEVICE", CELL_PLAIN, 0, false, add_device},
    {"state", "STATE", CELL_PLAIN, 8, false, add_state},
    {"reason", "REASON", CELL_PLAIN, 0, false, add_reason},
    {"roles", "ROLES", CELL_PLAIN, 0, false, add_roles},
    {"attributes", "ATTRIBUTES", CELL_PLAIN, 0, false, add_attributes},
    {"limits", "LIMITS", CELL_PLAIN, 0, false, add_limits},
    {"note", "NOTE", CELL_PLAIN, 0, false, add_note},
    {"client_id", "CLIENT-IDS", CELL_PLAIN, 0, false, add_client_id},
    {"expires", "EXPIRES", CELL_END, TIME_WIDTH, false, add_expires},
    {"credentials", "CREDENTIALS", CELL_PLAIN, 0, false, add_credentials},
    {"ending", "ENDING", CELL_PLAIN, 0, false, add_ending},
    {"ends", "ENDS", CELL_END, TIME_WIDTH, false, add_ends},
    {"unused", "UNUSED", CELL_PLAIN, 0, true, add_unused},
    {"last_used", "LAST-USED", CELL_TIME, TIME_WIDTH, true, add_last_used},
    {"presence", "PRESENCE", CELL_PLAIN, 0, true, add_presence},
    {"since", "SINCE", CELL_TIME, TIME_WIDTH, true, add_since},
    {"client", "CLIENT", CELL_PLAIN, 0, true, add_client},
    {"address", "ADDRESS", CELL_PLAIN, 0, true, add_address},
    {"version", "VERSION", CELL_PLAIN, 0, false, add_version},
    {"created", "CREATED", CELL_TIME, TIME_WIDTH, false, add_created},
    {"changed", "CHANGED", CELL_TIME, TIME_WIDTH, false, add_changed},
};
const size_t list_column_count = sizeof list_columns / sizeof *list_columns;

static const struct list_column attribute_column = {ATTRIBUTE_PREFIX, NULL, CELL_PLAIN, 0, false,
                                                    add_attribute};

static const struct list_column *column_find(const char *name)
{
    if (strncmp(name, ATTRIBUTE_PREFIX, PREFIX_SIZE) == 0)
        return attribute_name_valid(name + PREFIX_SIZE) ? &attribute_column : NULL;
    for (size_t i = 0; i < list_column_count; i++) {
        if (strcasecmp(name, list_columns[i].name) == 0)
            return &list_columns[i];
    }
    return NULL;
}

static enum status refuse_unknown(struct call *call, const char *name)
{
    char names[NAMES_MAX + 1] = "";
    size_t used = 0;
    for (size_t i = 0; i < list_column_count && used < NAMES_MAX; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s, ", list_columns[i].name);
    return complain(call, STATUS_MISUSE,
                    "--columns: '%.60s' is no column: choose of %s" ATTRIBUTE_PREFIX "NAME", name,
                    names);
}

static enum status choose(struct call *call, struct list_choice *choice, const char *name)
{
    const struct list_column *column = column_find(name);
    if (!column)
        return refuse_unknown(call, name);
    if (choice->count == COLUMNS_MAX)
        return complain(call, STATUS_MISUSE, "--columns: at most %d of them", COLUMNS_MAX);
    size_t at = choice->count;
    bool attribute = column == &attribute_column;
    (void)text_copy(choice->names[at], sizeof choice->names[at] - 1,
                    attribute ? name : column->name); /* it is known, or a valid attribute's */
    for (size_t i = 0; i < at; i++) {
        if (strcmp(choice->names[i], choice->names[at]) == 0)
            return complain(call, STATUS_MISUSE, "--columns: '%s' is there twice: write it once",
                            name);
    }
    choice->columns[at] = column;
    choice->shown[at] = (struct column){
        choice->names[at], attribute ? choice->names[at] : column->title, column->cell};
    choice->looks |= column->looks;
    choice->count++;
    return STATUS_DONE;
}

/* The names are parted by commas. */
static enum status choose_all(struct call *call, struct list_choice *choice, const char *names)
{
    enum { NAME_ROOM = 64 };
    char name[NAME_ROOM + 1];
    enum status status = STATUS_DONE;
    for (bool more = true; more && !status;) {
        size_t length = strcspn(names, ",");
        snprintf(name, sizeof name, "%.*s", (int)(length > NAME_ROOM ? NAME_ROOM : length), names);
        status = choose(call, choice, name);
        more = names[length] == ',';
        names += length + more;
    }
    return status;
}

enum status list_choose(struct call *call, const struct selection *selection,
                        struct list_choice *choice)
{
    const char *names = call_option(call, OPT_COLUMNS);
    choice->count = 0;
    choice->looks = false;
    choice->chosen = names;
    enum status status =
        choose_all(call, choice, names ? names : "device,state,roles,presence,since");
    if (!status && !names && selection_asks(selection, CONDITION_EXPIRING))
        status = choose_all(call, choice, "ending,ends");
    if (!status && !names && selection_asks(selection, CONDITION_UNUSED_KEY))
        status = choose_all(call, choice, "unused,last_used");
    return status;
}

cJSON *list_row(const struct list_choice *choice, enum shape shape,
                const struct list_source *source)
{
    bool whole = shape == SHAPE_JSON && !choice->chosen;
    cJSON *row = whole ? device_to_json(source->device, WITHOUT_SECRETS) : cJSON_CreateObject();
    if (whole) {
        cJSON_DeleteItemFromObject(row, "rules");
        cJSON_DeleteItemFromObject(row, "credentials");
    }
    for (size_t i = 0; i < choice->count; i++) {
        if (!whole || !cJSON_HasObjectItem(row, choice->names[i]))
            choice->columns[i]->add(row, choice->names[i], source);
    }
    return row;
}
