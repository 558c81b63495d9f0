/* selection.h - which devices a list shows, or a change of many is about.
 *
 *   condition              as an option of `list`    in --where
 *   has this attribute     --set site=kiel           site=kiel
 *   has this role          --role pump               role=pump
 *   is in this state       --state disabled          state=disabled
 *   ends soon              --expiring 30d            expiring=30d
 *   has an unused key      --unused-key 365d         unused-key=365d
 *   is online, ...         --online                  online
 *
 * All conditions have to hold. An attribute whose name is a word of this table is attr.NAME=VALUE
 * in
 * --where, as any attribute may be.
 */
#ifndef DEVREG_ADMIN_SELECTION_H
#define DEVREG_ADMIN_SELECTION_H

#include "admin/presence_view.h"

enum condition_kind {
    CONDITION_ATTRIBUTE,
    CONDITION_ROLE,
    CONDITION_STATE,
    CONDITION_EXPIRED,
    CONDITION_QUARANTINED,
    CONDITION_EXPIRING,
    CONDITION_UNUSED_KEY,
    CONDITION_ONLINE,
    CONDITION_OFFLINE,
    CONDITION_OFFLINE_FOR,
    CONDITION_NEVER_SEEN
};

struct condition {
    enum condition_kind kind;
    char name[ATTRIBUTE_NAME_MAX + 1]; /* of an attribute */
    const char *value;                 /* of an attribute, or a role's name; lent */
    enum device_state state;
    int64_t time;      /* up to which something ends, or from which on something is so */
    const char *label; /* the word of an option, for complaints */
};

struct selection {
    size_t count;
    struct condition *conditions;
    const struct condition
        *presence; /* one that cannot be told without a presence store, or NULL */
    int64_t now;
};

/* Reads the call's options. Free it with selection_clear in any case. */
MUST_CHECK enum status selection_take(struct call *call, struct selection *selection);
void selection_clear(struct selection *selection);

/* Is there each role that it names? A role that is not there is a typing error, and no empty list.
 */
MUST_CHECK enum status selection_check(struct call *call, const struct selection *selection);

/* Can all of it be told by that presence? Else a complaint. Within a scope. */
MUST_CHECK enum status selection_check_view(struct call *call, const struct selection *selection,
                                            const struct presence_view *view);

/* Does it hold a condition of that kind? */
bool selection_asks(const struct selection *selection, enum condition_kind kind);

/* Writes "site=kiel role=pump", for the log: what is cut is cut. */
void selection_format(const struct selection *selection, char *text, size_t size);

/* What is noted of a device. */
struct noted {
    enum presence_state state;
    struct presence presence;
};

/* Is the device selected? `noted` is filled where it is, if the selection asks for it or `look` is
 * set. Within a scope of the view. */
bool selection_holds(const struct selection *selection, const struct presence_view *view,
                     const struct device *device, bool look, struct noted *noted);

/* A walk over all selected devices behind `after`, in short scopes: a slow reader of what they lead
 * to does not keep the registry's old pages from being used again. A device that is added behind
 * the walk is missed, as it would be by one made a moment earlier. */
struct walk {
    struct call *call;
    const struct selection *selection;
    bool look; /* always fill `noted` */
    void *context;
    /* For each one, within a scope; nobody looks at `device` again. False ends the walk. */
    bool (*each)(struct walk *walk, struct device *device, const struct noted *noted);
    /* Between the scopes; may be NULL. `seen` devices were gone over so far. False ends the walk.
     */
    bool (*pause)(struct walk *walk, uint64_t seen);

    /* The rest is its own. */
    struct presence_view view;
    char after[DEVICE_ID_MAX + 1]; /* begins as the caller sets it */
    uint64_t seen;
    bool damaged; /* there were such records */
    bool ended;
    enum status status;
};
enum { WALK_DEVICES = 500 /* in one scope */, FORGET_AFTER = 50000 };

/* Done with what was read so far (store_forget_pages); after each FORGET_AFTER devices of a walk.
 */
void walk_forget(const struct call *call, const struct presence_view *view);

/* Damaged records are warned of and passed over: then `damaged` is set. */
MUST_CHECK enum status walk_run(struct walk *walk);

#endif
