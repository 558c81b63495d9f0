/* device.h - a device, as the registry knows it. */
#ifndef DEVREG_REGISTRY_DEVICE_H
#define DEVREG_REGISTRY_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/credential.h"
#include "registry/error.h"
#include "registry/limits.h"
#include "registry/rule.h"

enum {
    DEVICE_ID_MAX = 128,
    ROLE_NAME_MAX = 64,
    ROLES_MAX = 16, /* of one device */
    ATTRIBUTES_MAX = 16,
    ATTRIBUTE_NAME_MAX = 32,
    ATTRIBUTE_VALUE_MAX = 128,
    NOTE_MAX = 200,
    REASON_MAX = 100,
    CLIENT_ID_PATTERN_MAX = 128
};

enum device_state { DEVICE_DISABLED = 0, DEVICE_ENABLED = 1, DEVICE_REVOKED = 2 };

struct attribute {
    char name[ATTRIBUTE_NAME_MAX + 1];
    char value[ATTRIBUTE_VALUE_MAX + 1];
};

/* Plain data but for `rules`, which owns memory: begin with device_init, end with device_clear.
 * Only the first *_count entries of an array hold anything. */
struct device {
    char id[DEVICE_ID_MAX + 1];
    enum device_state state;
    char reason[REASON_MAX + 1]; /* of the state; "" for none */
    char note[NOTE_MAX + 1];
    char client_id[CLIENT_ID_PATTERN_MAX + 1]; /* pattern that its client ids match; "" for any */
    uint64_t generation; /* another one for a device that was removed and added again */
    uint64_t version;    /* 1 and up, one more with each change */
    int64_t created, changed, expires;

    size_t credential_count;
    uint32_t next_credential; /* the id of the next one */
    struct credential credentials[CREDENTIALS_MAX];

    size_t role_count; /* sorted by name, each once */
    char roles[ROLES_MAX][ROLE_NAME_MAX + 1];

    size_t attribute_count; /* sorted by name, each once */
    struct attribute attributes[ATTRIBUTES_MAX];

    struct rules rules;
    struct limits limits;
};

/* A key (key.h) is no id: pasted in the wrong place, it would stand in logs and topics. Its own
 * grammar keeps topic syntax, JSON and terminal escapes out of an id:
 *   id = (letter | digit) *127( letter | digit | "." | "_" | ":" | "@" | "-" )     in ASCII */
bool device_id_valid(const char *id);

/* As an id, at most ROLE_NAME_MAX bytes and without "@". */
bool role_name_valid(const char *name);

/* name = letter *31( letter | digit | "_" | "-" ) in ASCII */
bool attribute_name_valid(const char *name);

/* UTF-8 without control characters; "" is fine. */
bool attribute_value_valid(const char *value);

/* A client-id pattern: "%u" is the device's id, "*" any run of characters, the rest stands for
 * itself. The words any, device and prefix are short for "*", "%u" and "%u*". A client id of more
 * than 1024 bytes matches only "*", and so does a pattern that grows over 512 bytes. */
bool client_id_pattern_valid(const char *pattern);
bool client_id_matches(const char *pattern, const char *device, const char *client_id);

/* Are its id, roles, attributes and texts such as the setters take? */
bool device_plausible(const struct device *device);

/* "disabled", "enabled", "revoked". */
const char *device_state_name(enum device_state state);

/* An enabled device of that id, which the caller has checked, with nothing else. */
void device_init(struct device *device, const char *id);
/* The same for one whose `id` is there already. */
void device_empty(struct device *device);

/* Frees and wipes. May be repeated. */
void device_clear(struct device *device);

/* ERR_INVALID, ERR_EXISTS, ERR_TOO_MANY; ERR_NOT_FOUND. */
MUST_CHECK enum err device_add_role(struct device *device, const char *role);
MUST_CHECK enum err device_remove_role(struct device *device, const char *role);

/* Sets or replaces. ERR_INVALID, ERR_TOO_MANY; ERR_NOT_FOUND. */
MUST_CHECK enum err device_set_attribute(struct device *device, const char *name,
                                         const char *value);
MUST_CHECK enum err device_unset_attribute(struct device *device, const char *name);

/* The value of an attribute, or NULL. Lends. */
const char *attribute_find(const struct attribute *attributes, size_t count, const char *name);

/* A new credential without a secret, numbered, at the end of the device's list; expired ones make
 * room first. NULL where CREDENTIALS_MAX live ones are there. Lends. */
struct credential *device_new_credential(struct device *device, enum credential_kind kind,
                                         int64_t now);

/* Takes the credential at `index` out, and wipes it. */
void device_drop_credential(struct device *device, size_t index);
void device_drop_credentials(struct device *device);

#endif
